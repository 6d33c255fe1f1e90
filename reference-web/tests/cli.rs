//! The real binary and what it says when it is used wrongly, or has no relay.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_handfast-web"));
    let _ = command.arg("--data").arg(dir).args(args).stdin(Stdio::null());
    command
}

fn web(dir: &Path, args: &[&str]) -> Output {
    command(dir, args).output().expect("the binary runs")
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

/// A running program that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
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
    let _held = handfast::program::DirLock::acquire(dir.path()).expect("free");
    fails(&web(dir.path(), &["pair"]), 1, "another process uses");
}

#[test]
fn a_picture_that_cannot_be_drawn_ends_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("none").join("code.png");
    let path = path.to_str().expect("text");
    fails(&web(dir.path(), &["--json", "pair", "--qr-png", path]), 1, "code.png");
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

#[test]
fn a_relay_that_answers_garbage_or_nothing_hangs_nobody() {
    for answer in [&b"HTTP/1.1 200 OK\r\n\r\nhello"[..], b"\x00\xff\x00\xff", b""] {
        let dir = tempfile::tempdir().expect("a directory");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let relay = format!("127.0.0.1:{}", listener.local_addr().expect("an address").port());
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().expect("a client");
            let mut request = [0; 64];
            let _ = socket.read(&mut request);
            let _ = socket.write_all(answer);
        });
        let running = says(dir.path(), &["--json", "--relay", &relay, "pair"], "relay_lost");
        drop(running);
        server.join().expect("the server ends");
    }
}
