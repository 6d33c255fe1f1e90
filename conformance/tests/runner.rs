//! The runner against real processes: the Rust shim, and shims that misbehave in each way.

use std::process::Command;

use crate::shims::{Folder, RUNNER, SHIM, text};

const RUST_SHIM: &str = concat!(env!("CARGO_BIN_EXE_handfast-shim"), " --role phone --role web --role relay");

#[test]
fn the_rust_shim_passes_every_case() {
    let mut command = Command::new(RUNNER);
    let _ = command.args(["run", "--shim", RUST_SHIM, "--level", "strict", "--complete"]);
    let (code, told) = text(&command.output().expect("the runner runs"));
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("FAIL 0  CRASH 0  HANG 0  UNSUPPORTED 0  SKIPPED 0"), "{told}");
}

/// Each misbehaviour is one failure with its reason, and the other cases pass.
#[test]
fn a_shim_that_misbehaves_fails_one_case_and_the_run_goes_on() {
    let right = "say(right)";
    for (name, body, class, reason) in [
        ("crashes", "if n == 2: os._exit(3)", "CRASH", "exit status: 3"),
        (
            "closes",
            "if n == 2: sys.stdout.close(); os.close(1); time.sleep(60)",
            "CRASH",
            "closed its output",
        ),
        (
            "babbles",
            "if n == 2: print('Ahoy \\x1b[2J', flush=True); continue",
            "FAIL",
            "no JSON object: Ahoy",
        ),
        ("bytes", "if n == 2: os.write(1, b'\\xff\\xfe\\n'); continue", "FAIL", "no JSON object"),
        ("order", "if n == 2: right['id'] += 1", "FAIL", "answered 3, asked was 2"),
        ("no id", "if n == 2: del right['id']", "FAIL", "no `id`"),
        ("megabyte", "if n == 2: right['out'] = 'x' * 10**6", "FAIL", "a line of more than"),
        ("endless", "if n == 2:\n    while True: os.write(1, b'x' * 65536)", "FAIL", "a line of more than"),
        ("no ok", "if n == 2: del right['ok']", "FAIL", "`ok` is missing"),
        ("no out", "if n == 2: right['out'] = 7", "FAIL", "`out` is missing"),
        ("wrong", "if n == 2: right['out']['x'] = '02'", "FAIL", "`x` is \"02\", right is \"01\""),
    ] {
        let folder = Folder::new();
        let (code, told) = folder.run(&format!("{body}\n{right}"), &[]);
        assert_eq!(code, Some(1), "{name}: {told}");
        assert!(told.contains("PASS 3 "), "{name}: the others pass: {told}");
        assert!(told.contains(&format!("{class} 1 ")) && told.contains(reason), "{name}: {told}");
        assert!(told.contains(&format!("  {class} t/2: ")), "{name}: {told}");
        assert!(!told.contains('\x1b'), "{name}: nothing for the terminal to obey");
    }
}

/// The limit is that of an answer: the start of the process, which may take longer, is not under it.
#[test]
fn a_shim_that_hangs_is_ended_and_started_again() {
    let more = ["--patience-ms", "3000"];
    let (code, told) = Folder::new().run("if n == 2: time.sleep(60)\nsay(right)", &more);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("PASS 3 ") && told.contains("HANG t/2: no answer within 3000 ms"), "{told}");
}

#[test]
fn what_is_said_unasked_is_noticed() {
    let (code, told) = Folder::new().run("say(right)\nif n == 2: say(right)", &[]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("FAIL t/3: it answered 2, asked was 3") && told.contains("PASS 3 "), "{told}");
}

#[test]
fn a_shim_of_another_version_fails_and_the_next_one_is_run() {
    let folder = Folder::new();
    let shim = |name: &str, hello: &str| {
        let body = "    say(right)";
        let text = SHIM.replace("BODY", body).replace("\"proto\": 1", hello);
        format!("python3 -B '{}'", folder.file(name, &text).display())
    };
    let (other, right) = (shim("other.py", "\"proto\": 9"), shim("right.py", "\"proto\": 1"));
    let (code, told) = folder.run_command(&other, &["--shim", &right]);
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("FAIL it speaks version 9 of the shim protocol") && told.contains("PASS 4 "),
        "{told}"
    );
    let (code, told) = folder.run_command("/no/such/shim", &["--shim", &right]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("cannot be started") && told.contains("PASS 4 "), "{told}");
}

#[test]
fn a_shim_that_never_answers_is_not_asked_for_ever() {
    let folder = Folder::new();
    let shim = folder.file("shim.py", "import time\ntime.sleep(60)");
    let (code, told) =
        folder.run_command(&format!("python3 -B '{}'", shim.display()), &["--start-ms", "500"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("HANG no answer within 500 ms"), "{told}");
}

#[test]
fn what_is_not_supported_is_told_unless_it_was_promised() {
    let folder = Folder::new();
    let body = "say({'id': request['id'], 'unsupported': 'echo'} if n == 2 else right)";
    let (code, told) = folder.run(body, &[]);
    assert!(code == Some(0) && told.contains("UNSUPPORTED 1 "), "{told}");
    assert!(told.contains("\n  not supported yet: test.echo (1)\n"), "{told}");
    let (code, told) = folder.run(body, &["--complete"]);
    assert!(code == Some(1) && told.contains("UNSUPPORTED t/2: not supported: echo"), "{told}");
    let text = std::fs::read_to_string(folder.path().join("shim.py")).expect("the shim");
    let shim = folder.file("promises.py", &text.replace("\"roles\"", "\"ops\": [\"test.echo\"], \"roles\""));
    let (code, told) = folder.run_command(&format!("python3 -B '{}'", shim.display()), &[]);
    assert!(code == Some(1) && told.contains("FAIL t/2: its hello names"), "{told}");
}

#[test]
fn a_case_is_asked_as_often_as_wished() {
    let body = "seen = globals().get('seen', 0) + 1\nif seen == 3: right['out'] = {}\nsay(right)";
    let folder = Folder::new();
    let (code, told) = folder.run(body, &["--repeat", "4", "--case", "t/1"]);
    assert!(code == Some(1) && told.contains("FAIL t/1: time 3 of 4: `x` is missing"), "{told}");
}

#[test]
fn skips_stand_in_the_result_with_their_reasons() {
    let folder = Folder::new();
    let skips = folder.file("skips.toml", "[[skip]]\ncase = 't/3'\nreason = 'echo is broken there'");
    let more = ["--skips", skips.to_str().expect("text")];
    let (code, told) = folder.run("say(right)", &more);
    assert!(code == Some(0) && told.contains("SKIPPED t/3: echo is broken there"), "{told}");
    let stale = folder.file("skips.toml", "[[skip]]\ncase = 'gone/*'\nreason = 'x'");
    let (code, told) = folder.run("say(right)", &["--skips", stale.to_str().expect("text")]);
    assert!(code == Some(2) && told.contains("these skips fit no case: gone/*"), "{told}");
}

#[test]
fn wrong_usage_ends_with_2() {
    let folder = Folder::new();
    for (more, part) in [
        (&["--case", "none/*"][..], "no case fits"),
        (&["--jobs", "0"], "at least 1"),
        (&["--level", "loose"], "loose"),
        (&["--skips", "/no/such/file"], "/no/such/file"),
        (&["--shim", "a 'b"], "does not end"),
    ] {
        let (code, told) = folder.run_command("python3 -c pass", more);
        assert!(code == Some(2) && told.contains(part), "{told}");
    }
}

/// What is damaged or newer is refused by its name, by whatever reads it.
#[test]
fn damaged_and_newer_files_are_refused_by_name() {
    let folder = Folder::new();
    let (file, manifest) = ("v1/t.json", "manifest.json");
    let whole = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("text");
    for (name, from, to, part) in [
        (file, "handfast-vectors.v1", "handfast-vectors.v2", "its schema is \"handfast-vectors.v2\""),
        (file, "\"count\": 4", "\"count\": 5", "it says 5 cases and has 4"),
        (file, "\"x\": \"01\"", "\"x\": \"02\"", "its SHA-256 is not that of the manifest"),
        (file, "\"cases\"", "\"cases", "line"),
        (manifest, "handfast-manifest.v1", "handfast-manifest.v2", "its schema is \"handfast-manifest.v2\""),
        (manifest, "\"count\": 4", "\"count\": true", "line"),
        (manifest, "v1/t.json", "v1/u.json", "the manifest does not list it"),
    ] {
        let right = whole(name);
        let wrong = right.replacen(from, to, 1);
        assert_ne!(right, wrong, "{from}");
        let _ = folder.file(name, &wrong);
        let (code, told) = folder.run("say(right)", &[]);
        let blamed = if part.contains("not list") { file } else { name };
        assert!(code == Some(2) && told.contains(&format!("{blamed}: ")), "{to}: {told}");
        assert!(told.contains(part), "{to}: {told}");
        for verb in [&["list", "--stats"][..], &["check"]] {
            let mut command = Command::new(RUNNER);
            let output = command.arg("--folder").arg(folder.path().join("v1")).args(verb).output();
            let (code, told) = text(&output.expect("it runs"));
            assert!(code == Some(2) && told.contains(part), "{verb:?}: {told}");
        }
        let _ = folder.file(name, &right);
    }
    let (code, told) = folder.run("say(right)", &[]);
    assert_eq!(code, Some(0), "whole again: {told}");
    std::fs::remove_file(folder.path().join(manifest)).expect("removed");
    let (code, told) = folder.run("say(right)", &[]);
    assert!(
        code == Some(2) && told.contains("manifest.json: ") && told.contains("beside the vectors"),
        "{told}"
    );
}
