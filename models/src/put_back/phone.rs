//! The phone: what it has run, and what it knows of it.

use super::bounds::{Fault, PutBack};
use super::lanes::Lanes;
use super::sent::{Command, Known, Outcome};

/// What is on the phone's disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Phone {
    pub(super) psk: u8,
    pub(super) candidate: Option<u8>,
    pub(super) lanes: Lanes<Outcome>,
    /// Commands that it has run: number and key.
    commands: Vec<(u8, u8)>,
    known: Known,
    floor: u8,
    /// The effects, a bit for each key, and whether one is there twice.
    pub(super) ran: u8,
    pub(super) twice: bool,
}

impl Phone {
    pub(super) const fn new() -> Self {
        Self {
            psk: 0,
            candidate: None,
            lanes: Lanes::new(2, 1),
            commands: Vec::new(),
            known: Known { highest: 0, key: 0, from: 1 },
            floor: 0,
            ran: 0,
            twice: false,
        }
    }

    /// What it tells with its block.
    pub(super) fn known(&self, model: &PutBack) -> Known {
        let mut known = self.known;
        let over = self.commands.len().saturating_sub(usize::from(model.kept));
        if model.rules.from_holds
            && let Some((number, _)) = self.commands.iter().take(over).next_back()
        {
            known.from = known.from.max(number + 1);
        }
        known
    }

    fn raise(&mut self, model: &PutBack, floor: u8) {
        if floor <= self.floor {
            return;
        }
        self.floor = floor;
        let below = self.commands.iter().filter(|(number, _)| *number < floor).count();
        for (number, _) in self.commands.drain(..below.saturating_sub(usize::from(model.kept))) {
            self.known.from = self.known.from.max(number + 1);
        }
    }

    /// A command comes: effect, result and answer in one transaction.
    pub(super) fn take(&mut self, model: &PutBack, command: Command) -> Result<(), Fault> {
        let Command { number, floor, key } = command;
        if number < floor || number - floor >= model.open {
            return Err(Fault::CommandFloor);
        }
        self.raise(model, floor);
        let same = |entry: &(u8, u8)| if model.rules.key { entry.1 == key } else { entry.0 == number };
        let at = self.commands.iter().position(same);
        let open = self.commands.iter().filter(|(number, _)| *number >= self.floor).count();
        match at {
            None if number < self.floor => return Err(Fault::CommandFloor),
            None if open >= usize::from(model.open) => return Err(Fault::Limit),
            _ => {}
        }
        if number > self.known.highest {
            (self.known.highest, self.known.key) = (number, key);
        }
        let of = if let Some(entry) = at.and_then(|at| self.commands.get_mut(at)) {
            entry.0 = entry.0.max(number);
            entry.1
        } else {
            self.commands.push((number, key));
            self.twice |= self.ran & (1 << key) != 0;
            self.ran |= 1 << key;
            key
        };
        self.commands.sort_unstable();
        self.lanes.durable += 1;
        self.lanes.push(Outcome { number, key: of });
        Ok(())
    }
}
