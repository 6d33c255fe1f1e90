//! A part of the input that is being read.

use super::Refusal;

pub(super) type Read<T> = Result<T, Refusal>;

/// The part of the input from where it is read up to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Source<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, end: bytes.len() }
    }

    /// Where in the whole input the next byte is.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Where in the whole input this part ends.
    pub(super) const fn end(&self) -> usize {
        self.end
    }

    pub(super) const fn len(&self) -> usize {
        self.end - self.at
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..self.end]
    }

    pub(super) fn refuse<T>(&self, code: &str) -> Read<T> {
        Err(Refusal { code: code.to_owned(), at: self.at })
    }

    /// Refuses another length with this code.
    pub(super) fn within(&self, min: usize, max: usize, code: &str) -> Read<()> {
        if self.len() < min || self.len() > max { self.refuse(code) } else { Ok(()) }
    }

    /// Takes the next bytes as a part of their own.
    pub(super) fn take(&mut self, len: usize) -> Read<Self> {
        if len > self.len() {
            return self.refuse("TRUNCATED");
        }
        let part = Self { end: self.at + len, ..*self };
        self.at += len;
        Ok(part)
    }

    /// A number of so many bytes, big-endian.
    pub(super) fn uint(&mut self, len: usize) -> Read<u64> {
        Ok(self.take(len)?.rest().iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// RFC 9000, section 16; the two highest bits of the first byte tell how many follow.
    pub(super) fn varint(&mut self) -> Read<u64> {
        let start = *self;
        let first = self.uint(1)?;
        let more = (1_usize << (first >> 6)) - 1;
        let value = (first & 0x3f) << (8 * more) | self.uint(more)?;
        let shortest = match value {
            0..0x40 => 0,
            0x40..0x4000 => 1,
            0x4000..0x4000_0000 => 3,
            _ => 7,
        };
        if more == shortest { Ok(value) } else { start.refuse("VARINT_NOT_MINIMAL") }
    }

    pub(super) fn finish(&self) -> Read<()> {
        if self.len() == 0 { Ok(()) } else { self.refuse("TRAILING_BYTES") }
    }
}
