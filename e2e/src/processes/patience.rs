//! Waiting for something that is asked for again and again.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The pause between two askings.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks `probe` until it answers `Ok(Some(..))`; the pause between two askings is 50 ms.
///
/// # Errors
/// The time is over: the text says what was waited for and what the last asking gave.
pub(crate) fn until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        let last = match probe() {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => "it was not so yet".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        if Instant::now() >= deadline {
            bail!("waited {} s for {what}: {last}", limit.as_secs());
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_ends_the_waiting_and_the_last_error_is_told() {
        let mut calls = 0;
        let found = until("three", Duration::from_secs(5), || {
            calls += 1;
            if calls == 1 {
                bail!("not yet");
            }
            Ok((calls == 3).then_some(calls))
        });
        assert_eq!(found.unwrap(), 3);
        let error = until::<()>("a miracle", Duration::ZERO, || bail!("none seen")).unwrap_err().to_string();
        assert_eq!(error, "waited 0 s for a miracle: none seen");
    }
}
