//! The counters in the text format of Prometheus.

use std::fmt::{Display, Write};

use crate::core::Stats;

/// The counters of the server, which are not the core's.
#[derive(Debug)]
pub(super) struct ServerCounts {
    pub(super) connections: usize,
    pub(super) refused_origins: u64,
    pub(super) turned_away: u64,
    /// The resident memory of the process in bytes, if the system reports it.
    pub(super) memory_bytes: Option<u64>,
    /// The number of tasks in the relay's tokio runtime.
    pub(super) tasks: usize,
}

/// Returns the resident memory of the process in bytes, from `VmRSS` on Linux.
pub(super) fn memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
}

pub(super) fn render(stats: &Stats, server: &ServerCounts) -> String {
    let mut out = String::new();
    if let Some(bytes) = &server.memory_bytes {
        gauge(&mut out, "memory_bytes", "Memory that the process holds.", &[("", bytes)]);
    }
    gauge(&mut out, "tasks", "Tasks of the runtime.", &[("", &server.tasks)]);
    gauge(&mut out, "queued_bytes", "Bytes that wait to be written.", &[("", &stats.queued_bytes)]);
    gauge(&mut out, "connections", "TCP connections open now.", &[("", &server.connections)]);
    gauge(&mut out, "sockets", "WebSockets open now.", &[("", &stats.sockets)]);
    gauge(
        &mut out,
        "mailboxes",
        "Mailboxes held now.",
        &[
            ("{kind=\"link\"}", &stats.link_mailboxes),
            ("{kind=\"pairing\"}", &stats.pairing_mailboxes),
            ("{kind=\"sticky\"}", &stats.sticky_mailboxes),
        ],
    );
    counter(&mut out, "opened_total", "WebSockets opened.", &[("", &stats.opened)]);
    counter(&mut out, "attached_total", "Attaches proven.", &[("", &stats.attached)]);
    counter(
        &mut out,
        "frames_total",
        "Relay frames.",
        &[
            ("{what=\"received\"}", &stats.frames_received),
            ("{what=\"forwarded\"}", &stats.frames_forwarded),
            ("{what=\"dropped\"}", &stats.frames_dropped),
        ],
    );
    counter(
        &mut out,
        "bytes_total",
        "Bytes of relay frames.",
        &[("{what=\"received\"}", &stats.bytes_received), ("{what=\"forwarded\"}", &stats.bytes_forwarded)],
    );
    counter(
        &mut out,
        "refused_origins_total",
        "Upgrades refused for their Origin.",
        &[("", &server.refused_origins)],
    );
    counter(&mut out, "turned_away_total", "Connections past the caps.", &[("", &server.turned_away)]);
    head(&mut out, "errors_total", "ERROR frames sent.", "counter");
    for (code, count) in &stats.errors {
        line(&mut out, "errors_total", &format!("{{code=\"{code}\"}}"), count);
    }
    out
}

fn gauge(out: &mut String, name: &str, help: &str, rows: &[(&str, &dyn Display)]) {
    head(out, name, help, "gauge");
    for (labels, value) in rows {
        line(out, name, labels, value);
    }
}

fn counter(out: &mut String, name: &str, help: &str, rows: &[(&str, &dyn Display)]) {
    head(out, name, help, "counter");
    for (labels, value) in rows {
        line(out, name, labels, value);
    }
}

fn head(out: &mut String, name: &str, help: &str, kind: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "# HELP handfast_relay_{name} {help}\n# TYPE handfast_relay_{name} {kind}");
}

fn line(out: &mut String, name: &str, labels: &str, value: &dyn Display) {
    let _ = writeln!(out, "handfast_relay_{name}{labels} {value}");
}
