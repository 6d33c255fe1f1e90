//! Every layout and field table of the text stands in `spec/wire.tls`, and what is signed, hashed or sent in clear reads
//! as it says there.

use std::fs;
use std::path::{Path, PathBuf};

use handfast_codec::ids::{
    AttachKey, AttachmentId, CompanionId, DhPublic, MailboxId, PskId, Salt, SigningPublic,
};
use handfast_codec::payload::{KkHead, KkMode};
use handfast_codec::relay::MailboxKind;
use handfast_codec::signed::{self, CertificateFields};
use handfast_codec::{DeviceRole, RelayName};
use handfast_conformance::grammar::{Grammar, WIRE};

fn spec() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec")
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn page(name: &str) -> String {
    fs::read_to_string(spec().join(name)).expect("a page of the specification")
}

fn grammar() -> Grammar {
    Grammar::parse(WIRE).expect("the grammar is well formed")
}

/// Pages that define no layout.
const OTHER_PAGES: [&str; 9] = [
    "README.md",
    "changes.md",
    "errors.md",
    "example.md",
    "glossary.md",
    "overview.md",
    "rationale.md",
    "security.md",
    "state.md",
];

/// Every layout that stands in the text between bars, by the words it begins with, and its definition.
const LAYOUTS: [(&str, &str); 23] = [
    ("type u8 (", "QrPayload"),
    ("len u8 | name", "QrNamed"),
    ("type u8 | body", "RelayFrame"),
    ("\"attach\" || len u8 ||", "AttachSigned"),
    ("mailbox = SHA-256(\"mailbox\" || phone attach key", "MailboxHashed"),
    ("type varint | length varint | body", "Frame"),
    ("len varint | item", "Item"),
    ("len varint \\| item", "Item"),
    ("author len varint \\| author \\| reaction", "Reaction"),
    ("\"accept\" || SHA-256(signed TLV list", "AcceptSigned"),
    ("\"revoked\" || companion id", "RevokedSigned"),
    ("prologue = \"pairing\" || len u8 || offer", "PairingPrologue"),
    ("\"link\" || mailbox ||", "LinkPrologue"),
    ("head | Noise message 1", "KkMessage1"),
    ("head = suite u8", "Head"),
    ("out epoch 16 | in epoch 16", "ResumeBlock"),
    ("id (len u8, 1 to 32) | rev varint | body", "Row"),
    ("chat u64 | message u64", "ChangeId"),
    ("size u64 | chunk hashes 32 each | content", "MediaList"),
    ("kind varint | TLV list", "Command"),
    ("number varint | floor varint | key", "CommandEnvelope"),
    ("key 16 | status", "ResultEnvelope"),
    ("highest varint | key 16", "CommandsKnown"),
];

/// What stands between bars and is no layout of its own: the signs themselves, a TLV, names, derivations and digests.
fn is_no_layout(text: &str) -> bool {
    let derives = [
        "Extract(",
        "Expand(",
        "HKDF(",
        "SHA-256(id ",
        "root = SHA-256(",
        "secret = SHA-256(",
        "SHA-256(\"code\"",
        "SHA-256(\"old command\"",
    ];
    let others = [
        "a | b",
        "a || b",
        "|",
        "||",
        "len u8 | x",
        "type varint | length varint | value",
        "02 | chat id varint",
    ];
    others.contains(&text) || derives.iter().any(|word| text.contains(word))
}

/// Each text of a page between backticks, and each line of its blocks of code.
fn code(page: &str) -> Vec<String> {
    let (mut out, mut in_block) = (Vec::new(), false);
    for line in page.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            out.push(line.trim().to_owned());
        } else {
            out.extend(line.split('`').skip(1).step_by(2).map(|text| text.trim().to_owned()));
        }
    }
    out
}

#[test]
fn every_layout_of_the_text_stands_in_the_grammar() {
    let grammar = grammar();
    let names: Vec<&str> = grammar.names().collect();
    let (mut found, mut unknown) = (0, Vec::new());
    for entry in fs::read_dir(spec()).expect("the specification") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_none_or(|ending| ending != "md")
            || OTHER_PAGES.contains(&name.as_str())
        {
            continue;
        }
        for text in code(&page(&name)).into_iter().filter(|text| text.contains('|') && !is_no_layout(text)) {
            // The longer beginning first: a result begins as a command does.
            let layout =
                LAYOUTS.iter().filter(|(begins, _)| text.starts_with(begins)).max_by_key(|(b, _)| b.len());
            match layout {
                Some((_, definition)) if names.contains(definition) => found += 1,
                Some((_, definition)) => {
                    unknown.push(format!("{name}: no {definition} in wire.tls for `{text}`"));
                }
                None => unknown.push(format!("{name}: `{text}` has no definition in wire.tls")),
            }
        }
    }
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
    assert!(found >= 18, "{found}");
}

/// Rows of the page's tables: the number in the first column, the cell behind it, the rest.
fn rows(page: &str) -> Vec<(u64, String, String)> {
    let mut out = Vec::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("| ")) {
        let mut cells = line.splitn(3, " | ");
        let (Some(number), Some(name)) = (cells.next(), cells.next()) else { continue };
        if let Ok(number) = number.parse() {
            out.push((number, name.to_owned(), cells.next().unwrap_or_default().to_owned()));
        }
    }
    out
}

/// The part of a page between two headings.
fn section(page: &str, from: &str) -> String {
    let (_, rest) = page.split_once(&format!("\n## {from}\n")).unwrap_or_else(|| panic!("no section {from}"));
    rest.split("\n## ").next().unwrap_or_default().to_owned()
}

#[test]
fn every_row_of_the_tables_of_frames_is_a_case() {
    let grammar = grammar();
    let relay = section(&page("relay.md"), "Frames");
    for (page, select, reserved) in [(page("frames.md"), "Frame", &[][..]), (relay, "RelayFrame", &["MOVED"])]
    {
        let told: Vec<(u64, String)> = rows(&page)
            .into_iter()
            .map(|(number, name, _)| (number, name))
            .filter(|(_, name)| !reserved.contains(&name.as_str()))
            .collect();
        assert_eq!(grammar.numbers(select).expect("a select"), told, "{select}");
    }
}

/// The numbers of the TLVs that a cell names: `.. TLVs are 1 chat, 3 text (1 to 8,192 bytes), 5 ..`.
fn tlvs(cell: &str) -> Vec<u64> {
    let mut depth = 0_u32;
    let plain: String = cell
        .chars()
        .filter(|c| {
            depth = match c {
                '(' => depth + 1,
                ')' => depth.saturating_sub(1),
                _ => depth,
            };
            depth == 0
        })
        .collect();
    let listed =
        plain.split_once(" are ").or_else(|| plain.split_once(" MUST be ")).map_or("", |(_, list)| list);
    let mut out: Vec<u64> = Vec::new();
    for part in listed.split(", ") {
        let number = part.split_whitespace().next().and_then(|word| word.parse().ok());
        // Types ascend; another number is a bound of the field before.
        if let Some(number) = number.filter(|n| n % 2 == 1 && out.last().is_none_or(|last| n > last)) {
            out.push(number);
        }
    }
    out
}

#[test]
fn every_row_of_the_tables_of_messages_has_its_fields() {
    let (grammar, page) = (grammar(), page("messages.md"));
    for (heading, select) in
        [("Commands (web to phone)", "Command"), ("Results (phone to web)", "Result"), ("Items", "RowBody")]
    {
        let rows = rows(&section(&page, heading));
        let told: Vec<(u64, String)> = rows.iter().map(|(number, name, _)| (*number, name.clone())).collect();
        assert_eq!(grammar.numbers(select).expect("a select"), told, "{select}");
        for (_, name, fields) in rows {
            let definition = match name.as_str() {
                "ACCEPTED" => "RESULT_ACCEPTED",
                "FAILED" => "RESULT_FAILED",
                name => name,
            };
            let defined = grammar.numbers(definition).unwrap_or_else(|| panic!("no {definition}"));
            let defined: Vec<u64> = defined.into_iter().map(|(number, _)| number).collect();
            assert_eq!(tlvs(&fields), defined, "{name}: {fields}");
        }
    }
}

#[test]
fn every_field_of_a_handshake_payload_stands_where_its_row_says() {
    let (grammar, page) = (grammar(), page("handshake.md"));
    let fields = rows(&section(&page, "Handshake payloads"));
    assert!(fields.len() >= 14, "{}", fields.len());
    for (message, list) in
        [("XK 1", "Xk1List"), ("XK 2", "Xk2List"), ("KK 1", "Kk1List"), ("KK 2", "Kk2List")]
    {
        let mut told = Vec::new();
        let mut same = String::new();
        for (number, _, rest) in &fields {
            let place = rest.rsplit(" | ").next().unwrap_or_default().trim_end_matches(" |").to_owned();
            let place = if place == "the same" { same.clone() } else { place };
            same.clone_from(&place);
            if place.contains(message) {
                told.push(*number);
            }
        }
        let defined: Vec<u64> =
            grammar.numbers(list).expect("a list").into_iter().map(|(number, _)| number).collect();
        assert_eq!(defined, told, "{message}");
    }
}

#[test]
fn every_field_of_a_certificate_stands_in_its_list() {
    let (grammar, page) = (grammar(), page("certificates.md"));
    let told: Vec<u64> = rows(&page).into_iter().map(|(number, ..)| number).collect();
    let numbers = |name: &str| grammar.numbers(name).expect("a list").into_iter().map(|(number, _)| number);
    assert!(numbers("CertificateSigned").eq(told), "the signed list");
    let line = page.lines().find(|line| line.contains("[CRT-007]")).expect("the body of LINK_CERT");
    let cert: Vec<String> = numbers("LINK_CERT").map(|number| number.to_string()).collect();
    let words: Vec<&str> =
        line.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty()).collect();
    assert!(cert.iter().all(|number| words.contains(&number.as_str())), "{cert:?} in {line}");
}

#[test]
fn what_is_signed_hashed_or_clear_reads_as_the_grammar_says() {
    // req: RLY-120, RLY-121
    let grammar = grammar();
    let relay = RelayName::parse("relay.example:8443").expect("a name");
    let (phone_key, web_key) = (AttachKey::from_bytes([1; 32]), AttachKey::from_bytes([2; 32]));
    let (mailbox, salt) = (MailboxId::from_bytes([3; 16]), Salt::from_bytes([4; 16]));
    let (phone, web) = (AttachmentId::from_bytes([5; 8]), AttachmentId::from_bytes([6; 8]));
    let (companion, signer) = (CompanionId::from_bytes([7; 16]), SigningPublic::from_bytes([8; 32]));
    let dh = DhPublic::from_bytes([9; 32]);
    let head = KkHead { mode: KkMode::Recover, psk_id: PskId::from_bytes([10; 8]) };
    let certificate = signed::certificate_tbs(&CertificateFields {
        h: &[11; 32],
        account: &signer,
        phone_key: &dh,
        web_key: &dh,
        web_signing: &signer,
        phone_attach: &phone_key,
        web_attach: &web_key,
        salt: &salt,
        companion: &companion,
        serial: 300,
        grants: 7,
        idle_days: 14,
        relay: &relay,
    });
    let attach = signed::attach_tbs(&relay, MailboxKind::Link, DeviceRole::Web, &mailbox, &[12; 32]);
    let code = |relay: &[u8]| [&[2, 0][..], &[1; 32], &[2; 32], relay].concat();
    for (name, bytes, label) in [
        ("QrPayload", code(&[0, 5, b'a', b'.', b'b', b':', b'1']), ""),
        ("QrPayload", code(&[240]), ""),
        ("AttachSigned", attach, "attach"),
        ("MailboxHashed", signed::mailbox_preimage(&phone_key, &web_key, &salt), "mailbox"),
        ("CertificateSigned", certificate, "certificate"),
        ("AcceptSigned", signed::accept_tbs(&[13; 32], &[14; 32]), "accept"),
        ("RevokedSigned", signed::revoked_tbs(&companion, 300, &mailbox), "revoked"),
        ("PairingPrologue", signed::pairing_prologue(&[15; 54], &relay, &mailbox, &phone, &web), "pairing"),
        ("LinkPrologue", signed::link_prologue(&mailbox, &web, &phone, &relay, &head), "link"),
        ("KkMessage1", [&head.encode()[..], &[16; 48]].concat(), ""),
        ("GetMeta", [&[1, 32][..], &[17; 32]].concat(), ""),
        (
            "PutMeta",
            [&[1, 32][..], &[17; 32], &[3, 8, 0, 0, 0, 0, 0, 1, 0, 0, 5, 8, 0, 0, 0, 0, 0, 2, 0, 0]].concat(),
            "",
        ),
        ("MediaList", [&[0, 0, 0, 0, 0, 1, 0, 1][..], &[18; 64]].concat(), ""),
    ] {
        let reading = grammar.read(name, None, &bytes).expect("a name of the grammar");
        let reading = reading.unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        let text = reading.value.get("label").or_else(|| reading.value.get("context"));
        if !label.is_empty() {
            let text = text.and_then(|text| text.as_str()).expect("a label").to_owned();
            let wanted = format!("handfast/1 {label}");
            assert!(text == wanted || text == hex(&wanted), "{name}: {text}");
        }
        assert!(
            grammar.read(name, None, &[&bytes[..], &vec![0; 40_000]].concat()).expect("a name").is_err()
                || name == "MediaList"
        );
    }
}
