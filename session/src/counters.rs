//! The session's counters and epochs: one row, written with every commit except the one that wipes the link.

use alloc::vec::Vec;

use handfast_codec::ids::{CommandKey, Epoch, LogId};
use handfast_codec::payload::CommandsKnown;
use handfast_codec::role::DeviceRole;

use crate::commit::Op;
use crate::error::LoadError;
use crate::keys;

/// The version of the row's layout.
const LAYOUT: u8 = 2;
/// The layout of rows from before commands had keys. Such a row ends before `known`.
const LAYOUT_V1: u8 = 1;
/// Lengths of a row in bytes: of version 1, and of today's version.
const LEN_V1: usize = 1 + 16 + 16 + 16 + 8 * 7;
const LEN: usize = LEN_V1 + 8 + 16 + 8 + 1;

/// The *commands known* block before the first command.
const NONE_KNOWN: CommandsKnown = CommandsKnown { highest: 0, key: CommandKey::from_bytes([0; 16]), from: 1 };

/// The session state that outlives connections and processes, apart from the rows of messages, commands,
/// cursors and streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counters {
    /// The epoch of messages that this side sends; a RESET replaces it.
    pub(crate) out_epoch: Epoch,
    /// The epoch of messages that this side receives.
    pub(crate) in_epoch: Epoch,
    /// The id of the phone's change log: on the phone its own, on a companion the one it last saw (zeros:
    /// none).
    pub(crate) log_id: LogId,
    /// The index minus the sequence number of every outbox row: a row keeps its index while an epoch gives it
    /// a new sequence number.
    pub(crate) out_base: u64,
    /// The index that the next outgoing message gets.
    pub(crate) next_index: u64,
    /// The highest received sequence number whose effect is durable.
    pub(crate) in_durable: u64,
    /// On a companion: the number that the next command gets.
    pub(crate) next_cmd: u64,
    /// On a phone: the highest floor that a command brought, which is the lowest number whose result the
    /// companion awaits.
    pub(crate) floor: u64,
    /// On a phone: the *commands known* block, as sent in message 2.
    pub(crate) known: CommandsKnown,
    /// The side that was found to be put back to an earlier state, until the user has been told.
    pub(crate) put_back: Option<DeviceRole>,
    /// The id that the next stream opened by this side gets.
    pub(crate) next_stream: u64,
    /// The lowest id with which the peer may open its next stream.
    pub(crate) peer_stream_min: u64,
}

impl Counters {
    /// Creates the counters of a new link. `first_stream` is 0 on a companion, 1 on a phone.
    pub(crate) fn new(out_epoch: Epoch, in_epoch: Epoch, first_stream: u64) -> Self {
        Self {
            out_epoch,
            in_epoch,
            log_id: LogId::from_bytes([0; 16]),
            out_base: 0,
            next_index: 1,
            in_durable: 0,
            next_cmd: 1,
            floor: 0,
            known: NONE_KNOWN,
            put_back: None,
            next_stream: first_stream,
            peer_stream_min: first_stream ^ 1,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(LEN);
        row.push(LAYOUT);
        row.extend_from_slice(self.out_epoch.as_bytes());
        row.extend_from_slice(self.in_epoch.as_bytes());
        row.extend_from_slice(self.log_id.as_bytes());
        for number in [
            self.out_base,
            self.next_index,
            self.in_durable,
            self.next_cmd,
            self.floor,
            self.next_stream,
            self.peer_stream_min,
        ] {
            row.extend_from_slice(&number.to_be_bytes());
        }
        row.extend_from_slice(&self.known.highest.to_be_bytes());
        row.extend_from_slice(self.known.key.as_bytes());
        row.extend_from_slice(&self.known.from.to_be_bytes());
        row.push(match self.put_back {
            None => 0,
            Some(DeviceRole::Phone) => 1,
            Some(DeviceRole::Web) => 2,
        });
        row
    }

    pub(crate) fn decode(row: &[u8]) -> Result<Self, LoadError> {
        let (layout, rest) = row.split_first().ok_or(LoadError::Damaged)?;
        let (known, put_back) = match (*layout, row.len()) {
            (LAYOUT, LEN) => row.get(LEN_V1..).map_or(Err(LoadError::Damaged), read_known)?,
            (LAYOUT_V1, LEN_V1) => (NONE_KNOWN, None),
            _ => return Err(LoadError::Damaged),
        };
        let (out_epoch, rest) = rest.split_first_chunk().ok_or(LoadError::Damaged)?;
        let (in_epoch, rest) = rest.split_first_chunk().ok_or(LoadError::Damaged)?;
        let (log_id, rest) = rest.split_first_chunk().ok_or(LoadError::Damaged)?;
        let mut numbers = rest.as_chunks::<8>().0.iter().map(|n| u64::from_be_bytes(*n));
        let mut next = || numbers.next().ok_or(LoadError::Damaged);
        Ok(Self {
            out_epoch: Epoch::from_bytes(*out_epoch),
            in_epoch: Epoch::from_bytes(*in_epoch),
            log_id: LogId::from_bytes(*log_id),
            out_base: next()?,
            next_index: next()?,
            in_durable: next()?,
            next_cmd: next()?,
            floor: next()?,
            known,
            put_back,
            next_stream: next()?,
            peer_stream_min: next()?,
        })
    }

    pub(crate) fn put(&self) -> Op {
        Op::put(keys::SESSION.to_vec(), self.encode())
    }

    /// Returns whether a row has the layout from before commands had keys.
    pub(crate) fn is_version_1(row: &[u8]) -> bool {
        row.first() == Some(&LAYOUT_V1)
    }
}

/// Decodes the fields that version 1 lacked: the commands known, and the side that was put back to an earlier
/// state.
fn read_known(row: &[u8]) -> Result<(CommandsKnown, Option<DeviceRole>), LoadError> {
    let (highest, rest) = row.split_first_chunk().ok_or(LoadError::Damaged)?;
    let (key, rest) = rest.split_first_chunk().ok_or(LoadError::Damaged)?;
    let (from, rest) = rest.split_first_chunk().ok_or(LoadError::Damaged)?;
    let put_back = match rest {
        [0] => None,
        [1] => Some(DeviceRole::Phone),
        [2] => Some(DeviceRole::Web),
        _ => return Err(LoadError::Damaged),
    };
    let known = CommandsKnown {
        highest: u64::from_be_bytes(*highest),
        key: CommandKey::from_bytes(*key),
        from: u64::from_be_bytes(*from),
    };
    Ok((known, put_back))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_decodes_to_what_was_encoded_and_other_lengths_are_refused() {
        let mut counters = Counters::new(Epoch::from_bytes([1; 16]), Epoch::from_bytes([2; 16]), 1);
        counters.next_index = u64::MAX;
        counters.floor = 77;
        counters.known = CommandsKnown { highest: 80, key: CommandKey::from_bytes([3; 16]), from: u64::MAX };
        counters.put_back = Some(DeviceRole::Web);
        let row = counters.encode();
        assert_eq!(Counters::decode(&row).unwrap(), counters);
        assert_eq!(Counters::decode(&row[..row.len() - 1]), Err(LoadError::Damaged));
        assert_eq!(Counters::decode(&[&row[..], &[0]].concat()), Err(LoadError::Damaged));
        let old = [&[LAYOUT_V1], &row[1..LEN_V1]].concat();
        (counters.known, counters.put_back) = (NONE_KNOWN, None);
        assert!(Counters::is_version_1(&old) && !Counters::is_version_1(&row));
        assert_eq!(Counters::decode(&old).unwrap(), counters);
        assert_eq!(Counters::decode(&row[..LEN_V1]), Err(LoadError::Damaged));
    }
}
