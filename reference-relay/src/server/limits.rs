//! Every number of the server around the core, by name.

use std::time::Duration;

/// The limits of one server. The defaults are meant for a public relay; tests shorten them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerLimits {
    /// From accept to the end of the upgrade, TLS included; also the whole life of a plain HTTP connection.
    pub upgrade_deadline: Duration,
    /// How long one frame may take to be written.
    pub write_deadline: Duration,
    /// From the decision to close a socket to its end.
    pub close_deadline: Duration,
    /// How long a stopping relay waits for its clients.
    pub shutdown_deadline: Duration,
    /// Pause after an `accept` that failed, as when file descriptors are used up.
    pub accept_pause: Duration,
    /// Bytes of one request's head.
    pub head_len_max: usize,
    /// Headers of one request.
    pub headers_max: usize,
    /// TCP connections in all.
    pub connections_max: usize,
    /// TCP connections from one address.
    pub connections_per_address_max: usize,
    /// Connections that the kernel holds until they are accepted.
    pub backlog: u32,
    /// The kernel's part of what is written and not yet sent, in bytes.
    pub send_buffer_len: u32,
    /// What is read from the kernel at once, in bytes.
    pub read_buffer_len: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            upgrade_deadline: Duration::from_secs(10),
            write_deadline: Duration::from_secs(30),
            close_deadline: Duration::from_secs(5),
            shutdown_deadline: Duration::from_secs(3),
            accept_pause: Duration::from_millis(100),
            head_len_max: 16 * 1024,
            headers_max: 64,
            connections_max: 18_432,
            connections_per_address_max: 512,
            backlog: 1_024,
            send_buffer_len: 64 * 1024,
            read_buffer_len: 16 * 1024,
        }
    }
}
