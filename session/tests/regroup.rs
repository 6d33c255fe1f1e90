//! Where frames stand in records means nothing: any placing gives the same events and effects.

use bytes::Bytes;
use handfast_codec::DeviceRole;
use handfast_codec::frame::{Collection, Frame, OpenKind};
use handfast_session::{Event, SyncEvent};
use handfast_testkit::commands;
use handfast_testkit::evil::Evil;
use proptest::prelude::*;

/// What an honest web may send, by a choice and the numbers that count up.
fn frames(choices: &[u8]) -> Vec<Frame> {
    let (mut seq, mut stream, mut collection) = (0_u64, 0_u64, 0_u8);
    let mut frames = Vec::new();
    for choice in choices {
        frames.push(match choice % 5 {
            0 => Frame::Ping { id: seq, rev: 0 },
            1 => {
                seq += 1;
                let body = commands::command(u8::try_from(seq).unwrap(), 1, &[*choice]);
                Frame::Msg { seq, part: 0, last: 0, body }
            }
            2 => {
                // An honest web subscribes to each once (SYN-081).
                collection += 1;
                Frame::Since { collection: Collection::new(&[collection]).unwrap(), cursor: 0 }
            }
            3 => Frame::Now { slot: u64::from(*choice), body: Bytes::copy_from_slice(&[*choice]) },
            _ => {
                stream += 2;
                Frame::Open { id: stream, kind: OpenKind::Put, meta: Bytes::copy_from_slice(&[*choice]) }
            }
        });
    }
    frames
}

/// What came of it: events, effects, open streams.
type Outcome = (Vec<Event>, Vec<(u64, Vec<u8>)>, usize);

/// Sends the frames with record boundaries at these places.
fn outcome(frames: &[Frame], cuts: &[bool]) -> Outcome {
    let mut evil = Evil::against(DeviceRole::Phone);
    let mut record = Vec::new();
    for (at, frame) in frames.iter().enumerate() {
        record.push(frame.clone());
        if cuts.get(at).copied().unwrap_or(false) {
            evil.send(&std::mem::take(&mut record));
        }
    }
    evil.send(&record);
    assert_eq!(evil.failure(), None);
    // Questions to the application depend on when it was asked last; what the peer did does not.
    let events = evil
        .device
        .events
        .iter()
        .filter(|e| !matches!(e, Event::Sync(SyncEvent::DeltaWanted { .. } | SyncEvent::DigestWanted { .. })))
        .cloned();
    (events.collect(), evil.device.disk.effects.clone(), evil.device.machine.streams().len())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_placing_of_frames_into_records_gives_the_same_events(
        choices in proptest::collection::vec(any::<u8>(), 1..16),
        cuts in proptest::collection::vec(any::<bool>(), 16),
        other in proptest::collection::vec(any::<bool>(), 16),
    ) {
        let frames = frames(&choices);
        prop_assert_eq!(outcome(&frames, &cuts), outcome(&frames, &other));
    }
}
