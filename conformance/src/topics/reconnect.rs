//! Whole reconnects and recoveries.

use anyhow::Result;
use serde_json::{Value, json};

use crate::case::Case;
use crate::derive;
use crate::fields::hex;
use crate::seed;

fn block(id: &str, out: &str, into: &str, rev: u64, streams: &Value) -> Value {
    let epoch = |name: &str| hex(seed::bytes::<16>(id, "both", name));
    json!({
        "out_epoch": epoch(out), "in_epoch": epoch(into), "next_seq": 5, "durable": 3, "oldest": 4,
        "log_id": hex(seed::bytes::<16>(id, "phone", "log id")), "rev": rev, "streams": streams,
    })
}

/// The input of a reconnect; every key follows from the case's id.
fn input(id: &str, mode: &str, attempt: &str) -> Value {
    let key = |role: &str, name: &str| hex(seed::key(id, role, name));
    let id_of = |name: &str| hex(seed::bytes::<8>(id, "relay", name));
    json!({
        "relay": "relay.example:8443", "mailbox": hex(seed::bytes::<16>(id, "both", "mailbox")),
        "web_id": id_of("web id"), "phone_id": id_of("phone id"), "mode": mode, "psk": key("both", "psk"),
        "wd": key("web", "wd"), "ps": key("phone", "ps"), "web_e": key("web", "e"), "phone_e": key("phone", "e"),
        "payload1": { "versions": "0201", "capabilities": [], "limits": [], "try": attempt, "pending": false },
        "payload2": { "versions": "02", "capabilities": [], "limits": [], "quarantine": false },
    })
}

pub(super) fn reconnects() -> Result<Vec<Case>> {
    let reqs = ["HSK-021", "HSK-023", "HSK-024"];
    let resumed = |id: &str, attempt: &str| {
        let mut input = input(id, "resume", attempt);
        input["payload1"]["resume"] = block(id, "w2p", "p2w", 0, &json!([[0, 0], [1, 65_536]]));
        input["payload2"]["resume"] = block(id, "p2w", "w2p", 4_242, &json!([[0, 131_072], [1, 0]]));
        let key = hex(seed::bytes::<16>(id, "web", "command"));
        input["payload2"]["commands"] = json!({ "highest": 12, "key": key, "from": 1 });
        input
    };
    let plain = resumed("reconnect/plain", "1");
    let mut pending = resumed("reconnect/pending", "18446744073709551614");
    pending["payload1"]["pending"] = true.into();
    let mut quarantine = input("reconnect/quarantine", "resume", "3");
    quarantine["payload1"]["resume"] = block("reconnect/quarantine", "w2p", "p2w", 0, &json!([]));
    quarantine["payload2"]["quarantine"] = true.into();
    let mut cases = vec![
        Case::valid("reconnect/plain", &reqs, "one reconnect, all of it", "reconnect", plain)?,
        Case::valid(
            "reconnect/pending",
            &["HSK-018"],
            "a web that waits for COMMIT, at the last try",
            "reconnect",
            pending,
        )?,
        Case::valid(
            "reconnect/quarantine",
            &["HSK-027", "HSK-028"],
            "a lower try is quarantined",
            "reconnect",
            quarantine,
        )?,
    ];
    for (name, req, comment) in [
        ("psk-id", "HSK-077", "the name of the psk"),
        ("head", "HSK-078", "the clear head of message 1"),
        ("prologue", "HSK-079", "the prologue"),
        ("next-psk", "HSK-083", "the psk of the next connection"),
    ] {
        let id = format!("reconnect/{name}");
        cases.push(Case::valid(&id, &[req], comment, "reconnect", resumed(&id, "2"))?);
    }
    Ok(cases)
}

pub(super) fn recoveries() -> Result<Vec<Case>> {
    let recovery = |id: &str, in_step: bool| {
        let mut input = input(id, "recover", "9");
        let psk_id = |name: &str| {
            let mailbox = seed::bytes(id, "both", "mailbox");
            hex(derive::psk_id(&seed::key(id, "both", name), &mailbox))
        };
        let held = if in_step { "candidate psk" } else { "forgotten psk" };
        input["payload1"]["psk_id_held"] = psk_id(held).into();
        input["phone_ids"] = json!([psk_id("current psk"), psk_id("candidate psk")]);
        input
    };
    let reqs = ["HSK-042", "HSK-043"];
    let (yes, no) = (recovery("recovery/in-step", true), recovery("recovery/diverged", false));
    Ok(vec![
        Case::valid(
            "recovery/in-step",
            &reqs,
            "the web holds the candidate: a relay forged the hint",
            "reconnect",
            yes,
        )?,
        Case::valid(
            "recovery/diverged",
            &reqs,
            "the web holds a psk that the phone does not know",
            "reconnect",
            no,
        )?,
    ])
}
