//! What is to happen in one run: drawn from the seed, and small enough to be made smaller when a run fails.

use crate::kind::Kind;
use crate::rng::SimRng;
use crate::upstream::CHATS;

/// The standard mix lasts this long, in microseconds; then all faults end.
pub const MIX_LEN: u64 = 60_000_000;
/// Files of this length are all the same file, in bytes.
pub const POPULAR_LEN: usize = 30_000;
/// One seed in this many really pairs.
const PAIRS_EVERY: u64 = 8;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: Kind,
    /// When, in microseconds.
    pub at: u64,
    /// For how long, where that means something.
    pub len: u64,
    /// A companion, by its number.
    pub web: usize,
    /// Whether it hits the phone's side where both have one.
    pub at_phone: bool,
    /// Anything else that the kind has to choose.
    pub amount: u64,
}

/// What a user does to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Edits a text of the account.
    Edit,
    /// Deletes a text of the account.
    Delete,
    /// Likes any message.
    Like,
    /// Takes that back.
    Unlike,
}

/// What a user does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A companion sends a text of this length.
    WebText {
        /// The companion.
        web: usize,
        /// The chat.
        chat: u64,
        /// The length, in bytes.
        len: usize,
    },
    /// A companion answers the newest message that it shows of a chat.
    Reply {
        /// The companion.
        web: usize,
        /// The chat.
        chat: u64,
    },
    /// A companion's user has read a chat, as far as it shows it.
    Read {
        /// The companion.
        web: usize,
        /// The chat.
        chat: u64,
    },
    /// The phone sends a text.
    PhoneText {
        /// The chat.
        chat: u64,
    },
    /// A companion edits, deletes or likes the newest message that it shows of a chat.
    Change {
        /// The companion.
        web: usize,
        /// The chat.
        chat: u64,
        /// What.
        what: Change,
    },
    /// The phone does that.
    PhoneChange {
        /// The chat.
        chat: u64,
        /// What.
        what: Change,
    },
    /// A companion asks for older messages.
    Older {
        /// The companion.
        web: usize,
        /// The chat.
        chat: u64,
    },
    /// A companion sends a file of this length.
    Put {
        /// The companion.
        web: usize,
        /// The chat.
        chat: u64,
        /// The length, in bytes.
        len: usize,
    },
    /// The phone sends a file of this length; the companion fetches it.
    Get {
        /// The companion.
        web: usize,
        /// The chat.
        chat: u64,
        /// The length, in bytes.
        len: usize,
    },
}

/// One thing that a user does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// When, in microseconds.
    pub at: u64,
    /// What.
    pub act: Act,
}

/// Everything that is to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The seed, for what is drawn on the way.
    pub seed: u64,
    /// How many companions there are.
    pub webs: usize,
    /// Whether they are paired in the run.
    pub pairs: bool,
    /// How long faults happen, in microseconds.
    pub len: u64,
    /// The faults.
    pub faults: Vec<Fault>,
    /// The users' acts.
    pub ops: Vec<Op>,
}

fn act(rng: &mut SimRng, webs: u64) -> Act {
    let web = usize::try_from(rng.below(webs)).unwrap_or(0);
    let chat = 1 + rng.below(CHATS);
    match rng.below(100) {
        0..7 => Act::Reply { web, chat },
        7..14 => Act::Read { web, chat },
        14..24 => Act::Change { web, chat, what: change(rng) },
        24..28 => Act::PhoneChange { chat, what: change(rng) },
        28..50 => {
            let len = if rng.percent(10) { rng.range(1_000, 8_000) } else { rng.range(8, 200) };
            Act::WebText { web, chat, len: usize::try_from(len).unwrap_or(8) }
        }
        50..80 => Act::PhoneText { chat },
        80..88 => Act::Older { web, chat },
        88..94 => Act::Put { web, chat, len: media_len(rng) },
        _ => Act::Get { web, chat, len: media_len(rng) },
    }
}

fn change(rng: &mut SimRng) -> Change {
    *rng.pick(&[Change::Edit, Change::Delete, Change::Like, Change::Unlike])
}

fn media_len(rng: &mut SimRng) -> usize {
    let len = match rng.below(10) {
        0 => 0,
        1..3 => return POPULAR_LEN,
        3..6 => rng.range(1, 20_000),
        6..9 => rng.range(60_000, 200_000),
        _ => 65_536 * rng.range(1, 4),
    };
    usize::try_from(len).unwrap_or(0)
}

/// A fault of this kind, somewhere in the run.
pub fn fault(rng: &mut SimRng, kind: Kind, webs: u64, len: u64) -> Fault {
    // Codes are shown at the beginning.
    let (from, end) = match kind {
        Kind::ThreePhones => (500_000, 4_000_000),
        _ if kind.needs_pairing() => (0, 600_000),
        _ => (500_000, len.max(1_000_000)),
    };
    Fault {
        kind,
        at: rng.range(from, end),
        len: *rng.pick(&[200_000, 1_000_000, 5_000_000, 15_000_000, 40_000_000]),
        web: usize::try_from(rng.below(webs)).unwrap_or(0),
        at_phone: rng.percent(50),
        amount: rng.number(),
    }
}

impl Plan {
    /// The standard mix of a seed; with `only`, every fault is of one of those kinds.
    #[must_use]
    pub fn standard(seed: u64, only: &[Kind]) -> Self {
        let mut rng = SimRng::new(seed, 1);
        let webs = match rng.below(10) {
            0..6 => 1,
            6..9 => 2,
            _ => 3,
        };
        let count = match only.len() {
            0 => rng.range(0, 10),
            1 => rng.range(1, 4),
            _ => rng.range(2, 8),
        };
        let faults: Vec<Fault> = (0..count)
            .map(|_| {
                let kind = *rng.pick(if only.is_empty() { Kind::ALL } else { only });
                fault(&mut rng, kind, webs, MIX_LEN)
            })
            .collect();
        let pairs =
            seed % PAIRS_EVERY == PAIRS_EVERY - 1 || faults.iter().any(|fault| fault.kind.needs_pairing());
        let mut ops: Vec<Op> = (0..rng.range(4, 24))
            .map(|_| Op { at: rng.range(0, MIX_LEN), act: act(&mut rng, webs) })
            .collect();
        ops.sort_by_key(|op| op.at);
        Self { seed, webs: usize::try_from(webs).unwrap_or(1), pairs, len: MIX_LEN, faults, ops }
    }

    /// A plan without faults, in which the users pair and nothing else: it makes the snapshots.
    #[must_use]
    pub fn pairing(seed: u64, webs: usize) -> Self {
        Self { seed, webs, pairs: true, len: 0, faults: Vec::new(), ops: Vec::new() }
    }
}
