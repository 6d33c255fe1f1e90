//! The tables of the Wireshark dissector in `tools`: layouts and names, made of the specification alone.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};

use serde_json::Value;

use crate::case::{Case, VectorFile, Verdict};
use crate::grammar::{Grammar, WIRE, of_case};

const ERRORS: &str = include_str!("../spec/errors.md");
const RELAY: &str = include_str!("../spec/relay.md");
const HANDSHAKE: &str = include_str!("../spec/handshake.md");
const MESSAGES: &str = include_str!("../spec/messages.md");

const HEAD: &str = "\
-- The layouts and names of the protocol, for handfast.lua.
--
-- Made of spec/wire.tls, spec/errors.md, spec/relay.md, spec/handshake.md and spec/messages.md by
-- `cargo run -p handfast-conformance --example dissector > tools/handfast_wire.lua`; a test compares.

return {
";

/// What the dissector reads, from the outside in.
const ROOTS: [&str; 21] = [
    "RelayMessage",
    "KkMessage1",
    "Record",
    "LinkRecord",
    "CommandEnvelope",
    "ResultEnvelope",
    "Command",
    "Result",
    "Row",
    "RowBody",
    "GetMeta",
    "PutMeta",
    "Slot1",
    "Slot3",
    "Slot5",
    "Slot7",
    "Xk1",
    "Xk2",
    "Xk3",
    "Kk1",
    "Kk2",
];

/// Names for numbers: the table's name, the page, and the words in front of the list of names.
const NAMES: [(&str, &str, &str); 7] = [
    ("data_kind", RELAY, "DATA kinds: "),
    ("wake_class", RELAY, "WAKE classes: "),
    ("mailbox_kind", RELAY, "3 kind u8 ("),
    ("role", RELAY, "5 role u8 ("),
    ("mode", HANDSHAKE, "mode u8 ("),
    ("message_state", MESSAGES, "11 state (u8: "),
    ("companion_status", MESSAGES, "11 status (u8: "),
];

/// The fields whose numbers have names.
const FIELDS: [(&str, &str); 15] = [
    ("ATTACH.kind", "mailbox_kind"),
    ("ATTACH.role", "role"),
    ("CLOSE.code", "error"),
    ("COMPANION.status", "companion_status"),
    ("DATA.kind", "data_kind"),
    ("ERROR.code", "error"),
    ("FAILED.class", "wake_class"),
    ("Head.mode", "mode"),
    ("LINK_CLOSE.code", "error"),
    ("MESSAGE.state", "message_state"),
    ("OPEN.kind", "open_kind"),
    ("RESULT_FAILED.code", "error"),
    ("STICKY.role", "role"),
    ("STOP.code", "error"),
    ("Slot1.page", "page"),
];

/// Returns the text of `tools/handfast_wire.lua`.
///
/// # Errors
///
/// A page of the specification does not have a list that is looked for.
pub fn tables() -> Result<String> {
    let grammar = Grammar::parse(WIRE)?;
    let mut out = format!("{HEAD}definitions = {{\n{}}},\n\nnames = {{\n", grammar.lua(&ROOTS));
    for (table, page, before) in NAMES {
        let names = listed(page, before).with_context(|| format!("no list behind `{before}`"))?;
        put_names(&mut out, table, &names);
    }
    let kinds = grammar.numbers("OpenKind").context("no OpenKind")?;
    put_names(&mut out, "open_kind", &kinds);
    put_names(&mut out, "page", &listed(MESSAGES, "is one byte, ").context("no states of a page")?);
    put_names(&mut out, "error", &errors()?);
    out.push_str("},\n\nfields = {\n");
    for (field, table) in FIELDS {
        let _ = writeln!(out, "    [\"{field}\"] = \"{table}\",");
    }
    out.push_str("},\n}\n");
    Ok(out)
}

/// Returns what the dissector's tests try: each vector of bytes with the places of its fields or the error and its place,
/// and each record with its plaintext, a case a line.
///
/// ```text
/// read <id> <definition> <sender, or -> <error@place, or -> <hex> <path@place+length, ..>
/// open <id> <key> <counter> <record> <plaintext, or ->
/// ```
///
/// # Errors
///
/// A vector file is malformed.
pub fn cases() -> Result<String> {
    let (grammar, mut out) = (Grammar::parse(WIRE)?, String::new());
    for file in handfast_vectors::FILES {
        let file: VectorFile = serde_json::from_str(file.text).context(file.name)?;
        for case in &file.cases {
            if let Some((name, from, bytes)) = of_case(case).filter(|_| case.op != "attach.verify") {
                let (spans, refusal) = grammar.annotate(name, from, &bytes)?;
                let spans: Vec<String> = if refusal.is_none() {
                    spans.iter().map(|span| format!("{}@{}+{}", span.path, span.at, span.len)).collect()
                } else {
                    Vec::new()
                };
                let refusal = refusal.map_or_else(|| "-".to_owned(), |r| format!("{}@{}", r.code, r.at));
                let (from, hex, spans) = (from.unwrap_or("-"), crate::fields::hex(&bytes), spans.join(","));
                let _ = writeln!(out, "read {} {name} {from} {refusal} {hex} {spans}", case.id);
            } else if let Some(line) = open_line(case) {
                out.push_str(&line);
            }
        }
    }
    Ok(out)
}

/// A record that opens, or does not for its tag.
fn open_line(case: &Case) -> Option<String> {
    let text = |name: &str| case.input.get(name).and_then(Value::as_str);
    // The dissector counts in doubles.
    let n = case.input.get("n").and_then(Value::as_u64).filter(|n| *n < 1 << 53);
    let is_wanted = case.result == Verdict::Valid
        || case.error.as_ref().is_some_and(|error| error.code.as_str() == "DECRYPT_FAILED");
    let (key, n, record) = (text("k")?, n?, text("record")?);
    let plaintext = case.out.get("plaintext").and_then(Value::as_str).unwrap_or("-");
    (case.op == "record.open" && is_wanted)
        .then(|| format!("open {} {key} {n} {record} {plaintext}\n", case.id))
}

fn put_names(out: &mut String, table: &str, names: &[(u64, String)]) {
    let _ = writeln!(out, "    {table} = {{");
    for (number, name) in names {
        let _ = writeln!(out, "        [{number}] = \"{name}\",");
    }
    out.push_str("    },\n");
}

/// Reads `1 pairing, 2 link` up to the end of the sentence or of the brackets in which it stands. What stands in brackets
/// behind a name is left out, and so is an `or`.
fn listed(page: &str, before: &str) -> Option<Vec<(u64, String)>> {
    let (_, behind) = page.split_once(before)?;
    let (mut list, mut depth) = (String::new(), 0_u32);
    for sign in behind.chars() {
        match sign {
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            ')' | '.' | '\n' if depth == 0 => break,
            _ if depth == 0 => list.push(sign),
            _ => {}
        }
    }
    let names: Vec<_> = list
        .split(',')
        .flat_map(|part| part.split(" or "))
        .filter_map(|part| {
            let (number, name) = part.trim().split_once(' ')?;
            Some((number.parse().ok()?, name.trim().to_owned()))
        })
        .collect();
    (!names.is_empty()).then_some(names)
}

/// The rows of the registry of errors.
fn errors() -> Result<Vec<(u64, String)>> {
    let mut out = Vec::new();
    for line in ERRORS.lines().filter(|line| line.starts_with("| 0x")) {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let (code, name) = (cells.next().context("a code")?, cells.next().context("a name")?);
        let code = u64::from_str_radix(code.trim_start_matches("0x"), 16).context("a code is no number")?;
        out.push((code, name.to_owned()));
    }
    ensure!(out.len() > 50, "errors.md has only {} codes", out.len());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names_are_read() {
        let names = |numbers: &[(u64, &str)]| -> Vec<(u64, String)> {
            numbers.iter().map(|(number, name)| (*number, (*name).to_owned())).collect()
        };
        let found = listed("Kinds: 1 pairing message, 9 UNKNOWN_KEY (no bytes). And 3 more", "Kinds: ");
        assert_eq!(found, Some(names(&[(1, "pairing message"), (9, "UNKNOWN_KEY")])));
        assert_eq!(listed("role u8 (1 phone, 2 web), 7", "u8 ("), Some(names(&[(1, "phone"), (2, "web")])));
        assert_eq!(listed("is 0 visible or 1 hidden.", "is "), Some(names(&[(0, "visible"), (1, "hidden")])));
        assert_eq!(listed("nothing", "Kinds: "), None);
    }

    #[test]
    fn every_error_of_the_text_has_its_name() {
        let errors = errors().expect("the registry");
        for (code, name) in errors {
            let known = handfast_codec::ErrorCode::from_u16(u16::try_from(code).expect("a code"));
            assert_eq!(known.name(), name);
        }
    }
}
