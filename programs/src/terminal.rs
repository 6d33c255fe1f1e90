//! Properties of the terminal, and the signals by which a program is asked to end.

use std::io::{self, IsTerminal as _};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// The terminal that is standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Terminal {
    /// The terminal's width in characters, if known.
    pub width: Option<usize>,
    /// Whether the terminal should show colours, according to `NO_COLOR` and `TERM=dumb`.
    pub colours: bool,
}

impl Terminal {
    /// Returns the terminal of standard output; `None` when that is a file or a pipe.
    #[must_use]
    pub fn of_stdout() -> Option<Self> {
        let out = io::stdout();
        if !out.is_terminal() {
            return None;
        }
        let width = rustix::termios::tcgetwinsize(&out).ok().map(|size| usize::from(size.ws_col));
        let asked = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let colours = asked("NO_COLOR").is_none() && asked("TERM").is_none_or(|term| term != "dumb");
        // A terminal that does not know its width reports 0.
        Some(Self { width: width.filter(|width| *width > 0), colours })
    }
}

/// Receives SIGTERM, SIGINT and SIGHUP through a channel, so that they no longer kill the process. So a
/// closed terminal (SIGHUP) ends a program as orderly as the other signals do.
///
/// # Errors
/// The operating system's error. Must be called within a tokio runtime.
pub(super) fn signals_to_end() -> io::Result<mpsc::Receiver<()>> {
    let (sender, receiver) = mpsc::channel(1);
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        let mut signals = signal(kind)?;
        let sender = sender.clone();
        drop(tokio::spawn(async move {
            // If nobody receives these signals any more, the process is ending anyway.
            while signals.recv().await.is_some() && sender.send(()).await.is_ok() {}
        }));
    }
    Ok(receiver)
}
