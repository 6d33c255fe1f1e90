//! The bytes of a case with their names by the grammar.

use anyhow::Result;
use serde_json::Value;

use crate::case::Case;
use crate::fields::{hex, unhex};
use crate::grammar::{self, Grammar, Refusal, Span};

/// How many bytes of one field are shown.
const SHOWN_MAX: usize = 24;
/// What the text of a QR code begins with; its payload follows in base 32 (QRP-001).
const QR_PREFIX: &str = "HF1*";

/// The bytes of a case, row by row.
pub(super) struct Layout {
    /// The field of the input in which they stand.
    pub(super) field: &'static str,
    /// The definition of `spec/wire.tls` by which they are read.
    pub(super) name: &'static str,
    pub(super) rows: Vec<Row>,
    /// Where the grammar refuses them, if it does.
    pub(super) refusal: Option<Refusal>,
}

/// Some bytes of the input, and what they are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The first byte.
    pub(super) at: usize,
    /// In hex; a long field is cut.
    pub(super) bytes: String,
    pub(super) name: String,
    /// How deep the field stands in others, up to 3; none if the bytes are no field.
    pub(super) depth: Option<usize>,
}

/// Reads the bytes of a case by the grammar; none if they have no layout of their own.
///
/// # Errors
///
/// None that can happen: the grammar has the names.
pub(super) fn layout(grammar: &Grammar, case: &Case) -> Result<Option<Layout>> {
    let Some((name, field)) = of_input(case) else { return Ok(None) };
    let text = |name: &str| case.input.get(name).and_then(Value::as_str);
    let given = text(field).unwrap_or_default();
    let bytes = if case.op == "qr.decode" { qr_payload(given) } else { unhex(given).ok() };
    let Some(bytes) = bytes else { return Ok(None) };
    let (spans, refusal) = grammar.annotate(name, text("from"), &bytes)?;
    let rows = rows(&spans, &bytes, refusal.is_some());
    Ok(Some(Layout { field, name, rows, refusal }))
}

/// The definition for the bytes of a case, and the field in which they stand.
fn of_input(case: &Case) -> Option<(&'static str, &'static str)> {
    // What these take is read by more than the grammar, so that they stand here alone.
    Some(match case.op.as_str() {
        "qr.decode" => ("QrPayload", "text"),
        "certificate.verify" => ("LINK_CERT", "certificate"),
        "kk.head" => ("KkMessage1", "message"),
        "media.receive" => ("MediaList", "list"),
        "reply.read" => ("Kk2", "payload"),
        op => return grammar::of_input(op, &case.input),
    })
}

/// The whole bytes of a code's text; none if it is no such text.
fn qr_payload(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for letter in text.strip_prefix(QR_PREFIX)?.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'2'..=b'7' => letter - b'2' + 26,
            _ => return None,
        };
        (bits, count) = (bits << 5 | u32::from(value), count + 5);
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

/// Fields in the order of their bytes, an outer one before those in it, and what lies between them.
fn rows(spans: &[Span], bytes: &[u8], is_refused: bool) -> Vec<Row> {
    let mut spans: Vec<&Span> = spans.iter().collect();
    spans.sort_by_key(|span| (span.at, std::cmp::Reverse(span.len), span.path.matches('.').count()));
    let (mut rows, mut end) = (Vec::new(), 0);
    let row = |at: usize, len: usize, name: &str, depth| {
        let part = bytes.get(at..at + len).unwrap_or_default();
        let more = if len > SHOWN_MAX { format!("... ({len})") } else { String::new() };
        let shown = hex(part.get(..len.min(SHOWN_MAX)).unwrap_or_default());
        Row { at, bytes: shown + &more, name: name.to_owned(), depth }
    };
    for (index, span) in spans.iter().enumerate() {
        let is_outer = spans.get(index + 1).is_some_and(|next| next.at + next.len <= span.at + span.len);
        let is_outer = is_outer && spans.get(index + 1).is_some_and(|next| next.path.starts_with(&span.path));
        if span.at > end {
            rows.push(row(end, span.at - end, "number or length", None));
        }
        let name = span.path.rsplit('.').next().unwrap_or_default();
        // An outer field's own bytes are those before its first inner one, which are told as a gap.
        let len = if is_outer { 0 } else { span.len };
        rows.push(row(span.at, len, name, Some(span.path.matches('.').count().min(3))));
        end = end.max(span.at + len);
    }
    if end < bytes.len() {
        let name = if is_refused { "not read" } else { "padding" };
        rows.push(row(end, bytes.len() - end, name, None));
    }
    rows
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_byte_stands_in_one_row() {
        let span = |path: &str, at, len| Span { path: path.to_owned(), at, len };
        let spans = [span("PING.id", 2, 1), span("PING", 0, 4), span("PING.rev", 3, 1)];
        let bytes = [&[1, 2, 3, 4][..], &[0; 124]].concat();
        let told = |is_refused| -> Vec<_> {
            let rows = rows(&spans, &bytes, is_refused).into_iter();
            rows.map(|row| (row.at, row.bytes, row.name, row.depth)).collect()
        };
        let row = |at, bytes: &str, name: &str, depth| (at, bytes.to_owned(), name.to_owned(), depth);
        let read = [
            row(0, "", "PING", Some(0)),
            row(0, "0102", "number or length", None),
            row(2, "03", "id", Some(1)),
            row(3, "04", "rev", Some(1)),
        ];
        let rest = "00".repeat(SHOWN_MAX) + "... (124)";
        assert_eq!(told(false), [&read[..], &[row(4, &rest, "padding", None)]].concat());
        assert_eq!(told(true), [&read[..], &[row(4, &rest, "not read", None)]].concat());
    }

    fn of(op: &str, input: &Value) -> Option<Layout> {
        let case = json!({"id": "a", "reqs": [], "comment": "", "op": op, "in": input, "result": "valid"});
        let case = serde_json::from_value(case).expect("a case");
        layout(&Grammar::parse(grammar::WIRE).expect("a grammar"), &case).expect("the names are there")
    }

    /// The operation with which everybody begins has its bytes in base 32.
    #[test]
    fn the_payload_of_a_code_is_read_and_a_text_that_is_none_is_not() {
        assert_eq!(qr_payload("HF1*MZXW6YTBOI").as_deref(), Some(&b"foobar"[..]));
        assert_eq!(qr_payload("hf1*MZXW6YTBOI"), None);
        assert_eq!(qr_payload("HF1*mzxw"), None);
        let cases = handfast_vectors::FILES.iter().find(|file| file.name == "qr.json").expect("the file");
        let file: Value = serde_json::from_str(cases.text).expect("JSON");
        let layout = of("qr.decode", &file["cases"][0]["in"]).expect("a layout");
        let names: Vec<&str> = layout.rows.iter().map(|row| row.name.as_str()).collect();
        assert!(names.starts_with(&["type", "flags", "wq", "secret", "relay"]), "{names:?}");
        assert_eq!(layout.refusal, None);
    }

    #[test]
    fn what_has_no_layout_has_none() {
        assert!(of("ratchet.web", &json!({"last_try": "1"})).is_none());
        assert!(of("relay.decode", &json!({"frame": 7})).is_some_and(|layout| layout.rows.is_empty()));
    }
}
