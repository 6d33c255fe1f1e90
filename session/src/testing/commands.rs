//! The rules about commands alone, without a session around them, for test vectors.

use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{CommandKey, Epoch};
use handfast_codec::payload::CommandsKnown;

use crate::commands::Repeat;
use crate::commands::phone::{Arrived, CommandsRun, Kept};
use crate::commands::web::{Judged, OwnCommands};
use crate::counters::Counters;

fn counters() -> Counters {
    Counters::new(Epoch::from_bytes([0; 16]), Epoch::from_bytes([0; 16]), 0)
}

/// The commands that a phone has run for one companion.
#[derive(Debug)]
pub struct PhoneCommands {
    run: CommandsRun,
    counters: Counters,
}

impl Default for PhoneCommands {
    fn default() -> Self {
        Self { run: CommandsRun::default(), counters: counters() }
    }
}

impl PhoneCommands {
    /// Handles a command with its number, floor and key. Returns `None` if the command runs now, after which
    /// [`Self::answered`] must be called; else `Some` of the kept result, or `Some(None)` for `ALREADY_DONE`.
    ///
    /// # Errors
    /// The code with which the phone ends the session.
    pub fn arrived(
        &mut self,
        number: u64,
        floor: u64,
        key: CommandKey,
    ) -> Result<Option<Option<Bytes>>, ErrorCode> {
        let (arrived, _) = self.run.arrived(&mut self.counters, (number, floor, key));
        Ok(match arrived? {
            Arrived::Run => None,
            Arrived::Again(result) => Some(result),
        })
    }

    /// Records that a command was run and answered with `body`.
    pub fn answered(&mut self, number: u64, key: CommandKey, body: &Bytes, repeat: Repeat) {
        let _ = self.run.answered(key, number, Kept::of(body, repeat));
    }

    /// Returns the *commands known* block that message 2 would carry.
    #[must_use]
    pub fn known(&self) -> CommandsKnown {
        self.run.known(self.counters.known)
    }

    /// Returns the number of commands kept, and the total length of the kept results in bytes.
    #[must_use]
    pub fn kept(&self) -> (usize, usize) {
        self.run.size()
    }
}

/// The commands of one companion.
#[derive(Debug, Default)]
pub struct WebCommands {
    own: OwnCommands,
}

impl WebCommands {
    /// Records that a command was sent.
    pub fn sent(&mut self, number: u64, key: CommandKey) {
        let _ = self.own.sent(number, key, number);
    }

    /// Records that the result of a command arrived.
    pub fn settled(&mut self, key: &CommandKey) {
        let _ = self.own.settle(key);
    }

    /// Judges the *commands known* block of a phone, when `next` is the number that the next command would
    /// get. Returns `None` if the companion was not put back to an earlier state, or else its waiting
    /// commands with their new numbers.
    ///
    /// # Errors
    /// `COMMANDS_FORGOTTEN` if a waiting command may already have run.
    pub fn meet(
        &mut self,
        next: u64,
        known: &CommandsKnown,
    ) -> Result<Option<Vec<(u64, CommandKey)>>, ErrorCode> {
        match self.own.judge(next, known) {
            Judged::InSync => Ok(None),
            Judged::Forgotten => Err(ErrorCode::COMMANDS_FORGOTTEN),
            Judged::PutBack => {
                let (waiting, _) = self.own.renumber(known.highest.saturating_add(1));
                Ok(Some(waiting.into_iter().map(|(number, command)| (number, command.key)).collect()))
            }
        }
    }
}
