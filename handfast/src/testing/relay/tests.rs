//! The relay of tests beside the core of the reference relay: the same frames lead to the same answers.

use handfast_codec::ids::Salt;
use handfast_codec::relay::{Attach, DataKind, MailboxProof};
use handfast_codec::signed;
use handfast_handshake::identity::SigningKey;
use handfast_handshake::link;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use reference_relay::core;

use super::*;

const BOOT: BootId = BootId::from_bytes([7; 16]);

fn name() -> RelayName {
    RelayName::parse("127.0.0.1:8787").unwrap()
}

/// Where a client has attached.
type Attachment = Option<(MailboxKind, DeviceRole)>;

/// Both relays, and the clients of two link mailboxes and a pairing mailbox.
struct Both {
    now: Timestamp,
    small: Relay,
    real: core::Relay,
    rng: ChaCha8Rng,
    /// The open sockets, with the nonce of each, and where it has attached.
    open: Vec<(SocketId, [u8; 32], Attachment)>,
    sockets: u64,
    compared: usize,
}

impl Both {
    fn new(seed: u64) -> Self {
        Self {
            now: Timestamp::from_micros(1_000_000),
            small: Relay::new(name(), BOOT),
            real: core::Relay::new(name(), BOOT, core::Limits::default()),
            rng: ChaCha8Rng::seed_from_u64(seed),
            open: Vec::new(),
            sockets: 0,
            compared: 0,
        }
    }

    fn below(&mut self, max: u64) -> u64 {
        self.rng.next_u64() % max
    }

    fn open(&mut self) {
        self.sockets += 1;
        let (socket, mut nonce) = (self.sockets, [0; 32]);
        self.rng.fill_bytes(&mut nonce);
        let id = AttachmentId::from_bytes(socket.to_be_bytes());
        self.small.handle_open(self.now, socket, nonce, id);
        let fresh = core::Fresh { nonce, id };
        let source = [127, 0, 0, 1].into();
        self.real.handle_open(self.now, core::SocketId::new(socket), source, None, fresh).unwrap();
        self.open.push((socket, nonce, None));
    }

    fn attach(&mut self, nonce: &[u8; 32]) -> Bytes {
        let keys = [1, 2].map(|seed| SigningKey::from_bytes([seed; 32]));
        let salt = Salt::from_bytes([u8::try_from(self.below(2)).unwrap(); 16]);
        let role = if self.below(2) == 0 { DeviceRole::Phone } else { DeviceRole::Web };
        let [phone_key, web_key] = keys.each_ref().map(SigningKey::attach_key);
        let key = if role == DeviceRole::Phone { &keys[0] } else { &keys[1] };
        let (mailbox, proof) = if self.below(4) == 0 {
            (MailboxId::from_bytes([9; 16]), MailboxProof::Pairing { key: key.attach_key() })
        } else {
            let mailbox = link::mailbox(&phone_key, &web_key, &salt);
            (mailbox, MailboxProof::Link { phone_key, web_key, salt })
        };
        let tbs = signed::attach_tbs(&name(), proof.kind(), role, &mailbox, nonce);
        let version = 1;
        RelayFrame::Attach(Attach { version, role, mailbox, proof, signature: key.sign(&tbs) }).encode()
    }

    /// A frame of a client, mostly one that it may send.
    fn frame(&mut self, nonce: &[u8; 32], seat: Attachment) -> Bytes {
        let role = if self.below(2) == 0 { DeviceRole::Phone } else { DeviceRole::Web };
        let body = Bytes::from(vec![self.rng.next_u64().to_be_bytes()[0]; 20]);
        match self.below(12) {
            // The real one lets no phone come to a code whose page has spoken already.
            0..6 if seat == Some((MailboxKind::Pairing, DeviceRole::Web)) => {
                RelayFrame::Pong([1; 8]).encode()
            }
            0..6 if seat.is_some() => RelayFrame::Data { kind: DataKind::RECORD, body }.encode(),
            0..9 if seat.is_none() => self.attach(nonce),
            6 | 7 => RelayFrame::Sticky { role, value: body }.encode(),
            8 => RelayFrame::Wake(Wake::Ask(body)).encode(),
            9 => RelayFrame::Pong([1; 8]).encode(),
            10 => RelayFrame::Ping([2; 8]).encode(),
            _ => Bytes::from_static(&[99, 1, 2]),
        }
    }

    fn act(&mut self) {
        self.now = self.now.plus(Duration::from_millis(self.rng.next_u64() % 400));
        let at = usize::try_from(self.below(6)).unwrap();
        let Some((socket, nonce, seat)) = self.open.get(at).copied() else { return self.open() };
        if self.below(15) == 0 {
            let _ = self.open.remove(at);
            self.small.handle_closed(socket);
            self.real.handle_closed(self.now, core::SocketId::new(socket));
        } else {
            let frame = self.frame(&nonce, seat);
            if let Ok(RelayFrame::Attach(attach)) = RelayFrame::decode(frame.clone()) {
                self.open[at].2 = Some((attach.proof.kind(), attach.role));
            }
            self.small.handle_frame(socket, frame.clone());
            self.real.handle_frame(self.now, core::SocketId::new(socket), frame);
        }
    }

    /// Compares what both want, but for the PINGs of their own and for what a seat that changes hands means to
    /// its former holder: that is told so by the real one alone, which waits for its answer.
    fn compare(&mut self) {
        let mut real = Vec::new();
        let mut replaced = Vec::new();
        loop {
            match self.real.poll_output() {
                core::Output::Send(to, frame) => {
                    self.real.transmitted(to, 1, frame.len());
                    match RelayFrame::decode(frame.clone()).unwrap() {
                        RelayFrame::Ping(_) => {}
                        RelayFrame::Error { code: ErrorCode::REPLACED, .. } => replaced.push(to.as_u64()),
                        _ => real.push(Action::Send(to.as_u64(), frame)),
                    }
                }
                core::Output::Close(socket, ErrorCode::REPLACED) => replaced.push(socket.as_u64()),
                core::Output::Close(socket, _) => real.push(Action::Close(socket.as_u64())),
                core::Output::Wait(_) => break,
            }
        }
        assert_eq!(self.small.take_actions(), real);
        self.compared += real.len();
        // Such a socket says nothing more here: its connection was cut, and the relay hears of it now.
        for socket in replaced {
            self.open.retain(|(open, ..)| *open != socket);
            self.small.handle_closed(socket);
            self.real.handle_closed(self.now, core::SocketId::new(socket));
            self.compare();
        }
        self.open.retain(|(open, ..)| !real.contains(&Action::Close(*open)));
    }
}

#[test]
fn the_same_frames_lead_to_the_same_answers_as_at_the_reference_relay() {
    let mut compared = 0;
    for seed in 0..60 {
        let mut both = Both::new(seed);
        for _ in 0..400 {
            both.act();
            both.compare();
        }
        compared += both.compared;
    }
    assert!(compared > 10_000, "{compared} answers");
}

#[test]
fn every_socket_is_pinged_when_it_is_due() {
    let mut relay = Relay::new(name(), BOOT);
    let now = Timestamp::from_micros(5);
    relay.handle_open(now, 1, [0; 32], AttachmentId::from_bytes([1; 8]));
    assert_eq!(relay.take_actions().len(), 2);
    let due = relay.deadline().unwrap();
    assert_eq!(due, now.plus(PING_INTERVAL));
    relay.handle_timeout(due);
    assert_eq!(relay.take_actions(), [Action::Send(1, RelayFrame::Ping([0; 8]).encode())]);
    assert_eq!(relay.deadline(), Some(due.plus(PING_INTERVAL)));
}
