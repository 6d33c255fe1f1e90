//! The bytes of a case with the names that the grammar gives them, as rows of a table.

use std::fmt::Write as _;

use anyhow::Result;

use super::escape::escape;
use crate::case::Case;
use crate::fields::hex;
use crate::grammar::{self, Grammar, Span};

/// How many bytes of one field are shown.
const SHOWN_MAX: usize = 32;

/// A table of the case's bytes; empty if they have no layout of their own.
pub(super) fn table(grammar: &Grammar, case: &Case) -> Result<String> {
    let Some((name, from, bytes)) = grammar::of_case(case) else { return Ok(String::new()) };
    let (spans, refusal) = grammar.annotate(name, from, &bytes)?;
    let mut out = format!("<h4>Bytes, as {name} of spec/wire.tls</h4><table class=\"bytes\">");
    out.push_str("<tr><th>at</th><th>bytes</th><th>what</th></tr>");
    for Row { at, len, name, class } in rows(&spans, bytes.len(), refusal.is_some()) {
        let part = bytes.get(at..at + len).unwrap_or_default();
        let shown = hex(part.get(..len.min(SHOWN_MAX)).unwrap_or_default());
        let more = if len > SHOWN_MAX { format!("... ({len})") } else { String::new() };
        let _ = write!(
            out,
            "<tr><td>{at}</td><td><code>{shown}{more}</code></td><td class=\"{class}\">{}</td></tr>",
            escape(&name)
        );
    }
    if let Some(refusal) = refusal {
        let _ = write!(
            out,
            "<tr class=\"FAIL\"><td>{}</td><td></td><td>here the grammar refuses it: {}</td></tr>",
            refusal.at,
            escape(&refusal.code)
        );
    }
    Ok(out + "</table>")
}

struct Row {
    at: usize,
    len: usize,
    name: String,
    class: &'static str,
}

/// Fields in the order of their bytes, an outer one before those in it, and what lies between them.
fn rows(spans: &[Span], len: usize, is_refused: bool) -> Vec<Row> {
    let mut spans: Vec<&Span> = spans.iter().collect();
    spans.sort_by_key(|span| (span.at, std::cmp::Reverse(span.len), span.path.matches('.').count()));
    let (mut rows, mut end) = (Vec::new(), 0);
    let gap =
        |at: usize, to: usize, name: &str| Row { at, len: to - at, name: name.to_owned(), class: "none" };
    for (index, span) in spans.iter().enumerate() {
        let is_outer = spans.get(index + 1).is_some_and(|next| next.at + next.len <= span.at + span.len);
        let is_outer = is_outer && spans.get(index + 1).is_some_and(|next| next.path.starts_with(&span.path));
        if span.at > end {
            rows.push(gap(end, span.at, "number or length"));
        }
        let name = span.path.rsplit('.').next().unwrap_or_default().to_owned();
        let class = ["depth0", "depth1", "depth2", "depth3"][span.path.matches('.').count().min(3)];
        // An outer field's own bytes are those before its first inner one, which are told as a gap.
        let len = if is_outer { 0 } else { span.len };
        rows.push(Row { at: span.at, len, name, class });
        end = end.max(span.at + len);
    }
    if end < len {
        rows.push(gap(end, len, if is_refused { "not read" } else { "padding" }));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_stands_in_one_row() {
        let span = |path: &str, at, len| Span { path: path.to_owned(), at, len };
        let spans = [span("PING.id", 2, 1), span("PING", 0, 4), span("PING.rev", 3, 1)];
        let told = |is_refused| -> Vec<_> {
            rows(&spans, 128, is_refused).into_iter().map(|row| (row.at, row.len, row.name)).collect()
        };
        let row = |at, len, name: &str| (at, len, name.to_owned());
        let read = [row(0, 0, "PING"), row(0, 2, "number or length"), row(2, 1, "id"), row(3, 1, "rev")];
        assert_eq!(told(false), [&read[..], &[row(4, 124, "padding")]].concat());
        assert_eq!(told(true), [&read[..], &[row(4, 124, "not read")]].concat());
    }
}
