//! What a phone or a web program must do, live: pair, chat, come back, and refuse wrong bytes.

use std::time::Duration;

use handfast_codec::error::ErrorCode as C;
use handfast_codec::frame::{Frame, Items};
use handfast_codec::relay::{DataKind, RelayFrame};
use handfast_codec::role::DeviceRole;
use handfast_messages::CollectionName;
use serde_json::json;

use super::hub::{Fate, Hub};
use super::world::World;
use crate::peer::{Step, Stop, record_of, wrong};

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

/// A check of which only this is said so far: its name, and what happens.
struct Named {
    role: DeviceRole,
    name: &'static str,
    comment: &'static str,
}

const fn phone(name: &'static str, comment: &'static str) -> Named {
    Named { role: PHONE, name, comment }
}

const fn web(name: &'static str, comment: &'static str) -> Named {
    Named { role: WEB, name, comment }
}

impl Named {
    const fn proves(self, reqs: &'static [&'static str], body: fn(&mut World<'_>) -> Step) -> Check {
        Check { role: self.role, name: self.name, reqs, comment: self.comment, body }
    }
}

fn pairs(world: &mut World<'_>) -> Step {
    world.pair()
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

/// Rows come that do not go on where the last ones ended: those between would be missing, and nothing would say so.
fn delta_skips(world: &mut World<'_>) -> Step {
    world.pair()?;
    world.chats("before")?;
    let (from, to) = (1_000_000, 1_000_001);
    let built = CollectionName::Chats.encode().zip(Items::build([[&[1; 8][..], b"row"].concat()]));
    let Some((collection, items)) = built else { return wrong("the case cannot be built") };
    let delta = Frame::Delta { collection, from, to, part: 0, last: 0, items };
    let Some(record) = record_of(&[delta]) else { return wrong("the case cannot be built") };
    world.inject(record)?;
    world.closes_with(C::SEQ_GAP)?;
    world.connects("RESUME")?;
    world.chats("after")
}

/// The phone's `LINK_COMMIT` is lost with the attempt: the web's first connection brings another, and goes on as a
/// session.
fn commit_lost(world: &mut World<'_>) -> Step {
    let digits = up_to_nn(world)?;
    world.hub.plan(PHONE, DataKind::RECORD, Fate::Lost);
    world.number(Some(&digits))?;
    world.relay("a commit to lose", Hub::is_done)?;
    let _ = world.seen("linked")?;
    world.connects("RESUME")?;
    world.chats("after")?;
    // A program may end its connection once it is linked; what it says in it comes before.
    let of_web = world.hub.carried.iter().filter(|(from, ..)| *from == WEB).map(|(_, kind, _)| *kind);
    let first = of_web.skip_while(|kind| *kind != DataKind::KK1).skip(1);
    match first.take_while(|kind| *kind == DataKind::RECORD).count() {
        0 | 1 => {
            wrong("the connection that brings LINK_COMMIT must go on as a session, and nothing is said in it")
        }
        _ => Ok(()),
    }
}

/// The web's `LINK_ACCEPT` is lost with the attempt, and comes with its first connection: the phone's user is told then.
fn accepted_late(world: &mut World<'_>) -> Step {
    let digits = up_to_nn(world)?;
    world.hub.plan(WEB, DataKind::RECORD, Fate::Lost);
    world.number(Some(&digits))?;
    world.relay("an acceptance to lose", Hub::is_done)?;
    world.hub.cut();
    let _ = world.told("ended ")?;
    let _ = world.told("linked")?;
    world.connects("RESUME")?;
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

/// Another copy of the web took its seat. Sockets that are lost otherwise are opened again within two seconds.
fn seat_taken(world: &mut World<'_>) -> Step {
    world.pair()?;
    world.chats("before")?;
    world.hub.say(WEB, &RelayFrame::Error { code: C::REPLACED, retry_ms: 0 });
    world.hub.cut();
    world.stays_away(Duration::from_secs(4))
}

/// The same content is put twice: it is sent once.
fn put_twice(world: &mut World<'_>) -> Step {
    const CONTENT: &[u8] = &[7; 100_000];
    world.pair()?;
    world.chats("before")?;
    for (what, sent) in [("content that is new", true), ("content that is there", false)] {
        let end = world.put(CONTENT)?;
        let right = if sent {
            end.starts_with("Done") && !end.contains(", 0 bytes")
        } else {
            end == "Done, 0 bytes given"
        };
        if !right {
            return wrong(format!("a put of {what} ends with {end}"));
        }
    }
    Ok(())
}

pub(super) const ALL: &[Check] = &[
    phone("pairs", "a code, four digits, NN, Linked").proves(&["HSK-010", "HSK-018", "HSK-080"], pairs),
    web("pairs", "a code, four digits, NN, Linked").proves(&["HSK-106", "HSK-081", "HSK-020"], pairs),
    phone("chats", "a command is run and answered, rows come").proves(&["RES-012", "SYN-001"], |world| {
        world.pair()?;
        world.chats("once")
    }),
    web("chats", "rows are shown, a command arrives").proves(&["RES-024", "SYN-003"], |world| {
        world.pair()?;
        world.chats("once")
    }),
    phone("cut", "all sockets are cut").proves(&["HSK-023", "HSK-025", "RES-020"], comes_back),
    web("cut", "all sockets are cut").proves(&["HSK-021", "HSK-024", "RES-020"], comes_back),
    phone("power-lost", "the program ends without a warning").proves(&["HSK-080", "RES-022"], lives_on),
    web("power-lost", "the program ends without a warning").proves(&["HSK-081", "RES-022"], lives_on),
    phone("said-while-away", "a command waits for the phone")
        .proves(&["RES-001", "RES-026"], said_while_away),
    web("said-while-away", "a row waits for the web").proves(&["SYN-001", "SYN-003"], said_while_away),
    phone("record-flipped", "a record does not open").proves(&["CHN-003", "RES-001"], record_flipped),
    web("record-flipped", "a record does not open").proves(&["CHN-003", "SYN-001"], record_flipped),
    phone("message-1-flipped", "a reconnect's first message is damaged")
        .proves(&["HSK-003"], reconnect_flipped),
    web("message-2-flipped", "a reconnect's answer is damaged")
        .proves(&["HSK-003", "HSK-032"], reconnect_flipped),
    phone("confirm-lost", "the confirm does not arrive").proves(&["HSK-023", "HSK-025"], confirm_lost),
    web("confirm-lost", "the confirm does not arrive").proves(&["HSK-024"], confirm_lost),
    phone("accepted-late", "LINK_ACCEPT does not arrive in the attempt")
        .proves(&["HSK-134", "HSK-087"], accepted_late),
    phone("put-twice", "the same content is put a second time").proves(&["STR-012"], put_twice),
    web("seat-taken", "the relay says REPLACED").proves(&["TIM-012"], seat_taken),
    web("delta-skips", "rows from 1,000,000 on, and the cursor is before that")
        .proves(&["SYN-002", "SYN-024"], delta_skips),
    web("commit-lost", "LINK_COMMIT does not arrive").proves(&["HSK-122", "HSK-087"], commit_lost),
    phone("relay-of-another-name", "HELLO says another name").proves(&["RLY-006"], other_name),
    web("relay-of-another-name", "HELLO says another name").proves(&["RLY-006"], other_name),
    phone("told-to-stay-away", "an upgrade is answered 503, Retry-After: 5")
        .proves(&["TIM-022"], told_to_stay_away),
    phone("three-wrong-codes", "the user types three wrong check codes").proves(&["HSK-011"], |world| {
        world.scan()?;
        let digits = world.check_code()?;
        for above in 1..3 {
            world.type_code(&code_above(&digits, above))?;
            let _ = world.told("wrong-code ")?;
        }
        world.type_code(&code_above(&digits, 3))?;
        world.ends_with(C::CHECK_CODE_WRONG)
    }),
    phone("same-wrong-code-twice", "the user types a wrong check code again").proves(&["HSK-099"], |world| {
        world.scan()?;
        let digits = world.check_code()?;
        world.type_code(&code_above(&digits, 1))?;
        let _ = world.told("wrong-code ")?;
        world.type_code(&code_above(&digits, 1))?;
        world.ends_with(C::CHECK_CODE_WRONG)
    }),
    phone("user-refuses", "the phone's user does not approve").proves(&["HSK-010"], |world| {
        world.scan()?;
        world.enter_code()?;
        let _ = world.told("approval-wanted ")?;
        world.user(&json!({ "verb": "approve", "yes": false }))?;
        world.seen("ended ").map(drop)
    }),
    phone("number-none", "the page's user sees no number: a new code pairs").proves(&["HSK-088"], |world| {
        let _ = up_to_nn(world)?;
        world.number(None)?;
        world.ends_with(C::NOT_CONFIRMED)?;
        let _ = world.seen("ended ")?;
        world.pair()
    }),
    web("number-none", "the phone shows no number: a new code pairs").proves(
        &["HSK-082", "HSK-012"],
        |world| {
            let _ = up_to_nn(world)?;
            world.number(None)?;
            world.ends_with(C::NOT_CONFIRMED)?;
            let _ = world.seen("ended NOT_CONFIRMED")?;
            world.pair()
        },
    ),
    web("number-wrong", "another number is typed: a new code pairs").proves(
        &["HSK-103", "HSK-100"],
        |world| {
            let right: u8 = up_to_nn(world)?.parse().unwrap_or(0);
            world.number(Some(&format!("{:02}", (right + 1) % 100)))?;
            world.ends_with(C::NOT_CONFIRMED)?;
            let _ = world.seen("ended NOT_CONFIRMED")?;
            world.is_not_told("code ")?;
            world.pair()
        },
    ),
    web("user-stops", "the user stops at the digits").proves(&["HSK-104", "HSK-100"], |world| {
        world.scan()?;
        let _ = world.check_code()?;
        world.number(None)?;
        world.ends_with(C::NOT_CONFIRMED)?;
        let _ = world.seen("ended PEER_GONE")?;
        world.pair()
    }),
    phone("pairing-message-2-flipped", "the web's message is damaged").proves(&["HSK-003"], |world| {
        world.hub.plan(WEB, DataKind::PAIRING, Fate::Flipped);
        world.scan()?;
        world.ends_with(C::HANDSHAKE_FAILED)?;
        world.is_not_told("check-code-wanted")
    }),
    web("pairing-message-1-flipped", "the code outlives what does not decrypt").proves(
        &["HSK-013"],
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
    web("pairing-message-3-flipped", "message 3 is damaged").proves(&["HSK-003", "HSK-012"], |world| {
        world.scan()?;
        world.enter_code()?;
        let _ = world.seen("approval-wanted ")?;
        world.hub.plan(PHONE, DataKind::PAIRING, Fate::Flipped);
        world.approve_now()?;
        world.ends_with(C::HANDSHAKE_FAILED)?;
        world.is_not_told("number-wanted")
    }),
    phone("accept-flipped", "LINK_ACCEPT does not open").proves(&["HSK-087", "HSK-018"], |world| {
        let digits = up_to_nn(world)?;
        world.hub.plan(WEB, DataKind::RECORD, Fate::Flipped);
        world.number(Some(&digits))?;
        world.ends_with(C::DECRYPT_FAILED)?;
        world.is_not_told("linked")
    }),
    phone("accept-forged", "LINK_ACCEPT has a signature of nobody").proves(
        &["CRT-004", "ERR-004"],
        |world| {
            let _ = up_to_nn(world)?;
            world.forge_accept()?;
            world.ends_with(C::HANDSHAKE_FAILED)?;
            world.is_not_told("linked")
        },
    ),
    web("certificate-flipped", "LINK_CERT does not open").proves(&["CHN-003", "HSK-106"], |world| {
        world.scan()?;
        world.enter_code()?;
        let _ = world.seen("approval-wanted ")?;
        world.hub.plan(PHONE, DataKind::RECORD, Fate::Flipped);
        world.approve_now()?;
        world.ends_with(C::DECRYPT_FAILED)?;
        world.is_not_told("number-wanted")
    }),
    phone("message-1-again", "the last message 1 comes a second time").proves(&["HSK-026"], |world| {
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
    web("unknown-key-forged", "the relay says UNKNOWN_KEY out of turn").proves(
        &["HSK-041", "HSK-045"],
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
