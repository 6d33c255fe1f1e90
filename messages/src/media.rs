//! Media descriptors: what a message says about media content.

use alloc::string::String;
use alloc::vec::Vec;

use handfast_codec::DecodeError;
use handfast_codec::ids::ContentId;
use handfast_codec::limits::{MEDIA_NAME_LEN_MAX, MEDIA_TYPE_LEN_MAX};
use handfast_codec::tlv::{Field, TlvReader, TlvWriter};

const KNOWN: [u64; 4] = [1, 3, 5, 7];

/// A description of media content. It does not contain the content's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of version 1")]
pub struct MediaDescriptor {
    /// The content id.
    pub content: ContentId,
    /// The size, in bytes.
    pub size: u64,
    /// The media type, 1 to 64 bytes.
    pub media_type: String,
    /// The file name, 0 to 128 bytes. It is untrusted, so never use it as a path.
    pub name: String,
}

impl MediaDescriptor {
    /// Returns the encoded descriptor.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = TlvWriter::new();
        let _ = w
            .bytes(1, self.content.as_bytes())
            .varint(3, self.size)
            .bytes(5, self.media_type.as_bytes())
            .bytes(7, self.name.as_bytes());
        w.finish()
    }

    /// Decodes a descriptor.
    ///
    /// # Errors
    /// The faults of a TLV list and its fields.
    pub fn decode(input: &[u8]) -> Result<Self, DecodeError> {
        Self::read_list(TlvReader::new(input, &KNOWN)?)
    }

    pub(super) fn read(field: &Field<'_>) -> Result<Self, DecodeError> {
        Self::read_list(TlvReader::at(field.as_slice(), field.at(), &KNOWN)?)
    }

    // req: MSG-034
    fn read_list(mut r: TlvReader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            content: ContentId::from_bytes(r.required(1, "content id")?.array()?),
            size: r.required(3, "media size")?.varint()?,
            media_type: r.required(5, "media type")?.text(1, MEDIA_TYPE_LEN_MAX)?,
            name: r.required(7, "media name")?.text(0, MEDIA_NAME_LEN_MAX)?,
        })
    }
}
