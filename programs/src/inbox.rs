//! The inbox of a core thread.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// The most events taken in one round, because a single transaction must cover the round.
const BATCH_MAX: usize = 128;

/// The events for a core thread, in order. Waiting for them can have a deadline.
#[derive(Debug)]
pub struct Inbox<E> {
    events: mpsc::Receiver<E>,
    timer: Runtime,
}

impl<E> Inbox<E> {
    /// Creates an inbox for `capacity` events, and its sender. While the inbox is full, senders wait.
    ///
    /// # Errors
    /// The operating system's error, when it provides no timer.
    pub fn new(capacity: usize) -> io::Result<(mpsc::Sender<E>, Self)> {
        let (sender, events) = mpsc::channel(capacity);
        let timer = Builder::new_current_thread().enable_time().build()?;
        Ok((sender, Self { events, timer }))
    }

    /// Waits for an event, or until `deadline` has passed (`None`: forever). Appends the event and those that
    /// follow to `batch`, at most 128. Returns `false` when all senders are gone and no event is left.
    ///
    /// Must not be called from within an asynchronous task.
    pub fn wait(&mut self, deadline: Option<Duration>, batch: &mut Vec<E>) -> bool {
        let events = &mut self.events;
        let first = match deadline {
            None => self.timer.block_on(events.recv()).ok_or(false),
            Some(deadline) => match self.timer.block_on(async { timeout(deadline, events.recv()).await }) {
                Ok(event) => event.ok_or(false),
                Err(_) => Err(true),
            },
        };
        match first {
            Ok(event) => batch.push(event),
            Err(open) => return open,
        }
        while batch.len() < BATCH_MAX {
            match events.try_recv() {
                Ok(event) => batch.push(event),
                Err(_) => break,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_batches_and_deadlines_pass() {
        let (sender, mut inbox) = Inbox::new(BATCH_MAX * 2).expect("a timer");
        let mut batch = Vec::new();
        assert!(inbox.wait(Some(Duration::from_millis(5)), &mut batch));
        assert!(batch.is_empty(), "the deadline passed");
        for number in 0..=BATCH_MAX {
            sender.try_send(number).expect("room");
        }
        assert!(inbox.wait(None, &mut batch));
        assert_eq!(batch, (0..BATCH_MAX).collect::<Vec<_>>());
        batch.clear();
        drop(sender);
        assert!(inbox.wait(Some(Duration::ZERO), &mut batch), "what is left comes first");
        assert_eq!(batch, [BATCH_MAX]);
        assert!(!inbox.wait(None, &mut batch), "and then the end");
    }
}
