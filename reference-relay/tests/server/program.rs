//! The program: its lines, its exit codes, its signals.

use std::io::{BufRead, BufReader, Read};
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
    let running = start(&["--listen", "127.0.0.1:0"]);
    let address = running.line.split(' ').nth(4).expect("a name");
    let said = program().args(["--listen", address, "--json", "status"]).output().expect("it runs");
    let said: serde_json::Value = serde_json::from_slice(&said.stdout).expect("an object");
    assert_eq!((&said["sockets"], &said["queued_bytes"]), (&0.into(), &0.into()));
    assert!(said["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 100_000), "{said}");
    let words = program().args(["--listen", address, "status"]).output().expect("it runs");
    assert!(String::from_utf8_lossy(&words.stdout).contains("tasks"));
    let address = address.to_owned();
    drop(running);
    let (code, said) = run(&["--listen", &address, "status"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("--listen") && said.lines().count() == 1, "{said}");
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
    let _ = command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::piped());
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
    use std::io::Write;
    use std::net::TcpStream;

    let mut command = Command::new("sh");
    let _ = command.args([
        "-c",
        "ulimit -n 40; exec \"$0\" --listen 127.0.0.1:0",
        env!("CARGO_BIN_EXE_handfast-relay"),
    ]);
    let mut child = command.env_remove("RUST_LOG").stdout(Stdio::piped()).spawn().expect("a shell");
    let mut line = String::new();
    let _ = BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let running = Running { child, line };
    let address = running.line.split(' ').nth(4).expect("a name");
    // The kernel takes them all, the relay cannot.
    let crowd: Vec<_> = (0..60).map(|_| TcpStream::connect(address).expect("the backlog has room")).collect();
    std::thread::sleep(Duration::from_millis(300));
    drop(crowd);
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(15))).expect("TCP");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("open");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
}
