//! Samples in their encoded form, and changes of their bytes.

use bytes::Bytes;
use proptest::prelude::*;

/// The bytes of a sample, a decoder that gives the bytes of what it read, and whether the grammar allows the bytes to
/// hold something that is ignored.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
    pub(crate) again: fn(Bytes) -> Result<Vec<u8>, handfast_codec::DecodeError>,
    pub(crate) ignores: fn(&[u8]) -> bool,
}

/// One change of encoded bytes.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Append(u8),
}

/// Any change, mostly to small numbers: those are types, lengths and flags.
pub(crate) fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<prop::sample::Index>;
    let byte = prop_oneof![any::<u8>(), 0_u8..42];
    prop_oneof![
        (at(), byte.clone()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        (at(), byte).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        at().prop_map(Edit::Remove),
        any::<u8>().prop_map(Edit::Append),
    ]
}

impl Edit {
    pub(crate) fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Set(at, byte) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Self::Insert(at, byte) => bytes.insert(at.index(bytes.len() + 1), *byte),
            Self::Remove(at) if !bytes.is_empty() => {
                let _ = bytes.remove(at.index(bytes.len()));
            }
            Self::Append(byte) => bytes.push(*byte),
            Self::Set(..) | Self::Remove(_) => {}
        }
    }
}
