//! Tests of an application: a phone, a companion, a relay, a clock and faults, in one thread and from a seed.
//!
//! A [`Pair`] runs the real machines and the real stores of both sides. In place of sockets it has connections
//! in memory, and in place of the clock a virtual one, so that a test of an hour takes a moment. Nothing waits
//! for real time, and the same seed leads to the same run. [`check`] runs a story under many seeded plans of
//! [`Fault`]s, and says which seed has failed.
//!
//! ```
//! use bytes::Bytes;
//! use handfast::codec::frame::{Collection, Row, RowId};
//! use handfast::codec::ids::{CommandKey, MailboxId};
//! use handfast::tether::{CompanionApp, PhoneApp, PhoneTxn, TetherError, Txn};
//! use handfast::testing::{Fault, TestError, TetherPair, check};
//! use handfast::DeviceRole;
//!
//! fn list() -> Collection {
//!     Collection::new(b"list").expect("a short name")
//! }
//!
//! /// The application on the phone: each command is one more row.
//! struct List;
//!
//! impl PhoneApp for List {
//!     type Event = ();
//!
//!     fn command(&mut self, txn: &mut PhoneTxn<'_, ()>, _: MailboxId, item: &Bytes) -> Result<Bytes, TetherError> {
//!         let id = RowId::from_number(txn.newest()? + 1);
//!         txn.put(&list(), id, item.clone())?;
//!         Ok("added".into())
//!     }
//! }
//!
//! /// The application on the companion: it reports each answer.
//! struct View;
//!
//! impl CompanionApp for View {
//!     type Event = Option<Bytes>;
//!
//!     fn row(&mut self, _: &mut Txn<'_, Self::Event>, _: &Collection, _: &Row) -> Result<(), TetherError> {
//!         Ok(())
//!     }
//!     fn gone(&mut self, _: &mut Txn<'_, Self::Event>, _: &Collection, _: &RowId) -> Result<(), TetherError> {
//!         Ok(())
//!     }
//!     fn result(&mut self, txn: &mut Txn<'_, Self::Event>, _: CommandKey, answer: Option<&Bytes>) -> Result<(), TetherError> {
//!         txn.event(answer.cloned());
//!         Ok(())
//!     }
//! }
//!
//! fn linked(seed: u64) -> Result<TetherPair<List, View>, TestError> {
//!     TetherPair::linked(seed, |_| List, |_| View, vec![list()])
//! }
//!
//! // One story, step by step.
//! let mut pair = linked(1)?;
//! pair.inject(Fault::KillAfterCommit(DeviceRole::Phone));
//! pair.send("milk")?;
//! pair.run_until_idle()?;
//! assert_eq!(pair.phone_rows(&list())?.len(), 1);
//! pair.check_rows()?;
//!
//! // The same under faults of all kinds.
//! check(
//!     0..5,
//!     linked,
//!     |pair| ["milk", "bread", "salt"].iter().try_for_each(|item| pair.send(*item).map(drop)),
//!     |pair| {
//!         let rows = pair.phone_rows(&list())?;
//!         assert!(rows.iter().map(|row| &row.body[..]).eq([&b"milk"[..], b"bread", b"salt"]));
//!         pair.check_rows()
//!     },
//! );
//! # Ok::<(), TestError>(())
//! ```
//!
//! # What is found
//!
//! The protocol promises that a command runs exactly once *inside the transaction*. What an application does
//! beside it (a file, another database, a value in memory, a call of a server) may be done twice, or not at
//! all: a process that is killed before or after a commit shows it. So does an application that cannot be
//! started again, that stops making progress, or that fails each time.
//!
//! # Limits
//!
//! - A process that is killed is dropped: destructors of the application run, which a real kill does not allow.
//!   What it wrote to files stays, as after `kill -9`; a loss of power is not imitated.
//! - The clock of the wall is real. A tether reads it for the age of a link that was not confirmed.
//! - A [`Pair`] has one companion. An application of [`crate::host`] that is no tether can be tested, too: see
//!   [`Pair::new`].
//! - The relay has no limits and checks no signature: those of a real one are tested elsewhere.
//!
//! # The feature
//!
//! All this is behind the feature `testing`, which belongs among the dev-dependencies:
//!
//! ```toml
//! [dev-dependencies]
//! handfast = { version = "0.1", features = ["sqlite", "testing"] }
//! ```
//!
//! A release build with it fails, so that no program is shipped with it by accident. For tests that are
//! optimised, say that the build is for tests: `HANDFAST_TEST_BUILD=1 cargo test --release`.
//!
//! May touch: temporary directories, in `/dev/shm` where there is one.

mod device;
mod net;
mod pair;
mod relay;
#[cfg(feature = "sqlite")]
mod tethers;

use std::fmt::Display;
use std::ops::Range;
use std::time::Duration;

use handfast_codec::DeviceRole;

use crate::host::Application;
pub use device::Device;
pub use pair::Pair;
#[cfg(feature = "sqlite")]
pub use tethers::TetherPair;

handfast_codec::test_builds_only!("testing");

/// The environment variable with the one seed that [`check`] runs in place of its own.
pub const SEED_VARIABLE: &str = "HANDFAST_SEED";

/// For how long nothing must have been stored before a pair is idle. It is longer than a connection that was
/// lost takes to come back.
const QUIET: Duration = Duration::from_mins(3);
/// The longest time until a pair is idle.
const IDLE_MAX: Duration = Duration::from_mins(30);
/// The largest number of steps until a pair is idle.
const STEPS_MAX: u32 = 1_000_000;
/// The largest number of faults in a plan of [`check`].
const FAULTS_MAX: u64 = 6;

/// Something that goes wrong. What was broken is whole again some time later: a process starts within 10
/// seconds, the relay and the network are as before within 90.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The connections of this device are cut, with what is on its way. The relay notices it later.
    Cut(DeviceRole),
    /// The process is killed now.
    Kill(DeviceRole),
    /// The process is killed just before it makes its next transaction durable: the transaction is lost.
    KillBeforeCommit(DeviceRole),
    /// The process is killed just after its next transaction is durable: nobody was told of it.
    KillAfterCommit(DeviceRole),
    /// The next transaction fails, as on a full disk. The program pauses, and tries again.
    StoreFails(DeviceRole),
    /// Each frame takes up to four seconds.
    SlowNetwork,
    /// The relay ends. The one that is started later has forgotten everything.
    RelayRestart,
}

impl Fault {
    /// Returns one of all faults.
    fn nth(number: u64) -> Self {
        let role = if number.is_multiple_of(2) { DeviceRole::Phone } else { DeviceRole::Web };
        match number / 2 % 6 {
            0 => Self::Cut(role),
            1 => Self::Kill(role),
            2 => Self::KillBeforeCommit(role),
            3 => Self::KillAfterCommit(role),
            4 => Self::StoreFails(role),
            _ if role == DeviceRole::Phone => Self::SlowNetwork,
            _ => Self::RelayRestart,
        }
    }
}

/// What a test could not do, or has found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestError {
    /// The application does not start, ends itself, or makes no progress.
    #[error("the {device:?} ended: {reason}")]
    Ended {
        /// The device.
        device: DeviceRole,
        /// The reason.
        reason: String,
    },
    /// The application refused the call, for this reason.
    #[error("the call was refused: {0}")]
    Refused(String),
    /// The device was stopped.
    #[error("the {0:?} does not run: call `start`")]
    NotRunning(DeviceRole),
    /// The pair does not come to rest. The text says in which state both devices are.
    #[error("not idle after {IDLE_MAX:?} of virtual time or {STEPS_MAX} steps: {0}")]
    NotIdle(String),
    /// The two devices have different rows.
    #[error("the rows differ: {0}")]
    RowsDiffer(String),
    /// The temporary directory cannot be made.
    #[error("no temporary directory: {0}")]
    Dir(#[from] std::io::Error),
}

/// Runs a story under a plan of faults for each seed, and returns how many faults have happened.
///
/// For each seed, `open` starts a pair, a few faults are drawn, and `story` does what the users do. Then all
/// faults end, the pair comes to rest, and `verify` looks at what is there. To run one seed alone, set the
/// environment variable `HANDFAST_SEED`.
///
/// # Panics
///
/// If a function fails or panics, or the pair does not come to rest. The seed and its faults are printed to
/// standard error.
pub fn check<P, C, E>(
    seeds: Range<u64>,
    mut open: impl FnMut(u64) -> Result<Pair<P, C>, TestError>,
    mut story: impl FnMut(&mut Pair<P, C>) -> Result<(), E>,
    mut verify: impl FnMut(&mut Pair<P, C>) -> Result<(), E>,
) -> usize
where
    P: Application<Error: Display>,
    C: Application<Error: Display>,
    E: From<TestError> + Display,
{
    let mut happened: usize = 0;
    for seed in chosen(seeds) {
        let mut case = Case { seed, pair: None };
        let mut run = |case: &mut Case<P, C>| {
            let pair = case.pair.insert(open(seed)?);
            pair.draw_faults(FAULTS_MAX);
            story(pair)?;
            pair.run_until_idle()?;
            pair.heal()?;
            pair.run_until_idle()?;
            verify(pair)
        };
        if let Err(error) = run(&mut case) {
            let error: E = error;
            panic!("{error}");
        }
        happened = happened.saturating_add(case.pair.as_ref().map_or(0, |pair| pair.happened().len()));
    }
    happened
}

fn chosen(seeds: Range<u64>) -> Range<u64> {
    let Ok(seed) = std::env::var(SEED_VARIABLE) else { return seeds };
    let seed: u64 = seed.parse().unwrap_or_else(|_| panic!("{SEED_VARIABLE} is not a number: {seed:?}"));
    seed..seed.saturating_add(1)
}

/// A run, which says how to repeat it if it ends in a panic.
struct Case<P: Application, C: Application> {
    seed: u64,
    pair: Option<Pair<P, C>>,
}

impl<P: Application, C: Application> Drop for Case<P, C> {
    #[expect(clippy::print_stderr, reason = "for whoever reads the output of the test")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (seed, thread) = (self.seed, std::thread::current());
            eprintln!("seed {seed} failed; its faults:");
            for (at, fault) in self.pair.iter().flat_map(Pair::happened) {
                eprintln!("  {:>12.6} s  {fault:?}", Duration::from_micros(at.as_micros()).as_secs_f64());
            }
            eprintln!(
                "to repeat it: {SEED_VARIABLE}={seed} cargo test {}",
                thread.name().unwrap_or_default()
            );
        }
    }
}
