//! The real binary and what it says when it is used wrongly, or has no relay.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use handfast_testkit::process::{Running, fails};

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_handfast-web"));
    let _ = command.arg("--data").arg(dir).args(args).stdin(Stdio::null());
    command
}

fn web(dir: &Path, args: &[&str]) -> Output {
    command(dir, args).output().expect("the binary runs")
}

/// Runs the program and reads its events until one holds these words.
fn says(dir: &Path, args: &[&str], words: &str) -> Running {
    let mut child =
        command(dir, args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary runs");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let running = Running(child);
    let mut heard = Vec::new();
    for line in lines {
        let line = line.expect("text");
        heard.push(line.clone());
        if line.contains(words) {
            return running;
        }
    }
    panic!("it ended without `{words}`: {heard:?}");
}

#[test]
fn wrong_use_is_two() {
    let dir = tempfile::tempdir().expect("a directory");
    fails(&web(dir.path(), &["--bogus"]), 2, "--bogus");
    fails(&web(dir.path(), &["history", "x"]), 2, "invalid");
    fails(&web(dir.path(), &["send", "1"]), 2, "TEXT");
    assert_eq!(web(dir.path(), &["--help"]).status.code(), Some(0));
    assert_eq!(web(dir.path(), &["--version"]).status.code(), Some(0));
}

#[test]
fn what_is_not_there_is_said() {
    let dir = tempfile::tempdir().expect("a directory");
    for verb in [&["run"][..], &["chats"], &["status"], &["send", "1", "x"], &["logout", "--yes"]] {
        fails(&web(dir.path(), verb), 1, "`pair`");
    }
    fails(&web(dir.path(), &["--relay", "a b", "pair"]), 1, "--relay");
    let long = format!("{}.example", "a".repeat(40));
    fails(&web(dir.path(), &["--relay", &long, "pair"]), 1, "40 bytes");
    fails(&web(dir.path(), &["pair", "--label", ""]), 1, "--label");
    fails(&web(&dir.path().join("none"), &["chats"]), 1, "`pair`");
}

#[test]
fn a_directory_has_one_companion() {
    let dir = tempfile::tempdir().expect("a directory");
    let _held = handfast_programs::DirLock::acquire(dir.path()).expect("free");
    fails(&web(dir.path(), &["pair"]), 1, "another process uses");
}

#[test]
fn a_picture_that_cannot_be_drawn_ends_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("none").join("code.png");
    let path = path.to_str().expect("text");
    fails(&web(dir.path(), &["--json", "pair", "--qr-png", path]), 1, "there is no directory");
}

#[test]
fn an_unreachable_relay_is_told_and_the_code_stays() {
    let dir = tempfile::tempdir().expect("a directory");
    // A port that was free a moment ago, and that nobody listens on.
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let relay = format!("127.0.0.1:{port}");
    let running = says(dir.path(), &["--json", "--relay", &relay, "pair"], "relay_lost");
    drop(running);
    // Nothing was stored by a code that nobody scanned.
    fails(&web(dir.path(), &["run"]), 1, "not linked");
}

/// Runs `pair` at a server that gives this answer to its one client, until the program says these words.
fn pair_with(dir: &Path, answer: &'static [u8], options: &[&str], words: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let relay = format!("127.0.0.1:{}", listener.local_addr().expect("an address").port());
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a client");
        let mut request = [0; 1_024];
        let _ = socket.read(&mut request);
        let _ = socket.write_all(answer);
    });
    drop(says(dir, &[options, &["--relay", &relay, "pair"]].concat(), words));
    server.join().expect("the server ends");
}

#[test]
fn a_relay_that_answers_garbage_or_nothing_hangs_nobody() {
    for answer in [&b"HTTP/1.1 200 OK\r\n\r\nhello"[..], b"\x00\xff\x00\xff", b""] {
        let dir = tempfile::tempdir().expect("a directory");
        pair_with(dir.path(), answer, &["--json"], "relay_lost");
    }
}

/// Runs `pair` until a code was told, then ends it by a signal; returns what it said until then.
fn pair_until_code(dir: &Path, args: &[&str], signal: &str) -> String {
    let relay = format!(
        "127.0.0.1:{}",
        TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("one").port()
    );
    let all = [&["--relay", &relay][..], args].concat();
    let mut child = command(dir, &all).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut running = Running(child);
    let mut heard = String::new();
    for line in lines.by_ref() {
        heard += &line.expect("text");
        heard.push('\n');
        if heard.contains("link a device") || heard.contains("--json") || heard.contains("\"code\"") {
            break;
        }
    }
    if let Some(picture) = args.iter().position(|arg| *arg == "--qr-png").and_then(|at| args.get(at + 1)) {
        assert!(Path::new(picture).is_file(), "the picture is there before the code is told");
    }
    let killed =
        Command::new("kill").arg(signal).arg(running.0.id().to_string()).status().expect("kill runs");
    assert!(killed.success());
    assert_eq!(running.0.wait().expect("it ends").code(), Some(0), "{signal}");
    heard
}

#[test]
fn a_code_is_drawn_on_a_terminal_alone_and_its_picture_does_not_stay() {
    let dir = tempfile::tempdir().expect("a directory");
    let picture = dir.path().join("code.png");
    let shown = picture.to_str().expect("text");
    for signal in ["-HUP", "-TERM", "-INT"] {
        let said = pair_until_code(dir.path(), &["pair"], signal);
        assert!(!said.contains('\u{2588}') && !said.contains('\x1b') && !said.contains("HF"), "{said}");
        assert!(said.contains("no terminal") && said.contains("--qr-png FILE"), "{said}");
        let said = pair_until_code(dir.path(), &["pair", "--qr-png", shown], signal);
        assert!(said.contains("The code is in") && !said.contains('\u{2588}'), "{said}");
        assert!(!picture.exists(), "{signal}: it holds a secret that is of no use any more");
        assert!(!dir.path().join("control.sock").exists(), "{signal}");
    }
    let said = pair_until_code(dir.path(), &["--json", "pair", "--qr-png", shown], "-TERM");
    assert!(!said.contains("drawing") && !said.contains("not_drawn"), "{said}");
}

#[test]
fn a_picture_goes_to_a_plain_file_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let (fifo, link, target) = (dir.path().join("pipe"), dir.path().join("link"), dir.path().join("target"));
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());
    std::fs::write(&target, b"theirs").expect("written");
    std::os::unix::fs::symlink(&target, &link).expect("planted");
    for (path, words) in [
        (fifo.as_path(), "is a named pipe"),
        (link.as_path(), "is a symbolic link"),
        (dir.path(), "is a directory"),
        (Path::new("/dev/null"), "is a device"),
    ] {
        fails(&web(dir.path(), &["pair", "--qr-png", path.to_str().expect("text")]), 1, words);
    }
    assert_eq!(std::fs::read(&target).expect("read"), b"theirs");
}

#[test]
fn words_for_what_answers_in_a_relays_place_and_for_a_file_of_authorities() {
    for (answer, words) in [
        (&b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n\r\n"[..], "want a log-in first"),
        (b"HTTP/1.1 511 Network Authentication Required\r\n\r\n", "want a log-in first"),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 9\r\n\r\n", "left alone for 9 s"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "does not speak WebSocket"),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        pair_with(dir.path(), answer, &[], words);
    }
    let dir = tempfile::tempdir().expect("a directory");
    let text = dir.path().join("text");
    std::fs::write(&text, b"hello").expect("written");
    let said = web(dir.path(), &["--ca", text.to_str().expect("text"), "pair"]);
    fails(&said, 1, "holds no certificate in PEM form");
}

#[test]
fn labels_and_texts_may_begin_with_a_dash() {
    let dir = tempfile::tempdir().expect("a directory");
    let _ = pair_until_code(dir.path(), &["--json", "pair", "--label", "-my laptop"], "-TERM");
    // Taken as texts, so that what is refused is that there is no link.
    for verb in [
        &["send", "1", "-hello"][..],
        &["send", "1", "-h"],
        &["edit", "1", "2", "--json"],
        &["react", "1", "2", "-x"],
    ] {
        fails(&web(&dir.path().join("none"), verb), 1, "`pair`");
    }
}
