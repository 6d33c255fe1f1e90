//! `handfast-relay status`: fetches the metrics of a running relay, and prints them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// The longest time for each step of the request.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The longest answer, in bytes.
const ANSWER_LEN_MAX: u64 = 1_048_576;
/// The prefix of all metric names.
const PREFIX: &str = "handfast_relay_";

/// Fetches the metrics of the relay at an address. The error says what to do.
pub(crate) fn ask(address: SocketAddr) -> Result<String, String> {
    let no_answer = |error: std::io::Error| {
        format!(
            "no relay answers on {address} ({}): start one with --metrics, or give that address",
            error.kind()
        )
    };
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX).map_err(no_answer)?;
    stream.set_read_timeout(Some(ANSWER_MAX)).map_err(no_answer)?;
    stream.set_write_timeout(Some(ANSWER_MAX)).map_err(no_answer)?;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(no_answer)?;
    let mut answer = Vec::new();
    let _ = stream.take(ANSWER_LEN_MAX).read_to_end(&mut answer).map_err(no_answer)?;
    let answer = String::from_utf8_lossy(&answer);
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200 ") && body.contains(PREFIX) => {
            Ok(body.to_owned())
        }
        _ => Err(format!(
            "what answers on {address} tells no relay's numbers: give the address that the relay was started with --metrics"
        )),
    }
}

/// Returns the metrics as names without their common prefix, and values.
fn numbers(metrics: &str) -> impl Iterator<Item = (&str, u64)> {
    let lines = metrics.lines().filter_map(|line| line.strip_prefix(PREFIX));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(name, value)| Some((name, value.parse().ok()?)))
}

/// Returns the status as one JSON object.
pub(crate) fn to_json(metrics: &str) -> Value {
    Value::Object(numbers(metrics).map(|(name, value)| (name.to_owned(), value.into())).collect())
}

/// Returns the status as lines for a person.
pub(crate) fn to_words(metrics: &str) -> String {
    let lines: Vec<_> = numbers(metrics).map(|(name, value)| format!("{name:<36} {value}")).collect();
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read_by_name() {
        let text = "# HELP handfast_relay_sockets WebSockets.\n# TYPE handfast_relay_sockets gauge\n\
                    handfast_relay_sockets 3\nhandfast_relay_mailboxes{kind=\"link\"} 2\n";
        assert_eq!(to_json(text), serde_json::json!({"sockets": 3, "mailboxes{kind=\"link\"}": 2}));
        assert_eq!(to_words(text).lines().count(), 2);
    }
}
