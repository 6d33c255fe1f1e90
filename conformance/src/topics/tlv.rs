//! TLV lists taken apart and put together again, so that a case can break one field.

use handfast_codec::varint::{put_varint, take_varint};

/// A list behind a head of some bytes.
#[derive(Clone)]
pub(super) struct List {
    head: Vec<u8>,
    fields: Vec<(u64, Vec<u8>)>,
}

impl List {
    /// Takes a well-formed list apart; padding is left out.
    pub(super) fn of(bytes: &[u8], head: usize) -> Self {
        let (head, mut rest) = bytes.split_at(head);
        let mut fields = Vec::new();
        while rest.first().is_some_and(|byte| *byte != 0) {
            let (kind, after) = take_varint(rest).expect("a type");
            let (len, after) = take_varint(after).expect("a length");
            let (value, after) = after.split_at(usize::try_from(len).expect("a short value"));
            fields.push((kind, value.to_vec()));
            rest = after;
        }
        Self { head: head.to_vec(), fields }
    }

    /// The list without a field.
    pub(super) fn without(mut self, wanted: u64) -> Self {
        self.fields.retain(|(kind, _)| *kind != wanted);
        self
    }

    /// The list with another value of a field that it has.
    pub(super) fn with(mut self, wanted: u64, value: &[u8]) -> Self {
        let field = self.fields.iter_mut().find(|(kind, _)| *kind == wanted).expect("the field is there");
        value.clone_into(&mut field.1);
        self
    }

    /// The value of a field.
    pub(super) fn value(&self, wanted: u64) -> &[u8] {
        &self.fields.iter().find(|(kind, _)| *kind == wanted).expect("the field is there").1
    }

    /// The list with one more field at its end.
    pub(super) fn and(mut self, kind: u64, value: &[u8]) -> Self {
        self.fields.push((kind, value.to_vec()));
        self
    }

    /// The list with one more field, in its place by number.
    pub(super) fn between(mut self, kind: u64, value: &[u8]) -> Self {
        let at = self.fields.iter().position(|(other, _)| *other > kind).unwrap_or(self.fields.len());
        self.fields.insert(at, (kind, value.to_vec()));
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = self.head.clone();
        for (kind, value) in &self.fields {
            put_varint(&mut out, *kind);
            put_varint(&mut out, value.len() as u64);
            out.extend_from_slice(value);
        }
        out
    }
}

/// Pads with zeros to the smallest 128*2^k that holds the bytes.
pub(super) fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    let len = bytes.len().max(128).next_power_of_two();
    bytes.resize(len, 0);
    bytes
}
