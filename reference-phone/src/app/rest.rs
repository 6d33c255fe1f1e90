//! What becomes of a round: it is told, or the store failed and the phone rests.

use handfast::ErrorCode;
use rand_core::CryptoRng;

use super::pairing::Attempt;
use super::{App, AppEvent, AppOutput, Now, ScanStep};
use crate::store::StoreError;

/// The phone cannot go on: end the process. Everything that was told is durable.
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
    /// When the store fails, nothing of the round is told but that: the phone rests without any connection, and loads
    /// what is stored when the rest is over. A full disk is waited for as long as it takes.
    ///
    /// # Errors
    ///
    /// [`SettleError`] when the process should end.
    pub fn settle(&mut self, now: Now, rng: &mut dyn CryptoRng) -> Result<Settled, SettleError> {
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
        Ok(Settled { outputs: self.out.drain(..).collect(), failure })
    }

    /// A transaction failed: nothing in memory is worth saving but what the network told.
    fn begin_rest(&mut self, now: Now, error: &StoreError) {
        // Where it cannot be rolled back now, it is before anything is loaded.
        let _ = self.store.roll_back();
        // What a commit of this round has made durable is told all the same.
        let untold = self.out.split_off(self.out_durable.min(self.out.len()));
        let is_end = |output: &AppOutput| matches!(output, AppOutput::Scan(ScanStep::Ended { .. }));
        let ended = untold.iter().any(is_end);
        self.outgoing.clear();
        self.changes.clear();
        self.unused.clear();
        for socket in std::mem::take(&mut self.sockets).into_keys() {
            self.out.push_back(AppOutput::Disconnect { socket });
        }
        self.links.clear();
        // The user waits for an attempt that ended in this round, too.
        let attempt = self.attempt.take();
        if attempt.is_some() || ended {
            let open = attempt.as_ref().and_then(Attempt::stored_offer);
            let done = if open.is_some() { "the scan was broken off" } else { "nothing was linked" };
            let message = format!("{done}: {error}");
            let code = ErrorCode::STORE_FAILED;
            self.out.push_back(AppOutput::Scan(ScanStep::Ended { code, message, open }));
        }
        let (reason, retry) = (error.to_string(), self.rest.begin(now.mono));
        self.out.push_back(AppOutput::Event(AppEvent::StoreFailed { reason, retry }));
    }

    /// The rest is over: everything is loaded again.
    pub(super) fn wake(&mut self, now: Now, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        self.store.roll_back()?;
        self.store.make_room();
        self.told_rev = self.store.rev();
        self.load_links(now, rng)?;
        for unfinished in self.store.unfinished()? {
            let message = self.outgoing_of(&unfinished.message)?;
            self.upstream.send(now.mono, message);
        }
        self.rest.end();
        Ok(())
    }
}
