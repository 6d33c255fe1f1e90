//! Ratchet, recovery, resume, versions, heads, distinct keys: what is decided without reading a layout.

mod ratchet;

use anyhow::Result;
use handfast_codec::ErrorCode;
use serde_json::{Value, json};

use self::ratchet::{first_messages, id, phone, recoveries, sequences};
use crate::case::Case;
use crate::fields::{hex, number};
use crate::seed;

fn block(of_web: bool, change: &[(&str, u64)]) -> Value {
    let epoch = |name: &str| hex(seed::bytes::<16>("rules", "both", name));
    let (out, into) = if of_web { ("w2p", "p2w") } else { ("p2w", "w2p") };
    let mut block = json!({
        "out_epoch": epoch(out), "in_epoch": epoch(into), "next_seq": 10, "durable": 9, "oldest": 10,
        "log_id": epoch("log"), "rev": 100, "streams": [],
    });
    for (field, value) in change {
        block[*field] = match *field {
            "out_epoch" | "in_epoch" | "log_id" => hex([u8::try_from(*value).unwrap_or(0); 16]).into(),
            _ => number(*value),
        };
    }
    block
}

/// Name, the web's differences, the phone's.
type Blocks = (&'static str, &'static [(&'static str, u64)], &'static [(&'static str, u64)]);

/// Each edge of each condition of a verdict.
const BLOCKS: [Blocks; 26] = [
    ("in-step", &[], &[]),
    (
        "fresh",
        &[("next_seq", 1), ("durable", 0), ("oldest", 1)],
        &[("next_seq", 1), ("durable", 0), ("oldest", 1)],
    ),
    ("web-has-more", &[("next_seq", 20)], &[]),
    ("phone-has-more", &[], &[("next_seq", 20)]),
    ("web-holds-all", &[("next_seq", 20), ("oldest", 1)], &[("durable", 0)]),
    ("epoch-w2p-of-web", &[("out_epoch", 7)], &[]),
    ("epoch-w2p-of-phone", &[], &[("in_epoch", 7)]),
    ("epoch-p2w-of-web", &[("in_epoch", 7)], &[]),
    ("epoch-p2w-of-phone", &[], &[("out_epoch", 7)]),
    ("epochs-exchanged", &[("out_epoch", 1), ("in_epoch", 2)], &[("out_epoch", 1), ("in_epoch", 2)]),
    ("epochs-both-new", &[("out_epoch", 1), ("in_epoch", 2)], &[("out_epoch", 2), ("in_epoch", 1)]),
    ("lack-w2p-by-one", &[("next_seq", 20), ("oldest", 11)], &[("durable", 9)]),
    ("lack-w2p-by-all", &[("next_seq", 20), ("oldest", 20)], &[("durable", 0)]),
    ("future-w2p-by-none", &[("next_seq", 10), ("oldest", 1)], &[("durable", 9)]),
    ("future-w2p-by-one", &[("next_seq", 10), ("oldest", 1)], &[("durable", 10)]),
    ("future-w2p-far", &[("next_seq", 1), ("oldest", 1)], &[("durable", (1 << 62) - 1)]),
    ("lack-p2w-by-one", &[("durable", 9)], &[("next_seq", 20), ("oldest", 11)]),
    ("lack-p2w-by-all", &[("durable", 0)], &[("next_seq", 20), ("oldest", 20)]),
    ("future-p2w-by-one", &[("durable", 10)], &[("next_seq", 10), ("oldest", 1)]),
    ("future-p2w-far", &[("durable", (1 << 62) - 1)], &[("next_seq", 1), ("oldest", 1)]),
    ("log-back-by-one", &[("rev", 101)], &[("rev", 100)]),
    ("log-ahead", &[("rev", 99)], &[("rev", 100)]),
    ("log-back-to-zero", &[("rev", 1)], &[("rev", 0)]),
    ("other-log", &[("rev", 101), ("log_id", 3)], &[("rev", 100)]),
    ("unknown-log", &[("rev", 0), ("log_id", 0)], &[("rev", 100)]),
    ("largest", &[("next_seq", (1 << 62) - 1), ("oldest", (1 << 62) - 1)], &[("durable", (1 << 62) - 2)]),
];

/// One condition each, in their order: what of web and phone makes it hold and no other.
const REASONS: [Blocks; 7] = [
    ("epoch-w2p", &[("out_epoch", 7)], &[]),
    ("epoch-p2w", &[], &[("out_epoch", 7)]),
    ("lack-w2p", &[("oldest", 11)], &[]),
    ("future-w2p", &[("next_seq", 9)], &[]),
    ("lack-p2w", &[], &[("oldest", 11)]),
    ("future-p2w", &[], &[("next_seq", 9)]),
    ("log-back", &[("rev", 101)], &[]),
];

fn verdicts() -> Result<Vec<Case>> {
    let mut out = Vec::new();
    let mut push = |name: &str, comment: &str, web: &[(&str, u64)], phone: &[(&str, u64)]| -> Result<()> {
        let input = json!({ "web": block(true, web), "phone": block(false, phone) });
        out.push(Case::valid(&format!("resume/{name}"), &["RES-020"], comment, "resume.verdict", input)?);
        Ok(())
    };
    for (name, web, phone) in BLOCKS {
        push(name, "at an edge of a condition", web, phone)?;
    }
    for (at, (first, web, phone)) in REASONS.iter().enumerate() {
        for (second, web_too, phone_too) in REASONS.iter().skip(at + 1) {
            let (web, phone) = ([*web, *web_too].concat(), [*phone, *phone_too].concat());
            push(&format!("{first}-before-{second}"), "two reasons: the first is told", &web, &phone)?;
        }
    }
    Ok(out)
}

/// Own versions, offered ones, and what they are called.
const VERSIONS: [(&str, &str, &str); 16] = [
    ("one", "01", "01"),
    ("among-others", "01", "0203010405060708"),
    ("last", "01", "0807060504030201"),
    ("grease", "01", "3a01"),
    ("highest", "010203", "030201"),
    ("highest-not-first", "010203", "010203"),
    ("highest-common", "0102", "010203"),
    ("reconnect", "0201", "0201"),
    ("reconnect-outdated", "0201", "01"),
    ("own-higher", "02", "030201"),
    ("none-outdated", "02", "01"),
    ("none-higher", "01", "02"),
    ("none-zero", "01", "00"),
    ("none-grease", "01", "3a78b6f4"),
    ("none-eight", "01", "0203040506070809"),
    ("none-of-three", "010203", "040506"),
];

fn versions(wanted: bool) -> Result<Vec<Case>> {
    let mut out = Vec::new();
    let code = ErrorCode::NO_COMMON_VERSION;
    for (name, own, offered) in VERSIONS {
        let input = json!({ "own": own, "offered": offered });
        if wanted && !name.starts_with("none") {
            let id = format!("versions/choose-{name}");
            out.push(Case::valid(&id, &["HSK-007"], "the highest that both have", "version.choose", input)?);
        } else if !wanted && name.starts_with("none") {
            let id = format!("refuse-versions/choose-{name}");
            out.push(Case::invalid(
                &id,
                &["HSK-007"],
                "no version is shared",
                "version.choose",
                input,
                code,
            )?);
        }
    }
    for (name, offered, version, is_offered) in [
        ("one", "01", "01", true),
        ("second", "0201", "01", true),
        ("lower", "0102", "01", true),
        ("outdated-not-offered", "02", "01", false),
        ("zero", "01", "00", false),
        ("higher", "01", "02", false),
        ("between", "0103", "02", false),
        ("grease", "01", "3a", false),
        ("largest", "01", "ff", false),
    ] {
        let input = json!({ "offered": offered, "version": version });
        if wanted && is_offered {
            let id = format!("versions/reply-{name}");
            out.push(Case::valid(&id, &["HSK-008"], "a version that was offered", "version.reply", input)?);
        } else if !wanted && !is_offered {
            let id = format!("refuse-versions/reply-{name}");
            let comment = "a version that was not offered";
            out.push(Case::invalid(&id, &["HSK-008"], comment, "version.reply", input, code)?);
        }
    }
    Ok(out)
}

fn heads(wanted: bool) -> Result<Vec<Case>> {
    let mut out = Vec::new();
    let rest = "ab".repeat(48);
    for (name, head, code) in [
        ("resume", "0100", None),
        ("recover", "0101", None),
        ("suite-0", "0000", Some(ErrorCode::FIELD_VALUE)),
        ("suite-2", "0200", Some(ErrorCode::FIELD_VALUE)),
        ("suite-grease", "3a00", Some(ErrorCode::FIELD_VALUE)),
        ("suite-255", "ff01", Some(ErrorCode::FIELD_VALUE)),
        ("mode-2", "0102", Some(ErrorCode::FIELD_VALUE)),
        ("mode-grease", "013a", Some(ErrorCode::FIELD_VALUE)),
        ("mode-255", "01ff", Some(ErrorCode::FIELD_VALUE)),
    ] {
        let input = json!({ "message": format!("{head}{}{rest}", id("head")) });
        match code {
            None if wanted => {
                let comment = "the clear head of message 1, and what follows";
                out.push(Case::valid(&format!("heads/{name}"), &["HSK-078"], comment, "kk.head", input)?);
            }
            Some(code) if !wanted => {
                let id = format!("refuse-heads/{name}");
                let comment = "another suite or mode";
                out.push(Case::invalid(&id, &["HSK-078"], comment, "kk.head", input, code)?);
            }
            _ => {}
        }
    }
    for len in (0..10).filter(|_| !wanted) {
        let head = format!("0100{}", id("head"));
        let input = json!({ "message": head.get(..2 * len).unwrap_or_default() });
        let (name, code) = (format!("refuse-heads/cut-{len}"), ErrorCode::TRUNCATED);
        let comment = "the head ends early";
        out.push(Case::invalid(&name, &["FRM-002", "HSK-078"], comment, "kk.head", input, code)?);
    }
    Ok(out)
}

const KEYS: [&str; 7] = ["wq", "ps", "wd", "we", "account", "phone attach", "web attach"];

fn keys(wanted: bool) -> Result<Vec<Case>> {
    let key = |name: &str| hex(seed::key("rules", "any", name));
    let all: Vec<String> = KEYS.iter().map(|name| key(name)).collect();
    let others = vec![key("another link's ps"), key("another link's wd")];
    if wanted {
        let (input, alone) = (json!({ "keys": all, "in_use": others }), json!({ "keys": all, "in_use": [] }));
        let comment = "keys that differ from one another and from those of other links";
        return Ok(vec![
            Case::valid("keys/distinct", &["CRT-003"], comment, "keys.distinct", input)?,
            Case::valid("keys/first-link", &["CRT-003"], comment, "keys.distinct", alone)?,
        ]);
    }
    let mut out = Vec::new();
    let code = ErrorCode::KEY_REUSED;
    for (at, first) in KEYS.iter().enumerate() {
        for (to, second) in KEYS.iter().enumerate().skip(at + 1) {
            let mut same = all.clone();
            same[to].clone_from(&all[at]);
            let id = format!("refuse-keys/{first}-is-{second}").replace(' ', "-");
            let input = json!({ "keys": same, "in_use": others });
            out.push(Case::invalid(
                &id,
                &["CRT-003"],
                "two keys of a link are one",
                "keys.distinct",
                input,
                code,
            )?);
        }
        let used = json!({ "keys": all, "in_use": [others[0], all[at]] });
        let id = format!("refuse-keys/{first}-in-use").replace(' ', "-");
        let comment = "another link has this key";
        out.push(Case::invalid(&id, &["CRT-003"], comment, "keys.distinct", used, code)?);
    }
    Ok(out)
}

pub(super) fn valid() -> Result<Vec<Case>> {
    let mut out = [first_messages()?, sequences()?, verdicts()?].concat();
    for (name, with_candidate, steps, in_step) in recoveries() {
        if in_step {
            let id = format!("ratchet/recover-{name}");
            let comment = "the id that is held was or is current or candidate";
            let input = phone(with_candidate, 5, &steps);
            out.push(Case::valid(&id, &["HSK-043"], comment, "ratchet.phone", input)?);
        }
    }
    for last_try in [0, 1, 5, (1 << 53) - 1, 1 << 53, u64::MAX - 2] {
        let input = json!({ "last_try": last_try.to_string() });
        let id = format!("ratchet/web-after-{last_try}");
        out.push(Case::valid(&id, &["HSK-021"], "one more than the last", "ratchet.web", input)?);
    }
    Ok([out, versions(true)?, heads(true)?, keys(true)?].concat())
}

pub(super) fn invalid() -> Result<Vec<Case>> {
    let mut out = Vec::new();
    for (name, with_candidate, steps, in_step) in recoveries() {
        if !in_step {
            let id = format!("refuse-ratchet/recover-{name}");
            let comment = "the id that is held is neither current nor candidate, and was not";
            let input = phone(with_candidate, 5, &steps);
            out.push(Case::invalid(&id, &["HSK-043"], comment, "ratchet.phone", input, ErrorCode::DIVERGED)?);
        }
    }
    for last_try in [u64::MAX - 1, u64::MAX] {
        let input = json!({ "last_try": last_try.to_string() });
        let id = format!("refuse-ratchet/web-after-{last_try}");
        let code = ErrorCode::TRY_EXHAUSTED;
        out.push(Case::invalid(&id, &["HSK-021"], "2^64-1 is not used", "ratchet.web", input, code)?);
    }
    Ok([out, versions(false)?, heads(false)?, keys(false)?].concat())
}
