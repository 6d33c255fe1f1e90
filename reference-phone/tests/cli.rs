//! The real binary and what it says when it is used wrongly.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn phone(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_handfast-phone"))
        .arg("--data")
        .arg(dir)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
}

/// It fails with this code, one clear line, and these words in it.
fn fails(output: &Output, code: i32, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(words), "{said}");
    if code == 1 {
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    }
}

#[test]
fn wrong_use_is_two() {
    let dir = tempfile::tempdir().expect("a directory");
    fails(&phone(dir.path(), &["--bogus"]), 2, "--bogus");
    fails(&phone(dir.path(), &["scan"]), 2, "--image");
    fails(&phone(dir.path(), &["history", "x"]), 2, "invalid");
    assert_eq!(phone(dir.path(), &["--help"]).status.code(), Some(0));
}

#[test]
fn what_is_not_there_is_said() {
    let dir = tempfile::tempdir().expect("a directory");
    fails(&phone(&dir.path().join("none"), &["chats"]), 1, "`run`");
    fails(&phone(dir.path(), &["chats"]), 1, "`run`");
    fails(&phone(dir.path(), &["--allow-relay", "a b", "chats"]), 1, "--allow-relay");
}

#[test]
fn pictures_that_give_no_code_are_told_apart() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("p.png");
    let shown = path.to_str().expect("text");
    fails(&phone(dir.path(), &["scan", "--image", shown]), 1, "cannot be read");
    std::fs::write(&path, b"no picture").expect("written");
    fails(&phone(dir.path(), &["scan", "--image", shown]), 1, "not a readable PNG");
    image::GrayImage::from_pixel(300, 300, image::Luma([255])).save(&path).expect("saved");
    fails(&phone(dir.path(), &["scan", "--image", shown]), 1, "no QR code");
    image::GrayImage::new(8_000, 5_001).save(&path).expect("saved");
    fails(&phone(dir.path(), &["scan", "--image", shown]), 1, "too large");
}

#[test]
fn a_directory_has_one_phone() {
    let dir = tempfile::tempdir().expect("a directory");
    let _held = handfast::program::DirLock::acquire(dir.path()).expect("free");
    fails(&phone(dir.path(), &["run"]), 1, "another process uses");
}

/// A running phone that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the phone of a directory; gives its first line.
fn start(dir: &Path, args: &[&str]) -> (Running, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_handfast-phone"))
        .arg("--data")
        .arg(dir)
        .args(args)
        .arg("run")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut line = String::new();
    let _ = BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    (Running(child), line)
}

/// Ends it as `kill` does; it must be gone, and well, within five seconds.
fn stop(mut running: Running) {
    let start = Instant::now();
    assert!(Command::new("kill").arg(running.0.id().to_string()).status().expect("kill").success());
    assert_eq!(running.0.wait().expect("it ends").code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(5));
}

fn says(dir: &Path, args: &[&str]) -> String {
    let output = phone(dir, args);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn it_speaks_words_to_people_and_json_to_programs() {
    let dir = tempfile::tempdir().expect("a directory");
    let (running, line) = start(dir.path(), &[]);
    assert!(line.starts_with("The phone runs as process "), "{line}");
    let words = says(dir.path(), &["status"]);
    assert!(words.contains("memory ") && words.contains("synchronous"), "{words}");
    let status: serde_json::Value =
        serde_json::from_str(&says(dir.path(), &["--json", "status"])).expect("an object");
    assert!(status["process"]["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 100_000), "{status}");
    assert_eq!((&status["process"]["sockets"], &status["links"]), (&0.into(), &serde_json::json!([])));
    assert!(says(dir.path(), &["companions"]).contains("`scan`"));
    assert!(says(dir.path(), &["send", "1", "hello there"]).contains("Accepted as message"));
    assert!(says(dir.path(), &["chats"]).starts_with("CHAT"));
    stop(running);
    let words = says(dir.path(), &["status"]);
    assert!(words.contains("none runs"), "{words}");
    assert!(says(dir.path(), &["history", "1"]).contains("hello there"), "it is there after the end");
    let (running, line) = start(dir.path(), &["--json"]);
    let line: serde_json::Value = serde_json::from_str(&line).expect("an object");
    assert_eq!(line["event"], "ready");
    stop(running);
}

#[test]
fn a_phone_is_backed_up_while_it_runs_and_restored_elsewhere() {
    let (dir, new) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let (running, _) = start(dir.path(), &[]);
    let _ = says(dir.path(), &["send", "2", "kept for ever"]);
    let file = dir.path().join("phone.backup");
    let file = file.to_str().expect("text");
    assert!(says(dir.path(), &["backup", file]).contains("keep it as you keep the phone"));
    fails(&phone(dir.path(), &["backup", file]), 1, "another file");
    fails(&phone(dir.path(), &["restore", file]), 1, "another process uses");
    stop(running);
    fails(&phone(dir.path(), &["restore", file]), 1, "empty directory");
    assert!(says(new.path(), &["restore", file]).contains("link your companions anew"));
    let (running, _) = start(new.path(), &[]);
    assert!(says(new.path(), &["history", "2"]).contains("kept for ever"));
    stop(running);
}

#[test]
fn op07_sigterm_at_any_moment_ends_it_in_time_and_the_database_is_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let (first, _) = start(dir.path(), &[]);
    stop(first);
    for round in 0..10_u64 {
        let (running, _) = start(dir.path(), &[]);
        let mut client =
            handfast::program::ControlClient::connect(dir.path()).expect("it listens").expect("it runs");
        // What it is in the middle of differs from round to round.
        for number in 0..round * 3 {
            let text = format!("round {round} text {number}");
            client.send(&serde_json::json!({"verb": "send", "chat": 1, "text": text})).expect("sent");
        }
        stop(running);
        let store = reference_phone::store::Store::open(dir.path()).expect("it opens");
        drop(store);
        // Read only: another program that closes the database as its last user would take the log away.
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let path = dir.path().join("phone.db");
        let conn = rusqlite::Connection::open_with_flags(path, flags).expect("it opens");
        let verdict: String =
            conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a verdict");
        assert_eq!(verdict, "ok", "round {round}");
    }
}

#[test]
fn op08_no_option_takes_a_secret() {
    for verb in [&["--help"][..], &["scan", "--help"], &["backup", "--help"], &["restore", "--help"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_handfast-phone")).args(verb).output().expect("it runs");
        let help = String::from_utf8(output.stdout).expect("text");
        let options: Vec<_> = help.split_whitespace().filter(|word| word.starts_with("--")).collect();
        for option in &options {
            let known = [
                "--data",
                "--allow-relay",
                "--developer",
                "--json",
                "--account-name",
                "--help",
                "--version",
                "--image",
                "--text-stdin",
            ];
            let option = option.trim_end_matches([',', '>', ']']).split('|').next().unwrap_or_default();
            assert!(known.contains(&option), "{option} is new: may a secret stand in it?");
        }
        assert!(!options.is_empty(), "{help}");
    }
}

#[test]
fn only_who_began_a_scan_answers_its_questions() {
    use handfast::handshake::pairing::Claims;
    use handfast::program::ControlClient;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;
    use serde_json::{Value, json};

    let dir = tempfile::tempdir().expect("a directory");
    let (running, _) = start(dir.path(), &["--developer"]);
    // A code of a relay that does not run: the attempt waits for its socket.
    let claims = Claims { label: "x".to_owned(), origin: String::new(), grants: 7 };
    let relay = handfast::RelayName::parse("127.0.0.1:1").expect("a name");
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let codes = handfast::session::pairing::ShownCodes::default();
    let code = handfast::session::Pairing::web(
        relay,
        claims,
        &codes,
        handfast::session::pairing::KeysInUse::none(),
        handfast::Timestamp::ZERO,
        &mut rng,
    )
    .expect("a code");
    let connect = || ControlClient::connect(dir.path()).expect("a socket").expect("a running phone");
    let (mut scanner, mut other) = (connect(), connect());
    let second = Duration::from_secs(1);
    let ask = |client: &mut ControlClient, request: Value| -> String {
        client.send(&request).expect("it is sent");
        client.recv(10 * second).expect("an answer")["error"].as_str().unwrap_or_default().to_owned()
    };
    scanner
        .send(&json!({"verb": "scan", "text": code.offer_text().expect("a code").as_str()}))
        .expect("it is sent");
    // Its answer to another request shows that the scan has begun.
    assert_eq!(ask(&mut scanner, json!({"verb": "companions"})), "");
    for answer in [json!({"check_code": "1234"}), json!({"approve": true}), json!({"approve": false})] {
        let error = ask(&mut other, answer.clone());
        assert!(error.contains("did not begin the scan"), "{answer}: {error}");
    }
    // Who began it is heard: it has not been asked yet.
    let error = ask(&mut scanner, json!({"check_code": "1234"}));
    assert!(!error.is_empty() && !error.contains("did not begin"), "{error}");
    // When its client is gone, nobody answers for it.
    drop(scanner);
    let error = ask(&mut other, json!({"approve": true}));
    assert!(error.contains("did not begin the scan"), "{error}");
    stop(running);
}
