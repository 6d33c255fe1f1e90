//! The phone's record of the commands that it has run, by key, so that none runs twice.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::CommandKey;
use handfast_codec::limits::{COMMANDS_KEPT_MAX, COMMANDS_OPEN_MAX, RESULTS_LEN_MAX, SETTLED_RESULT_LEN_MAX};
use handfast_codec::payload::CommandsKnown;

use super::Repeat;
use crate::commit::Op;
use crate::counters::Counters;
use crate::error::LoadError;
use crate::keys;

const KIND_RESULT: u8 = 0;
const KIND_FORGOTTEN: u8 = 1;
const KIND_RUN: u8 = 2;

/// The record that the phone keeps of a command that it has run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The result, to be sent again.
    Result(Bytes),
    /// Only the fact that the command ran. Its result was deleted: it was long, and either the companion has
    /// it or the results take too much space.
    Forgotten,
    /// The command only reads, so that it may run again.
    Run,
}

impl Kept {
    /// Returns what the phone keeps of a command whose result is `body`.
    pub(crate) fn of(body: &Bytes, repeat: Repeat) -> Self {
        match repeat {
            Repeat::Answer => Self::Result(body.clone()),
            Repeat::Run => Self::Run,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Result(body) => body.len(),
            Self::Forgotten | Self::Run => 0,
        }
    }
}

#[derive(Debug)]
struct Entry {
    number: u64,
    kept: Kept,
}

impl Entry {
    fn put(&self, key: &CommandKey) -> Op {
        let mut row = Vec::with_capacity(self.kept.len().saturating_add(9));
        row.extend_from_slice(&self.number.to_be_bytes());
        match &self.kept {
            Kept::Result(body) => {
                row.push(KIND_RESULT);
                row.extend_from_slice(body);
            }
            Kept::Forgotten => row.push(KIND_FORGOTTEN),
            Kept::Run => row.push(KIND_RUN),
        }
        Op::put(keys::keyed(keys::COMMAND, key), row)
    }

    fn read(row: &[u8]) -> Result<Self, LoadError> {
        let (number, rest) = row.split_first_chunk().ok_or(LoadError::Damaged)?;
        let kept = match rest {
            [KIND_RESULT, body @ ..] => Kept::Result(Bytes::copy_from_slice(body)),
            [KIND_FORGOTTEN] => Kept::Forgotten,
            [KIND_RUN] => Kept::Run,
            _ => return Err(LoadError::Damaged),
        };
        Ok(Self { number: u64::from_be_bytes(*number), kept })
    }
}

/// The phone's action for a command that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// Runs the command for the first time, or again if that is allowed.
    Run,
    /// Sends the kept result again, or `ALREADY_DONE` (`None`).
    Again(Option<Bytes>),
}

/// Returns the lower bound of a range over `by_number` that begins with `number`.
const fn from(number: u64) -> (u64, CommandKey) {
    (number, CommandKey::from_bytes([0; 16]))
}

/// The commands of one companion that this phone has run, with what it keeps of each.
#[derive(Debug, Default)]
pub(crate) struct CommandsRun {
    entries: BTreeMap<CommandKey, Entry>,
    by_number: BTreeSet<(u64, CommandKey)>,
    /// The total length of the kept results, in bytes.
    len: usize,
}

impl CommandsRun {
    /// Inserts a row from the store.
    pub(crate) fn load(&mut self, key: CommandKey, row: &[u8]) -> Result<(), LoadError> {
        self.insert(key, Entry::read(row)?);
        Ok(())
    }

    fn insert(&mut self, key: CommandKey, entry: Entry) {
        if let Some(old) = self.entries.remove(&key) {
            self.len = self.len.saturating_sub(old.kept.len());
            let _ = self.by_number.remove(&(old.number, key));
        }
        self.len = self.len.saturating_add(entry.kept.len());
        let _ = self.by_number.insert((entry.number, key));
        let _ = self.entries.insert(key, entry);
    }

    pub(crate) fn get(&self, key: &CommandKey) -> Option<&Kept> {
        self.entries.get(key).map(|entry| &entry.kept)
    }

    /// Returns the number of commands kept, and the total length of the kept results in bytes.
    #[cfg(feature = "testing")]
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.len)
    }

    /// Returns number and key of the kept command with the highest number.
    pub(crate) fn last(&self) -> Option<(u64, CommandKey)> {
        self.by_number.last().copied()
    }

    /// Returns whether as many commands at or above `floor` (the lowest number of a command whose result the
    /// companion awaits) are kept as an honest companion can have open: 1,024.
    pub(crate) fn is_full(&self, floor: u64) -> bool {
        let open = self.by_number.range(from(floor)..).count();
        u64::try_from(open).unwrap_or(u64::MAX) >= COMMANDS_OPEN_MAX
    }

    /// Returns the *commands known* block of message 2: the highest number, its key, and the number from
    /// which on every key is known. A companion that was restored from a backup gives its waiting commands
    /// numbers above all of these. Keys that the phone forgets because of that must not count as known, so
    /// `from` is set as if they were forgotten already.
    pub(crate) fn known(&self, known: CommandsKnown) -> CommandsKnown {
        // By these keys the companion decides two things: whether it was put back to an earlier state, and
        // whether its waiting commands may have run.
        // req: RES-032
        let kept = usize::try_from(COMMANDS_KEPT_MAX).unwrap_or(usize::MAX);
        let beyond = self.by_number.iter().rev().nth(kept).map_or(0, |(number, _)| number.saturating_add(1));
        CommandsKnown { from: known.from.max(beyond), ..known }
    }

    /// Handles an arrived command. Returns what to do with it, and the store operations for that. Apply the
    /// operations even when the command is refused.
    pub(crate) fn arrived(
        &mut self,
        counters: &mut Counters,
        (number, floor, key): (u64, u64, CommandKey),
    ) -> (Result<Arrived, ErrorCode>, Vec<Op>) {
        // Results of commands numbered below the floor are deleted, so a command below it could run twice.
        // req: RES-031
        let above = number.checked_sub(floor);
        if above.is_none_or(|above| above >= COMMANDS_OPEN_MAX) {
            return (Err(ErrorCode::COMMAND_FLOOR), Vec::new());
        }
        let mut ops = self.raise(counters, floor);
        // The companion sends a command again when it or its result may have been lost; its effect must not
        // happen twice.
        // req: RES-026
        let arrived = match self.get(&key) {
            Some(Kept::Result(body)) => Arrived::Again(Some(body.clone())),
            Some(Kept::Forgotten) => Arrived::Again(None),
            None if number < counters.floor => return (Err(ErrorCode::COMMAND_FLOOR), ops),
            // An honest companion has at most 1,024 commands open; keys of more would grow the store without
            // end.
            // req: RES-036
            None if self.is_full(counters.floor) => return (Err(ErrorCode::LIMIT), ops),
            // req: RES-028
            // Text of messages is not stored a second time in a result. A command that reads such text runs
            // again instead.
            Some(Kept::Run) | None => Arrived::Run,
        };
        ops.extend(self.renumbered(key, number));
        if number > counters.known.highest {
            (counters.known.highest, counters.known.key) = (number, key);
        }
        (Ok(arrived), ops)
    }

    /// Records the result of a command. Returns the store operations for that.
    pub(crate) fn answered(&mut self, key: CommandKey, number: u64, kept: Kept) -> Vec<Op> {
        let entry = Entry { number, kept };
        let mut ops = alloc::vec![entry.put(&key)];
        self.insert(key, entry);
        // Results are kept to be sent again; a phone with many links needs a limit on their length.
        // req: RES-027
        if self.len > RESULTS_LEN_MAX {
            let lowest: Vec<_> = self.by_number.iter().map(|(_, key)| *key).collect();
            for key in lowest {
                if self.len <= RESULTS_LEN_MAX {
                    break;
                }
                ops.extend(self.shorten(&key));
            }
        }
        ops
    }

    /// Assigns a higher number to a command that was run, because its companion was restored from a backup and has
    /// renumbered it. Returns the store operation; `None` if the number is not higher.
    pub(crate) fn renumbered(&mut self, key: CommandKey, number: u64) -> Option<Op> {
        let old = self.entries.get(&key).filter(|entry| entry.number < number)?;
        let entry = Entry { number, kept: old.kept.clone() };
        let op = entry.put(&key);
        self.insert(key, entry);
        Some(op)
    }

    /// Raises the stored floor to the one that came with a command: the companion has the results of all
    /// commands below it. Returns the store operations.
    fn raise(&mut self, counters: &mut Counters, floor: u64) -> Vec<Op> {
        if floor <= counters.floor {
            return Vec::new();
        }
        let (ops, forgotten) = self.settle(counters.floor, floor);
        counters.floor = floor;
        if let Some(number) = forgotten {
            counters.known.from = counters.known.from.max(number.saturating_add(1));
        }
        ops
    }

    /// Shortens what is kept of the commands from `old` up to `floor`, whose results the companion has: long
    /// results are deleted, and the oldest keys when there are too many. Returns the store operations, and
    /// the highest number of a command whose key is forgotten.
    fn settle(&mut self, old: u64, floor: u64) -> (Vec<Op>, Option<u64>) {
        let settled: Vec<_> = self.by_number.range(from(old)..from(floor)).map(|(_, key)| *key).collect();
        // The keys of the latest commands are kept even when the companion has their results: they show
        // whether a companion was put back to an earlier state.
        // req: RES-029
        let mut ops: Vec<_> = settled.iter().filter_map(|key| self.shorten(key)).collect();
        let below = self.by_number.range(..from(floor)).count();
        let kept = usize::try_from(COMMANDS_KEPT_MAX).unwrap_or(usize::MAX);
        let mut forgotten = None;
        for _ in kept..below {
            let Some((number, key)) = self.by_number.pop_first() else { break };
            let entry = self.entries.remove(&key);
            self.len = self.len.saturating_sub(entry.map_or(0, |entry| entry.kept.len()));
            ops.push(Op::Delete { key: keys::keyed(keys::COMMAND, &key) });
            forgotten = Some(number);
        }
        (ops, forgotten)
    }

    /// Deletes the stored result of a command if it exceeds 64 bytes. Returns the store operation.
    fn shorten(&mut self, key: &CommandKey) -> Option<Op> {
        let entry = self.entries.get_mut(key).filter(|entry| entry.kept.len() > SETTLED_RESULT_LEN_MAX)?;
        self.len = self.len.saturating_sub(entry.kept.len());
        entry.kept = Kept::Forgotten;
        Some(entry.put(key))
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_key as key;
    use super::*;

    fn result(len: usize) -> Kept {
        Kept::Result(Bytes::from(alloc::vec![7; len]))
    }

    #[test]
    fn results_past_4_mib_are_shortened_from_the_lowest_number() {
        // req: RES-027
        let mut run = CommandsRun::default();
        let whole = RESULTS_LEN_MAX / 64;
        for n in 1..=64 {
            assert_eq!(run.answered(key(n), n, result(whole)).len(), 1);
        }
        assert_eq!(run.len, RESULTS_LEN_MAX);
        assert_eq!(run.answered(key(65), 65, result(1)).len(), 2, "one byte past the limit");
        assert_eq!(run.get(&key(1)), Some(&Kept::Forgotten));
        assert_eq!(run.get(&key(2)), Some(&result(whole)));
        assert_eq!(run.len, RESULTS_LEN_MAX - whole + 1);
    }

    #[test]
    fn a_settled_command_keeps_a_short_result_and_its_key() {
        // req: RES-029
        let mut run = CommandsRun::default();
        drop(run.answered(key(1), 1, result(SETTLED_RESULT_LEN_MAX)));
        drop(run.answered(key(2), 2, result(SETTLED_RESULT_LEN_MAX + 1)));
        drop(run.answered(key(3), 3, Kept::Run));
        let (ops, forgotten) = run.settle(1, 4);
        assert_eq!((ops.len(), forgotten), (1, None));
        assert_eq!(run.get(&key(1)), Some(&result(SETTLED_RESULT_LEN_MAX)));
        assert_eq!(run.get(&key(2)), Some(&Kept::Forgotten));
        assert_eq!(run.get(&key(3)), Some(&Kept::Run));
    }

    #[test]
    fn the_keys_of_4096_settled_commands_are_kept() {
        // req: RES-029
        let mut run = CommandsRun::default();
        for n in 1..=COMMANDS_KEPT_MAX + 1 {
            drop(run.answered(key(n), n, result(1)));
        }
        let (ops, forgotten) = run.settle(1, COMMANDS_KEPT_MAX + 1);
        assert!(ops.is_empty() && forgotten.is_none(), "the last one is open");
        let (ops, forgotten) = run.settle(COMMANDS_KEPT_MAX + 1, COMMANDS_KEPT_MAX + 2);
        assert_eq!((ops.len(), forgotten), (1, Some(1)));
        assert_eq!((run.get(&key(1)), run.get(&key(2))), (None, Some(&result(1))));
        assert_eq!(run.len, usize::try_from(COMMANDS_KEPT_MAX).unwrap());
    }

    #[test]
    fn what_a_raised_floor_would_forget_is_not_told_as_known() {
        // req: RES-032
        let mut run = CommandsRun::default();
        let known = CommandsKnown { highest: 0, key: key(0), from: 3 };
        for n in 1..=COMMANDS_KEPT_MAX + 2 {
            drop(run.answered(key(n), n, result(1)));
        }
        assert_eq!(run.known(known), known, "it knows them from 3 on, floor or not");
        drop(run.answered(key(COMMANDS_KEPT_MAX + 3), COMMANDS_KEPT_MAX + 3, result(1)));
        assert_eq!(run.known(known).from, 4);
    }

    #[test]
    fn one_number_with_1024_keys_is_full() {
        // req: RES-036
        let mut run = CommandsRun::default();
        for n in 1..COMMANDS_OPEN_MAX {
            drop(run.answered(key(n), 9, result(1)));
        }
        assert!(!run.is_full(9));
        drop(run.answered(key(COMMANDS_OPEN_MAX), 9, result(1)));
        assert!(run.is_full(9) && !run.is_full(10));
    }

    #[test]
    fn a_row_comes_back_as_it_was_stored() {
        let mut run = CommandsRun::default();
        for (n, kept) in [(1, result(0)), (2, result(70)), (3, Kept::Forgotten), (4, Kept::Run)] {
            let ops = run.answered(key(n), n, kept.clone());
            let [Op::Put { key: at, value }] = ops.as_slice() else { panic!("one row") };
            let mut loaded = CommandsRun::default();
            loaded.load(keys::command_of(at).unwrap(), value).unwrap();
            assert_eq!((loaded.get(&key(n)), loaded.last()), (Some(&kept), Some((n, key(n)))));
        }
        let damaged = |row: &[u8]| CommandsRun::default().load(key(1), row);
        for row in [&[0; 8][..], &[0, 0, 0, 0, 0, 0, 0, 1, 3], &[0, 0, 0, 0, 0, 0, 0, 1, KIND_RUN, 0]] {
            assert_eq!(damaged(row), Err(LoadError::Damaged));
        }
    }

    #[test]
    fn a_command_that_comes_under_a_higher_number_is_kept_at_it() {
        let mut run = CommandsRun::default();
        drop(run.answered(key(1), 5, result(3)));
        assert!(run.renumbered(key(1), 5).is_none() && run.renumbered(key(2), 9).is_none());
        assert!(run.renumbered(key(1), 9).is_some());
        assert_eq!((run.last(), run.len), (Some((9, key(1))), 3));
        assert!(run.settle(1, 9).0.is_empty(), "it is open again");
    }
}
