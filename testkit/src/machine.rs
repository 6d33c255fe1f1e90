//! Both machines of the session by the same verbs.

use bytes::BytesMut;
use handfast_codec::Timestamp;
use handfast_session::role::Role;
use handfast_session::testing::{AnyEndpoint, AnyRole};
use handfast_session::{ApiMisuse, Commit, Endpoint, Event, Output, Pairing, PairingEvent, PairingOutput};
use rand_chacha::rand_core::CryptoRng;

/// The machine that a program drives at the moment.
pub enum Driven<'a> {
    None,
    Code(&'a mut Pairing),
    Link(&'a mut dyn AnyRole),
}

/// What either machine says: an output that both have, or an event of a pairing.
#[derive(Debug)]
pub enum Polled {
    Output(Output),
    Pairing(PairingEvent),
}

fn polled(output: PairingOutput) -> Polled {
    Polled::Output(match output {
        PairingOutput::Persist(commit) => Output::Persist(commit),
        PairingOutput::Transmit(bytes) => Output::Transmit(bytes),
        PairingOutput::Connect => Output::Event(Event::Connect),
        PairingOutput::Disconnect => Output::Event(Event::Disconnect),
        PairingOutput::Event(event) => return Polled::Pairing(event),
        PairingOutput::Wait(at) => Output::Wait(at),
        other => panic!("unexpected {other:?}"),
    })
}

/// An [`Endpoint`], a [`Pairing`], or what is one after the other.
pub trait Machine {
    fn driven(&mut self) -> Driven<'_>;

    fn poll(&mut self) -> Polled {
        match self.driven() {
            Driven::None => Polled::Output(Output::Wait(None)),
            Driven::Code(pairing) => polled(pairing.poll_output()),
            Driven::Link(endpoint) => Polled::Output(endpoint.poll_output()),
        }
    }

    fn opened(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        match self.driven() {
            Driven::None => {}
            Driven::Code(pairing) => pairing.handle_opened(now),
            Driven::Link(endpoint) => endpoint.handle_opened(now, rng),
        }
    }

    fn closed(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        match self.driven() {
            Driven::None => {}
            Driven::Code(pairing) => pairing.handle_closed(now),
            Driven::Link(endpoint) => endpoint.handle_closed(now, rng),
        }
    }

    /// # Errors
    /// [`ApiMisuse::NotOpen`]: it has no socket.
    fn received(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        bytes: BytesMut,
    ) -> Result<(), ApiMisuse> {
        match self.driven() {
            Driven::None => Ok(()),
            Driven::Code(pairing) => pairing.handle_bytes(now, rng, bytes),
            Driven::Link(endpoint) => endpoint.handle_bytes(now, rng, bytes),
        }
    }

    fn timed_out(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        match self.driven() {
            Driven::None => {}
            Driven::Code(pairing) => pairing.handle_timeout(now),
            Driven::Link(endpoint) => endpoint.handle_timeout(now, rng),
        }
    }

    fn written(&mut self, now: Timestamp, len: usize) {
        if let Driven::Link(endpoint) = self.driven() {
            endpoint.transmitted(now, len);
        }
    }

    /// # Errors
    /// [`ApiMisuse`]: it is not the oldest open commit.
    fn stored(&mut self, now: Timestamp, commit: Commit) -> Result<(), ApiMisuse> {
        match self.driven() {
            Driven::None => Ok(()),
            Driven::Code(pairing) => pairing.committed(now, commit),
            Driven::Link(endpoint) => endpoint.committed(now, commit),
        }
    }

    fn network_changed(&mut self, now: Timestamp) {
        match self.driven() {
            Driven::None => {}
            Driven::Code(pairing) => pairing.probe(now),
            Driven::Link(endpoint) => endpoint.probe(now),
        }
    }
}

impl<R: Role + 'static> Machine for Endpoint<R> {
    fn driven(&mut self) -> Driven<'_> {
        Driven::Link(self)
    }
}

impl Machine for AnyEndpoint {
    fn driven(&mut self) -> Driven<'_> {
        Driven::Link(&mut **self)
    }
}

impl Machine for Pairing {
    fn driven(&mut self) -> Driven<'_> {
        Driven::Code(self)
    }
}
