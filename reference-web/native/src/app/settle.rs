//! One round: everything that the inputs led to, stored in one transaction and then told.

use handfast::{ErrorCode, Timestamp};
use rand_core::CryptoRng;

use super::{App, AppEvent, AppOutput, Leftover};
use crate::store::StoreError;

/// The companion cannot go on: end the process. Everything that was told is durable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettleError {
    /// The store belongs to someone else now, or is damaged: see [`StoreError::is_final`].
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
    /// When the store fails, nothing of the round is told but that: the companion rests without any connection or code,
    /// and loads what is stored when the rest is over. A full disk is waited for as long as it takes.
    ///
    /// # Errors
    ///
    /// [`SettleError`] when the process should end.
    pub fn settle(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<Settled, SettleError> {
        (self.stored, self.out_durable) = (false, 0);
        let failure = match self.round(now, rng) {
            Ok(()) => None,
            Err(error) if error.is_final() => return Err(error.into()),
            Err(error) => {
                self.begin_rest(now, &error);
                // The first transaction holds what was asked for: if it is durable, so is that.
                (!self.stored).then(|| error.to_string())
            }
        };
        let outputs: Vec<_> = self.out.drain(..).collect();
        for output in &outputs {
            if let AppOutput::Event(AppEvent::Linked { companion, .. }) = output {
                self.known_linked = Some(*companion);
            }
        }
        Ok(Settled { outputs, failure })
    }

    /// A transaction failed: nothing in memory is worth saving.
    fn begin_rest(&mut self, now: Timestamp, error: &StoreError) {
        // Where it cannot be rolled back now, it is before anything is loaded.
        let _ = self.store.roll_back();
        // What a commit of this round has made durable is told all the same.
        self.out.truncate(self.out_durable);
        self.leftovers.clear();
        for socket in std::mem::take(&mut self.sockets).into_keys() {
            self.out.push_back(AppOutput::Disconnect { socket });
        }
        self.codes.clear();
        // An attempt that is lost so is one that ended: its user asks for the next code.
        let asks = self.next_code.is_some() && self.shown_codes.is_answered();
        if asks {
            self.next_code = None;
        }
        self.rests_linked |= self.link.take().is_some();
        let retry = self.rest.begin(now);
        self.event(AppEvent::StoreFailed { reason: error.to_string(), retry });
        if asks {
            self.event(AppEvent::CodeBurnt { code: ErrorCode::STORE_FAILED, asks });
        }
    }

    /// The rest is over: everything is loaded again.
    fn wake(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        self.store.roll_back()?;
        self.store.make_room();
        self.load_link(now, rng)?;
        self.rest.end();
        // Copies that were asked for in vain are asked for again.
        self.exporting.clear();
        if std::mem::take(&mut self.rests_linked) && self.link.is_none() {
            // Another program on the same directory was told so.
            self.event(AppEvent::Revoked);
        }
        if self.next_code.is_some() {
            self.next_code = Some(now);
            self.rotate(now, rng);
        }
        Ok(())
    }

    /// What the transaction made useless is deleted: never before, since it may fail.
    fn drop_leftovers(&mut self) -> Result<(), StoreError> {
        // req: MSG-070
        for leftover in std::mem::take(&mut self.leftovers) {
            match leftover {
                // The same content may be on its way in another message.
                Leftover::List(content) if self.is_being_sent(content)? => {}
                Leftover::List(content) => self.store.media().drop_sent_list(content),
                Leftover::Part(content) => self.store.media().drop_part(content),
                Leftover::Content(content) if self.store.needs_content(content)? => {}
                Leftover::Content(content) => self.store.media().remove(content),
                Leftover::All => self.store.media().wipe()?,
            }
        }
        Ok(())
    }

    fn round(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        if std::mem::take(&mut self.spoiled) {
            return Err(StoreError::Incomplete);
        }
        if self.rest.is_due(now) {
            self.wake(now, rng)?;
        }
        loop {
            // No transaction is open here.
            self.out_durable = self.out.len();
            let mut moved = self.pump_codes()?;
            moved |= self.pump_link(now, rng)?;
            let gone = self.link.as_ref().and_then(|link| link.told.end());
            if gone.is_some() {
                self.forget_link()?;
            }
            if self.store.is_dirty() {
                moved = true;
                handfast_programs::kill_point!("web.before_commit");
                self.store.commit()?;
                self.stored = true;
                handfast_programs::kill_point!("web.after_commit");
                self.rest.stored();
            }
            self.drop_leftovers()?;
            if let Some(end) = gone {
                self.event(end);
            }
            self.report_codes(now);
            if let Some(link) = &mut self.link {
                for commit in link.applied.drain(..) {
                    // Reported once each and in order: it cannot be refused.
                    let _ = link.endpoint.committed(now, commit);
                }
            }
            self.end_codes(now, rng)?;
            self.start_exports()?;
            if !moved {
                return Ok(());
            }
        }
    }
}
