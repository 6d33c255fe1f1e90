//! `examples/notes` as its users run it: both sides as processes over a real relay, killed at any moment.
#![cfg(all(feature = "tokio", feature = "sqlite"))]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use handfast::codec::frame::RowId;
use reference_relay::server::{Server, ServerConfig};

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// The example that Cargo built beside this test.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let target = test.ancestors().nth(2).expect("target/debug/deps/notes");
    let program = target.join("examples/notes");
    assert!(program.is_file(), "{} is missing: run `cargo test` without --test", program.display());
    program
}

/// Starts a relay that lives as long as this process. Returns its name.
fn relay() -> String {
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
struct Side {
    words: Vec<String>,
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Side {
    fn start(words: &[&str]) -> Self {
        let words: Vec<String> = words.iter().copied().map(str::to_owned).collect();
        let mut child = Command::new(program())
            .args(&words)
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

    fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("it reads");
    }

    /// Waits for a line that begins so. Returns the rest of it.
    fn hear(&self, start: &str) -> String {
        let (end, mut heard) = (Instant::now() + PATIENCE, Vec::new());
        while let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            if let Some(rest) = line.strip_prefix(start) {
                return rest.trim().to_owned();
            }
            heard.push(line);
        }
        panic!("{:?} did not say {start:?} but {heard:#?}", self.words);
    }

    /// Kills it as `kill -9` does, and starts it again.
    fn crash(&mut self) {
        self.child.kill().expect("it runs");
        let _ = self.child.wait();
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        *self = Self::start(&words);
    }

    fn quit(mut self) {
        self.say("quit");
        assert!(self.child.wait().expect("it ends").success());
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // One that has quit needs no more.
        let _ = self.child.kill();
    }
}

/// The notes in a directory: the text of each, by its number.
fn notes(dir: &Path) -> BTreeMap<u64, String> {
    let conn = rusqlite::Connection::open(dir.join("handfast.db")).expect("a database");
    // A side may be dead just now, and its log must stay beside the database.
    let keep_log = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    let _ = conn.set_db_config(keep_log, true).expect("a setting");
    let mut query = conn.prepare("SELECT id, body FROM handfast_rows").expect("a table");
    let rows = query.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)));
    let note = |(id, body): (Vec<u8>, Vec<u8>)| {
        let id = RowId::new(id.into()).and_then(|id| id.number()).expect("a number");
        (id, String::from_utf8(body[32..].to_vec()).expect("a text"))
    };
    rows.expect("rows").map(|row| note(row.expect("a row"))).collect()
}

/// Waits until both sides have stored so many notes.
fn wait_for_notes(sides: [(&Path, &Side); 2], count: usize) {
    let end = Instant::now() + PATIENCE;
    while sides.iter().any(|(dir, _)| notes(dir).len() < count) {
        if Instant::now() > end {
            let said = sides.map(|(dir, side)| (notes(dir), side.lines.try_iter().collect::<Vec<_>>()));
            panic!(
                "{count} notes were sent; here are those that arrived, and what the sides said: {said:#?}"
            );
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn both_sides_pair_sync_send_transfer_and_survive_being_killed() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let text = |name: &str| path(name).to_str().expect("a text").to_owned();
    let mut companion = Side::start(&["companion", &text("companion"), &relay()]);
    let mut phone = Side::start(&["phone", &text("phone")]);
    phone.say(&format!("scan {}", companion.hear("code ")));
    let digits = companion.hear("digits ");
    let _ = phone.hear("type: code");
    phone.say(&format!("code {digits}"));
    let _ = phone.hear("link notes?");
    phone.say("yes");
    let number = phone.hear("number ");
    let _ = companion.hear("link to Notes?");
    companion.say(&format!("number {number}"));
    let _ = (phone.hear("linked"), companion.hear("linked"));

    phone.say("add from the phone");
    let _ = companion.hear("note 1: from the phone");
    let mut sent = vec!["from the phone".to_owned()];
    for round in 0..6 {
        let note = format!("from the companion, {round}");
        companion.say(&format!("add {note}"));
        // From here on it must arrive, whatever happens, and once.
        let _ = companion.hear("sent");
        sent.push(note);
        match round % 3 {
            0 => companion.crash(),
            1 => phone.crash(),
            _ => {}
        }
    }

    wait_for_notes([(&path("phone"), &phone), (&path("companion"), &companion)], sent.len());

    let file = path("file");
    let bytes: Vec<u8> =
        (0..3_000_000_u32).flat_map(|at| [at.to_be_bytes()[2] ^ at.to_be_bytes()[3]]).collect();
    std::fs::write(&file, &bytes).expect("written");
    phone.say(&format!("attach {}", text("file")));
    sent.push(text("file"));
    let note = companion.hear(&format!("note {}: ", sent.len()));
    assert_eq!(note, text("file"));
    companion.say(&format!("get {} {}", sent.len(), text("copy")));
    companion.crash();
    companion.say(&format!("get {} {}", sent.len(), text("copy")));
    phone.crash();
    let ended = companion.hear("file ");
    assert!(ended.contains("3000000 bytes"), "{ended}");
    assert_eq!(std::fs::read(path("copy")).expect("it is there"), bytes);

    phone.quit();
    companion.quit();
    let (here, there) = (notes(&path("phone")), notes(&path("companion")));
    assert_eq!(here, there);
    let mut texts: Vec<String> = here.into_values().collect();
    texts.sort_unstable();
    sent.sort_unstable();
    assert_eq!(texts, sent, "each once");
}
