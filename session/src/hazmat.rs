//! Links from fixed keys, for vectors, tests and the simulator. Never part of a shipped build.

use alloc::vec::Vec;

use handfast_codec::ids::MailboxId;
use handfast_handshake::link::{PhoneLink, Start, WebLink};

use crate::commit::{Commit, Op, Value};
use crate::endpoint::{Pairs, active_row, phone_rows, web_rows};
use crate::keys;

fn pairs(ops: Vec<Op>) -> Pairs {
    let mut pairs = Pairs::new();
    let version: Value = zeroize::Zeroizing::new(1_u64.to_be_bytes().to_vec());
    let _ = pairs.insert(keys::VERSION.to_vec(), version);
    for op in ops {
        if let Op::Put { key, value } = op {
            let _ = pairs.insert(key, value);
        }
    }
    pairs
}

/// The stored rows of an OFFERED link at the phone.
#[must_use]
pub fn offered_pairs(link: &PhoneLink, start: Start) -> Pairs {
    pairs(phone_rows(link, start))
}

/// The stored rows of an ACTIVE link at the phone.
#[must_use]
pub fn phone_pairs(link: &PhoneLink, start: Start) -> Pairs {
    let mut ops = phone_rows(link, start);
    ops.push(active_row());
    pairs(ops)
}

/// The stored rows of an ACTIVE link at the web; PENDING unless `active`.
#[must_use]
pub fn web_pairs(link: &WebLink, start: Start, active: bool) -> Pairs {
    let mut ops = web_rows(link, start);
    if active {
        ops.push(active_row());
    }
    pairs(ops)
}

/// A commit of a machine that expects the store at version `expects` (0: nothing is stored).
pub fn commit(link: MailboxId, expects: u64, ops: Vec<Op>) -> Commit {
    Commit::new(link, expects, ops)
}

/// The key under which the version stands that each commit compares.
pub const VERSION_KEY: &[u8] = keys::VERSION;
