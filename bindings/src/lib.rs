//! The machines of Handfast for Python, Kotlin and Swift.
//!
//! A [`Machine`] is one pairing or one link, without sockets, clocks, threads or a store. The program passes in what
//! happened, one [`Input`] after the other, and carries out the [`Output`]s that come back, in their order:
//!
//! 1. `outputs = machine.step(now_ms, input)`, beginning with [`Input::Timer`];
//! 2. apply each [`Commit`] in a transaction, those of one list in one, together with the effects of the messages that
//!    came with them; when it is durable, pass in [`Input::Committed`] for each, in order;
//! 3. send what [`Output::Transmit`] has, open or close the socket, show the user what is to be shown;
//! 4. wait for the socket, the user, or the time of the last [`Output::SetTimer`], and go to 1.
//!
//! If the transaction fails, or finds another version than [`Commit::expects`], drop the machine and load it again: all
//! that matters is in the store. There are no callbacks, and no call waits. Times are milliseconds of a clock that never
//! goes back. All ids and keys are plain bytes.
//!
//! # Security
//! The rows of a link, and the account's key, hold secrets. In other languages they are byte arrays, which nobody wipes: what
//! has them in memory may be read from a dump of that memory, until the collector has used the place again.

mod commit;
mod content;
mod input;
mod link;
mod machine;
mod output;
mod pairing;
mod refusal;
mod rows;
mod time;

pub use commit::{Commit, LinkRow, Write};
pub use content::{ContentHasher, HashedContent, StopReason, Stream};
pub use input::Input;
pub use machine::{Machine, Terms};
pub use output::{Message, Output};
pub use refusal::Refusal;
pub use rows::{Row, row_digest};

use handfast::DeviceRole;
use handfast::codec::frame::Collection;
use handfast::rng::{SystemRng, os_rng};
use handfast::session::pairing::peer_keys as keys_of_peer;
use rand_core::Rng as _;
use refusal::refused;

uniffi::setup_scaffolding!("machine");

/// Returns `len` random bytes of the operating system: 16 for the key of a command or the id of a companion, 32 for the
/// key of an account, 16 for the id of a phone's log.
///
/// # Errors
/// `NO_RANDOMNESS`: the operating system has none to give.
#[uniffi::export]
pub fn random_bytes(len: u16) -> Result<Vec<u8>, Refusal> {
    let mut bytes = vec![0; len.into()];
    generator()?.fill_bytes(&mut bytes);
    Ok(bytes)
}

/// Returns the keys of the peer of a stored link. Store them for good, also when the link is gone: no later link may use
/// them, or the relay would see that the two belong together. [`Machine::show_code`] and [`Machine::scan_code`] take them.
///
/// # Errors
/// The rows are no link of this role.
#[uniffi::export]
pub fn peer_keys(rows: Vec<LinkRow>, is_phone: bool) -> Result<Vec<Vec<u8>>, Refusal> {
    let role = if is_phone { DeviceRole::Phone } else { DeviceRole::Web };
    let keys = keys_of_peer(role, &commit::link_rows(rows)).map_err(refused)?;
    Ok(keys.into_iter().map(|key| key.to_vec()).collect())
}

/// Returns the media type that a file's first bytes indicate.
#[uniffi::export]
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "a slice would be another type than other bytes in Kotlin")]
pub fn media_type(head: Vec<u8>) -> String {
    handfast::media_type::media_type(&head).to_owned()
}

fn generator() -> Result<SystemRng, Refusal> {
    os_rng().map_err(|error| Refusal::new("NO_RANDOMNESS", error))
}

fn collection(name: &[u8]) -> Result<Collection, Refusal> {
    Collection::new(name).ok_or_else(|| Refusal::argument("the name of a collection has 1 to 32 bytes"))
}

/// Converts bytes of another language into an array; `what` names it in the refusal of any other length.
fn array<const N: usize>(bytes: &[u8], what: &str) -> Result<[u8; N], Refusal> {
    bytes.try_into().map_err(|_| Refusal::argument(format_args!("{what} has {N} bytes")))
}
