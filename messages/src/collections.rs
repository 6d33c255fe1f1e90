//! The names of the messenger's collections.

use alloc::vec::Vec;

use handfast_codec::frame::Collection;
use handfast_codec::varint::{put_varint, take_varint};

const CHATS: u8 = 1;
const MESSAGES: u8 = 2;
const COMPANIONS: u8 = 3;
const CHANGES: u8 = 4;

/// The decoded name of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CollectionName {
    /// `01`: the chats.
    Chats,
    /// `02 | chat id varint`: the last 200 messages of a chat.
    Messages(u64),
    /// `03`: the linked companions.
    Companions,
    /// `04`: changes that messages of all chats had after they were sent (edits, deletions, reactions,
    /// states).
    Changes,
}

impl CollectionName {
    /// Returns the encoded name; `None` for a chat id above 2^62 - 1.
    #[must_use]
    pub fn encode(self) -> Option<Collection> {
        match self {
            Self::Chats => Collection::new(&[CHATS]),
            Self::Messages(chat) if chat <= handfast_codec::limits::VARINT_MAX => {
                let mut name = Vec::from([MESSAGES]);
                put_varint(&mut name, chat);
                Collection::new(&name)
            }
            Self::Messages(_) => None,
            Self::Companions => Collection::new(&[COMPANIONS]),
            Self::Changes => Collection::new(&[CHANGES]),
        }
    }

    /// Decodes a name. Returns `None` for a collection that the messenger does not have.
    #[must_use]
    pub fn decode(collection: &Collection) -> Option<Self> {
        match collection.as_bytes() {
            // req: MSG-002
            [CHATS] => Some(Self::Chats),
            // req: MSG-003
            [MESSAGES, rest @ ..] => match take_varint(rest) {
                Ok((chat, [])) => Some(Self::Messages(chat)),
                _ => None,
            },
            // req: MSG-005
            [COMPANIONS] => Some(Self::Companions),
            // req: MSG-060
            [CHANGES] => Some(Self::Changes),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_example() {
        // req: MSG-002, MSG-003, MSG-005
        assert_eq!(CollectionName::Chats.encode().unwrap().as_bytes(), [0x01]);
        assert_eq!(CollectionName::Messages(300).encode().unwrap().as_bytes(), [0x02, 0x41, 0x2c]);
        assert_eq!(CollectionName::Companions.encode().unwrap().as_bytes(), [0x03]);
        let messages = [0, 1 << 40].map(CollectionName::Messages);
        for name in [CollectionName::Chats, CollectionName::Companions, CollectionName::Changes]
            .into_iter()
            .chain(messages)
        {
            assert_eq!(CollectionName::decode(&name.encode().unwrap()), Some(name));
        }
        assert_eq!(CollectionName::Messages(u64::MAX).encode(), None);
        for unknown in [&[1, 0][..], &[2], &[2, 1, 1], &[2, 0x40, 1], &[3, 0], &[4, 0], &[5]] {
            assert_eq!(CollectionName::decode(&Collection::new(unknown).unwrap()), None, "{unknown:?}");
        }
    }

    #[test]
    fn the_changes_have_a_name_of_one_byte() {
        // req: MSG-060
        let name = CollectionName::Changes.encode().unwrap();
        assert_eq!(name.as_bytes(), [0x04]);
        assert_eq!(CollectionName::decode(&name), Some(CollectionName::Changes));
    }
}
