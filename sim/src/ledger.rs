//! What an onlooker of the run knows: what users did and were told, and which invariants were broken.

use std::collections::{BTreeMap, BTreeSet};

use handfast::ErrorCode;
use handfast::codec::ids::{CompanionId, ContentId};
use handfast::session::LinkState;

use crate::kind::Kind;

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its name.
    pub invariant: &'static str,
    /// What was seen.
    pub detail: String,
}

/// A text or a file that somebody sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The companion, or the phone itself.
    pub web: Option<usize>,
    /// The chat.
    pub chat: u64,
    /// The text, or the file's name.
    pub text: String,
    /// The message that it answers.
    pub reply_to: Option<u64>,
    /// Its sender was told that it is stored.
    pub stored: bool,
    /// The link over which it went was given up since.
    pub link_over: bool,
    /// A device that had it was put back since: it may be gone, but not be there twice.
    pub may_be_lost: bool,
}

/// A companion's user has read a chat.
#[derive(Clone, Debug)]
pub struct HasRead {
    /// The companion.
    pub web: usize,
    /// The chat.
    pub chat: u64,
    /// The newest message that was shown, of what a phone that was put back still had then.
    pub message: u64,
    /// The companion was told that it is stored.
    pub stored: bool,
    /// The link over which it went was given up since.
    pub link_over: bool,
    /// A device that had it was put back since: it may be gone, but not be there twice.
    pub may_be_lost: bool,
}

/// What a companion has shown its user.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "what a screen has shown, or has not")]
pub struct WebView {
    /// The state of the link.
    pub state: Option<LinkState>,
    /// Its id, once linked.
    pub companion: Option<CompanionId>,
    /// That of the link that its disk had when it started, confirmed or not.
    pub stored: Option<CompanionId>,
    /// The code that is shown.
    pub code: Option<String>,
    /// The digits that are shown.
    pub digits: Option<String>,
    /// It asks for the number that the phone shows.
    pub wants_number: bool,
    /// It offers another code, which its user has yet to ask for.
    pub offers_code: bool,
    /// Two holders were seen.
    pub diverged: bool,
    /// The phone suspended the link.
    pub suspended: bool,
    /// It was revoked.
    pub revoked: bool,
    /// Its phone said that it has not accepted the link.
    pub not_accepted: bool,
    /// Another took its seat.
    pub replaced: bool,
    /// Files that it was told are here.
    pub fetched: BTreeSet<ContentId>,
    /// Its phone's user has approved it.
    pub approved: bool,
}

impl WebView {
    /// The screen shows this code, or none; what an attempt before it showed and asked is gone.
    pub fn shows_code(&mut self, code: Option<String>) {
        self.code = code;
        self.digits = None;
        self.wants_number = false;
        self.offers_code = false;
    }
}

/// What the phone has shown its user.
#[derive(Debug, Default)]
pub struct PhoneView {
    /// The companion whose code is being scanned.
    pub scanning: Option<usize>,
    /// NN.
    pub nn: Option<String>,
    /// It waits for the digits.
    pub wants_digits: bool,
    /// It waits for an approval.
    pub wants_approval: bool,
    /// The state of each link.
    pub states: BTreeMap<CompanionId, LinkState>,
    /// Links of which two holders were seen.
    pub diverged: BTreeSet<CompanionId>,
    /// Links that were revoked, and told.
    pub told: BTreeSet<CompanionId>,
}

/// Everything that is known.
#[derive(Debug, Default)]
pub struct Ledger {
    /// What did not hold.
    pub violations: Vec<Violation>,
    /// What was sent.
    pub sent: Vec<Sent>,
    /// What was read.
    pub read: Vec<HasRead>,
    /// What a user wanted deleted: chat, message, and its text before any edit.
    pub deleted: Vec<(u64, u64, String)>,
    /// Files: content and bytes.
    pub files: BTreeMap<ContentId, Vec<u8>>,
    /// The content of files, by their names.
    pub names: BTreeMap<String, ContentId>,
    /// Content for which a companion was told that there is no room.
    pub refused: BTreeSet<ContentId>,
    /// What took the phone's room last.
    pub tight: Option<Kind>,
    /// When content that no message names has had its day, in the world's time.
    pub forgotten_by: u64,
    /// Links that the phone's user ended while they were offered.
    pub cancelled: BTreeSet<CompanionId>,
    /// Links that were offered: what time it was at the phone ([`crate::node::Node::lived`]).
    pub offers: BTreeMap<CompanionId, u64>,
    /// Companions on whose link one side was evil.
    pub evil: BTreeSet<usize>,
    /// Companions whose phone broke a rule in a way that must cost nothing.
    pub liars: BTreeSet<usize>,
    /// What an end refused of the other's: the companion, which end, and the code.
    pub failed: Vec<(usize, &'static str, ErrorCode)>,
    /// Companions, by number.
    pub webs: Vec<WebView>,
    /// The phone.
    pub phone: PhoneView,
    /// Links that the user revoked.
    pub revoked: BTreeSet<CompanionId>,
    /// The same, and those of which a phone that was rolled back has forgotten that: its signature is in the world.
    pub signed: BTreeSet<CompanionId>,
    /// Companions whose link may stop because a store lost commits or was copied.
    pub may_stop: BTreeSet<usize>,
    /// Companions of which a copy was live: whoever comes back must be noticed.
    pub copy_live: BTreeSet<usize>,
    /// Messages 1 of each companion since faults have stopped.
    pub attempts: BTreeMap<usize, u64>,
    /// The phone lost commits.
    pub phone_lost: bool,
    /// Companions that lost commits.
    pub web_lost: BTreeSet<usize>,
    /// When a companion showed a text of the phone's user for the first time, or the answer to a command of its own by
    /// the name that the command was given.
    pub heard: BTreeMap<String, u64>,
    /// Companions that were put back to before a command that the phone had taken: who is still to be told.
    pub untold: BTreeMap<usize, BTreeSet<&'static str>>,
    /// How often each kind changed something for someone.
    pub fired: Vec<u64>,
    /// Kinds after which a device had to recover.
    pub needed_recovery: BTreeSet<Kind>,
    /// Kinds that fired since everyone was live.
    pub pending: BTreeSet<Kind>,
}

impl Ledger {
    /// Whether a user wanted deleted what was sent, or what it answers, or was told that there is no room for it or nothing
    /// to answer: then it need not be there.
    #[must_use]
    pub fn may_be_gone(&self, sent: &Sent) -> bool {
        let is_refused = self.names.get(&sent.text).is_some_and(|content| self.refused.contains(content));
        // A phone that was put back need not know what its companion answers.
        let is_unknown = self.phone_lost && sent.reply_to.is_some();
        is_refused
            || is_unknown
            || self.deleted.iter().any(|(chat, message, text)| {
                *chat == sent.chat && (*text == sent.text || sent.reply_to == Some(*message))
            })
    }

    /// A companion, or the phone, was put back to an earlier state: what went through it until now may be lost, and
    /// nothing of what comes.
    pub fn put_back(&mut self, web: Option<usize>) {
        let through = |sender: Option<usize>| web.is_none() || sender == web;
        for sent in self.sent.iter_mut().filter(|sent| through(sent.web)) {
            sent.may_be_lost = true;
        }
        for read in self.read.iter_mut().filter(|read| through(Some(read.web))) {
            read.may_be_lost = true;
        }
    }

    /// The user of a device was told that this companion was put back.
    pub fn told_put_back(&mut self, web: usize, device: &'static str) {
        if let Some(untold) = self.untold.get_mut(&web) {
            let _ = untold.remove(device);
        }
    }

    /// An empty ledger for so many companions.
    #[must_use]
    pub fn new(webs: usize) -> Self {
        Self {
            webs: std::iter::repeat_with(WebView::default).take(webs).collect(),
            fired: vec![0; Kind::COUNT],
            ..Self::default()
        }
    }

    /// A fault changed bytes, state or time for someone.
    pub fn fire(&mut self, kind: Kind) {
        if let Some(count) = self.fired.get_mut(kind.index()) {
            *count += 1;
        }
        let _ = self.pending.insert(kind);
    }

    /// A device had to recover: from what happened before.
    pub fn recovers(&mut self) {
        self.needed_recovery.append(&mut self.pending);
    }

    /// An invariant was broken.
    pub fn violation(&mut self, invariant: &'static str, detail: impl Into<String>) {
        if self.violations.len() < 20 {
            self.violations.push(Violation { invariant, detail: detail.into() });
        }
    }
}
