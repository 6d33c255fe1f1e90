//! Signatures, systematically: each signed value changed, each signature under another label, the edge points.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use handfast_codec::{DeviceRole, ErrorCode};
use serde_json::{Value, json};

use super::certificates::{
    RELAY, accept_input, attach_input, certificate, certificate_input, link_attach, pairing_attach,
    revoked_input,
};
use super::tlv::List;
use crate::case::Case;
use crate::fields::{hex, unhex};

const POINTS: &str = handfast_vectors::ED25519_POINTS;
/// So many points of each kind are cases; tests run all.
const POINTS_OF_A_KIND: usize = 3;

/// The bits that are changed in a value: name, byte from the front as a part of all, mask.
const BITS: [(&str, usize, u8); 3] = [("first", 0, 1), ("middle", 1, 0x10), ("last", 2, 0x80)];

fn flipped(bytes: &[u8], (_, half, mask): (&str, usize, u8)) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out[(bytes.len() - 1) * half / 2] ^= mask;
    out
}

/// One point of the file of edge points.
struct Point {
    number: u64,
    flags: String,
    input: Value,
}

fn points() -> Result<Vec<Point>> {
    let list: Vec<Value> = serde_json::from_str(POINTS)?;
    list.iter()
        .map(|point| {
            let text = |name: &str| point[name].as_str().context("text");
            let flags = point["flags"].as_array().map(Vec::as_slice).unwrap_or_default();
            let flags: Vec<&str> = flags.iter().filter_map(Value::as_str).collect();
            Ok(Point {
                number: point["number"].as_u64().context("a number")?,
                flags: flags.join(", "),
                input: json!({ "key": text("key")?, "signature": text("sig")?, "message": hex(text("msg")?) }),
            })
        })
        .collect()
}

/// Some points of each kind, those that hold or those that do not.
fn edge_points(wanted: bool) -> Result<Vec<Case>> {
    let (mut out, mut seen) = (Vec::new(), BTreeMap::<String, usize>::new());
    let mut inputs = BTreeSet::new();
    for Point { number, flags, input } in points()? {
        let op = "ed25519.verify";
        let holds = crate::ops::run(op, input.as_object().context("an object")?)?.is_ok();
        if !inputs.insert(input.to_string()) {
            continue;
        }
        let count = seen.entry(format!("{flags} {holds}")).or_default();
        *count += 1;
        if holds != wanted || *count > POINTS_OF_A_KIND {
            continue;
        }
        let comment = if flags.is_empty() { "a plain signature".to_owned() } else { flags };
        out.push(if wanted {
            Case::valid(&format!("signatures/point-{number}"), &["CRT-001"], &comment, op, input)?
        } else {
            let id = format!("refuse-signatures/point-{number}");
            Case::invalid(&id, &["CRT-001"], &comment, op, input, ErrorCode::BAD_SIGNATURE)?
        });
    }
    Ok(out)
}

pub(super) fn valid() -> Result<Vec<Case>> {
    let mut out = edge_points(true)?;
    for (name, serial, idle_days, account) in [
        ("serial-0", 0, 14, "Alice"),
        ("serial-63", 63, 63, "Alice"),
        ("serial-64", 64, 64, "Alice"),
        ("serial-16383", 16_383, 364, "Alice"),
        ("serial-16384", 16_384, 2, "Alice"),
        ("serial-2-30", 1 << 30, 14, "Alice"),
        ("name-utf8", 1, 14, "\u{00c5}sa \u{1f98a}"),
        ("name-nul", 1, 14, "a\0b"),
    ] {
        let input = certificate_input(&certificate(serial, idle_days, account).encode(), None);
        let comment = "values at the edges of their encoding are signed as they are written";
        let id = format!("signatures/certificate-{name}");
        out.push(Case::valid(&id, &["CRT-006", "CRT-007"], comment, "certificate.verify", input)?);
    }
    for even in [12_u64, 28, 58] {
        let list = List::of(&certificate(1, 14, "Alice").encode(), 0);
        let input = certificate_input(&list.between(even, &[9]).bytes(), None);
        let comment = "an unknown even TLV beside the signed ones is ignored, and not signed";
        let id = format!("signatures/certificate-grease-{even}");
        out.push(Case::valid(&id, &["FRM-008", "CRT-006"], comment, "certificate.verify", input)?);
    }
    for serial in [0, 63, 64, 1 << 32, (1 << 62) - 1] {
        let id = format!("signatures/revoked-serial-{serial}");
        let comment = "the serial is signed in eight bytes";
        out.push(Case::valid(&id, &["CRT-012"], comment, "revoked.verify", revoked_input(serial))?);
    }
    Ok(out)
}

/// An input, the operation on it, what it is called, and the code when its signature does not hold.
struct Signed {
    name: &'static str,
    op: &'static str,
    req: &'static str,
    code: ErrorCode,
    input: Value,
    /// The fields of the input that are signed as they stand, in hex.
    known: &'static [&'static str],
    /// Where a list of signed TLVs is, its head, its types, and that of the signature.
    list: Option<(&'static str, usize, &'static [u64], u64)>,
}

fn all() -> Vec<Signed> {
    let attach = |name, frame: Vec<u8>, types| Signed {
        name,
        op: "attach.verify",
        req: "RLY-010",
        code: ErrorCode::BAD_ATTACH,
        input: attach_input(&frame),
        known: &["nonce"],
        list: Some(("frame", 1, types, 15)),
    };
    vec![
        attach("attach-pairing-phone", pairing_attach(DeviceRole::Phone, "phone"), &[7, 9]),
        attach("attach-pairing-web", pairing_attach(DeviceRole::Web, "web"), &[7, 11]),
        attach("attach-link-phone", link_attach(DeviceRole::Phone), &[7, 9, 11, 13]),
        attach("attach-link-web", link_attach(DeviceRole::Web), &[7, 9, 11, 13]),
        Signed {
            name: "certificate",
            op: "certificate.verify",
            req: "CRT-002",
            code: ErrorCode::BAD_SIGNATURE,
            input: certificate_input(&certificate(1, 14, "Alice").encode(), None),
            known: &["h", "ps", "wd", "we", "web_attach"],
            list: Some(("certificate", 0, &[7, 15, 19, 21, 23, 25, 27], 33)),
        },
        Signed {
            name: "accept",
            op: "accept.verify",
            req: "CRT-004",
            code: ErrorCode::BAD_SIGNATURE,
            input: accept_input(),
            known: &["we", "hash", "h", "signature"],
            list: None,
        },
        Signed {
            name: "revoked",
            op: "revoked.verify",
            req: "CRT-005",
            code: ErrorCode::BAD_SIGNATURE,
            input: revoked_input(1),
            known: &["account", "companion", "mailbox", "signature"],
            list: None,
        },
    ]
}

struct Refusals {
    out: Vec<Case>,
}

impl Refusals {
    fn push(&mut self, of: &Signed, mutator: &str, what: &str, comment: &str, input: Value) -> Result<()> {
        let id = format!("refuse-signatures/{}-{what}", of.name);
        let mut case = Case::invalid(&id, &[of.req], comment, of.op, input, of.code)?;
        case.mutator = Some(mutator.to_owned());
        self.out.push(case);
        Ok(())
    }

    /// Each signed value with one bit changed.
    fn bits(&mut self, of: &Signed) -> Result<()> {
        let comment = "one bit differs from what was signed";
        for field in of.known {
            let bytes = unhex(of.input[*field].as_str().context("hex")?)?;
            for bit in BITS {
                let mut input = of.input.clone();
                input[*field] = hex(flipped(&bytes, bit)).into();
                self.push(of, "flip", &format!("{field}-{}", bit.0), comment, input)?;
            }
        }
        let Some((field, head, types, signature)) = of.list else { return Ok(()) };
        let list = List::of(&unhex(of.input[field].as_str().context("hex")?)?, head);
        for kind in types.iter().chain([&signature]) {
            for bit in BITS {
                let value = list.value(*kind).to_vec();
                // A number of one byte stays one.
                let changed =
                    if value.len() == 1 { vec![value[0] ^ (1 << bit.1)] } else { flipped(&value, bit) };
                let mut input = of.input.clone();
                input[field] = hex(list.clone().with(*kind, &changed).bytes()).into();
                self.push(of, "flip", &format!("tlv-{kind}-{}", bit.0), comment, input)?;
            }
        }
        Ok(())
    }

    /// Another relay's name.
    fn relays(&mut self, of: &Signed) -> Result<()> {
        if of.input.get("relay").is_none() {
            return Ok(());
        }
        let host = RELAY.split(':').next().unwrap_or_default();
        for (what, name) in [
            ("port", format!("{host}:8444")),
            ("no-port", host.to_owned()),
            ("sub-domain", format!("a.{RELAY}")),
            ("address", "127.0.0.1:8443".to_owned()),
        ] {
            let mut input = of.input.clone();
            input["relay"] = name.into();
            self.push(of, "other-relay", &format!("relay-{what}"), "signed for another relay", input)?;
        }
        Ok(())
    }

    /// The signature of each other thing, under the key that is asked for here.
    fn splices(&mut self, of: &Signed, all: &[Signed]) -> Result<()> {
        for other in all.iter().filter(|other| other.name != of.name) {
            let mut input = of.input.clone();
            let signature = other.signature()?;
            match of.list {
                None => input["signature"] = hex(&signature).into(),
                Some((field, head, _, kind)) => {
                    let list = List::of(&unhex(of.input[field].as_str().context("hex")?)?, head);
                    input[field] = hex(list.with(kind, &signature).bytes()).into();
                }
            }
            let what = format!("splice-{}", other.name);
            self.push(of, "splice", &what, "a signature that was made of something else", input)?;
        }
        Ok(())
    }
}

impl Signed {
    fn signature(&self) -> Result<Vec<u8>> {
        match self.list {
            None => unhex(self.input["signature"].as_str().context("hex")?),
            Some((field, head, _, kind)) => {
                Ok(List::of(&unhex(self.input[field].as_str().context("hex")?)?, head).value(kind).to_vec())
            }
        }
    }
}

pub(super) fn invalid() -> Result<Vec<Case>> {
    let all = all();
    let mut refusals = Refusals { out: edge_points(false)? };
    for of in &all {
        refusals.bits(of)?;
        refusals.relays(of)?;
        refusals.splices(of, &all)?;
    }
    // What was written by hand before stays where it is.
    let known: BTreeSet<String> = super::certificates::invalid()?.iter().map(key).collect();
    refusals.out.retain(|case| !known.contains(&key(case)));
    Ok(refusals.out)
}

/// What tells two cases apart.
fn key(case: &Case) -> String {
    format!("{} {}", case.op, Value::Object(case.input.clone()))
}
