//! The page of one failure, within `report.html`.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Value, json};

use super::super::finding::Finding;
use super::super::outcome::{Column, reproduction};
use super::annotate;
use super::escape::escape;
use crate::case::{Case, Verdict};
use crate::grammar::Grammar;

/// What the pages of one report share.
pub(super) struct Pages {
    pub(super) grammar: Grammar,
    /// Requirements, with their texts.
    pub(super) requirements: std::collections::BTreeMap<&'static str, &'static str>,
}

fn pretty(value: &Value) -> String {
    escape(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// What the case says must come.
fn expected(case: &Case) -> Value {
    match (case.result, &case.error) {
        (Verdict::Invalid, Some(error)) => json!({ "ok": false, "area": error.area, "code": error.code }),
        _ => json!({ "ok": true, "out": case.out }),
    }
}

impl Pages {
    /// Everything that explains a failure to somebody who sees the case for the first time.
    pub(super) fn page(
        &self,
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
        for req in &case.reqs {
            let text =
                self.requirements.get(req.as_str()).copied().unwrap_or("is not in this version's text");
            let _ = write!(out, "<li><b>{}</b> {}</li>", escape(req), escape(text));
        }
        let answer = finding.answer.as_ref().map_or_else(|| "no answer".to_owned(), pretty);
        let _ = write!(
            out,
            "</ul><div class=\"pair\"><div><h4>Right</h4><pre>{}</pre></div><div><h4>Answered</h4><pre>{answer}</pre></div></div>",
            pretty(&expected(case)),
        );
        out.push_str(&annotate::table(&self.grammar, case)?);
        let request = json!({ "op": case.op, "in": case.input });
        let _ = write!(
            out,
            "<details><summary>What was asked</summary><pre>{}</pre></details>",
            pretty(&request)
        );
        if !case.debug.is_empty() {
            let debug = pretty(&Value::Object(case.debug.clone()));
            let _ = write!(out, "<details><summary>Values on the way</summary><pre>{debug}</pre></details>");
        }
        if !finding.stderr.is_empty() {
            let _ = write!(out, "<h4>Its standard error</h4><pre>{}</pre>", escape(&finding.stderr));
        }
        let again = escape(&reproduction(&column.command, &case.id));
        let _ = write!(
            out,
            "<h4>Once more</h4><pre>{again}</pre><p><a href=\"#top\">All cases</a></p></article>"
        );
        Ok(out)
    }
}
