//! The role of a phone: it runs commands, and serves rows and content.

use std::ops::{Deref, DerefMut};
use std::path::Path;

use bytes::Bytes;
use handfast_codec::frame::{Collection, OpenKind, Row, RowId};
use handfast_codec::ids::{CompanionId, ContentId, LogId, MailboxId};
use handfast_codec::limits::{ITEM_LEN_MAX, MEDIA_LEN_MAX};
use handfast_codec::qr::{QrOffer, RelayRef};
use handfast_codec::stream_meta::PutMeta;
use handfast_codec::{ErrorCode, Timestamp};
use handfast_handshake::certificate::sign_revoked;
use handfast_handshake::identity::SigningKey;
use handfast_handshake::pairing::phone::GrantedTerms;
use handfast_session::{Event, LinkRows, Message, Pairing, PhoneEndpoint, Repeat, SendError, SyncEvent};
use rand_core::CryptoRng;

use super::store::Store;
use super::streams::{Moved, Streams};
use super::txn::Txn;
use super::{Role, Tether, TetherError, TetherEvent};
use crate::DeviceRole;
use crate::host::LinkOf;
use crate::provided_rows::{Answer, page_of};
use crate::session;

/// The number of rows that are read for one answer to a companion.
const ANSWER_ROWS_MAX: usize = 512;
/// The number of idle days in the terms of a link. Nothing enforces it yet.
const IDLE_DAYS: u16 = 14;

/// An application on a phone.
pub trait PhoneApp {
    /// An event for the user.
    type Event;

    /// Runs a command of a companion, and returns its answer, at most 65,504 bytes. What it writes is durable
    /// together with the answer, and the command runs exactly once.
    ///
    /// # Errors
    ///
    /// A failure of the store. A command that is refused has an answer that says so.
    fn command(
        &mut self,
        txn: &mut PhoneTxn<'_, Self::Event>,
        companion: MailboxId,
        body: &Bytes,
    ) -> Result<Bytes, TetherError>;

    /// Decides whether content of this size in bytes, which a companion offers, is taken. Without this function
    /// none is. What is taken stays in the tether's directory until [`PhoneTxn::remove_content`]; the
    /// application has to bound it.
    fn accepts(&mut self, companion: MailboxId, content: ContentId, size: u64) -> bool {
        let _ = (companion, content, size);
        false
    }
}

/// The open transaction of a phone, in which rows can be written.
#[derive(Debug)]
pub struct PhoneTxn<'a, E>(Txn<'a, E>);

impl<'a, E> Deref for PhoneTxn<'a, E> {
    type Target = Txn<'a, E>;

    fn deref(&self) -> &Txn<'a, E> {
        &self.0
    }
}

impl<E> DerefMut for PhoneTxn<'_, E> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<E> PhoneTxn<'_, E> {
    /// Writes a row, in place of the one that has its id. It reaches every companion. Returns its revision.
    ///
    /// # Errors
    ///
    /// [`TetherError::Input`] if the body is empty, or too long for a row (15,000 bytes with its id and
    /// revision); a failure of the store.
    pub fn put(&mut self, collection: &Collection, id: RowId, body: Bytes) -> Result<u64, TetherError> {
        if body.is_empty() {
            return Err(TetherError::Input(
                "a row without a body is a removed one: call `remove`".to_owned(),
            ));
        }
        self.write(collection, id, body)
    }

    /// Removes a row, here and at every companion.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    pub fn remove(&mut self, collection: &Collection, id: RowId) -> Result<(), TetherError> {
        if self.row(collection, &id)?.is_some() {
            let _ = self.write(collection, id, Bytes::new())?;
        }
        Ok(())
    }

    fn write(&mut self, collection: &Collection, id: RowId, body: Bytes) -> Result<u64, TetherError> {
        let rev = self.store.newest()?.saturating_add(1);
        let row = Row { id, rev, body };
        if row.encode().len() > ITEM_LEN_MAX {
            return Err(TetherError::Input(format!("a row has at most {ITEM_LEN_MAX} bytes")));
        }
        let _ = self.store.put_row(collection, &row)?;
        Ok(rev)
    }

    /// Copies a file into the tether's directory. Companions can fetch it by its content id. Blocks while it
    /// copies.
    ///
    /// # Errors
    ///
    /// [`TetherError::Input`] if the file cannot be read; a failure of the store.
    pub fn import(&mut self, path: &Path) -> Result<ContentId, TetherError> {
        self.store.import(path)
    }

    /// Forgets content, and removes its file once that is durable.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    pub fn remove_content(&mut self, content: ContentId) -> Result<(), TetherError> {
        self.store.remove_content(content)
    }
}

/// The role of a phone with the application `A`.
#[derive(Debug)]
pub struct Phone<A> {
    app: A,
    account: SigningKey,
    log: LogId,
}

/// What a phone keeps in memory for a link.
#[derive(Debug, Default)]
#[expect(unnameable_types, reason = "the host alone asks for it")]
pub struct Served {
    /// The question of the companion that is to be answered next.
    wanted: Option<SyncEvent>,
    streams: Streams,
}

impl<A: PhoneApp> Tether<Phone<A>> {
    /// Opens the phone in this directory; a new directory gets a new account.
    ///
    /// # Errors
    ///
    /// [`TetherError`] if the directory is in use or cannot be read.
    pub fn open_phone(
        dir: &Path,
        app: A,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, TetherError> {
        Self::open_phone_with(Store::open(dir)?, app, now, rng)
    }

    /// Opens the phone in this store; a new store gets a new account.
    ///
    /// # Errors
    ///
    /// [`TetherError`] if the store cannot be read.
    pub fn open_phone_with(
        mut store: Store,
        app: A,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, TetherError> {
        let account = SigningKey::from_bytes(*store.identity("account", rng)?);
        let log = LogId::from_bytes(*store.identity("log", rng)?);
        let _ = store.entries.commit()?;
        Self::with(store, Phone { app, account, log }, now, rng)
    }

    /// Runs `change` in the open transaction. What it wrote and reported is durable after the next round.
    ///
    /// # Errors
    ///
    /// The error of `change`, whose writes are undone then; a failure of the store.
    pub fn change<T>(
        &mut self,
        change: impl FnOnce(&mut A, &mut PhoneTxn<'_, A::Event>) -> Result<T, TetherError>,
    ) -> Result<T, TetherError> {
        self.in_part(|role, txn| {
            let mut txn = PhoneTxn(txn);
            let changed = change(&mut role.app, &mut txn);
            (changed, txn.0)
        })
    }

    /// Begins to pair with the companion that shows this code. The user's next step comes as an event.
    ///
    /// # Errors
    ///
    /// [`TetherError::Input`] if the text is no code, or names no relay; a failure of the store.
    pub fn scan(&mut self, now: Timestamp, rng: &mut dyn CryptoRng, code: &str) -> Result<(), TetherError> {
        let offer =
            QrOffer::decode(code).map_err(|error| TetherError::Input(format!("not a code: {error}")))?;
        let RelayRef::Host(relay) = offer.relay.clone() else {
            return Err(TetherError::Input("the code names no relay that this program knows".to_owned()));
        };
        let pairing = Pairing::phone(offer, relay, self.store.keys_in_use()?, now, rng);
        let _ = self.host.add_attempt(now, pairing, ());
        Ok(())
    }

    /// Links the companion, because the user approved it. `grants` are the application's rights as bits.
    ///
    /// # Errors
    ///
    /// [`TetherError::Input`] if no pairing runs; [`TetherError::Misuse`] if it does not wait for this.
    pub fn approve(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        account_name: &str,
        grants: u64,
    ) -> Result<(), TetherError> {
        let mut companion = [0; 16];
        rng.fill_bytes(&mut companion);
        let granted = GrantedTerms {
            account_name: account_name.to_owned(),
            companion: CompanionId::from_bytes(companion),
            serial: self.store.next_serial()?,
            grants,
            idle_days: IDLE_DAYS,
        };
        let Some(attempt) = self.host.attempts_mut().last() else { return self.pairing().map(drop) };
        Ok(attempt.pairing.approve(now, rng, &self.role.account, granted)?)
    }

    /// Revokes a link: its companion is told whenever it connects, and deletes its keys. [`Event::RevokedTold`] follows when it was told.
    ///
    /// # Errors
    ///
    /// [`TetherError::Input`] if there is no such link; [`TetherError::Refused`].
    pub fn revoke(&mut self, now: Timestamp, id: MailboxId) -> Result<(), TetherError> {
        let none = || TetherError::Input("there is no such link".to_owned());
        let link = self.host.link_mut(id).ok_or_else(none)?;
        let signature = sign_revoked(&self.role.account, link.endpoint.terms());
        let commit = link.endpoint.revoke(now, signature)?;
        link.store(commit);
        Ok(())
    }
}

impl<A: PhoneApp> Tether<Phone<A>> {
    /// Answers a companion that offers content.
    fn offered(
        &mut self,
        companion: MailboxId,
        streams: &mut Streams,
        id: u64,
        meta: &[u8],
    ) -> Result<(), TetherError> {
        let put = match PutMeta::decode(meta) {
            Ok(put) => put,
            Err(error) => {
                streams.stop(id, error.code());
                return Ok(());
            }
        };
        let others = self.host.links().any(|link| link.data.streams.is_coming(put.content));
        let refused = if others || streams.is_coming(put.content) {
            // Two streams cannot write the same file.
            Some(ErrorCode::TOO_MANY_STREAMS)
        } else if put.size > MEDIA_LEN_MAX {
            Some(ErrorCode::TOO_LARGE)
        } else if !self.role.app.accepts(companion, put.content, put.size) {
            Some(ErrorCode::REFUSED)
        } else {
            None
        };
        match refused {
            Some(code) => streams.stop(id, code),
            None => streams.receive(&self.store, id, put)?,
        }
        Ok(())
    }
}

impl<A> super::role::Sealed for Phone<A> {}

impl<A: PhoneApp> Role for Phone<A> {
    type Of = session::role::Phone;
    type Link = Served;
    type Event = A::Event;

    fn load(
        tether: &mut Tether<Self>,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        rows: &LinkRows,
    ) -> Result<(PhoneEndpoint, Served), TetherError> {
        tether.store.note_keys(DeviceRole::Phone, rows)?;
        let mut endpoint = PhoneEndpoint::load(rows, tether.role.log, now, rng)?;
        endpoint.set_log_head(now, tether.store.newest()?);
        let (mut served, id) = (Served::default(), endpoint.mailbox());
        for stream in endpoint.streams() {
            if stream.kind == OpenKind::Put && stream.durable == 0 {
                // The answer to it may not have been stored.
                tether.offered(id, &mut served.streams, stream.id, &stream.meta)?;
            } else {
                served.streams.load(&tether.store, &stream)?;
            }
        }
        Ok((endpoint, served))
    }

    fn deliver(
        tether: &mut Tether<Self>,
        now: Timestamp,
        link: &mut LinkOf<Tether<Self>>,
        message: Message,
    ) -> Result<(), TetherError> {
        match message {
            Message::Command { key, body } => {
                let companion = link.id();
                let answer = tether.change(|app, txn| app.command(txn, companion, &body))?;
                let answer = link.endpoint.answer(now, key, &answer, Repeat::Answer)?;
                link.store(answer);
            }
            Message::Opened { id, kind: OpenKind::Put, meta } => {
                let companion = link.id();
                tether.offered(companion, &mut link.data.streams, id, &meta)?;
            }
            Message::Opened { id, kind, meta } => link.data.streams.send(&tether.store, id, kind, &meta)?,
            _ => {}
        }
        Ok(())
    }

    fn on_event(
        tether: &mut Tether<Self>,
        now: Timestamp,
        link: &mut LinkOf<Tether<Self>>,
        event: Event,
    ) -> Result<Option<Event>, TetherError> {
        match event {
            Event::Sync(wanted) => link.data.wanted = Some(wanted),
            Event::Stream(event) => {
                link.data.streams.handle(&mut tether.store, now, &mut link.endpoint, event)?;
            }
            event => return Ok(Some(event)),
        }
        Ok(None)
    }

    fn drained(
        tether: &mut Tether<Self>,
        now: Timestamp,
        link: &mut LinkOf<Tether<Self>>,
    ) -> Result<bool, TetherError> {
        let mut streams = std::mem::take(&mut link.data.streams);
        let pumped = streams.pump(&mut tether.store, now, link);
        for moved in streams.take_moved() {
            if let Moved::Came(content) = moved {
                tether.event(TetherEvent::Received(link.id(), content));
            }
        }
        link.data.streams = streams;
        pumped
    }

    fn committed(tether: &mut Tether<Self>, now: Timestamp) -> Result<bool, TetherError> {
        let (newest, mut moved) = (tether.store.newest()?, false);
        for link in tether.host.links_mut() {
            link.endpoint.set_log_head(now, newest);
            if let Some(wanted) = link.data.wanted.take() {
                // A connection that has ended meanwhile wants nothing more, and refuses the answer.
                let _ = answer(&tether.store, newest, now, &mut link.endpoint, wanted)?;
                moved = true;
            }
        }
        Ok(moved)
    }
}

/// Answers a question of a companion from what is durable. `newest` is the newest revision. The inner error
/// is that of the machine.
fn answer(
    store: &Store,
    newest: u64,
    now: Timestamp,
    endpoint: &mut PhoneEndpoint,
    wanted: SyncEvent,
) -> Result<Result<(), SendError>, TetherError> {
    Ok(match wanted {
        SyncEvent::DeltaWanted { collection, after, budget } => {
            let rows = store.rows_by_rev(&collection, after, ANSWER_ROWS_MAX)?;
            let answer = Answer { rows: &rows, is_all: rows.len() < ANSWER_ROWS_MAX, budget };
            answer.delta(now, endpoint, &collection, newest.max(after))
        }
        SyncEvent::PageWanted { collection, page, budget } => {
            let (rev, after) = page_of(&page).map_or((newest, None), |(rev, after)| (rev, Some(after)));
            let rows = store.rows_by_id(&collection, after.as_ref(), ANSWER_ROWS_MAX)?;
            let answer = Answer { rows: &rows, is_all: rows.len() < ANSWER_ROWS_MAX, budget };
            answer.page(now, endpoint, &collection, rev)
        }
        SyncEvent::DigestWanted { collection } => {
            endpoint.provide_digest(now, &collection, newest, store.digest(&collection)?)
        }
        _ => Ok(()),
    })
}
