//! The running companion. One core thread owns the [`App`] and the database; tasks for the sockets move
//! bytes.

mod core;
mod files;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use handfast::codec::ids::CommandKey;
use handfast::driver::{Connector, os_rng};
use handfast::{RelayName, Timestamp};
use handfast_programs::chats::chat_list;
use handfast_programs::{
    Asker, Clock, Core, CoreIo, Destination, DirLock, Input, Progress, Replies, StdinEvent,
    answer_or_refusal, field_hex, field_str, field_u64, run_program_core, spawn_stdin,
};
use rand_core::CryptoRng;
use serde_json::{Map, Value, json};

use self::core::{FileEvent, Own, WebCore};
use self::files::{attach, put_of, remove_picture, wanted};
use crate::app::{App, AppEvent, Sent, Settled};
use crate::describe;
use crate::store::Store;

pub use self::core::{Console, Mode};
pub use self::files::settle_alone;

/// The settings of this companion.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "the program's settings")]
pub struct Settings {
    /// The relay through which new codes are answered.
    pub relay: RelayName,
    /// The label by which the phone shows this companion.
    pub label: String,
}

/// Opens the companion in a locked directory.
///
/// # Errors
///
/// A fault of the directory, in words for the user.
pub fn open(lock: &DirLock, settings: Settings, clock: Clock) -> anyhow::Result<App> {
    let store = Store::open(lock.dir())?;
    Ok(App::new(store, settings.relay, settings.label, clock.now(), &mut os_rng()?)?)
}

/// Runs the companion until it is done, or until SIGINT, SIGTERM or SIGHUP.
///
/// # Errors
///
/// The failure that ended the companion.
pub fn run(
    dir: &Path,
    settings: Settings,
    connector: Connector,
    mode: Mode,
    console: Console,
) -> anyhow::Result<()> {
    let lock = DirLock::acquire(dir)?;
    let clock = Clock::start();
    let mut app = open(&lock, settings, clock)?;
    app.sync_in_threads();
    match &mode {
        Mode::Pair { .. } => app.pair(clock.now(), &mut os_rng()?)?,
        Mode::Run { .. } if !app.is_linked() => {
            anyhow::bail!("this companion is not linked; run `pair` first")
        }
        Mode::Run { relay } => require_relay(&app, relay.as_ref())?,
    }
    let picture = match &mode {
        Mode::Pair { qr_png } => qr_png.clone(),
        Mode::Run { .. } => None,
    };
    let drawn = Arc::new(AtomicBool::new(false));
    let is_drawn = Arc::clone(&drawn);
    let result = run_program_core(&lock, clock, connector, |io, events| {
        spawn_stdin(events.clone(), |event| Input::Own(Own::Stdin(event)))?;
        Ok(WebCore { app, mode, io, drawing: false, drawn, next_drawing: None, console, end: None })
    });
    picture.filter(|_| is_drawn.load(Ordering::Relaxed)).into_iter().for_each(remove_picture);
    result
}

/// Checks that a relay which the user named is the one of the link. Phone and companion have signed the
/// relay's name, so it cannot change later.
fn require_relay(app: &App, given: Option<&RelayName>) -> anyhow::Result<()> {
    let linked = app.store().link()?.map(|link| link.relay);
    if let (Some(given), Some(linked)) = (given, linked)
        && given.as_str() != linked
    {
        anyhow::bail!(
            "this companion is linked over {linked}, and stays so: leave --relay out, or `logout --yes` and `pair` over {given}"
        );
    }
    Ok(())
}

impl Core for WebCore {
    type Own = Own;
    type App = App;

    fn io(&mut self) -> &mut CoreIo<Own> {
        &mut self.io
    }

    fn app(&mut self) -> &mut App {
        &mut self.app
    }

    fn started(&mut self) {
        if matches!(self.mode, Mode::Run { .. }) {
            (self.console.tell)(&json!({"event": "ready", "pid": std::process::id()}));
        }
    }

    fn request(
        &mut self,
        rng: &mut dyn CryptoRng,
        _: u64,
        object: &Map<String, Value>,
        replies: &Replies,
    ) -> anyhow::Result<Option<Value>> {
        self.begin(rng, object, Some(replies))
    }

    fn input(&mut self, rng: &mut dyn CryptoRng, input: Own) -> Option<(Asker, Value)> {
        let line = match input {
            Own::Stdin(StdinEvent::Line(line)) => {
                let object = (self.console.read)(&line);
                answer_or_refusal(object.and_then(|object| self.begin(rng, &object, None)))?
            }
            Own::Stdin(StdinEvent::Bad) => json!({"error": "the line is too long or no UTF-8"}),
            Own::Stdin(_) => return None,
            Own::File(event) => return self.file(rng, event),
        };
        Some((None, line))
    }

    fn settle(&mut self, rng: &mut dyn CryptoRng) -> anyhow::Result<Settled> {
        let now = self.io.clock.now();
        self.app.handle_timeout(now, rng);
        Ok(self.app.settle(now, rng)?)
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.app.deadline()
    }

    fn answer(&self, asker: Asker, line: Value) {
        match asker {
            // The client may have gone, so a failure does not matter.
            Some(replies) => drop(replies.send(line)),
            None => (self.console.tell)(&line),
        }
    }

    fn event(&mut self, event: AppEvent) -> anyhow::Result<()> {
        match event {
            AppEvent::Code { text } => return self.draw_code(text),
            AppEvent::Export { content, out } => {
                self.export(content, out);
                return Ok(());
            }
            _ => {}
        }
        let line = describe::event(&event);
        tracing::debug!(event = %line["event"]);
        (self.console.tell)(&line);
        match (&self.mode, event) {
            (Mode::Pair { .. }, AppEvent::Linked { .. }) => self.end = Some(Ok(())),
            (_, AppEvent::Lapsed) => {
                self.end = Some(Err(anyhow::anyhow!(
                    "the phone did not confirm the link within a day; run `pair` to link it again"
                )));
            }
            (Mode::Run { .. }, AppEvent::Revoked) => {
                self.end = Some(Err(anyhow::anyhow!(
                    "the phone has unlinked this companion; run `pair` to link it again"
                )));
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self) -> Option<anyhow::Result<()>> {
        self.end.take()
    }
}

impl WebCore {
    /// Handles the number that the user typed; null means that the phone shows none.
    fn number(&mut self, now: Timestamp, number: &Value) -> anyhow::Result<Value> {
        match number.as_str() {
            // Input that is not two digits is a typing error. It must not use up the only try.
            Some(digits) if digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                self.app.enter_number(now, digits)?;
            }
            None if number.is_null() => self.app.stop_pairing(now)?,
            _ => anyhow::bail!("type the two digits that the phone shows, or `none` if it shows none"),
        }
        Ok(json!({"answered": !number.is_null()}))
    }

    /// Begins a request. Returns `None` when the answer to it follows later.
    fn begin(
        &mut self,
        rng: &mut dyn CryptoRng,
        object: &Map<String, Value>,
        asker: Option<&Replies>,
    ) -> anyhow::Result<Option<Value>> {
        let now = self.io.clock.now();
        if let Some(number) = object.get("number") {
            return self.number(now, number).map(Some);
        }
        if object.get("new_code").and_then(Value::as_bool) == Some(true) {
            self.app.new_code(now, rng)?;
            return Ok(Some(json!({"new_code": true})));
        }
        match field_str(object, "verb")? {
            "attach" => self.begin_attach(object, asker.cloned()),
            "get" => {
                let (content, out) = wanted(object)?;
                let (size, path) = (self.app.size_of(content)?, out.clone());
                let asker = asker.cloned();
                self.io.files.start(
                    move |_| Destination::look(&path, size),
                    move |looked| Input::Own(Own::File(FileEvent::Looked(asker, content, out, looked))),
                )?;
                Ok(None)
            }
            _ => verb(&mut self.app, now, rng, object, || self.io.usage()).map(Some),
        }
    }
}

/// Returns the answer to a request that changes a message.
fn change(sent: Sent) -> Value {
    json!({"accepted": true, "command": sent.command.to_string(), "held": sent.held})
}

/// Carries out a user's request. The answer is true once the writes of this round are durable. Requests that
/// read or check a file do so at once and block until then, so a running companion handles those elsewhere.
/// `process` returns the resource usage of the running process, or null.
///
/// # Errors
///
/// The user's mistake, or the failure.
pub fn verb(
    app: &mut App,
    now: Timestamp,
    rng: &mut dyn CryptoRng,
    object: &Map<String, Value>,
    process: impl FnOnce() -> Value,
) -> anyhow::Result<Value> {
    let client_id = object.get("client_id").and_then(Value::as_str);
    match field_str(object, "verb")? {
        "chats" => Ok(chat_list(&app.store().chats()?)),
        "history" => {
            let count = object.get("count").and_then(Value::as_u64).unwrap_or(50).min(1_000);
            let chat = field_u64(object, "chat")?;
            app.open_chat(now, chat);
            Ok(describe::history(&app.store().history(chat, count)?))
        }
        "older" => {
            let sent = app.ask_older(now, rng, field_u64(object, "chat")?)?;
            Ok(json!({"accepted": true, "command": sent.command.to_string()}))
        }
        "status" => Ok(describe::status(&app.status()?, &process())),
        "send" => {
            let reply_to = object.get("reply_to").and_then(Value::as_u64);
            let (chat, text) = (field_u64(object, "chat")?, field_str(object, "text")?);
            let sent = app.send_text(now, rng, chat, text, reply_to, client_id)?;
            Ok(json!({"accepted": true, "command": sent.command.to_string()}))
        }
        "read" => {
            let sent = app.mark_read(now, rng, field_u64(object, "chat")?, field_u64(object, "message")?)?;
            Ok(json!({"accepted": true, "command": sent.command.to_string()}))
        }
        "edit" => {
            let (chat, message) = (field_u64(object, "chat")?, field_u64(object, "message")?);
            Ok(change(app.edit_text(now, rng, chat, message, field_str(object, "text")?)?))
        }
        "delete" => {
            let (chat, message) = (field_u64(object, "chat")?, field_u64(object, "message")?);
            Ok(change(app.delete_message(now, rng, chat, message)?))
        }
        "react" => {
            let (chat, message) = (field_u64(object, "chat")?, field_u64(object, "message")?);
            Ok(change(app.react(now, rng, chat, message, field_str(object, "reaction")?)?))
        }
        "undo" => {
            let command = CommandKey::from_bytes(field_hex(object, "command")?);
            app.undo(command)?;
            Ok(json!({"undone": true, "command": command.to_string()}))
        }
        "companions" => Ok(describe::companions(&app.store().companions()?)),
        "attach" => {
            if let Some(sent) = app.media_of_client(client_id)? {
                return Ok(json!({"accepted": true, "command": sent.command.to_string()}));
            }
            let staged =
                app.store().media().stage(Path::new(field_str(object, "file")?), &Progress::default())?;
            attach(app, rng, &put_of(object)?, &staged)
        }
        "get" => {
            let (content, out) = wanted(object)?;
            let _ = Destination::look(&out, app.size_of(content)?)?;
            app.get(content, &out)?;
            Ok(json!({"accepted": true}))
        }
        "take_back" => {
            app.take_back(now);
            Ok(json!({"accepted": true}))
        }
        other => Err(anyhow::anyhow!("the verb \"{other}\" is not known")),
    }
}
