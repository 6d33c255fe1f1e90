//! One running program: its events, its end.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::keeper::Keeper;

/// How often a process is asked whether it has ended.
const POLL: Duration = Duration::from_millis(5);

/// A program that was started with `--json`; it is ended when this value is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    events: Arc<Events>,
    keeper: Keeper,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

/// What a program has written to standard output so far, one JSON object a line.
#[derive(Debug, Default)]
struct Events {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    list: Vec<Value>,
    closed: bool,
}

impl Process {
    /// Starts a program; its standard error is appended to `log`.
    ///
    /// # Errors
    /// The program or its log cannot be opened.
    pub(crate) fn start(name: &str, command: &mut Command, keeper: &Keeper, log: &Path) -> Result<Self> {
        let errors = File::options().create(true).append(true).open(log)?;
        let _ = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().with_context(|| format!("{name} cannot be started"))?;
        if let Err(error) = keeper.hold(child.id()) {
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
        let events = Arc::new(Events::default());
        if let Some(output) = child.stdout.take() {
            let events = Arc::clone(&events);
            let _ = std::thread::spawn(move || events.read(output));
        }
        let input = child.stdin.take();
        let (name, log) = (name.to_owned(), log.to_owned());
        Ok(Self { name, child, input, events, keeper: keeper.clone(), log, ended: None })
    }

    /// Returns the process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the number of events so far, from which a later wait can start.
    pub(crate) fn mark(&self) -> usize {
        self.events.lock().list.len()
    }

    /// Returns the events from `mark` on.
    pub(crate) fn events_since(&self, mark: usize) -> Vec<Value> {
        self.events.lock().list.iter().skip(mark).cloned().collect()
    }

    /// Waits until `find` picks one of the events from `mark` on.
    ///
    /// # Errors
    /// The time is over, or the program ended: the text says what was waited for.
    pub(crate) fn wait<T>(
        &self,
        mark: usize,
        what: &str,
        limit: Duration,
        mut find: impl FnMut(&Value) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + limit;
        let mut seen = mark;
        let mut state = self.events.lock();
        loop {
            while let Some(event) = state.list.get(seen) {
                seen += 1;
                if let Some(found) = find(event) {
                    return Ok(found);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.closed || left.is_zero() {
                let why = if state.closed { "it ended" } else { "the time was over" };
                bail!(
                    "waited {} s for {what} of {} (pid {}), but {why}\nlast events: {}\nits log: {}",
                    limit.as_secs(),
                    self.name,
                    self.pid(),
                    last(&state.list),
                    self.log.display()
                );
            }
            state = self.events.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for an event with the given name from `mark` on.
    ///
    /// # Errors
    /// As [`Process::wait`].
    pub(crate) fn wait_event(&self, mark: usize, name: &str, limit: Duration) -> Result<Value> {
        let what = format!("the event `{name}`");
        self.wait(mark, &what, limit, |event| (event["event"] == name).then(|| event.clone()))
    }

    /// Writes one JSON line to the program's standard input.
    ///
    /// # Errors
    /// The program does not read any more.
    pub(crate) fn say(&mut self, line: &Value) -> Result<()> {
        self.say_text(&line.to_string())
    }

    /// Writes one line to the program's standard input.
    ///
    /// # Errors
    /// The program does not read any more.
    pub(crate) fn say_text(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("its input is closed")?;
        input
            .write_all(format!("{line}\n").as_bytes())
            .with_context(|| format!("{} does not read its input", self.name))
    }

    /// Returns whether the program still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.try_end().is_ok_and(|ended| ended.is_none())
    }

    /// Waits for the program to end by itself.
    ///
    /// # Errors
    /// It still runs when the time is over.
    pub(crate) fn wait_end(&mut self, what: &str, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.try_end()? {
                return Ok(status);
            }
            ensure!(
                Instant::now() < deadline,
                "waited {} s for the end of {} (pid {}): {what}\nlast events: {}\nits log: {}",
                limit.as_secs(),
                self.name,
                self.pid(),
                last(&self.events.lock().list),
                self.log.display()
            );
            std::thread::sleep(POLL);
        }
    }

    /// Asks the program to end, as SIGTERM does, and waits until it has.
    ///
    /// # Errors
    /// It still runs when the time is over, or ends with another exit code than 0.
    pub(crate) fn end(&mut self, limit: Duration) -> Result<()> {
        self.signal("-TERM")?;
        let status = self.wait_end("it was asked to end", limit)?;
        ensure!(status.success(), "{} was asked to end, and ended with {status}", self.name);
        Ok(())
    }

    /// Stops the program where it is, until [`Process::go_on`].
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn pause(&self) -> Result<()> {
        self.signal("-STOP")
    }

    /// Lets the program go on after [`Process::pause`].
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn go_on(&self) -> Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, which: &str) -> Result<()> {
        let sent = Command::new("kill").args([which, &self.pid().to_string()]).status();
        let sent = sent.context("`kill` cannot be started")?;
        ensure!(sent.success(), "{} does not take the signal {which}", self.name);
        Ok(())
    }

    /// Ends the program at once, as `kill -9` does, and waits for it.
    pub(crate) fn kill(&mut self) {
        if self.ended.is_none() {
            let _ = self.child.kill();
            if let Ok(status) = self.child.wait() {
                self.note_end(status);
            }
        }
    }

    fn try_end(&mut self) -> Result<Option<ExitStatus>> {
        if self.ended.is_none()
            && let Some(status) = self.child.try_wait()?
        {
            self.note_end(status);
        }
        Ok(self.ended)
    }

    fn note_end(&mut self, status: ExitStatus) {
        self.ended = Some(status);
        self.keeper.release(self.child.id());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Events {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, output: impl Read) {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { break };
            // A line that is no JSON is kept as a string, so that an error message can show it.
            let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
            self.lock().list.push(value);
            self.changed.notify_all();
        }
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

fn last(events: &[Value]) -> String {
    let from = events.len().saturating_sub(5);
    let texts: Vec<String> = events.iter().skip(from).map(ToString::to_string).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join("\n    ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> (Process, PathBuf) {
        let log = std::env::temp_dir()
            .join(format!("handfast-xtask-{}.log", super::super::random::hex(8).unwrap()));
        let keeper = Keeper::for_tests();
        let process = Process::start("sh", Command::new("sh").args(["-c", script]), &keeper, &log).unwrap();
        (process, log)
    }

    #[test]
    fn events_are_found_in_order_and_from_a_mark() {
        let (mut process, log) =
            shell(r#"echo '{"event":"a","n":1}'; echo no json; echo '{"event":"a","n":2}'; read x"#);
        let limit = Duration::from_secs(10);
        assert_eq!(process.wait_event(0, "a", limit).unwrap()["n"], 1);
        assert_eq!(process.wait_event(1, "a", limit).unwrap()["n"], 2);
        assert_eq!(process.mark(), 3);
        assert!(process.is_running());
        process.say(&Value::Null).unwrap();
        assert!(process.wait_end("it has read a line", limit).unwrap().success());
        let error = process.wait_event(0, "b", limit).unwrap_err().to_string();
        assert!(error.contains("the event `b`") && error.contains("it ended"), "{error}");
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn a_program_that_is_paused_goes_on_and_ends_when_it_is_asked_to() {
        let (mut process, log) = shell(
            r#"trap 'kill $!; exit 0' TERM; echo '{"event":"a"}'; read x; echo '{"event":"b"}'; sleep 60 & wait $!"#,
        );
        let limit = Duration::from_secs(10);
        let _ = process.wait_event(0, "a", limit).unwrap();
        process.pause().unwrap();
        process.say(&Value::Null).unwrap();
        assert!(process.wait_event(0, "b", Duration::from_millis(100)).is_err());
        process.go_on().unwrap();
        let _ = process.wait_event(0, "b", limit).unwrap();
        process.end(limit).unwrap();
        std::fs::remove_file(log).unwrap();
        let (mut process, log) = shell(r#"echo '{"event":"a"}'; read x"#);
        let _ = process.wait_event(0, "a", limit).unwrap();
        let error = process.end(limit).unwrap_err().to_string();
        assert!(error.contains("was asked to end, and ended with signal: 15"), "{error}");
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn a_wait_ends_at_its_deadline_and_says_for_what() {
        let (mut process, log) = shell("read x");
        let error = process.wait_event(0, "never", Duration::from_millis(30)).unwrap_err().to_string();
        assert!(error.contains("never") && error.contains("the time was over"), "{error}");
        assert!(process.wait_end("never", Duration::from_millis(30)).is_err());
        process.kill();
        assert!(!process.is_running());
        std::fs::remove_file(log).unwrap();
    }
}
