//! Content that the runner's web puts at the phone under test.

use anyhow::{Result, anyhow};
use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::OpenKind;
use handfast_codec::stream_meta::PutMeta;
use handfast_media::{ContentHasher, Outgoing, Source};
use handfast_session::{Commit, CompanionEndpoint, StreamEvent};

/// The content, in memory.
#[derive(Debug)]
struct Memory(Bytes);

impl Source for Memory {
    fn read_at(&mut self, offset: u64, len: usize) -> Result<Bytes, ErrorCode> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let to = from.saturating_add(len);
        (to <= self.0.len()).then(|| self.0.slice(from..to)).ok_or(ErrorCode::GONE)
    }
}

/// A put that runs.
#[derive(Debug)]
pub(super) struct Upload {
    id: u64,
    outgoing: Outgoing<Memory>,
    /// How many bytes the phone was given.
    sent: usize,
}

impl Upload {
    /// Opens the stream. The commit opens it.
    pub(super) fn open(
        now: Timestamp,
        endpoint: &mut CompanionEndpoint,
        content: Bytes,
    ) -> Result<(Self, Commit)> {
        let mut hasher = ContentHasher::new();
        hasher.update(&content);
        let list = hasher.finish();
        let meta = PutMeta { content: list.content_id(), offset: 0, size: list.size() }.encode();
        let opened = endpoint.stream_open(now, OpenKind::Put, meta.into())?;
        let outgoing = Outgoing::new(&list, 0, Memory(content)).map_err(|code| anyhow!("{code}"))?;
        Ok((Self { id: opened.id, outgoing, sent: 0 }, opened.commit))
    }

    /// Supplies what the phone wants. Returns what is told of the end.
    pub(super) fn handle(
        &mut self,
        now: Timestamp,
        endpoint: &mut CompanionEndpoint,
        event: &StreamEvent,
    ) -> Result<Option<String>> {
        match event {
            StreamEvent::DataWanted { id, offset, max } if *id == self.id => {
                let (bytes, fin) = self.outgoing.read(*offset, *max).map_err(|code| anyhow!("{code}"))?;
                self.sent += bytes.len();
                endpoint.stream_supply(now, *id, *offset, bytes, fin)?;
                Ok(None)
            }
            StreamEvent::Ended { id, end } if *id == self.id => {
                Ok(Some(format!("put {end:?}, {} bytes given", self.sent)))
            }
            _ => Ok(None),
        }
    }
}
