//! A thread that runs the tasks of sockets, for tests.

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// How long tasks may take to end by themselves before they are aborted.
const LINGER: Duration = Duration::from_millis(500);

/// A thread that drives a tokio runtime for sockets, signals and timers. When it is dropped, its tasks get
/// half a second to end.
#[derive(Debug)]
pub(super) struct IoThread {
    handle: Handle,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl IoThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system's error.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        let run = move || {
            // An error means that the owner of the thread was dropped, which ends the thread too.
            let _ = runtime.block_on(ended);
            runtime.block_on(async {
                let tasks = Handle::current().metrics();
                let wait = async {
                    while tasks.num_alive_tasks() > 0 {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                };
                let _ = tokio::time::timeout(LINGER, wait).await;
            });
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("io".into()).spawn(run)?;
        Ok(Self { handle, end: Some(end), thread: Some(thread) })
    }

    /// Returns the handle by which tasks are spawned.
    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for IoThread {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // If the thread has panicked, that was printed; nothing else can be done.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_run_and_the_end_does_not_wait_for_those_that_hang() {
        let thread = IoThread::start().expect("a thread");
        let (sender, receiver) = std::sync::mpsc::channel();
        drop(thread.handle().spawn(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            sender.send(7)
        }));
        assert_eq!(receiver.recv_timeout(Duration::from_secs(10)), Ok(7));
        drop(thread.handle().spawn(std::future::pending::<()>()));
        let begin = std::time::Instant::now();
        drop(thread);
        assert!(begin.elapsed() < Duration::from_secs(5));
    }
}
