//! Tests of a host with one companion's link, over a store in memory whose commits can fail.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use handfast_codec::ids::{CommandKey, MailboxId};
use handfast_codec::qr::QrOffer;
use handfast_codec::{ErrorCode, RelayName, Timestamp};
use handfast_handshake::pairing::Claims;
use handfast_session::pairing::{KeysInUse, ShownCodes};
use handfast_session::role::Companion;
use handfast_session::testing::Linked;
use handfast_session::{
    Commit, CompanionEndpoint, Event, LinkRows, LinkRowsTxn, Message, Pairing, PairingEvent,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, SeedableRng};

use super::*;

const LINK: MailboxId = MailboxId::from_bytes([1; 16]);
const NOW: Timestamp = Timestamp::from_micros(1_000_000);

#[derive(Debug, PartialEq, Eq)]
enum Failure {
    Disk,
    Damaged,
    Incomplete,
}

impl From<Incomplete> for Failure {
    fn from(_: Incomplete) -> Self {
        Self::Incomplete
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Began,
    Over(bool),
    Stored(usize),
    Failed { links: usize, attempts: usize, untold: usize, pause: Duration },
}

struct App {
    host: HostOf<Self>,
    stored: LinkRows,
    open: Option<LinkRows>,
    /// The error of the next commit, if it is to fail.
    fails: Option<Failure>,
    commits: usize,
    /// The number of passes in which there is something to store.
    passes: usize,
    /// The error at the end of an attempt, if it is to fail.
    over_fails: Option<Failure>,
}

impl Application for App {
    type Role = Companion;
    type Link = ();
    type Attempt = ();
    type Event = Told;
    type Error = Failure;

    fn host(&mut self) -> &mut HostOf<Self> {
        &mut self.host
    }

    fn load(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), Failure> {
        let endpoint = CompanionEndpoint::load(&self.stored, now, rng).unwrap();
        self.host.add_link(Link::new(now, LINK, endpoint, ()));
        Ok(())
    }

    fn run(&mut self, _: Timestamp, _: &mut dyn CryptoRng) -> Result<bool, Failure> {
        if self.passes > 0 {
            self.passes -= 1;
            self.host.event(Told::Began);
            let _ = self.open.get_or_insert_with(|| self.stored.clone());
        }
        Ok(false)
    }

    fn deliver(
        &mut self,
        _: Timestamp,
        _: &mut dyn CryptoRng,
        _: &mut LinkOf<Self>,
        message: Message,
    ) -> Result<(), Failure> {
        panic!("nobody sent {message:?}");
    }

    fn on_event(&mut self, _: Timestamp, _: &mut LinkOf<Self>, event: Event) -> Result<(), Failure> {
        assert!(!matches!(event, Event::Connect | Event::Disconnect), "{event:?}");
        Ok(())
    }

    fn on_pairing_event(
        &mut self,
        _: Timestamp,
        _: &mut AttemptOf<Self>,
        event: PairingEvent,
    ) -> Result<(), Failure> {
        assert_eq!(event, PairingEvent::Ended(ErrorCode::REFUSED), "nobody scanned");
        Ok(())
    }

    fn attempt_over(
        &mut self,
        _: Timestamp,
        _: &mut dyn CryptoRng,
        _: &AttemptOf<Self>,
        ended: Result<MailboxId, ErrorCode>,
    ) -> Result<(), Failure> {
        self.host.event(Told::Over(ended.is_ok()));
        self.over_fails.take().map_or(Ok(()), Err)
    }

    fn apply(&mut self, _: Timestamp, _: Option<&AttemptOf<Self>>, commit: &Commit) -> Result<(), Failure> {
        let open = self.open.get_or_insert_with(|| self.stored.clone());
        commit.apply(&mut LinkRowsTxn::new(open)).map_err(|_| Failure::Damaged)
    }

    fn commit(&mut self, _: Timestamp) -> Result<bool, Failure> {
        let Some(open) = self.open.take() else { return Ok(false) };
        // Only the last of the requested passes fails.
        if self.passes == 0
            && let Some(failure) = self.fails.take()
        {
            return Err(failure);
        }
        self.stored = open;
        self.commits += 1;
        self.host.event(Told::Stored(self.commits));
        Ok(true)
    }

    fn failed(&mut self, _: Timestamp, lost: LostOf<Self>, _: &Failure, pause: Duration) {
        self.open = None;
        let (links, attempts, untold) = (lost.links.len(), lost.attempts.len(), lost.events.len());
        self.host.event(Told::Failed { links, attempts, untold, pause });
    }

    fn is_final(error: &Failure) -> bool {
        *error == Failure::Damaged
    }
}

fn relay() -> RelayName {
    RelayName::parse("127.0.0.1:8787").unwrap()
}

fn app() -> (App, ChaCha20Rng) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (_, stored) = Linked::new(relay(), &mut rng).unwrap().rows();
    let mut app = App {
        host: Host::default(),
        stored,
        open: None,
        fails: None,
        commits: 0,
        passes: 0,
        over_fails: None,
    };
    app.load(NOW, &mut rng).unwrap();
    (app, rng)
}

fn turn(app: &mut App, rng: &mut ChaCha20Rng, now: Timestamp) -> Settled<Told, Failure> {
    app.host.handle_timeout(now, rng);
    settle(app, now, rng).unwrap()
}

fn events(settled: Settled<Told, Failure>) -> Vec<Told> {
    let event = |output| match output {
        Output::Event(event) => Some(event),
        _ => None,
    };
    settled.outputs.into_iter().filter_map(event).collect()
}

fn connects(settled: &Settled<Told, Failure>) -> Vec<SocketTag> {
    let connect = |output: &Output<Told>| match output {
        Output::Connect { socket, .. } => Some(*socket),
        _ => None,
    };
    settled.outputs.iter().filter_map(connect).collect()
}

fn send(app: &mut App, number: u8) {
    let link = app.host.link_mut(LINK).unwrap();
    let key = CommandKey::from_bytes([number; 16]);
    let commit = link.endpoint.send(NOW, key, &Bytes::from_static(b"x")).unwrap();
    link.store(commit);
    assert_eq!(link.commits_waiting(), 1);
}

#[test]
fn a_link_asks_for_its_socket_and_each_socket_has_a_number_of_its_own() {
    let (mut app, mut rng) = app();
    let first = connects(&turn(&mut app, &mut rng, NOW));
    assert_eq!(first.len(), 1);
    assert!(app.host.link(LINK).unwrap().has_socket());
    app.host.handle_closed(NOW, &mut rng, first[0], "the relay went away");
    // Reports from a closed socket are ignored.
    app.host.handle_opened(NOW, &mut rng, first[0]);
    app.host.handle_written(NOW, first[0], 1);
    let at = app.host.deadline().unwrap();
    let second = connects(&turn(&mut app, &mut rng, at));
    assert_eq!(second.len(), 1);
    assert_ne!(first, second);
}

#[test]
fn what_a_call_returned_is_stored_and_reported_once() {
    let (mut app, mut rng) = app();
    for number in 1..=40 {
        // There are more commits than may be unreported at once, so each must be reported.
        send(&mut app, number);
        assert!(events(turn(&mut app, &mut rng, NOW)).contains(&Told::Stored(number.into())));
    }
    assert_eq!(app.host.link(LINK).unwrap().endpoint.outbox_len().0, 40);
}

#[test]
fn a_store_that_fails_drops_the_machines_and_loads_them_after_a_pause() {
    let (mut app, mut rng) = app();
    let _ = turn(&mut app, &mut rng, NOW);
    let _ = scan(&mut app, &mut rng);
    send(&mut app, 1);
    app.fails = Some(Failure::Disk);
    let settled = turn(&mut app, &mut rng, NOW);
    assert_eq!(settled.failure, Some(Failure::Disk));
    assert!(matches!(settled.outputs[0], Output::Disconnect { .. }), "{:?}", settled.outputs);
    let pause = Duration::from_secs(1);
    assert_eq!(events(settled), [Told::Failed { links: 1, attempts: 1, untold: 0, pause }]);
    assert!(app.host.backoff().is_on() && app.host.links().next().is_none());
    assert_eq!(app.host.deadline(), Some(NOW.plus(pause)));
    // Nothing is loaded before the pause ends.
    assert_eq!(turn(&mut app, &mut rng, NOW.plus(pause / 2)).outputs.len(), 0);
    let after = turn(&mut app, &mut rng, NOW.plus(pause));
    assert_eq!((after.failure, app.host.backoff().is_on()), (None, false));
    assert_eq!(app.host.link(LINK).unwrap().endpoint.outbox_len().0, 0, "what was not stored is gone");
}

#[test]
fn what_a_commit_of_the_round_made_durable_is_told_all_the_same() {
    let (mut app, mut rng) = app();
    (app.passes, app.fails) = (2, Some(Failure::Disk));
    let settled = turn(&mut app, &mut rng, NOW);
    assert_eq!(settled.failure, None, "whoever asked has it: the first transaction is durable");
    let pause = Duration::from_secs(1);
    let failed = Told::Failed { links: 1, attempts: 0, untold: 1, pause };
    assert_eq!(events(settled), [Told::Began, Told::Stored(1), failed]);
}

#[test]
fn a_call_that_wrote_a_part_makes_the_round_fail() {
    let (mut app, mut rng) = app();
    app.open = Some(LinkRows::new());
    app.host.set_incomplete();
    let settled = turn(&mut app, &mut rng, NOW);
    assert_eq!((settled.failure, app.commits), (Some(Failure::Incomplete), 0));
    assert!(app.open.is_none());
}

#[test]
fn a_failure_that_waiting_cannot_mend_ends_the_program() {
    let (mut app, mut rng) = app();
    (app.passes, app.fails) = (1, Some(Failure::Damaged));
    assert_eq!(settle(&mut app, NOW, &mut rng).unwrap_err(), Failure::Damaged);
}

#[test]
fn a_machine_that_is_taken_out_closes_its_socket() {
    let (mut app, mut rng) = app();
    let socket = connects(&turn(&mut app, &mut rng, NOW))[0];
    assert_eq!(app.host.remove_link(LINK).unwrap().id(), LINK);
    assert!(app.host.remove_link(LINK).is_none());
    let closed = turn(&mut app, &mut rng, NOW).outputs;
    let closed: Vec<_> = closed
        .iter()
        .map(|output| matches!(output, Output::Disconnect { socket: of } if *of == socket))
        .collect();
    assert_eq!(closed, vec![true]);
}

/// Begins an attempt with a code that no companion shows.
fn scan(app: &mut App, rng: &mut ChaCha20Rng) -> AttemptId {
    let claims = Claims { label: "x".into(), origin: String::new(), grants: 1 };
    let codes = ShownCodes::default();
    let shown = Pairing::web(relay(), claims, &codes, KeysInUse::none(), NOW, rng).unwrap();
    let offer = QrOffer::decode(&shown.offer_text().unwrap()).unwrap();
    let pairing = Pairing::phone(offer, relay(), KeysInUse::none(), NOW, rng);
    app.host.add_attempt(NOW, pairing, ())
}

#[test]
fn an_attempt_that_is_over_is_told_once_and_gone_unless_the_store_fails() {
    for fails in [None, Some(Failure::Disk)] {
        let (mut app, mut rng) = app();
        let id = scan(&mut app, &mut rng);
        let _ = turn(&mut app, &mut rng, NOW);
        assert_eq!(app.host.attempts().map(Attempt::id).collect::<Vec<_>>(), [id]);
        app.host.attempts_mut().next().unwrap().pairing.refuse(NOW);
        let has_failed = fails.is_some();
        app.over_fails = fails;
        let told = events(turn(&mut app, &mut rng, NOW));
        assert_eq!(app.host.attempts().count(), 0);
        let failed = |told: &Told| matches!(told, Told::Failed { attempts: 1, untold: 1, .. });
        if has_failed {
            assert!(matches!(&told[..], [last] if failed(last)), "{told:?}");
        } else {
            assert_eq!(told, [Told::Over(false)]);
        }
    }
}
