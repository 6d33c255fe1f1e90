//! What logs contain about a socket: its number, sizes and reasons, but never a payload.

use handfast::driver::SocketEvent;

/// Logs what happened to a socket: frames at level `trace`, its beginning and end at `debug`.
pub(super) fn log_socket(socket: u64, event: &SocketEvent) {
    match event {
        SocketEvent::Opened => tracing::debug!(socket, "open"),
        SocketEvent::Message(bytes) => tracing::trace!(socket, len = bytes.len(), "came"),
        SocketEvent::Written(len) => tracing::trace!(socket, len, "left"),
        SocketEvent::Closed(reason) => tracing::debug!(socket, %reason, "closed"),
    }
}
