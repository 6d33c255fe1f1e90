//! The reports of a run: what a hostile shim writes stands in them as text, and a failure is explained.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::shims::{Folder, RUNNER, SHIM, text};
use serde_json::Value;

/// Names and answers that would like to be more than text.
const HOSTILE: &str =
    "</pre><script>alert(1)</script><img src=x onerror=alert(2)>]]>&#0;\u{202e}\u{0}\u{1b}[2J";

#[test]
fn hostile_texts_stand_in_the_reports_as_text() {
    let folder = Folder::new();
    let hostile = serde_json::to_string(HOSTILE).expect("JSON");
    let shim = SHIM
        .replace("\"name\": \"bad\"", &format!("\"name\": {hostile}"))
        .replace("\"version\": \"0\"", &format!("\"version\": {hostile}"))
        .replace("BODY", &format!("    if n == 2: sys.stderr.write({hostile}); right['out'] = {{{hostile}: {hostile}}}\n    if n == 3: right = {{'id': request['id'], 'ok': False, 'area': {hostile}, 'code': {hostile}}}\n    if n == 4: print({hostile}, flush=True); continue\n    say(right)"));
    let path = folder.file("shim.py", &shim);
    let reports = folder.path().join("reports");
    let more = ["--report", reports.to_str().expect("text")];
    let (code, told) = folder.run_command(&format!("python3 -B '{}'", path.display()), &more);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("PASS 1  PASS-AREA 0  FAIL 3"), "{told}");

    let html = fs::read_to_string(reports.join("report.html")).expect("the report");
    for tag in ["<script", "<img", "onerror=alert(2)>\"", "\u{202e}", "\u{1b}", "\0"] {
        assert!(!html.contains(tag), "{tag:?} stands in the page");
    }
    assert!(
        html.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && html.contains("\\u{202e}\\u{0}\\u{1b}[2J")
    );
    for outside in ["src=\"", "http://", "url(", "<link", "@import"] {
        assert!(!html.contains(outside), "{outside} would fetch something");
    }
    // What the pages open, they close.
    for tag in ["article", "details", "table", "tr", "td", "pre", "div", "ul", "li", "span", "p"] {
        let open = html.matches(&format!("<{tag}")).count() - longer_names(&html, tag);
        let closed = html.matches(&format!("</{tag}>")).count();
        assert_eq!(open, closed, "<{tag}>");
    }

    let junit = reports.join("junit.xml");
    let parses = "import sys, xml.etree.ElementTree as t; r = t.parse(sys.argv[1]).getroot(); \
        print(len(r.findall('.//failure')), len(r.findall('.//testcase')))";
    let output = Command::new("python3").args(["-c", parses]).arg(&junit).output().expect("Python runs");
    assert_eq!(text(&output), (Some(0), "3 4\n".to_owned()), "three failures in four cases, well formed");

    let json = fs::read_to_string(reports.join("report.json")).expect("the report");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["implementations"][0]["name"], HOSTILE);
    assert_eq!(json["implementations"][0]["counts"]["FAIL"], 3);
    assert_eq!(json["cases"][1]["outcomes"][0]["class"], "FAIL");
}

/// How often a tag's name begins a longer one: `<tr` in `<track`, `<p` in `<pre`.
fn longer_names(html: &str, tag: &str) -> usize {
    let open = format!("<{tag}");
    let starts = html.match_indices(&open).map(|(at, _)| html[at + open.len()..].chars().next());
    starts.filter(|next| next.is_some_and(|letter| letter.is_ascii_alphanumeric())).count()
}

/// A shim over the real cases that gives one wrong code and one wrong value.
#[test]
fn a_failure_has_a_page_that_explains_it() {
    let folder = Folder::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shims/wrong.py");
    let reports = folder.path().join("reports");
    let rust = env!("CARGO_BIN_EXE_handfast-shim");
    let shim = format!("python3 -B '{}' {rust} --role web", path.display());
    let mut command = Command::new(RUNNER);
    let _ = command.args(["run", "--level", "strict", "--case", "*frames-relay/*", "--shim", &shim]);
    let _ = command.args(["--shim", &format!("{rust} --role phone")]).arg("--report").arg(&reports);
    let (code, told) = text(&command.output().expect("the runner runs"));
    assert_eq!(code, Some(1), "{told}");
    let html = fs::read_to_string(reports.join("report.html")).expect("the report");
    for part in [
        // The page of a failure, and the way to it.
        "<a href=\"#f1\">FAIL</a>",
        "<article id=\"f1\">",
        // What was asked of it, in the words of the specification.
        "<b>FRM-",
        "MUST",
        // Right and wrong, side by side.
        "<h4>Right</h4>",
        "&quot;hello from a wrong shim&quot;",
        // The bytes by name.
        "Bytes, as RelayMessage of spec/wire.tls",
        "here the grammar refuses it: ",
        // How to see it again.
        "handfast-conformance run --shim ",
        "--case refuse-frames-relay/",
    ] {
        assert!(html.contains(part), "{part}");
    }
}
