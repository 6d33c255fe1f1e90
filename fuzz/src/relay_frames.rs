//! Frames of the relay.

use bytes::Bytes;
use handfast_codec::limits::{ORIGIN_LEN_MAX, RELAY_FRAME_LEN_MAX, STICKY_LEN_MAX};
use handfast_codec::relay::{Peer, PeerInfo, RelayFrame, data_kind};

use crate::walk;

/// Reads the bytes as one WebSocket message.
///
/// # Panics
/// When a frame that is accepted is not the only form of its value, is over a limit, or when a fault lies outside of the
/// bytes.
pub fn run(data: &[u8]) {
    let input = Bytes::copy_from_slice(data);
    let decoded = RelayFrame::decode(input.clone());
    let kind = match &decoded {
        Ok(RelayFrame::Data { kind, .. }) => Some(*kind),
        _ => None,
    };
    assert_eq!(data_kind(data), kind, "a look at the kind says what decoding says");
    let frame = match decoded {
        Ok(frame) => frame,
        Err(error) => {
            assert!(error.at <= data.len() && error.code.is_known(), "a fault lies in the frame: {error}");
            return;
        }
    };
    assert!(data.len() <= RELAY_FRAME_LEN_MAX, "a frame has a maximum");
    check_limits(&frame);
    let again = frame.encode();
    assert!(again.len() <= data.len(), "a value is not longer than its bytes");
    if walk::relay_frame_ignores(data) {
        assert_eq!(RelayFrame::decode(again), Ok(frame), "what is ignored changes nothing");
    } else {
        assert_eq!(again, input, "accepted bytes are the only ones of their value");
    }
}

fn check_limits(frame: &RelayFrame) {
    match frame {
        RelayFrame::Sticky { value, .. } => {
            assert!(value.len() <= STICKY_LEN_MAX, "a sticky value has a maximum");
        }
        RelayFrame::Attached(attached) => {
            attached.peer.iter().for_each(check_peer);
            for sticky in [&attached.phone_sticky, &attached.web_sticky].into_iter().flatten() {
                assert!((1..=STICKY_LEN_MAX).contains(&sticky.len()), "a sticky value has a maximum");
            }
        }
        RelayFrame::Peer(Peer::Up(info)) => check_peer(info),
        _ => {}
    }
}

fn check_peer(info: &PeerInfo) {
    assert!(
        info.origin.as_ref().is_none_or(|origin| origin.len() <= ORIGIN_LEN_MAX),
        "an origin has a maximum"
    );
}
