//! Content: its id, its chunk list, and the streams over which it goes.

use std::sync::{Mutex, PoisonError};

use handfast::ErrorCode;
use handfast::codec::frame::OpenKind;
use handfast::codec::stream_meta::{GetMeta, PutMeta};
use handfast::media;
use handfast::session::StreamInfo;

/// Builds the chunk list of content, which is read once, in order.
#[derive(Debug, Default, uniffi::Object)]
pub struct ContentHasher(Mutex<media::ContentHasher>);

/// Content that was hashed.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct HashedContent {
    /// The content id, 32 bytes.
    pub content: Vec<u8>,
    /// The chunk list, to be stored with the content.
    pub list: Vec<u8>,
}

#[uniffi::export]
impl ContentHasher {
    /// Creates a hasher that has seen no bytes.
    #[uniffi::constructor]
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the content.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a slice would be another type than other bytes in Kotlin"
    )]
    pub fn update(&self, bytes: Vec<u8>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).update(&bytes);
    }

    /// Returns what was hashed, and begins anew.
    #[must_use]
    pub fn finish(&self) -> HashedContent {
        let list = core::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).finish();
        HashedContent { content: list.content_id().as_bytes().to_vec(), list: list.encode() }
    }
}

/// A stream over which content comes or is sent.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Stream {
    /// The stream's id on this link.
    pub id: u64,
    /// The content id; absent if the peer's description of the content cannot be read. Then stop the stream.
    pub content: Option<Vec<u8>>,
    /// The content's size in bytes, which a put states.
    pub size: Option<u64>,
    /// Whether the content comes to this side.
    pub is_incoming: bool,
    /// Whether this side has opened the stream.
    pub is_own: bool,
    /// Whether a part of what comes is stored, so that the stream goes on with its stored chunk list.
    pub has_begun: bool,
}

impl Stream {
    pub(crate) fn new(info: &StreamInfo) -> Self {
        let (content, size) = match info.kind {
            OpenKind::Get => (GetMeta::decode(&info.meta).ok().map(|meta| meta.content), None),
            OpenKind::Put => match PutMeta::decode(&info.meta) {
                Ok(meta) => (Some(meta.content), Some(meta.size)),
                Err(_) => (None, None),
            },
        };
        Self {
            id: info.id,
            content: content.map(|content| content.as_bytes().to_vec()),
            size,
            is_incoming: info.local == (info.kind == OpenKind::Get),
            is_own: info.local,
            has_begun: info.durable > 0,
        }
    }
}

/// Why a program stops a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum StopReason {
    /// The user does not want it any more.
    Cancelled,
    /// The application does not take this content.
    Refused,
    /// The content is not here.
    Gone,
    /// The same content comes over another stream, or too many streams are open.
    Busy,
    /// There is no room for the content.
    Full,
    /// The content cannot be read or written.
    Failed,
}

impl From<StopReason> for ErrorCode {
    fn from(reason: StopReason) -> Self {
        match reason {
            StopReason::Cancelled => Self::CANCELLED,
            StopReason::Refused => Self::REFUSED,
            StopReason::Gone => Self::GONE,
            StopReason::Busy => Self::TOO_MANY_STREAMS,
            StopReason::Full => Self::FULL,
            StopReason::Failed => Self::IO,
        }
    }
}
