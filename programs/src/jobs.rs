//! Work on the user's files outside the core thread, so that a file which hangs does not stop the program.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// The most jobs at a time. A job whose file hangs counts until the job ends.
pub const FILE_JOBS_MAX: usize = 8;
/// How long a job may make no progress. It is shorter than the time for which clients of the control socket
/// wait for an answer.
pub const FILE_STALL_MAX: Duration = Duration::from_secs(20);

/// The reason why a job was not started, or was given up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileJobError {
    /// [`FILE_JOBS_MAX`] jobs are running.
    #[error("{FILE_JOBS_MAX} files are being read or written already; wait, then try again")]
    Busy,
    /// The job made no progress for [`FILE_STALL_MAX`].
    #[error("its disk does not answer; check it, then try again")]
    Stalled,
    /// The operating system could not start a thread for the job.
    #[error("the system starts no thread for it; try again")]
    NoThread,
}

/// A counter by which a job shows that it makes progress.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// Records that the job has processed some bytes.
    pub fn moved(&self) {
        let _ = self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Starts jobs. Their results go to a core thread's inbox.
#[derive(Debug)]
pub struct FileJobs<E> {
    runtime: Handle,
    events: mpsc::Sender<E>,
    running: Arc<AtomicUsize>,
    stall: Duration,
}

impl<E: Send + 'static> FileJobs<E> {
    /// Creates a starter of jobs, which puts their results into this inbox.
    #[must_use]
    pub fn new(runtime: Handle, events: mpsc::Sender<E>) -> Self {
        Self { runtime, events, running: Arc::default(), stall: FILE_STALL_MAX }
    }

    /// Does `work` in a thread of its own. One result goes through `wrap` into the inbox. If the work hangs,
    /// that is an error, and the work's late result is dropped.
    ///
    /// # Errors
    /// [`FileJobError::Busy`] or [`FileJobError::NoThread`]; nothing was started then.
    pub fn start<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Progress) -> T + Send + 'static,
        wrap: impl FnOnce(Result<T, FileJobError>) -> E + Send + 'static,
    ) -> Result<(), FileJobError> {
        if self.running.fetch_add(1, Ordering::Relaxed) >= FILE_JOBS_MAX {
            let _ = self.running.fetch_sub(1, Ordering::Relaxed);
            return Err(FileJobError::Busy);
        }
        let (progress, (done, mut result)) = (Progress::default(), oneshot::channel());
        let (seen, running) = (progress.clone(), Arc::clone(&self.running));
        let started: io::Result<_> = std::thread::Builder::new().name("file".into()).spawn(move || {
            let _ = done.send(work(&progress));
            let _ = running.fetch_sub(1, Ordering::Relaxed);
        });
        if started.is_err() {
            let _ = self.running.fetch_sub(1, Ordering::Relaxed);
            return Err(FileJobError::NoThread);
        }
        let (events, stall) = (self.events.clone(), self.stall);
        drop(self.runtime.spawn(async move {
            let mut count = seen.count();
            let ended = loop {
                match timeout(stall, &mut result).await {
                    // If a thread ended without a result, it has panicked.
                    Ok(ended) => break ended.map_err(|_| FileJobError::Stalled),
                    Err(_) if seen.count() == count => break Err(FileJobError::Stalled),
                    Err(_) => count = seen.count(),
                }
            };
            drop(result);
            // A program that has dropped its inbox does not need the result.
            let _ = events.send(wrap(ended)).await;
        }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::Inbox;
    use crate::io_thread::IoThread;

    type Ended = Result<u8, FileJobError>;

    fn next(inbox: &mut Inbox<Ended>) -> Ended {
        let mut batch = Vec::new();
        assert!(inbox.wait(Some(Duration::from_secs(30)), &mut batch));
        batch.pop().expect("it answers")
    }

    #[test]
    fn a_job_that_hangs_is_given_up_and_others_go_on() {
        let io = IoThread::start().expect("a thread");
        let (events, mut inbox) = Inbox::new(32).expect("an inbox");
        let mut jobs = FileJobs::new(io.handle().clone(), events);
        jobs.stall = Duration::from_millis(100);
        let (release, hangs) = channel::<()>();
        jobs.start(move |_| hangs.recv().map_or(1, |()| 2), |ended| ended).expect("begun");
        assert_eq!(next(&mut inbox), Err(FileJobError::Stalled));
        jobs.start(|_| 7, |ended| ended).expect("begun");
        assert_eq!(next(&mut inbox), Ok(7));
        drop(release);
        // A slow job that makes progress.
        let slow = |progress: &Progress| {
            for _ in 0..30 {
                std::thread::sleep(Duration::from_millis(10));
                progress.moved();
            }
            9
        };
        jobs.start(slow, |ended| ended).expect("begun");
        assert_eq!(next(&mut inbox), Ok(9));
    }

    #[test]
    fn jobs_have_a_limit() {
        let io = IoThread::start().expect("a thread");
        let (events, mut inbox) = Inbox::new(32).expect("an inbox");
        let jobs = FileJobs::new(io.handle().clone(), events);
        let (release, hang) = (Arc::new(std::sync::Barrier::new(FILE_JOBS_MAX + 1)), |ended: Ended| ended);
        for _ in 0..FILE_JOBS_MAX {
            let barrier = Arc::clone(&release);
            jobs.start(
                move |_| {
                    let _ = barrier.wait();
                    3
                },
                hang,
            )
            .expect("begun");
        }
        assert_eq!(jobs.start(|_| 1, hang), Err(FileJobError::Busy));
        let _ = release.wait();
        let mut ended = Vec::new();
        while ended.len() < FILE_JOBS_MAX {
            assert!(inbox.wait(Some(Duration::from_secs(30)), &mut ended));
        }
        assert_eq!(ended, vec![Ok(3); FILE_JOBS_MAX]);
    }
}
