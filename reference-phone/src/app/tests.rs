mod changes;
mod put;
mod uploads;

use handfast::codec::ids::{CommandKey, ContentId};
use handfast_messages::{Command, MediaDescriptor, MessageState, ResultBody, grants};
use std::io::Write;

use handfast::codec::frame::OpenKind;
use handfast::codec::limits::MEDIA_CHUNK_LEN;
use handfast::codec::stream_meta::{GetMeta, PutMeta};
use handfast::media::{ChunkList, ContentHasher};
use handfast::session::VERSION_KEY;
use handfast::session::testing::{Linked, commit, offered_pairs, phone_pairs};
use handfast::session::{Op, Repeat, StreamEnd, StreamEvent};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::streams::PARTS_KEPT_MAX;
use super::*;
use crate::store::Companion;
use crate::upstream::{NetworkChat, UpstreamEvent};
use handfast::RelayName;
use handfast::host::Application as _;
use handfast::media::Progress;

const NOW: Now = Now { mono: Timestamp::from_micros(1), wall_ms: 1 };

/// A network with one chat, in which the contact once wrote a message.
#[derive(Debug)]
struct Contact(Option<String>);

impl Upstream for Contact {
    fn history(&self) -> Vec<NetworkChat> {
        Vec::new()
    }

    fn send(&mut self, _: Timestamp, message: Outgoing) {
        panic!("nobody of this account asked for {message:?}");
    }

    fn change(&mut self, _: Timestamp, change: OutgoingChange) {
        panic!("nobody of this account asked for {change:?}");
    }

    fn poll(&mut self, _: Timestamp) -> Option<UpstreamEvent> {
        let text = self.0.take()?;
        let (network_id, author) = ("1".to_owned(), "Mallory".to_owned());
        Some(UpstreamEvent::Incoming { chat: 1, network_id, author, text, reply_to: None })
    }

    fn deadline(&self) -> Option<Timestamp> {
        None
    }
}

fn phone(text: Option<String>) -> (tempfile::TempDir, App) {
    let dir = tempfile::tempdir().unwrap();
    let fill = |store: &mut Store| store.add_chat(1, "Mallory", "mallory");
    let (store, account) = Store::open_or_create(dir.path(), "Ada", fill).unwrap();
    let media = MediaDir::open(dir.path()).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let policy = RelayPolicy::default();
    let app = App::new(store, account, media, Box::new(Contact(text)), policy, NOW, &mut rng).unwrap();
    (dir, app)
}

/// A contact's message may consist of a command's bytes or of a JSON request: it stays a text.
#[test]
fn a_contacts_message_that_looks_like_a_command_is_a_text() {
    let command = Command::SendText { chat: 1, text: "sent by nobody".to_owned(), reply_to: None }.encode();
    let looks_alike = String::from_utf8_lossy(&command).into_owned();
    for text in [looks_alike, r#"{"verb":"revoke","companion":"00"}"#.to_owned()] {
        let (_dir, mut app) = phone(Some(text.clone()));
        let settled = app.settle(NOW, &mut ChaCha20Rng::seed_from_u64(2)).unwrap();
        assert_eq!(settled.failure, None);
        let messages = app.history(1, 10).unwrap();
        assert_eq!(messages.len(), 1, "nothing was sent");
        let message = &messages[0].message;
        assert_eq!((&message.text, message.author.as_str()), (&text, "Mallory"));
        assert_eq!((message.state, &message.command), (MessageState::Received, &None));
    }
}

/// All commands run through one function, whichever connection they come from.
#[test]
fn a_command_needs_its_grant() {
    // req: MSG-056
    let media = MediaDescriptor {
        content: ContentId::from_bytes([1; 32]),
        size: 1,
        media_type: "image/png".to_owned(),
        name: "a.png".to_owned(),
    };
    let (_dir, mut app) = phone(None);
    let companion = CompanionId::from_bytes([1; 16]);
    let refused = ResultBody::Failed { code: ErrorCode::REFUSED };
    for (number, (command, needed)) in (1..).zip([
        (Command::SendText { chat: 1, text: "x".to_owned(), reply_to: None }, grants::SEND),
        (Command::SendMedia { chat: 1, media, caption: None }, grants::SEND | grants::MEDIA),
        (Command::History { chat: 1, before: 0, count: 1 }, grants::READ),
        (Command::MarkRead { chat: 1, message: 1 }, grants::READ),
        (Command::EditText { chat: 1, message: 1, text: "x".to_owned() }, grants::READ | grants::SEND),
        (Command::Delete { chat: 1, message: 1 }, grants::READ | grants::SEND),
        (Command::React { chat: 1, message: 1, reaction: "x".to_owned() }, grants::READ | grants::SEND),
    ]) {
        let key = CommandKey::from_bytes([number; 16]);
        for bit in [grants::READ, grants::SEND, grants::MEDIA].into_iter().filter(|bit| needed & bit != 0) {
            let granted = grants::ALL & !bit;
            let (result, _) = app.run_command(NOW, companion, granted, key, &command.encode()).unwrap();
            assert_eq!(result, refused, "{command:?} without {bit}");
        }
        let (result, repeat) = app.run_command(NOW, companion, needed, key, &command.encode()).unwrap();
        assert_ne!(result, refused, "{command:?} with what it needs");
        // Only the result of a command that reads texts is not stored.
        // req: RES-028
        let reads_texts = matches!(command, Command::History { .. });
        assert_eq!(repeat == Repeat::Run, reads_texts, "{command:?}");
    }
}

// req: MSG-057
#[test]
fn a_transfer_needs_its_grants() {
    let (_dir, mut app) = phone(None);
    let (_, mut link) = link(&app);
    let get = [&[1; 32][..], &[0]].concat();
    for (number, (kind, needed)) in
        [(OpenKind::Get, grants::READ | grants::MEDIA), (OpenKind::Put, grants::MEDIA)]
            .into_iter()
            .enumerate()
    {
        for granted in 0..=grants::ALL {
            link.data.grants = granted;
            let stream = u64::try_from(number).unwrap();
            let opened = app.open_transfer(NOW, &mut link, stream, kind, &get).unwrap();
            let is_refused = opened == Err(ErrorCode::REFUSED);
            assert_eq!(is_refused, granted & needed != needed, "{kind:?} with {granted}: {opened:?}");
        }
    }
}

/// Returns a link of this phone, to a companion with all grants.
fn link(app: &App) -> (MailboxId, Link) {
    let id = MailboxId::from_bytes([1; 16]);
    (id, link_of(app, id))
}

fn link_of(app: &App, id: MailboxId) -> Link {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let linked = Linked::new(RelayName::parse("127.0.0.1:8787").unwrap(), &mut rng).unwrap();
    let pairs = phone_pairs(&linked.phone.0, linked.phone.1);
    let endpoint = PhoneEndpoint::load(&pairs, app.account.log_id, NOW.mono, &mut rng).unwrap();
    Link::new(NOW.mono, id, endpoint, LinkData::new(&companion(CompanionStatus::Active)))
}

fn companion(status: CompanionStatus) -> Companion {
    Companion {
        companion: CompanionId::from_bytes([1; 16]),
        link: MailboxId::from_bytes([1; 16]),
        serial: 1,
        label: "page".to_owned(),
        origin: String::new(),
        relay: "127.0.0.1:8787".to_owned(),
        grants: grants::ALL,
        linked_ms: 1_000,
        seen_ms: 0,
        status,
    }
}

fn put(list: &ChunkList, from: u64) -> Vec<u8> {
    PutMeta { content: list.content_id(), offset: from, size: list.size() }.encode()
}

fn content(number: u8) -> (Vec<u8>, ChunkList) {
    let bytes = vec![number; 70_000];
    let mut hasher = ContentHasher::new();
    hasher.update(&bytes);
    (bytes, hasher.finish())
}

#[test]
fn an_offset_that_no_stream_can_have_is_refused() {
    // req: STR-021
    let (_dir, mut app) = phone(None);
    let (_, mut link) = link(&app);
    let (_, list) = content(1);
    for from in [1, MEDIA_CHUNK_LEN - 1, MEDIA_CHUNK_LEN + 1, 2 * MEDIA_CHUNK_LEN] {
        let opened = app.open_transfer(NOW, &mut link, 0, OpenKind::Put, &put(&list, from)).unwrap();
        assert_eq!(opened, Err(ErrorCode::FIELD_VALUE), "{from}");
    }
}

#[test]
fn what_is_not_here_cannot_be_left_out() {
    // req: STR-020
    let (_dir, mut app) = phone(None);
    let (id, mut link) = link(&app);
    let (bytes, list) = content(1);
    let meta = put(&list, MEDIA_CHUNK_LEN);
    let mut open = |app: &mut App| app.open_transfer(NOW, &mut link, 0, OpenKind::Put, &meta).unwrap();
    assert_eq!(open(&mut app), Err(ErrorCode::OFFSET), "nothing");
    app.store.put_part(id, &list).unwrap();
    assert_eq!(open(&mut app), Err(ErrorCode::OFFSET), "no file");
    let mut file = app.media.create_part(Some(id), list.content_id()).unwrap();
    file.write_all(&bytes[..60_000]).unwrap();
    assert_eq!(open(&mut app), Err(ErrorCode::OFFSET), "a short file");
    file.write_all(&bytes[60_000..]).unwrap();
    assert_eq!(open(&mut app), Ok(()));
}

#[test]
fn content_comes_over_one_stream_at_a_time() {
    // req: STR-022
    let (_dir, mut app) = phone(None);
    let (_, mut link) = link(&app);
    let (_, list) = content(1);
    let mut open = |stream| app.open_transfer(NOW, &mut link, stream, OpenKind::Put, &put(&list, 0)).unwrap();
    assert_eq!(open(0), Ok(()));
    assert_eq!(open(2), Err(ErrorCode::TOO_MANY_STREAMS));
}

#[test]
fn content_is_whole_with_its_last_byte_and_its_own_hash() {
    // req: STR-008, STR-080
    let (bytes, list) = content(1);
    let stream = [list.encode(), bytes].concat();
    let own = *list.content_id().as_bytes();
    let cases = [
        (stream.len(), own, Ok(Progress::Whole(list.stream_len()))),
        (stream.len() - 1, own, Err(ErrorCode::HASH)),
        (stream.len(), [7; 32], Err(ErrorCode::HASH)),
    ];
    for (len, hash, right) in cases {
        let (_dir, mut app) = phone(None);
        let (id, mut link) = link(&app);
        let opened = app.open_transfer(NOW, &mut link, 0, OpenKind::Put, &put(&list, 0)).unwrap();
        assert_eq!(opened, Ok(()));
        let mut transfer = link.data.take_transfer(0).unwrap();
        let upload = transfer.as_upload().unwrap();
        upload.incoming.take(&stream[..len]).unwrap();
        upload.incoming.fin(hash);
        assert_eq!(upload.sync(id, &app.media), right, "{len} bytes");
    }
}

#[test]
fn of_uploads_that_wait_for_a_new_stream_the_newest_are_kept() {
    let (_dir, mut app) = phone(None);
    let (id, mut link) = link(&app);
    let mut contents = Vec::new();
    for number in 0..=u8::try_from(PARTS_KEPT_MAX).unwrap() {
        let (bytes, list) = content(number);
        app.media.create_part(Some(id), list.content_id()).unwrap().write_all(&bytes).unwrap();
        app.store.put_part(id, &list).unwrap();
        let meta = put(&list, MEDIA_CHUNK_LEN);
        let opened = app.open_transfer(NOW, &mut link, 0, OpenKind::Put, &meta).unwrap();
        assert_eq!(opened, Ok(()));
        assert_eq!(app.store.parts(id).unwrap().len(), contents.len() + 1, "up to {PARTS_KEPT_MAX} stay");
        app.on_stream_event(NOW, &mut link, StreamEvent::Ended { id: 0, end: StreamEnd::Lost }).unwrap();
        contents.push(list.content_id());
    }
    assert_eq!(app.store.parts(id).unwrap(), contents[1..]);
    assert!(
        app.media.read_part(Some(id), contents[0]).is_err()
            && app.media.read_part(Some(id), contents[1]).is_ok()
    );
}

/// Returns a phone with a stored offer, and the time of the offer.
fn offered() -> (tempfile::TempDir, Store, Account, MailboxId, Now) {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, account) = Store::open_or_create(dir.path(), "Ada", |_| Ok(())).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let linked = Linked::new(RelayName::parse("127.0.0.1:8787").unwrap(), &mut rng).unwrap();
    let pairs = offered_pairs(&linked.phone.0, linked.phone.1);
    let row = Companion { link: linked.phone.0.terms.mailbox, ..companion(CompanionStatus::Offered) };
    let ops =
        pairs.into_iter().filter(|(key, _)| key != VERSION_KEY).map(|(key, value)| Op::Put { key, value });
    store.put_companion(&row).unwrap();
    store.apply(&commit(row.link, 0, ops.collect())).unwrap();
    store.commit().unwrap();
    (dir, store, account, row.link, Now { wall_ms: row.linked_ms, ..NOW })
}

fn start(dir: &tempfile::TempDir, store: Store, account: Account, now: Now) -> App {
    let (media, mut rng) = (MediaDir::open(dir.path()).unwrap(), ChaCha20Rng::seed_from_u64(1));
    App::new(store, account, media, Box::new(Contact(None)), RelayPolicy::default(), now, &mut rng).unwrap()
}

/// Runs one round, and returns its events except for states of links.
fn round(app: &mut App, now: Now) -> Vec<AppEvent> {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    app.handle_timeout(now, &mut rng);
    let told = app.settle(now, &mut rng).unwrap().outputs.into_iter();
    let events =
        told.filter_map(|output| if let AppOutput::Event(event) = output { Some(event) } else { None });
    events.filter(|event| !matches!(event, AppEvent::LinkState { .. })).collect()
}

fn later(now: Now, ms: u64) -> Now {
    Now { mono: now.mono.plus(Duration::from_millis(ms)), wall_ms: now.wall_ms + ms }
}

// req: HSK-130
#[test]
fn an_offer_that_nobody_accepted_is_forgotten_at_a_start_after_ten_minutes() {
    for (age_ms, kept) in [(OFFER_KEPT_MS - 1, 1), (OFFER_KEPT_MS, 0), (240 * OFFER_KEPT_MS, 0)] {
        let (dir, store, account, link, now) = offered();
        let app = start(&dir, store, account, Now { wall_ms: now.wall_ms + age_ms, ..now });
        assert_eq!(app.store().companions().unwrap().len(), kept, "{age_ms} ms");
        assert_eq!(app.store().database().link_rows(link).unwrap().is_empty(), kept == 0, "{age_ms} ms");
    }
}

// req: HSK-162
#[test]
fn an_offer_of_which_two_holders_were_seen_is_kept_at_a_start() {
    let (dir, mut store, account, link, now) = offered();
    store.set_companion_status(link, CompanionStatus::Suspended).unwrap();
    store.commit().unwrap();
    let app = start(&dir, store, account, Now { wall_ms: now.wall_ms + 240 * OFFER_KEPT_MS, ..now });
    assert_eq!(app.store().companions().unwrap()[0].status, CompanionStatus::Suspended);
    assert!(app.store().database().links().unwrap().contains(&link));
}

// req: HSK-130
#[test]
fn an_offer_that_nobody_accepted_is_forgotten_while_the_phone_runs() {
    // The phone starts a second time after `before_ms`, and counts the time before that start.
    for before_ms in [0, OFFER_KEPT_MS / 3, OFFER_KEPT_MS - 2] {
        let (dir, store, account, link, now) = offered();
        let now = Now { wall_ms: now.wall_ms + before_ms, ..now };
        let mut app = start(&dir, store, account, now);
        let left = OFFER_KEPT_MS - before_ms;
        assert_eq!(round(&mut app, later(now, left - 1)), []);
        assert!(app.store().database().links().unwrap().contains(&link));
        let told = round(&mut app, later(now, left));
        assert!(matches!(told.as_slice(), [AppEvent::OfferOver { .. }]), "{told:?}");
        assert!(
            app.store().database().link_rows(link).unwrap().is_empty()
                && app.store().companions().unwrap().is_empty()
        );
        assert_eq!(round(&mut app, later(now, 10 * OFFER_KEPT_MS)), []);
    }
}

// req: HSK-133
#[test]
fn an_offer_is_cancelled_at_once_and_only_an_offer() {
    let (dir, store, account, link, now) = offered();
    let mut app = start(&dir, store, account, now);
    let companion = app.store().companions().unwrap()[0].companion;
    let other = CompanionId::from_bytes([9; 16]);
    assert!(matches!(app.cancel(now, other), Err(VerbError::NoSuchCompanion(_))));
    app.cancel(now, companion).unwrap();
    let told = round(&mut app, now);
    assert!(matches!(told.as_slice(), [AppEvent::OfferOver { .. }]), "{told:?}");
    assert!(app.store().database().link_rows(link).unwrap().is_empty(), "not even the version of its rows");
    assert!(matches!(app.cancel(now, companion), Err(VerbError::NoSuchCompanion(_))));
}

// req: HSK-134
#[test]
fn a_link_that_comes_to_life_after_its_attempt_is_told_as_linked() {
    let (_dir, mut app) = phone(None);
    let (_, mut link) = link(&app);
    assert!(matches!(app.cancel(NOW, link.data.companion), Err(VerbError::NoSuchCompanion(_))));
    link.data.stored_status = CompanionStatus::Offered;
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    for told in [1, 0] {
        let _ = app.drained(NOW.mono, &mut rng, &mut link).unwrap();
        let events = round(&mut app, NOW);
        assert_eq!(events.iter().filter(|event| matches!(event, AppEvent::Linked { .. })).count(), told);
    }
}
