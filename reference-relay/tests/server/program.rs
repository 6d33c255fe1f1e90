//! The program: its lines, its exit codes, its signals.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_handfast-relay"));
    let _ = command.env_remove("RUST_LOG").env_remove("HANDFAST_KILL_AT").stdin(Stdio::null());
    command
}

/// A program that is killed with the test.
struct Running {
    child: Child,
    line: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(arguments: &[&str]) -> Running {
    let mut child = program().args(arguments).stdout(Stdio::piped()).spawn().expect("the program is built");
    let mut line = String::new();
    let _ = BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    Running { child, line: line.trim_end().to_owned() }
}

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = program().args(arguments).output().expect("the program is built");
    (status.code(), String::from_utf8(stderr).expect("text"))
}

#[test]
fn it_says_where_it_listens_and_ends_on_sigterm() {
    let mut running = start(&["--listen", "127.0.0.1:0"]);
    let words: Vec<_> = running.line.split(' ').collect();
    let ["listening", "on", url, "name", name, "pid", pid] = words[..] else { panic!("{}", running.line) };
    assert_eq!(url, format!("ws://{name}"));
    assert_eq!(pid, running.child.id().to_string());
    assert!(!name.ends_with(":0"), "the port that was taken");
    let start = Instant::now();
    assert!(Command::new("kill").arg(pid).status().expect("kill").success());
    assert_eq!(running.child.wait().expect("it ends").code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn sighup_does_not_end_it() {
    for arguments in [
        &["--listen", "127.0.0.1:0"][..],
        &["--listen", "127.0.0.1:0", "--json"],
        &["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"],
    ] {
        let mut running = start(arguments);
        let pid = running.child.id().to_string();
        for _ in 0..3 {
            assert!(Command::new("kill").args(["-HUP", &pid]).status().expect("kill").success());
        }
        // The signals are delivered before this one.
        assert!(Command::new("kill").arg(&pid).status().expect("kill").success());
        assert_eq!(running.child.wait().expect("it ends").code(), Some(0), "by SIGTERM, in order");
    }
}

#[test]
fn a_name_that_nobody_can_dial_is_refused_with_what_to_do() {
    for arguments in [
        &["--listen", "0.0.0.0:0"][..],
        &["--listen", "[::]:0"],
        &["--listen", "[::ffff:0.0.0.0]:0"],
        &["--listen", "127.0.0.1:0", "--name", "0.0.0.0:8787"],
        &["--listen", "127.0.0.1:0", "--name", "[::]"],
        &["--listen", "127.0.0.1:0", "--name", "0.1.2.3"],
        &["--listen", "127.0.0.1:0", "--name", "224.0.0.1"],
        &["--listen", "127.0.0.1:0", "--name", "255.255.255.255:1"],
        &["--listen", "127.0.0.1:0", "--name", "[ff02::1]"],
    ] {
        let (code, said) = run(arguments);
        assert_eq!(code, Some(1), "{arguments:?}: {said}");
        assert!(said.contains("nobody can dial") && said.contains("--name HOST"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let (code, said) = run(&["--listen", "127.0.0.1:0", "--name", "localhost:0"]);
    assert!(code == Some(2) && said.contains("relay name"), "{said}");
    let running = start(&["--listen", "0.0.0.0:0", "--name", "relay.example"]);
    assert!(running.line.contains(" name relay.example "), "{}", running.line);
}

#[test]
fn it_speaks_json() {
    let running = start(&["--listen", "127.0.0.1:0", "--name", "relay.example", "--json"]);
    let line: serde_json::Value = serde_json::from_str(&running.line).expect("an object");
    assert_eq!(line["event"], "listening");
    assert_eq!(line["name"], "relay.example");
    assert_eq!(line["pid"], running.child.id());
    assert!(line["url"].as_str().is_some_and(|url| url.starts_with("ws://127.0.0.1:")), "{line}");
}

#[test]
fn a_port_in_use_is_one_clear_line_and_exit_code_1() {
    let running = start(&["--listen", "127.0.0.1:0"]);
    let address = running.line.split(' ').nth(4).expect("a name");
    let (code, said) = run(&["--listen", address]);
    assert_eq!(code, Some(1));
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(&format!("{address} is in use")) && said.contains("--listen"), "{said}");
    let (_, said) = run(&["--listen", address, "--json"]);
    let said: serde_json::Value = serde_json::from_str(&said).expect("an object");
    assert_eq!((&said["event"], &said["exit"]), (&"error".into(), &1.into()));
}

#[test]
fn usage_errors_are_exit_code_2_and_files_that_fail_are_1() {
    for (arguments, expected, part) in [
        (&["--nonsense"][..], 2, "--nonsense"),
        (&["--name", "Not A Name"], 2, "lower case"),
        (&["--listen", "somewhere"], 2, "--listen"),
        (&["--tls-cert", "a.pem"], 2, "--tls-key"),
        (&["--config", "/nowhere/at.all"], 2, "--config"),
        (
            &["--listen", "127.0.0.1:0", "--tls-cert", "/nowhere/a", "--tls-key", "/nowhere/b"],
            1,
            "/nowhere/a",
        ),
        (&["--listen", "192.0.2.1:1"], 1, "192.0.2.1:1"),
    ] {
        let (code, said) = run(arguments);
        assert_eq!(code, Some(expected), "{arguments:?}: {said}");
        assert!(said.contains(part) && !said.contains("panicked"), "{said}");
    }
    let help = program().arg("--help").output().expect("it runs");
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("--allow-origin"));
    assert_eq!(program().arg("--version").output().expect("it runs").status.code(), Some(0));
}

#[test]
fn status_asks_the_running_relay() {
    let running = start(&["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]);
    let url = running.line.split(' ').nth(8).expect("where the metrics are");
    let address = url.strip_prefix("http://").and_then(|url| url.strip_suffix("/metrics")).expect(url);
    let said = program().args(["--metrics", address, "--json", "status"]).output().expect("it runs");
    let said: serde_json::Value = serde_json::from_slice(&said.stdout).expect("an object");
    assert_eq!((&said["sockets"], &said["queued_bytes"]), (&0.into(), &0.into()));
    assert!(said["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 100_000), "{said}");
    let words = program().args(["--metrics", address, "status"]).output().expect("it runs");
    assert!(String::from_utf8_lossy(&words.stdout).contains("tasks"));
    let address = address.to_owned();
    drop(running);
    let (code, said) = run(&["--metrics", &address, "status"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("--metrics") && said.lines().count() == 1, "{said}");
    let (code, said) = run(&["status"]);
    assert!(code == Some(1) && said.contains("--metrics"), "{said}");
}

#[test]
fn a_configuration_file_is_read() {
    let path = std::env::temp_dir().join(format!("handfast-relay-{}.json", std::process::id()));
    std::fs::write(&path, r#"{"listen": "127.0.0.1:0", "name": "relay.example"}"#).expect("written");
    let running = start(&["--config", path.to_str().expect("text"), "--name", "other.example"]);
    assert!(running.line.contains(" name other.example "), "the command line goes before: {}", running.line);
    std::fs::write(&path, r#"{"listne": 1}"#).expect("written");
    let (code, said) = run(&["--config", path.to_str().expect("text")]);
    assert_eq!(code, Some(2));
    assert!(said.contains("listne") && said.lines().count() == 1, "{said}");
    std::fs::remove_file(&path).expect("removed");
}

#[test]
fn nothing_is_logged_unless_asked_for() {
    let mut command = program();
    // Few enough that no machine has too few descriptors for them.
    let _ = command
        .args(["--listen", "127.0.0.1:0", "--sockets", "64"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut line = String::new();
    let _ = BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    assert!(Command::new("kill").arg(child.id().to_string()).status().expect("kill").success());
    let mut said = String::new();
    let _ = child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    assert_eq!((child.wait().expect("it ends").code(), said.as_str()), (Some(0), ""));
}

#[test]
fn a_relay_that_ran_out_of_file_descriptors_goes_on() {
    let mut command = Command::new("sh");
    let _ = command.args([
        "-c",
        "ulimit -n 90; exec \"$0\" --listen 127.0.0.1:0",
        env!("CARGO_BIN_EXE_handfast-relay"),
    ]);
    let mut child = command.env_remove("RUST_LOG").stdout(Stdio::piped()).spawn().expect("a shell");
    let mut line = String::new();
    let _ = BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let running = Running { child, line };
    let address = running.line.split(' ').nth(4).expect("a name");
    // The kernel takes them all, the relay cannot.
    let crowd: Vec<_> =
        (0..120).map(|_| TcpStream::connect(address).expect("the backlog has room")).collect();
    std::thread::sleep(Duration::from_millis(300));
    drop(crowd);
    // It may still have the crowd when this one comes, and turn it away.
    let until = Instant::now() + Duration::from_secs(15);
    let mut answer = healthz(address);
    while answer.is_err() && Instant::now() < until {
        answer = healthz(address);
    }
    let answer = answer.expect("an answer once the crowd is gone");
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
}

/// What a relay says of itself.
fn healthz(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(15)))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// How many connections the relay answers at most when it may open so many files, and what it says of that.
fn with_descriptors(limit: &str) -> (Running, String) {
    let mut command = Command::new("sh");
    let script = format!("{limit}; exec \"$0\" --listen 127.0.0.1:0");
    let _ = command.args(["-c", &script, env!("CARGO_BIN_EXE_handfast-relay")]);
    let mut child = command
        .env_remove("RUST_LOG")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut line = String::new();
    let _ = BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).expect("Linux");
    let soft = limits.lines().find(|line| line.starts_with("Max open files")).expect("a line").to_owned();
    let mut running = Running { child, line };
    let _ = running.child.kill();
    let mut said = String::new();
    let _ = running.child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    running.line = soft;
    (running, said)
}

#[test]
fn f8_the_soft_limit_of_descriptors_is_raised_and_the_hard_one_respected() {
    let (running, said) = with_descriptors("ulimit -Sn 256");
    let soft: u64 = running.line.split_whitespace().nth(3).and_then(|n| n.parse().ok()).expect("a number");
    assert!(soft > 1_000, "raised as far as it may: {}; {said}", running.line);
    let (running, said) = with_descriptors("ulimit -n 1024");
    assert!(running.line.contains(" 1024 "), "{}", running.line);
    assert!(said.contains("may open 1024 files") && said.contains("960 connections at most"), "{said}");
    assert!(said.contains("LimitNOFILE") && said.lines().count() == 1, "{said}");
    let (_, said) = with_descriptors("ulimit -n 100");
    assert!(said.contains("36 connections at most"), "{said}");
}
