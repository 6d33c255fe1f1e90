//! The web: its acts, what waits, and the keys of what is settled.

use super::bounds::PutBack;
use super::lanes::Lanes;
use super::sent::{Command, Known, Outcome};

/// What is on the web's disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Web {
    pub(super) psk: u8,
    pub(super) lanes: Lanes<Command>,
    /// The next number.
    pub(super) next: u8,
    /// Commands that wait for their results: number and key.
    pub(super) unsettled: Vec<(u8, u8)>,
    /// Own commands that are settled, of the last numbers.
    settled: Vec<(u8, u8)>,
    /// It was put back, and does not know whether its phone has heard so.
    pub(super) to_tell: bool,
    /// Its user is to be told that the phone was put back.
    pub(super) phone_back: bool,
    /// All its acts, those of a lost time that a phone knew when that was noticed, all that may have been done in a lost
    /// time, and those that are settled: a bit for each key. Not part of the protocol.
    pub(super) acted: u8,
    pub(super) heard: u8,
    pub(super) lost: u8,
    pub(super) done: u8,
}

impl Web {
    pub(super) const fn new() -> Self {
        Self {
            psk: 0,
            lanes: Lanes::new(1, 2),
            next: 1,
            unsettled: Vec::new(),
            settled: Vec::new(),
            to_tell: false,
            phone_back: false,
            acted: 0,
            heard: 0,
            lost: 0,
            done: 0,
        }
    }

    /// The user acts; none when too many wait.
    pub(super) fn act(&mut self, model: &PutBack, key: u8) -> Option<()> {
        let number = self.next;
        let floor = self.unsettled.first().map_or(number, |(number, _)| *number);
        (number - floor < model.open).then_some(())?;
        self.next += 1;
        self.unsettled.push((number, key));
        self.lanes.push(Command { number, floor, key });
        self.acted |= 1 << key;
        Some(())
    }

    /// A result came. Returns the key of the command that it settles.
    pub(super) fn settle(&mut self, model: &PutBack, outcome: Outcome) -> Option<u8> {
        let by_key = model.rules.key;
        let waits =
            |(number, key): &(u8, u8)| if by_key { *key == outcome.key } else { *number == outcome.number };
        let at = self.unsettled.iter().position(waits)?;
        let (number, key) = self.unsettled.remove(at);
        self.settled.push((number, key));
        self.settled.sort_unstable();
        let from = self.settled.last().map_or(0, |(last, _)| (last + 1).saturating_sub(model.kept));
        self.settled.retain(|(number, _)| *number >= from);
        self.done |= 1 << key;
        let acked = self.lanes.acked;
        self.lanes.outbox.retain(|(seq, command)| command.key != key || *seq > acked);
        Some(key)
    }

    /// The phone has everything up to `durable`.
    pub(super) fn drop_to(&mut self, durable: u8) {
        let unsettled = &self.unsettled;
        self.lanes.drop_to(durable, |command| unsettled.iter().any(|(_, key)| *key == command.key));
    }

    pub(super) fn reset(&mut self, model: &PutBack, (w2p, p2w): (u8, u8)) {
        if model.rules.settled_rows_go {
            let unsettled = &self.unsettled;
            self.lanes.outbox.retain(|(_, command)| unsettled.iter().any(|(_, key)| *key == command.key));
        }
        self.lanes.reset(w2p, p2w);
    }

    pub(super) fn was_put_back(&self, model: &PutBack, known: Known) -> bool {
        let rules = model.rules;
        let settled = self.settled.iter().filter(|_| rules.own_keys);
        let own = settled.chain(&self.unsettled).find(|(number, _)| *number == known.highest);
        (rules.by_next && self.next <= known.highest)
            || (rules.by_key && own.is_some_and(|(_, key)| *key != known.key))
    }

    pub(super) fn may_be_forgotten(&self, known: Known) -> bool {
        self.unsettled.first().is_some_and(|(floor, _)| *floor < known.from)
    }

    /// Renumbers what waits.
    pub(super) fn renumber(&mut self, model: &PutBack, highest: u8) {
        let first = highest + 1;
        self.next = first;
        for waiting in &mut self.unsettled {
            waiting.0 = self.next;
            self.next += 1;
            let rows = self.lanes.outbox.iter_mut().filter(|(_, command)| command.key == waiting.1);
            for (_, command) in rows {
                command.number = waiting.0;
                if model.rules.new_floor {
                    command.floor = first;
                }
            }
        }
    }
}
