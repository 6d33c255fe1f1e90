//! The worked example with bytes that a script can make clickable: what each block shows, and by which vector the module
//! recomputes it.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value, json};

use super::html::escape;
use crate::workspace;

/// The file of the specification.
pub(super) const FILE: &str = "spec/example.md";
/// How wide the column of the names of values is.
const NAME_WIDTH: usize = 20;
/// The shortest value in bytes has eight of them: an attachment id.
const HEX_MIN: usize = 16;
/// The files of vectors that the example is made of.
const VECTORS: [&str; 3] = ["pairing", "reconnect", "recovery"];
/// How long each part of a value is, and what.
type Parts = &'static [(usize, &'static str)];
/// Parts of values by their keys and the operation that makes them: how long each is, and what; 0 is all that is left.
const PARTS: [(&str, &str, Parts); 7] = [
    ("pairing", "out.message1", &[(32, "the phone's ephemeral key"), (0, "sealed payload"), (16, "tag")]),
    ("pairing", "out.message2", &[(32, "the web's ephemeral key"), (0, "sealed payload"), (16, "tag")]),
    (
        "pairing",
        "out.message3",
        &[(32, "the phone's static key, sealed"), (16, "its tag"), (0, "sealed payload"), (16, "tag")],
    ),
    (
        "reconnect",
        "out.message1",
        &[
            (1, "suite, in the clear"),
            (1, "mode, in the clear: 0 resume, 1 recover"),
            (8, "psk id, in the clear"),
            (32, "the web's ephemeral key"),
            (0, "sealed payload"),
            (16, "tag"),
        ],
    ),
    ("reconnect", "out.message2", &[(32, "the phone's ephemeral key"), (0, "sealed payload"), (16, "tag")]),
    (
        "",
        "_record",
        &[
            (1, "type of the relay frame: DATA"),
            (1, "kind of DATA: a record"),
            (0, "sealed frames and padding"),
            (16, "tag"),
        ],
    ),
    ("", "_signed", &[(0, "what is signed")]),
];

/// HTML for a block of the example.
pub(super) fn block(info: &str, code: &str) -> Option<String> {
    let mut words = info.split_whitespace();
    match (words.next()?, words.next(), words.next(), words.next()) {
        ("text", Some(name), Some("from"), from) => Some(bytes(name, from, code)),
        ("text", Some(name), None, None) => Some(bytes(name, None, code)),
        ("text", None, ..) => Some(values(code)),
        _ => None,
    }
}

/// A table of bytes: where a row begins, its bytes, the field's name.
fn bytes(name: &str, from: Option<&str>, code: &str) -> String {
    let from = from.map_or_else(String::new, |role| format!(" data-from=\"{role}\""));
    let mut out = format!(
        "<table class=\"bytes\" data-layout=\"{name}\"{from} aria-label=\"{name}, byte by byte\"><tbody>\n"
    );
    for line in code.lines() {
        let column = |from: usize, to: usize| line.get(from..to.min(line.len())).unwrap_or_default().trim();
        let (at, mut hex, name) = (column(0, 4), column(6, 38).to_owned(), column(40, usize::MAX));
        if hex == "00 .." {
            let zeros = name.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0);
            hex = "00".repeat(zeros);
        }
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{at}</th><td class=\"hex\">{hex}</td><td>{}</td></tr>",
            escape(name)
        );
    }
    out + "</tbody></table>\n"
}

/// A table of values by name.
fn values(code: &str) -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    for line in code.lines() {
        let (name, value) = line.split_at_checked(NAME_WIDTH).unwrap_or((line, ""));
        match (name.trim(), rows.last_mut()) {
            ("", Some((_, last))) => last.push_str(value.trim()),
            (name, _) => rows.push((name.to_owned(), value.trim().to_owned())),
        }
    }
    let mut out = String::from("<table class=\"values\"><tbody>\n");
    for (name, value) in rows {
        // The digits that people compare are no bytes.
        let is_hex = value.len() >= HEX_MIN && value.bytes().all(|c| c.is_ascii_hexdigit());
        let class = if is_hex { "hex" } else { "text" };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"{class}\">{}</td></tr>",
            escape(&name),
            escape(&value)
        );
    }
    out + "</tbody></table>\n"
}

/// Writes behind each value where the operation of its section has it, and of which parts it consists; returns the body
/// and the operations with their inputs.
///
/// # Errors
/// A vector that a heading names is not there.
pub(super) fn tie(body: &str) -> Result<(String, Map<String, Value>)> {
    let (mut out, mut cases) = (String::new(), Map::new());
    let (mut case, mut message) = (None, None);
    for line in body.lines() {
        if line.starts_with("<h2") {
            case = None;
            if let Some(id) = between(line, "<code>", "</code>") {
                let found = vector(id)?;
                let _ = cases.insert(id.to_owned(), json!({ "op": found["op"], "in": found["in"] }));
                case = Some((id.to_owned(), found));
            }
        }
        if line.starts_with("<h2") || line.starts_with("<h3") {
            message = between(line, "id=\"message-", "\"").and_then(|rest| rest.get(..1)).map(str::to_owned);
        }
        match (&case, row(line)) {
            (Some((id, case)), Some((name, value))) => {
                let tied = tied(id, case, name, value, message.as_deref());
                out.push_str(&line.replacen("<tr>", &format!("<tr{tied}>"), 1));
            }
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    ensure!(cases.len() == VECTORS.len(), "the example shows {} vectors, not {}", cases.len(), VECTORS.len());
    Ok((out, cases))
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    text.split_once(open)?.1.split_once(close).map(|(inside, _)| inside)
}

/// Name and value of a row of a table of values.
fn row(line: &str) -> Option<(&str, &str)> {
    let name = between(line, "<tr><th scope=\"row\">", "</th><td class=\"")?;
    let value = line.split_once("</th><td class=\"")?.1.split_once("\">")?.1.strip_suffix("</td></tr>")?;
    // A row of a table of bytes has a third cell.
    (!value.contains('<')).then_some((name, value))
}

/// The attributes of a row: the vector, where in it the value is, and its parts.
fn tied(id: &str, case: &Value, name: &str, value: &str, message: Option<&str>) -> String {
    let key = key(case, name, value, message).unwrap_or_default();
    let op = case["op"].as_str().unwrap_or_default();
    let parts = PARTS.iter().find(|(of, end, _)| (of.is_empty() || *of == op) && key.ends_with(end));
    let parts = parts.map_or_else(String::new, |(.., parts)| {
        let parts: Vec<Value> = parts.iter().map(|(len, what)| json!([len, what])).collect();
        format!(" data-parts=\"{}\"", escape(&Value::from(parts).to_string()))
    });
    format!(" data-case=\"{id}\" data-key=\"{key}\"{parts}")
}

/// Where in the vector a value is that has this name.
fn key(case: &Value, name: &str, value: &str, message: Option<&str>) -> Option<String> {
    let text = |found: &Value| found.as_str().map_or_else(|| found.to_string(), str::to_owned);
    let is_it = |way: &str| {
        let found = way.split('.').try_fold(case, |at, step| at.get(step));
        found.is_some_and(|found| text(found) == value)
    };
    let name = name.trim_end_matches(" (secret)").to_lowercase().replace(' ', "_");
    let device = name.split_once('_').map(|(device, rest)| (device.to_owned(), rest.to_owned()));
    let mut ways = vec![format!("out.{name}"), format!("debug.{name}"), format!("in.{name}")];
    ways.extend(message.map(|number| format!("debug.after{number}.{name}")));
    ways.extend(device.map(|(device, rest)| {
        if rest == "attachment" { format!("in.{device}_id") } else { format!("in.{device}.{rest}") }
    }));
    ways.extend(["phone", "web"].map(|device| format!("in.{device}.{name}")));
    ways.into_iter().find(|way| is_it(way))
}

/// A vector by its id, as its file has it.
fn vector(id: &str) -> Result<Value> {
    for topic in VECTORS {
        let text = std::fs::read_to_string(workspace::root().join(format!("vectors/v1/{topic}.json")))?;
        let file: Value = serde_json::from_str(&text)?;
        let found = file["cases"].as_array().and_then(|cases| cases.iter().find(|case| case["id"] == id));
        if let Some(case) = found {
            return Ok(case.clone());
        }
    }
    None.with_context(|| format!("no vector {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stand_at_their_places() {
        let code = "   0  0101                              (type and length)\n   2  02                                versions\n   3  00 ..                             3 bytes of padding\n";
        let html = block("text Xk1 from web", code).unwrap();
        assert!(html.contains("data-layout=\"Xk1\" data-from=\"web\""), "{html}");
        assert!(
            html.contains("<th scope=\"row\">2</th><td class=\"hex\">02</td><td>versions</td>"),
            "{html}"
        );
        assert!(html.contains("<td class=\"hex\">000000</td><td>3 bytes of padding</td>"), "{html}");
    }

    #[test]
    fn values_of_several_lines_are_one() {
        let html = block(
            "text",
            "message1             3d9d3d9d3d\n                     7eec7e\nqr                   HF1*A\n",
        )
        .unwrap();
        assert!(
            html.contains("<th scope=\"row\">message1</th><td class=\"hex\">3d9d3d9d3d7eec7e</td>"),
            "{html}"
        );
        assert!(html.contains("<th scope=\"row\">qr</th><td class=\"text\">HF1*A</td>"), "{html}");
    }

    #[test]
    fn every_value_of_a_vector_is_tied_to_it() {
        let text = std::fs::read_to_string(workspace::root().join(FILE)).unwrap();
        let mut body = String::new();
        let mut code: Option<(String, String)> = None;
        for line in text.lines() {
            match (&mut code, line.strip_prefix("```")) {
                (None, Some(info)) => code = Some((info.to_owned(), String::new())),
                (Some((info, text)), Some(_)) => {
                    body.push_str(&block(info, text).unwrap_or_default());
                    code = None;
                }
                (Some((_, text)), None) => *text = format!("{text}{line}\n"),
                (None, None) => {
                    if let Some(title) = line.strip_prefix("## ") {
                        let title = title.replacen('`', "<code>", 1).replacen('`', "</code>", 1);
                        let _ = writeln!(body, "<h2>{title}");
                    } else if let Some(number) = line.strip_prefix("### Message ") {
                        let _ = writeln!(body, "<h3 id=\"message-{number}\">");
                    }
                }
            }
        }
        let (tied, cases) = tie(&body).unwrap();
        assert!(cases.contains_key("reconnect/plain"));
        let loose: Vec<_> = tied.lines().filter(|line| line.contains("data-key=\"\"")).collect();
        assert!(loose.is_empty(), "{loose:#?}");
    }
}
