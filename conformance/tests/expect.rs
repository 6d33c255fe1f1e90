//! Failures that are expected: the file of `--expect`, seen on the program.

use std::fs;

use crate::shims::Folder;

/// A shim that fails case 2 and dies at case 3.
const BODY: &str = "if n == 2: right['out'] = {}\nif n == 3: os._exit(7)\nsay(right)";

fn run(entries: &str, more: &[&str]) -> (Option<i32>, String) {
    let folder = Folder::new();
    let file = folder.file("expect.toml", entries);
    let report = folder.path().join("reports");
    let own = ["--expect", file.to_str().expect("text"), "--report", report.to_str().expect("text")];
    let (code, told) = folder.run(BODY, &[&own[..], more].concat());
    let junit = fs::read_to_string(report.join("junit.xml")).unwrap_or_default();
    let json = fs::read_to_string(report.join("report.json")).unwrap_or_default();
    (code, told + &junit + &json)
}

fn entry(case: &str, more: &str) -> String {
    format!("[[expect]]\ncase = '{case}'\nreason = 'issue 12'\n{more}\n")
}

#[test]
fn what_was_expected_to_fail_fails_no_run() {
    for entries in [
        entry("t/2", "") + &entry("t/3", ""),
        entry("t/2", "class = 'FAIL'") + &entry("t/3", "class = 'CRASH'\nshim = 'bad'"),
        // An entry about another shim is not looked at.
        entry("t/2", "") + &entry("t/3", "") + &entry("t/*", "shim = 'other'"),
    ] {
        let (code, told) = run(&entries, &[]);
        assert_eq!(code, Some(0), "{told}");
        for part in [
            "EXPECTED FAIL t/2: issue 12",
            "EXPECTED CRASH t/3: issue 12",
            "2 failed as expected",
            "failures=\"0\" errors=\"0\" skipped=\"2\"",
            "<skipped message=\"expected FAIL: issue 12\"/>",
            "\"expected\": \"issue 12\"",
        ] {
            assert!(told.contains(part), "{part}\n{told}");
        }
        assert!(!told.contains("STALE"), "{told}");
    }
}

#[test]
fn another_failure_still_fails_the_run() {
    let (code, told) = run(&entry("t/3", ""), &[]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("  FAIL t/2: ") && told.contains("1 of 4 cases failed"), "{told}");
}

#[test]
fn what_does_not_hold_any_more_fails_the_run() {
    let known = entry("t/2", "") + &entry("t/3", "");
    for (entries, part) in [
        (known.clone() + &entry("t/1", ""), "STALE t/1: expected to fail, and passes (PASS) at bad"),
        (entry("t/?", ""), "STALE t/4: expected to fail, and passes"),
        (known.clone() + &entry("t/9", ""), "STALE t/9: no case has this id"),
        (entry("t/2", "") + &entry("t/3", "class = 'FAIL'"), "STALE t/3: expected FAIL, and ends with CRASH"),
    ] {
        let (code, told) = run(&entries, &[]);
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains(part), "{part}\n{told}");
        assert!(told.contains("<testsuite name=\"expected failures\" tests=\""), "{told}");
    }
    // What is not asked for is not judged.
    let (code, told) = run(&(known + &entry("t/1", "")), &["--case", "t/2"]);
    assert_eq!(code, Some(0), "{told}");
}

#[test]
fn a_file_that_makes_no_sense_is_wrong_usage() {
    for (entries, part) in [
        ("[[expect]]\ncase = 't/2'", "reason"),
        ("[[expect]]\ncase = 't/2'\nreason = ' '", "the entry of \"t/2\" has no reason"),
        ("[[expect]]\ncase = 't/2'\nreason = 'x'\nuntil = 3", "until"),
        ("[[expect]]\ncase = 't/2'\nreason = 'x'\nclass = 'BAD'", "BAD"),
        ("[[expect", "expect.toml"),
        (&(entry("t/2", "") + &entry("t/2", "")), "\"t/2\" is expected twice"),
    ] {
        let (code, told) = run(entries, &[]);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains("--expect ") && told.contains(part), "{part}\n{told}");
    }
    let (code, told) = Folder::new().run(BODY, &["--expect", "/no/such/file"]);
    assert!(code == Some(2) && told.contains("--expect /no/such/file"), "{told}");
}
