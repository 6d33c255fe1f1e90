//! The page of one failure, within `report.html`.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Value, json};

use super::super::annotate::Layout;
use super::super::explain::{Explainer, expected};
use super::super::finding::Finding;
use super::super::outcome::{Column, Run};
use super::escape::escape;
use crate::case::Case;

/// The classes of fields by how deep they stand in others.
const DEPTHS: [&str; 4] = ["depth0", "depth1", "depth2", "depth3"];

fn pretty(value: &Value) -> String {
    escape(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// Everything that explains a failure to somebody who sees the case for the first time.
pub(super) fn page(
    explainer: &Explainer,
    run: &Run,
    anchor: &str,
    case: &Case,
    column: &Column,
    finding: &Finding,
) -> Result<String> {
    let class = finding.class.name();
    let mut out = format!(
        "<article id=\"{anchor}\"><h3><span class=\"{class}\">{class}</span> {} <small>of {}</small></h3>",
        escape(&case.id),
        escape(column.name()),
    );
    let _ = write!(
        out,
        "<p class=\"reason\">{}</p><p>The case: {}</p>",
        escape(&finding.reason),
        escape(&case.comment)
    );
    out.push_str("<h4>What the specification asks</h4><ul>");
    for (req, text) in explainer.requirements(case) {
        let _ = write!(out, "<li><b>{}</b> {}</li>", escape(req), escape(text));
    }
    let answer = finding.answer.as_ref().map_or_else(|| "no answer".to_owned(), pretty);
    let _ = write!(
        out,
        "</ul><div class=\"pair\"><div><h4>Right</h4><pre>{}</pre></div><div><h4>Answered</h4><pre>{answer}</pre></div></div>",
        pretty(&expected(case)),
    );
    if let Some(layout) = explainer.layout(case)? {
        out.push_str(&table(&layout));
    }
    let request = json!({ "op": case.op, "in": case.input });
    let _ =
        write!(out, "<details><summary>What was asked</summary><pre>{}</pre></details>", pretty(&request));
    if !case.debug.is_empty() {
        let debug = pretty(&Value::Object(case.debug.clone()));
        let _ = write!(out, "<details><summary>Values on the way</summary><pre>{debug}</pre></details>");
    }
    if let Some(reason) = &finding.expected {
        let _ = write!(out, "<p>It is expected to fail: {}</p>", escape(reason));
    }
    if !finding.stderr.is_empty() {
        let _ = write!(out, "<h4>Its standard error</h4><pre>{}</pre>", escape(&finding.stderr));
    }
    let again = escape(&run.reproduction(column, &case.id));
    let _ =
        write!(out, "<h4>Once more</h4><pre>{again}</pre><p><a href=\"#top\">All cases</a></p></article>");
    Ok(out)
}

/// The bytes of a case, row by row.
fn table(layout: &Layout) -> String {
    let mut out = format!("<h4>Bytes, as {} of spec/wire.tls</h4><table class=\"bytes\">", layout.name);
    out.push_str("<tr><th>at</th><th>bytes</th><th>what</th></tr>");
    for row in &layout.rows {
        let class = row.depth.and_then(|depth| DEPTHS.get(depth)).unwrap_or(&"none");
        let _ = write!(
            out,
            "<tr><td>{}</td><td><code>{}</code></td><td class=\"{class}\">{}</td></tr>",
            row.at,
            row.bytes,
            escape(&row.name)
        );
    }
    if let Some(refusal) = &layout.refusal {
        let _ = write!(
            out,
            "<tr class=\"FAIL\"><td>{}</td><td></td><td>here the grammar refuses it: {}</td></tr>",
            refusal.at,
            escape(&refusal.code)
        );
    }
    out + "</table>"
}
