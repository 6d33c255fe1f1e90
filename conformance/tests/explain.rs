//! What a person sees of the first failing case: seen on the program.

use std::path::Path;
use std::process::Command;

use crate::shims::{Folder, RUNNER, text};

/// A shim over the real cases, right but for what `wrong.py` does.
fn wrong(more: &[&str]) -> (Option<i32>, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shims/wrong.py");
    let rust = env!("CARGO_BIN_EXE_handfast-shim");
    let shim = format!("python3 -B '{}' {rust} --role web", path.display());
    let mut command = Command::new(RUNNER);
    let _ = command.args(["run", "--jobs", "1", "--patience-ms", "60000", "--shim", &shim]).args(more);
    text(&command.output().expect("the runner runs"))
}

#[test]
fn the_first_failure_is_explained_and_the_others_have_a_line() {
    let (code, told) = wrong(&["--case", "*frames-relay/*"]);
    assert_eq!(code, Some(1), "{told}");
    for part in [
        "    the case: ",
        "    the specification:\n      [RLY-",
        "    expected:\n      {\n        \"ok\": true,",
        "          \"name\": \"hello from a wrong shim\",",
        " as RelayMessage of spec/wire.tls:\n          0  ",
        "    the request:\n      {\n        \"in\": {\n          \"frame\": \"",
        "matters: --jobs 1):\n      handfast-conformance run --shim \"python3 -B '",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert_eq!(told.matches("this case alone (").count(), 1, "{told}");
    assert!(told.lines().filter(|line| line.starts_with("  FAIL ")).count() > 3, "{told}");
    // The explanation ends what is printed, so that a terminal shows it.
    let (list, explained) = told.rsplit_once("\n  FAIL ").expect("a failure");
    assert!(!list.contains("the case: ") && explained.contains("this case alone ("), "{told}");

    for (count, number) in [("0", 0), ("3", 3)] {
        let (_, told) = wrong(&["--case", "*frames-relay/*", "--explain", count]);
        assert_eq!(told.matches("this case alone (").count(), number, "{told}");
    }
}

/// The line is run by a shell, as a person would, and shows the same failure.
#[cfg(unix)]
#[test]
fn the_line_runs_just_this_case_again() {
    let folder = Folder::new();
    let body = "if n == 2: right['out'] = {'x': 'it\\'s'}\nsay(right)";
    let (code, told) = folder.run(body, &["--level", "strict", "--repeat", "2"]);
    assert_eq!(code, Some(1), "{told}");
    let line = told.lines().skip_while(|line| !line.contains("this case alone (")).nth(1).expect("a line");
    let line = line.trim();
    let line = line.strip_prefix("handfast-conformance ").expect("it names the program");
    for part in ["--case t/2", "--level strict", "--repeat 2", "--folder "] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let output = Command::new("sh").args(["-c", &format!("{RUNNER} {line}")]).output().expect("a shell");
    let (code, again) = text(&output);
    assert_eq!(code, Some(1), "{again}");
    assert!(again.contains(": 1 case in ") && again.contains("FAIL t/2: time 1 of 2: `x` is"), "{again}");
}

#[test]
fn a_launcher_says_how_it_is_called() {
    let folder = Folder::new();
    let _ = folder.run("if n == 2: right['out'] = {}\nsay(right)", &[]);
    let shim = format!("python3 -B '{}'", folder.path().join("shim.py").display());
    let mut command = Command::new(RUNNER);
    let _ = command.env("HANDFAST_CONFORMANCE_CALLED", "npx handfast-conformance");
    let _ = command.args(["run", "--shim", &shim, "--folder"]).arg(folder.path().join("v1"));
    let (_, told) = text(&command.output().expect("it runs"));
    assert!(told.contains("matters: --jobs 1):\n      npx handfast-conformance run "), "{told}");
}
