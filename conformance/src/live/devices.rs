//! What a phone or a web program must do, live: pair, chat, come back, and refuse wrong bytes.

use std::time::Duration;

use handfast_codec::error::ErrorCode as C;
use handfast_codec::relay::{DataKind, RelayFrame};
use handfast_codec::role::DeviceRole;
use serde_json::json;

use super::hub::{Fate, Hub};
use super::world::World;
use crate::peer::{Step, Stop, wrong};

/// One thing that a program must do.
pub(super) struct Check {
    pub(super) role: DeviceRole,
    pub(super) name: &'static str,
    pub(super) reqs: &'static [&'static str],
    pub(super) comment: &'static str,
    pub(super) body: fn(&mut World<'_>) -> Step,
}

const PHONE: DeviceRole = DeviceRole::Phone;
const WEB: DeviceRole = DeviceRole::Web;

const fn check(
    role: DeviceRole,
    name: &'static str,
    reqs: &'static [&'static str],
    comment: &'static str,
    body: fn(&mut World<'_>) -> Step,
) -> Check {
    Check { role, name, reqs, comment, body }
}

/// Pairs, chats, and is cut off in the middle; both find each other again by themselves.
fn comes_back(world: &mut World<'_>) -> Step {
    world.pair()?;
    world.chats("before")?;
    world.hub.cut();
    world.connects("RESUME")?;
    world.chats("after")
}

/// The program loses its power, and goes on with what it has stored.
fn lives_on(world: &mut World<'_>) -> Step {
    world.pair()?;
    world.chats("before")?;
    world.kill()?;
    world.start_again()?;
    world.connects("RESUME")?;
    world.chats("after")
}

/// What is said while the other is away arrives once it is back, and once.
fn said_while_away(world: &mut World<'_>) -> Step {
    world.pair()?;
    world.chats("before")?;
    let chat = world.other.chat().unwrap_or(1);
    world.kill()?;
    world.hub.cut();
    world.say(chat, "while away")?;
    world.start_again()?;
    world.connects("RESUME")?;
    match world.role {
        PHONE => world.seen("result ").map(drop)?,
        WEB => world.told(&format!("text {chat} while away")).map(drop)?,
    }
    world.chats("after")
}

/// One record is flipped on its way to the program: the connection ends there, and what was in it comes in the next.
fn record_flipped(world: &mut World<'_>) -> Step {
    world.pair()?;
    world.chats("before")?;
    let chat = world.other.chat().unwrap_or(1);
    world.hub.plan(!world.role, DataKind::RECORD, Fate::Flipped);
    world.say(chat, "in a flipped record")?;
    world.relay("a record to flip", Hub::is_done)?;
    if world.role == PHONE {
        // A phone waits for message 1; the runner's web would notice the silence after a minute.
        world.hub.cut();
    }
    world.connects("RESUME")?;
    if world.role == WEB {
        let _ = world.told(&format!("text {chat} in a flipped record"))?;
    }
    world.chats("after")
}

/// A handshake message of the reconnect is flipped on its way to the program.
fn reconnect_flipped(world: &mut World<'_>) -> Step {
    world.pair()?;
    world.chats("before")?;
    let kind = if world.role == PHONE { DataKind::KK1 } else { DataKind::KK2 };
    world.hub.plan(!world.role, kind, Fate::Flipped);
    world.hub.cut();
    world.relay("a message to flip", Hub::is_done)?;
    world.connects("RESUME")?;
    world.is_not_told("diverged")?;
    world.chats("after")
}

/// The confirm is lost on its way: which of two psks the phone has next is then known to neither.
fn confirm_lost(world: &mut World<'_>) -> Step {
    world.pair()?;
    world.chats("before")?;
    world.hub.cut();
    world.hub.plan(WEB, DataKind::RECORD, Fate::Lost);
    world.relay("a confirm to lose", Hub::is_done)?;
    world.hub.cut();
    world.connects("RESUME")?;
    world.is_not_told("diverged")?;
    world.chats("after")
}

/// The relay calls itself by another name, and gets no claim to a seat; by its right name it gets one again.
fn other_name(world: &mut World<'_>) -> Step {
    world.pair()?;
    let (claims, refused) = (world.hub.claims, world.hub.unclaimed);
    world.hub.says = handfast_codec::RelayName::parse("127.0.0.1:1").ok();
    world.hub.cut();
    world.relay("a socket that is given up", |hub| hub.unclaimed > refused)?;
    if world.hub.claims != claims {
        return wrong("a relay of another name must not be shown a claim, and is");
    }
    world.hub.says = None;
    world.connects("RESUME")
}

/// The relay's answer to an upgrade asks for five seconds of rest, and a reconnect would come sooner by itself.
fn told_to_stay_away(world: &mut World<'_>) -> Step {
    const REST: Duration = Duration::from_secs(5);
    world.pair()?;
    world.hub.refuses_for = Some(REST);
    world.hub.cut();
    world.relay("a socket after the one that was refused", |hub| hub.stayed_away.is_some())?;
    if let Some(time) = world.hub.stayed_away.filter(|time| *time < REST) {
        return wrong(format!(
            "it must stay away for {} s, and comes after {} ms",
            REST.as_secs(),
            time.as_millis()
        ));
    }
    world.connects("RESUME")
}

pub(super) const ALL: &[Check] = &[
    check(PHONE, "pairs", &["HSK-010", "HSK-018", "HSK-080"], "a code, four digits, NN, Linked", |world| {
        world.pair()
    }),
    check(WEB, "pairs", &["HSK-106", "HSK-081", "HSK-020"], "a code, four digits, NN, Linked", |world| {
        world.pair()
    }),
    check(PHONE, "chats", &["RES-012", "SYN-001"], "a command is run and answered, rows come", |world| {
        world.pair()?;
        world.chats("once")
    }),
    check(WEB, "chats", &["RES-024", "SYN-003"], "rows are shown, a command arrives", |world| {
        world.pair()?;
        world.chats("once")
    }),
    check(PHONE, "cut", &["HSK-023", "HSK-025", "RES-020"], "all sockets are cut", comes_back),
    check(WEB, "cut", &["HSK-021", "HSK-024", "RES-020"], "all sockets are cut", comes_back),
    check(PHONE, "power-lost", &["HSK-080", "RES-022"], "the program ends without a warning", lives_on),
    check(WEB, "power-lost", &["HSK-081", "RES-022"], "the program ends without a warning", lives_on),
    check(
        PHONE,
        "said-while-away",
        &["RES-001", "RES-026"],
        "a command waits for the phone",
        said_while_away,
    ),
    check(WEB, "said-while-away", &["SYN-001", "SYN-003"], "a row waits for the web", said_while_away),
    check(PHONE, "record-flipped", &["CHN-003", "RES-001"], "a record does not open", record_flipped),
    check(WEB, "record-flipped", &["CHN-003", "SYN-001"], "a record does not open", record_flipped),
    check(
        PHONE,
        "message-1-flipped",
        &["HSK-003"],
        "a reconnect's first message is damaged",
        reconnect_flipped,
    ),
    check(
        WEB,
        "message-2-flipped",
        &["HSK-003", "HSK-032"],
        "a reconnect's answer is damaged",
        reconnect_flipped,
    ),
    check(PHONE, "confirm-lost", &["HSK-023", "HSK-025"], "the confirm does not arrive", confirm_lost),
    check(WEB, "confirm-lost", &["HSK-024"], "the confirm does not arrive", confirm_lost),
    check(PHONE, "relay-of-another-name", &["RLY-006"], "HELLO says another name", other_name),
    check(WEB, "relay-of-another-name", &["RLY-006"], "HELLO says another name", other_name),
    check(
        PHONE,
        "told-to-stay-away",
        &["TIM-022"],
        "an upgrade is answered 503, Retry-After: 5",
        told_to_stay_away,
    ),
    check(PHONE, "three-wrong-codes", &["HSK-011"], "the user types three wrong check codes", |world| {
        world.scan()?;
        let digits = world.check_code()?;
        for above in 1..3 {
            world.type_code(&code_above(&digits, above))?;
            let _ = world.told("wrong-code ")?;
        }
        world.type_code(&code_above(&digits, 3))?;
        world.ends_with(C::CHECK_CODE_WRONG)
    }),
    check(PHONE, "same-wrong-code-twice", &["HSK-099"], "the user types a wrong check code again", |world| {
        world.scan()?;
        let digits = world.check_code()?;
        world.type_code(&code_above(&digits, 1))?;
        let _ = world.told("wrong-code ")?;
        world.type_code(&code_above(&digits, 1))?;
        world.ends_with(C::CHECK_CODE_WRONG)
    }),
    check(PHONE, "user-refuses", &["HSK-010"], "the phone's user does not approve", |world| {
        world.scan()?;
        world.enter_code()?;
        let _ = world.told("approval-wanted ")?;
        world.user(&json!({ "verb": "approve", "yes": false }))?;
        world.seen("ended ").map(drop)
    }),
    check(PHONE, "number-none", &["HSK-088"], "the page's user sees no number: a new code pairs", |world| {
        let _ = up_to_nn(world)?;
        world.number(None)?;
        world.ends_with(C::NOT_CONFIRMED)?;
        let _ = world.seen("ended ")?;
        world.pair()
    }),
    check(
        WEB,
        "number-none",
        &["HSK-082", "HSK-012"],
        "the phone shows no number: a new code pairs",
        |world| {
            let _ = up_to_nn(world)?;
            world.number(None)?;
            world.ends_with(C::NOT_CONFIRMED)?;
            let _ = world.seen("ended NOT_CONFIRMED")?;
            world.pair()
        },
    ),
    check(
        WEB,
        "number-wrong",
        &["HSK-103", "HSK-100"],
        "another number is typed: a new code pairs",
        |world| {
            let right: u8 = up_to_nn(world)?.parse().unwrap_or(0);
            world.number(Some(&format!("{:02}", (right + 1) % 100)))?;
            world.ends_with(C::NOT_CONFIRMED)?;
            let _ = world.seen("ended NOT_CONFIRMED")?;
            world.is_not_told("code ")?;
            world.pair()
        },
    ),
    check(WEB, "user-stops", &["HSK-104", "HSK-100"], "the user stops at the digits", |world| {
        world.scan()?;
        let _ = world.check_code()?;
        world.number(None)?;
        world.ends_with(C::NOT_CONFIRMED)?;
        let _ = world.seen("ended PEER_GONE")?;
        world.pair()
    }),
    check(PHONE, "pairing-message-2-flipped", &["HSK-003"], "the web's message is damaged", |world| {
        world.hub.plan(WEB, DataKind::PAIRING, Fate::Flipped);
        world.scan()?;
        world.ends_with(C::HANDSHAKE_FAILED)?;
        world.is_not_told("check-code-wanted")
    }),
    check(
        WEB,
        "pairing-message-1-flipped",
        &["HSK-013"],
        "the code outlives what does not decrypt",
        |world| {
            world.hub.plan(PHONE, DataKind::PAIRING, Fate::Flipped);
            world.user(&json!({ "verb": "show" }))?;
            let code = world.told("code ")?;
            world.rescan(&code)?;
            world.relay("a message to flip", Hub::is_done)?;
            world.rescan(&code)?;
            world.finish_pairing()
        },
    ),
    check(WEB, "pairing-message-3-flipped", &["HSK-003", "HSK-012"], "message 3 is damaged", |world| {
        world.scan()?;
        world.enter_code()?;
        let _ = world.seen("approval-wanted ")?;
        world.hub.plan(PHONE, DataKind::PAIRING, Fate::Flipped);
        world.approve_now()?;
        world.ends_with(C::HANDSHAKE_FAILED)?;
        world.is_not_told("number-wanted")
    }),
    check(PHONE, "accept-flipped", &["HSK-087", "HSK-018"], "LINK_ACCEPT does not open", |world| {
        let digits = up_to_nn(world)?;
        world.hub.plan(WEB, DataKind::RECORD, Fate::Flipped);
        world.number(Some(&digits))?;
        world.ends_with(C::DECRYPT_FAILED)?;
        world.is_not_told("linked")
    }),
    check(
        PHONE,
        "accept-forged",
        &["CRT-004", "ERR-004"],
        "LINK_ACCEPT has a signature of nobody",
        |world| {
            let _ = up_to_nn(world)?;
            world.forge_accept()?;
            world.ends_with(C::HANDSHAKE_FAILED)?;
            world.is_not_told("linked")
        },
    ),
    check(WEB, "certificate-flipped", &["CHN-003", "HSK-106"], "LINK_CERT does not open", |world| {
        world.scan()?;
        world.enter_code()?;
        let _ = world.seen("approval-wanted ")?;
        world.hub.plan(PHONE, DataKind::RECORD, Fate::Flipped);
        world.approve_now()?;
        world.ends_with(C::DECRYPT_FAILED)?;
        world.is_not_told("number-wanted")
    }),
    check(PHONE, "message-1-again", &["HSK-026"], "the last message 1 comes a second time", |world| {
        world.pair()?;
        world.chats("before")?;
        let count = |hub: &Hub| hub.carried.iter().filter(|(_, kind, _)| *kind == DataKind::KK2).count();
        let last = world.hub.carried.iter().rev().find(|(_, kind, _)| *kind == DataKind::KK1).cloned();
        let Some((_, kind, body)) = last else { return wrong("the runner has sent no message 1") };
        let before = count(&world.hub);
        world.hub.say(PHONE, &RelayFrame::Data { kind, body });
        // What comes after it was read is answered, so it was.
        world.chats("after")?;
        if count(&world.hub) != before {
            return wrong("a message 1 of the try seen last must not be answered, and is");
        }
        Ok(())
    }),
    check(
        WEB,
        "unknown-key-forged",
        &["HSK-041", "HSK-045"],
        "the relay says UNKNOWN_KEY out of turn",
        |world| {
            world.pair()?;
            world.chats("before")?;
            world.hub.say(WEB, &RelayFrame::Data { kind: DataKind::UNKNOWN_KEY, body: Vec::new().into() });
            world.chats("after")?;
            world.is_not_told("diverged")
        },
    ),
];

/// A check code that is so much above this one.
fn code_above(digits: &str, above: u16) -> String {
    format!("{:04}", (digits.parse::<u16>().unwrap_or(0) + above) % 10_000)
}

/// A pairing up to the number, which it returns.
fn up_to_nn(world: &mut World<'_>) -> Result<String, Stop> {
    world.scan()?;
    world.enter_code()?;
    world.approve()?;
    world.nn()
}
