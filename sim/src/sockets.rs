//! Between devices and relay: sockets that open, carry frames and close, and the relay's real core at their other end.

use std::net::{IpAddr, Ipv4Addr};

use bytes::{Bytes, BytesMut};
use handfast::Timestamp;
use handfast::codec::ids::AttachmentId;
use handfast::codec::relay::{DataKind, RelayFrame};
use handfast::driver::{SocketError, SocketEvent};
use handfast::host::SocketTag;
use rand_core::Rng;
use reference_relay::core::{Fresh, Output as RelayOutput, SocketId};

use crate::check::tries;
use crate::net::{Conn, LATENCY, Way};
use crate::node::NodeId;
use crate::world::{SimEvent, World, new_relay};

impl World {
    pub(crate) fn connect(&mut self, id: NodeId, tag: SocketTag) {
        self.next_conn += 1;
        let number = self.next_conn;
        let mut conn = Conn::new(id, tag);
        conn.rate = [self.link.map_or(0, |(_, rate)| rate); 2];
        let _ = self.conns.insert(number, conn);
        let _ = self.nodes[id.0].sockets.insert(tag, number);
        let time = self.now + 2 * self.latency();
        self.at(time, SimEvent::Opened(number));
    }

    pub(crate) fn opened(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number).filter(|conn| conn.at_node) else {
            let _ = self.conns.remove(&number);
            return;
        };
        conn.at_relay = true;
        let (id, tag) = (conn.node, conn.tag);
        let (mut nonce, mut attachment) = ([0; 32], [0; 8]);
        self.rng.crypto().fill_bytes(&mut nonce);
        self.rng.crypto().fill_bytes(&mut attachment);
        let fresh = Fresh { nonce, id: AttachmentId::from_bytes(attachment) };
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, u8::try_from(id.0 + 1).unwrap_or(255)));
        let now = Timestamp::from_micros(self.now);
        // Numbers are fresh, and ids of eight random bytes do not meet.
        let _ = self.relay.handle_open(now, SocketId::new(number), address.into(), None, fresh);
        self.nodes[id.0].socket(self.now, tag, SocketEvent::Opened);
        self.go_on(id);
        self.drain_relay();
    }

    /// One way's time for one frame.
    pub fn latency(&mut self) -> u64 {
        self.link.map_or_else(|| self.rng.range(LATENCY.0, LATENCY.1), |(latency, _)| latency)
    }

    pub(crate) fn transmit(&mut self, id: NodeId, tag: SocketTag, bytes: Bytes) -> bool {
        let Some(number) = self.nodes[id.0].sockets.get(&tag).copied() else { return false };
        let len = bytes.len();
        self.watch(id, number, &bytes);
        let latency = self.latency();
        for (extra, bytes) in crate::faults::network::on_frame(self, number, Way::Up, bytes) {
            let now = self.now;
            let Some(conn) = self.conns.get_mut(&number) else { break };
            let time = conn.arrival(Way::Up, now, latency, bytes.len()) + extra;
            self.at(time, SimEvent::Arrive(number, Way::Up, bytes));
        }
        let rate = self.conns.get(&number).map_or(0, |conn| conn.rate[0]);
        if rate > 0 {
            self.gave_ahead(number, len);
            let at = self.conns.get(&number).map_or(0, |conn| conn.last[0]).saturating_sub(latency);
            self.at(at, SimEvent::Written(number, len));
            return false;
        }
        self.nodes[id.0].socket(self.now, tag, SocketEvent::Written(len));
        true
    }

    /// What a device sent is noted.
    fn watch(&mut self, id: NodeId, number: u64, bytes: &Bytes) {
        self.trace.number(self.now);
        self.trace.number(number);
        self.trace.bytes(bytes);
        let now = self.now;
        self.trace.line(now, || {
            format!("{} -> {number}: {}", self.nodes[id.0].name, crate::describe::frame(bytes))
        });
        tries::sent(self, id, bytes);
        if self.healed
            && handfast::codec::relay::data_kind(bytes) == Some(DataKind::KK1)
            && let Some(web) = self.web_of(id)
        {
            *self.ledger.attempts.entry(web).or_default() += 1;
        }
        if let Some(detail) = self.nonces.sent(bytes) {
            self.ledger.violation("nonce-used-once", format!("{}: {detail}", self.nodes[id.0].name));
        }
    }

    pub(crate) fn written(&mut self, number: u64, len: usize) {
        let Some(conn) = self.conns.get_mut(&number).filter(|conn| conn.at_node) else { return };
        conn.ahead = conn.ahead.saturating_sub(len);
        let (id, tag) = (conn.node, conn.tag);
        self.nodes[id.0].socket(self.now, tag, SocketEvent::Written(len));
        self.go_on(id);
    }

    pub(crate) fn disconnect(&mut self, id: NodeId, tag: SocketTag) {
        let Some(number) = self.nodes[id.0].sockets.remove(&tag) else { return };
        if let Some(conn) = self.conns.get_mut(&number) {
            conn.at_node = false;
            if !conn.dead {
                let time = conn.last[0].max(self.now) + 1;
                self.at(time, SimEvent::ClosedUp(number));
            }
        }
    }

    pub(crate) fn closed_up(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        let was = std::mem::take(&mut conn.at_relay);
        if !conn.at_node {
            let _ = self.conns.remove(&number);
        }
        if was {
            self.relay.handle_closed(Timestamp::from_micros(self.now), SocketId::new(number));
            self.drain_relay();
        }
    }

    pub(crate) fn closed_down(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        let (id, tag, was) = (conn.node, conn.tag, std::mem::take(&mut conn.at_node));
        if self.nodes[id.0].asleep_until > self.now {
            conn.at_node = was;
            let at = self.nodes[id.0].asleep_until;
            return self.at(at, SimEvent::ClosedDown(number));
        }
        if !conn.at_relay {
            let _ = self.conns.remove(&number);
        }
        if was {
            self.nodes[id.0].socket(self.now, tag, SocketEvent::Closed(SocketError::Lost));
            self.go_on(id);
        }
    }

    /// Both ends of a socket are told that it is closed.
    pub fn cut(&mut self, number: u64) {
        let now = self.now;
        self.at(now, SimEvent::ClosedUp(number));
        self.at(now, SimEvent::ClosedDown(number));
    }

    pub(crate) fn arrive_up(&mut self, number: u64, bytes: Bytes) {
        if self.conns.get(&number).is_none_or(|conn| !conn.at_relay) {
            return;
        }
        crate::faults::relay::heard(self, number, &bytes);
        let Some(conn) = self.conns.get_mut(&number) else { return };
        let socket = SocketId::new(number);
        if !conn.parked.is_empty() || !self.relay.is_ready(socket) {
            conn.parked.push(bytes);
            return;
        }
        self.relay.handle_frame(Timestamp::from_micros(self.now), socket, bytes);
        self.drain_relay();
    }

    /// The relay reads on where it had stopped, if there is room now.
    fn unpark(&mut self) {
        let waiting: Vec<u64> =
            self.conns.iter().filter(|(_, conn)| !conn.parked.is_empty()).map(|(n, _)| *n).collect();
        for number in waiting {
            while self.relay.is_ready(SocketId::new(number))
                && let Some(conn) = self.conns.get_mut(&number)
                && !conn.parked.is_empty()
            {
                let bytes = conn.parked.remove(0);
                self.relay.handle_frame(Timestamp::from_micros(self.now), SocketId::new(number), bytes);
                self.drain_relay();
            }
        }
    }

    /// Carries out what the relay wants.
    pub fn drain_relay(&mut self) {
        loop {
            match self.relay.poll_output() {
                RelayOutput::Send(socket, frame) => self.send_down(socket.as_u64(), frame),
                RelayOutput::Close(socket, code) => {
                    let number = socket.as_u64();
                    self.trace.line(self.now, || format!("relay closes {number}: {code:?}"));
                    if let Some(conn) = self.conns.get_mut(&number) {
                        conn.at_relay = false;
                        let time = conn.last[1].max(self.now) + 1;
                        if conn.dead && conn.at_node {
                            // Nothing tells the device.
                        } else {
                            self.at(time, SimEvent::ClosedDown(number));
                        }
                    }
                }
                RelayOutput::Wait(at) => {
                    self.relay_wake = at.map(Timestamp::as_micros);
                    return;
                }
            }
        }
    }

    fn send_down(&mut self, number: u64, frame: Bytes) {
        let latency = self.latency();
        let mut left = frame.len();
        self.relay_gave(number, left);
        if !frame.starts_with(&handfast::codec::relay::RECORD_HEADER[..1])
            && let Some(conn) = self.conns.get_mut(&number)
            && let Ok(RelayFrame::Attached(attached)) = RelayFrame::decode(frame.clone())
        {
            conn.own = Some(attached.own);
        }
        for frame in crate::faults::relay::on_frame(self, number, frame) {
            for (extra, bytes) in crate::faults::network::on_frame(self, number, Way::Down, frame) {
                let now = self.now;
                let Some(conn) = self.conns.get_mut(&number) else { return };
                let time = conn.arrival(Way::Down, now, latency, bytes.len()) + extra;
                let slow = conn.rate[1] > 0 || conn.stalled_until > now;
                self.at(time, SimEvent::Arrive(number, Way::Down, bytes));
                if slow {
                    left = 0;
                }
            }
        }
        if left > 0 {
            self.taken(number, left);
        }
    }

    /// A socket took bytes of the relay.
    fn taken(&mut self, number: u64, len: usize) {
        if let Some(conn) = self.conns.get_mut(&number) {
            conn.queued = conn.queued.saturating_sub(len);
        }
        self.relay.transmitted(SocketId::new(number), 1, len);
    }

    pub(crate) fn arrive_down(&mut self, number: u64, bytes: Bytes) {
        let Some(conn) = self.conns.get_mut(&number).filter(|conn| conn.at_node) else { return };
        let (id, tag) = (conn.node, conn.tag);
        let until = conn.stalled_until.max(self.nodes[id.0].asleep_until);
        if until > self.now || !conn.unread.is_empty() {
            if conn.unread.is_empty() {
                self.at(until, SimEvent::Unstall(number));
            }
            if let Some(conn) = self.conns.get_mut(&number) {
                conn.unread.push(bytes);
            }
            return;
        }
        let slow = conn.rate[1] > 0;
        self.trace.number(self.now);
        self.trace.bytes(&bytes);
        let now = self.now;
        self.trace.line(now, || {
            format!("{} <- {number}: {}", self.nodes[id.0].name, crate::describe::frame(&bytes))
        });
        self.nodes[id.0].socket(self.now, tag, SocketEvent::Message(BytesMut::from(&bytes[..])));
        self.go_on(id);
        if slow {
            self.taken(number, bytes.len());
            self.drain_relay();
        }
        self.unpark();
    }

    pub(crate) fn unstall(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        let until = conn.stalled_until.max(self.nodes[conn.node.0].asleep_until);
        if until > self.now {
            return self.at(until, SimEvent::Unstall(number));
        }
        let frames = std::mem::take(&mut conn.unread);
        for bytes in frames {
            let len = bytes.len();
            self.arrive_down(number, bytes);
            self.taken(number, len);
        }
        self.drain_relay();
        self.unpark();
    }

    /// The relay's process ends, and another takes its place.
    pub fn restart_relay(&mut self) {
        self.relay = new_relay(&mut self.rng);
        self.relay_wake = None;
        self.captured.clear();
        let numbers: Vec<u64> = self.conns.keys().copied().collect();
        for number in numbers {
            if let Some(conn) = self.conns.get_mut(&number) {
                conn.at_relay = false;
            }
            self.at(self.now, SimEvent::ClosedDown(number));
        }
    }
}
