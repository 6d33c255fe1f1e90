//! Something that was asked for and must come to be exactly once.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::world::{By, LIMIT, World};
use crate::processes::devices::Device;
use crate::processes::patience::until;
use crate::processes::{photo, random};

/// A text or a photo that stands in the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) by: By,
    pub(crate) chat: u64,
    /// The field by whose value its row is known.
    field: &'static str,
    pub(crate) value: String,
    request: Value,
    /// For a photo: SHA-256 and size of the file.
    pub(crate) sha256: String,
}

/// Media that the companion fetches.
#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    pub(crate) content: String,
    pub(crate) out: PathBuf,
}

impl World {
    /// Writes a new random text into the ledger, without asking for it yet.
    pub(crate) fn plan_text(&mut self, by: By, chat: u64) -> Result<Asked> {
        let text = format!("text {} {}", self.ledger.entries().len() + 1, random::hex(8)?);
        let mut entry = json!({"kind": "text", "by": by.word(), "chat": chat, "text": text});
        entry["answer"] = json!(super::chat::answer_to(&text));
        let mut request = json!({"verb": "send", "chat": chat, "text": text});
        give_client_id(by, &mut entry, &mut request)?;
        self.ledger.write(entry)?;
        Ok(Asked { by, chat, field: "text", value: text, request, sha256: String::new() })
    }

    /// Makes a new random photo and writes it into the ledger, without asking for it yet.
    pub(crate) fn plan_photo(&mut self, by: By, chat: u64, len: usize) -> Result<Asked> {
        let name = format!("photo-{}-{}.png", self.ledger.entries().len() + 1, random::hex(4)?);
        let path = self.root.join(&name);
        let made = photo::write(&path, len)?;
        let mut entry = json!({"kind": "photo", "by": by.word(), "chat": chat, "name": name});
        entry["size"] = json!(made.size);
        entry["sha256"] = json!(made.sha256);
        let mut request = json!({"verb": "attach", "chat": chat, "file": path});
        give_client_id(by, &mut entry, &mut request)?;
        self.ledger.write(entry)?;
        Ok(Asked { by, chat, field: "media_name", value: name, request, sha256: made.sha256 })
    }

    /// Asks once; programs that have ended are not started again.
    ///
    /// # Errors
    /// It is not accepted, or nobody answers.
    pub(crate) fn ask_once(&self, asked: &Asked) -> Result<()> {
        let device = self.at(asked.by)?;
        // The phone has no ids for what its own user sends, so look before asking a second time.
        if asked.by == By::Phone && row(device, asked)?.is_some() {
            return Ok(());
        }
        let answer = device.ask(&asked.request)?;
        ensure!(answer["accepted"] == true, "it answered {answer}");
        Ok(())
    }

    /// Asks until it is accepted, and starts the asked device again on the way; then it is on its disk.
    ///
    /// # Errors
    /// It is not accepted in time.
    pub(crate) fn hand_over(&mut self, asked: &Asked) -> Result<()> {
        until(&format!("the {} to accept `{}`", asked.by.word(), asked.value), LIMIT, || {
            self.ensure_running_at(asked.by)?;
            self.ask_once(asked).map(Some)
        })
    }

    /// Waits until a device has it, starting what has ended, and returns the row.
    ///
    /// # Errors
    /// It does not in time.
    pub(crate) fn wait_for(&mut self, at: By, asked: &Asked) -> Result<Value> {
        until(&format!("`{}` in chat {} of the {}", asked.value, asked.chat, at.word()), LIMIT, || {
            self.ensure_running()?;
            row(self.at(at)?, asked)
        })
    }

    /// Asks for a new text and waits until both devices have it.
    ///
    /// # Errors
    /// It is not there in time.
    pub(crate) fn text(&mut self, by: By, chat: u64) -> Result<Asked> {
        let asked = self.plan_text(by, chat)?;
        self.hand_over(&asked)?;
        let _ = self.wait_for(By::Phone, &asked)?;
        let _ = self.wait_for(By::Web, &asked)?;
        Ok(asked)
    }

    /// Lets the phone's user send a photo, and writes into the ledger that the companion fetches it.
    ///
    /// # Errors
    /// The companion does not see it in time.
    pub(crate) fn plan_fetch(&mut self, chat: u64, len: usize) -> Result<Fetch> {
        let asked = self.plan_photo(By::Phone, chat, len)?;
        self.hand_over(&asked)?;
        let row = self.wait_for(By::Web, &asked)?;
        let content =
            row["content"].as_str().with_context(|| format!("a photo without content: {row}"))?.to_owned();
        let out = self.root.join(format!("fetched-{}", asked.value));
        let entry = json!({"kind": "fetch", "content": content, "sha256": asked.sha256, "out": out});
        self.ledger.write(entry)?;
        Ok(Fetch { content, out })
    }

    /// Asks the companion to fetch; a fetch that is going on goes on.
    ///
    /// # Errors
    /// It does not answer.
    pub(crate) fn ask_fetch(&self, fetch: &Fetch) -> Result<()> {
        self.web.ask(&json!({"verb": "get", "content": fetch.content, "out": fetch.out})).map(drop)
    }
}

/// The companion knows a request that comes again by its client id.
fn give_client_id(by: By, entry: &mut Value, request: &mut Value) -> Result<()> {
    if by != By::Phone {
        entry["client_id"] = json!(random::uuid()?);
        request["client_id"] = entry["client_id"].clone();
    }
    Ok(())
}

/// Finds the row among the newest 50 of its chat.
fn row(device: &Device, asked: &Asked) -> Result<Option<Value>> {
    let answer = device.ask(&json!({"verb": "history", "chat": asked.chat, "count": 50}))?;
    let rows =
        answer["messages"].as_array().with_context(|| format!("history without messages: {answer}"))?;
    Ok(rows.iter().find(|row| row[asked.field] == asked.value.as_str()).cloned())
}
