//! Shims that do what a test says, and a folder with four cases for them.
#![allow(dead_code, clippy::allow_attributes, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use handfast_conformance::case::VectorFile;
use handfast_conformance::manifest::Manifest;
use serde_json::json;
use tempfile::TempDir;

pub(crate) const RUNNER: &str = env!("CARGO_BIN_EXE_handfast-conformance");

/// A shim in Python: what it does for each case comes in place of `BODY`, with `request`, `n` and `say` at hand.
pub(crate) const SHIM: &str = r#"
import json, os, sys, time
def say(value):
    print(json.dumps(value), flush=True)
n = 0
for line in sys.stdin:
    request = json.loads(line)
    right = {"id": request["id"], "ok": True, "out": {"x": request["in"].get("x")}}
    if request["op"] == "hello":
        say({"id": request["id"], "ok": True, "proto": 1, "spec": "1", "name": "bad", "version": "0", "roles": ["web"]})
        continue
    n = request["in"]["n"]
BODY
"#;

/// A folder that no other test has, with four cases whose right answer is their input. It goes away with its value.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self(TempDir::new().expect("a folder"));
        std::fs::create_dir(folder.path().join("v1")).expect("a folder");
        let case = |n: u32| {
            json!({"id": format!("t/{n}"), "reqs": ["FRM-001"], "comment": "", "op": "test.echo",
                "in": {"n": n, "x": "01"}, "result": "valid", "out": {"x": "01"}})
        };
        let file = json!({"schema": "handfast-vectors.v1", "spec": "1", "topic": "t", "comment": "", "count": 4,
            "cases": [case(1), case(2), case(3), case(4)]});
        let file: VectorFile = serde_json::from_value(file).expect("a vector file");
        let _ = folder.file("v1/t.json", &file.to_text().expect("text"));
        let manifest = Manifest::of("v1", &[file]).expect("a manifest");
        let _ = folder.file("manifest.json", &manifest.to_text().expect("text"));
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// Runs the four cases, one process at a time, through a shim that does this.
    pub(crate) fn run(&self, body: &str, more: &[&str]) -> (Option<i32>, String) {
        let body: Vec<String> = body.lines().map(|line| format!("    {line}")).collect();
        let shim = self.file("shim.py", &SHIM.replace("BODY", &body.join("\n")));
        let command = format!("python3 -B '{}'", shim.display());
        self.run_command(&command, &[&["--jobs", "1"], more].concat())
    }

    pub(crate) fn run_command(&self, shim: &str, more: &[&str]) -> (Option<i32>, String) {
        let folder = self.path().join("v1");
        let mut command = Command::new(RUNNER);
        let _ = command.arg("--folder").arg(folder).args(["run", "--shim", shim]);
        // A busy machine may hold up a shim for long; a test about time gives a limit of its own.
        if !more.contains(&"--patience-ms") {
            let _ = command.args(["--patience-ms", "60000"]);
        }
        let _ = command.args(more);
        text(&command.output().expect("the runner runs"))
    }
}

pub(crate) fn text(output: &Output) -> (Option<i32>, String) {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.code(), String::from_utf8(text).expect("text"))
}
