//! A socket that is waited for or being opened: how long that may take, and what hurries it.

use core::time::Duration;

use handfast_codec::Timestamp;
use handfast_session::Event;
use handfast_testkit::host::{App, Host};
use handfast_testkit::machine::Machine as _;
use handfast_testkit::{Couple, World};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

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

impl<A: App> Client for Host<A> {
    fn at(&mut self, now: Timestamp) -> Vec<Event> {
        self.timeout(now, &mut ChaCha20Rng::seed_from_u64(2));
        let _ = self.drain(now);
        self.events.drain(..).filter(|event| matches!(event, Event::Connect | Event::Disconnect)).collect()
    }

    fn closed(&mut self, now: Timestamp) {
        self.machine.closed(now, &mut ChaCha20Rng::seed_from_u64(3));
        let _ = self.drain(now);
    }

    fn probe(&mut self, now: Timestamp) {
        self.machine.network_changed(now);
        let _ = self.drain(now);
    }
}

/// Each kind of machine, which has just asked for its first socket.
fn clients() -> Vec<(Timestamp, Box<dyn Client>)> {
    let (World { now, phone, web, .. }, code) = (World::linked(14), Couple::new(4).web);
    let mut all: Vec<(Timestamp, Box<dyn Client>)> =
        vec![(now, Box::new(phone)), (now, Box::new(web)), (now, Box::new(code))];
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
