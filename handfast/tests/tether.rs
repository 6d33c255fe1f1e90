//! A phone and a companion of `handfast::tether`, each in a directory of its own, over a real relay in one task.
#![cfg(all(feature = "tokio", feature = "sqlite"))]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use handfast::codec::frame::{Collection, Row, RowId};
use handfast::codec::ids::{CommandKey, ContentId, MailboxId};
use handfast::driver::{Connector, HostDriver};
use handfast::handshake::pairing::Claims;
use handfast::session::{Event, PairingEvent};
use handfast::tether::{
    Attempt, Companion, CompanionApp, Handle, Paired, Phone, PhoneApp, PhoneTxn, Role, Step, Tether,
    TetherError, TetherEvent, Txn, open_companion, open_phone,
};
use handfast::{ErrorCode, RelayName};
use reference_relay::server::{Server, ServerConfig};
use tokio::sync::mpsc;

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// The longest content that the phone takes from a companion, in bytes.
const UPLOAD_LEN_MAX: u64 = 2_000_000;

fn things() -> Collection {
    Collection::new(b"things").expect("a name of six bytes")
}

/// An event of either application.
#[derive(Debug)]
enum Happened {
    Row(u64, String),
    Gone(u64),
    Result(String),
}

type Said = TetherEvent<Happened>;

fn text(body: &Bytes) -> String {
    String::from_utf8(body.to_vec()).expect("a text")
}

/// Writes a row for a command: its id is the number of rows so far.
struct Things;

impl PhoneApp for Things {
    type Event = Happened;

    fn command(
        &mut self,
        txn: &mut PhoneTxn<'_, Happened>,
        _: MailboxId,
        body: &Bytes,
    ) -> Result<Bytes, TetherError> {
        let id = txn.rows(&things(), None, 1_000)?.len() as u64;
        let _ = txn.put(&things(), RowId::from_number(id), body.clone())?;
        Ok("done".into())
    }

    fn accepts(&mut self, _: MailboxId, _: ContentId, size: u64) -> bool {
        size <= UPLOAD_LEN_MAX
    }
}

/// Reports what it is told.
struct Mirror;

impl CompanionApp for Mirror {
    type Event = Happened;

    fn row(&mut self, txn: &mut Txn<'_, Happened>, _: &Collection, row: &Row) -> Result<(), TetherError> {
        txn.event(Happened::Row(row.id.number().expect("a number"), text(&row.body)));
        Ok(())
    }

    fn gone(&mut self, txn: &mut Txn<'_, Happened>, _: &Collection, id: &RowId) -> Result<(), TetherError> {
        txn.event(Happened::Gone(id.number().expect("a number")));
        Ok(())
    }

    fn result(
        &mut self,
        txn: &mut Txn<'_, Happened>,
        _: CommandKey,
        body: Option<&Bytes>,
    ) -> Result<(), TetherError> {
        txn.event(Happened::Result(text(body.expect("it is kept"))));
        Ok(())
    }
}

/// A side with its sockets.
struct Side<R: Role> {
    tether: Tether<R>,
    driver: HostDriver,
    events: Vec<Said>,
}

impl<R: Role<Event = Happened>> Side<R> {
    fn start(open: impl FnOnce(&mut HostDriver) -> Result<Tether<R>, TetherError>) -> Self {
        let connector = Connector::new().expect("certificates");
        let mut driver = HostDriver::new(connector).expect("randomness");
        Self { tether: open(&mut driver).expect("it opens"), driver, events: Vec::new() }
    }

    fn settle(&mut self) {
        let round = self.driver.settle(&mut self.tether).expect("the store works");
        assert!(round.failure.is_none(), "{:?}", round.failure);
        self.events.extend(round.events);
    }

    /// Removes the first event for which `wanted` returns something.
    fn take<T>(&mut self, wanted: &impl Fn(&Said) -> Option<T>) -> Option<T> {
        let at = self.events.iter().position(|event| wanted(event).is_some())?;
        wanted(&self.events.remove(at))
    }
}

fn phone(dir: &Path) -> Side<Phone<Things>> {
    Side::start(|driver| Tether::open_phone(dir, Things, driver.now(), driver.rng()))
}

fn companion(dir: &Path) -> Side<Companion<Mirror>> {
    Side::start(|driver| Tether::open_companion(dir, Mirror, vec![things()], driver.now(), driver.rng()))
}

type Pair = (Side<Phone<Things>>, Side<Companion<Mirror>>);

/// Lets both sides work until `found` returns something.
async fn until<T>(pair: &mut Pair, mut found: impl FnMut(&mut Pair) -> Option<T>) -> T {
    let work = async {
        loop {
            pair.0.settle();
            pair.1.settle();
            if let Some(found) = found(pair) {
                return found;
            }
            let (phone, companion) = (&mut pair.0, &mut pair.1);
            tokio::select! {
                _ = phone.driver.next(&mut phone.tether) => {}
                _ = companion.driver.next(&mut companion.tether) => {}
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, work).await;
    found.unwrap_or_else(|late| panic!("{late}: {:?}, {:?}", pair.0.events, pair.1.events))
}

/// Waits for an event of the phone.
async fn at_phone<T>(pair: &mut Pair, wanted: impl Fn(&PairingEvent) -> Option<T>) -> T {
    let wanted = |event: &Said| match event {
        TetherEvent::Pairing(event) => wanted(event),
        _ => None,
    };
    until(pair, |(phone, _)| phone.take(&wanted)).await
}

/// Waits for an event of the companion.
async fn at_companion<T>(pair: &mut Pair, wanted: impl Fn(&Said) -> Option<T>) -> T {
    until(pair, |(_, companion)| companion.take(&wanted)).await
}

async fn row(pair: &mut Pair, id: u64) -> String {
    at_companion(pair, |event| match event {
        TetherEvent::App(Happened::Row(found, text)) if *found == id => Some(text.clone()),
        _ => None,
    })
    .await
}

async fn gone(pair: &mut Pair) -> u64 {
    at_companion(
        pair,
        |event| if let TetherEvent::App(Happened::Gone(id)) = event { Some(*id) } else { None },
    )
    .await
}

async fn content(pair: &mut Pair) -> Result<u64, String> {
    at_companion(pair, |event| match event {
        TetherEvent::Content { result, .. } => Some(result.clone()),
        _ => None,
    })
    .await
}

async fn link(pair: &mut Pair, relay: RelayName) {
    let claims = Claims { label: "mirror".to_owned(), origin: String::new(), grants: 1 };
    let (now, companion) = (pair.1.driver.now(), &mut pair.1);
    let code = companion.tether.show_code(now, companion.driver.rng(), relay, claims).expect("a code");
    let (now, phone) = (pair.0.driver.now(), &mut pair.0);
    phone.tether.scan(now, phone.driver.rng(), &code).expect("a code");
    let digits = at_companion(pair, |event| match event {
        TetherEvent::Pairing(PairingEvent::CheckCode(digits)) => Some(digits.clone()),
        _ => None,
    })
    .await;
    at_phone(pair, |event| matches!(event, PairingEvent::CheckCodeWanted).then_some(())).await;
    let (now, phone) = (pair.0.driver.now(), &mut pair.0);
    phone.tether.pairing().expect("it runs").enter_check_code(now, &digits).expect("digits");
    at_phone(pair, |event| matches!(event, PairingEvent::ApprovalWanted { .. }).then_some(())).await;
    let (now, phone) = (pair.0.driver.now(), &mut pair.0);
    phone.tether.approve(now, phone.driver.rng(), "account", 1).expect("approved");
    let number = at_phone(pair, |event| match event {
        PairingEvent::ShowConfirmation(number) => Some(number.clone()),
        _ => None,
    })
    .await;
    at_companion(pair, |event| {
        let event = matches!(event, TetherEvent::Pairing(PairingEvent::ConfirmationWanted { .. }));
        event.then_some(())
    })
    .await;
    let now = pair.1.driver.now();
    pair.1.tether.pairing().expect("it runs").enter_confirmation(now, &number).expect("a number");
    until(pair, |(phone, companion)| {
        (phone.tether.links().count() == 1 && companion.tether.links().count() == 1).then_some(())
    })
    .await;
}

fn put(side: &mut Side<Phone<Things>>, id: u64, body: &'static str) {
    let put = |txn: &mut PhoneTxn<'_, Happened>| txn.put(&things(), RowId::from_number(id), body.into());
    let _ = side.tether.change(|_, txn| put(txn)).expect("written");
}

/// Runs a test beside a relay, with a directory of its own.
async fn beside_a_relay(test: impl AsyncFnOnce(RelayName, &Path)) {
    let server = Server::bind(ServerConfig::new("127.0.0.1:0".parse().expect("an address"))).expect("a port");
    let relay = server.name().clone();
    let (dir, running) = (tempfile::tempdir().expect("a directory"), tokio::task::LocalSet::new());
    let _relay =
        running.spawn_local(async move { server.run(std::future::pending(), Arc::default(), |_| {}).await });
    running.run_until(test(relay, dir.path())).await;
}

/// Waits until the companion's put has ended.
async fn put_ended(pair: &mut Pair) -> (ContentId, Result<(), ErrorCode>) {
    let ended = at_companion(pair, |event| match event {
        TetherEvent::Put { content, result } => Some((*content, *result)),
        _ => None,
    });
    ended.await
}

/// How the companion's put of this file ends.
async fn put_file(pair: &mut Pair, path: &Path) -> (ContentId, Result<(), ErrorCode>) {
    let put = pair.1.tether.put(path).expect("it is copied");
    let (content, result) = put_ended(pair).await;
    assert_eq!(content, put);
    (content, result)
}

#[tokio::test]
async fn a_file_is_put_at_a_phone_that_accepts_it() {
    beside_a_relay(async |relay, dir| {
        let mut pair = (phone(&dir.join("phone")), companion(&dir.join("companion")));
        link(&mut pair, relay).await;
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|at| at.to_be_bytes()[2] ^ at.to_be_bytes()[3]).collect();
        std::fs::write(dir.join("file"), &bytes).expect("written");
        // The wish outlives a restart of both.
        let _ = pair.1.tether.put(&dir.join("file")).expect("it is copied");
        pair.1.settle();
        drop(pair);
        let mut pair = (phone(&dir.join("phone")), companion(&dir.join("companion")));
        let received = |event: &Said| match event {
            TetherEvent::Received(_, content) => Some(*content),
            _ => None,
        };
        let content = until(&mut pair, |(phone, _)| phone.take(&received)).await;
        let here = |pair: &mut Pair| pair.0.tether.change(|_, txn| txn.content(content)).expect("it is read");
        let file = here(&mut pair).expect("it is here");
        assert_eq!(std::fs::read(&file).expect("it is there"), bytes);
        assert_eq!(put_ended(&mut pair).await, (content, Ok(())));

        // What is there already is not sent again; the phone's application is told all the same.
        assert_eq!(put_file(&mut pair, &dir.join("file")).await, (content, Ok(())));
        assert_eq!(until(&mut pair, |(phone, _)| phone.take(&received)).await, content);
        assert!(std::fs::read_dir(dir.join("companion/content")).expect("a directory").next().is_none());
        pair.0.tether.change(|_, txn| txn.remove_content(content)).expect("forgotten");
        pair.0.settle();
        assert!(here(&mut pair).is_none() && !file.exists());
        assert_eq!(put_file(&mut pair, &dir.join("file")).await, (content, Ok(())));
        assert_eq!(here(&mut pair), Some(file));

        for (len, result) in
            [(UPLOAD_LEN_MAX, Ok(())), (UPLOAD_LEN_MAX + 1, Err(ErrorCode::REFUSED)), (0, Ok(()))]
        {
            let long = vec![7; usize::try_from(len).expect("it fits")];
            std::fs::write(dir.join("other"), long).expect("written");
            assert_eq!(put_file(&mut pair, &dir.join("other")).await.1, result, "{len} bytes");
        }
        let left = std::fs::read_dir(dir.join("phone/content")).expect("a directory");
        assert_eq!(left.count(), 3, "no part stays");
        assert!(matches!(pair.1.tether.put(&dir.join("no such file")), Err(TetherError::Input(_))));
    })
    .await;
}

/// Waits for a step of a pairing.
async fn step<R: Role + 'static, T>(
    attempt: &mut Attempt<R>,
    wanted: impl Fn(&PairingEvent) -> Option<T>,
) -> T {
    loop {
        match attempt.next().await.expect("it goes on") {
            Step::Event(event) => {
                if let Some(found) = wanted(&event) {
                    return found;
                }
            }
            Step::Ended(paired) => panic!("it ended: {paired:?}"),
        }
    }
}

async fn end<R: Role + 'static>(attempt: &mut Attempt<R>) -> Paired {
    loop {
        if let Step::Ended(paired) = attempt.next().await.expect("it goes on") {
            return paired;
        }
    }
}

/// What two users do by handles alone, with the companion's events.
async fn use_by_handles(
    relay: RelayName,
    dir: &Path,
    (phone, companion): (Handle<Phone<Things>>, Handle<Companion<Mirror>>),
    mut events: mpsc::UnboundedReceiver<Said>,
) {
    let claims = Claims { label: "mirror".to_owned(), origin: String::new(), grants: 1 };
    assert!(matches!(phone.pair("no code").await, Err(TetherError::Input(_))));
    let (code, mut shown) = companion.pair(relay, claims).await.expect("a code");
    let mut scanned = phone.pair(&code).await.expect("a code");
    let early = scanned.approve("account", 1).await;
    assert!(matches!(early, Err(TetherError::Misuse(_))), "{early:?}");
    let digits = |event: &PairingEvent| match event {
        PairingEvent::CheckCode(digits) => Some(digits.clone()),
        _ => None,
    };
    let digits = step(&mut shown, digits).await;
    step(&mut scanned, |event| matches!(event, PairingEvent::CheckCodeWanted).then_some(())).await;
    scanned.enter_check_code(&digits).await.expect("entered");
    step(&mut scanned, |event| matches!(event, PairingEvent::ApprovalWanted { .. }).then_some(())).await;
    scanned.approve("account", 1).await.expect("approved");
    let number = |event: &PairingEvent| match event {
        PairingEvent::ShowConfirmation(number) => Some(number.clone()),
        _ => None,
    };
    let number = step(&mut scanned, number).await;
    step(&mut shown, |event| matches!(event, PairingEvent::ConfirmationWanted { .. }).then_some(())).await;
    shown.enter_confirmation(&number).await.expect("entered");
    let linked = end(&mut shown).await;
    assert!(matches!(linked, Paired::Linked(_)) && end(&mut scanned).await == linked, "{linked:?}");

    let _ = companion.send("by a handle".into()).await.expect("it is durable");
    std::fs::write(dir.join("file"), b"content").expect("written");
    let content = companion.put(&dir.join("file")).await.expect("it is durable");
    let mut open = ["row", "result", "put"].into_iter().collect::<BTreeSet<_>>();
    while !open.is_empty() {
        let _ = match events.recv().await.expect("it runs") {
            TetherEvent::App(Happened::Row(0, text)) if text == "by a handle" => open.remove("row"),
            TetherEvent::App(Happened::Result(text)) if text == "done" => open.remove("result"),
            TetherEvent::Put { result: Ok(()), .. } => open.remove("put"),
            _ => false,
        };
    }
    let file = phone.change(move |_, txn| txn.content(content)).await.expect("it is read");
    assert_eq!(std::fs::read(file.expect("it is here")).expect("it is there"), b"content");
    companion.get(content, &dir.join("copy")).await.expect("it is durable");
    let fetched = async {
        loop {
            if let TetherEvent::Content { result, .. } = events.recv().await.expect("it runs") {
                return result;
            }
        }
    };
    assert_eq!(fetched.await, Ok(7));
    companion.close().await;
    companion.close().await;
    assert!(matches!(companion.send("late".into()).await, Err(TetherError::Closed)));
}

#[tokio::test]
async fn other_tasks_use_a_tether_by_its_handles_until_the_last_one_is_gone() {
    beside_a_relay(async |relay, dir| {
        let connector = || Connector::new().expect("certificates");
        let phone = open_phone(&dir.join("phone"), Things, connector()).expect("it opens");
        let companion = open_companion(&dir.join("companion"), Mirror, vec![things()], connector());
        let companion = companion.expect("it opens");
        let (handles, (told, events)) = ((phone.handle(), companion.handle()), mpsc::unbounded_channel());
        let all = async {
            tokio::join!(
                phone.run(|_| ()),
                companion.run(|event| drop(told.send(event))),
                use_by_handles(relay, dir, handles, events),
            )
        };
        let ended = tokio::time::timeout(PATIENCE, all).await.expect("it ends by itself");
        assert!(matches!(ended, (Ok(()), Ok(()), ())), "{ended:?}");
    })
    .await;
}

#[tokio::test]
async fn rows_commands_and_content_reach_the_other_side_and_outlive_a_restart() {
    beside_a_relay(async |relay, dir| {
        let path = |name: &str| dir.join(name);
        let mut pair = (phone(&path("phone")), companion(&path("companion")));
        for (id, body) in [(0, "first"), (1, "second"), (2, "third")] {
            put(&mut pair.0, id, body);
        }
        let remove = |txn: &mut PhoneTxn<'_, Happened>| txn.remove(&things(), RowId::from_number(2));
        pair.0.tether.change(|_, txn| remove(txn)).expect("removed");
        link(&mut pair, relay).await;
        // What was removed before is not reported.
        assert_eq!(
            (row(&mut pair, 0).await, row(&mut pair, 1).await),
            ("first".to_owned(), "second".to_owned())
        );
        put(&mut pair.0, 1, "changed");
        assert_eq!(row(&mut pair, 1).await, "changed");
        pair.0.tether.change(|_, txn| txn.remove(&things(), RowId::from_number(0))).expect("removed");
        assert_eq!(gone(&mut pair).await, 0);

        let (now, side) = (pair.1.driver.now(), &mut pair.1);
        let _ = side.tether.send(now, side.driver.rng(), &"asked for".into()).expect("sent");
        side.settle();
        // Both restart before the command has reached the phone: it is durable.
        drop(pair);
        let mut pair = (phone(&path("phone")), companion(&path("companion")));
        assert_eq!(row(&mut pair, 1).await, "asked for");
        let result = |event: &Said| {
            if let TetherEvent::App(Happened::Result(text)) = event { Some(text.clone()) } else { None }
        };
        assert_eq!(at_companion(&mut pair, result).await, "done");

        let bytes: Vec<u8> = (0..1_000_000_u32).map(|at| at.to_be_bytes()[2] ^ at.to_be_bytes()[3]).collect();
        std::fs::write(path("file"), &bytes).expect("written");
        let file = pair.0.tether.change(|_, txn| txn.import(&path("file"))).expect("imported");
        let copy = path("copy").to_str().expect("a text").to_owned();
        pair.1.tether.get(file, &copy).expect("wanted");
        pair.1.settle();
        let (phone, old) = pair;
        drop(old);
        let mut pair = (phone, companion(&path("companion")));
        assert_eq!(content(&mut pair).await, Ok(1_000_000));
        assert_eq!(std::fs::read(&copy).expect("it is there"), bytes);
        // What is here already is copied without the phone; what nobody has cannot be had.
        pair.1.tether.get(file, path("again").to_str().expect("a text")).expect("wanted");
        assert_eq!(content(&mut pair).await, Ok(1_000_000));
        pair.1.tether.get(ContentId::from_bytes([7; 32]), &copy).expect("wanted");
        assert_eq!(content(&mut pair).await, Err(ErrorCode::GONE.to_string()));

        let link = pair.0.tether.links().next().expect("linked");
        pair.0.tether.revoke(pair.0.driver.now(), link).expect("revoked");
        let revoked = |event: &Said| matches!(event, TetherEvent::Link(_, Event::Revoked)).then_some(());
        at_companion(&mut pair, revoked).await;
        assert_eq!(pair.1.tether.links().count(), 0);
        let (now, side) = (pair.1.driver.now(), &mut pair.1);
        let unlinked = side.tether.send(now, side.driver.rng(), &"too late".into());
        assert!(matches!(unlinked, Err(TetherError::Input(_))), "{unlinked:?}");
    })
    .await;
}

#[tokio::test]
async fn a_change_that_is_refused_leaves_nothing_and_a_directory_has_one_user() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut side = phone(dir.path());
    put(&mut side, 1, "kept");
    let long = || Bytes::from(vec![7; 15_001]);
    for body in [Bytes::new(), long()] {
        let refused = side.tether.change(|_, txn| {
            let _ = txn.put(&things(), RowId::from_number(1), "lost".into())?;
            txn.put(&things(), RowId::from_number(2), body)
        });
        assert!(matches!(refused, Err(TetherError::Input(_))), "{refused:?}");
    }
    side.settle();
    let kept = side.tether.change(|_, txn| txn.rows(&things(), None, 10)).expect("rows");
    assert_eq!(kept.iter().map(|row| text(&row.body)).collect::<Vec<_>>(), ["kept"]);
    let now = side.driver.now();
    let second = Tether::open_phone(dir.path(), Things, now, side.driver.rng());
    assert!(matches!(second, Err(TetherError::InUse(_))), "{second:?}");
    for code in ["", "HTTPS://NOT.A/CODE"] {
        let refused = side.tether.scan(now, side.driver.rng(), code);
        assert!(matches!(refused, Err(TetherError::Input(_))), "{refused:?}");
    }
    assert!(side.tether.pairing().is_err(), "none runs");
}
