//! The head of the HTTP answer to a WebSocket upgrade. It is collected completely, up to a limit, before the
//! WebSocket crate sees it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use handfast_codec::limits::UPGRADE_HEAD_LEN_MAX;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The bytes with which an HTTP answer begins.
const HTTP: &[u8] = b"HTTP/1.";
/// The bytes with which the head of an answer ends.
const END: &[u8] = b"\r\n\r\n";

/// The error of a head that is longer than [`UPGRADE_HEAD_LEN_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the head of the answer is too long")]
pub(super) struct HeadTooLong;

/// A stream that delivers its first bytes, the head of an HTTP answer, in one piece, however they arrived.
/// The WebSocket crate takes a head in many small pieces for an attack.
#[derive(Debug)]
pub(super) struct HeadFirst<S> {
    stream: S,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The head is incomplete; these bytes of it have arrived.
    Head(Vec<u8>),
    /// The bytes collected so far, and how many of them were delivered.
    Ready(Vec<u8>, usize),
    /// The head was delivered. All further bytes pass through unchanged.
    Through,
}

impl<S> HeadFirst<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self { stream, state: State::Head(Vec::new()) }
    }
}

impl<S: AsyncRead + Unpin> HeadFirst<S> {
    /// Reads until the head of the answer is complete, or until the bytes cannot be a head.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let State::Head(head) = &mut self.state {
            let mut piece = [0; 2_048];
            let room = UPGRADE_HEAD_LEN_MAX.saturating_sub(head.len()).min(piece.len());
            let mut buffer = ReadBuf::new(piece.get_mut(..room).unwrap_or_default());
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            head.extend_from_slice(buffer.filled());
            // req: TIM-020
            let is_over = buffer.filled().is_empty()
                || !head.iter().zip(HTTP).all(|(found, wanted)| found == wanted)
                || head.windows(END.len()).any(|bytes| bytes == END);
            if is_over {
                self.state = State::Ready(std::mem::take(head), 0);
            } else if head.len() >= UPGRADE_HEAD_LEN_MAX {
                // req: TIM-021
                return Poll::Ready(Err(io::Error::other(HeadTooLong)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadFirst<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_head(cx))?;
        if let State::Ready(bytes, given) = &mut this.state {
            let rest = bytes.get(*given..).unwrap_or_default();
            let part = rest.get(..buf.remaining()).unwrap_or(rest);
            buf.put_slice(part);
            *given = given.saturating_add(part.len());
            let is_empty = part.is_empty();
            if *given >= bytes.len() {
                this.state = State::Through;
            }
            if !is_empty {
                return Poll::Ready(Ok(()));
            }
        }
        Pin::new(&mut this.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadFirst<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Returns what comes out of the stream, in the pieces in which it comes.
    async fn pieces(input: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, String> {
        let (mut near, far) = tokio::io::duplex(64 * 1024);
        let writer = tokio::spawn(async move {
            for piece in input {
                near.write_all(&piece).await.expect("written");
                tokio::task::yield_now().await;
            }
        });
        let (mut stream, mut pieces) = (HeadFirst::new(far), Vec::new());
        loop {
            let mut buffer = vec![0; 4_096];
            match stream.read(&mut buffer).await {
                Ok(0) => break,
                Ok(len) => pieces.push(buffer[..len].to_vec()),
                Err(error) => return Err(error.to_string()),
            }
        }
        writer.await.expect("it ends");
        Ok(pieces)
    }

    fn bytes(text: &[u8]) -> Vec<Vec<u8>> {
        text.iter().map(|byte| vec![*byte]).collect()
    }

    #[tokio::test]
    async fn a_head_in_single_bytes_comes_out_whole() {
        // req: TIM-020
        let head = b"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n";
        let mut input = bytes(head);
        assert_eq!(pieces(input.clone()).await, Ok(vec![head.to_vec()]));
        input.push(b"after".to_vec());
        assert_eq!(pieces(input).await.map(|pieces| pieces.concat()), Ok([&head[..], b"after"].concat()));
        // Bytes that arrive together with the head come out once, and in order.
        let together = [&head[..], &vec![7; 10_000]].concat();
        assert_eq!(pieces(vec![together.clone()]).await.map(|pieces| pieces.concat()), Ok(together));
    }

    #[tokio::test]
    async fn what_is_no_head_is_not_waited_for() {
        for other in [&b"SSH-2.0-x\r\n"[..], b"HTTX", b"\0\0", b"HTTP/1.1 200"] {
            assert_eq!(pieces(bytes(other)).await.map(|pieces| pieces.concat()), Ok(other.to_vec()));
        }
        assert_eq!(pieces(Vec::new()).await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn a_head_has_a_limit() {
        // req: TIM-021
        let head = |len: usize| {
            let mut head = b"HTTP/1.1 101 x\r\nA: ".to_vec();
            head.resize(len - END.len(), b'a');
            [head, END.to_vec()].concat()
        };
        let most = head(UPGRADE_HEAD_LEN_MAX);
        for len in [1, 1_000, UPGRADE_HEAD_LEN_MAX] {
            let input: Vec<Vec<u8>> = most.chunks(len).map(<[u8]>::to_vec).collect();
            assert_eq!(
                pieces(input).await.map(|pieces| pieces.concat()),
                Ok(most.clone()),
                "in pieces of {len}"
            );
        }
        for over in [head(UPGRADE_HEAD_LEN_MAX + 1), head(200_000)] {
            let input: Vec<Vec<u8>> = over.chunks(1_000).map(<[u8]>::to_vec).collect();
            assert_eq!(pieces(input).await, Err(HeadTooLong.to_string()), "{}", over.len());
        }
    }
}
