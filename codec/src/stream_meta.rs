//! The description of a media stream. The stream's OPEN carries it as meta (spec, streams, *Media*).

use alloc::vec::Vec;

use crate::error::DecodeError;
use crate::ids::ContentId;
use crate::tlv::{TlvReader, TlvWriter};

const CONTENT: u64 = 1;
const OFFSET: u64 = 3;
const SIZE: u64 = 5;

/// The description of content that a put offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of the layout")]
pub struct PutMeta {
    /// The id of the content.
    pub content: ContentId,
    /// The content offset at which the stream begins, in bytes.
    pub offset: u64,
    /// The content's size, in bytes.
    pub size: u64,
}

/// The description of content that a get asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of the layout")]
pub struct GetMeta {
    /// The id of the content.
    pub content: ContentId,
    /// The content offset at which the stream should begin, in bytes.
    pub offset: u64,
}

/// Begins a TLV list with the fields that the meta of a put and of a get have in common. An offset of 0 is
/// omitted.
fn begin(content: &ContentId, offset: u64) -> TlvWriter {
    let mut list = TlvWriter::new();
    let _ = list.bytes(CONTENT, content.as_bytes());
    if offset > 0 {
        let _ = list.u64(OFFSET, offset);
    }
    list
}

fn read(list: &mut TlvReader<'_>) -> Result<(ContentId, u64), DecodeError> {
    let content = ContentId::from_bytes(list.required(CONTENT, "content id")?.array()?);
    let offset = list.optional(OFFSET, "content offset")?.map(|field| field.u64()).transpose()?;
    Ok((content, offset.unwrap_or(0)))
}

impl PutMeta {
    /// Returns the encoded meta of a put (upload).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // req: STR-084
        let mut list = begin(&self.content, self.offset);
        let _ = list.u64(SIZE, self.size);
        list.finish()
    }

    /// Decodes the meta of a put (upload). Whether the stream is accepted is for the caller to decide.
    ///
    /// # Errors
    /// `FIELD_MISSING`, `FIELD_LENGTH`, and those of [`TlvReader::new`].
    pub fn decode(meta: &[u8]) -> Result<Self, DecodeError> {
        // req: STR-084
        let mut list = TlvReader::new(meta, &[CONTENT, OFFSET, SIZE])?;
        let (content, offset) = read(&mut list)?;
        Ok(Self { content, offset, size: list.required(SIZE, "media size")?.u64()? })
    }
}

impl GetMeta {
    /// Returns the encoded meta of a get (download).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // req: STR-084
        begin(&self.content, self.offset).finish()
    }

    /// Decodes the meta of a get (download).
    ///
    /// # Errors
    /// `FIELD_MISSING`, `FIELD_LENGTH`, and those of [`TlvReader::new`].
    pub fn decode(meta: &[u8]) -> Result<Self, DecodeError> {
        // req: STR-084
        let mut list = TlvReader::new(meta, &[CONTENT, OFFSET])?;
        let (content, offset) = read(&mut list)?;
        Ok(Self { content, offset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn metas_by_example() {
        // req: STR-084
        let content = ContentId::from_bytes([9; 32]);
        let head = [&[1, 32][..], &[9; 32]].concat();
        let put = |offset, size| PutMeta { content, offset, size };
        let get = |offset| GetMeta { content, offset };
        let (offset, size) = ([3, 8, 0, 0, 0, 0, 0, 1, 0, 0], [5, 8, 0, 0, 0, 0, 0, 0, 1, 44]);
        for (meta, tail) in [(put(0, 300), size.to_vec()), (put(65_536, 300), [offset, size].concat())] {
            let bytes = [&head[..], &tail].concat();
            assert_eq!(meta.encode(), bytes);
            assert_eq!(PutMeta::decode(&bytes), Ok(meta));
        }
        for (meta, tail) in [(get(0), &[][..]), (get(65_536), &offset)] {
            let bytes = [&head[..], tail].concat();
            assert_eq!(meta.encode(), bytes);
            assert_eq!(GetMeta::decode(&bytes), Ok(meta));
        }
    }

    #[test]
    fn a_meta_without_a_field_or_with_another_one_is_refused() {
        // req: STR-084
        let get = GetMeta { content: ContentId::from_bytes([9; 32]), offset: 0 }.encode();
        assert_eq!(PutMeta::decode(&get).unwrap_err().code, ErrorCode::FIELD_MISSING);
        assert_eq!(GetMeta::decode(&[]).unwrap_err().code, ErrorCode::FIELD_MISSING);
        let put = PutMeta { content: ContentId::from_bytes([9; 32]), offset: 0, size: 1 }.encode();
        assert_eq!(GetMeta::decode(&put).unwrap_err().code, ErrorCode::UNKNOWN_CRITICAL);
    }
}
