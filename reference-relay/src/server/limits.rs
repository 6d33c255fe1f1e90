//! Every limit of the server around the core, by name.

use std::time::Duration;

/// The limits of one server. The defaults suit a public relay; tests use shorter ones.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerLimits {
    /// The longest time from accept to the end of the upgrade, TLS included. A connection with plain HTTP may
    /// last this long at most.
    pub upgrade_deadline: Duration,
    /// The longest time for writing one frame.
    pub write_deadline: Duration,
    /// The longest time from the decision to close a socket to its end.
    pub close_deadline: Duration,
    /// The longest time for which a stopping relay waits for its clients.
    pub shutdown_deadline: Duration,
    /// The pause after an `accept` that failed, for example because no file descriptor was free.
    pub accept_pause: Duration,
    /// The longest head of a request, in bytes.
    pub head_len_max: usize,
    /// The most headers of a request.
    pub headers_max: usize,
    /// The most TCP connections.
    pub connections_max: usize,
    /// The most TCP connections from one address.
    pub connections_per_address_max: usize,
    /// How many connections the kernel keeps waiting until the relay accepts them.
    pub backlog: u32,
    /// The size of the kernel's send buffer for each connection, in bytes.
    pub send_buffer_len: u32,
    /// The number of bytes to read from the kernel at once.
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
