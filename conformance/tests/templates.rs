//! The shims to fill in, as the program prints them. Those of Go, Kotlin and Swift need a compiler that not everybody has.

use std::process::Command;

use crate::shims::{Folder, RUNNER, text};

/// Asks every case; right is the one operation that a template has.
fn asked(shim: &str) -> String {
    let mut command = Command::new(RUNNER);
    let words = ["run", "--level", "strict", "--patience-ms", "60000", "--jobs", "2", "--shim", shim];
    let (code, told) = text(&command.args(words).output().expect("the runner runs"));
    assert_eq!(code, Some(0), "{told}");
    told
}

fn template(folder: &Folder, language: &str, name: &str) -> String {
    let output = Command::new(RUNNER).args(["shim", language]).output().expect("it runs");
    let (code, template) = text(&output);
    assert_eq!(code, Some(0), "{template}");
    folder.file(name, &template).display().to_string()
}

#[test]
fn the_templates_of_python_node_and_c_pass_their_operation() {
    let folder = Folder::new();
    let python = format!("python3 -B '{}'", template(&folder, "python", "template.py"));
    let node = format!("node '{}'", template(&folder, "node", "template.mjs"));
    let source = template(&folder, "c", "template.c");
    let program = folder.path().join("shim").display().to_string();
    let words = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-o", &program, &source];
    let output = Command::new("cc").args(words).output().expect("a C compiler");
    assert!(output.status.success(), "{}", text(&output).1);
    for shim in [python, node, format!("'{program}'")] {
        let told = asked(&shim);
        assert!(told.starts_with("template 0 (phone, web): "), "{told}");
        assert!(told.contains("  PASS 19  PASS-AREA 0  FAIL 0  CRASH 0  HANG 0  UNSUPPORTED "), "{told}");
    }
}

#[test]
fn every_language_has_a_template_and_the_text_says_how() {
    let folder = Folder::new();
    for language in ["c", "go", "kotlin", "node", "python", "swift"] {
        let path = template(&folder, language, language);
        let text = std::fs::read_to_string(path).expect("a file");
        for part in ["kk.head", "unsupported", "hello", "handfast-conformance run --shim "] {
            assert!(text.contains(part), "{language}: {part}");
        }
    }
    let output = Command::new(RUNNER).arg("shim").output().expect("it runs");
    let told = text(&output).1;
    assert!(
        told.starts_with("# Your implementation against the cases\n") && told.contains("\n| `kk.head` | "),
        "{told}"
    );
    let output = Command::new(RUNNER).args(["shim", "cobol"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
}
