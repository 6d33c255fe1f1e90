//! Implementations side by side: seen on the program.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::shims::{Folder, RUNNER, SHIM, text};

/// Shims in a folder, each with its command.
fn shims(folder: &Folder) -> [String; 2] {
    [("right", "say(right)"), ("wrong", "if n == 2: right['out'] = {}\n    say(right)")].map(
        |(name, body)| {
            let shim =
                SHIM.replace("\"bad\"", &format!("\"{name}\"")).replace("BODY", &format!("    {body}"));
            format!("python3 -B '{}'", folder.file(&format!("{name}.py"), &shim).display())
        },
    )
}

fn compare(folder: &Folder, words: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(RUNNER);
    let _ = command.args(["compare", "--patience-ms", "60000", "--folder"]);
    let _ = command.arg(folder.path().join("v1")).args(words);
    text(&command.output().expect("the runner runs"))
}

#[test]
fn commands_and_reports_stand_in_one_matrix() {
    let folder = Folder::new();
    let [right, wrong] = shims(&folder);
    let reports = folder.path().join("reports");
    let reports = reports.to_str().expect("text");
    let (code, told) = folder.run_command(&wrong, &["--report", reports]);
    assert_eq!(code, Some(1), "{told}");

    // Of a folder with a report, of its file, and asked now: the same.
    let file = format!("{reports}/report.json");
    for other in [reports, &file, &wrong] {
        let (code, told) = compare(&folder, &[&right, other]);
        assert_eq!(code, Some(1), "{told}");
        for part in [
            "1: right 0 (web)\n2: wrong 0 (web)\n",
            "topic            1           2\n",
            "t              4/4         3/4\n",
            "in all         4/4         3/4\n",
            "cases that differ: 1\n",
            "t/2        PASS        FAIL\n",
        ] {
            assert!(told.contains(part), "{part}\n{told}");
        }
        assert!(!told.contains("the case: "), "{told}");
    }

    let (code, told) = compare(&folder, &["--format", "json", &right, &file]);
    assert_eq!(code, Some(1), "{told}");
    let json: Value = serde_json::from_str(&told).expect("JSON alone");
    assert_eq!(json["schema"], "handfast-matrix.v1");
    assert_eq!(json["topics"][0]["cells"][1]["passed"], 3);
    assert_eq!(json["differing"][0]["classes"], serde_json::json!(["PASS", "FAIL"]));

    let (code, html) = compare(&folder, &["--format", "html", &right, &file]);
    assert_eq!(code, Some(1), "{html}");
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n"), "{html}");
    for part in [
        "<h2>By topic</h2>",
        "<td class=\"FAIL\">3/4</td>",
        "<h2>Cases that differ: 1</h2>",
        "<article id=\"f1\">",
    ] {
        assert!(html.contains(part), "{part}\n{html}");
    }
    for outside in ["src=\"", "http://", "https://", "url(", "<link", "<script", "@import"] {
        assert!(!html.contains(outside), "{outside} would fetch something");
    }
}

#[test]
fn the_exit_code_counts_what_is_not_as_expected() {
    let folder = Folder::new();
    let [right, wrong] = shims(&folder);
    let (code, told) = compare(&folder, &[&right, &right]);
    assert!(code == Some(0) && told.contains("every case ends in the same way"), "{told}");
    let expected = folder.file("e.toml", "[[expect]]\ncase = 't/2'\nreason = 'why'\nshim = 'wrong'");
    let expect = ["--expect", expected.to_str().expect("text")];
    let (code, told) = compare(&folder, &[&expect[..], &[&right, &wrong]].concat());
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = compare(&folder, &[&expect[..], &["--case", "t/3", &right, &wrong]].concat());
    assert_eq!(code, Some(0), "{told}");
    let stale = folder.file("s.toml", "[[expect]]\ncase = 't/1'\nreason = 'why'\nshim = 'right'");
    let (code, told) = compare(&folder, &["--expect", stale.to_str().expect("text"), &right, &right]);
    assert!(code == Some(1) && told.contains("STALE t/1: expected to fail, and passes"), "{told}");
}

/// The cases of a report that this build does not know are part of the matrix.
#[test]
fn a_report_of_other_cases_is_read_and_what_is_none_is_refused() {
    let folder = Folder::new();
    let [right, wrong] = shims(&folder);
    let reports = folder.path().join("reports");
    let (_, _) = folder.run_command(&wrong, &["--report", reports.to_str().expect("text")]);
    let file = reports.join("report.json");
    let report = fs::read_to_string(&file).expect("a report");
    let older = folder.file("older.json", &report.replace("\"t/2\"", "\"gone/2\""));
    let (code, told) = compare(&folder, &[&right, older.to_str().expect("text")]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("gone             -         0/1\n"), "{told}");

    let none = folder.file("none.json", "{}");
    let cut = folder.file("cut.json", &report[..report.len() / 2]);
    for (path, part) in
        [(none.as_path(), "none.json: "), (cut.as_path(), "cut.json: "), (folder.path(), "report.json: ")]
    {
        let (code, told) = compare(&folder, &[&right, path.to_str().expect("text")]);
        assert!(code == Some(2) && told.contains(part), "{told}");
    }
}
