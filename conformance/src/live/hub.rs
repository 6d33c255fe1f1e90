//! The runner's own relay, over real WebSockets on loopback: to the program under test a relay, to the runner's other
//! end a queue. It carries DATA between both seats of a mailbox, and lies when a case asks it to.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use handfast_codec::ids::{AttachmentId, MailboxId};
use handfast_codec::relay::{Attach, Attached, DataKind, MailboxProof, Peer, PeerInfo, RelayFrame};
use handfast_codec::role::DeviceRole;
use handfast_codec::{RelayName, Versions, signed};
use handfast_handshake::identity;
use handfast_handshake::link::mailbox;
use tungstenite::protocol::WebSocket;
use tungstenite::{Error, Message};

use crate::peer::hello;

/// How long a program may take to upgrade a socket that it has opened.
const UPGRADE_MAX: Duration = Duration::from_secs(5);

/// Who is at the other end of a client of the relay.
enum Wire {
    Program(Box<WebSocket<TcpStream>>),
    /// The runner's other end: what it has to read.
    Runner(VecDeque<Bytes>),
}

struct Client {
    id: u64,
    wire: Wire,
    nonce: [u8; 32],
    seat: Option<(MailboxId, DeviceRole)>,
}

/// What came from a socket.
enum Read {
    Message(Bytes),
    End,
}

/// What becomes of the next DATA frame of a kind that the program or the runner sends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// One bit in its middle is another.
    Flipped,
    /// It never arrives.
    Lost,
}

/// The relay.
pub(super) struct Hub {
    listener: TcpListener,
    /// Where programs find it; its relay name too.
    pub(super) name: RelayName,
    /// What HELLO says, if it is another name.
    pub(super) says: Option<RelayName>,
    clients: Vec<Client>,
    next_id: u64,
    planned: Vec<(DeviceRole, DataKind, Fate)>,
    /// DATA that arrived, with its sender's role.
    pub(super) carried: Vec<(DeviceRole, DataKind, Bytes)>,
    /// How many claims to a seat the program has made.
    pub(super) claims: usize,
    /// How many of its sockets it has given up before it claimed a seat.
    pub(super) unclaimed: usize,
    /// For how long the next socket of the program is told to stay away.
    pub(super) refuses_for: Option<Duration>,
    /// When the last socket was told so.
    refused_at: Option<Instant>,
    /// How long the program then stayed away.
    pub(super) stayed_away: Option<Duration>,
    /// What the program did that no relay bears.
    pub(super) fault: Option<String>,
}

fn attachment(id: u64) -> AttachmentId {
    AttachmentId::from_bytes(id.to_be_bytes())
}

impl Hub {
    pub(super) fn new() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let name = RelayName::parse(&listener.local_addr()?.to_string())?;
        Ok(Self {
            listener,
            name,
            says: None,
            clients: Vec::new(),
            next_id: 1,
            planned: Vec::new(),
            carried: Vec::new(),
            claims: 0,
            unclaimed: 0,
            refuses_for: None,
            refused_at: None,
            stayed_away: None,
            fault: None,
        })
    }

    /// Lets the next DATA of this kind from this role have another fate.
    pub(super) fn plan(&mut self, from: DeviceRole, kind: DataKind, fate: Fate) {
        self.planned.push((from, kind, fate));
    }

    /// Whether what was planned has happened.
    pub(super) fn is_done(&self) -> bool {
        self.planned.is_empty()
    }

    /// Takes what has come: new sockets, frames, ends. Returns whether there was anything.
    pub(super) fn poll(&mut self) -> bool {
        let mut any = false;
        while let Ok((stream, _)) = self.listener.accept() {
            any = true;
            if let Some(at) = self.refused_at.take() {
                self.stayed_away = Some(at.elapsed());
            }
            if let Some(time) = self.refuses_for.take() {
                let _ = refuse(stream, time);
                self.refused_at = Some(Instant::now());
            } else if let Some(ws) = upgraded(stream) {
                let _ = self.admit(Wire::Program(Box::new(ws)));
            }
        }
        let ids: Vec<u64> = self.clients.iter().map(|client| client.id).collect();
        for id in ids {
            while let Some(read) = self.read(id) {
                any = true;
                match read {
                    Read::Message(bytes) => self.take(id, bytes),
                    Read::End => self.close(id),
                }
            }
        }
        any
    }

    /// What has come from a program's socket, if anything has.
    fn read(&mut self, id: u64) -> Option<Read> {
        let client = self.clients.iter_mut().find(|client| client.id == id)?;
        let Wire::Program(ws) = &mut client.wire else { return None };
        loop {
            match ws.read() {
                Ok(Message::Binary(bytes)) => return Some(Read::Message(bytes)),
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                Ok(Message::Text(_)) => {
                    self.fault = Some("it sends text; a WebSocket message must be binary".to_owned());
                    return Some(Read::End);
                }
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return None,
                Ok(Message::Close(_)) | Err(_) => return Some(Read::End),
            }
        }
    }

    fn admit(&mut self, wire: Wire) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let mut nonce = [5; 32];
        nonce[..8].copy_from_slice(&id.to_be_bytes());
        self.clients.push(Client { id, wire, nonce, seat: None });
        let hello = hello(self.says.as_ref().unwrap_or(&self.name).as_str(), Versions::RELAY);
        self.send(id, &hello);
        self.send(id, &RelayFrame::Challenge(nonce));
        id
    }

    /// A socket of the runner's other end.
    pub(super) fn open(&mut self) -> u64 {
        self.admit(Wire::Runner(VecDeque::new()))
    }

    pub(super) fn is_open(&self, id: u64) -> bool {
        self.clients.iter().any(|client| client.id == id)
    }

    /// The next frame for the runner's other end.
    pub(super) fn next_for(&mut self, id: u64) -> Option<Bytes> {
        match &mut self.clients.iter_mut().find(|client| client.id == id)?.wire {
            Wire::Runner(frames) => frames.pop_front(),
            Wire::Program(_) => None,
        }
    }

    /// Ends a socket; the other seat is told.
    pub(super) fn close(&mut self, id: u64) {
        let Some(at) = self.clients.iter().position(|client| client.id == id) else { return };
        let mut client = self.clients.swap_remove(at);
        if let Wire::Program(ws) = &mut client.wire {
            self.unclaimed += usize::from(client.seat.is_none());
            let _ = ws.close(None);
            let _ = ws.flush();
        }
        if let Some((mailbox, role)) = client.seat
            && let Some(other) = self.seated(mailbox, !role)
        {
            self.send(other, &RelayFrame::Peer(Peer::Down));
        }
    }

    /// Whether the program has a socket.
    pub(super) fn has_program(&self) -> bool {
        self.clients.iter().any(|client| matches!(client.wire, Wire::Program(_)))
    }

    /// Ends every socket, as a relay does that is started anew.
    pub(super) fn cut(&mut self) {
        self.clients.clear();
    }

    fn seated(&self, mailbox: MailboxId, role: DeviceRole) -> Option<u64> {
        let holds = |client: &&Client| client.seat == Some((mailbox, role));
        self.clients.iter().find(holds).map(|client| client.id)
    }

    fn send(&mut self, id: u64, frame: &RelayFrame) {
        let Some(client) = self.clients.iter_mut().find(|client| client.id == id) else { return };
        match &mut client.wire {
            Wire::Runner(frames) => frames.push_back(frame.encode()),
            Wire::Program(ws) => {
                let _ = ws.send(Message::Binary(frame.encode()));
            }
        }
    }

    /// Says something to the program in this role's seat, as if it had come from the peer or the relay itself.
    pub(super) fn say(&mut self, role: DeviceRole, frame: &RelayFrame) {
        let of_program = |client: &&Client| {
            matches!(client.wire, Wire::Program(_)) && client.seat.is_some_and(|(_, of)| of == role)
        };
        if let Some(id) = self.clients.iter().find(of_program).map(|client| client.id) {
            self.send(id, frame);
        }
    }

    /// A frame came from a client.
    pub(super) fn take(&mut self, id: u64, bytes: Bytes) {
        let frame = match RelayFrame::decode(bytes) {
            Ok(frame) => frame,
            Err(error) => {
                self.fault = Some(format!("it sends a frame that a relay refuses with {}", error.code()));
                return self.close(id);
            }
        };
        match frame {
            RelayFrame::Attach(attach) => self.attach(id, &attach),
            RelayFrame::Ping(token) => self.send(id, &RelayFrame::Pong(token)),
            RelayFrame::Sticky { .. } => self.send(id, &frame),
            RelayFrame::Data { kind, body } => self.carry(id, kind, body),
            _ => {}
        }
    }

    fn attach(&mut self, id: u64, attach: &Attach) {
        let Some(client) = self.clients.iter_mut().find(|client| client.id == id) else { return };
        let (key, right) = match &attach.proof {
            MailboxProof::Pairing { key } => (key, attach.mailbox),
            MailboxProof::Link { phone_key, web_key, salt } => {
                let own = if attach.role == DeviceRole::Phone { phone_key } else { web_key };
                (own, mailbox(phone_key, web_key, salt))
            }
        };
        let kind = attach.proof.kind();
        let tbs = signed::attach_tbs(&self.name, kind, attach.role, &attach.mailbox, &client.nonce);
        let is_proven = identity::verify(key.as_bytes(), &tbs, &attach.signature).is_ok();
        let is_of_program = matches!(client.wire, Wire::Program(_));
        if !is_proven || right != attach.mailbox {
            self.fault = Some("its ATTACH does not prove the seat that it claims".to_owned());
            return self.close(id);
        }
        let place = (attach.mailbox, attach.role);
        client.seat = Some(place);
        self.claims += usize::from(is_of_program);
        // A seat has one holder: the one who proved it last.
        self.clients.retain(|client| client.id == id || client.seat != Some(place));
        let info = |of: u64| PeerInfo { id: attachment(of), same_net: Some(true), origin: None };
        let other = self.seated(attach.mailbox, !attach.role);
        let attached =
            Attached { own: attachment(id), peer: other.map(info), phone_sticky: None, web_sticky: None };
        self.send(id, &RelayFrame::Attached(attached));
        if let Some(other) = other {
            self.send(other, &RelayFrame::Peer(Peer::Up(info(id))));
        }
    }

    fn carry(&mut self, id: u64, kind: DataKind, mut body: Bytes) {
        let Some((mailbox, role)) =
            self.clients.iter().find(|client| client.id == id).and_then(|client| client.seat)
        else {
            self.fault = Some("it sends DATA before it has a seat".to_owned());
            return self.close(id);
        };
        self.carried.push((role, kind, body.clone()));
        let planned = self.planned.iter().position(|(from, of, _)| (*from, *of) == (role, kind));
        match planned.map(|at| self.planned.remove(at).2) {
            Some(Fate::Lost) => return,
            Some(Fate::Flipped) => {
                let mut bytes = body.to_vec();
                let middle = bytes.len() / 2;
                if let Some(byte) = bytes.get_mut(middle) {
                    *byte ^= 1;
                }
                body = bytes.into();
            }
            None => {}
        }
        if let Some(other) = self.seated(mailbox, !role) {
            self.send(other, &RelayFrame::Data { kind, body });
        }
    }
}

/// Answers an upgrade with status 503, and with how long the relay wants to be left alone.
fn refuse(mut stream: TcpStream, time: Duration) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(UPGRADE_MAX))?;
    // The whole request is read, since closing a socket with unread bytes would take the answer back.
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? > 0 {
        head.extend_from_slice(&byte);
    }
    let seconds = time.as_secs();
    write!(
        stream,
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: {seconds}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

fn upgraded(stream: TcpStream) -> Option<WebSocket<TcpStream>> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(UPGRADE_MAX)).ok()?;
    let ws = tungstenite::accept(stream).ok()?;
    ws.get_ref().set_nonblocking(true).ok()?;
    Some(ws)
}
