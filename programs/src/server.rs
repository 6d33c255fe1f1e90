//! The control socket: by it other processes of the same user talk to the running program.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::lines::{LINE_LEN_MAX, parse_object};
use super::{CONTROL_SOCKET, DirLock};

/// The most clients at a time.
pub const CLIENTS_MAX: usize = 32;
/// The most lines of answers that may wait for one client.
pub const REPLIES_MAX: usize = 4_096;
/// How long a client may accept no bytes of its answers.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// An event of the control socket's clients.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a program must handle each")]
pub enum ControlEvent {
    /// A client sent an object: a request, or the next input for a request that is being handled.
    Object {
        /// The number of the client; no later client gets the same.
        client: u64,
        /// The object that the client sent.
        object: Map<String, Value>,
        /// Where to send answers.
        replies: Replies,
    },
    /// A client has closed its connection.
    Gone {
        /// The number of the client.
        client: u64,
    },
}

/// The error that a client is gone, or does not read its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client of the control socket is gone")]
#[non_exhaustive]
pub struct ReplyGone;

/// Where answers to one client are sent. Copying it is cheap.
#[derive(Clone, Debug)]
pub struct Replies(mpsc::Sender<Value>);

impl Replies {
    /// Queues one line, without waiting.
    ///
    /// # Errors
    /// [`ReplyGone`] when the client is gone, or more than [`REPLIES_MAX`] lines wait.
    pub fn send(&self, line: Value) -> Result<(), ReplyGone> {
        self.0.try_send(line).map_err(|_| ReplyGone)
    }
}

/// A running control socket. Dropping it removes the socket's file.
#[derive(Debug)]
pub struct ControlServer {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.task.abort();
        // If the file cannot be removed, the next process replaces it.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Listens at `control.sock` in the locked directory (mode 0600). If a process has ended and left its
/// socket's file, the file is replaced: the lock proves that the process is gone. Each event goes through
/// `wrap` into the channel. May be called from any thread.
///
/// # Errors
/// The operating system's error, when the socket cannot be created.
pub fn serve_control<E, W>(
    runtime: &Handle,
    lock: &DirLock,
    events: mpsc::Sender<E>,
    wrap: W,
) -> io::Result<ControlServer>
where
    E: Send + 'static,
    W: Fn(ControlEvent) -> E + Send + Sync + 'static,
{
    let path = lock.dir().join(CONTROL_SOCKET);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let _entered = runtime.enter();
    let listener = with_short_path(lock.dir(), |path| UnixListener::bind(path))?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    let task = runtime.spawn(accept(listener, events, Arc::new(wrap)));
    Ok(ControlServer { path, task })
}

/// The longest path, in bytes, that is used as a socket's address.
const SOCKET_PATH_LEN_MAX: usize = 100;

/// Calls `f` with a path of the control socket that is short enough for a socket's address, however long the
/// directory's path is.
pub(super) fn with_short_path<T>(dir: &Path, f: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    use std::os::fd::AsRawFd;

    let path = dir.join(CONTROL_SOCKET);
    if path.as_os_str().len() <= SOCKET_PATH_LEN_MAX {
        return f(&path);
    }
    let held = std::fs::File::open(dir)?;
    f(&PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd())).join(CONTROL_SOCKET))
}

async fn accept<E, W>(listener: UnixListener, events: mpsc::Sender<E>, wrap: Arc<W>)
where
    E: Send + 'static,
    W: Fn(ControlEvent) -> E + Send + Sync + 'static,
{
    let clients = Arc::new(AtomicUsize::new(0));
    for client in 0_u64.. {
        let Ok((stream, _)) = listener.accept().await else {
            // Most likely the process has no free file descriptors. Some will become free.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let taken = clients.fetch_add(1, Ordering::Relaxed);
        let (events, wrap, clients) = (events.clone(), Arc::clone(&wrap), Arc::clone(&clients));
        drop(tokio::spawn(async move {
            if taken < CLIENTS_MAX {
                serve(client, stream, &events, &*wrap).await;
            } else {
                refuse(stream).await;
            }
            let _ = clients.fetch_sub(1, Ordering::Relaxed);
        }));
    }
}

async fn refuse(stream: UnixStream) {
    let (_, mut writer) = stream.into_split();
    let _ = write_line(&mut writer, &json!({"error": "too many clients use the control socket; try again"}))
        .await;
}

async fn serve<E: Send, W>(client: u64, stream: UnixStream, events: &mpsc::Sender<E>, wrap: &W)
where
    W: Fn(ControlEvent) -> E + Send + Sync,
{
    let (reader, writer) = stream.into_split();
    let (sender, replies) = mpsc::channel(REPLIES_MAX);
    let replies_to = Replies(sender);
    // Reader and writer of a client run at the same time. The writer ends by an error, or once both the
    // reader and the program have dropped their senders.
    let read = async {
        read_objects(client, reader, &replies_to, events, wrap).await;
        drop(replies_to);
        let _ = events.send(wrap(ControlEvent::Gone { client })).await;
    };
    tokio::join!(read, write_lines(writer, replies));
}

async fn read_objects<E: Send, W>(
    client: u64,
    reader: OwnedReadHalf,
    replies: &Replies,
    events: &mpsc::Sender<E>,
    wrap: &W,
) where
    W: Fn(ControlEvent) -> E + Send + Sync,
{
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        let limit = u64::try_from(LINE_LEN_MAX).unwrap_or(u64::MAX).saturating_add(1);
        let mut bounded = (&mut reader).take(limit);
        let read = tokio::select! {
            read = bounded.read_until(b'\n', &mut line) => read,
            // A client that does not read its answers is treated as gone.
            () = replies.0.closed() => return,
        };
        if !matches!(read, Ok(1..)) {
            return;
        }
        let whole = line.pop_if(|byte| *byte == b'\n').is_some();
        match parse_object(&line) {
            Ok(object) => {
                let event = ControlEvent::Object { client, object, replies: replies.clone() };
                if events.send(wrap(event)).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                let told = replies.send(json!({"error": error.to_string()}));
                // A line without its line feed was too long or the last one, so it is unknown where the next
                // line starts.
                if told.is_err() || !whole {
                    return;
                }
            }
        }
    }
}

async fn write_lines(mut writer: OwnedWriteHalf, mut replies: mpsc::Receiver<Value>) {
    while let Some(line) = replies.recv().await {
        if !write_line(&mut writer, &line).await {
            return;
        }
    }
}

async fn write_line(writer: &mut OwnedWriteHalf, line: &Value) -> bool {
    let bytes = format!("{line}\n");
    matches!(timeout(WRITE_DEADLINE, writer.write_all(bytes.as_bytes())).await, Ok(Ok(())))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::super::io_thread::IoThread;
    use super::super::{ControlClient, ControlError};
    use super::*;

    struct Server {
        runtime: IoThread,
        dir: tempfile::TempDir,
        lock: DirLock,
    }

    fn server() -> Server {
        let runtime = IoThread::start().expect("a thread");
        let dir = tempfile::tempdir().expect("a directory");
        let lock = DirLock::acquire(dir.path()).expect("free");
        Server { runtime, dir, lock }
    }

    const SOON: Duration = Duration::from_secs(10);

    /// Answers each object with itself and a second line, until all senders are gone.
    fn echo(mut events: mpsc::Receiver<ControlEvent>, gone: std::sync::mpsc::Sender<u64>) {
        drop(std::thread::spawn(move || {
            while let Some(event) = events.blocking_recv() {
                match event {
                    ControlEvent::Object { object, replies, .. } => {
                        let _ =
                            replies.send(Value::Object(object)).and_then(|()| replies.send(json!({"n": 2})));
                    }
                    ControlEvent::Gone { client } => drop(gone.send(client)),
                }
            }
        }));
    }

    #[test]
    fn requests_and_answers_are_lines_and_the_socket_is_private() {
        let Server { runtime, dir, lock } = server();
        assert!(ControlClient::connect(dir.path()).expect("no error").is_none(), "nobody listens");
        std::fs::write(dir.path().join(CONTROL_SOCKET), b"stale").expect("written");
        let (events, inbox) = mpsc::channel(8);
        let (gone, gone_inbox) = std::sync::mpsc::channel();
        echo(inbox, gone);
        let server = serve_control(runtime.handle(), &lock, events, |event| event).expect("listening");
        let path = dir.path().join(CONTROL_SOCKET);
        assert_eq!(std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);

        let mut client = ControlClient::connect(dir.path()).expect("no error").expect("listening");
        for chat in 0..3 {
            client.send(&json!({"verb": "history", "chat": chat})).expect("sent");
            assert_eq!(client.recv(SOON).expect("answered"), json!({"verb": "history", "chat": chat}));
            assert_eq!(client.recv(SOON).expect("answered"), json!({"n": 2}));
        }
        assert!(matches!(client.recv(Duration::from_millis(20)), Err(ControlError::Timeout)));
        drop(client);
        assert_eq!(gone_inbox.recv_timeout(SOON), Ok(0));
        drop(server);
        assert!(!path.exists());
        assert!(ControlClient::connect(dir.path()).expect("no error").is_none());
    }

    #[test]
    fn bad_lines_are_told_and_endless_ones_end_the_client() {
        let Server { runtime, dir, lock } = server();
        let (events, inbox) = mpsc::channel(8);
        let (gone, gone_inbox) = std::sync::mpsc::channel();
        echo(inbox, gone);
        let _server = serve_control(runtime.handle(), &lock, events, |event| event).expect("listening");
        let mut stream =
            std::os::unix::net::UnixStream::connect(dir.path().join(CONTROL_SOCKET)).expect("listening");
        stream.set_read_timeout(Some(SOON)).expect("set");
        stream.write_all(b"nonsense\n").expect("sent");
        stream.write_all(&vec![b'x'; LINE_LEN_MAX + 1]).expect("sent");
        let mut answers = String::new();
        let _ = stream.read_to_string(&mut answers).expect("the server ends it");
        assert!(answers.contains("not a JSON object") && answers.contains("longer than"), "{answers}");
        assert_eq!(gone_inbox.recv_timeout(SOON), Ok(0));
    }

    #[test]
    fn a_long_path_and_a_crowd_are_served() {
        let Server { runtime, dir, .. } = server();
        let deep = dir.path().join("d".repeat(120));
        let lock = DirLock::acquire(&deep).expect("free");
        let (events, mut inbox) = mpsc::channel(256);
        let _server = serve_control(runtime.handle(), &lock, events, |event| event).expect("listening");
        let clients: Vec<_> = (0..=CLIENTS_MAX)
            .map(|_| ControlClient::connect(&deep).expect("no error").expect("listening"))
            .collect();
        let mut clients = clients.into_iter();
        let mut last = clients.next_back().expect("one");
        let answer = last.recv(SOON).expect("answered");
        assert!(answer.to_string().contains("too many clients"), "{answer}");
        let mut first = clients.next().expect("one");
        first.send(&json!({"a": 1})).expect("sent");
        assert!(matches!(inbox.blocking_recv(), Some(ControlEvent::Object { client: 0, .. })));
    }
}
