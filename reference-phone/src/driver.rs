//! The running phone. One core thread owns the [`App`] and the database; tasks for the sockets move bytes.

use std::path::{Path, PathBuf};

use handfast::Timestamp;
use handfast::codec::ids::CompanionId;
use handfast::driver::{Connector, os_rng};
use handfast_programs::chats::chat_list;
use handfast_programs::{
    Asker, Clock, Core, CoreIo, DirLock, FileJobError, Input, Progress, Replies, answer_or_refusal,
    field_hex, field_str, field_u64, run_program_core, wall_ms,
};
use rand_core::CryptoRng;
use serde_json::{Map, Value, json};

use crate::app::{App, AppEvent, Now, ScanStep, Settled, grants_of};
use crate::describe;
use crate::policy::RelayPolicy;
use crate::store::{NewMessage, Store, StoreError};
use crate::upstream::{Upstream, demo::Demo};
use handfast_programs::{ImportError, MediaDir, Staged};

/// The seed that determines the content of the demo network.
const SEED: u64 = 1;

/// The result of copying a file that is to be sent to a chat into the directory of content.
#[derive(Debug)]
struct StagedFor {
    replies: Replies,
    chat: u64,
    staged: Result<Result<Staged, ImportError>, FileJobError>,
}

/// Returns the current time by both clocks.
#[must_use]
pub fn now(clock: Clock) -> Now {
    Now { mono: clock.now(), wall_ms: wall_ms() }
}

/// Opens the phone in a locked directory. If the directory contains none and `create` is given, creates a
/// phone whose account has that name.
///
/// # Errors
///
/// A fault of the directory, in words for the user.
pub fn open(lock: &DirLock, create: Option<&str>, policy: RelayPolicy, clock: Clock) -> anyhow::Result<App> {
    let dir = lock.dir();
    let demo = Demo::new(SEED);
    let media = MediaDir::open(dir)?;
    let (store, account) = match create {
        None => Store::open(dir)?,
        Some(name) => Store::open_or_create(dir, name, |store| fill(store, &demo, &media))?,
    };
    Ok(App::new(store, account, media, Box::new(demo), policy, now(clock), &mut os_rng()?)?)
}

/// Copies the history of the messenger's network into a new store.
fn fill(store: &mut Store, network: &dyn Upstream, media: &MediaDir) -> Result<(), StoreError> {
    for chat in network.history() {
        store.add_chat(chat.chat, &chat.title, &chat.contact)?;
        for (number, message) in chat.messages.iter().enumerate() {
            let photo = match &message.photo {
                None => None,
                Some((name, png)) => {
                    let (content, list) = media.put(png)?;
                    store.put_media(content, &list)?;
                    let size = list.size();
                    let (media_type, name) = ("image/png".to_owned(), name.clone());
                    Some(handfast_messages::MediaDescriptor { content, size, media_type, name })
                }
            };
            let is_own = message.author.is_empty();
            let state = handfast_messages::MessageState::from_number(if is_own { 4 } else { 6 });
            let network_id = format!("history-{}-{number}", chat.chat);
            let _ = store.add_message(&NewMessage {
                chat: chat.chat,
                author: &message.author,
                time_ms: message.time_ms,
                text: &message.text,
                state: state.unwrap_or(handfast_messages::MessageState::Received),
                reply_to: None,
                media: photo.as_ref(),
                command: None,
                network_id: Some(&network_id),
            })?;
        }
        let _ = store.mark_read(chat.chat, u64::MAX)?;
    }
    Ok(())
}

/// The state of the core thread.
struct PhoneCore {
    app: App,
    io: CoreIo<StagedFor>,
    /// The client that runs the pairing attempt, and the channel for replies to it.
    scanner: Option<(u64, Replies)>,
    tell: fn(&Value),
}

/// Runs the phone until SIGINT, SIGTERM or SIGHUP, and calls `tell` with each event.
///
/// # Errors
///
/// The failure that ended the phone.
pub fn run(
    dir: &Path,
    name: &str,
    policy: RelayPolicy,
    connector: Connector,
    tell: fn(&Value),
) -> anyhow::Result<()> {
    let lock = DirLock::acquire(dir)?;
    let clock = Clock::start();
    let mut app = open(&lock, Some(name), policy, clock)?;
    app.sync_in_threads();
    run_program_core(&lock, clock, connector, |io, _| Ok(PhoneCore { app, io, scanner: None, tell }))
}

impl PhoneCore {
    fn now(&self) -> Now {
        now(self.io.clock)
    }
}

impl Core for PhoneCore {
    type Own = StagedFor;
    type App = App;

    fn io(&mut self) -> &mut CoreIo<StagedFor> {
        &mut self.io
    }

    fn app(&mut self) -> &mut App {
        &mut self.app
    }

    fn started(&mut self) {
        (self.tell)(&json!({"event": "ready", "pid": std::process::id()}));
    }

    fn settle(&mut self, rng: &mut dyn CryptoRng) -> anyhow::Result<Settled> {
        let now = self.now();
        self.app.handle_timeout(now, rng);
        Ok(self.app.settle(now, rng)?)
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.app.deadline()
    }

    fn gone(&mut self, client: u64) {
        if self.scanner.as_ref().is_some_and(|(scanner, _)| *scanner == client) {
            self.scanner = None;
            let now = self.now();
            self.app.cancel_scan(now);
        }
    }

    fn input(&mut self, _: &mut dyn CryptoRng, input: StagedFor) -> Option<(Asker, Value)> {
        let now = self.now();
        let staged = input.staged.map_err(anyhow::Error::from).and_then(|staged| Ok(staged?));
        let answer = staged.and_then(|staged| attach(&mut self.app, now, input.chat, &staged));
        answer_or_refusal(answer.map(Some)).map(|line| (Some(input.replies), line))
    }

    fn event(&mut self, event: AppEvent) -> anyhow::Result<()> {
        if let AppEvent::Scan(step) = event {
            let is_over = matches!(step, ScanStep::Linked { .. } | ScanStep::Ended { .. });
            if let Some((_, replies)) = &self.scanner {
                let _ = replies.send(describe::scan(&step));
            }
            if is_over {
                self.scanner = None;
            }
        } else {
            tracing::info!(?event);
            (self.tell)(&describe::event(&event));
        }
        Ok(())
    }

    fn request(
        &mut self,
        rng: &mut dyn CryptoRng,
        client: u64,
        object: &Map<String, Value>,
        replies: &Replies,
    ) -> anyhow::Result<Option<Value>> {
        let now = self.now();
        let answers_scan = object.contains_key("check_code") || object.contains_key("approve");
        if answers_scan && self.scanner.as_ref().is_none_or(|(scanner, _)| *scanner != client) {
            anyhow::bail!(
                "this command did not begin the scan; answer where it was begun, or end it there and scan again"
            );
        }
        if let Some(code) = object.get("check_code").and_then(Value::as_str) {
            self.app.enter_check_code(now, code)?;
            return Ok(None);
        }
        if let Some(approved) = object.get("approve").and_then(Value::as_bool) {
            match object.get("grants").filter(|_| approved) {
                Some(names) => self.app.approve_with(now, rng, granted(names)?)?,
                None => self.app.approve(now, rng, approved)?,
            }
            return Ok(None);
        }
        if field_str(object, "verb")? == "attach" {
            let (chat, file) = (field_u64(object, "chat")?, PathBuf::from(field_str(object, "file")?));
            let (media, replies) = (self.app.media().clone(), replies.clone());
            self.io.files.start(
                move |progress| media.stage(&file, progress),
                move |staged| Input::Own(StagedFor { replies, chat, staged }),
            )?;
            return Ok(None);
        }
        if field_str(object, "verb")? == "scan" {
            self.app.scan(now, rng, field_str(object, "text")?)?;
            self.scanner = Some((client, replies.clone()));
            return Ok(None);
        }
        verb(&mut self.app, now, object, || self.io.usage()).map(Some)
    }
}

/// Returns the rights with these names, as bits.
fn granted(names: &Value) -> anyhow::Result<u64> {
    let names =
        names.as_array().and_then(|names| names.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    let bits = names.and_then(|names| grants_of(&names));
    bits.ok_or_else(|| anyhow::anyhow!("\"grants\" is a list of \"read\", \"send\" and \"media\""))
}

/// Sends a file that was copied into the directory of content.
fn attach(app: &mut App, now: Now, chat: u64, staged: &Staged) -> anyhow::Result<Value> {
    let imported = app.media().take_in(staged)?;
    let id = app.send_media(now, chat, &imported)?;
    Ok(json!({"accepted": true, "id": id, "content": imported.content.to_string()}))
}

/// Carries out a user's request that needs no connection. The answer is true once the writes of this round
/// are durable. `attach` reads the file at once and blocks until then, so a running phone handles that
/// request elsewhere. `process` returns the resource usage of the running process, or null.
///
/// # Errors
///
/// The user's mistake, or the failure.
pub fn verb(
    app: &mut App,
    now: Now,
    object: &Map<String, Value>,
    process: impl FnOnce() -> Value,
) -> anyhow::Result<Value> {
    match field_str(object, "verb")? {
        "chats" => Ok(chat_list(&app.chats()?)),
        "history" => {
            let count = object.get("count").and_then(Value::as_u64).unwrap_or(50).min(1_000);
            Ok(describe::history(&app.history(field_u64(object, "chat")?, count)?))
        }
        "companions" => Ok(describe::companions(&app.companions()?)),
        "status" => Ok(describe::status(&app.status()?, &process())),
        "send" => {
            let id = app.send_text(now, field_u64(object, "chat")?, field_str(object, "text")?)?;
            Ok(json!({"accepted": true, "id": id}))
        }
        "edit" => {
            let (chat, message) = (field_u64(object, "chat")?, field_u64(object, "message")?);
            app.edit_text(chat, message, field_str(object, "text")?)?;
            Ok(json!({"changed": true}))
        }
        "delete" => {
            app.delete_message(field_u64(object, "chat")?, field_u64(object, "message")?)?;
            Ok(json!({"changed": true}))
        }
        "react" => {
            let (chat, message) = (field_u64(object, "chat")?, field_u64(object, "message")?);
            app.react(chat, message, field_str(object, "reaction")?)?;
            Ok(json!({"changed": true}))
        }
        "attach" => {
            let chat = field_u64(object, "chat")?;
            let staged = app.media().stage(Path::new(field_str(object, "file")?), &Progress::default())?;
            attach(app, now, chat, &staged)
        }
        "cancel" => {
            let id: [u8; 16] = field_hex(object, "companion")?;
            app.cancel(now, CompanionId::from_bytes(id))?;
            Ok(json!({"cancelled": true}))
        }
        "revoke" => {
            let id: [u8; 16] = field_hex(object, "companion")?;
            app.revoke(now, CompanionId::from_bytes(id))?;
            Ok(json!({"revoked": true}))
        }
        other => Err(anyhow::anyhow!("the verb \"{other}\" is not known")),
    }
}
