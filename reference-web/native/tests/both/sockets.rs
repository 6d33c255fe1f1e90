//! What the two programs want of their sockets, and what the relay sends to them.

use bytes::{Bytes, BytesMut};
use handfast::host::Application as _;
use handfast_programs::Progress;
use handfast_testkit::relay::{Said, SocketId};
use reference_phone::app::{AppEvent as PhoneEvent, AppOutput as PhoneOutput};
use reference_web::app::{AppEvent, AppOutput as WebOutput};

use super::{Both, Owner};

impl Both {
    fn open(&mut self, owner: Owner) {
        let socket = self.relay.open(self.now, None, &mut self.rng);
        let _ = self.sockets.insert(socket, owner);
        let times = self.times();
        match owner {
            Owner::Phone(tag) => {
                self.phone.as_mut().unwrap().host().handle_opened(times.mono, &mut self.rng, tag);
            }
            Owner::Web(tag) => {
                self.web.as_mut().unwrap().host().handle_opened(times.mono, &mut self.rng, tag);
            }
        }
    }

    fn socket_of(&self, owner: Owner) -> Option<SocketId> {
        self.sockets.iter().find(|(_, of)| **of == owner).map(|(id, _)| *id)
    }

    fn transmit(&mut self, owner: Owner, bytes: Bytes) {
        if let Some(id) = self.socket_of(owner) {
            self.relay.handle_frame(self.now, id, bytes);
        }
    }

    fn disconnect(&mut self, owner: Owner) {
        if let Some(id) = self.socket_of(owner) {
            let _ = self.sockets.remove(&id);
            self.relay.handle_closed(self.now, id);
        }
    }

    pub(super) fn pump_phone(&mut self) -> bool {
        let times = self.times();
        let Some(phone) = &mut self.phone else { return false };
        let settled = phone.settle(times, &mut self.rng).unwrap();
        assert_eq!(settled.failure, None);
        let moved = !settled.outputs.is_empty();
        for output in settled.outputs {
            match output {
                PhoneOutput::Connect { socket, .. } => self.open(Owner::Phone(socket)),
                PhoneOutput::Transmit { socket, bytes } => {
                    let len = bytes.len();
                    self.transmit(Owner::Phone(socket), bytes);
                    self.phone.as_mut().unwrap().host().handle_written(times.mono, socket, len);
                }
                PhoneOutput::Disconnect { socket } => self.disconnect(Owner::Phone(socket)),
                PhoneOutput::Event(PhoneEvent::Scan(step)) => self.asked.push_back(step),
                PhoneOutput::Event(event) => self.phone_events.push(event),
            }
        }
        moved
    }

    pub(super) fn pump_web(&mut self) -> bool {
        let now = self.now;
        let Some(web) = &mut self.web else { return false };
        let settled = web.settle(now, &mut self.rng).unwrap();
        assert_eq!(settled.failure, None);
        let moved = !settled.outputs.is_empty();
        for output in settled.outputs {
            match output {
                WebOutput::Connect { socket, .. } => self.open(Owner::Web(socket)),
                WebOutput::Transmit { socket, bytes } => {
                    let len = bytes.len();
                    self.transmit(Owner::Web(socket), bytes);
                    self.web.as_mut().unwrap().host().handle_written(now, socket, len);
                }
                WebOutput::Disconnect { socket } => self.disconnect(Owner::Web(socket)),
                // Tens of thousands of them in a first sync.
                WebOutput::Event(AppEvent::Message { .. }) => {}
                WebOutput::Event(AppEvent::Export { content, out }) => {
                    let web = self.web.as_mut().unwrap();
                    let made = web.store().media().export(content, out.as_ref(), &Progress::default());
                    web.exported(content, &out, made.map_err(|error| error.to_string())).unwrap();
                }
                WebOutput::Event(event) => self.events.push(event),
            }
        }
        (self.each_round)(&self.network);
        moved
    }

    pub(super) fn pump_relay(&mut self) -> bool {
        let (mut moved, times) = (false, self.times());
        while let Some(said) = self.relay.take() {
            moved = true;
            match said {
                Said::Frame(to, frame) => {
                    let bytes = BytesMut::from(&*frame);
                    match self.sockets.get(&to) {
                        Some(Owner::Phone(tag)) => {
                            self.phone.as_mut().unwrap().host().handle_bytes(
                                times.mono,
                                &mut self.rng,
                                *tag,
                                bytes,
                            );
                        }
                        Some(Owner::Web(tag)) => {
                            let rng = self.web_keys.as_mut().unwrap_or(&mut self.rng);
                            self.web.as_mut().unwrap().host().handle_bytes(times.mono, rng, *tag, bytes);
                        }
                        None => {}
                    }
                }
                Said::Closed(socket) => match self.sockets.remove(&socket) {
                    Some(Owner::Phone(tag)) => {
                        self.phone.as_mut().unwrap().host().handle_closed(
                            times.mono,
                            &mut self.rng,
                            tag,
                            "closed",
                        );
                    }
                    Some(Owner::Web(tag)) => {
                        self.web.as_mut().unwrap().host().handle_closed(
                            times.mono,
                            &mut self.rng,
                            tag,
                            "closed",
                        );
                    }
                    None => {}
                },
            }
        }
        moved
    }
}
