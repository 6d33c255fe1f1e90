//! Whole pairings.

use anyhow::Result;
use serde_json::{Value, json};

use crate::case::Case;
use crate::fields::hex;
use crate::seed;

fn terms(capabilities: &[u64]) -> Value {
    json!({ "versions": "01", "capabilities": capabilities, "limits": [] })
}

/// The input of a pairing at this relay; every key follows from the case's id.
fn input(id: &str, relay: &str, label: &str, origin: &str) -> Value {
    let key = |role: &str, name: &str| hex(seed::key(id, role, name));
    let mut payload2 = terms(&[]);
    payload2["label"] = label.into();
    payload2["origin"] = origin.into();
    payload2["grants"] = 7.into();
    json!({
        "relay": relay, "wq": key("web", "wq"), "secret": key("web", "secret"),
        "phone_id": hex(seed::bytes::<8>(id, "relay", "phone id")),
        "web_id": hex(seed::bytes::<8>(id, "relay", "web id")),
        "phone": {
            "e": key("phone", "e"), "ps": key("phone", "ps"), "account": key("phone", "account"),
            "attach": key("phone", "attach"),
        },
        "web": { "e": key("web", "e"), "wd": key("web", "wd"), "we": key("web", "we"), "attach": key("web", "attach") },
        "payload1": terms(&[]), "payload2": payload2,
        "terms": {
            "account_name": "Alice", "salt": hex(seed::bytes::<16>(id, "phone", "salt")),
            "companion": hex(seed::bytes::<16>(id, "phone", "companion")), "serial": 1, "grants": 7, "idle_days": 14,
        },
    })
}

pub(super) fn valid() -> Result<Vec<Case>> {
    let reqs = ["HSK-010", "CRT-002", "CRT-004"];
    let plain = input("pairing/plain", "relay.example:8443", "Firefox on Linux", "https://web.example");
    let mut greased = input("pairing/terms", "[::1]:8787", "native", "");
    greased["payload1"]["versions"] = "013a".into();
    greased["payload1"]["capabilities"] = json!([2, 58]);
    greased["payload1"]["limits"] = json!([[2, 16_384], [58, 1]]);
    greased["payload2"]["capabilities"] = json!([120]);
    greased["terms"]["serial"] = 70.into();
    greased["terms"]["grants"] = 1.into();
    greased["terms"]["idle_days"] = 365.into();
    let mut cases = vec![
        Case::valid("pairing/plain", &reqs, "one pairing, all of it", "pairing", plain)?,
        Case::valid("pairing/terms", &reqs, "with grease, limits and other terms", "pairing", greased)?,
    ];
    for (name, req, comment) in [
        ("offer", "HSK-070", "mailbox and psk of the code"),
        ("prologue", "HSK-071", "the prologue, at a relay without a port"),
        ("check-code", "HSK-072", "the check code from h1"),
        ("nn", "HSK-073", "NN from h"),
        ("link-keys", "HSK-074", "resume psk and recovery psk of the new link"),
        ("seals", "HSK-075", "tombstone seal and goodbye seal of the new link"),
        ("epochs", "HSK-076", "the first epochs of the new link"),
        ("split", "HSK-084", "the third output of Split"),
    ] {
        let id = format!("pairing/{name}");
        let input = input(&id, "relay.example", "Firefox on Linux", "https://web.example");
        cases.push(Case::valid(&id, &[req], comment, "pairing", input)?);
    }
    Ok(cases)
}
