//! The commands that a phone has counted as received, and that its application has not answered.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::ids::CommandKey;
use handfast_codec::limits::{COMMANDS_OPEN_MAX, MESSAGE_LEN_MAX, OUTBOX_LEN_MAX};

use crate::commit::Op;
use crate::error::LoadError;
use crate::keys;

/// A command by its number, and the length of its body in bytes.
#[derive(Clone, Copy, Debug)]
struct Command {
    number: u64,
    len: usize,
}

/// The commands of one companion that have no answer yet.
#[derive(Debug, Default)]
pub(crate) struct Unanswered {
    commands: BTreeMap<CommandKey, Command>,
    /// The total length of their bodies, in bytes.
    len: usize,
    /// Those of an earlier run, which the application must be told again.
    again: VecDeque<(CommandKey, Bytes)>,
}

impl Unanswered {
    /// Takes the rows of the store.
    pub(crate) fn load(rows: Vec<(CommandKey, &[u8])>) -> Result<Self, LoadError> {
        let mut unanswered = Self::default();
        let mut in_order = BTreeMap::new();
        for (key, row) in rows {
            let (number, body) = row.split_first_chunk().ok_or(LoadError::Damaged)?;
            let (number, body) = (u64::from_be_bytes(*number), Bytes::copy_from_slice(body));
            let _ = unanswered.insert(key, number, &body);
            drop(in_order.insert((number, key), body));
        }
        unanswered.again = in_order.into_iter().map(|((_, key), body)| (key, body)).collect();
        Ok(unanswered)
    }

    /// Returns whether one more command may wait: 1,024 at most, with as many bytes as an outbox may have.
    pub(crate) fn has_room(&self) -> bool {
        let count = u64::try_from(self.commands.len()).unwrap_or(u64::MAX);
        count < COMMANDS_OPEN_MAX && self.len <= OUTBOX_LEN_MAX.saturating_sub(MESSAGE_LEN_MAX)
    }

    /// Adds a command. Returns whether it is new, and the operation that stores it.
    pub(crate) fn insert(&mut self, key: CommandKey, number: u64, body: &Bytes) -> (bool, Op) {
        let old = self.commands.insert(key, Command { number, len: body.len() });
        self.len = self.len.saturating_sub(old.map_or(0, |old| old.len)).saturating_add(body.len());
        let row = [&number.to_be_bytes()[..], body].concat();
        (old.is_none(), Op::put(keys::keyed(keys::UNANSWERED, &key), row))
    }

    /// Returns the number of a command.
    pub(crate) fn number(&self, key: &CommandKey) -> Option<u64> {
        self.commands.get(key).map(|command| command.number)
    }

    /// Removes a command that is answered. Returns the operation that removes its row.
    pub(crate) fn remove(&mut self, key: &CommandKey) -> Option<Op> {
        let command = self.commands.remove(key)?;
        self.len = self.len.saturating_sub(command.len);
        self.again.retain(|(other, _)| other != key);
        Some(Op::Delete { key: keys::keyed(keys::UNANSWERED, key) })
    }

    /// Returns the next command of an earlier run that the application must be told again.
    pub(crate) fn next_again(&mut self) -> Option<(CommandKey, Bytes)> {
        self.again.pop_front()
    }

    /// Returns the keys of all commands without an answer.
    pub(crate) fn keys(&self) -> impl Iterator<Item = CommandKey> {
        self.commands.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::commands::test_key;

    fn body(len: usize) -> Bytes {
        Bytes::from(vec![7; len])
    }

    fn row(op: &Op) -> (CommandKey, &[u8]) {
        let Op::Put { key, value } = op else { panic!("a row") };
        (keys::command_of(key).unwrap(), value)
    }

    #[test]
    fn what_is_not_answered_is_told_again_in_the_order_of_the_acts() {
        // req: RES-043
        let mut unanswered = Unanswered::default();
        let ops: Vec<Op> = [(1, 9), (2, 8), (3, 10)]
            .map(|(key, number)| unanswered.insert(test_key(key), number, &body(3)).1)
            .into_iter()
            .collect();
        assert!(unanswered.next_again().is_none(), "the application has them");
        let mut loaded = Unanswered::load(ops.iter().map(row).collect()).unwrap();
        assert_eq!(loaded.number(&test_key(2)), Some(8));
        assert!(loaded.remove(&test_key(1)).is_some(), "it was answered before it was told");
        let again: Vec<_> = core::iter::from_fn(|| loaded.next_again()).collect();
        assert_eq!(again, [(test_key(2), body(3)), (test_key(3), body(3))]);
        assert!(loaded.remove(&test_key(1)).is_none());
        assert_eq!(loaded.keys().count(), 2);
        assert_eq!(Unanswered::load(vec![(test_key(1), &[0; 7])]).err(), Some(LoadError::Damaged));
    }

    #[test]
    fn a_peer_cannot_make_a_phone_keep_more_than_an_outbox_holds() {
        let mut unanswered = Unanswered::default();
        let mut n = 0;
        while unanswered.has_room() {
            n += 1;
            let _ = unanswered.insert(test_key(n), n, &body(MESSAGE_LEN_MAX));
        }
        assert_eq!(unanswered.len, OUTBOX_LEN_MAX);
        assert!(unanswered.remove(&test_key(1)).is_some() && unanswered.has_room());
        let mut unanswered = Unanswered::default();
        for n in 0..COMMANDS_OPEN_MAX {
            assert!(unanswered.has_room());
            let (is_new, _) = unanswered.insert(test_key(n), n, &body(0));
            let (again, _) = unanswered.insert(test_key(n), n + 1, &body(0));
            assert!(is_new && !again);
        }
        assert!(!unanswered.has_room());
    }
}
