//! Input and output of a pairing attempt: relay frames, handshake messages, link records.
//!
//! Nothing here does I/O.

use bytes::{Bytes, BytesMut};
use handfast_codec::error::ErrorCode;
use handfast_codec::link::LinkFrame;
use handfast_codec::record::{RecordBuilder, decode_link_record};
use handfast_codec::relay::{DataKind, RelayFrame};
use handfast_handshake::pairing::PairingContext;
use rand_core::CryptoRng;

use super::event::PairingOutput;
use super::{MESSAGE_MAX, Pairing, Side};
use crate::attach::{AttachEvent, Seat};

impl Pairing {
    pub(super) fn send_data(&mut self, kind: DataKind, body: Bytes) {
        self.out.push_back(PairingOutput::Transmit(RelayFrame::Data { kind, body }.encode()));
    }

    pub(super) fn send_link(&mut self, frame: &LinkFrame) {
        let mut record = RecordBuilder::new();
        let Some(keys) = self.keys.as_mut() else { return };
        if !record.push_link(frame) {
            return;
        }
        let mut record = record.finish();
        if keys.sealer.seal(&mut record).is_ok() {
            self.out.push_back(PairingOutput::Transmit(record.freeze()));
        }
    }

    /// Sends a frame of the caller under the attempt's keys, whatever the rules say of it: tests simulate a
    /// hostile peer this way.
    #[cfg(feature = "testing")]
    pub fn inject(&mut self, frame: &LinkFrame) {
        self.send_link(frame);
    }

    pub(super) fn context(&self) -> Option<PairingContext> {
        let (own, peer) = (self.attach.own()?, self.attach.peer()?.id);
        let relay = self.attach.relay().clone();
        Some(match &self.side {
            Side::Phone(_) => PairingContext { relay, phone: own, web: peer },
            Side::Web(_) => PairingContext { relay, phone: peer, web: own },
        })
    }

    pub(super) fn on_relay_frame(&mut self, rng: &mut dyn CryptoRng, frame: RelayFrame) {
        let seat = Seat::Pairing { key: &self.seat_key };
        match self.attach.frame(self.now, &seat, frame) {
            AttachEvent::None | AttachEvent::Contended(_) | AttachEvent::Wake(_) => {}
            AttachEvent::Send(bytes) => self.out.push_back(PairingOutput::Transmit(bytes)),
            AttachEvent::Attached | AttachEvent::PeerUp => {
                if self.attach.peer().is_some() {
                    self.on_peer(rng);
                } else if let Side::Phone(_) = &self.side {
                    // No companion is attached: its page no longer shows the code. The attempt ends unless
                    // the page comes back within this time.
                    self.wait(MESSAGE_MAX, ErrorCode::CODE_EXPIRED);
                }
            }
            AttachEvent::PeerDown => {
                // Both sides may have stored the link. It is then used later, in the link's own mailbox.
                if self.is_begun() {
                    self.end(ErrorCode::PEER_GONE);
                }
            }
            AttachEvent::Data(kind, body) => self.on_data(rng, kind, body),
            AttachEvent::Refused(code) => self.leave_relay(code),
        }
    }

    /// Leaves a relay that refused this side or broke a rule. The attempt ends, unless only the commit of
    /// ACTIVE is awaited.
    pub(super) fn leave_relay(&mut self, code: ErrorCode) {
        // The peer has stored the link by now, so no relay may make this side lose it.
        // req: HSK-163
        if self.is_settled() {
            self.attach.down_until(None);
            self.out.push_back(PairingOutput::Disconnect);
        } else {
            self.end(code);
        }
    }

    fn on_data(&mut self, rng: &mut dyn CryptoRng, kind: DataKind, body: Bytes) {
        if kind == DataKind::PAIRING {
            // The peer has finished, so only a relay can have sent a later message.
            // req: HSK-086
            if self.is_settled() {
                return;
            }
            match self.side {
                Side::Phone(_) => self.phone_message(&body),
                Side::Web(_) => self.web_message(rng, &body),
            }
        } else if kind == DataKind::RECORD {
            self.on_record(body);
        }
    }

    fn on_record(&mut self, body: Bytes) {
        let Some(keys) = self.keys.as_mut() else { return };
        let frames = match keys.opener.open(BytesMut::from(body)) {
            Ok(plaintext) => decode_link_record(plaintext.freeze()).map_err(|e| e.code()),
            Err(error) => Err(error.code()),
        };
        match frames {
            Ok(frames) => {
                for frame in frames {
                    if self.ended {
                        return;
                    }
                    match (frame, &self.side) {
                        // LINK_CLOSE is not answered: two sides that answer each other's errors would never
                        // stop.
                        // req: ERR-002
                        (LinkFrame::Close { code }, _) => self.closed_by_peer(code),
                        (frame, Side::Phone(_)) => self.phone_link_frame(&frame),
                        (frame, Side::Web(_)) => self.web_link_frame(&frame),
                    }
                }
            }
            Err(code) => self.give_up(code),
        }
    }
}
