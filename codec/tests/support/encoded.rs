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

impl Sample {
    /// What the decoder accepts, it accepts in one form only: writing the value gives the bytes again, unless they held
    /// something that is ignored.
    #[track_caller]
    pub(crate) fn is_canonical_behind(&self, edits: &[Edit]) {
        let mut bytes = self.bytes.to_vec();
        for edit in edits {
            edit.apply(&mut bytes);
        }
        if let Ok(again) = (self.again)(bytes.clone().into()) {
            let ignored = (self.ignores)(&bytes);
            assert!(again == bytes || ignored, "{}: {bytes:02x?} {again:02x?}", self.name);
        }
    }

    #[track_caller]
    pub(crate) fn comes_back(&self) {
        assert_eq!((self.again)(self.bytes.clone()).as_deref(), Ok(self.bytes.as_ref()), "{}", self.name);
    }

    /// Cuts the bytes at every place; `decode` is given each of them, too.
    #[track_caller]
    pub(crate) fn is_cut_everywhere(&self, decode: impl Fn(&[u8])) {
        for len in 0..self.bytes.len() {
            let cut = self.bytes.slice(..len);
            decode(&cut);
            match (self.again)(cut.clone()) {
                // What is left may be whole: a body that has no length of its own, or fields that are optional.
                Ok(again) => assert_eq!(again, cut, "{} cut to {len}", self.name),
                Err(error) => assert!(error.at <= len, "{} cut to {len}: {error}", self.name),
            }
        }
    }
}

/// Every type with bodies of up to four bytes, with and without their length.
pub(crate) fn short_inputs() -> impl Iterator<Item = Vec<u8>> {
    let fills = [0, 1, 0x3f, 0x40, 0xff];
    let bodies = (0..=4_u8).flat_map(move |len| fills.map(|fill| (len, vec![fill; usize::from(len)])));
    (0..=u8::MAX).flat_map(move |kind| {
        bodies
            .clone()
            .flat_map(move |(len, body)| [[&[kind][..], &body].concat(), [&[kind, len][..], &body].concat()])
    })
}
