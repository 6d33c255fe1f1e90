//! The client's side of the control socket: by it a command line talks to the running program.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::lines::LINE_LEN_MAX;
use super::server::with_short_path;

/// The longest answer in bytes, such as a page of history or a list of chats.
const ANSWER_LEN_MAX: usize = 16 * 1_048_576;

/// The reason why talking to the running program failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// No answer came in time.
    #[error("the running program does not answer: wait, or end it and try again")]
    Timeout,
    /// The program ended, or closed the connection.
    #[error("the running program ended: start it again")]
    Ended,
    /// The request is longer than a line may be.
    #[error("the request is longer than 65,536 bytes")]
    TooLong,
    /// The answer is not JSON.
    #[error("the running program's answer cannot be read: use the same version of both")]
    Garbled,
    /// The operating system's error.
    #[error("cannot talk to the running program ({0}): is it yours?")]
    Io(#[from] io::Error),
}

/// A connection to the program that is running with a data directory.
#[derive(Debug)]
pub struct ControlClient {
    stream: BufReader<UnixStream>,
    /// The part of an answer's line that had arrived when a timeout came.
    line: Vec<u8>,
}

impl ControlClient {
    /// Connects to the program; `None` when no program is running with this directory.
    ///
    /// # Errors
    /// [`ControlError::Io`] when the socket exists but cannot be used.
    pub fn connect(dir: &Path) -> Result<Option<Self>, ControlError> {
        match with_short_path(dir, |path| UnixStream::connect(path)) {
            Ok(stream) => {
                stream.set_write_timeout(Some(Duration::from_secs(10)))?;
                Ok(Some(Self { stream: BufReader::new(stream), line: Vec::new() }))
            }
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory => {
                    Ok(None)
                }
                _ => Err(error.into()),
            },
        }
    }

    /// Sends one JSON object.
    ///
    /// # Errors
    /// [`ControlError`] if it is too long or the program has ended.
    pub fn send(&mut self, request: &Value) -> Result<(), ControlError> {
        let line = format!("{request}\n");
        if line.len() > LINE_LEN_MAX {
            return Err(ControlError::TooLong);
        }
        self.stream.get_mut().write_all(line.as_bytes()).map_err(of_io)
    }

    /// Waits for one line of the answer.
    ///
    /// # Errors
    /// [`ControlError::Timeout`] when no line comes within `deadline`; the call may then be repeated.
    pub fn recv(&mut self, deadline: Duration) -> Result<Value, ControlError> {
        let deadline = deadline.max(Duration::from_millis(1));
        self.stream.get_ref().set_read_timeout(Some(deadline))?;
        let room = ANSWER_LEN_MAX.saturating_sub(self.line.len());
        let limit = u64::try_from(room).unwrap_or(0);
        let _ = (&mut self.stream).take(limit).read_until(b'\n', &mut self.line).map_err(of_io)?;
        if self.line.last() != Some(&b'\n') {
            return Err(if self.line.len() >= ANSWER_LEN_MAX {
                ControlError::Garbled
            } else {
                ControlError::Ended
            });
        }
        let line = std::mem::take(&mut self.line);
        serde_json::from_slice(&line).map_err(|_| ControlError::Garbled)
    }

    /// Sends one JSON object, and waits for one line of the answer.
    ///
    /// # Errors
    /// As [`Self::send`] and [`Self::recv`].
    pub fn call(&mut self, request: &Value, deadline: Duration) -> Result<Value, ControlError> {
        self.send(request)?;
        self.recv(deadline)
    }
}

fn of_io(error: io::Error) -> ControlError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ControlError::Timeout,
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => {
            ControlError::Ended
        }
        _ => ControlError::Io(error),
    }
}
