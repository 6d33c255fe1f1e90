//! The relay's real core, in memory.

use std::collections::VecDeque;

use bytes::Bytes;
use handfast_codec::ids::{AttachmentId, BootId};
use handfast_codec::{RelayName, Timestamp};
use rand_chacha::rand_core::CryptoRng;
pub use reference_relay::core::SocketId;
use reference_relay::core::{Fresh, Limits, Output, Relay};

/// The name under which codes and links know it.
pub const NAME: &str = "127.0.0.1:8787";

/// Returns the name under which codes and links know the relay.
pub fn name() -> RelayName {
    RelayName::parse(NAME).unwrap()
}

/// What the relay wants of a socket.
#[derive(Clone, Debug)]
pub enum Said {
    Frame(SocketId, Bytes),
    Closed(SocketId),
}

/// A relay, and how many sockets were opened to it.
pub struct Hub {
    name: RelayName,
    core: Relay,
    sockets: u64,
    said: VecDeque<Said>,
    deadline: Option<Timestamp>,
}

impl Hub {
    /// Returns a relay that says this name.
    pub fn new(name: RelayName) -> Self {
        let core = Self::start(&name);
        Self { name, core, sockets: 0, said: VecDeque::new(), deadline: None }
    }

    fn start(name: &RelayName) -> Relay {
        Relay::new(name.clone(), BootId::from_bytes([7; 16]), Limits::default())
    }

    /// Ends it and starts it again: it has forgotten everything.
    pub fn restart(&mut self) {
        self.core = Self::start(&self.name);
        self.said.clear();
    }

    /// Opens a socket, as a browser at `origin` does if there is one.
    pub fn open(&mut self, now: Timestamp, origin: Option<&str>, rng: &mut dyn CryptoRng) -> SocketId {
        let (mut nonce, mut id) = ([0; 32], [0; 8]);
        rng.fill_bytes(&mut nonce);
        rng.fill_bytes(&mut id);
        self.sockets += 1;
        let socket = SocketId::new(self.sockets);
        let fresh = Fresh { nonce, id: AttachmentId::from_bytes(id) };
        self.core.handle_open(now, socket, [127, 0, 0, 1].into(), origin.map(str::to_owned), fresh).unwrap();
        socket
    }

    pub fn handle_frame(&mut self, now: Timestamp, socket: SocketId, frame: Bytes) {
        self.core.handle_frame(now, socket, frame);
    }

    pub fn handle_closed(&mut self, now: Timestamp, socket: SocketId) {
        self.core.handle_closed(now, socket);
    }

    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.core.handle_timeout(now);
    }

    /// Takes the next thing that it wants of a socket.
    pub fn take(&mut self) -> Option<Said> {
        self.drain();
        self.said.pop_front()
    }

    /// Returns when it wants to be woken: at once, if it still has something to say.
    pub fn deadline(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.drain();
        if self.said.is_empty() { self.deadline } else { Some(now) }
    }

    /// The one loop over the relay's outputs.
    fn drain(&mut self) {
        loop {
            match self.core.poll_output() {
                Output::Send(to, frame) => {
                    self.core.transmitted(to, 1, frame.len());
                    self.said.push_back(Said::Frame(to, frame));
                }
                Output::Close(socket, _) => self.said.push_back(Said::Closed(socket)),
                Output::Wait(at) => {
                    self.deadline = at;
                    return;
                }
            }
        }
    }
}
