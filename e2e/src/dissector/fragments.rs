//! A WebSocket message in two fragments, as any client may send it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::processes::random;

const LIMIT: Duration = Duration::from_secs(10);
/// The relay frames PING and PONG.
const PING: u8 = 17;
const PONG: u8 = 19;
/// Opcodes of RFC 6455, and its bits for the last fragment and for a mask.
const CONTINUATION: u8 = 0;
const BINARY: u8 = 2;
const LAST: u8 = 0x80;
const MASKED: u8 = 0x80;
/// Any mask will do.
const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

/// Sends a PING in two fragments and waits for its PONG. Returns the token, as digits.
pub(super) fn ping(relay: &str) -> Result<String> {
    let mut socket = TcpStream::connect(relay)?;
    socket.set_read_timeout(Some(LIMIT))?;
    let ask = format!(
        "GET /v1 HTTP/1.1\r\nHost: {relay}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    socket.write_all(ask.as_bytes())?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        ensure!(answer.len() < 4_096, "the relay's answer does not end");
        answer.extend(read::<1>(&mut socket)?);
    }
    ensure!(answer.starts_with(b"HTTP/1.1 101"), "the relay answers {}", String::from_utf8_lossy(&answer));
    let token = random::hex(8)?;
    let mut message = vec![PING];
    for pair in 0..8 {
        message.push(u8::from_str_radix(&token[2 * pair..2 * pair + 2], 16)?);
    }
    let (one, two) = message.split_at(4);
    socket.write_all(&frame(BINARY, one))?;
    socket.write_all(&frame(LAST | CONTINUATION, two))?;
    // HELLO and CHALLENGE come before.
    for _ in 0..4 {
        let [_, len] = read::<2>(&mut socket)?;
        let len = match len {
            126 => usize::from(u16::from_be_bytes(read::<2>(&mut socket)?)),
            len => usize::from(len),
        };
        let mut body = vec![0; len];
        socket.read_exact(&mut body)?;
        if body.first() == Some(&PONG) {
            ensure!(body.get(1..) == message.get(1..), "the PONG has another token");
            return Ok(token);
        }
    }
    anyhow::bail!("no PONG came for a PING in two fragments")
}

fn read<const N: usize>(socket: &mut TcpStream) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    socket.read_exact(&mut bytes).context("the relay says nothing")?;
    Ok(bytes)
}

fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![head, MASKED | u8::try_from(payload.len()).unwrap_or(0)];
    out.extend(MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}
