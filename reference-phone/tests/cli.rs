//! The real binary and what it says when it is used wrongly.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use handfast_testkit::process::{Running, fails};

fn phone(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_handfast-phone"))
        .arg("--data")
        .arg(dir)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
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
    fails(&phone(dir.path(), &["scan", "--image", shown]), 1, "not a readable PNG or JPEG");
    image::GrayImage::from_pixel(300, 300, image::Luma([255])).save(&path).expect("saved");
    fails(&phone(dir.path(), &["scan", "--image", shown]), 1, "no QR code");
    image::GrayImage::new(8_000, 5_001).save(&path).expect("saved");
    fails(&phone(dir.path(), &["scan", "--image", shown]), 1, "too large");
    // On this one the decoder panics: that is nobody's business.
    let finders = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/finders.png");
    fails(&phone(dir.path(), &["scan", "--image", finders]), 1, "there is no QR code in");
}

#[test]
fn a_directory_has_one_phone() {
    let dir = tempfile::tempdir().expect("a directory");
    let _held = handfast_programs::DirLock::acquire(dir.path()).expect("free");
    fails(&phone(dir.path(), &["run"]), 1, "another process uses");
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
fn sigterm_at_any_moment_ends_it_in_time_and_the_database_is_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let (first, _) = start(dir.path(), &[]);
    stop(first);
    for round in 0..10_u64 {
        let (running, _) = start(dir.path(), &[]);
        let mut client =
            handfast_programs::ControlClient::connect(dir.path()).expect("it listens").expect("it runs");
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
fn no_option_takes_a_secret() {
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
                "--ca",
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
    use handfast_programs::ControlClient;
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
    assert_eq!(scanner.recv(10 * second).expect("a step")["event"], "looking");
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

/// A named pipe, which is how a hung mount looks to whoever opens it: the open never returns.
fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo runs").success());
}

#[test]
fn a_file_that_never_answers_or_is_none_holds_up_nobody() {
    let dir = tempfile::tempdir().expect("a directory");
    let (running, _) = start(dir.path(), &[]);
    let (fifo, socket) = (dir.path().join("pipe"), dir.path().join("socket"));
    pipe(&fifo);
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let shown = |path: &Path| path.to_str().expect("text").to_owned();
    let missing = shown(&dir.path().join("none"));
    for (path, words) in [
        (shown(&fifo), "is a named pipe, not a file"),
        (shown(&socket), "is a socket, not a file"),
        (shown(dir.path()), "is a directory, not a file"),
        ("/dev/zero".to_owned(), "is a device, not a file"),
        ("/dev/tty".to_owned(), "is a device, not a file"),
        (missing, "No such file or directory"),
        ("/proc/self/mem".to_owned(), "cannot be read"),
    ] {
        let start = Instant::now();
        let said = phone(dir.path(), &["attach", "1", &path]);
        fails(&said, 1, words);
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(!said.contains("uncategorized") && !said.contains("os error"), "{said}");
        assert_eq!(said.matches("No such file").count(), usize::from(words.starts_with("No such")), "{said}");
        assert!(start.elapsed() < Duration::from_secs(20), "{path}");
        assert!(says(dir.path(), &["status"]).contains("memory "), "it answers after {path}");
    }
    let file = dir.path().join("file");
    std::fs::write(&file, b"hello").expect("written");
    assert!(says(dir.path(), &["attach", "1", &shown(&file)]).contains("Accepted as message"));
    stop(running);
    // The same without a running phone.
    fails(&phone(dir.path(), &["attach", "1", &shown(&fifo)]), 1, "is a named pipe, not a file");
}

#[test]
fn sighup_ends_it_as_sigterm_does() {
    for signal in ["-HUP", "-INT", "-TERM"] {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut running, _) = start(dir.path(), &[]);
        let start = Instant::now();
        // Twice, as `timeout` does.
        let id = running.0.id().to_string();
        let killed = Command::new("kill").arg(signal).args([&id, &id]).status();
        assert!(killed.expect("kill runs").success());
        assert_eq!(running.0.wait().expect("it ends").code(), Some(0), "{signal}");
        assert!(start.elapsed() < Duration::from_secs(5), "{signal}");
        assert!(!dir.path().join("control.sock").exists(), "{signal}: the socket is gone");
    }
}

#[test]
fn text_that_begins_with_a_dash_is_text() {
    let dir = tempfile::tempdir().expect("a directory");
    let (running, _) = start(dir.path(), &[]);
    let texts = ["-hello", "-1 degree", "--json", "-h", "--help", "-", "--data=x", "-V", "\u{2014}dash"];
    for text in texts {
        assert!(says(dir.path(), &["send", "1", text]).contains("Accepted as message"), "{text}");
    }
    assert!(says(dir.path(), &["send", "1", "--", "--"]).contains("Accepted as message"));
    let history = says(dir.path(), &["history", "1"]);
    for text in texts {
        assert!(history.lines().any(|line| line.ends_with(&format!(" {text}"))), "{text}: {history}");
    }
    let said = says(dir.path(), &["--json", "send", "1", "x"]);
    let id = serde_json::from_str::<serde_json::Value>(&said).expect("an object")["id"].to_string();
    assert!(says(dir.path(), &["edit", "1", &id, "-help me"]).contains("Changed"));
    for reaction in ["-x", "-1", "--", "-h"] {
        let arguments: &[&str] =
            if reaction == "--" { &["react", "1", &id, "--", "--"] } else { &["react", "1", &id, reaction] };
        assert!(says(dir.path(), arguments).contains("Changed"), "{reaction}");
    }
    assert!(says(dir.path(), &["history", "1"]).contains("-help me (edited) [-h you]"));
    // Options of the program stay options, and a text that is missing is missed.
    fails(&phone(dir.path(), &["send", "1"]), 2, "TEXT");
    fails(&phone(dir.path(), &["history", "-x"]), 2, "-x");
    assert!(says(dir.path(), &["help", "send"]).contains("TEXT"));
    stop(running);
}

#[test]
fn a_reader_that_is_gone_is_no_failure_and_a_full_disk_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let (running, _) = start(dir.path(), &[]);
    for verb in [&["chats"][..], &["history", "1"], &["status"], &["--json", "chats"], &["companions"]] {
        let with = |out: Stdio| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_handfast-phone"));
            let _ = command.arg("--data").arg(dir.path()).args(verb).stdin(Stdio::null()).stdout(out);
            command.output().expect("the binary runs")
        };
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let gone = with(writer.into());
        assert_eq!((gone.status.code(), gone.stderr.as_slice()), (Some(0), &b""[..]), "{verb:?}");
        let full = with(std::fs::File::options().write(true).open("/dev/full").expect("there").into());
        fails(&full, 2, "standard output cannot be written: No space left on device");
    }
    stop(running);
}

#[test]
fn what_is_pasted_is_read_and_what_is_missing_is_said() {
    let dir = tempfile::tempdir().expect("a directory");
    let (running, _) = start(dir.path(), &["--developer"]);
    let scan = |text: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_handfast-phone"))
            .arg("--data")
            .arg(dir.path())
            .args(["scan", "--text-stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut input = child.stdin.take().expect("piped");
        std::io::Write::write_all(&mut input, text.as_bytes()).expect("written");
        drop(input);
        child.wait_with_output().expect("it ends")
    };
    for nothing in ["", "\n\n", "\u{feff}\r\n\u{200b}\n"] {
        fails(&scan(nothing), 1, "there is no code on stdin");
    }
    fails(&scan("\n\n  hello\n"), 1, "not a Handfast code");
    fails(&scan("\u{feff}\"hf1*abc\u{200b}\"\r\n"), 1, "damaged");
    stop(running);
}

#[test]
fn an_authority_of_ones_own_is_a_file_that_is_looked_at() {
    let dir = tempfile::tempdir().expect("a directory");
    let (fifo, none, text) = (dir.path().join("pipe"), dir.path().join("none"), dir.path().join("text"));
    pipe(&fifo);
    std::fs::write(&text, b"hello").expect("written");
    for (path, words) in
        [(&fifo, "is a named pipe"), (&none, "No such file"), (&text, "holds no certificate in PEM form")]
    {
        let path = path.to_str().expect("text");
        let data = dir.path().join("data");
        let said = phone(&data, &["--ca", path, "run"]);
        fails(&said, 1, words);
        assert!(String::from_utf8_lossy(&said.stderr).contains("--ca"), "{said:?}");
    }
}
