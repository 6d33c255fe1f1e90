//! The runner against real processes: the Rust shim, and shims that misbehave in each way.

mod shims;

use std::process::Command;

use serde_json::{Value, json};
use shims::{Folder, RUNNER, SHIM, text};

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
        ("hangs", "if n == 2: time.sleep(60)", "HANG", "no answer within 1500 ms"),
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
        let folder = Folder::new(name);
        let (code, told) = folder.run(&format!("{body}\n{right}"), &[]);
        assert_eq!(code, Some(1), "{name}: {told}");
        assert!(told.contains("PASS 3 "), "{name}: the others pass: {told}");
        assert!(told.contains(&format!("{class} 1 ")) && told.contains(reason), "{name}: {told}");
        assert!(told.contains(&format!("  {class} t/2: ")), "{name}: {told}");
        assert!(!told.contains('\x1b'), "{name}: nothing for the terminal to obey");
    }
}

#[test]
fn what_is_said_unasked_is_noticed() {
    let (code, told) = Folder::new("unasked").run("say(right)\nif n == 2: say(right)", &[]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("FAIL t/3: it answered 2, asked was 3") && told.contains("PASS 3 "), "{told}");
}

#[test]
fn a_shim_of_another_version_fails_and_the_next_one_is_run() {
    let folder = Folder::new("version");
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
    let folder = Folder::new("never");
    let shim = folder.file("shim.py", "import time\ntime.sleep(60)");
    let (code, told) =
        folder.run_command(&format!("python3 -B '{}'", shim.display()), &["--patience-ms", "500"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("HANG no answer within 500 ms"), "{told}");
}

#[test]
fn what_is_not_supported_is_told_unless_it_was_promised() {
    let folder = Folder::new("unsupported");
    let body = "say({'id': request['id'], 'unsupported': 'echo'} if n == 2 else right)";
    let (code, told) = folder.run(body, &[]);
    assert!(code == Some(0) && told.contains("UNSUPPORTED 1 "), "{told}");
    let (code, told) = folder.run(body, &["--complete"]);
    assert!(code == Some(1) && told.contains("UNSUPPORTED t/2: not supported: echo"), "{told}");
    let text = std::fs::read_to_string(folder.0.join("shim.py")).expect("the shim");
    let shim = folder.file("promises.py", &text.replace("\"roles\"", "\"ops\": [\"test.echo\"], \"roles\""));
    let (code, told) = folder.run_command(&format!("python3 -B '{}'", shim.display()), &[]);
    assert!(code == Some(1) && told.contains("FAIL t/2: its hello names"), "{told}");
}

#[test]
fn a_case_is_asked_as_often_as_wished() {
    let body = "seen = globals().get('seen', 0) + 1\nif seen == 3: right['out'] = {}\nsay(right)";
    let folder = Folder::new("repeat");
    let (code, told) = folder.run(body, &["--repeat", "4", "--case", "t/1"]);
    assert!(code == Some(1) && told.contains("FAIL t/1: time 3 of 4: `x` is missing"), "{told}");
}

#[test]
fn skips_stand_in_the_result_with_their_reasons() {
    let folder = Folder::new("skips");
    let skips = folder.file("skips.toml", "[[skip]]\ncase = 't/3'\nreason = 'echo is broken there'");
    let more = ["--skips", skips.to_str().expect("text")];
    let (code, told) = folder.run("say(right)", &more);
    assert!(code == Some(0) && told.contains("SKIPPED t/3: echo is broken there"), "{told}");
    let stale = folder.file("skips.toml", "[[skip]]\ncase = 'gone/*'\nreason = 'x'");
    let (code, told) = folder.run("say(right)", &["--skips", stale.to_str().expect("text")]);
    assert!(code == Some(2) && told.contains("these skips fit no case: gone/*"), "{told}");
}

#[test]
fn wrong_usage_and_damaged_files_end_with_2() {
    let folder = Folder::new("usage");
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
    let path = folder.0.join("v1/t.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(&path).expect("text")).expect("JSON");
    for (name, value) in [("schema", json!("handfast-vectors.v2")), ("count", json!(5))] {
        let mut wrong = file.clone();
        wrong[name] = value;
        std::fs::write(&path, wrong.to_string()).expect("written");
        let (code, told) = folder.run("say(right)", &[]);
        assert!(code == Some(2) && told.contains("t.json: "), "{name}: {told}");
        let mut list = Command::new(RUNNER);
        let output = list.arg("--folder").arg(folder.0.join("v1")).arg("list").output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{name}: list says so too");
    }
}
