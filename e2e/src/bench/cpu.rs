//! The processor time of a process, as the kernel counts it.

use anyhow::{Context as _, Result};

/// Ticks of a second, which is the same on every Linux (`USER_HZ`).
const TICKS: f64 = 100.0;
/// Where user and system time stand in `/proc/PID/stat`, counted behind the name in brackets.
const USER: usize = 11;
const SYSTEM: usize = 12;

/// Returns how many seconds of a processor a process has used.
///
/// # Errors
/// It has ended.
pub(super) fn seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("process {pid} has ended"))?;
    let (_, fields) = stat.rsplit_once(") ").context("a line of /proc without a name")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |at: usize| -> Result<f64> { Ok(fields.get(at).context("a short line of /proc")?.parse()?) };
    Ok((ticks(USER)? + ticks(SYSTEM)?) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_uses_time_and_one_that_has_ended_is_told() {
        let own = std::process::id();
        let before = seconds(own).unwrap();
        let start = std::time::Instant::now();
        while seconds(own).unwrap() < before + 0.02 {
            assert!(start.elapsed().as_secs() < 60, "this process works");
        }
        assert!(seconds(u32::MAX).unwrap_err().to_string().contains("has ended"));
    }
}
