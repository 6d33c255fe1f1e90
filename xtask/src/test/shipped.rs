//! What exists for tests cannot be part of a release build.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::command::{self, TEST_BUILD};
use crate::workspace;

/// Features that no shipped build may have.
const FOR_TESTS: [&str; 6] =
    ["hazmat", "testing", "failpoints", "key-log", "store-suite", "store-suite-files"];

/// The file with the guard, and the modules that a feature for tests switches on: each calls the guard.
const GUARD: &str = "codec/src/test_builds.rs";
const GUARDED: [(&str, &str); 6] = [
    ("handfast/src/testing.rs", "testing"),
    ("handshake/src/hazmat.rs", "hazmat"),
    ("handshake/src/key_log.rs", "key-log"),
    ("programs/src/key_log.rs", "key-log"),
    ("programs/src/kill.rs", "failpoints"),
    ("reference-relay/src/failpoint.rs", "failpoints"),
];

/// Checks what a plain `cargo build --release` switches on, and that the guard stops a build that asks for more.
///
/// # Errors
/// A feature for tests is part of it, or the guard lets one pass.
pub(crate) fn check() -> Result<()> {
    let found = features(&[])?;
    ensure!(
        found.is_empty(),
        "a plain `cargo build --release` has features for tests: {}. Is a package that asks for them among the \
         default-members of Cargo.toml?",
        found.join(", ")
    );
    ensure!(!features(&["--workspace"])?.is_empty(), "cargo tree shows no features: this check sees nothing");
    for (file, feature) in GUARDED {
        let text = fs::read_to_string(workspace::root().join(file)).with_context(|| file.to_owned())?;
        let call = format!("test_builds_only!(\"{feature}\")");
        ensure!(text.contains(&call), "{file} does not call {call}");
        ensure!(!compiles(feature, false, false)?, "a release build with `{feature}` was not refused");
        ensure!(compiles(feature, true, false)?, "a build with debug assertions and `{feature}` was refused");
        ensure!(compiles(feature, false, true)?, "a test build with `{feature}` was refused");
    }
    println!("{} features for tests, none in a plain release build; the guard holds", FOR_TESTS.len());
    Ok(())
}

/// The features for tests that Cargo switches on for the packages of a build.
fn features(extra: &[&str]) -> Result<Vec<String>> {
    let words = ["tree", "--locked", "--prefix", "none", "--edges", "normal,build,features"];
    let text = command::output(&mut command::cargo(words.iter().chain(extra)))?;
    ensure!(text.contains("reference-phone"), "cargo tree does not name the programs:\n{text}");
    let mut found: Vec<_> = text.lines().filter(|line| is_for_tests(line)).map(str::to_owned).collect();
    found.sort();
    found.dedup();
    Ok(found)
}

fn is_for_tests(line: &str) -> bool {
    FOR_TESTS.iter().any(|name| line.contains(&format!("feature \"{name}\"")))
}

/// Whether the guard alone compiles with these settings.
fn compiles(feature: &str, debug_assertions: bool, is_test_build: bool) -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let source = folder.path().join("guard.rs");
    let guard = fs::read_to_string(workspace::root().join(GUARD)).context(GUARD)?;
    let text = format!("{guard}\ntest_builds_only!(\"{feature}\");\n");
    fs::write(&source, text)?;
    let mut rustc = Command::new("rustc");
    let _ = rustc.args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", "--out-dir"]);
    let _ = rustc.arg(folder.path()).arg(&source).env_remove(TEST_BUILD);
    let _ = rustc.args(["-C", if debug_assertions { "debug-assertions=on" } else { "debug-assertions=off" }]);
    if is_test_build {
        let _ = rustc.env(TEST_BUILD, "1");
    }
    Ok(command::succeeds(&mut rustc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_for_tests_are_told_from_others() {
        assert!(is_for_tests("handfast-session feature \"testing\""));
        assert!(is_for_tests("reference-relay feature \"failpoints\""));
        assert!(!is_for_tests("handfast feature \"tokio\""));
        assert!(!is_for_tests("handfast-session v0.1.0"));
    }
}
