//! Edits, deletions and reactions, by this account, by its companions, and from the network.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use handfast::codec::limits::REACTIONS_MAX;
use handfast_messages::NowValue;

use super::*;
use crate::store::NewMessage;
use crate::upstream::{Change, MessageName};

/// A network that reports the given events, and records the changes that it receives.
#[derive(Clone, Debug, Default)]
struct Notes(Arc<Mutex<(VecDeque<UpstreamEvent>, Vec<OutgoingChange>)>>);

impl Upstream for Notes {
    fn history(&self) -> Vec<NetworkChat> {
        Vec::new()
    }

    fn send(&mut self, _: Timestamp, _: Outgoing) {}

    fn change(&mut self, _: Timestamp, change: OutgoingChange) {
        self.0.lock().unwrap().1.push(change);
    }

    fn poll(&mut self, _: Timestamp) -> Option<UpstreamEvent> {
        self.0.lock().unwrap().0.pop_front()
    }

    fn deadline(&self) -> Option<Timestamp> {
        None
    }
}

struct Phone {
    dir: tempfile::TempDir,
    app: App,
    notes: Notes,
    /// The ids of a text of the account, a text of a contact, and media of the account.
    ids: [u64; 3],
}

fn phone() -> Phone {
    let dir = tempfile::tempdir().unwrap();
    let (bytes, media) = (b"picture", MediaDir::open(dir.path()).unwrap());
    let (content, list) = media.put(bytes).unwrap();
    let size = list.size();
    let picture =
        MediaDescriptor { content, size, media_type: "image/png".to_owned(), name: "a.png".to_owned() };
    let mut ids = [0; 3];
    let fill = |store: &mut Store| {
        store.add_chat(1, "Bo", "bo")?;
        store.put_media(content, &list)?;
        for (id, (author, media, network_id)) in
            ids.iter_mut().zip([("", None, None), ("Bo", None, Some("n1")), ("", Some(&picture), None)])
        {
            let state = if author.is_empty() { MessageState::Read } else { MessageState::Received };
            let new = NewMessage {
                chat: 1,
                author,
                time_ms: 5,
                text: "text",
                state,
                reply_to: None,
                media,
                command: None,
                network_id,
            };
            *id = store.add_message(&new)?.unwrap().0;
        }
        Ok(())
    };
    let (store, account) = Store::open_or_create(dir.path(), "Ada", fill).unwrap();
    let (notes, mut rng) = (Notes::default(), ChaCha20Rng::seed_from_u64(1));
    let policy = RelayPolicy::default();
    let app = App::new(store, account, media, Box::new(notes.clone()), policy, NOW, &mut rng).unwrap();
    Phone { dir, app, notes, ids }
}

impl Phone {
    fn settle(&mut self) {
        assert_eq!(self.app.settle(NOW, &mut ChaCha20Rng::seed_from_u64(2)).unwrap().failure, None);
    }

    fn run(&mut self, command: &Command) -> ResultBody {
        self.run_bytes(&command.encode())
    }

    fn run_bytes(&mut self, body: &Bytes) -> ResultBody {
        let companion = CompanionId::from_bytes([1; 16]);
        let result = self
            .app
            .run_command(NOW, companion, grants::ALL, CommandKey::from_bytes([1; 16]), body)
            .unwrap()
            .0;
        self.settle();
        result
    }

    fn message(&self, id: u64) -> (String, bool, Vec<(String, String)>) {
        let message = self.app.store.message(1, id).unwrap().unwrap().message;
        let reactions = message.reactions.into_iter().map(|of| (of.author, of.reaction)).collect();
        (message.text, message.edited, reactions)
    }

    fn hear(&mut self, message: MessageName, author: &str, change: Change) {
        let author = author.to_owned();
        self.notes.0.lock().unwrap().0.push_back(UpstreamEvent::Changed { chat: 1, author, message, change });
        self.settle();
    }
}

const fn failed(code: ErrorCode) -> ResultBody {
    ResultBody::Failed { code }
}

fn edit(message: u64) -> Command {
    Command::EditText { chat: 1, message, text: "edited".to_owned() }
}

fn react(message: u64) -> Command {
    Command::React { chat: 1, message, reaction: "+1".to_owned() }
}

#[test]
fn what_a_companion_changes_is_stored_and_the_network_is_told() {
    let mut phone = phone();
    let [own, theirs, media] = phone.ids;
    for command in [edit(own), react(theirs), Command::Delete { chat: 1, message: media }] {
        assert_eq!(phone.run(&command), ResultBody::Done, "{command:?}");
    }
    assert_eq!(phone.message(own), ("edited".to_owned(), true, vec![]));
    assert_eq!(phone.message(theirs).2, [(String::new(), "+1".to_owned())]);
    assert!(phone.app.store.message(1, media).unwrap().unwrap().deleted);
    assert_eq!(phone.app.store.media_ids().unwrap(), []);
    let files = std::fs::read_dir(phone.dir.path().join("media")).unwrap().count();
    assert_eq!(files, 0, "nothing refers to the file");
    let told = phone.notes.0.lock().unwrap().1.clone();
    let of = |message, change| OutgoingChange { chat: 1, contact: "bo".to_owned(), message, change };
    let expected = [
        of(MessageName::Phone(own), Change::Edited("edited".to_owned())),
        of(MessageName::Network("n1".to_owned()), Change::Reacted("+1".to_owned())),
        of(MessageName::Phone(media), Change::Deleted),
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_is_not_there_cannot_be_changed() {
    // req: MSG-051
    let mut phone = phone();
    let own = phone.ids[0];
    assert_eq!(phone.run(&Command::Delete { chat: 1, message: own }), ResultBody::Done);
    for message in [own, 999] {
        for command in [edit(message), react(message), Command::Delete { chat: 1, message }] {
            assert_eq!(phone.run(&command), failed(ErrorCode::GONE), "{command:?}");
        }
    }
    assert_eq!(phone.run(&Command::Delete { chat: 9, message: own }), failed(ErrorCode::GONE));
}

#[test]
fn what_is_asked_of_what_is_not_there_is_gone() {
    // req: MSG-092
    let mut phone = phone();
    let own = phone.ids[0];
    let media = MediaDescriptor {
        content: ContentId::from_bytes([7; 32]),
        size: 1,
        media_type: "image/png".to_owned(),
        name: String::new(),
    };
    let text = |chat, reply_to| Command::SendText { chat, text: "x".to_owned(), reply_to };
    for command in [
        text(9, None),
        text(1, Some(999)),
        Command::History { chat: 9, before: 0, count: 1 },
        Command::MarkRead { chat: 9, message: own },
        Command::SendMedia { chat: 1, media, caption: None },
    ] {
        assert_eq!(phone.run(&command), failed(ErrorCode::GONE), "{command:?}");
    }
}

#[test]
fn a_command_that_cannot_be_read_is_answered_with_its_fault() {
    // req: MSG-091
    let mut phone = phone();
    for (body, code) in [
        (&[][..], ErrorCode::TRUNCATED),
        (&[63], ErrorCode::UNKNOWN_CRITICAL),
        (&[1, 1, 1, 1], ErrorCode::FIELD_MISSING),
        (&[1, 1, 1, 1, 3, 0], ErrorCode::FIELD_LENGTH),
        (&[1, 1, 1, 1, 3, 1, 0xff], ErrorCode::BAD_UTF8),
        (&[3, 1, 1, 1, 3, 1, 0, 5, 1, 51], ErrorCode::FIELD_VALUE),
        (&[1, 1, 1, 1, 3, 1, b'x', 7, 0], ErrorCode::UNKNOWN_CRITICAL),
    ] {
        assert_eq!(phone.run_bytes(&Bytes::from_static(body)), failed(code), "{body:?}");
    }
}

#[test]
fn only_the_account_s_own_messages_are_edited_or_deleted() {
    // req: MSG-052
    let mut phone = phone();
    let theirs = phone.ids[1];
    for command in [edit(theirs), Command::Delete { chat: 1, message: theirs }] {
        assert_eq!(phone.run(&command), failed(ErrorCode::REFUSED), "{command:?}");
    }
    assert_eq!(phone.message(theirs), ("text".to_owned(), false, vec![]));
}

#[test]
fn a_message_with_media_is_not_edited() {
    // req: MSG-053
    let mut phone = phone();
    let media = phone.ids[2];
    assert_eq!(phone.run(&edit(media)), failed(ErrorCode::REFUSED));
}

#[test]
fn a_thirty_third_reaction_is_refused() {
    // req: MSG-054
    let mut phone = phone();
    let own = phone.ids[0];
    for n in 0..=REACTIONS_MAX {
        phone.hear(MessageName::Phone(own), &format!("contact {n:02}"), Change::Reacted("x".to_owned()));
    }
    assert_eq!(phone.message(own).2.len(), REACTIONS_MAX, "the last one is not kept");
    assert_eq!(phone.run(&react(own)), failed(ErrorCode::LIMIT));
    phone.hear(MessageName::Phone(own), "contact 00", Change::Reacted(String::new()));
    assert_eq!(phone.run(&react(own)), ResultBody::Done);
}

#[test]
fn a_contact_changes_its_own_messages_and_reacts_to_any() {
    let mut phone = phone();
    let [own, theirs, _] = phone.ids;
    let name = || MessageName::Network("n1".to_owned());
    phone.hear(name(), "Mallory", Change::Edited("forged".to_owned()));
    phone.hear(MessageName::Phone(own), "Bo", Change::Deleted);
    phone.hear(MessageName::Network("unknown".to_owned()), "Bo", Change::Deleted);
    assert_eq!(phone.message(theirs), ("text".to_owned(), false, vec![]));
    phone.hear(name(), "Bo", Change::Edited("better".to_owned()));
    phone.hear(MessageName::Phone(own), "Bo", Change::Reacted("x".to_owned()));
    assert_eq!(phone.message(theirs), ("better".to_owned(), true, vec![]));
    assert_eq!(phone.message(own), ("text".to_owned(), false, vec![("Bo".to_owned(), "x".to_owned())]));
    phone.hear(name(), "Bo", Change::Deleted);
    assert!(phone.app.store.message(1, theirs).unwrap().unwrap().deleted);
    assert_eq!(phone.notes.0.lock().unwrap().1, [], "the network knows it");
}

#[test]
fn verbs_say_why_they_are_refused() {
    let mut phone = phone();
    let [own, theirs, _] = phone.ids;
    let app = &mut phone.app;
    assert_eq!(app.edit_text(1, own, ""), Err(VerbError::TextLength(0)));
    assert_eq!(app.edit_text(1, theirs, "x"), Err(VerbError::NotYours));
    assert_eq!(app.delete_message(1, 999), Err(VerbError::NoSuchMessage(1, 999)));
    assert_eq!(app.react(1, own, &"x".repeat(64)), Ok(()));
    assert_eq!(app.react(1, own, &"x".repeat(65)), Err(VerbError::ReactionLength(65)));
    assert_eq!(app.delete_message(1, own), Ok(()));
}

#[test]
fn who_is_there_is_told_as_a_whole() {
    // req: MSG-046
    let mut phone = phone();
    let (_, link) = link(&phone.app);
    phone.app.host.add_link(link);
    let presence = |chat, is_there| UpstreamEvent::Presence { chat, is_there };
    phone.notes.0.lock().unwrap().0.extend((1..=102).rev().map(|chat| presence(chat, true)));
    phone.notes.0.lock().unwrap().0.push_back(presence(2, false));
    phone.settle();
    let lowest: Vec<u64> = std::iter::once(1).chain(3..=101).collect();
    assert_eq!(lowest.len(), 100);
    assert_eq!(change::presence(&phone.app.present), NowValue::Presence { present: lowest });
}
