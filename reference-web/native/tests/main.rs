//! The tests of the companion from outside, as one program: building and linking one is quicker than many.

mod both;
mod cli;
mod companion;
mod grants;
mod held;
mod keys_in_use;
mod large_account;
mod linked_elsewhere;
mod log_size;
mod media_files;
mod old_messages;
mod old_release;
mod put_back;
mod store_fails;
mod sync;
mod transfers;
mod unconfirmed;
mod uploads;
mod world;
