//! The faulty peer, and the live cases of phone and web, against the Rust shims, and against a shim that does nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::shims::{Folder, RUNNER, text};

const SHIM: &str = env!("CARGO_BIN_EXE_handfast-shim");

#[test]
fn both_roles_withstand_every_fault() {
    let mut command = Command::new(RUNNER);
    let _ = command.args(["peer", "--level", "strict", "--complete"]);
    for role in ["phone", "web"] {
        let _ = command.args(["--shim", &format!("{SHIM} --role {role}")]);
    }
    let (code, told) = text(&command.output().expect("the runner runs"));
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(told.matches("FAIL 0  CRASH 0  HANG 0  UNSUPPORTED 0  SKIPPED 0").count(), 2, "{told}");
}

#[test]
fn the_faults_have_names_and_requirements() {
    let cases = handfast_conformance::peer::cases().expect("well formed");
    let names: BTreeSet<&str> = cases.iter().filter_map(|case| case.input["fault"].as_str()).collect();
    assert!(names.len() >= 60, "{} faults", names.len());
    let ids: BTreeSet<&str> = cases.iter().map(|case| case.id.as_str()).collect();
    assert_eq!(ids.len(), cases.len(), "each stands once");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec");
    let spec: String = fs::read_dir(folder)
        .expect("the specification")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .map(|path| fs::read_to_string(path).expect("text"))
        .collect();
    for case in cases.iter().chain(&handfast_conformance::live::cases().expect("cases")) {
        assert!((1..=3).contains(&case.reqs.len()), "{}", case.id);
        for req in &case.reqs {
            assert!(spec.contains(&format!("[{req}]")), "{}: {req}", case.id);
        }
    }
}

/// No fault may pass because nothing happens.
#[test]
fn a_shim_that_does_nothing_fails_every_fault() {
    let folder = Folder::new();
    let shim = folder.file(
        "idle.py",
        r#"
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    answer = {"id": request["id"], "ok": True, "out": {"send": [], "told": ["connect"]}}
    if request["op"] == "hello":
        answer |= {"proto": 1, "spec": "1", "name": "idle", "version": "0", "roles": ["phone", "web"]}
    print(json.dumps(answer), flush=True)
"#,
    );
    for more in [&["peer"][..], &["live", "--patience-ms", "20", "--jobs", "8"]] {
        let mut command = Command::new(RUNNER);
        let output =
            command.args(more).args(["--shim", &format!("python3 -B '{}'", shim.display())]).output();
        let (code, told) = text(&output.expect("the runner runs"));
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains("  PASS 0  "), "{told}");
    }
}

#[test]
fn a_shim_without_a_session_says_so() {
    let folder = Folder::new();
    let shim = folder.file(
        "shim.py",
        &crate::shims::SHIM.replace("\"roles\"", "\"ops\": [], \"roles\"").replace("BODY", "    pass"),
    );
    let mut command = Command::new(RUNNER);
    let output = command.args(["peer", "--shim", &format!("python3 -B '{}'", shim.display())]).output();
    let (code, told) = text(&output.expect("the runner runs"));
    assert!(code == Some(0) && told.contains("  PASS 0  ") && told.contains("FAIL 0  "), "{told}");
}
