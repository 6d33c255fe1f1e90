//! The core thread, and how a signal ends the program whatever the core thread is doing.

use std::io;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::terminal::signals_to_end;

/// How long the core thread may take to end once it was asked to.
const END_MAX: Duration = Duration::from_secs(3);
/// How long queued bytes of sockets may still be written after the core thread has ended.
const LINGER: Duration = Duration::from_millis(200);

/// The reason why the core thread returned no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// The thread panicked.
    #[error("the core thread failed")]
    Failed,
    /// The thread was asked to end, and did not end in time. What it had not stored is lost, as in a crash.
    #[error("the program did not end by itself in time: most likely its disk does not answer")]
    Stuck,
}

/// Runs `core` in a thread until it ends. On SIGTERM, SIGINT or SIGHUP, puts `stop` into the thread's inbox
/// to ask it to end. Signals are handled before `core` starts, so that none is lost.
///
/// # Errors
/// The operating system's error, when it starts no thread or accepts no signal handlers.
pub(super) fn run_core<E, R>(
    runtime: &Runtime,
    events: &mpsc::Sender<E>,
    stop: E,
    core: impl FnOnce() -> R + Send + 'static,
) -> io::Result<Result<R, CoreError>>
where
    E: Send + 'static,
    R: Send + 'static,
{
    let mut signals = {
        let _entered = runtime.enter();
        signals_to_end()?
    };
    let (ended, mut end) = oneshot::channel();
    let run = move || drop(ended.send(core()));
    drop(std::thread::Builder::new().name("core".into()).spawn(run)?);
    Ok(runtime.block_on(async {
        let result = tokio::select! {
            result = &mut end => result.map_err(|_| CoreError::Failed),
            _ = signals.recv() => {
                let asked = async {
                    // The inbox may be full, so this may wait. If the inbox is gone, the thread is about to
                    // end.
                    let _ = events.send(stop).await;
                    (&mut end).await.map_err(|_| CoreError::Failed)
                };
                // One deadline covers two signals, because the same signal is often sent to the process and
                // to its group.
                timeout(END_MAX, asked).await.unwrap_or(Err(CoreError::Stuck))
            }
        };
        sleep(LINGER).await;
        result
    }))
}
