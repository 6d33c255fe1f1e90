//! A test suite for stores: what every store of this protocol must guarantee, so that any can be checked.
//!
//! The machines of [`crate::session`] return commits; an application applies each inside a transaction of its
//! own store, together with the effect of the message that caused it. The suite checks that a store does this
//! correctly, for SQLite, memory, `IndexedDB` or anything else: implement [`StoreHarness`] and call
//! [`store_suite!`](crate::store_suite!), or await the functions of [`cases`] one by one where tests are
//! asynchronous. The suite uses no files, threads or clocks.
//!
//! The feature `store-suite` is for tests only, because it creates commits that no machine returned.

#[expect(clippy::missing_panics_doc, reason = "a case panics where the store is wrong: that is its answer")]
pub mod cases;
#[cfg(feature = "store-suite-files")]
pub mod files;
mod harness;
#[cfg(feature = "sqlite")]
mod interrupt;
mod memory;
mod model;

extern crate alloc;

pub use harness::{Fault, StoreHarness, Write, WriteError, block_on};
#[cfg(feature = "sqlite")]
pub use interrupt::interrupt;
pub use memory::{MemoryHarness, MemoryHolder};

/// Expands to one test for each case of the suite, for a harness whose methods never wait.
///
/// `store_suite! { @cases [path::of::a_macro] .. }` passes the names of all cases to the macro that it
/// names, after the tokens behind the brackets.
#[macro_export]
macro_rules! store_suite {
    (@cases [$($then:tt)*] $($with:tt)*) => {
        $($then)* ! { $($with)*
            a_new_store_holds_nothing
            a_commit_and_its_effect_are_there_together_after_a_start
            whatever_is_written_is_read_again
            ranges_are_half_open_and_stay_in_their_link
            a_holder_that_dies_within_a_transaction_leaves_nothing_of_it
            a_call_that_fails_leaves_the_store_as_it_was
            a_store_that_fails_from_a_call_on_is_as_it_was_when_it_works_again
            a_swap_is_lost_by_whoever_comes_second_and_the_loser_never_writes
            a_swap_that_is_lost_undoes_what_stands_before_it_in_the_transaction
            a_store_that_is_older_or_newer_than_its_machine_takes_nothing
            a_wiped_link_is_gone_and_stays_gone
            links_do_not_see_one_another
        }
    };
    ($harness:ty) => {
        $crate::store_suite! { @cases [$crate::store_suite] $harness: }
    };
    ($harness:ty: $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                $crate::store_suite::block_on($crate::store_suite::cases::$case::<$harness>());
            }
        )*
    };
}
