//! Tests of two sides whose streams change while a reconnect is under way.

use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::{Frame, OpenKind};
use handfast_codec::limits::STREAM_CREDIT_START;
use handfast_codec::record::{RecordBuilder, decode_record};

use super::{Durable, Streams};
use crate::output::{Event, StreamEnd, StreamEvent};

const ID: u64 = 0;
const LEN: usize = 60_000;
/// The length of a stream that needs many credits, and how much of it is durable at first.
const LONG: usize = 600_000;
const DURABLE: u64 = 100_000;

/// Returns the frames that a side wants to send.
fn said(side: &mut Streams) -> Vec<Frame> {
    let mut frames = Vec::new();
    while side.wants_control() || side.wants_data() {
        let mut record = RecordBuilder::new();
        side.fill_control(&mut record);
        side.fill_data(&mut record);
        let plaintext = record.finish().split_off(2).freeze();
        frames.extend(decode_record(plaintext).unwrap());
    }
    frames
}

/// Passes frames to a side, and returns its events.
fn take(side: &mut Streams, frames: Vec<Frame>) -> Result<Vec<Event>, ErrorCode> {
    let mut events = Vec::new();
    for frame in frames {
        match frame {
            Frame::Open { id, kind, meta } => drop(side.opened(id, kind, meta)?),
            Frame::Data { id, offset, body } => events.extend(side.data(id, offset, body)?),
            Frame::Fin { id, hash } => {
                let fin = side.fin(id, hash)?;
                side.fin_told(id);
                events.extend(fin);
            }
            Frame::Credit { id, offset } => side.credit(id, offset)?,
            Frame::ConnCredit { offset } => side.conn_credit(offset)?,
            Frame::Durable { id, offset } => match side.durable(id, offset)? {
                Some(Durable::Done) => {
                    let _ = side.close(id, None);
                    events.push(Event::Stream(StreamEvent::Ended { id, end: StreamEnd::Done }));
                }
                Some(Durable::Progress) => events.push(Event::Stream(StreamEvent::Durable { id, offset })),
                None => {}
            },
            Frame::Stop { id, code } => {
                if side.close(id, None).is_some() {
                    events.push(Event::Stream(StreamEvent::Ended { id, end: StreamEnd::Stopped(code) }));
                }
            }
            other => panic!("unexpected {other:?}"),
        }
    }
    Ok(events)
}

/// Supplies what a side requests of `LEN` bytes, with the end.
fn supply(side: &mut Streams) {
    supply_of(side, LEN);
}

/// Supplies what a side requests of `len` bytes, with the end.
fn supply_of(side: &mut Streams, len: usize) {
    while let Some(Event::Stream(StreamEvent::DataWanted { id, offset, max })) = side.next_wanted() {
        let from = usize::try_from(offset).unwrap();
        let to = (from + max).min(len);
        let fin = (to == len).then_some([1; 32]);
        side.supply(id, offset, Bytes::from(vec![7; to - from]), fin).unwrap();
    }
}

/// Returns both sides of a put that the receiver knows.
fn offered() -> (Streams, Streams) {
    let (mut sender, mut receiver) = (Streams::default(), Streams::default());
    drop(sender.open(ID, OpenKind::Put, Bytes::new()).unwrap());
    sender.release(ID);
    take(&mut receiver, said(&mut sender)).unwrap();
    (sender, receiver)
}

/// Returns both sides of a put that the receiver has accepted.
fn accepted() -> (Streams, Streams) {
    let (sender, mut receiver) = offered();
    drop(receiver.written(ID, 0).unwrap());
    receiver.written_durable(ID, 0);
    (sender, receiver)
}

/// Returns both sides of a put of which the receiver has every byte, none of them durable, and the FIN.
fn transferred() -> (Streams, Streams) {
    let (mut sender, mut receiver) = accepted();
    take(&mut sender, said(&mut receiver)).unwrap();
    supply(&mut sender);
    let events = take(&mut receiver, said(&mut sender)).unwrap();
    assert!(matches!(events.last(), Some(Event::Stream(StreamEvent::Fin { .. }))));
    (sender, receiver)
}

/// A stream's id, and its offset in a resume block.
type Listed = (u64, u64);

/// Continues both sides from the blocks that they sent. Returns the events of each.
fn reconnect(
    (sender, of_sender): (&mut Streams, &[Listed]),
    (receiver, of_receiver): (&mut Streams, &[Listed]),
) -> (Vec<Event>, Vec<Event>) {
    let (mut at_sender, mut at_receiver) = (Vec::new(), Vec::new());
    let _ = sender.resume(of_sender, of_receiver, &mut at_sender);
    let _ = receiver.resume(of_receiver, of_sender, &mut at_receiver);
    (at_sender, at_receiver)
}

#[test]
fn durable_does_not_go_back() {
    // req: STR-019
    let (mut sender, _) = transferred();
    let durable = |offset| vec![Frame::Durable { id: ID, offset }];
    let progress = Event::Stream(StreamEvent::Durable { id: ID, offset: 30_000 });
    assert_eq!(take(&mut sender, durable(30_000)), Ok(vec![progress.clone()]));
    assert_eq!(take(&mut sender, durable(30_000)), Ok(vec![progress]), "the same once more");
    assert_eq!(take(&mut sender, durable(29_999)), Err(ErrorCode::OFFSET));
}

#[test]
fn what_became_durable_after_the_block_comes_again_and_is_dropped() {
    // req: STR-006, STR-007
    let (mut sender, mut receiver) = transferred();
    let (a, b) = (sender.block(), receiver.block());
    assert_eq!(b, [(ID, 0)]);
    // More becomes durable while the reconnect is under way, though not the end.
    drop(receiver.written(ID, 30_000).unwrap());
    receiver.written_durable(ID, 30_000);
    let (_, events) = reconnect((&mut sender, &a), (&mut receiver, &b));
    assert_eq!(events, [Event::Stream(StreamEvent::Resumed { id: ID, offset: 30_000 })]);
    assert!(said(&mut receiver).iter().all(|f| !matches!(f, Frame::Durable { .. })), "nothing has come yet");
    supply(&mut sender);
    let events = take(&mut receiver, said(&mut sender)).unwrap();
    let new: usize = events
        .iter()
        .map(|e| if let Event::Stream(StreamEvent::Data { bytes, .. }) = e { bytes.len() } else { 0 })
        .sum();
    assert_eq!(new, LEN - 30_000, "only what is new is told");
    assert!(matches!(events.first(), Some(Event::Stream(StreamEvent::Data { offset: 30_000, .. }))));
    let events = take(&mut sender, said(&mut receiver)).unwrap();
    assert_eq!(events, [Event::Stream(StreamEvent::Durable { id: ID, offset: 30_000 })]);
    drop(receiver.written(ID, 60_000).unwrap());
    receiver.written_durable(ID, 60_000);
    let events = take(&mut sender, said(&mut receiver)).unwrap();
    assert_eq!(events, [Event::Stream(StreamEvent::Ended { id: ID, end: StreamEnd::Done })]);
    assert_eq!((sender.iter().count(), receiver.iter().count()), (0, 0));
}

/// Returns both sides of a put of `LONG` bytes of which the receiver has every byte, the first part durable,
/// and the FIN.
fn transferred_long() -> (Streams, Streams) {
    let (mut sender, mut receiver) = accepted();
    let mut events = Vec::new();
    while !matches!(events.last(), Some(Event::Stream(StreamEvent::Fin { .. }))) {
        take(&mut sender, said(&mut receiver)).unwrap();
        supply_of(&mut sender, LONG);
        events.extend(take(&mut receiver, said(&mut sender)).unwrap());
        let came: usize = events
            .iter()
            .map(|e| if let Event::Stream(StreamEvent::Data { bytes, .. }) = e { bytes.len() } else { 0 })
            .sum();
        // The application takes all, and the durable part is far behind.
        let came = u64::try_from(came).unwrap();
        receiver.take(ID, came).unwrap();
        let durable = came.min(DURABLE);
        drop(receiver.written(ID, durable).unwrap());
        receiver.written_durable(ID, durable);
    }
    (sender, receiver)
}

#[test]
fn what_is_durable_far_beyond_the_block_gives_credit() {
    // req: STR-026
    let (mut sender, mut receiver) = transferred_long();
    let (a, b) = (sender.block(), receiver.block());
    assert_eq!(b, [(ID, DURABLE)]);
    // More than the first credit becomes durable while the reconnect is under way.
    let more = DURABLE + 3 * STREAM_CREDIT_START;
    drop(receiver.written(ID, more).unwrap());
    receiver.written_durable(ID, more);
    let (_, events) = reconnect((&mut sender, &a), (&mut receiver, &b));
    assert_eq!(events, [Event::Stream(StreamEvent::Resumed { id: ID, offset: more })]);
    let mut new = 0;
    for _ in 0..8 {
        take(&mut sender, said(&mut receiver)).unwrap();
        supply_of(&mut sender, LONG);
        for event in take(&mut receiver, said(&mut sender)).unwrap() {
            if let Event::Stream(StreamEvent::Data { offset, bytes, .. }) = event {
                assert_eq!(offset, more + new);
                new += u64::try_from(bytes.len()).unwrap();
            }
        }
    }
    assert_eq!(new, STREAM_CREDIT_START, "as much as if what is durable had come on this connection");
}

#[test]
fn what_was_finished_far_beyond_the_block_is_over_for_both() {
    // req: STR-008, STR-013
    // The commit becomes durable before the verdict, or after it.
    for early in [true, false] {
        let (mut sender, mut receiver) = transferred_long();
        let (a, b) = (sender.block(), receiver.block());
        let end = u64::try_from(LONG).unwrap();
        drop(receiver.written(ID, end).unwrap());
        if early {
            receiver.written_durable(ID, end);
        }
        let _ = reconnect((&mut sender, &a), (&mut receiver, &b));
        let mut events = Vec::new();
        for round in 0..40 {
            events.extend(take(&mut sender, said(&mut receiver)).unwrap());
            supply_of(&mut sender, LONG);
            assert_eq!(take(&mut receiver, said(&mut sender)).unwrap(), []);
            if round == 2 && !early {
                receiver.written_durable(ID, end);
            }
        }
        assert_eq!(
            events.last(),
            Some(&Event::Stream(StreamEvent::Ended { id: ID, end: StreamEnd::Done })),
            "{early}"
        );
        assert_eq!((sender.iter().count(), receiver.iter().count()), (0, 0));
    }
}

#[test]
fn content_that_is_there_already_ends_a_put_whatever_was_sent_after_a_resume() {
    // req: STR-012
    for heard in [false, true] {
        let (mut sender, mut receiver) = offered();
        let (a, b) = (sender.block(), receiver.block());
        let have = Frame::Durable { id: ID, offset: 600_000 };
        assert!(receiver.close(ID, Some(have)).is_some());
        let _ = reconnect((&mut sender, &a), (&mut receiver, &b));
        supply_of(&mut sender, LONG);
        let sent = said(&mut sender);
        assert!(matches!(sent.last(), Some(Frame::Data { .. })), "it has credit after a RESUME");
        if heard {
            sender.credit(ID, 70_000).unwrap();
            assert_eq!(take(&mut sender, said(&mut receiver)), Err(ErrorCode::ACK_FUTURE));
            continue;
        }
        let events = take(&mut sender, said(&mut receiver)).unwrap();
        assert_eq!(events, [Event::Stream(StreamEvent::Ended { id: ID, end: StreamEnd::Done })]);
        assert_eq!(take(&mut receiver, sent).unwrap(), []);
    }
}

#[test]
fn what_was_finished_after_the_block_is_answered_when_the_end_comes_again() {
    // req: STR-008
    // The commit becomes durable before the verdict, or only after the end.
    for early in [true, false] {
        let (mut sender, mut receiver) = transferred();
        let (a, b) = (sender.block(), receiver.block());
        drop(receiver.written(ID, 60_000).unwrap());
        let (_, events) = reconnect((&mut sender, &a), (&mut receiver, &b));
        assert_eq!(events, [], "the application has finished");
        if early {
            receiver.written_durable(ID, 60_000);
        }
        assert!(receiver.written(ID, 60_000).is_err());
        supply(&mut sender);
        assert_eq!(take(&mut receiver, said(&mut sender)).unwrap(), []);
        if !early {
            assert_eq!(receiver.iter().count(), 1);
            receiver.written_durable(ID, 60_000);
        }
        let events = take(&mut sender, said(&mut receiver)).unwrap();
        assert_eq!(events, [Event::Stream(StreamEvent::Ended { id: ID, end: StreamEnd::Done })]);
        assert_eq!((sender.iter().count(), receiver.iter().count()), (0, 0));
    }
}

#[test]
fn what_was_finished_before_the_verdict_is_said_again() {
    // req: STR-086
    let (mut sender, mut receiver) = transferred();
    let (a, b) = (sender.block(), receiver.block());
    drop(receiver.written(ID, 60_000).unwrap());
    receiver.written_durable(ID, 60_000);
    let _ = reconnect((&mut sender, &a), (&mut receiver, &b));
    supply(&mut sender);
    // Frames under way for a stream that is closed here are ignored, and the sender learns of the end.
    let sent = said(&mut sender);
    assert_eq!(take(&mut receiver, sent).unwrap(), []);
    let events = take(&mut sender, said(&mut receiver)).unwrap();
    assert_eq!(events, [Event::Stream(StreamEvent::Ended { id: ID, end: StreamEnd::Done })]);
}

#[test]
fn what_was_stopped_after_the_block_is_stopped_for_the_peer_too() {
    // req: STR-086
    for at_sender in [true, false] {
        let (mut sender, mut receiver) = transferred();
        let (a, b) = (sender.block(), receiver.block());
        let stop = Frame::Stop { id: ID, code: ErrorCode::CANCELLED };
        let stopper = if at_sender { &mut sender } else { &mut receiver };
        assert!(stopper.close(ID, Some(stop)).is_some());
        let _ = reconnect((&mut sender, &a), (&mut receiver, &b));
        let (from, to) = if at_sender { (&mut sender, &mut receiver) } else { (&mut receiver, &mut sender) };
        let events = take(to, said(from)).unwrap();
        assert_eq!(
            events,
            [Event::Stream(StreamEvent::Ended { id: ID, end: StreamEnd::Stopped(ErrorCode::CANCELLED) })]
        );
    }
}

#[test]
fn what_one_block_alone_lists_is_lost_and_what_none_lists_goes_on() {
    // req: STR-013
    let (mut sender, mut receiver) = transferred();
    let (a, b) = (sender.block(), receiver.block());
    drop(sender.open(2, OpenKind::Get, Bytes::new()).unwrap());
    sender.release(2);
    assert_eq!(sender.block(), a, "nobody knows of it");
    let (events, _) = reconnect((&mut sender, &a), (&mut receiver, &[]));
    assert_eq!(events, [Event::Stream(StreamEvent::Ended { id: ID, end: StreamEnd::Lost })]);
    assert!(said(&mut sender).contains(&Frame::Open { id: 2, kind: OpenKind::Get, meta: Bytes::new() }));
    assert_eq!(b.len(), 1);
}

#[test]
fn a_block_beyond_what_was_sent_ends_the_stream() {
    // req: STR-007
    let (mut sender, _) = transferred();
    let block = sender.block();
    let mut events = Vec::new();
    let ops = sender.resume(&block, &[(ID, 60_001)], &mut events);
    assert_eq!(
        (ops.len(), events),
        (1, vec![Event::Stream(StreamEvent::Ended { id: ID, end: StreamEnd::Lost })])
    );
    assert!(said(&mut sender).contains(&Frame::Stop { id: ID, code: ErrorCode::OFFSET }));
}

#[test]
fn what_is_supplied_ahead_is_bounded_over_all_streams() {
    let mut sender = Streams::default();
    for id in 0..16 {
        drop(sender.opened(id, OpenKind::Get, Bytes::new()).unwrap());
    }
    let mut asked = 0;
    while let Some(Event::Stream(StreamEvent::DataWanted { id, offset, max })) = sender.next_wanted() {
        sender.supply(id, offset, Bytes::from(vec![1; max]), None).unwrap();
        asked += max;
    }
    assert_eq!(asked, 262_144);
}
