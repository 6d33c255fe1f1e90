//! The bodies of frames: for each frame its length, its encoding and its decoding.

use alloc::vec::Vec;

use bytes::{BufMut, Bytes};

use super::{Collection, Frame, FrameType, Items, OpenKind, PageCursor};
use crate::error::{DecodeError, ErrorCode};
use crate::ids::Signature;
use crate::limits::{
    DATA_LEN_MAX, MSG_PART_LEN_MAX, MSG_PARTS_MAX, NOW_LEN_MAX, STREAM_META_LEN_MAX, SUBSCRIPTIONS_MAX,
};
use crate::parse::Cursor;
use crate::varint::{put_varint, varint_len};

fn sum<const N: usize>(lengths: [usize; N]) -> usize {
    lengths.into_iter().fold(0, usize::saturating_add)
}

impl Frame {
    pub(super) fn body_len(&self) -> usize {
        let v = varint_len;
        match self {
            Self::Ping { id, rev } => sum([v(*id), v(*rev)]),
            Self::Pong { id } => v(*id),
            Self::Msg { seq, body, .. } => sum([v(*seq), 2, body.len()]),
            Self::Since { collection, cursor } | Self::DigestGet { collection, cursor } => {
                sum([collection.encoded_len(), v(*cursor)])
            }
            Self::Delta { collection, from, to, items, .. } => {
                sum([collection.encoded_len(), v(*from), v(*to), 2, items.len()])
            }
            Self::SnapshotRequired { collection, rev } => sum([collection.encoded_len(), v(*rev)]),
            Self::PageGet { collection, page } => sum([collection.encoded_len(), page.encoded_len()]),
            Self::Page { collection, page, next, rev, items } => {
                sum([collection.encoded_len(), page.encoded_len(), next.encoded_len(), v(*rev), items.len()])
            }
            Self::Digest { collection, cursor, .. } => sum([collection.encoded_len(), v(*cursor), 32]),
            Self::Ack { durable, cursors } => {
                let entry =
                    |(collection, cursor): &(Collection, u64)| sum([collection.encoded_len(), v(*cursor)]);
                cursors.iter().map(entry).fold(v(*durable), usize::saturating_add)
            }
            Self::Now { slot, body } => sum([v(*slot), body.len()]),
            Self::Open { id, meta, .. } => sum([v(*id), 1, meta.len()]),
            Self::Data { id, offset, body } => sum([v(*id), v(*offset), body.len()]),
            Self::Credit { id, offset } | Self::Durable { id, offset } => sum([v(*id), v(*offset)]),
            Self::Stop { id, .. } => sum([v(*id), 2]),
            Self::Fin { id, .. } => sum([v(*id), 32]),
            Self::ConnCredit { offset } => v(*offset),
            Self::Close { retry_ms, .. } => sum([2, v(*retry_ms)]),
            Self::Revoked { .. } => Signature::LEN,
            Self::Leave { collection } => collection.encoded_len(),
            Self::WebBack => 0,
        }
    }

    /// Returns whether every receiver accepts the frame: no field exceeds its maximum, and no part number the
    /// number of the last part.
    #[must_use]
    pub fn is_within_limits(&self) -> bool {
        match self {
            Self::Msg { seq, part, last, body } => {
                *seq >= 1 && parts_fit(*part, *last) && body.len() <= MSG_PART_LEN_MAX
            }
            Self::Delta { part, last, .. } => parts_fit(*part, *last),
            Self::Ack { cursors, .. } => cursors.len() <= SUBSCRIPTIONS_MAX,
            Self::Now { body, .. } => body.len() <= NOW_LEN_MAX,
            Self::Open { meta, .. } => meta.len() <= STREAM_META_LEN_MAX,
            Self::Data { body, .. } => !body.is_empty() && body.len() <= DATA_LEN_MAX,
            _ => true,
        }
    }

    pub(super) fn write_body(&self, out: &mut impl BufMut) {
        match self {
            Self::Ping { id, rev } => put_varints(out, &[*id, *rev]),
            Self::Pong { id } => put_varint(out, *id),
            Self::Msg { seq, part, last, body } => {
                put_varint(out, *seq);
                out.put_slice(&[*part, *last]);
                out.put_slice(body);
            }
            Self::Since { collection, cursor: number }
            | Self::DigestGet { collection, cursor: number }
            | Self::SnapshotRequired { collection, rev: number } => {
                collection.write(out);
                put_varint(out, *number);
            }
            Self::Delta { collection, from, to, part, last, items } => {
                collection.write(out);
                put_varints(out, &[*from, *to]);
                out.put_slice(&[*part, *last]);
                out.put_slice(items.as_bytes());
            }
            Self::PageGet { collection, page } => {
                collection.write(out);
                page.write(out);
            }
            Self::Page { collection, page, next, rev, items } => {
                collection.write(out);
                page.write(out);
                next.write(out);
                put_varint(out, *rev);
                out.put_slice(items.as_bytes());
            }
            Self::Digest { collection, cursor, digest } => {
                collection.write(out);
                put_varint(out, *cursor);
                out.put_slice(digest);
            }
            Self::Ack { durable, cursors } => {
                put_varint(out, *durable);
                for (collection, cursor) in cursors {
                    collection.write(out);
                    put_varint(out, *cursor);
                }
            }
            Self::Revoked { signature } => out.put_slice(signature.as_bytes()),
            Self::Leave { collection } => collection.write(out),
            _ => self.write_stream_body(out),
        }
    }

    /// Writes the bodies of NOW, CLOSE and the frames about streams.
    fn write_stream_body(&self, out: &mut impl BufMut) {
        match self {
            Self::Now { slot, body } => {
                put_varint(out, *slot);
                out.put_slice(body);
            }
            Self::Open { id, kind, meta } => {
                put_varint(out, *id);
                out.put_u8(match kind {
                    OpenKind::Get => 1,
                    OpenKind::Put => 2,
                });
                out.put_slice(meta);
            }
            Self::Data { id, offset, body } => {
                put_varints(out, &[*id, *offset]);
                out.put_slice(body);
            }
            Self::Credit { id, offset } | Self::Durable { id, offset } => put_varints(out, &[*id, *offset]),
            Self::Stop { id, code } => {
                put_varint(out, *id);
                out.put_u16(code.as_u16());
            }
            Self::Fin { id, hash } => {
                put_varint(out, *id);
                out.put_slice(hash);
            }
            Self::ConnCredit { offset } => put_varint(out, *offset),
            Self::Close { code, retry_ms } => {
                out.put_u16(code.as_u16());
                put_varint(out, *retry_ms);
            }
            _ => {}
        }
    }

    pub(super) fn read_body(kind: FrameType, c: &mut Cursor<'_>, input: &Bytes) -> Result<Self, DecodeError> {
        Ok(match kind {
            // req: FRM-031
            FrameType::PING => Self::Ping { id: c.varint("ping id")?, rev: c.varint("ping rev")? },
            // req: FRM-032
            FrameType::PONG => Self::Pong { id: c.varint("pong id")? },
            // req: FRM-033
            FrameType::MSG => {
                let at = c.offset();
                let seq = c.varint("msg seq")?;
                // req: FRM-011
                if seq == 0 {
                    return Err(DecodeError::new(ErrorCode::FIELD_VALUE, at, "msg seq"));
                }
                let (part, last) = read_parts(c)?;
                Self::Msg { seq, part, last, body: input.slice_ref(c.rest(0, MSG_PART_LEN_MAX, "msg body")?) }
            }
            // req: FRM-034
            FrameType::SINCE => {
                Self::Since { collection: Collection::read(c)?, cursor: c.varint("since cursor")? }
            }
            // req: FRM-035
            FrameType::DELTA => {
                let collection = Collection::read(c)?;
                let (from, to) = (c.varint("delta from")?, c.varint("delta to")?);
                let (part, last) = read_parts(c)?;
                Self::Delta { collection, from, to, part, last, items: Items::read(c, input)? }
            }
            // req: FRM-036
            FrameType::SNAPSHOT_REQUIRED => {
                Self::SnapshotRequired { collection: Collection::read(c)?, rev: c.varint("snapshot rev")? }
            }
            // req: FRM-037
            FrameType::PAGE_GET => {
                Self::PageGet { collection: Collection::read(c)?, page: PageCursor::read(c, input)? }
            }
            // req: FRM-038
            FrameType::PAGE => Self::Page {
                collection: Collection::read(c)?,
                page: PageCursor::read(c, input)?,
                next: PageCursor::read(c, input)?,
                rev: c.varint("page rev")?,
                items: Items::read(c, input)?,
            },
            // req: FRM-039
            FrameType::DIGEST_GET => {
                Self::DigestGet { collection: Collection::read(c)?, cursor: c.varint("digest cursor")? }
            }
            // req: FRM-040
            FrameType::DIGEST => Self::Digest {
                collection: Collection::read(c)?,
                cursor: c.varint("digest cursor")?,
                digest: c.array("digest")?,
            },
            // req: FRM-041
            FrameType::ACK => Self::Ack { durable: c.varint("ack durable")?, cursors: read_cursors(c)? },
            // req: FRM-051
            FrameType::REVOKED => {
                Self::Revoked { signature: Signature::from_bytes(c.array("revoked signature")?) }
            }
            // req: FRM-052
            FrameType::LEAVE => Self::Leave { collection: Collection::read(c)? },
            // req: FRM-053
            FrameType::WEB_BACK => Self::WebBack,
            _ => return Self::read_stream_body(kind, c, input),
        })
    }

    /// Reads the bodies of NOW, CLOSE and the frames about streams.
    fn read_stream_body(kind: FrameType, c: &mut Cursor<'_>, input: &Bytes) -> Result<Self, DecodeError> {
        let code = |c: &mut Cursor<'_>| c.u16("error code").map(ErrorCode::from_u16);
        Ok(match kind {
            // req: FRM-042
            FrameType::NOW => Self::Now {
                slot: c.varint("now slot")?,
                body: input.slice_ref(c.rest(0, NOW_LEN_MAX, "now body")?),
            },
            // req: FRM-043
            FrameType::OPEN => Self::Open {
                id: c.varint("stream id")?,
                kind: read_open_kind(c)?,
                meta: input.slice_ref(c.rest(0, STREAM_META_LEN_MAX, "open meta")?),
            },
            // req: FRM-044
            FrameType::DATA => Self::Data {
                id: c.varint("stream id")?,
                offset: c.varint("data offset")?,
                body: input.slice_ref(c.rest(1, DATA_LEN_MAX, "data body")?),
            },
            // req: FRM-045
            FrameType::CREDIT => {
                Self::Credit { id: c.varint("stream id")?, offset: c.varint("credit offset")? }
            }
            // req: FRM-046
            FrameType::DURABLE => {
                Self::Durable { id: c.varint("stream id")?, offset: c.varint("durable offset")? }
            }
            // req: FRM-047
            FrameType::STOP => Self::Stop { id: c.varint("stream id")?, code: code(c)? },
            // req: FRM-048
            FrameType::FIN => Self::Fin { id: c.varint("stream id")?, hash: c.array("fin hash")? },
            // req: FRM-049
            FrameType::CONN_CREDIT => Self::ConnCredit { offset: c.varint("conn credit offset")? },
            // req: FRM-050
            FrameType::CLOSE => Self::Close { code: code(c)?, retry_ms: c.varint("close retry")? },
            _ => return Err(c.error(ErrorCode::UNKNOWN_CRITICAL, "frame type")),
        })
    }
}

fn put_varints(out: &mut impl BufMut, values: &[u64]) {
    for value in values {
        put_varint(out, *value);
    }
}

fn parts_fit(part: u8, last: u8) -> bool {
    part <= last && usize::from(last) < MSG_PARTS_MAX
}

fn read_parts(c: &mut Cursor<'_>) -> Result<(u8, u8), DecodeError> {
    let start = c.clone();
    let (part, last) = (c.u8("part")?, c.u8("last part")?);
    // req: FRM-023
    if !parts_fit(part, last) {
        return Err(start.error(ErrorCode::FIELD_VALUE, "part"));
    }
    Ok((part, last))
}

fn read_open_kind(c: &mut Cursor<'_>) -> Result<OpenKind, DecodeError> {
    let start = c.clone();
    match c.u8("open kind")? {
        1 => Ok(OpenKind::Get),
        2 => Ok(OpenKind::Put),
        // req: FRM-011
        _ => Err(start.error(ErrorCode::FIELD_VALUE, "open kind")),
    }
}

fn read_cursors(c: &mut Cursor<'_>) -> Result<Vec<(Collection, u64)>, DecodeError> {
    let mut cursors = Vec::new();
    while !c.is_empty() {
        // req: FRM-024
        if cursors.len() == SUBSCRIPTIONS_MAX {
            return Err(c.error(ErrorCode::FIELD_LENGTH, "ack cursors"));
        }
        cursors.push((Collection::read(c)?, c.varint("ack cursor")?));
    }
    Ok(cursors)
}
