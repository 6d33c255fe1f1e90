//! JSON lines: each line contains one object, and lines have a maximum length, for input and for output.

use std::io::{self, BufRead, Read, Write};

use serde_json::{Map, Value};
use tokio::sync::mpsc;

use handfast::hex::parse_hex;

/// The longest line in bytes, without its line feed.
pub const LINE_LEN_MAX: usize = 65_536;

/// The reason why a line, or a field of the object in it, is not acceptable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// The line is longer than [`LINE_LEN_MAX`].
    #[error("the line is longer than 65,536 bytes")]
    TooLong,
    /// The line is not a JSON object.
    #[error("the line is not a JSON object")]
    NotAnObject,
    /// A field is missing or of another type.
    #[error("the field \"{name}\" is missing or is not {kind}")]
    Field {
        /// The name of the field.
        name: &'static str,
        /// The expected type or range of the field, in words.
        kind: &'static str,
    },
}

/// Parses the object in a line.
///
/// # Errors
/// [`LineError::TooLong`], or [`LineError::NotAnObject`].
pub fn parse_object(line: &[u8]) -> Result<Map<String, Value>, LineError> {
    if line.len() > LINE_LEN_MAX {
        return Err(LineError::TooLong);
    }
    match serde_json::from_slice(line) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) | Err(_) => Err(LineError::NotAnObject),
    }
}

/// Returns the text in a field.
///
/// # Errors
/// [`LineError::Field`] if it is missing or not a text.
pub fn field_str<'a>(object: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, LineError> {
    object.get(name).and_then(Value::as_str).ok_or(LineError::Field { name, kind: "a text" })
}

/// Returns the number in a field.
///
/// # Errors
/// [`LineError::Field`] if it is missing or not a number of 0 or more.
pub fn field_u64(object: &Map<String, Value>, name: &'static str) -> Result<u64, LineError> {
    object
        .get(name)
        .and_then(Value::as_u64)
        .ok_or(LineError::Field { name, kind: "a whole number, 0 or more" })
}

/// Returns the `N` bytes that a field contains in hexadecimal.
///
/// # Errors
/// [`LineError::Field`] if it is missing or not 2N hexadecimal digits.
pub fn field_hex<const N: usize>(
    object: &Map<String, Value>,
    name: &'static str,
) -> Result<[u8; N], LineError> {
    parse_hex(field_str(object, name)?).ok_or(LineError::Field { name, kind: "hex of the right length" })
}

/// Prints one JSON value as a line of standard output, and flushes it.
///
/// # Errors
/// The stream's error, most often because the reader has closed its end.
pub fn print_line(value: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// An event of standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a program must handle each")]
pub enum StdinEvent {
    /// A line, without its line feed.
    Line(String),
    /// A line that was skipped, because it is too long or not UTF-8.
    Bad,
    /// The end of the input.
    End,
}

/// Starts a thread that reads standard input line by line into a channel, until input or channel ends. The
/// thread also ends with the process.
///
/// # Errors
/// The operating system's error, when it starts no thread.
pub fn spawn_stdin<E, W>(events: mpsc::Sender<E>, wrap: W) -> io::Result<()>
where
    E: Send + 'static,
    W: Fn(StdinEvent) -> E + Send + 'static,
{
    let read = move || {
        let mut input = io::stdin().lock();
        loop {
            let event = read_line(&mut input).unwrap_or(StdinEvent::End);
            let end = event == StdinEvent::End;
            if events.blocking_send(wrap(event)).is_err() || end {
                return;
            }
        }
    };
    std::thread::Builder::new().name("stdin".into()).spawn(read).map(drop)
}

/// Reads one line of at most [`LINE_LEN_MAX`] bytes. A longer line is skipped completely.
fn read_line(input: &mut impl BufRead) -> io::Result<StdinEvent> {
    let mut line = Vec::new();
    let limit = u64::try_from(LINE_LEN_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let _ = input.by_ref().take(limit).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(StdinEvent::End);
    }
    if line.last() != Some(&b'\n') && line.len() > LINE_LEN_MAX {
        skip_line(input)?;
        return Ok(StdinEvent::Bad);
    }
    Ok(String::from_utf8(line).map_or(StdinEvent::Bad, |line| StdinEvent::Line(line.trim_end().to_owned())))
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |at| at.saturating_add(1));
        input.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_fields_are_checked() {
        let object = parse_object(br#"{"verb":"send","chat":3,"content":"00fF"}"#).expect("an object");
        assert_eq!(field_str(&object, "verb"), Ok("send"));
        assert_eq!(field_u64(&object, "chat"), Ok(3));
        assert_eq!(field_hex(&object, "content"), Ok([0, 255]));
        assert_eq!(field_str(&object, "chat"), Err(LineError::Field { name: "chat", kind: "a text" }));
        assert!(field_hex::<3>(&object, "content").is_err());
        for bad in [&b"[1]"[..], b"", b"{", b"\xff"] {
            assert_eq!(parse_object(bad), Err(LineError::NotAnObject));
        }
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(LINE_LEN_MAX - 8));
        assert_eq!(long.len(), LINE_LEN_MAX);
        assert!(parse_object(long.as_bytes()).is_ok());
        assert_eq!(parse_object(format!("{long} ").as_bytes()), Err(LineError::TooLong));
    }

    #[test]
    fn lines_are_bounded_and_a_long_one_is_skipped_whole() {
        let long = "x".repeat(LINE_LEN_MAX);
        let text = format!("a\r\n{long}\n{long}y{long}\n\nlast");
        let mut input = text.as_bytes();
        let mut events = Vec::new();
        while let Ok(event) = read_line(&mut input) {
            events.push(event.clone());
            if event == StdinEvent::End {
                break;
            }
        }
        let line = |text: &str| StdinEvent::Line(text.to_owned());
        assert_eq!(
            events,
            [line("a"), line(&long), StdinEvent::Bad, line(""), line("last"), StdinEvent::End]
        );
        let mut invalid = &b"\xff\n"[..];
        assert_eq!(read_line(&mut invalid).expect("read"), StdinEvent::Bad);
    }
}
