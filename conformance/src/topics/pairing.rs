//! Whole pairings.

use anyhow::Result;
use handfast_codec::error::ErrorCode;
use handfast_handshake::secret::DhSecret;
use serde_json::{Value, json};

use crate::case::Case;
use crate::derive;
use crate::fields::hex;
use crate::seed;

fn terms(capabilities: &[u64]) -> Value {
    json!({ "versions": "02", "capabilities": capabilities, "limits": [] })
}

/// The input of a pairing at this relay; every key follows from the case's id.
fn input(id: &str, relay: &str, label: &str, origin: &str) -> Value {
    let key = |role: &str, name: &str| hex(seed::key(id, role, name));
    let mut payload2 = terms(&[]);
    payload2["label"] = label.into();
    payload2["origin"] = origin.into();
    payload2["grants"] = 7.into();
    json!({
        "relay": relay, "wq": key("web", "wq"), "opening": key("web", "opening"),
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
    greased["payload1"]["versions"] = "023a".into();
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
        ("secret", "QRP-011", "the secret commits to key and opening"),
        ("check-code", "HSK-094", "the check code from h1 and the opening"),
        ("nn", "HSK-095", "NN from h1 and the opening"),
        ("message-2", "HSK-093", "message 2 opens the code"),
        ("link-keys", "HSK-074", "resume psk and recovery psk of the new link"),
        ("seals", "HSK-075", "tombstone seal and goodbye seal of the new link"),
        ("epochs", "HSK-076", "the first epochs of the new link"),
        ("split", "HSK-084", "the third output of Split"),
    ] {
        let id = format!("pairing/{name}");
        let input = input(&id, "relay.example", "Firefox on Linux", "https://web.example");
        cases.push(Case::valid(&id, &[req], comment, "pairing", input)?);
    }
    for (name, byte) in [("zeros", 0), ("ones", 0xff), ("letters", 0x61)] {
        let opening = [byte; 32];
        let id = format!("pairing/opening-{name}");
        let input = opening_input(&id, &opening, &opening);
        let comment = "a code whose secret is the hash of this key and this opening";
        cases.push(Case::valid(&id, &["HSK-096", "QRP-011"], comment, "pairing.opening", input)?);
    }
    Ok(cases)
}

/// A code that commits to one opening, and another one that is told.
fn opening_input(id: &str, committed: &[u8; 32], told: &[u8; 32]) -> Value {
    let wq = *DhSecret::from_bytes(seed::key(id, "web", "wq")).public().as_bytes();
    let secret = derive::code_secret(&wq, committed);
    json!({ "wq": hex(wq), "secret": hex(secret), "opening": hex(told) })
}

pub(super) fn invalid() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    let mut refused = |name: &str, comment: &str, change: &dyn Fn(&str, [u8; 32]) -> Value| {
        let id = format!("refuse-pairing/{name}");
        let input = change(&id, seed::key(&id, "web", "opening"));
        let code = ErrorCode::HANDSHAKE_FAILED;
        cases.push(Case::invalid(&id, &["HSK-096"], comment, "pairing.opening", input, code)?);
        Ok::<_, anyhow::Error>(())
    };
    for at in [0, 100, 255] {
        refused(&format!("opening-bit-{at}"), "one bit of the opening differs", &move |id, opening| {
            let mut other = opening;
            other[at / 8] ^= 1 << (at % 8);
            opening_input(id, &opening, &other)
        })?;
    }
    refused("opening-of-another-code", "the opening of another code", &|id, opening| {
        opening_input(id, &opening, &seed::key(id, "web", "another opening"))
    })?;
    refused("opening-is-the-secret", "the secret in place of what it commits to", &|id, opening| {
        let mut input = opening_input(id, &opening, &opening);
        input["opening"] = input["secret"].clone();
        input
    })?;
    refused("secret-is-the-opening", "a code that commits to nothing", &|id, opening| {
        let mut input = opening_input(id, &opening, &opening);
        input["secret"] = input["opening"].clone();
        input
    })?;
    let comment = "a commitment that was copied beside another key";
    refused("opening-over-another-key", comment, &|id, opening| {
        let mut input = opening_input(id, &opening, &opening);
        input["wq"] = hex(DhSecret::from_bytes(seed::key(id, "web", "another wq")).public()).into();
        input
    })?;
    let comment = "a commitment to the opening alone";
    refused("opening-without-key", comment, &|id, opening| {
        let mut input = opening_input(id, &opening, &opening);
        let secret = derive::sha256(&[b"handfast/1 code".as_slice(), &opening].concat());
        input["secret"] = hex(secret).into();
        input
    })?;
    refused("opening-without-label", "a commitment without its label", &|id, opening| {
        let mut input = opening_input(id, &opening, &opening);
        let wq = *DhSecret::from_bytes(seed::key(id, "web", "wq")).public().as_bytes();
        input["secret"] = hex(derive::sha256(&[wq, opening].concat())).into();
        input
    })?;
    Ok(cases)
}
