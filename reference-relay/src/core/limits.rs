//! Every number of the relay core, by name (spec, relay). Durations are of the caller's clock, lengths in bytes.

use core::num::NonZeroU64;
use core::time::Duration;

/// A socket that is not attached this long after it opened is closed.
pub const ATTACH_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause between two PING frames to an attached socket.
pub const PING_INTERVAL: Duration = Duration::from_secs(25);
/// An attached socket from which nothing arrived for this long is closed.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// How long a replaced socket may answer its PING.
pub const REPLACED_GRACE: Duration = Duration::from_secs(10);
/// A replaced socket that answers so soon from its successor's address is a reload, not a contention.
pub const RELOAD_GRACE: Duration = Duration::from_secs(2);
/// A phone seat of a pairing mailbox that sent no DATA for this long after its attach is emptied.
pub const PAIRING_SILENCE: Duration = Duration::from_secs(10);
/// The life of a pairing mailbox, from its first attach.
pub const PAIRING_TIME: Duration = Duration::from_mins(6);
/// DATA bodies that a pairing mailbox carries one way.
pub const PAIRING_LEN_MAX: usize = 65_536;
/// Keys that may hold the phone seat of one pairing mailbox, one after another.
pub const PAIRING_PHONE_KEYS_MAX: usize = 3;
/// Bytes held for a socket that does not read.
pub const QUEUE_LEN_MAX: usize = 262_144;
/// Frames held for a socket that does not read, so that tiny frames cannot cost more than their bytes.
pub const QUEUE_FRAMES_MAX: usize = 2_048;
/// Past this part of its queue a socket's peer should be read no further: a half.
pub const QUEUE_PAUSE_DIVISOR: usize = 2;
/// Open sockets in all.
pub const SOCKETS_MAX: usize = 16_384;
/// The last of these: no new pairing may use them, and no address that holds [`SOCKETS_PER_ADDRESS_SCARCE`] already.
/// Anybody can make a link mailbox, so the kind of a mailbox alone would keep them free for nobody.
pub const SOCKETS_RESERVED: usize = 2_048;
/// Open sockets from one address (one /64 for IPv6).
pub const SOCKETS_PER_ADDRESS_MAX: usize = 256;
/// The least of that cap (RLY-021).
pub const SOCKETS_PER_ADDRESS_MIN: usize = 64;
/// Open sockets from one address while only the reserved ones are left.
pub const SOCKETS_PER_ADDRESS_SCARCE: usize = 8;
/// What an IPv6 /56 may hold of anything that is counted by address, in caps of one address.
pub const CAPS_OF_SLASH_56: usize = 2;
/// The same for a /48.
pub const CAPS_OF_SLASH_48: usize = 4;
/// Frames other than DATA, and WebSocket PINGs, that a socket may send at once.
pub const CONTROL_FRAMES_MAX: u32 = 64;
/// The time after which it may send one more.
pub const CONTROL_FRAME_PAUSE: Duration = Duration::from_millis(125);
/// DATA bytes that the sockets of one address may send in [`BYTES_WINDOW`]; then they are read no faster than this.
pub const BYTES_PER_HOUR: u64 = 17_179_869_184;
/// What [`BYTES_PER_HOUR`] counts over.
pub const BYTES_WINDOW: Duration = Duration::from_hours(1);
/// The least of [`BYTES_PER_HOUR`], by which the longest frame is paid for in 3.6 s: socket and peer stay alive.
pub const BYTES_PER_HOUR_MIN: u64 = 16_777_216;
/// Pairing mailboxes in all; past it the oldest in which nobody sits is forgotten.
pub const PAIRING_MAILBOXES_MAX: usize = 16_384;
/// Pairing mailboxes that sockets of one address opened.
pub const PAIRING_MAILBOXES_PER_ADDRESS_MAX: usize = 256;
/// Link mailboxes that hold a sticky value; past it the least recently used is forgotten.
pub const STICKY_MAILBOXES_MAX: usize = 32_768;
/// Of these, mailboxes last written from one address; past it that address's own least recent is forgotten.
pub const STICKY_MAILBOXES_PER_ADDRESS_MAX: usize = 256;
/// What a client is told to wait after a refusal that time mends, in milliseconds.
pub const RETRY_MS: u32 = 5_000;
/// What a client is told to wait when the relay stops, in milliseconds.
pub const SHUTDOWN_RETRY_MS: u32 = 1_000;

const _: () =
    assert!(SOCKETS_PER_ADDRESS_MAX >= SOCKETS_PER_ADDRESS_MIN, "RLY-021: an address's cap is at least 64");
const _: () = assert!(SOCKETS_RESERVED < SOCKETS_MAX, "some sockets may pair");

/// The limits of one relay: the constants above, or shorter and smaller ones for a test.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// See [`ATTACH_TIMEOUT`].
    pub attach_timeout: Duration,
    /// See [`PING_INTERVAL`].
    pub ping_interval: Duration,
    /// See [`IDLE_TIMEOUT`].
    pub idle_timeout: Duration,
    /// See [`REPLACED_GRACE`].
    pub replaced_grace: Duration,
    /// See [`RELOAD_GRACE`].
    pub reload_grace: Duration,
    /// See [`PAIRING_SILENCE`].
    pub pairing_silence: Duration,
    /// See [`PAIRING_TIME`].
    pub pairing_time: Duration,
    /// See [`PAIRING_LEN_MAX`].
    pub pairing_len_max: usize,
    /// See [`PAIRING_PHONE_KEYS_MAX`].
    pub pairing_phone_keys_max: usize,
    /// See [`QUEUE_LEN_MAX`].
    pub queue_len_max: usize,
    /// See [`QUEUE_FRAMES_MAX`].
    pub queue_frames_max: usize,
    /// See [`SOCKETS_MAX`].
    pub sockets_max: usize,
    /// See [`SOCKETS_RESERVED`].
    pub sockets_reserved: usize,
    /// See [`SOCKETS_PER_ADDRESS_MAX`].
    pub sockets_per_address_max: usize,
    /// See [`SOCKETS_PER_ADDRESS_SCARCE`].
    pub sockets_per_address_scarce: usize,
    /// See [`CONTROL_FRAMES_MAX`].
    pub control_frames_max: u32,
    /// See [`CONTROL_FRAME_PAUSE`].
    pub control_frame_pause: Duration,
    /// See [`BYTES_PER_HOUR`]; `None` for no quota.
    pub bytes_per_hour: Option<NonZeroU64>,
    /// See [`PAIRING_MAILBOXES_MAX`].
    pub pairing_mailboxes_max: usize,
    /// See [`PAIRING_MAILBOXES_PER_ADDRESS_MAX`].
    pub pairing_mailboxes_per_address_max: usize,
    /// See [`STICKY_MAILBOXES_MAX`].
    pub sticky_mailboxes_max: usize,
    /// See [`STICKY_MAILBOXES_PER_ADDRESS_MAX`].
    pub sticky_mailboxes_per_address_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            attach_timeout: ATTACH_TIMEOUT,
            ping_interval: PING_INTERVAL,
            idle_timeout: IDLE_TIMEOUT,
            replaced_grace: REPLACED_GRACE,
            reload_grace: RELOAD_GRACE,
            pairing_silence: PAIRING_SILENCE,
            pairing_time: PAIRING_TIME,
            pairing_len_max: PAIRING_LEN_MAX,
            pairing_phone_keys_max: PAIRING_PHONE_KEYS_MAX,
            queue_len_max: QUEUE_LEN_MAX,
            queue_frames_max: QUEUE_FRAMES_MAX,
            sockets_max: SOCKETS_MAX,
            sockets_reserved: SOCKETS_RESERVED,
            sockets_per_address_max: SOCKETS_PER_ADDRESS_MAX,
            sockets_per_address_scarce: SOCKETS_PER_ADDRESS_SCARCE,
            control_frames_max: CONTROL_FRAMES_MAX,
            control_frame_pause: CONTROL_FRAME_PAUSE,
            bytes_per_hour: NonZeroU64::new(BYTES_PER_HOUR),
            pairing_mailboxes_max: PAIRING_MAILBOXES_MAX,
            pairing_mailboxes_per_address_max: PAIRING_MAILBOXES_PER_ADDRESS_MAX,
            sticky_mailboxes_max: STICKY_MAILBOXES_MAX,
            sticky_mailboxes_per_address_max: STICKY_MAILBOXES_PER_ADDRESS_MAX,
        }
    }
}
