//! The phone: it has the notes, and answers what its companions ask.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::Duration;

use bytes::Bytes;
use handfast::codec::frame::{OpenKind, PageCursor};
use handfast::codec::ids::{CompanionId, ContentId, LogId, MailboxId};
use handfast::codec::qr::{Offer, RelayRef};
use handfast::codec::stream_meta::GetMeta;
use handfast::content_files::ContentFile;
use handfast::driver::HostDriver;
use handfast::handshake::identity::SigningKey;
use handfast::handshake::pairing::phone::Offering;
use handfast::host::{Application, AttemptOf, HostOf, Link, LinkOf, Lost};
use handfast::media::{ChunkList, ContentHasher, Outgoing};
use handfast::session::pairing::KeysInUse;
use handfast::session::{
    Commit, Endpoint, Event, Message, Pairing, PairingEvent, Repeat, RowList, StreamEvent, SyncEvent,
};
use handfast::{DeviceRole, ErrorCode, Timestamp, sqlite};
use rand_core::CryptoRng;
use rusqlite::params;

use crate::store::{Note, Store};
use crate::{Failure, Notes};

/// The account's own keys are wrapped like those of a link that no one has.
const ACCOUNT: MailboxId = MailboxId::from_bytes([0; 16]);

pub(crate) struct Phone {
    host: HostOf<Self>,
    store: Store,
    account: SigningKey,
    log: LogId,
}

/// What is kept for each companion: what it asks of the notes, and the files that it fetches.
#[derive(Default)]
pub(crate) struct Served {
    wanted: Option<SyncEvent>,
    files: BTreeMap<u64, Outgoing<ContentFile>>,
}

impl Phone {
    pub(crate) fn open(dir: &str, driver: &mut HostDriver) -> Result<Self, Failure> {
        let store = Store::open(dir)?;
        let (mut seed, mut log) = ([0; 32], [0; 16]);
        driver.rng().fill_bytes(&mut seed);
        driver.rng().fill_bytes(&mut log);
        let wrapped = store.key.wrap(ACCOUNT, b"account", &seed)?;
        let account = store.named("account", || wrapped)?;
        let account = store.key.unwrap(ACCOUNT, b"account", &account)?;
        let log = LogId::from_bytes((*store.named("log", || log.to_vec())?).try_into()?);
        let account = SigningKey::from_bytes(account.as_slice().try_into()?);
        let mut phone = Self { host: HostOf::<Self>::default(), store, account, log };
        let now = driver.now();
        phone.load(now, driver.rng())?;
        Ok(phone)
    }

    fn add(&mut self, file: Option<ContentId>, text: &str) -> Result<(), Failure> {
        // A note is never changed, so that its number serves as its revision.
        let id = self.store.newest()? + 1;
        self.store.put(&Note { id, rev: id, file, text: text.to_owned() })?;
        self.host.event(format!("note {id}: {text}"));
        Ok(())
    }

    /// Takes a file into the directory of content.
    fn import(&mut self, path: &str) -> Result<(), Failure> {
        let bytes = std::fs::read(path)?;
        let mut hasher = ContentHasher::new();
        hasher.update(&bytes);
        let list = hasher.finish();
        std::fs::write(self.store.path(list.content_id()), bytes)?;
        sqlite::file::sync(&File::open(self.store.path(list.content_id()))?)?;
        let insert = "INSERT OR IGNORE INTO files VALUES(?1, ?2)";
        let _ = self.store.write()?.execute(insert, params![list.content_id().as_bytes(), list.encode()])?;
        self.add(Some(list.content_id()), path)
    }

    fn serve(&self, meta: &Bytes) -> Result<Outgoing<ContentFile>, Failure> {
        let GetMeta { content, offset } = GetMeta::decode(meta)?;
        let find = "SELECT list FROM files WHERE content = ?1";
        let list: Vec<u8> = self.store.conn.query_row(find, [content.as_bytes()], |row| row.get(0))?;
        let file = ContentFile(File::open(self.store.path(content))?);
        let list = ChunkList::decode(&list).map_err(|code| code.to_string())?;
        Ok(Outgoing::new(&list, offset, file).map_err(|code| code.to_string())?)
    }
}

/// Answers a companion's machine from what is durable.
fn answer(store: &Store, now: Timestamp, endpoint: &mut Endpoint, wanted: SyncEvent) -> Result<(), Failure> {
    let newest = store.newest()?.cast_unsigned();
    let fill = |notes: Vec<Note>, budget| {
        let mut list = RowList::new(budget);
        let fit = notes.iter().take_while(|note| list.push(&note.row())).count();
        (list.into_items(), notes.get(fit).map(|next| next.id.cast_unsigned()))
    };
    let answered = match wanted {
        SyncEvent::DeltaWanted { collection, after, budget } => {
            let (items, next) = fill(store.notes("rev > ?1 ORDER BY rev", after.cast_signed())?, budget);
            endpoint.provide_delta(now, &collection, next.map_or(newest.max(after), |next| next - 1), &items)
        }
        SyncEvent::PageWanted { collection, page, budget } => {
            // The cursor is the revision of the snapshot, and the first note of the page.
            let (rev, first) = match page.as_bytes().as_chunks::<8>().0 {
                [rev, first] => (u64::from_be_bytes(*rev), i64::from_be_bytes(*first)),
                _ => (newest, 0),
            };
            let (items, next) = fill(store.notes("id >= ?1 ORDER BY id", first)?, budget);
            let next = next.map(|next| [rev.to_be_bytes(), next.to_be_bytes()].concat().into());
            endpoint.provide_page(
                now,
                &collection,
                rev,
                next.and_then(PageCursor::new).unwrap_or_default(),
                &items,
            )
        }
        SyncEvent::DigestWanted { collection } => {
            endpoint.provide_digest(now, &collection, newest, store.digest()?)
        }
        _ => Ok(()),
    };
    // A connection that ended in between wants nothing more.
    let _ = answered;
    Ok(())
}

impl Notes for Phone {
    fn line(&mut self, driver: &mut HostDriver, line: &str) -> Result<(), Failure> {
        let now = driver.now();
        let attempt = self.host.attempts_mut().next().ok_or("scan a code first");
        match line.split_once(' ').unwrap_or((line, "")) {
            ("scan", code) => {
                let offer = Offer::decode(code)?;
                let RelayRef::Host(relay) = offer.relay.clone() else {
                    return Err("no relay by name".into());
                };
                let pairing = Pairing::phone(offer, relay, KeysInUse::none(), now, driver.rng());
                let _ = self.host.add_attempt(now, pairing, ());
            }
            ("code", digits) => attempt?.pairing.enter_check_code(now, digits)?,
            ("yes", _) => {
                let mut id = [0; 16];
                driver.rng().fill_bytes(&mut id);
                let (account_name, companion) = ("Notes".to_owned(), CompanionId::from_bytes(id));
                let offering = Offering { account_name, companion, serial: 1, grants: 1, idle_days: 14 };
                attempt?.pairing.approve(now, driver.rng(), &self.account, offering)?;
            }
            ("add", text) => self.add(None, text)?,
            ("attach", path) => self.import(path)?,
            _ => return Err("lines: scan CODE | code 1234 | yes | add TEXT | attach PATH | quit".into()),
        }
        Ok(())
    }
}

impl Application for Phone {
    type Link = Served;
    type Attempt = ();
    type Event = String;
    type Error = Failure;

    fn host(&mut self) -> &mut HostOf<Self> {
        &mut self.host
    }

    fn load(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), Failure> {
        sqlite::roll_back(&self.store.conn)?;
        for (id, rows) in self.store.links()? {
            if self.host.link(id).is_some() {
                continue;
            }
            let mut endpoint = Endpoint::load(DeviceRole::Phone, &rows, Some(self.log), now, rng)?;
            endpoint.set_log_head(now, self.store.newest()?.cast_unsigned());
            let mut served = Served::default();
            for stream in endpoint.streams() {
                served.files.extend(self.serve(&stream.meta).ok().map(|file| (stream.id, file)));
            }
            self.host.add_link(Link::new(now, id, endpoint, served));
        }
        Ok(())
    }

    fn deliver(
        &mut self,
        now: Timestamp,
        _: &mut dyn CryptoRng,
        link: &mut LinkOf<Self>,
        message: Message,
    ) -> Result<(), Failure> {
        match message {
            Message::Command { key, body } => {
                self.add(None, &String::from_utf8_lossy(&body))?;
                let answer = link.endpoint.answer(now, key, &Bytes::new(), Repeat::Answer)?;
                link.store(answer);
            }
            Message::Opened { id, kind: OpenKind::Get, meta } => match self.serve(&meta) {
                Ok(file) => drop(link.data.files.insert(id, file)),
                Err(_) => drop(link.endpoint.reset_stream(now, id, ErrorCode::GONE)),
            },
            Message::Opened { id, .. } => drop(link.endpoint.reset_stream(now, id, ErrorCode::REFUSED)),
            _ => {}
        }
        Ok(())
    }

    fn on_event(&mut self, now: Timestamp, link: &mut LinkOf<Self>, event: Event) -> Result<(), Failure> {
        match event {
            Event::State(state) => self.host.event(format!("companion {}", state.name())),
            Event::Sync(event) => link.data.wanted = Some(event),
            Event::Stream(StreamEvent::DataWanted { id, offset, max }) => {
                let read = link.data.files.get_mut(&id).map(|file| file.read(offset, max));
                match read.unwrap_or(Err(ErrorCode::GONE)) {
                    Ok((bytes, fin)) => drop(link.endpoint.stream_supply(now, id, offset, bytes, fin)),
                    Err(code) => drop(link.endpoint.reset_stream(now, id, code)),
                }
            }
            Event::Stream(StreamEvent::Ended { id, .. }) => drop(link.data.files.remove(&id)),
            _ => {}
        }
        Ok(())
    }

    fn on_pairing_event(
        &mut self,
        _: Timestamp,
        _: &mut AttemptOf<Self>,
        event: PairingEvent,
    ) -> Result<(), Failure> {
        match event {
            PairingEvent::CheckCodeWanted => self.host.event("type: code and the page's four digits".into()),
            PairingEvent::ApprovalWanted { label, .. } => self.host.event(format!("link {label}? type: yes")),
            PairingEvent::ShowConfirmation(number) => self.host.event(format!("number {number}")),
            _ => {}
        }
        Ok(())
    }

    fn attempt_over(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        _: &AttemptOf<Self>,
        ended: Result<MailboxId, ErrorCode>,
    ) -> Result<(), Failure> {
        self.host.event(ended.map_or_else(|code| format!("not linked: {code}"), |_| "linked".into()));
        // Its link, if it left one, is loaded like any other.
        self.load(now, rng)
    }

    fn apply(&mut self, _: Timestamp, _: Option<&AttemptOf<Self>>, commit: &Commit) -> Result<(), Failure> {
        self.store.apply(commit)
    }

    fn commit(&mut self, _: Timestamp) -> Result<bool, Failure> {
        self.store.commit()
    }

    fn committed(&mut self, now: Timestamp, _: &mut dyn CryptoRng) -> Result<bool, Failure> {
        let (newest, mut moved) = (self.store.newest()?.cast_unsigned(), false);
        for link in self.host.links_mut() {
            link.endpoint.set_log_head(now, newest);
            if let Some(wanted) = link.data.wanted.take() {
                answer(&self.store, now, &mut link.endpoint, wanted)?;
                moved = true;
            }
        }
        Ok(moved)
    }

    fn failed(&mut self, _: Timestamp, _: Lost<Served, (), String>, error: &Failure, pause: Duration) {
        self.host.event(format!("the store fails, next try in {} s: {error}", pause.as_secs()));
    }
}
