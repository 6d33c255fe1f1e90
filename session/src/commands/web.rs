//! The companion's own commands: those that wait for a result, and the keys of the last 4,096 that have their
//! result.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use handfast_codec::ids::CommandKey;
use handfast_codec::limits::COMMANDS_KEPT_MAX;
use handfast_codec::payload::CommandsKnown;

use crate::commit::Op;
use crate::keys;

/// A command whose result is not stored yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsettled {
    pub(crate) key: CommandKey,
    /// The index of the command's outbox row; a store of an earlier build may have none.
    pub(crate) index: Option<u64>,
}

/// The verdict on whether this companion was put back to an earlier state (restored backup, copied profile).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// The companion was not put back to an earlier state.
    InSync,
    /// The companion was put back to an earlier state; its waiting commands get numbers above those that the
    /// phone knows.
    PutBack,
    /// The companion was put back to an earlier state, and one of its waiting commands may already have run:
    /// only linking again is safe.
    Forgotten,
}

/// The commands of this companion, by number.
#[derive(Debug, Default)]
pub(crate) struct OwnCommands {
    unsettled: BTreeMap<u64, Unsettled>,
    by_key: BTreeMap<CommandKey, u64>,
    /// By number, the keys of those of the last 4,096 commands whose result has come.
    settled: BTreeMap<u64, CommandKey>,
}

impl OwnCommands {
    /// Creates the state from stored rows.
    pub(crate) fn new(unsettled: BTreeMap<u64, Unsettled>, settled: BTreeMap<u64, CommandKey>) -> Self {
        let by_key = unsettled.iter().map(|(number, command)| (command.key, *number)).collect();
        Self { unsettled, by_key, settled }
    }

    /// Returns the lowest number of a command that has no result yet, if there is one.
    pub(crate) fn floor(&self) -> Option<u64> {
        self.unsettled.keys().next().copied()
    }

    /// Returns the keys of the commands that wait for a result, in the order in which they were sent.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = CommandKey> {
        self.unsettled.values().map(|command| command.key)
    }

    /// Returns whether a command with this key was sent before, among the last 4,096.
    pub(crate) fn knows(&self, key: &CommandKey) -> bool {
        self.by_key.contains_key(key) || self.settled.values().any(|settled| settled == key)
    }

    /// Returns the outbox indexes of the commands that wait for a result.
    pub(crate) fn rows(&self) -> impl Iterator<Item = u64> {
        self.unsettled.values().filter_map(|command| command.index)
    }

    /// Records that a command is sent. Returns the store operation for that.
    pub(crate) fn sent(&mut self, number: u64, key: CommandKey, index: u64) -> Op {
        let _ = self.unsettled.insert(number, Unsettled { key, index: Some(index) });
        let _ = self.by_key.insert(key, number);
        Op::put(keys::numbered(keys::UNSETTLED, number), key.as_bytes().to_vec())
    }

    /// Records that the result of the command with this key has come. Returns the index of the command's
    /// outbox row, if there is one, and the store operations; `None` when no command with this key waits.
    pub(crate) fn settle(&mut self, key: &CommandKey) -> Option<(Option<u64>, Vec<Op>)> {
        // A phone may send a result twice; the second copy finds no waiting command.
        // req: RES-030
        let number = self.by_key.remove(key)?;
        let command = self.unsettled.remove(&number)?;
        let _ = self.settled.insert(number, *key);
        let mut ops = alloc::vec![
            Op::Delete { key: keys::numbered(keys::UNSETTLED, number) },
            Op::put(keys::numbered(keys::SETTLED, number), key.as_bytes().to_vec()),
        ];
        // The last 4,096 keys suffice to notice that the phone has run another command under the same number.
        // req: RES-039
        let last = self.settled.keys().next_back().copied().unwrap_or(number);
        let from = last.saturating_sub(COMMANDS_KEPT_MAX).saturating_add(1);
        if self.settled.keys().next().is_some_and(|first| *first < from) {
            self.settled = self.settled.split_off(&from);
            ops.push(Op::DeleteRange {
                from: keys::numbered(keys::SETTLED, 0),
                to: keys::numbered(keys::SETTLED, from),
            });
        }
        Some((command.index, ops))
    }

    /// Records that outbox rows have moved; `places` maps their old indexes to the new ones.
    pub(crate) fn moved(&mut self, places: &BTreeMap<u64, u64>) {
        for index in self.unsettled.values_mut().filter_map(|command| command.index.as_mut()) {
            *index = places.get(index).copied().unwrap_or(*index);
        }
    }

    /// Returns whether this companion was put back to an earlier state. That is so if the phone has run a
    /// command under a number that this companion has not assigned yet, or has assigned to another command.
    fn was_put_back(&self, next: u64, known: &CommandsKnown) -> bool {
        // Only the phone's memory of numbers can show this: the companion's own store is the one that was put
        // back.
        // req: RES-033
        let unsettled = || self.unsettled.get(&known.highest).map(|command| command.key);
        let own = self.settled.get(&known.highest).copied().or_else(unsettled);
        next <= known.highest || own.is_some_and(|own| own != known.key)
    }

    /// Returns whether the phone may have run one of the waiting commands and forgotten its key.
    fn may_be_forgotten(&self, known: &CommandsKnown) -> bool {
        self.floor().is_some_and(|floor| floor < known.from)
    }

    /// Returns the verdict on this companion, from the phone's *commands known* block; `next` is the number
    /// that this companion's next command gets.
    pub(crate) fn judge(&self, next: u64, known: &CommandsKnown) -> Judged {
        match (self.was_put_back(next, known), self.may_be_forgotten(known)) {
            (false, _) => Judged::InSync,
            (true, false) => Judged::PutBack,
            // If the phone has already run the command, running it again would double its effect.
            // req: RES-038
            (true, true) => Judged::Forgotten,
        }
    }

    /// Assigns new numbers from `first` on to the waiting commands, in the order in which the user acted. Returns
    /// the commands in this order, and the store operations.
    pub(crate) fn renumber(&mut self, first: u64) -> (Vec<(u64, Unsettled)>, Vec<Op>) {
        // Under their old numbers the phone would mistake the waiting commands for others that it has run.
        // req: RES-037
        let waiting = core::mem::take(&mut self.unsettled);
        let mut ops: Vec<_> = waiting
            .keys()
            .map(|number| Op::Delete { key: keys::numbered(keys::UNSETTLED, *number) })
            .collect();
        self.unsettled = (first..).zip(waiting.into_values()).collect();
        self.by_key = self.unsettled.iter().map(|(number, command)| (command.key, *number)).collect();
        ops.extend(self.unsettled.iter().map(|(number, command)| {
            Op::put(keys::numbered(keys::UNSETTLED, *number), command.key.as_bytes().to_vec())
        }));
        (self.unsettled.iter().map(|(number, command)| (*number, *command)).collect(), ops)
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_key as key;
    use super::*;

    fn known(highest: u64, of: u64, from: u64) -> CommandsKnown {
        CommandsKnown { highest, key: key(of), from }
    }

    #[test]
    fn a_web_was_put_back_when_the_phone_knows_a_number_otherwise() {
        // req: RES-033
        let mut own = OwnCommands::default();
        for n in 1..=3 {
            drop(own.sent(n, key(n), n));
        }
        drop(own.settle(&key(1)));
        assert!(!own.was_put_back(4, &known(0, 0, 1)));
        assert!(!own.was_put_back(4, &known(3, 3, 1)) && !own.was_put_back(4, &known(1, 1, 1)));
        assert!(own.was_put_back(4, &known(4, 4, 1)), "a number that was not given");
        assert!(own.was_put_back(4, &known(3, 9, 1)), "a waiting command of another key");
        assert!(own.was_put_back(4, &known(1, 9, 1)), "a settled command of another key");
    }

    #[test]
    fn what_waits_below_the_keys_of_the_phone_may_be_forgotten() {
        // req: RES-038
        let mut own = OwnCommands::default();
        assert!(!own.may_be_forgotten(&known(9, 9, 9)), "nothing waits");
        drop(own.sent(5, key(5), 1));
        assert!(!own.may_be_forgotten(&known(9, 9, 5)));
        assert!(own.may_be_forgotten(&known(9, 9, 6)));
    }

    #[test]
    fn what_waits_is_numbered_anew_in_the_order_of_the_acts() {
        // req: RES-037
        let mut own = OwnCommands::default();
        for n in 1..=3 {
            drop(own.sent(n, key(10 - n), n));
        }
        drop(own.settle(&key(8)));
        let (waiting, ops) = own.renumber(7);
        let numbers: Vec<_> = waiting.iter().map(|(number, command)| (*number, command.key)).collect();
        assert_eq!(numbers, [(7, key(9)), (8, key(7))]);
        assert_eq!((ops.len(), own.floor()), (4, Some(7)));
        assert!(own.settle(&key(7)).is_some() && own.settle(&key(8)).is_none());
    }

    #[test]
    fn the_keys_of_4096_own_numbers_are_kept() {
        // req: RES-039
        let mut own = OwnCommands::default();
        for n in 1..=COMMANDS_KEPT_MAX {
            drop(own.sent(n, key(n), n));
            drop(own.settle(&key(n)));
        }
        assert!(own.knows(&key(1)));
        drop(own.sent(COMMANDS_KEPT_MAX + 1, key(COMMANDS_KEPT_MAX + 1), 1));
        drop(own.settle(&key(COMMANDS_KEPT_MAX + 1)));
        assert!(!own.knows(&key(1)) && own.knows(&key(2)));
        assert!(!own.was_put_back(COMMANDS_KEPT_MAX + 2, &known(1, 7, 1)), "older numbers say nothing");
    }
}
