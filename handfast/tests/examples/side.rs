//! A program of `examples/`, as its user runs it, over a real relay.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use reference_relay::server::{Server, ServerConfig};

/// How long anything may take that is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The example that Cargo built beside this test.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let target = test.ancestors().nth(2).expect("target/debug/deps/notes");
    let program = target.join("examples").join(name);
    assert!(program.is_file(), "{} is missing: run `cargo test` without --test", program.display());
    program
}

/// Starts a relay that lives as long as this process. Returns its name.
pub(crate) fn relay() -> String {
    let (name, named) = channel();
    drop(std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listen = "127.0.0.1:0".parse().expect("an address");
            let server = Server::bind(ServerConfig::new(listen)).expect("a free port");
            name.send(server.name().as_str().to_owned()).expect("the test waits");
            server.run(std::future::pending(), std::sync::Arc::default(), |_| {}).await;
        });
    }));
    named.recv_timeout(PATIENCE).expect("a relay")
}

/// A side that runs.
pub(crate) struct Side {
    /// The program, and its arguments.
    words: Vec<String>,
    child: Child,
    input: ChildStdin,
    pub(crate) lines: Receiver<String>,
}

impl Side {
    /// Starts a program, the first of the words, with the others as its arguments.
    pub(crate) fn start(words: &[&str]) -> Self {
        let words: Vec<String> = words.iter().copied().map(str::to_owned).collect();
        let (name, arguments) = words.split_first().expect("a program");
        let mut child = Command::new(program(name))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let (input, output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let (told, lines) = channel();
        drop(std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).all(|line| told.send(line).is_ok())
        }));
        Self { words, child, input, lines }
    }

    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("it reads");
    }

    /// Waits for a line that begins so. Returns the rest of it.
    pub(crate) fn hear(&self, start: &str) -> String {
        let (end, mut heard) = (Instant::now() + PATIENCE, Vec::new());
        while let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            if let Some(rest) = line.strip_prefix(start) {
                return rest.trim().to_owned();
            }
            heard.push(line);
        }
        panic!("{:?} did not say {start:?} but {heard:#?}", self.words);
    }

    /// Waits for two lines that begin so, in either order.
    pub(crate) fn hear_both(&self, one: &str, other: &str) {
        let (end, mut wanted) = (Instant::now() + PATIENCE, vec![one, other]);
        while !wanted.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("{:?} did not say {wanted:?}", self.words));
            wanted.retain(|start| !line.starts_with(start));
        }
    }

    /// Kills it as `kill -9` does, and starts it again.
    pub(crate) fn crash(&mut self) {
        self.child.kill().expect("it runs");
        let _ = self.child.wait();
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        *self = Self::start(&words);
    }

    /// Says its last line, and waits until it has ended.
    pub(crate) fn quit(mut self, last: &str) {
        self.say(last);
        assert!(self.child.wait().expect("it ends").success());
    }
}

impl Side {
    /// Waits until it has ended with a failure.
    pub(crate) fn fails(mut self) {
        assert!(!self.child.wait().expect("it ends").success(), "{:?}", self.words);
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // One that has quit needs no more.
        let _ = self.child.kill();
    }
}
