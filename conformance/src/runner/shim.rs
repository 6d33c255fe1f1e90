//! A shim's process: started, asked with a deadline, and ended. Nothing that it writes is kept without a limit.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::{group, protocol};

/// The longest line of a shim, bytes. The longest right answer has some 300 KiB.
pub(super) const LINE_LEN_MAX: usize = 768 * 1024;
/// How many lines may wait to be read; then the shim is held up.
const LINES_WAITING_MAX: usize = 16;
/// How much of its standard error is kept, bytes.
const STDERR_LEN_MAX: usize = 4096;
/// How long a shim that closed its output may take to end.
const END_MAX: Duration = Duration::from_secs(1);
/// How much of a line is shown, letters.
const SHOWN_MAX: usize = 120;

/// What a shim did instead of answering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It ended, or closed its output.
    Crash(String),
    /// It did not answer in time.
    Hang(String),
    /// It wrote something else than an answer to what was asked.
    Nonsense(String),
}

enum Line {
    Text(Vec<u8>),
    TooLong,
}

/// A running shim. It ends with this value, and so does all that it started.
pub(crate) struct Shim {
    child: Child,
    requests: SyncSender<String>,
    lines: Receiver<Line>,
    stderr: Arc<Mutex<VecDeque<u8>>>,
    /// Disconnected when nobody can write to its standard error any more.
    stderr_end: Receiver<()>,
    patience: Duration,
    next_id: u64,
}

impl Shim {
    /// Starts the command; each answer must come within `patience`.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub(super) fn start(words: &[String], patience: Duration) -> Result<Self, Trouble> {
        let (program, rest) = words.split_first().map_or(("", words), |(first, rest)| (first.as_str(), rest));
        let mut command = Command::new(program);
        let _ = command.args(rest).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let cannot = |error| Trouble::Crash(format!("{program:?} cannot be started: {error}"));
        let mut child = group::spawn(&mut command).map_err(cannot)?;
        let stderr = Arc::new(Mutex::new(VecDeque::new()));
        let (requests, to_write) = sync_channel::<String>(1);
        let (from_shim, lines) = sync_channel(LINES_WAITING_MAX);
        let (stderr_open, stderr_end) = channel::<()>();
        // Each pipe has a thread of its own, since a shim that does not read or write must not hold up the runner. A
        // thread ends with its pipe, or when nobody listens any more.
        if let Some(mut stdin) = child.stdin.take() {
            let _ = std::thread::spawn(move || {
                for line in to_write {
                    if stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush()).is_err() {
                        return;
                    }
                }
            });
        }
        if let Some(stdout) = child.stdout.take() {
            let _ = std::thread::spawn(move || read_lines(stdout, &from_shim));
        }
        if let Some(pipe) = child.stderr.take() {
            let tail = Arc::clone(&stderr);
            let _ = std::thread::spawn(move || {
                keep_tail(pipe, &tail);
                drop(stderr_open);
            });
        }
        Ok(Self { child, requests, lines, stderr, stderr_end, patience, next_id: 0 })
    }

    /// From now on, each answer must come within `patience`.
    pub(crate) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Asks one request and waits for its answer.
    ///
    /// # Errors
    ///
    /// What came instead. The shim is then of no further use.
    pub(crate) fn ask(
        &mut self,
        op: &str,
        input: &Map<String, Value>,
    ) -> Result<Map<String, Value>, Trouble> {
        let id = self.next_id;
        self.next_id += 1;
        let deadline = Instant::now() + self.patience;
        // It waits only while the line before is not yet taken; after an answer it was.
        let _ = self.requests.try_send(protocol::request(id, op, input));
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Line::Text(line)) => answer_to(id, &line).map_err(Trouble::Nonsense),
            Ok(Line::TooLong) => {
                Err(Trouble::Nonsense(format!("it wrote a line of more than {LINE_LEN_MAX} bytes")))
            }
            Err(RecvTimeoutError::Timeout) => Err(match self.child.try_wait() {
                Ok(Some(status)) => Trouble::Crash(format!(
                    "it ended with {status}, and what it started holds its output open"
                )),
                Ok(None) | Err(_) => {
                    Trouble::Hang(format!("no answer within {} ms", self.patience.as_millis()))
                }
            }),
            Err(RecvTimeoutError::Disconnected) => Err(Trouble::Crash(self.end())),
        }
    }

    /// How the process ended that closed its output.
    fn end(&mut self) -> String {
        let deadline = Instant::now() + END_MAX;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return format!("it ended with {status} in place of an answer");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        "it closed its output in place of an answer".to_owned()
    }

    /// Ends it; returns the end of what it wrote to its standard error.
    pub(super) fn into_stderr(mut self) -> String {
        group::end(&mut self.child);
        // What it wrote last may still be on its way. No message ever comes, only the end.
        let _: Result<(), _> = self.stderr_end.recv_timeout(END_MAX);
        let tail = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = tail.iter().copied().collect();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        group::end(&mut self.child);
    }
}

/// Takes a line apart that should answer this request.
fn answer_to(id: u64, line: &[u8]) -> Result<Map<String, Value>, String> {
    let Ok(Value::Object(answer)) = serde_json::from_slice(line) else {
        return Err(format!("it wrote what is no JSON object: {}", shown(line)));
    };
    match answer.get("id") {
        Some(found) if found.as_u64() == Some(id) => Ok(answer),
        Some(found) => Err(format!("it answered {found}, asked was {id}: {}", shown(line))),
        None => Err(format!("its answer has no `id`: {}", shown(line))),
    }
}

fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut letters = text.chars();
    let start: String = letters.by_ref().take(SHOWN_MAX).collect();
    if letters.next().is_none() { start } else { format!("{start}... ({} bytes)", line.len()) }
}

fn read_lines(stdout: impl Read, to: &SyncSender<Line>) {
    let mut reader = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        let limit = u64::try_from(LINE_LEN_MAX).unwrap_or(u64::MAX);
        match reader.by_ref().take(limit).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let ends = line.pop_if(|last| *last == b'\n').is_some();
        if !ends && line.len() >= LINE_LEN_MAX {
            let _ = to.send(Line::TooLong);
            return;
        }
        if to.send(Line::Text(line)).is_err() {
            return;
        }
    }
}

fn keep_tail(mut pipe: impl Read, tail: &Mutex<VecDeque<u8>>) {
    let mut buffer = [0; 1024];
    while let Ok(read) = pipe.read(&mut buffer) {
        if read == 0 {
            return;
        }
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend(buffer.iter().take(read));
        let excess = tail.len().saturating_sub(STDERR_LEN_MAX);
        drop(tail.drain(..excess));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_object_with_the_number_asked() {
        assert!(answer_to(7, br#"{"id":7,"ok":true}"#).is_ok());
        for (line, part) in [
            (&b"hello"[..], "no JSON object: hello"),
            (b"[7]", "no JSON object"),
            (br#"{"id":8}"#, "answered 8, asked was 7"),
            (br#"{"id":"7"}"#, "answered \"7\", asked was 7"),
            (br#"{"ok":true}"#, "no `id`"),
            (b"\xff\xfe", "no JSON object"),
        ] {
            let told = answer_to(7, line).unwrap_err();
            assert!(told.contains(part), "{told}");
        }
        assert!(shown(&[b'x'; 500]).ends_with("... (500 bytes)"));
    }

    #[test]
    fn lines_have_a_limit() {
        let (to, lines) = sync_channel(8);
        let most = [vec![b'a'; LINE_LEN_MAX - 1], b"\nb\n".to_vec(), vec![b'c'; LINE_LEN_MAX]].concat();
        read_lines(most.as_slice(), &to);
        drop(to);
        let read: Vec<Line> = lines.into_iter().collect();
        let [Line::Text(long), Line::Text(short), Line::TooLong] = read.as_slice() else {
            panic!("two lines and one too long");
        };
        assert_eq!((long.len(), short.as_slice()), (LINE_LEN_MAX - 1, &b"b"[..]));
    }
}
