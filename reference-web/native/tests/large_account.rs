//! The first sync of an account of 120,000 messages while contacts go on writing, in bounded memory.

use crate::both::{Both, MINUTE};
use handfast_testkit::Clocked as _;
use reference_web::app::AppEvent;

const CHATS: u64 = 1_500;
const MESSAGES: u64 = 80;
/// What phone, companion and relay may need together above what they had when nothing was connected.
const GROWTH_MAX_KIB: u64 = 16 * 1_024;

/// A figure of this process, in KiB; `None` where there is none.
fn kib(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Says to a process that it was started for this test alone.
const ALONE: &str = "HANDFAST_TEST_ALONE";

/// Runs this test in a process of its own, because memory is counted by process, and files of other tests would count.
fn run_alone() {
    let test = "large_account::a_large_account_syncs_in_bounded_memory_while_contacts_go_on_writing";
    let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
    let status = alone.args(["--exact", test, "--nocapture"]).env(ALONE, "1").status().unwrap();
    assert!(status.success(), "{status}");
}

/// Forgets the most memory that was ever used.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

#[test]
fn a_large_account_syncs_in_bounded_memory_while_contacts_go_on_writing() {
    // req: SYN-013, SYN-014
    if std::env::var_os(ALONE).is_none() {
        return run_alone();
    }
    let mut both = Both::linked(30, CHATS, MESSAGES);
    assert!(both.phone().store().floor() > 0, "its log is too long to be told from the beginning");
    // One contact writes in each round of the companion, also in chats that are far down the list.
    let mut written = 0_u64;
    both.each_round = Box::new(move |network| {
        if written < 600 {
            written += 1;
            network.says(written * 7 % CHATS + 1, written, "while it goes on");
        }
    });
    let before = kib("VmRSS");
    forget_peak();
    both.run_until("synced", |b| b.events.iter().any(|e| matches!(e, AppEvent::Synced { .. })));
    both.run_for(MINUTE);
    if let (Some(before), Some(peak)) = (before, kib("VmHWM")) {
        let growth = peak.saturating_sub(before);
        assert!(growth < GROWTH_MAX_KIB, "{growth} KiB above {before} KiB");
    }
    assert_eq!(both.repairs(), 0);
    assert!(both.phone().store().counts().unwrap().1 >= CHATS * MESSAGES + 600);
    let (here, there) = both.lists();
    assert_eq!(here, there, "every chat is in the list");
    // What was written meanwhile arrived, in whatever chat.
    for n in 1..=600 {
        let chat = n * 7 % CHATS + 1;
        assert!(!both.web().store().has_news(chat).unwrap(), "chat {chat}");
    }
    let recent = both.web().store().recent_chats(62).unwrap();
    let differences: Vec<String> = recent.into_iter().filter_map(|chat| both.difference(chat)).collect();
    assert!(differences.is_empty(), "{differences:?}");
    // And a chat that was silent is there when it is opened.
    let now = both.now;
    let silent = there.last().unwrap().0;
    both.web().open_chat(now, silent);
    both.run_for(MINUTE);
    assert_eq!(both.difference(silent), None);
}
