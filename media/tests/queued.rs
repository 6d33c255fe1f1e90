//! Transfers whose caller reads and stores in the background.

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::ContentId;
use handfast_media::{
    ChunkList, ContentHasher, MediaReceiver, QueuedIncoming, QueuedOutgoing, StoreStep, SupplyStep, SyncStep,
    WRITE_LEN,
};

const CHUNK: usize = 65_536;

fn content(len: usize) -> (ChunkList, Vec<u8>) {
    let content: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let mut hasher = ContentHasher::new();
    hasher.update(&content);
    (hasher.finish(), content)
}

fn offset(len: usize) -> u64 {
    u64::try_from(len).unwrap()
}

/// A receiver and what its caller has stored.
struct Page {
    incoming: QueuedIncoming,
    content: ContentId,
    written: Vec<u8>,
    buffered: u64,
    sync: Option<SyncStep>,
    list: Option<ChunkList>,
    /// The stream offset that was reported last.
    reported: u64,
}

impl Page {
    fn new(content: ContentId, from: usize) -> Self {
        let incoming = QueuedIncoming::new(content, offset(from), None).unwrap();
        let written = vec![0; from];
        Self { incoming, content, written, buffered: 0, sync: None, list: None, reported: 0 }
    }

    /// Takes bytes, and writes what is handed out.
    fn take(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
        self.incoming.take(bytes)?;
        self.work()
    }

    fn work(&mut self) -> Result<(), ErrorCode> {
        while let Some(step) = self.incoming.next_step()? {
            match step {
                StoreStep::Buffered(to) => self.buffered = to,
                StoreStep::Write { at, bytes } => {
                    let at = usize::try_from(at).unwrap();
                    assert!(
                        at.is_multiple_of(CHUNK) && at <= self.written.len(),
                        "in order, by chunks: {at}"
                    );
                    self.written.truncate(at);
                    self.written.extend(bytes);
                }
                StoreStep::Sync(step) => assert_eq!(self.sync.replace(step), None, "one sync at a time"),
            }
        }
        Ok(())
    }

    /// Ends the sync under way, if there is one. Returns whether the whole content was reported.
    fn sync(&mut self) -> bool {
        let Some(step) = self.sync.take() else { return false };
        assert!(step.offset <= offset(self.written.len()), "only what was written is synced");
        if let Some(report) = self.incoming.report() {
            assert!(report >= self.reported);
            self.reported = report;
            self.list = step.list.or(self.list.take());
        }
        let is_whole = self.incoming.synced();
        assert!(step.is_whole || !is_whole);
        self.work().unwrap();
        is_whole
    }
}

#[test]
fn only_checked_content_is_handed_out_whatever_the_cuts_and_the_end_with_fin_alone() {
    // req: STR-006, STR-010, STR-018
    for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 200_000] {
        let (list, content) = content(len);
        let stream = [list.encode(), content.clone()].concat();
        for step in [50, 16_000, 70_000, 1_000_000] {
            let mut page = Page::new(list.content_id(), 0);
            for part in stream.chunks(step) {
                page.take(part).unwrap();
                assert!(page.written.len() == len || page.written.len().is_multiple_of(CHUNK));
                assert!(!page.sync(), "nobody said that it ends");
            }
            assert!(content.starts_with(&page.written));
            page.incoming.fin(*list.content_id().as_bytes());
            page.work().unwrap();
            assert!(page.sync(), "{len} by {step}");
            assert!(page.written == content, "{len} by {step}");
            assert_eq!((page.reported, page.list), (list.stream_len(), Some(list.clone())));
        }
    }
}

#[test]
fn more_is_requested_at_once_and_nothing_is_reported_before_the_list_is_complete() {
    let (list, content) = content(200_000);
    let stream = [list.encode(), content].concat();
    let mut page = Page::new(list.content_id(), 0);
    page.take(&stream[..50]).unwrap();
    assert_eq!((page.buffered, page.sync.clone()), (50, None));
    page.take(&stream[50..list.encode().len()]).unwrap();
    let came = list.encoded_len();
    let first = SyncStep { offset: 0, size: 200_000, list: Some(list), is_whole: false };
    assert_eq!((page.buffered, page.sync), (came, Some(first)));
}

#[test]
fn a_damaged_chunk_and_an_end_too_early_are_refused_and_not_handed_out() {
    // req: STR-008, STR-010
    let (list, content) = content(200_000);
    let mut stream = [list.encode(), content.clone()].concat();
    let mut page = Page::new(list.content_id(), 0);
    page.take(&stream[..stream.len() - 1]).unwrap();
    assert!(!page.sync());
    page.incoming.fin(*list.content_id().as_bytes());
    assert_eq!(page.incoming.next_step(), Err(ErrorCode::HASH));
    let at = list.encode().len() + CHUNK + 5;
    stream[at] ^= 1;
    let mut page = Page::new(list.content_id(), 0);
    let refused = stream.chunks(16_000).try_for_each(|part| {
        page.take(part)?;
        let _ = page.sync();
        Ok(())
    });
    assert_eq!(refused, Err(ErrorCode::HASH));
    assert!(page.written == content[..CHUNK], "{} bytes", page.written.len());
}

#[test]
fn while_a_sync_is_under_way_content_is_handed_out_in_large_pieces() {
    let piece = usize::try_from(WRITE_LEN).unwrap();
    let (list, content) = content(3 * piece);
    let mut page = Page::new(list.content_id(), 0);
    // The list alone is synced first.
    page.take(&list.encode()).unwrap();
    for part in content.chunks(16_000) {
        page.take(part).unwrap();
        assert!(page.written.len().is_multiple_of(piece), "{} bytes", page.written.len());
    }
    assert!(page.written == content);
}

#[test]
fn a_stream_continues_after_what_was_reported_and_a_sync_from_before_reports_nothing() {
    // req: STR-006, STR-007
    let (list, content) = content(300_000);
    let stream = [list.encode(), content.clone()].concat();
    for cut in [60, list.encode().len(), 70_000, 150_000, stream.len()] {
        let mut page = Page::new(list.content_id(), 0);
        for part in stream[..cut].chunks(16_000) {
            page.take(part).unwrap();
            // The last sync is still under way when the connection is lost.
            if page.incoming.report().is_some_and(|report| report < offset(cut / 2)) {
                assert!(!page.sync());
            }
        }
        let durable = page.reported;
        page.incoming.resume(durable).unwrap();
        let _ = page.sync();
        assert_eq!(page.reported, durable, "cut at {cut}");
        for part in stream[usize::try_from(durable).unwrap()..].chunks(16_000) {
            page.take(part).unwrap();
            assert!(!page.sync());
        }
        page.incoming.fin(*list.content_id().as_bytes());
        page.work().unwrap();
        assert!(page.sync());
        assert_eq!((page.written, page.list), (content.clone(), Some(list.clone())));
    }
}

#[test]
fn a_restarted_program_continues_with_the_stored_list_and_a_later_stream_at_a_chunk() {
    // req: STR-007, STR-010
    let (list, content) = content(300_000);
    let id = list.content_id();
    let stream = [list.encode(), content[CHUNK..].to_vec()].concat();
    let durable = list.encode().len() + CHUNK;
    let mut page = Page::new(id, CHUNK);
    page.written.extend_from_slice(&content[CHUNK..2 * CHUNK]);
    page.incoming = QueuedIncoming::new(id, offset(CHUNK), Some(list.clone())).unwrap();
    page.incoming.resume(offset(durable)).unwrap();
    page.take(&stream[durable..]).unwrap();
    page.incoming.fin(*id.as_bytes());
    page.work().unwrap();
    assert!(page.sync());
    assert_eq!(page.written[CHUNK..], content[CHUNK..]);
    assert_eq!(page.list, None, "it is stored already");
    // Without the list, or with that of other content, nothing can be checked.
    let other = ChunkList::decode(&[0; 8]).unwrap();
    for stored in [None, Some(other)] {
        let mut unlisted = QueuedIncoming::new(page.content, 0, stored).unwrap();
        assert_eq!(unlisted.resume(offset(durable)), Err(ErrorCode::IO));
        assert_eq!(unlisted.resume(0), Ok(()), "nothing of the stream is here");
    }
    assert_eq!(QueuedIncoming::new(id, 1, None).err(), Some(ErrorCode::OFFSET));
}

/// Reads for a stream that is sent, and passes on what it supplies. Returns the bytes that were read.
fn send(
    outgoing: &mut QueuedOutgoing,
    content: &[u8],
    max: usize,
    mut at: u64,
    to: &mut MediaReceiver,
) -> usize {
    let mut read = 0;
    loop {
        outgoing.want(at, max);
        let fin = loop {
            match outgoing.next_step().unwrap().unwrap() {
                SupplyStep::Read { at, len } => {
                    let from = usize::try_from(at).unwrap();
                    let part = &content[from..][..usize::try_from(len).unwrap()];
                    read += part.len();
                    outgoing.provide(Bytes::copy_from_slice(part)).unwrap();
                }
                SupplyStep::Supply { offset: from, bytes, fin } => {
                    assert!(from == at && bytes.len() <= max);
                    let _ = to.take(&bytes).unwrap();
                    at += offset(bytes.len());
                    break fin;
                }
            }
        };
        assert_eq!(outgoing.next_step(), Ok(None), "only what is wanted is supplied");
        if fin.is_some() {
            return read;
        }
    }
}

#[test]
fn each_byte_that_is_sent_is_read_once() {
    for (len, from) in [(0, 0), (1, 0), (CHUNK, CHUNK), (700_000, 0), (700_000, 5 * CHUNK)] {
        let (list, content) = content(len);
        for max in [1_000, 65_536, 1_000_000] {
            let mut outgoing = QueuedOutgoing::new(&list, offset(from)).unwrap();
            let mut receiver = MediaReceiver::new(list.content_id(), offset(from)).unwrap();
            assert_eq!(send(&mut outgoing, &content, max, 0, &mut receiver), len - from);
            assert!(receiver.is_complete(), "{len} from {from} by {max}");
            assert_eq!(outgoing.progress(list.encoded_len() + 7), offset(from + 7));
            assert_eq!(outgoing.progress(3), 0);
        }
    }
}

#[test]
fn a_paused_stream_supplies_nothing_and_a_resumed_one_goes_on_where_it_is_asked() {
    let (list, content) = content(700_000);
    let mut outgoing = QueuedOutgoing::new(&list, 0).unwrap();
    outgoing.want(0, 1_000);
    outgoing.set_paused(true);
    assert_eq!(outgoing.next_step(), Ok(None));
    outgoing.set_paused(false);
    assert!(matches!(outgoing.next_step(), Ok(Some(SupplyStep::Supply { offset: 0, .. }))));
    outgoing.want(list.encoded_len(), 1_000);
    assert_eq!(outgoing.next_step(), Ok(Some(SupplyStep::Read { at: 0, len: 262_144 })));
    // The connection is lost while the caller reads.
    outgoing.resume();
    let durable = list.encoded_len() + 5 * offset(CHUNK);
    let receiver = MediaReceiver::resume(list.content_id(), list.clone(), 0, durable);
    outgoing.provide(Bytes::copy_from_slice(&content[..1_000])).unwrap();
    assert_eq!(outgoing.next_step(), Ok(None));
    let mut receiver = receiver.unwrap();
    assert_eq!(send(&mut outgoing, &content, 65_536, durable, &mut receiver), 700_000 - 5 * CHUNK);
    assert!(receiver.is_complete());
    // Content that has become shorter ends the stream.
    outgoing.want(list.encoded_len(), 1_000);
    assert!(matches!(outgoing.next_step(), Ok(Some(SupplyStep::Read { .. }))));
    assert_eq!(outgoing.provide(Bytes::new()), Err(ErrorCode::IO));
}
