//! What a text costs in the log of each database: with its states, and with every commit that it takes. A log that somebody
//! reads only grows, so that a disk is full that much sooner.

use std::path::Path;
use std::time::Duration;

use crate::both::{Both, MINUTE, keys};
use handfast_messages::MessageState;
use handfast_testkit::Clocked as _;
use reference_phone::upstream::UpstreamEvent;

/// How many texts are sent.
const TEXTS: u64 = 20;
/// The most that one may cost at a phone and at a companion, in bytes. With pages of 4,096 bytes it was 140,000 at the
/// phone: 34 pages of which each is written whole for a few bytes, so small pages are what helps.
const COST_MAX: [(&str, u64); 2] = [("phone/phone.db", 50_000), ("web/companion.db", 50_000)];

/// A text of 2,000 bytes from the companion, and its three states, one after the other.
fn send(both: &mut Both, n: u64) {
    let now = both.now;
    let text = both.web().send_text(now, &mut keys(), 1, &format!("{n:02000}"), None, None);
    let _ = text.unwrap();
    both.run_for(Duration::from_secs(2));
    let message = both.phone().store().history(1, 0, 1).unwrap()[0].message.message;
    for state in [MessageState::Sent, MessageState::Delivered, MessageState::Read] {
        both.network.tells(UpstreamEvent::State { chat: 1, message, state });
        both.run_for(Duration::from_secs(2));
    }
}

fn log_len(database: &Path) -> u64 {
    let mut log = database.as_os_str().to_os_string();
    log.push("-wal");
    std::fs::metadata(log).unwrap().len()
}

#[test]
fn a_text_costs_few_bytes_of_the_log() {
    let mut both = Both::linked(1, 5, 2_000);
    both.run_for(MINUTE);
    for (database, cost_max) in COST_MAX {
        let database = both.data().join(database);
        let reader = crate::world::foreign(&database);
        // From here on the log only grows.
        reader
            .execute_batch("PRAGMA wal_checkpoint(TRUNCATE); BEGIN; SELECT count(*) FROM messages;")
            .unwrap();
        let before = log_len(&database);
        for n in 0..TEXTS {
            send(&mut both, n);
        }
        let cost = (log_len(&database) - before) / TEXTS;
        println!("{}: {cost} bytes a text", database.display());
        assert!(cost > 2_000, "{cost}: the log did not grow");
        assert!(cost <= cost_max, "{}: {cost}", database.display());
    }
}
