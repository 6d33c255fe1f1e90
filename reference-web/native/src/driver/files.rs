//! Work on files that the user names. It is done in other threads, so that a slow disk does not stop the core
//! thread.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use handfast::codec::ids::ContentId;
use handfast::driver::os_rng;
use handfast_programs::{
    Asker, Clock, Input, Progress, Staged, Terminal, answer_or_refusal, field_hex, field_str, field_u64,
    reason,
};
use rand_core::CryptoRng;
use serde_json::{Map, Value, json};

use super::core::{FileEvent, Mode, Own, Put, WebCore};
use crate::app::{App, AppEvent, AppOutput};
use crate::qr::Drawing;

/// The longest time that removing the picture of a code may take at the program's end.
const REMOVAL_MAX: Duration = Duration::from_secs(2);

impl WebCore {
    /// Draws a code. The picture file is written first, so that it is complete when the code is reported.
    pub(super) fn draw_code(&mut self, text: String) -> anyhow::Result<()> {
        let Mode::Pair { qr_png: Some(path) } = &self.mode else { return self.show_code(&text) };
        if self.drawing {
            self.next_drawing = Some(text);
            return Ok(());
        }
        let (path, drawing) = (path.clone(), Drawing::new(&text)?);
        self.io.files.start(
            move |_| drawing.write_png(&path),
            move |drawn| Input::Own(Own::File(FileEvent::Drawn(text, drawn))),
        )?;
        self.drawing = true;
        Ok(())
    }

    fn show_code(&self, text: &str) -> anyhow::Result<()> {
        let Mode::Pair { qr_png } = &self.mode else { return Ok(()) };
        let drawing = Drawing::new(text)?;
        let shown = match Terminal::of_stdout() {
            None => Err("Standard output is no terminal, so the code is not drawn".to_owned()),
            Some(terminal) if terminal.width.is_some_and(|width| width < drawing.width()) => Err(format!(
                "The code is {} characters wide, and this terminal has {}: make it wider",
                drawing.width(),
                terminal.width.unwrap_or_default()
            )),
            Some(terminal) => Ok(drawing.to_terminal(terminal.colours)),
        };
        (self.console.tell)(&json!({"event": "code", "text": text, "qr_png": qr_png,
            "expires_in_s": 2 * crate::app::CODE_SHOWN.as_secs(), "drawing": shown.as_ref().ok(),
            "not_drawn": shown.as_ref().err()}));
        Ok(())
    }

    /// Copies content to the user's path.
    pub(super) fn export(&mut self, content: ContentId, out: String) {
        let (media, path) = (self.app.store().media().clone(), PathBuf::from(&out));
        let wanted = out.clone();
        let started = self.io.files.start(
            move |progress| media.export(content, &path, progress),
            move |made| Input::Own(Own::File(FileEvent::Exported(content, out, made))),
        );
        if let Err(error) = started {
            // If this call fails because of the store, the next round reports it.
            let _ = self.app.exported(content, &wanted, Err(error.to_string()));
        }
    }

    /// Handles the result of work on a file. Returns an answer if it is due now.
    pub(super) fn file(&mut self, rng: &mut dyn CryptoRng, event: FileEvent) -> Option<(Asker, Value)> {
        let (asker, answer) = match event {
            FileEvent::Staged(asker, put, staged) => {
                let staged = staged.map_err(anyhow::Error::from).and_then(|staged| Ok(staged?));
                (asker, staged.and_then(|staged| attach(&mut self.app, rng, &put, &staged)))
            }
            FileEvent::Looked(asker, content, out, looked) => {
                let looked = looked.map_err(anyhow::Error::from).and_then(|looked| Ok(looked?));
                let taken = looked.and_then(|_| Ok(self.app.get(content, &out)?));
                (asker, taken.map(|()| json!({"accepted": true})))
            }
            FileEvent::Exported(content, out, made) => {
                let made = made.map_err(|error| format!("{out} cannot be written: {error}"));
                let made = made.and_then(|made| made.map_err(|error| reason(&error)));
                // If this call fails because of the store, this round reports it.
                let _ = self.app.exported(content, &out, made);
                return None;
            }
            FileEvent::Drawn(text, drawn) => {
                self.drawing = false;
                if matches!(drawn, Ok(Ok(()))) {
                    self.drawn.store(true, Ordering::Relaxed);
                }
                let drawn = drawn.map_err(anyhow::Error::from).and_then(|drawn| Ok(drawn?));
                let shown = drawn.and_then(|()| match self.next_drawing.take() {
                    Some(next) => self.draw_code(next),
                    None => self.show_code(&text),
                });
                self.end = shown.err().map(Err).or_else(|| self.end.take());
                return None;
            }
        };
        answer_or_refusal(answer.map(Some)).map(|line| (asker, line))
    }

    pub(super) fn begin_attach(
        &mut self,
        object: &Map<String, Value>,
        asker: Asker,
    ) -> anyhow::Result<Option<Value>> {
        let put = put_of(object)?;
        if let Some(sent) = self.app.media_of_client(put.client_id.as_deref())? {
            return Ok(Some(json!({"accepted": true, "command": sent.command.to_string()})));
        }
        let (media, file) = (self.app.store().media().clone(), PathBuf::from(field_str(object, "file")?));
        self.io.files.start(
            move |progress| media.stage(&file, progress),
            move |staged| Input::Own(Own::File(FileEvent::Staged(asker, put, staged))),
        )?;
        Ok(None)
    }
}

pub(super) fn put_of(object: &Map<String, Value>) -> anyhow::Result<Put> {
    let client_id = object.get("client_id").and_then(Value::as_str).map(str::to_owned);
    Ok(Put { chat: field_u64(object, "chat")?, client_id })
}

/// Returns the content and the path that a request `get` names.
pub(super) fn wanted(object: &Map<String, Value>) -> anyhow::Result<(ContentId, PathBuf)> {
    let content: [u8; 32] = field_hex(object, "content")?;
    Ok((ContentId::from_bytes(content), PathBuf::from(field_str(object, "out")?)))
}

/// Sends a file that was copied into the directory of content.
pub(super) fn attach(
    app: &mut App,
    rng: &mut dyn CryptoRng,
    put: &Put,
    staged: &Staged,
) -> anyhow::Result<Value> {
    let imported = app.store().media().take_in(staged)?;
    let content = imported.content.to_string();
    let sent = app.send_media(rng, put.chat, imported, put.client_id.as_deref())?;
    Ok(json!({"accepted": true, "command": sent.command.to_string(), "content": content}))
}

/// For a program that answers one request and ends: settles rounds, and makes the copies that they request.
///
/// Returns the reason why nothing was stored, if so.
///
/// # Errors
///
/// A failure of the store.
pub fn settle_alone(app: &mut App, clock: Clock) -> anyhow::Result<Option<String>> {
    loop {
        let settled = app.settle(clock.now(), &mut os_rng()?)?;
        let mut any = false;
        for output in settled.outputs {
            let AppOutput::Event(AppEvent::Export { content, out }) = output else { continue };
            let made = app.store().media().export(content, Path::new(&out), &Progress::default());
            if let Err(error) = &made {
                handfast_programs::complain(&reason(error));
            }
            app.exported(content, &out, made.map_err(|error| reason(&error)))?;
            any = true;
        }
        if !any || settled.failure.is_some() {
            return Ok(settled.failure.map(|failure| failure.to_string()));
        }
    }
}

/// Removes the picture of a code, because it contains a secret that is no longer needed. The removal is
/// waited for only a limited time, because the disk may hang.
pub(super) fn remove_picture(path: PathBuf) {
    let (done, removed) = std::sync::mpsc::channel();
    let remove = move || {
        // The picture may not exist, so a failure does not matter.
        let _ = std::fs::symlink_metadata(&path)
            .is_ok_and(|found| found.is_file())
            .then(|| std::fs::remove_file(&path));
        let _ = done.send(());
    };
    if std::thread::Builder::new().name("file".into()).spawn(remove).is_ok() {
        let _ = removed.recv_timeout(REMOVAL_MAX);
    }
}
