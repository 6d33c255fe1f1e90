//! A socket that is waited for or being opened: how long that may take, and what hurries it.

use core::time::Duration;

use crate::world::World;
use handfast_codec::role::DeviceRole;
use handfast_codec::{RelayName, Timestamp};
use handfast_handshake::pairing::Claims;
use handfast_session::pairing::{KeysInUse, ShownCodes};
use handfast_session::{Event, Output, Pairing};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const ROLES: [DeviceRole; 2] = [DeviceRole::Phone, DeviceRole::Web];
const SECOND: Duration = Duration::from_secs(1);
/// The longest wait before a socket is asked for.
const MINUTE: Duration = Duration::from_mins(1);

/// A device's machine and its sockets, of which none opens by itself.
trait Client {
    /// Lets time come to `now`. Returns what is asked of the driver.
    fn at(&mut self, now: Timestamp) -> Vec<Event>;
    fn closed(&mut self, now: Timestamp);
    fn probe(&mut self, now: Timestamp);
}

struct Linked {
    world: World,
    role: DeviceRole,
}

impl Client for Linked {
    fn at(&mut self, now: Timestamp) -> Vec<Event> {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let device = self.world.device(self.role);
        device.timeout(now, &mut rng);
        let _ = device.drain(now);
        device.events.drain(..).filter(|event| matches!(event, Event::Connect | Event::Disconnect)).collect()
    }

    fn closed(&mut self, now: Timestamp) {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        self.world.device(self.role).endpoint.handle_closed(now, &mut rng);
    }

    fn probe(&mut self, now: Timestamp) {
        let device = self.world.device(self.role);
        device.endpoint.probe(now);
        let _ = device.drain(now);
    }
}

impl Client for Pairing {
    fn at(&mut self, now: Timestamp) -> Vec<Event> {
        self.handle_timeout(now);
        let mut asked = Vec::new();
        loop {
            match self.poll_output() {
                Output::Event(event @ (Event::Connect | Event::Disconnect)) => asked.push(event),
                Output::Wait(_) => return asked,
                _ => {}
            }
        }
    }

    fn closed(&mut self, now: Timestamp) {
        self.handle_closed(now);
    }

    fn probe(&mut self, now: Timestamp) {
        Self::probe(self, now);
    }
}

fn code(now: Timestamp) -> Pairing {
    let claims = Claims { label: "Page".into(), origin: "https://relay.example".into(), grants: 1 };
    let relay = RelayName::parse("relay.example").unwrap();
    Pairing::web(
        relay,
        claims,
        &ShownCodes::default(),
        KeysInUse::none(),
        now,
        &mut ChaCha20Rng::seed_from_u64(4),
    )
    .unwrap()
}

/// Each kind of machine, which has just asked for its first socket.
fn clients() -> Vec<(Timestamp, Box<dyn Client>)> {
    let mut all: Vec<(Timestamp, Box<dyn Client>)> = Vec::new();
    for role in ROLES {
        let world = World::linked(14);
        all.push((world.now, Box::new(Linked { world, role })));
    }
    let now = Timestamp::from_micros(1_000_000);
    all.push((now, Box::new(code(now))));
    for (now, client) in &mut all {
        assert_eq!(client.at(*now), [Event::Connect]);
    }
    all
}

/// A client whose sockets failed so often that it waits for long. Returns the time at which the last one failed.
fn waiting(mut now: Timestamp, client: &mut dyn Client) -> Timestamp {
    for _ in 0..20 {
        client.closed(now);
        // What is waited is drawn anew each time.
        if client.at(now.plus(5 * SECOND)).is_empty() {
            return now;
        }
        now = now.plus(5 * SECOND);
    }
    panic!("it never waits");
}

#[test]
fn a_socket_that_does_not_open_is_given_up() {
    // req: TIM-014
    for (start, mut client) in clients() {
        assert_eq!(client.at(start.plus(Duration::from_micros(14_999_999))), []);
        assert_eq!(client.at(start.plus(15 * SECOND)), [Event::Disconnect]);
        // As one that is lost: the next is asked for after the back-off.
        assert_eq!(client.at(start.plus(15 * SECOND + MINUTE)), [Event::Connect]);
    }
}

#[test]
fn at_an_event_of_the_network_a_socket_that_is_being_opened_has_five_seconds_left() {
    // req: TIM-014
    for (start, mut client) in clients() {
        let event = start.plus(2 * SECOND);
        client.probe(event);
        assert_eq!(client.at(event.plus(Duration::from_micros(4_999_999))), []);
        assert_eq!(client.at(event.plus(5 * SECOND)), [Event::Disconnect]);
    }
    // However many come, it does not get more.
    for (start, mut client) in clients() {
        for second in 0..15 {
            client.probe(start.plus(second * SECOND));
        }
        assert_eq!(client.at(start.plus(5 * SECOND)), [Event::Disconnect]);
    }
}

#[test]
fn at_an_event_of_the_network_a_socket_that_is_waited_for_is_asked_for() {
    // req: TIM-013
    for (start, mut client) in clients() {
        let now = waiting(start, &mut *client).plus(5 * SECOND);
        client.probe(now);
        assert_eq!(client.at(now), [Event::Connect]);
    }
}
