//! What each side keeps of commands, without the session around it; the envelopes of commands and results.

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
    /// A command comes, with its number, floor and key. Returns what it is answered with, the result or that it was run;
    /// nothing if it is run now, and then [`Self::answered`] follows.
    ///
    /// # Errors
    /// The code that the phone ends the session with.
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

    /// A command was run and answered.
    pub fn answered(&mut self, number: u64, key: CommandKey, body: &Bytes, repeat: Repeat) {
        let _ = self.run.answered(key, number, Kept::of(body, repeat));
    }

    /// What the companion is told with the resume block.
    #[must_use]
    pub fn known(&self) -> CommandsKnown {
        self.run.known(self.counters.known)
    }

    /// How many commands are kept, and the bytes of their results.
    #[must_use]
    pub fn kept(&self) -> (usize, usize) {
        self.run.size()
    }
}

/// The commands of a web.
#[derive(Debug, Default)]
pub struct WebCommands {
    own: OwnCommands,
}

impl WebCommands {
    /// A command was sent.
    pub fn sent(&mut self, number: u64, key: CommandKey) {
        let _ = self.own.sent(number, key, number);
    }

    /// Its result came.
    pub fn settled(&mut self, key: &CommandKey) {
        let _ = self.own.settle(key);
    }

    /// What the web makes of the commands that the phone knows, when `next` is the next number that it would give:
    /// nothing if it was not put back, or else what waits by its new numbers.
    ///
    /// # Errors
    /// `COMMANDS_FORGOTTEN`, if something that waits may have run.
    pub fn meet(
        &mut self,
        next: u64,
        known: &CommandsKnown,
    ) -> Result<Option<Vec<(u64, CommandKey)>>, ErrorCode> {
        match self.own.judge(next, known) {
            Judged::InStep => Ok(None),
            Judged::Forgotten => Err(ErrorCode::COMMANDS_FORGOTTEN),
            Judged::PutBack => {
                let (waiting, _) = self.own.renumber(known.highest.saturating_add(1));
                Ok(Some(waiting.into_iter().map(|(number, command)| (number, command.key)).collect()))
            }
        }
    }
}
