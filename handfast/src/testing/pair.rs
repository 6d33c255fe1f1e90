//! A phone and a companion at one relay, in one thread, under one virtual clock.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::path::Path;
use std::time::Duration;

use chacha20::ChaCha8Rng;
use handfast_codec::{DeviceRole, RelayName, Timestamp};
use rand_core::{CryptoRng, Rng as _, SeedableRng as _};
use tempfile::TempDir;

use super::device::{AnyDevice, Device, State};
use super::net::Net;
use super::{Fault, IDLE_MAX, QUIET, STEPS_MAX, TestError};
use crate::host::Application;
use crate::host::faults::CommitFault;

/// The relay's name.
const RELAY: &str = "127.0.0.1:8787";
/// When a run begins.
const START: Timestamp = Timestamp::from_micros(1_000_000);
/// The longest time that a process which was killed is away.
const AWAY_MAX: Duration = Duration::from_secs(10);
/// The longest time that the relay is away, or the network slow.
const TROUBLE_MAX: Duration = Duration::from_secs(90);
/// Over how many frames the faults of [`Pair::draw_faults`] are spread.
const SPREAD: u64 = 150;

/// What ends by itself, some time after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mend {
    Start(DeviceRole),
    Network,
}

/// A phone, a companion, the relay between them, and their clock. `P` and `C` are the applications of the two;
/// a pair of tethers is a [`super::TetherPair`].
///
/// Time is virtual: it passes only in [`Pair::run_until_idle`], [`Pair::advance`] and calls that wait, and
/// then as fast as the machine can compute. Everything that happens follows from the seed, as long as the
/// applications draw no randomness and read no clock of their own. The directories of the devices are removed
/// with the pair.
pub struct Pair<P: Application, C: Application> {
    /// The phone.
    pub phone: Device<P>,
    /// The companion.
    pub companion: Device<C>,
    net: Net,
    now: Timestamp,
    /// The faults to come, by the number of frames that have arrived before.
    plan: BTreeMap<(u64, usize), Fault>,
    mends: Vec<(Timestamp, Mend)>,
    /// When something last was stored, failed, or was mended.
    active: Timestamp,
    happened: Vec<(Timestamp, Fault)>,
    _dir: TempDir,
}

impl<P: Application, C: Application> fmt::Debug for Pair<P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair")
            .field("phone", &self.phone)
            .field("companion", &self.companion)
            .finish_non_exhaustive()
    }
}

impl<P: Application, C: Application> Pair<P, C> {
    /// Returns the virtual time.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns the name of the relay, for a pairing.
    #[must_use]
    pub const fn relay(&self) -> &RelayName {
        self.net.relay()
    }

    /// Returns the faults that have happened, with the time of each.
    #[must_use]
    pub fn happened(&self) -> &[(Timestamp, Fault)] {
        &self.happened
    }
}

/// Creates a directory, in memory where the system has a place for that: a run makes many commits.
fn temp_dir() -> std::io::Result<TempDir> {
    TempDir::with_prefix_in("handfast-", "/dev/shm").or_else(|_| TempDir::with_prefix("handfast-"))
}

impl<P: Application<Error: Display>, C: Application<Error: Display>> Pair<P, C> {
    /// Starts two applications that are not linked yet. Each closure starts one in its directory, as the
    /// program's `main` does; it is called again after each kill.
    ///
    /// # Errors
    ///
    /// [`TestError::Dir`], or [`TestError::Ended`] if an application does not start.
    pub fn new(
        seed: u64,
        phone: impl FnMut(&Path, Timestamp, &mut dyn CryptoRng) -> Result<P, P::Error> + 'static,
        companion: impl FnMut(&Path, Timestamp, &mut dyn CryptoRng) -> Result<C, C::Error> + 'static,
    ) -> Result<Self, TestError> {
        let dir = temp_dir()?;
        let dirs = ["phone", "companion"].map(|name| dir.path().join(name));
        dirs.iter().try_for_each(std::fs::create_dir)?;
        let [phone_dir, companion_dir] = dirs;
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let [of_phone, of_companion] = [0, 1].map(|_| chance.next_u64());
        let relay = RelayName::parse(RELAY).map_err(|error| TestError::Refused(error.to_string()))?;
        let mut pair = Self {
            phone: Device::new(DeviceRole::Phone, phone_dir, of_phone, Box::new(phone)),
            companion: Device::new(DeviceRole::Web, companion_dir, of_companion, Box::new(companion)),
            net: Net::new(relay, chance),
            now: START,
            plan: BTreeMap::new(),
            mends: Vec::new(),
            active: START,
            happened: Vec::new(),
            _dir: dir,
        };
        pair.heal()?;
        Ok(pair)
    }

    /// Makes a call of the phone's application, and a round. What the call wrote is durable when this returns;
    /// if its process was killed or its store failed before, the call is made again when it is back.
    ///
    /// # Errors
    ///
    /// [`TestError::Refused`] with the error of `call`; [`TestError::NotRunning`] if the phone was stopped;
    /// the errors of [`Pair::run_until_idle`].
    pub fn call_phone<T>(
        &mut self,
        mut call: impl FnMut(&mut P, Timestamp, &mut dyn CryptoRng) -> Result<T, P::Error>,
    ) -> Result<T, TestError> {
        self.call(DeviceRole::Phone, |pair| pair.phone.call(pair.now, &mut call))
    }

    /// Makes a call of the companion's application, as [`Pair::call_phone`].
    ///
    /// # Errors
    ///
    /// As [`Pair::call_phone`].
    pub fn call_companion<T>(
        &mut self,
        mut call: impl FnMut(&mut C, Timestamp, &mut dyn CryptoRng) -> Result<T, C::Error>,
    ) -> Result<T, TestError> {
        self.call(DeviceRole::Web, |pair| pair.companion.call(pair.now, &mut call))
    }

    fn call<T>(
        &mut self,
        role: DeviceRole,
        mut call: impl FnMut(&mut Self) -> Result<T, TestError>,
    ) -> Result<T, TestError> {
        loop {
            self.run_until(|pair| match pair.device(role).state() {
                State::Running { .. } => Some(Ok(())),
                State::Stopped if pair.mends.iter().all(|(_, mend)| *mend != Mend::Start(role)) => {
                    Some(Err(TestError::NotRunning(role)))
                }
                _ => None,
            })??;
            let value = call(self)?;
            if self.settle(role)? {
                return Ok(value);
            }
        }
    }

    /// Starts the process of a device, if it does not run.
    ///
    /// # Errors
    ///
    /// [`TestError::Ended`] if it does not start.
    pub fn start(&mut self, role: DeviceRole) -> Result<(), TestError> {
        self.active = self.now;
        let now = self.now;
        self.device(role).start(now)
    }

    /// Ends the process of a device at once, until [`Pair::start`].
    pub fn stop(&mut self, role: DeviceRole) {
        self.mends.retain(|(_, mend)| *mend != Mend::Start(role));
        self.device(role).kill();
        self.net.cut(self.now, role, false);
    }

    /// Lets a fault happen now, or at the next commit of its device.
    pub fn inject(&mut self, fault: Fault) {
        let now = self.now;
        match fault {
            Fault::KillBeforeCommit(role) => *self.device(role).armed() = Some(CommitFault::KillBefore),
            Fault::KillAfterCommit(role) => *self.device(role).armed() = Some(CommitFault::KillAfter),
            Fault::StoreFails(role) => *self.device(role).armed() = Some(CommitFault::Fail),
            // Who is stopped stays so.
            Fault::Kill(role) if self.device(role).state() == State::Stopped => {}
            Fault::Kill(role) => {
                self.killed(role);
                self.note(fault);
            }
            Fault::Cut(role) => {
                self.net.cut(now, role, true);
                self.note(fault);
            }
            Fault::SlowNetwork | Fault::RelayRestart => {
                if fault == Fault::SlowNetwork {
                    self.net.is_slow = true;
                } else {
                    self.net.end_relay(now);
                }
                let at = now.plus(self.net.time(TROUBLE_MAX));
                self.mends.push((at, Mend::Network));
                self.note(fault);
            }
        }
    }

    /// Lets a fault happen when `frames` more frames have arrived.
    pub fn inject_after(&mut self, frames: u64, fault: Fault) {
        let _ = self.plan.insert((self.net.frames.saturating_add(frames), self.plan.len()), fault);
    }

    /// Draws 1 to `max` faults of all kinds, which will happen among the next frames.
    pub fn draw_faults(&mut self, max: u64) {
        for _ in 0..=self.net.chance.next_u64().checked_rem(max).unwrap_or(0) {
            let [after, kind] = [0, 1].map(|_| self.net.chance.next_u64());
            self.inject_after(after % SPREAD, Fault::nth(kind));
        }
    }

    /// Ends all faults: those to come are forgotten, processes start, the relay is there, the network fast.
    ///
    /// # Errors
    ///
    /// [`TestError::Ended`] if a process does not start.
    pub fn heal(&mut self) -> Result<(), TestError> {
        self.plan.clear();
        self.mends.clear();
        (self.net.is_down, self.net.is_slow) = (false, false);
        for role in [DeviceRole::Phone, DeviceRole::Web] {
            *self.device(role).armed() = None;
            self.start(role)?;
        }
        Ok(())
    }

    /// Runs both devices until nothing has been stored for three minutes and no message waits for a device
    /// that runs. Processes that were killed start again meanwhile.
    ///
    /// # Errors
    ///
    /// [`TestError::NotIdle`] after 30 minutes of virtual time or a million steps; [`TestError::Ended`] if an
    /// application ends itself or does not start.
    pub fn run_until_idle(&mut self) -> Result<(), TestError> {
        self.active = self.now;
        self.run_until(|pair| {
            let states = [pair.phone.state(), pair.companion.state()];
            let is_settled = states.iter().all(|state| *state == State::Running { waiting: 0 });
            let is_quiet = pair.now.since(pair.active) >= QUIET;
            (is_quiet && (is_settled || states.contains(&State::Stopped))).then_some(())
        })
    }

    /// Lets time pass, and everything happen that is due in it.
    ///
    /// # Errors
    ///
    /// As [`Pair::run_until_idle`].
    pub fn advance(&mut self, time: Duration) -> Result<(), TestError> {
        let end = self.now.plus(time);
        for _ in 0..STEPS_MAX {
            if !self.step(end)? {
                return Ok(());
            }
        }
        Err(self.not_idle())
    }

    /// Runs both devices until `found` returns something.
    ///
    /// # Errors
    ///
    /// As [`Pair::run_until_idle`].
    pub fn run_until<T>(&mut self, mut found: impl FnMut(&mut Self) -> Option<T>) -> Result<T, TestError> {
        let end = self.now.plus(IDLE_MAX);
        for _ in 0..STEPS_MAX {
            if let Some(found) = found(self) {
                return Ok(found);
            }
            if !self.step(end)? {
                break;
            }
        }
        Err(self.not_idle())
    }

    fn not_idle(&mut self) -> TestError {
        TestError::NotIdle(format!("{}; {}", self.phone.describe(), self.companion.describe()))
    }

    /// Lets one thing happen, at `end` at the latest. Returns false when nothing happens before.
    fn step(&mut self, end: Timestamp) -> Result<bool, TestError> {
        let now = self.now;
        let (phone, companion) = (self.phone.deadline(now), self.companion.deadline(now));
        let mend = self.mends.iter().map(|(at, _)| *at).min();
        let next = [phone, companion, mend, self.net.deadline()].into_iter().flatten().min();
        let Some(next) = next.filter(|next| *next <= end) else {
            self.now = end.max(now);
            return Ok(false);
        };
        self.now = next.max(now);
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= next);
        if is_due(mend) {
            self.mend()?;
        } else if is_due(phone) {
            let _ = self.settle(DeviceRole::Phone)?;
        } else if is_due(companion) {
            let _ = self.settle(DeviceRole::Web)?;
        } else {
            let now = self.now;
            if let Some((role, tag, input)) = self.net.step(now) {
                self.device(role).handle(now, tag, input);
            }
            while let Some(due) = self.plan.first_entry().filter(|due| due.key().0 <= self.net.frames) {
                let fault = due.remove();
                self.inject(fault);
            }
        }
        Ok(true)
    }

    fn mend(&mut self) -> Result<(), TestError> {
        let now = self.now;
        self.active = now;
        for (_, mend) in self.mends.extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>() {
            match mend {
                Mend::Start(role) => self.start(role)?,
                Mend::Network => (self.net.is_down, self.net.is_slow) = (false, false),
            }
        }
        Ok(())
    }

    /// Runs a round of a device. Returns whether what its user asked for was kept.
    fn settle(&mut self, role: DeviceRole) -> Result<bool, TestError> {
        let (now, armed) = (self.now, *self.device(role).armed());
        let round = self.device(role).round(now)?;
        if round.has_moved {
            self.active = now;
        }
        if round.is_killed {
            self.killed(role);
        }
        if let (Some(fault), None) = (armed, *self.device(role).armed()) {
            self.note(match fault {
                CommitFault::KillBefore => Fault::KillBeforeCommit(role),
                CommitFault::KillAfter => Fault::KillAfterCommit(role),
                CommitFault::Fail => Fault::StoreFails(role),
            });
        }
        for output in round.outputs {
            self.net.carry(now, role, output);
        }
        Ok(round.is_kept)
    }

    /// A process was killed: its connections break, and something starts it again.
    fn killed(&mut self, role: DeviceRole) {
        self.stop(role);
        let at = self.now.plus(self.net.time(AWAY_MAX));
        self.mends.push((at, Mend::Start(role)));
    }

    fn note(&mut self, fault: Fault) {
        self.active = self.now;
        self.happened.push((self.now, fault));
    }

    fn device(&mut self, role: DeviceRole) -> &mut dyn AnyDevice {
        match role {
            DeviceRole::Phone => &mut self.phone,
            DeviceRole::Web => &mut self.companion,
        }
    }
}
