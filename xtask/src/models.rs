//! `cargo xtask models`: the exhaustive searches over the real rules, and each rule patched out in a scratch copy.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::{command, workspace};

/// The test that searches.
const SEARCH: [&str; 6] = ["test", "--locked", "--package", "handfast-session", "--test", "models"];

/// One rule that is patched out.
struct Rule {
    patch: PathBuf,
    name: String,
    /// What the patch does.
    what: String,
    /// The word that the search must print then.
    expect: String,
}

/// Runs the searches on the tree as it is, then with each rule patched out.
///
/// # Errors
/// The tree has a violation, a patch does not apply, or a patched tree has no violation or another one.
pub(crate) fn run() -> Result<bool> {
    println!("== The rules as they are");
    command::run(command::cargo(SEARCH).args(["--", "--nocapture"]))?;
    let scratch = workspace::target().join("models");
    let mut table = Vec::new();
    for rule in rules()? {
        println!("\n== {}: {}", rule.name, rule.what);
        let found = search_without(&rule, &scratch)?;
        println!("   found: {found}");
        table.push((rule.name, found));
    }
    println!("\nrule patched out               violation found");
    for (name, found) in table {
        println!("{name:<30} {found}");
    }
    Ok(true)
}

fn rules() -> Result<Vec<Rule>> {
    let folder = workspace::root().join("spec/models/rules");
    let mut rules = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let patch = entry?.path();
        let text = std::fs::read_to_string(&patch)?;
        let name = patch.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let field = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::to_owned);
        let what = field("# rule: ").with_context(|| format!("{name} does not say what it does"))?;
        let expect =
            field("# expect: ").with_context(|| format!("{name} does not say what it must lead to"))?;
        rules.push(Rule { patch, name, what, expect });
    }
    rules.sort_by(|a, b| a.name.cmp(&b.name));
    ensure!(!rules.is_empty(), "there are no patches in {}", folder.display());
    Ok(rules)
}

/// Patches a rule out of a copy of the tree and searches there; returns the line that names the violation.
fn search_without(rule: &Rule, scratch: &Path) -> Result<String> {
    let copy = scratch.join("tree");
    copy_tree(&copy)?;
    let mut apply = Command::new("git");
    let _ = apply.args(["apply", "--whitespace=nowarn"]).arg(&rule.patch).current_dir(&copy);
    // A copy below a checkout is no part of it.
    let _ = apply.env("GIT_CEILING_DIRECTORIES", scratch);
    ensure!(command::succeeds(&mut apply), "{} does not apply: make it anew", rule.patch.display());
    let mut search = command::cargo(SEARCH);
    let _ =
        search.current_dir(&copy).env("CARGO_TARGET_DIR", scratch.join("target")).env("RUST_BACKTRACE", "0");
    let output = search.stdin(Stdio::null()).output().context("cargo cannot be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        text.contains("running "),
        "the patched tree does not build:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    ensure!(!output.status.success(), "nothing was found: no search holds this rule");
    let found = text.lines().find(|line| line.contains(&rule.expect) && !line.starts_with("test "));
    let found = found.with_context(|| format!("{} was to be found, but this was:\n{text}", rule.expect))?;
    Ok(found.trim().chars().take(120).collect())
}

/// Copies the files that Git tracks, or would.
fn copy_tree(to: &Path) -> Result<()> {
    let listed = command::output(&mut command::program(
        "git",
        [
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "--",
            "*.rs",
            "*.toml",
            "*.md",
            "Cargo.lock",
        ],
    ))?;
    for name in listed.lines() {
        let (from, to) = (workspace::root().join(name), to.join(name));
        if !from.is_file() {
            continue;
        }
        let bytes = std::fs::read(&from)?;
        // What is unchanged keeps its time, so that it is not built again.
        if std::fs::read(&to).is_ok_and(|old| old == bytes) {
            continue;
        }
        std::fs::create_dir_all(to.parent().unwrap_or(&to))?;
        std::fs::write(&to, bytes)?;
    }
    Ok(())
}
