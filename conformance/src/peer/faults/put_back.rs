//! What a phone says of the commands that it knows, and a web of having been put back; devices of version 1.
#![expect(clippy::too_many_lines, reason = "a list, an entry for each fault")]

use bytes::Bytes;
use handfast_codec::error::ErrorCode as C;
use handfast_codec::frame::Frame;
use handfast_codec::ids::CommandKey;
use handfast_codec::limits::{COMMANDS_OPEN_MAX, VARINT_MAX};
use handfast_codec::payload::CommandsKnown;
use serde_json::json;

use super::{Fault, phone, web};
use crate::fields::hex;
use crate::peer::driver::{Peer, Step, wrong};
use crate::peer::handshake::Plan;

const NONE: CommandsKnown = CommandsKnown { highest: 0, key: CommandKey::from_bytes([0; 16]), from: 1 };

#[expect(clippy::unnecessary_wraps, reason = "an optional field of message 2")]
fn known(highest: u64, key: u8, from: u64) -> Option<CommandsKnown> {
    Some(CommandsKnown { highest, key: CommandKey::from_bytes([key; 16]), from })
}

/// The web has sent a command of this key before it is attached.
fn with_command(peer: &mut Peer<'_>, key: u8) -> Step {
    peer.app(json!({ "verb": "send", "key": hex([key; 16]), "body": hex(b"x") }))?;
    peer.attach()
}

/// The first frame of the confirm is `WEB_BACK`, or is not.
fn says_web_back(peer: &Peer<'_>, right: bool) -> Step {
    let first = peer.heard.first() == Some(&Frame::WebBack);
    let count = peer.heard.iter().filter(|frame| **frame == Frame::WebBack).count();
    if (first, count) == (right, usize::from(right)) {
        return Ok(());
    }
    let what = if right { "must begin with WEB_BACK" } else { "must hold no WEB_BACK" };
    wrong(format!("the confirm {what}, and the web sends {:?}", peer.heard))
}

/// As the phone: says what it knows, and connects.
fn connect(peer: &mut Peer<'_>, commands: Option<CommandsKnown>) -> Step {
    peer.message2(&Plan { commands, ..Plan::default() })?;
    peer.send(&[])?;
    peer.wait(0)?;
    peer.is_told("connected")
}

/// A message of the web with this command: number, floor, key.
fn sends(peer: &Peer<'_>, number: u8, floor: u8, key: u8) -> Step {
    let body = Bytes::from([&[number, floor][..], &[key; 16], b"x"].concat());
    peer.hears(&Frame::Msg { seq: 1, part: 0, last: 0, body })
}

pub(super) fn all() -> Vec<Fault> {
    let mut all = at_web();
    all.extend(at_phone());
    all
}

fn at_web() -> Vec<Fault> {
    vec![
        web("phone-knows-none", "a new link").attached(&["RES-033"], |peer| {
            connect(peer, Some(NONE))?;
            says_web_back(peer, false)?;
            peer.is_not_told("put-back")
        }),
        web(
            "phone-knows-a-higher-number",
            "the phone has taken a command of a number that the web would give next",
        )
        .attached(&["RES-033", "RES-034"], |peer| {
            connect(peer, known(1, 7, 1))?;
            says_web_back(peer, true)?;
            peer.is_told("put-back web")
        }),
        web("phone-knows-the-command", "the phone has taken the command that waits: it is sent as it is")
            .opened(&["RES-033", "RES-017"], |peer| {
                with_command(peer, 7)?;
                connect(peer, known(1, 7, 1))?;
                says_web_back(peer, false)?;
                sends(peer, 1, 1, 7)
            }),
        web(
            "phone-knows-another-key",
            "the phone has taken another command of this number: what waits gets new numbers and keeps \
             its keys",
        )
        .opened(&["RES-033", "RES-037"], |peer| {
            with_command(peer, 7)?;
            connect(peer, known(1, 8, 1))?;
            says_web_back(peer, true)?;
            sends(peer, 2, 2, 7)?;
            peer.is_told("put-back web")
        }),
        web(
            "numbers-anew-above-the-highest",
            "the numbers of what waits begin above all that the phone knows",
        )
        .opened(&["RES-037"], |peer| {
            with_command(peer, 7)?;
            connect(peer, known(40, 8, 1))?;
            sends(peer, 41, 41, 7)?;
            peer.heard.clear();
            peer.app(json!({ "verb": "send", "key": hex([9; 16]), "body": hex(b"x") }))?;
            peer.wait(0)?;
            let body = Bytes::from([&[42, 41][..], &[9; 16], b"x"].concat());
            peer.hears(&Frame::Msg { seq: 2, part: 0, last: 0, body })
        }),
        web("phone-has-forgotten", "the command that waits may be one that the phone has forgotten")
            .opened(&["RES-038"], |peer| {
                with_command(peer, 7)?;
                peer.message2(&Plan { commands: known(40, 8, 2), ..Plan::default() })?;
                peer.wait(0)?;
                peer.is_not_told("connected")
            })
            .ends_with(C::COMMANDS_FORGOTTEN),
        web("phone-has-forgotten-nothing-that-waits", "nothing that waits lies below what the phone knows")
            .attached(&["RES-038"], |peer| {
                connect(peer, known(40, 8, 41))?;
                says_web_back(peer, true)
            }),
        web("phone-knows-the-highest-number", "the highest number with room above it")
            .attached(&["RES-041"], |peer| connect(peer, known(VARINT_MAX - COMMANDS_OPEN_MAX, 8, 1))),
        web("phone-knows-a-number-too-high", "a number without room above it").attached(
            &["RES-041"],
            |peer| {
                let commands = known(VARINT_MAX - COMMANDS_OPEN_MAX + 1, 8, 1);
                peer.message2(&Plan { commands, ..Plan::default() })?;
                peer.is_refused()
            },
        ),
        web("kk2-without-commands-known", "a resume block of version 2 without the commands known").attached(
            &["HSK-064"],
            |peer| {
                peer.message2(&Plan { commands: None, ..Plan::default() })?;
                peer.is_refused()
            },
        ),
        web("phone-of-version-1", "message 2 names version 1: the confirm says that the phone is too old")
            .attached(&["HSK-157", "HSK-155"], |peer| {
                peer.message2(&Plan { versions: vec![1], commands: None, ..Plan::default() })?;
                peer.wait(0)?;
                peer.is_not_told("connected")
            })
            .ends_with(C::NO_COMMON_VERSION),
        web("result-by-its-key", "the result of the command that was sent settles it").opened(
            &["RES-030"],
            |peer| {
                with_command(peer, 7)?;
                connect(peer, Some(NONE))?;
                let result = |key: u8| Bytes::from([&[key; 16][..], &[0]].concat());
                let message = |seq, key| Frame::Msg { seq, part: 0, last: 0, body: result(key) };
                peer.send(&[message(1, 8), message(2, 7), message(3, 7)])?;
                peer.wait(300)?;
                let told: Vec<_> = peer.told.iter().filter(|told| told.starts_with("result ")).collect();
                if told != [&format!("result {}", hex([7; 16]))] {
                    return wrong(format!("one result is of its command, and {told:?} are told"));
                }
                peer.lives()
            },
        ),
    ]
}

/// As the web: message 1 of this try, under the psk of the link or the one after it.
fn reconnects(peer: &mut Peer<'_>, plan: &Plan) -> Result<handfast_codec::payload::Kk2, crate::peer::Stop> {
    peer.wait(2_000)?;
    let state = peer.message1(plan)?;
    peer.finish(state)
}

fn at_phone() -> Vec<Fault> {
    vec![
        phone("web-back", "the confirm says that the web was put back: RESET, and the phone's user is told")
            .attached(&["RES-034", "RES-032"], |peer| {
                let state = peer.message1(&Plan::default())?;
                let reply = peer.finish(state)?;
                if reply.commands != Some(NONE) {
                    return wrong(format!(
                        "a phone that has taken no command knows none: {:?}",
                        reply.commands
                    ));
                }
                peer.send(&[Frame::WebBack])?;
                peer.wait(0)?;
                peer.is_told("connected")?;
                peer.is_told("put-back web")?;
                peer.lives()
            }),
        phone("web-back-behind-another-frame", "WEB_BACK is not the first frame of the confirm")
            .attached(&["FRM-054"], |peer| {
                let state = peer.message1(&Plan::default())?;
                let _ = peer.finish(state)?;
                peer.send(&[Frame::Ping { id: 1, rev: 0 }, Frame::WebBack])
            })
            .ends_with(C::FRAME_NOT_ALLOWED),
        phone("web-back-twice", "a second WEB_BACK in the confirm")
            .attached(&["FRM-054"], |peer| {
                let state = peer.message1(&Plan::default())?;
                let _ = peer.finish(state)?;
                peer.send(&[Frame::WebBack, Frame::WebBack])
            })
            .ends_with(C::FRAME_NOT_ALLOWED),
        phone("tells-what-it-knows", "message 2 names the highest command that was taken, and its key")
            .connected(&["RES-032"], |peer| {
                let body = |number: u8, key: u8| Bytes::from([&[number, 1][..], &[key; 16], b"x"].concat());
                let message =
                    |seq, number, key| Frame::Msg { seq, part: 0, last: 0, body: body(number, key) };
                peer.send(&[message(1, 3, 7), message(2, 2, 8)])?;
                peer.wait(300)?;
                let plan = peer.next_psk_plan(2);
                match reconnects(peer, &plan)?.commands {
                    found if found == known(3, 7, 1) => Ok(()),
                    found => wrong(format!("the phone knows number 3 under key 7, and says {found:?}")),
                }
            }),
        phone(
            "web-of-version-1",
            "message 1 offers version 1 alone: quarantine, and NO_COMMON_VERSION behind the confirm",
        )
        .attached(&["HSK-156"], |peer| {
            let state = peer.message1(&Plan { versions: vec![1], ..Plan::default() })?;
            let reply = peer.finish(state)?;
            if (reply.version, reply.quarantine, reply.resume.is_some()) != (1, true, false) {
                return wrong(
                    "message 2 to a web of version 1 must name it, say QUARANTINE and hold no block",
                );
            }
            peer.send(&[])?;
            peer.ends_with(C::NO_COMMON_VERSION)?;
            peer.is_not_told("connected")?;
            peer.is_not_told("diverged")
        })
        .ending(C::NO_COMMON_VERSION),
    ]
}
