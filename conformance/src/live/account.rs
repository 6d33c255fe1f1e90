//! The application of the runner's other end, by spec/messages.md: as the phone one chat with its messages, as the web
//! the rows that came.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::{Collection, Row, RowId};
use handfast_codec::role::DeviceRole;
use handfast_messages::{CollectionName, Command, Item, Message, MessageState, ResultBody};
use handfast_session::{Repeat, RowDigest};

/// The chat of the runner's phone.
pub(super) const CHAT: u64 = 1;

/// Rows by collection and name, each with its revision.
#[derive(Default)]
pub(super) struct Account {
    rows: BTreeMap<(Vec<u8>, RowId), (u64, Bytes)>,
    rev: u64,
    messages: u64,
    /// As the web: what is subscribed to in this connection.
    followed: BTreeSet<Vec<u8>>,
}

impl Account {
    pub(super) fn new(role: DeviceRole) -> Self {
        let mut account = Self::default();
        if role == DeviceRole::Phone {
            let _ = account.receive(CHAT, "welcome");
        }
        account
    }

    pub(super) fn rev(&self) -> u64 {
        self.rev
    }

    /// The body of the command that sends a text.
    pub(super) fn command(chat: u64, text: &str) -> Bytes {
        Command::SendText { chat, text: text.to_owned(), reply_to: None }.encode()
    }

    fn put(&mut self, collection: CollectionName, id: u64, item: &Item) {
        let Some(name) = collection.encode() else { return };
        self.rev += 1;
        let _ =
            self.rows.insert((name.as_bytes().to_vec(), RowId::from_number(id)), (self.rev, item.encode()));
    }

    fn add(&mut self, chat: u64, text: &str, author: &str, state: MessageState) -> u64 {
        self.messages += 1;
        let message = self.messages;
        let (author, text) = (author.to_owned(), text.to_owned());
        let (reply_to, media, command, edited, reactions) = (None, None, None, false, Vec::new());
        let last_text = text.clone();
        let time = message;
        let row =
            Message { chat, message, author, time, text, state, reply_to, media, command, edited, reactions };
        self.put(CollectionName::Messages(chat), message, &Item::Message(row));
        let title = "Runner".to_owned();
        let (last_time, unread) = (message, 0);
        let row = Item::Chat { chat, title, last_message: message, last_text, last_time, unread };
        self.put(CollectionName::Chats, chat, &row);
        message
    }

    /// As the phone: a text came from the network. Returns the newest revision.
    pub(super) fn receive(&mut self, chat: u64, text: &str) -> u64 {
        let _ = self.add(chat, text, "Contact", MessageState::Received);
        self.rev
    }

    /// As the phone: runs a command. Returns the result's body, what is to be told, and the newest revision.
    pub(super) fn run(&mut self, body: &Bytes) -> (Bytes, Option<String>, u64) {
        let (result, said) = match Command::decode(body) {
            Ok(Command::SendText { chat: CHAT, text, .. }) => {
                let message = self.add(CHAT, &text, "", MessageState::Accepted);
                (ResultBody::Accepted { message, rev: self.rev }, Some(format!("text {CHAT} {text}")))
            }
            Ok(Command::History { .. }) => {
                (ResultBody::HistoryPage { items: Vec::new(), more: false, rev: self.rev }, None)
            }
            Ok(Command::MarkRead { .. }) => (ResultBody::Done, None),
            Ok(_) => (ResultBody::Failed { code: ErrorCode::GONE }, None),
            Err(error) => (ResultBody::Failed { code: error.code() }, Some(format!("bad {}", error.code()))),
        };
        (result.encode(), said, self.rev)
    }

    /// As the phone: whether a command is run again when it comes again, since its result holds text of messages.
    pub(super) fn repeat(body: &Bytes) -> Repeat {
        match Command::decode(body) {
            Ok(Command::History { .. }) => Repeat::Run,
            _ => Repeat::Answer,
        }
    }

    /// As the phone: the newest revision, and the rows of a collection above one.
    pub(super) fn above(&self, collection: &Collection, after: u64) -> (u64, Vec<Bytes>) {
        let of =
            self.rows.iter().filter(|((name, _), (rev, _))| name == collection.as_bytes() && *rev > after);
        let mut rows: Vec<Row> =
            of.map(|((_, id), (rev, body))| Row { id: id.clone(), rev: *rev, body: body.clone() }).collect();
        rows.sort_by_key(|row| row.rev);
        (self.rev.max(after), rows.iter().map(Row::encode).collect())
    }

    pub(super) fn digest(&self, collection: &Collection) -> [u8; 32] {
        let of = self.rows.iter().filter(|((name, _), _)| name == collection.as_bytes());
        of.map(|((_, id), (rev, _))| (id, *rev)).collect::<RowDigest>().value()
    }

    /// As the web: rows came. Returns what is to be told.
    pub(super) fn rows(
        &mut self,
        collection: &Collection,
        items: impl Iterator<Item = Bytes>,
    ) -> Vec<String> {
        let name = collection.as_bytes().to_vec();
        let mut told = Vec::new();
        for item in items {
            let Ok(row) = Row::decode(&item) else {
                told.push("bad row".to_owned());
                continue;
            };
            let key = (name.clone(), row.id);
            let is_new = !self.rows.contains_key(&key);
            match Item::decode(&row.body) {
                Ok(Item::Message(message)) if is_new => {
                    told.push(format!("text {} {}", message.chat, message.text));
                }
                Ok(Item::Deleted { .. }) => {
                    let _ = self.rows.remove(&key);
                    continue;
                }
                Ok(_) => {}
                Err(_) => told.push("bad item".to_owned()),
            }
            let _ = self.rows.insert(key, (row.rev, row.body));
        }
        told
    }

    /// As the web: a snapshot of the collection begins.
    pub(super) fn forget(&mut self, collection: &Collection) {
        self.rows.retain(|(name, _), _| name != collection.as_bytes());
    }

    /// As the web: a connection begins, without a subscription.
    pub(super) fn begin(&mut self) {
        self.followed.clear();
    }

    /// As the web: subscribes to the list of chats, and to each of its chats.
    pub(super) fn follow(&mut self, mut subscribe: impl FnMut(Collection) -> bool) {
        let mut wanted: Vec<Collection> = CollectionName::Chats.encode().into_iter().collect();
        wanted.extend(self.chats().into_iter().filter_map(|chat| CollectionName::Messages(chat).encode()));
        for collection in wanted {
            if !self.followed.contains(collection.as_bytes()) && subscribe(collection) {
                let _ = self.followed.insert(collection.as_bytes().to_vec());
            }
        }
    }

    /// The chats that are there.
    pub(super) fn chats(&self) -> Vec<u64> {
        let chat = |(_, body): &(u64, Bytes)| match Item::decode(body) {
            Ok(Item::Chat { chat, .. }) => Some(chat),
            _ => None,
        };
        self.rows.values().filter_map(chat).collect()
    }
}
