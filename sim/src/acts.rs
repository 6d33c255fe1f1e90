//! What the users send, fetch and read, as the plan says.

use crate::ledger::{HasRead, Sent};
use crate::node::NodeId;
use crate::plan::{Act, Change, POPULAR_LEN};
use crate::users::PHONE;
use crate::world::{Ran, World};
use reference_phone::store::StoredMessage;
use reference_phone::upstream::contacts::LIKE;
use reference_web::store::Message;

/// What an edit leaves behind a text.
pub(crate) const EDITED: &str = " (edited)";

fn edited(text: &str) -> String {
    plain(text) + EDITED
}

/// A text as it was before its edits.
fn plain(text: &str) -> String {
    text.strip_suffix(EDITED).unwrap_or(text).to_owned()
}

impl World {
    /// A user does what the plan says.
    pub fn act(&mut self, number: usize) {
        let Some(op) = self.plan.ops.get(number).cloned() else { return };
        match op.act {
            Act::WebText { web, chat, len } => self.web_text(web, chat, len, number),
            Act::Reply { web, chat } => self.reply(web, chat, number),
            Act::Read { web, chat } => self.read(web, chat),
            Act::PhoneText { chat } => self.phone_text(chat, number),
            Act::Change { web, chat, what } => self.change(web, chat, what),
            Act::PhoneChange { chat, what } => self.phone_change(chat, what),
            Act::Older { web, chat } => {
                let id = self.web_node(web);
                let time = self.nodes[id.0].clocks(self.now);
                if let Some((app, rng)) = self.nodes[id.0].web_user() {
                    // Refused when it is not linked, or busy.
                    let _ = app.ask_older(time.mono, rng, chat);
                    let _ = self.run(id);
                }
            }
            Act::Put { web, chat, len } => self.put(web, chat, len, number),
            Act::Get { web, chat, len } => self.get(web, chat, len, number),
        }
    }

    fn awake(&self, id: NodeId) -> bool {
        self.nodes[id.0].machine.is_some() && self.nodes[id.0].asleep_until <= self.now
    }

    fn sent(&mut self, web: Option<usize>, chat: u64, text: String, reply_to: Option<u64>, ran: Ran) {
        let stored = ran == Ran::Stored;
        self.ledger.sent.push(Sent {
            web,
            chat,
            text,
            reply_to,
            stored,
            link_over: false,
            may_be_lost: false,
        });
    }

    /// The newest message of a chat that a companion shows.
    fn newest(&mut self, web: usize, chat: u64) -> Option<u64> {
        let id = self.web_node(web);
        let app = self.nodes[id.0].web().filter(|app| app.is_linked())?;
        app.store().history(chat, 1).ok()?.last().map(|message| message.id)
    }

    fn reply(&mut self, web: usize, chat: u64, number: usize) {
        let id = self.web_node(web);
        if !self.awake(id) {
            return;
        }
        let Some(message) = self.newest(web, chat) else { return };
        self.send(web, chat, format!("w{web}-{number:04} re"), Some(message), number);
    }

    fn send(&mut self, web: usize, chat: u64, text: String, reply_to: Option<u64>, number: usize) {
        let id = self.web_node(web);
        let time = self.nodes[id.0].clocks(self.now);
        let Some((app, rng)) = self.nodes[id.0].web_user() else { return };
        if app.send_text(time.mono, rng, chat, &text, reply_to, Some(&format!("c{number}"))).is_ok() {
            let ran = self.run(id);
            self.sent(Some(web), chat, text, reply_to, ran);
        }
    }

    /// How far the phone has what a companion shows up to this message. One that was put back lacks what its companions
    /// show until they hear of it; what it writes later gets the same ids, and nobody has read that.
    fn still_there(&self, chat: u64, message: u64) -> u64 {
        if !self.ledger.phone_lost {
            return message;
        }
        let sql = "SELECT coalesce(max(id), 0) FROM messages WHERE chat = ?1";
        let chat = i64::try_from(chat).unwrap_or(0);
        let last: Option<i64> = self.nodes[PHONE.0].disk.look().query_row(sql, [chat], |row| row.get(0)).ok();
        message.min(last.and_then(|last| u64::try_from(last).ok()).unwrap_or(0))
    }

    fn read(&mut self, web: usize, chat: u64) {
        let id = self.web_node(web);
        if !self.awake(id) {
            return;
        }
        let Some(message) = self.newest(web, chat) else { return };
        let time = self.nodes[id.0].clocks(self.now);
        let Some((app, rng)) = self.nodes[id.0].web_user() else { return };
        if app.mark_read(time.mono, rng, chat, message).is_ok() {
            let kept = self.still_there(chat, message);
            let stored = self.run(id) == Ran::Stored;
            self.ledger.read.push(HasRead {
                web,
                chat,
                message: kept,
                stored,
                link_over: false,
                may_be_lost: false,
            });
        }
    }

    /// A companion's user changes the newest message that it shows; of a text of the account, if only that can be.
    fn change(&mut self, web: usize, chat: u64, what: Change) {
        let id = self.web_node(web);
        if !self.awake(id) {
            return;
        }
        let time = self.nodes[id.0].clocks(self.now);
        let user = self.nodes[id.0].web_user().filter(|(app, _)| app.is_linked());
        let Some((app, rng)) = user else { return };
        let shown = app.store().history(chat, 20).unwrap_or_default();
        let can = |message: &&Message| message.author.is_empty() && message.media.is_none();
        let is_own = matches!(what, Change::Edit | Change::Delete);
        let Some(message) = shown.iter().rev().find(|message| !is_own || can(message)) else { return };
        let (chat, message, text) = (message.chat, message.id, message.text.clone());
        // Refused when it is not linked, or busy.
        let _ = match what {
            Change::Edit => app.edit_text(time.mono, rng, chat, message, &edited(&text)),
            Change::Delete => app.delete_message(time.mono, rng, chat, message),
            Change::Like => app.react(time.mono, rng, chat, message, LIKE),
            Change::Unlike => app.react(time.mono, rng, chat, message, ""),
        };
        if what == Change::Delete {
            self.ledger.deleted.push((chat, message, plain(&text)));
        }
        let _ = self.run(id);
    }

    /// The phone's user does that: to the newest message, or to the oldest.
    fn phone_change(&mut self, chat: u64, what: Change) {
        if !self.awake(PHONE) {
            return;
        }
        let is_old = self.now.is_multiple_of(3);
        let Some(app) = self.nodes[0].phone() else { return };
        let mut shown = app.history(chat, 1_000).unwrap_or_default();
        if is_old {
            shown.reverse();
        }
        let is_own = matches!(what, Change::Edit | Change::Delete);
        let can = |of: &&StoredMessage| of.message.author.is_empty() && of.message.media.is_none();
        let Some(stored) = shown.iter().rev().find(|stored| !is_own || can(stored)) else { return };
        let (message, text) = (stored.message.message, stored.message.text.clone());
        // Refused when the message has as many reactions as it may have.
        let _ = match what {
            Change::Edit => app.edit_text(chat, message, &edited(&text)),
            Change::Delete => app.delete_message(chat, message),
            Change::Like => app.react(chat, message, LIKE),
            Change::Unlike => app.react(chat, message, ""),
        };
        if what == Change::Delete {
            self.ledger.deleted.push((chat, message, plain(&text)));
        }
        let _ = self.run(PHONE);
    }

    /// A companion sends a text.
    pub fn web_text(&mut self, web: usize, chat: u64, len: usize, number: usize) {
        let id = self.web_node(web);
        if !self.awake(id) {
            return;
        }
        let mut text = format!("w{web}-{number:04} ");
        while text.len() < len {
            text.push(char::from(b'a' + u8::try_from(text.len() % 26).unwrap_or(0)));
        }
        if number.is_multiple_of(4) {
            // The contact likes it.
            text.push('!');
        }
        self.send(web, chat, text, None, number);
    }

    fn phone_text(&mut self, chat: u64, number: usize) {
        if !self.awake(PHONE) {
            return;
        }
        let text = format!("p-{number:04}");
        let time = self.nodes[0].clocks(self.now);
        let Some(app) = self.nodes[0].phone() else { return };
        if app.send_text(time, chat, &text).is_ok() {
            let ran = self.run(PHONE);
            self.sent(None, chat, text, None, ran);
        }
    }

    /// A file with content of its own.
    pub(crate) fn file(&mut self, id: NodeId, len: usize, number: usize) -> std::path::PathBuf {
        let mut bytes = vec![0; len];
        // Some files are sent again and again.
        let which = if len == POPULAR_LEN { 0 } else { u64::try_from(number).unwrap_or(0) };
        let mut rng = crate::rng::SimRng::new(self.plan.seed, 100 + which);
        rand_core::Rng::fill_bytes(rng.crypto(), &mut bytes);
        let path = self.nodes[id.0].disk.dir().join(format!("file-{number:04}.bin"));
        std::fs::write(&path, &bytes).expect("the temporary directory can be written");
        let mut hasher = handfast::media::ContentHasher::new();
        hasher.update(&bytes);
        let content = hasher.finish().content_id();
        let _ = self.ledger.names.insert(format!("file-{number:04}.bin"), content);
        let _ = self.ledger.files.insert(content, bytes);
        path
    }

    fn put(&mut self, web: usize, chat: u64, len: usize, number: usize) {
        let id = self.web_node(web);
        if !self.awake(id) {
            return;
        }
        let path = self.file(id, len, number);
        let Some((app, rng)) = self.nodes[id.0].web_user() else { return };
        let Ok(imported) = app.store().media().import(&path) else { return };
        if app.send_media(rng, chat, imported, Some(&format!("m{number}"))).is_ok() {
            let ran = self.run(id);
            self.sent(Some(web), chat, format!("file-{number:04}.bin"), None, ran);
        }
    }

    fn get(&mut self, web: usize, chat: u64, len: usize, number: usize) {
        if !self.awake(PHONE) {
            return;
        }
        let path = self.file(PHONE, len, number);
        crate::faults::quota::phone_imports(self, u64::try_from(len).unwrap_or(0));
        let time = self.nodes[0].clocks(self.now);
        let Some(app) = self.nodes[0].phone() else { return };
        let Ok(imported) = app.import(&path) else { return };
        let content = imported.content;
        if app.send_media(time, chat, &imported).is_err() {
            return;
        }
        let ran = self.run(PHONE);
        self.sent(None, chat, format!("file-{number:04}.bin"), None, ran);
        let id = self.web_node(web);
        if ran == Ran::Stored && self.awake(id) {
            let out = self.nodes[id.0].disk.dir().join(format!("out-{number:04}"));
            if let Some(app) = self.nodes[id.0].web() {
                // Refused when it is not linked.
                let _ = app.get(content, &out);
                let _ = self.run(id);
            }
        }
    }
}
