//! QR text.

use anyhow::Result;
use handfast_codec::error::ErrorCode;
use handfast_codec::qr::PREFIX;
use handfast_handshake::secret::DhSecret;
use serde_json::json;

use crate::case::Case;
use crate::seed;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// BASE32 by RFC 4648, without padding: written here a second time, since most payloads below are malformed.
fn text(payload: &[u8]) -> String {
    let bits: Vec<u8> = payload.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let letters = bits.chunks(5).map(|chunk| {
        let five = chunk.iter().fold(0, |value, bit| value << 1 | bit) << (5 - chunk.len());
        char::from(ALPHABET[usize::from(five)])
    });
    PREFIX.chars().chain(letters).collect()
}

fn wq(id: &str) -> [u8; 32] {
    *DhSecret::from_bytes(seed::key(id, "web", "wq")).public().as_bytes()
}

/// A payload of this relay part.
fn payload(id: &str, relay: &[u8]) -> Vec<u8> {
    [&[2, 0][..], &wq(id), &seed::key(id, "web", "secret"), relay].concat()
}

fn host(name: &str) -> Vec<u8> {
    let len = u8::try_from(name.len()).expect("a short name");
    [&[0, len][..], name.as_bytes()].concat()
}

pub(super) fn valid() -> Result<Vec<Case>> {
    let forty = "a-host-whose-name-takes-forty-bytes.test";
    assert_eq!(forty.len(), 40);
    let mut cases = Vec::new();
    for (name, relay, comment) in [
        ("host-1", host("a"), "the shortest host"),
        ("host-dns", host("relay.example"), "a DNS name"),
        ("host-port", host("relay.example:8443"), "a DNS name with a port"),
        ("host-port-max", host("relay.example:65535"), "the highest port"),
        ("host-localhost", host("localhost:8787"), "this machine"),
        ("host-ipv4", host("127.0.0.1:8787"), "an IPv4 address"),
        ("host-ipv6", host("[2001:db8::1]:8787"), "an IPv6 address stands in brackets"),
        ("host-digit-label", host("3com.example"), "a label may begin with a digit"),
        ("host-40", host(forty), "the longest host, in the longest payload: 108 bytes"),
        ("registered-1", vec![1], "a registered relay"),
        ("registered-239", vec![239], "the highest registered number"),
        ("private-240", vec![240], "the lowest private number"),
        ("private-255", vec![255], "the highest private number"),
    ] {
        let id = format!("qr/{name}");
        let text = text(&payload(&id, &relay));
        cases.push(Case::valid(&id, &["QRP-010"], comment, "qr.decode", json!({ "text": text }))?);
    }
    let id = "qr/grease";
    let greased = [&host("relay.example")[..], &[58, 2, 0xab, 0xcd]].concat();
    let comment = "an unknown even TLV behind the relay is ignored, and is part of the offer";
    let input = json!({ "text": text(&payload(id, &greased)) });
    cases.push(Case::valid(id, &["FRM-008", "EXT-002"], comment, "qr.decode", input)?);
    let id = "qr/wq-largest";
    let mut largest = payload(id, &host("relay.example"));
    largest[2..34].copy_from_slice(&[0xff; 32]);
    (largest[2], largest[33]) = (0xec, 0x7f);
    let comment = "the largest canonical key, 2^255-20";
    cases.push(Case::valid(id, &["QRP-008"], comment, "qr.decode", json!({ "text": text(&largest) }))?);
    Ok(cases)
}

/// Name, requirement, code, comment, text.
type Refusal = (String, &'static str, ErrorCode, &'static str, String);

fn damaged_texts() -> Vec<Refusal> {
    let id = "refuse-qr/text";
    let good = text(&payload(id, &host("relay.example")));
    let code = good.strip_prefix(PREFIX).expect("it has the prefix").to_owned();
    let mut out = Vec::new();
    for (name, comment, text) in [
        ("empty", "no text", String::new()),
        ("no-prefix", "the prefix is missing", code.clone()),
        ("prefix-lower-case", "the prefix is in lower case", format!("hf1*{code}")),
        ("prefix-version", "the prefix of another version", format!("HF2*{code}")),
        ("prefix-cut", "half a prefix", "HF1".to_owned()),
        ("space-before", "a space in front", format!(" {good}")),
        ("https", "someone else's code", "https://relay.example/".to_owned()),
    ] {
        out.push((name.to_owned(), "QRP-001", ErrorCode::QR_NOT_HANDFAST, comment, text));
    }
    for (name, wrong) in
        [("0", "0"), ("1", "1"), ("8", "8"), ("9", "9"), ("a", "a"), ("equals", "="), ("space", " ")]
    {
        let text = format!("{}{wrong}{}", &good[..20], &good[21..]);
        let comment = "a character outside the alphabet";
        out.push((format!("alphabet-{name}"), "QRP-002", ErrorCode::QR_ALPHABET, comment, text));
    }
    out.push((
        "padding".to_owned(),
        "QRP-002",
        ErrorCode::QR_ALPHABET,
        "padding, which RFC 4648 would allow",
        format!("{good}==="),
    ));
    for remainder in [1, 3, 6] {
        let mut cut = code.clone();
        cut.truncate(cut.len() / 8 * 8 - 8 + remainder);
        let comment = "no payload has a text of this length";
        out.push((
            format!("length-{remainder}"),
            "QRP-002",
            ErrorCode::QR_ALPHABET,
            comment,
            format!("{PREFIX}{cut}"),
        ));
    }
    for (relay, spare) in [("a", "spare-a"), ("ab", "spare-ab"), ("abc", "spare-abc"), ("abcd", "spare-abcd")]
    {
        let mut text = text(&payload(id, &host(relay)));
        let last = text.pop().expect("a last letter");
        let at = ALPHABET.iter().position(|letter| char::from(*letter) == last).expect("a letter");
        let bits = (payload(id, &host(relay)).len() * 8) % 5;
        if bits != 0 {
            text.push(char::from(ALPHABET[at | 1]));
            let comment = "a spare bit is set";
            out.push((spare.to_owned(), "QRP-002", ErrorCode::QR_ALPHABET, comment, text));
        }
    }
    out
}

fn malformed_payloads() -> Vec<Refusal> {
    let id = "refuse-qr/payload";
    let good = payload(id, &host("relay.example"));
    let mut out = Vec::new();
    let mut push = |name: &str, req, code, comment, payload: &[u8]| {
        out.push((name.to_owned(), req, code, comment, text(payload)));
    };
    push("empty-payload", "FRM-002", ErrorCode::TRUNCATED, "nothing behind the prefix", &[]);
    for len in [1, 33, 34, 65, 66, 67, 80] {
        push(&format!("cut-{len}"), "FRM-002", ErrorCode::TRUNCATED, "the payload ends early", &good[..len]);
    }
    let mut changed = |name: &str, head: [u8; 2], comment| {
        let mut payload = good.clone();
        payload[..2].copy_from_slice(&head);
        let (req, code) = match head[0] {
            1 => ("QRP-013", ErrorCode::QR_OUTDATED),
            _ => ("QRP-014", ErrorCode::QR_UNSUPPORTED),
        };
        push(name, req, code, comment, &payload);
    };
    changed("type-0", [0, 0], "type 0");
    changed("type-1", [1, 0], "the older type, whose secret commits to nothing");
    changed("type-1-flags-1", [1, 1], "the older type with a flag");
    changed("type-3", [3, 0], "the next type");
    changed("flags-1", [2, 1], "a flag");
    changed("flags-128", [2, 0x80], "the top flag");
    let mut key = |name: &str, low: u8, high: u8, middle: u8, comment| {
        let mut payload = good.clone();
        payload[2..34].fill(middle);
        (payload[2], payload[33]) = (low, high);
        push(name, "QRP-008", ErrorCode::FIELD_VALUE, comment, &payload);
    };
    key("wq-top-bit", 9, 0x80, 0, "the base point with the top bit set");
    key("wq-prime", 0xed, 0x7f, 0xff, "2^255-19");
    key("wq-prime-plus", 0xee, 0x7f, 0xff, "2^255-18, which is 1 once more");
    key("wq-ones", 0xff, 0xff, 0xff, "all bits set");
    let long = [good.clone(), vec![58, 25], vec![0; 25]].concat();
    assert_eq!(long.len(), 108);
    let longer = [good.clone(), vec![58, 26], vec![0; 26]].concat();
    push("length-109", "QRP-003", ErrorCode::FIELD_LENGTH, "109 bytes", &longer);
    let lists: [(&str, &str, ErrorCode, &str, &[u8]); 7] = [
        ("tlv-odd", "FRM-007", ErrorCode::UNKNOWN_CRITICAL, "an unknown odd TLV", &[1, 0]),
        ("tlv-zero", "FRM-012", ErrorCode::FIELD_VALUE, "type 0 in a list that is not padded", &[0]),
        ("tlv-twice", "FRM-005", ErrorCode::DUPLICATE_FIELD, "a TLV twice", &[58, 0, 58, 0]),
        ("tlv-order", "FRM-006", ErrorCode::FIELD_ORDER, "TLVs in descending order", &[58, 0, 2, 0]),
        ("tlv-cut", "FRM-002", ErrorCode::TRUNCATED, "a TLV without a length", &[58]),
        ("tlv-short", "FRM-002", ErrorCode::TRUNCATED, "a TLV that ends before its length", &[58, 2, 0]),
        (
            "tlv-varint",
            "FRM-001",
            ErrorCode::VARINT_NOT_MINIMAL,
            "a type in two bytes that fits one",
            &[0x40, 58, 0],
        ),
    ];
    for (name, req, code, comment, list) in lists {
        push(name, req, code, comment, &[&good[..], list].concat());
    }
    out
}

fn relay_names() -> Vec<Refusal> {
    let id = "refuse-qr/name";
    [
        ("empty", "", "no host"),
        ("upper-case", "Relay.example", "a capital letter"),
        ("dot-dot", "relay..example", "an empty label"),
        ("dot-last", "relay.example.", "a dot at the end"),
        ("dash-first", "-relay.example", "a label that begins with a dash"),
        ("dash-last", "relay-.example", "a label that ends with a dash"),
        ("underscore", "my_relay.example", "an underscore"),
        ("space", "relay example", "a space"),
        ("path", "relay.example/v1", "a path"),
        ("user", "user@relay.example", "a user"),
        ("port-none", "relay.example:", "a colon without a port"),
        ("port-0", "relay.example:0", "port 0"),
        ("port-65536", "relay.example:65536", "a port over 65535"),
        ("port-zeros", "relay.example:0443", "a port with a leading zero"),
        ("port-sign", "relay.example:+443", "a port with a sign"),
        ("port-only", ":443", "a port without a host"),
        ("two-ports", "relay.example:1:2", "two ports"),
        ("ipv6-bare", "2001:db8::1", "an IPv6 address without brackets"),
        ("ipv6-open", "[2001:db8::1", "a bracket that is not closed"),
        ("ipv6-empty", "[]", "empty brackets"),
        ("ipv6-letters", "[relay.example]", "a name in brackets"),
        ("ipv6-upper-case", "[2001:DB8::1]", "capital letters in an address"),
        ("ipv4-short", "1.2.3", "a last label that is a number, in a name that is no IPv4 address"),
        ("ipv4-hex", "relay.0x7f", "a last label that URL parsers take for a number"),
        ("not-utf8", "relay.ex\u{e4}mple", "a letter outside ASCII"),
    ]
    .map(|(name, relay, comment)| {
        let text = text(&payload(id, &host(relay)));
        (format!("name-{name}"), "QRP-005", ErrorCode::RELAY_NAME, comment, text)
    })
    .to_vec()
}

pub(super) fn invalid() -> Result<Vec<Case>> {
    let all = [damaged_texts(), malformed_payloads(), relay_names()].concat();
    all.into_iter()
        .map(|(name, req, code, comment, text)| {
            let id = format!("refuse-qr/{name}");
            Case::invalid(&id, &[req], comment, "qr.decode", json!({ "text": text }), code)
        })
        .collect()
}
