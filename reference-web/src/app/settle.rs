//! One round: everything that the inputs led to, stored in one transaction and then told.

use handfast::Timestamp;
use rand_core::CryptoRng;

use super::link::Told;
use super::{App, AppEvent, AppOutput, Leftover};
use crate::store::StoreError;

/// Rounds in a row that may fail before the program gives up.
const FAILURES_MAX: u32 = 3;

/// The companion cannot go on: end the process. Everything that was told is durable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettleError {
    /// The store fails again and again, or belongs to someone else now.
    #[error("{0}; nothing that was confirmed is lost")]
    Store(#[from] StoreError),
}

/// What a round led to.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "both parts matter to a driver")]
pub struct Settled {
    /// What the driver must do, in order.
    pub outputs: Vec<AppOutput>,
    /// Why nothing of this round was stored, if so: whoever asked for something must ask again.
    pub failure: Option<String>,
}

impl App {
    /// Stores what the inputs since the last call led to, and gives what must be done now.
    ///
    /// # Errors
    ///
    /// [`SettleError`] when the process should end.
    pub fn settle(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<Settled, SettleError> {
        self.stored = false;
        let failure = match self.round(now, rng) {
            Ok(()) => {
                self.failures = 0;
                None
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                self.store.roll_back()?;
                if matches!(error, StoreError::Conflict { .. }) || self.failures >= FAILURES_MAX {
                    return Err(error.into());
                }
                self.start_over(now, rng)?;
                // The first transaction holds what was asked for: if it is durable, so is that.
                (!self.stored).then(|| error.to_string())
            }
        };
        Ok(Settled { outputs: self.out.drain(..).collect(), failure })
    }

    /// A transaction failed: nothing in memory is worth saving.
    fn start_over(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        // What a commit of this round has made durable is told all the same.
        self.out.truncate(self.out_durable);
        self.leftovers.clear();
        for socket in std::mem::take(&mut self.sockets).into_keys() {
            self.out.push_back(AppOutput::Disconnect { socket });
        }
        self.codes.clear();
        self.load_link(now, rng)?;
        if self.next_code.is_some() {
            self.next_code = Some(now);
            self.rotate(now, rng);
        }
        Ok(())
    }

    /// What the transaction made useless is deleted: never before, since it may fail.
    fn drop_leftovers(&mut self) -> Result<(), StoreError> {
        for leftover in std::mem::take(&mut self.leftovers) {
            match leftover {
                // The same content may be on its way in another message.
                Leftover::List(content) if self.is_being_sent(content)? => {}
                Leftover::List(content) => self.store.media().drop_sent_list(content),
                Leftover::Part(content) => self.store.media().drop_part(content),
                Leftover::All => self.store.media().wipe()?,
            }
        }
        Ok(())
    }

    fn round(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        loop {
            // No transaction is open here.
            self.out_durable = self.out.len();
            let mut moved = self.pump_codes()?;
            moved |= self.pump_link(now)?;
            let revoked = self.link.as_ref().is_some_and(|link| link.told == Told::Revoked);
            if revoked {
                self.forget_link()?;
            }
            if self.store.is_dirty() {
                moved = true;
                handfast::kill_point!("web.before_commit");
                self.store.commit()?;
                self.stored = true;
                handfast::kill_point!("web.after_commit");
            }
            self.drop_leftovers()?;
            if revoked {
                self.event(AppEvent::Revoked);
            }
            self.report_codes(now);
            if let Some(link) = &mut self.link {
                for commit in link.applied.drain(..) {
                    // Reported once each and in order: it cannot be refused.
                    let _ = link.endpoint.committed(now, commit);
                }
            }
            self.end_codes(now, rng)?;
            self.export_done()?;
            if !moved {
                return Ok(());
            }
        }
    }
}
