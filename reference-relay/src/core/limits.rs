//! Every limit of the relay core, by name (spec, relay). Lengths are in bytes.

use core::num::NonZeroU64;
use core::time::Duration;

/// The longest time from the opening of a socket to its ATTACH.
pub const ATTACH_TIMEOUT: Duration = Duration::from_secs(10);
/// The interval of PING frames to an attached socket.
pub const PING_INTERVAL: Duration = Duration::from_secs(25);
/// The longest time without a frame from an attached socket.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// The longest time for a replaced socket to answer its PING.
pub const REPLACED_GRACE: Duration = Duration::from_secs(10);
/// If a replaced socket answers within this time, and its successor comes from the same network, the change
/// counts as a reload of a page, and not as two devices that share a seat.
pub const RELOAD_GRACE: Duration = Duration::from_secs(2);
/// The longest time from a phone's attach in a pairing mailbox to its first DATA.
pub const PAIRING_SILENCE: Duration = Duration::from_secs(10);
/// The lifetime of a pairing mailbox, from its first attach.
pub const PAIRING_TIME: Duration = Duration::from_mins(6);
/// The most bytes of DATA bodies that a pairing mailbox carries in one direction.
pub const PAIRING_LEN_MAX: usize = 65_536;
/// How many keys may have the phone's seat of a pairing mailbox, one after another.
pub const PAIRING_PHONE_KEYS_MAX: usize = 3;
/// The most bytes queued for a socket that does not read.
pub const QUEUE_LEN_MAX: usize = 262_144;
/// The most frames queued for a socket that does not read. There is such a limit because a tiny frame costs
/// more memory than its bytes.
pub const QUEUE_FRAMES_MAX: usize = 2_048;
/// The peer of a socket should not be read while more than the limit divided by this is queued for the
/// socket: half a queue.
pub const QUEUE_PAUSE_DIVISOR: usize = 2;
/// The most open sockets.
pub const SOCKETS_MAX: usize = 16_384;
/// How many of these sockets are kept for links: no pairing may use them, nor may an address that already has
/// [`SOCKETS_PER_ADDRESS_SCARCE`] sockets. The second rule is needed because anybody can make a link mailbox.
pub const SOCKETS_RESERVED: usize = 2_048;
/// The most open sockets from one address (for IPv6, one /64).
pub const SOCKETS_PER_ADDRESS_MAX: usize = 256;
/// The lowest value that an operator may choose for [`SOCKETS_PER_ADDRESS_MAX`] (RLY-021).
pub const SOCKETS_PER_ADDRESS_MIN: usize = 64;
/// The most open sockets from one address while only the sockets kept for links are free.
pub const SOCKETS_PER_ADDRESS_SCARCE: usize = 8;
/// The limits of an IPv6 /56 are this multiple of the limits of one address.
pub const CAPS_OF_SLASH_56: usize = 2;
/// The limits of an IPv6 /48 are this multiple of the limits of one address.
pub const CAPS_OF_SLASH_48: usize = 4;
/// The number of frames other than DATA, and of WebSocket Pings, that a socket may send in a burst.
pub const CONTROL_FRAMES_MAX: u32 = 64;
/// How long after a burst a socket may send one more control frame.
pub const CONTROL_FRAME_PAUSE: Duration = Duration::from_millis(125);
/// How many DATA bytes the sockets of one address may send in a [`BYTES_WINDOW`] before the relay reads them
/// more slowly.
pub const BYTES_PER_HOUR: u64 = 17_179_869_184;
/// The time over which the bytes for [`BYTES_PER_HOUR`] are counted.
pub const BYTES_WINDOW: Duration = Duration::from_hours(1);
/// The lowest value that an operator may choose for [`BYTES_PER_HOUR`]. With it the longest frame is delayed
/// by 3.6 s, within which no socket times out.
pub const BYTES_PER_HOUR_MIN: u64 = 16_777_216;
/// The most pairing mailboxes. When there would be more, the oldest one without sockets is forgotten.
pub const PAIRING_MAILBOXES_MAX: usize = 16_384;
/// The most pairing mailboxes opened by sockets of one address.
pub const PAIRING_MAILBOXES_PER_ADDRESS_MAX: usize = 256;
/// The most link mailboxes with a sticky value. When there would be more, the least recently used value is
/// forgotten.
pub const STICKY_MAILBOXES_MAX: usize = 32_768;
/// The most link mailboxes whose sticky value was last written from one address. When there would be more,
/// that address's least recently used one is forgotten.
pub const STICKY_MAILBOXES_PER_ADDRESS_MAX: usize = 256;
/// How long a client should wait before it tries again after a temporary refusal, in milliseconds.
pub const RETRY_MS: u32 = 5_000;
/// How long a client should wait before it tries again when the relay stops, in milliseconds.
pub const SHUTDOWN_RETRY_MS: u32 = 1_000;

const _: () =
    assert!(SOCKETS_PER_ADDRESS_MAX >= SOCKETS_PER_ADDRESS_MIN, "RLY-021: an address's cap is at least 64");
const _: () = assert!(SOCKETS_RESERVED < SOCKETS_MAX, "some sockets may pair");

/// The limits of one relay: the constants above, or smaller values for tests.
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
