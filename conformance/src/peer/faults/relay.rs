//! A relay that is not the one of the link, or breaks the envelope's rules.
#![expect(clippy::too_many_lines, reason = "lists, an entry for each fault")]

use bytes::Bytes;
use handfast_codec::Versions;
use handfast_codec::error::ErrorCode as C;
use handfast_codec::frame::Frame;
use handfast_codec::limits::RELAY_FRAMES_MAX;
use handfast_codec::relay::{Peer as PeerFrame, RelayFrame};

use super::{Fault, both};
use crate::link_keys::RELAY;
use crate::peer::driver::{Peer, Step, hello, wrong};

fn has_not_attached(peer: &mut Peer<'_>) -> Step {
    peer.relay(&RelayFrame::Challenge([5; 32]))?;
    peer.wait(0)?;
    if peer.asked.iter().any(|frame| matches!(frame, RelayFrame::Attach(_))) {
        return wrong("ATTACH must not be sent to this relay, and is");
    }
    Ok(())
}

/// PINGs and frames of a type that no version has, in turn.
fn frames(peer: &mut Peer<'_>, count: u32) -> Step {
    for number in 0..count {
        if number % 2 == 0 {
            peer.relay(&RelayFrame::Ping([6; 8]))?;
        } else {
            peer.give(&[58, 1, 2, 3])?;
        }
    }
    peer.wait(0)
}

pub(super) fn all() -> Vec<Fault> {
    [
        both("relay-of-another-name", "a relay with another name gets no ATTACH", |case| {
            case.opened(&["RLY-006"], |peer| {
                peer.open_socket()?;
                peer.relay(&hello("other.example", Versions::RELAY))?;
                has_not_attached(peer)?;
                peer.is_told("relay RELAY_NAME_MISMATCH")
            })
        }),
        both("relay-of-another-version", "a relay without a shared version gets no ATTACH", |case| {
            case.opened(&["RLY-028"], |peer| {
                let Some(versions) = Versions::new(&[9]) else { return wrong("the runner's own version") };
                peer.open_socket()?;
                peer.relay(&hello(RELAY, versions))?;
                has_not_attached(peer)?;
                peer.is_told("relay RELAY_VERSION")
            })
        }),
        both(
            "relay-frame-unknown-even",
            "a relay frame of an even type that no version has is ignored",
            |case| {
                case.connected(&["RLY-001"], |peer| {
                    peer.give(&[58, 1, 2, 3])?;
                    peer.lives()
                })
            },
        ),
        both(
            "relay-frame-unknown-odd",
            "a relay frame of an odd type that no version has ends the socket",
            |case| {
                case.connected(&["RLY-001"], |peer| {
                    peer.give(&[63, 1, 2, 3])?;
                    peer.wait(0)?;
                    peer.is_told("disconnect")
                })
            },
        ),
        both("relay-ping", "a relay's PING is answered with its token", |case| {
            case.connected(&["RLY-027"], |peer| {
                peer.relay(&RelayFrame::Ping([6; 8]))?;
                peer.wait(0)?;
                if peer.asked.contains(&RelayFrame::Pong([6; 8])) {
                    return Ok(());
                }
                wrong("a PING of the relay must be answered by PONG with the same token")
            })
        }),
        both("relay-frames-at-the-limit", "256 frames other than DATA in each second are taken", |case| {
            case.connected(&["RLY-065"], |peer| {
                for _ in 0..3 {
                    peer.wait(1_000)?;
                    frames(peer, RELAY_FRAMES_MAX)?;
                }
                peer.lives()
            })
        }),
        both(
            "relay-frames-past-the-limit",
            "a relay that sends 257 frames other than DATA in a second",
            |case| {
                case.connected(&["RLY-065"], |peer| {
                    peer.wait(1_000)?;
                    frames(peer, RELAY_FRAMES_MAX)?;
                    peer.is_not_told("disconnect")?;
                    frames(peer, 1)?;
                    peer.is_told("disconnect")
                })
            },
        ),
        both(
            "relay-error-each-code",
            "whatever error a relay gives, the link is kept and no key wiped",
            |case| {
                case.connected(&["HSK-045"], |peer| {
                    for code in C::ALL {
                        peer.again()?;
                        peer.relay(&RelayFrame::Error { code: *code, retry_ms: 0 })?;
                        peer.close_socket()?;
                        match *code {
                            C::REPLACED => peer.is_told("replaced")?,
                            code => peer.is_told(&format!("relay {}", code.name()))?,
                        }
                        peer.is_not_told("revoked")?;
                        peer.is_not_told("diverged")?;
                    }
                    Ok(())
                })
            },
        ),
        both("peer-down", "PEER DOWN ends the connection: no record follows", |case| {
            case.connected(&["CHN-006"], |peer| {
                peer.relay(&RelayFrame::Peer(PeerFrame::Down))?;
                peer.wait(0)?;
                let before = peer.heard.len();
                peer.send(&[Frame::Ping { id: 79, rev: 0 }])?;
                peer.wait(0)?;
                if peer.heard.iter().skip(before).any(|frame| *frame == Frame::Pong { id: 79 }) {
                    return wrong("what arrives after PEER DOWN must not be answered");
                }
                Ok(())
            })
        }),
        both("data-before-attached", "DATA before ATTACHED ends the socket", |case| {
            case.opened(&["RLY-004"], |peer| {
                peer.open_socket()?;
                peer.relay(&hello(RELAY, Versions::RELAY))?;
                let kind = handfast_codec::relay::DataKind::RECORD;
                peer.relay(&RelayFrame::Data { kind, body: Bytes::from_static(&[7; 144]) })?;
                peer.wait(0)?;
                peer.is_not_told("connected")?;
                peer.is_told("disconnect")
            })
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}
