//! The resources that the process uses.

use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::{fields, size};

/// Returns the resident memory of the process in bytes, if the system reports it (`VmRSS` on Linux).
#[must_use]
fn resident_memory() -> Option<u64> {
    resident_of(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn resident_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1_024)
}

/// Returns what a running program uses: memory, tasks of its runtime, open sockets, and bytes queued in these
/// sockets.
#[must_use]
pub(super) fn usage(runtime: &Handle, sockets: usize, queued_bytes: usize) -> Value {
    json!({"pid": std::process::id(), "memory_bytes": resident_memory(),
        "tasks": runtime.metrics().num_alive_tasks(), "sockets": sockets, "queued_bytes": queued_bytes})
}

/// Returns the report of [`CoreIo::usage`](super::CoreIo::usage) as a line of a status. For `null`, the line
/// says that no process runs.
#[must_use]
pub fn usage_words(process: &Value) -> String {
    if process.is_null() {
        return "process   none runs; `run` starts it".to_owned();
    }
    let memory = process["memory_bytes"].as_u64().map_or_else(|| "unknown".to_owned(), size);
    format!(
        "process   {}, memory {memory}, {} tasks, {} sockets in which {} wait",
        process["pid"],
        process["tasks"],
        process["sockets"],
        size(fields::number(process, "queued_bytes"))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_memory_is_read() {
        assert_eq!(resident_of("Name:\tx\nVmRSS:\t    1234 kB\nThreads: 1\n"), Some(1_263_616));
        assert_eq!(resident_of("Name:\tx\n"), None);
        if cfg!(target_os = "linux") {
            assert!(resident_memory().is_some_and(|bytes| bytes > 100_000));
        }
    }
}
