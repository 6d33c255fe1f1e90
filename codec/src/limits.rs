//! Every limit of the protocol, by name (spec, limits). Lengths are in bytes unless the name says otherwise.

/// The longest relay frame: 16,512 bytes (spec, relay).
pub const RELAY_FRAME_LEN_MAX: usize = 16_512;
/// The most frames other than DATA that a client accepts from a relay: 256 frames a second (spec, relay).
pub const RELAY_FRAMES_MAX: u32 = 256;
/// The most DATA frames outside a connection that a client accepts from a relay: 4,096 frames a second (spec,
/// relay).
pub const RELAY_DATA_MAX: u32 = 4_096;
/// The most messages 1 that a companion sends on a link: 4 messages a second (spec, handshake).
pub const MESSAGE1_STARTS_MAX: u32 = 4;
/// The longest time for which a link stays OFFERED on a phone: 600 seconds (spec, handshake).
pub const OFFERED_MAX: u64 = 600;
/// The longest time for which a link stays PENDING on a companion: 86,400 seconds (spec, handshake).
pub const PENDING_MAX: u64 = 86_400;
/// The longest HTTP head in the answer to a WebSocket upgrade: 16,384 bytes (spec, timers).
pub const UPGRADE_HEAD_LEN_MAX: usize = 16_384;
/// The longest wait that a client grants to a relay's `Retry-After`: 300 s (spec, timers).
pub const RETRY_AFTER_MAX: u64 = 300;
/// The longest relay name: 64 bytes (spec, qr).
pub const RELAY_NAME_LEN_MAX: usize = 64;
/// The longest host in a QR payload: 40 bytes (spec, qr).
pub const QR_HOST_LEN_MAX: usize = 40;
/// The length of the opening that the secret of a QR code commits to: 32 bytes (spec, qr).
pub const CODE_OPENING_LEN: usize = 32;
/// The longest QR payload: 108 bytes (spec, qr).
pub const QR_PAYLOAD_LEN_MAX: usize = 108;
/// The longest value of a sticky slot: 512 bytes (spec, relay).
pub const STICKY_LEN_MAX: usize = 512;
/// The longest origin: 128 bytes (spec, relay).
pub const ORIGIN_LEN_MAX: usize = 128;
/// The longest label or account name: 64 bytes (spec, handshake).
pub const LABEL_LEN_MAX: usize = 64;
/// The longest handshake message: 4,096 bytes (spec, handshake).
pub const HANDSHAKE_MESSAGE_LEN_MAX: usize = 4_096;
/// The longest handshake payload, with its padding: 2,048 bytes (spec, records).
pub const HANDSHAKE_PAYLOAD_LEN_MAX: usize = 2_048;
/// The most protocol versions in an offer: 8 versions (spec, handshake).
pub const VERSIONS_COUNT_MAX: usize = 8;
/// The most capabilities, and the most limits, in an offer: 32 of each (spec, handshake).
pub const CAPABILITIES_COUNT_MAX: usize = 32;
/// The longest plaintext of a record, with its padding: 16,384 bytes (spec, records).
pub const RECORD_PLAINTEXT_LEN_MAX: usize = 16_384;
/// The longest part of a message, MSG's body: 16,000 bytes (spec, frames).
pub const MSG_PART_LEN_MAX: usize = 16_000;
/// The most parts of a message or of a DELTA: 32 parts (spec, frames).
pub const MSG_PARTS_MAX: usize = 32;
/// The longest message of the reliable lane: 65,536 bytes (spec, delivery).
// req: RES-080
pub const MESSAGE_LEN_MAX: usize = 65_536;
/// The most bytes of messages in flight without an ACK: 262,144 bytes a direction (spec, delivery).
pub const MSG_UNACKED_LEN_MAX: usize = 262_144;
/// The most messages in an outbox: 1,024 messages (spec, delivery).
pub const OUTBOX_MESSAGES_MAX: usize = 1_024;
/// The most bytes in an outbox: 4,194,304 bytes (spec, delivery).
pub const OUTBOX_LEN_MAX: usize = 4_194_304;
/// The most command numbers from the floor to the newest command: 1,024 commands (spec, delivery).
pub const COMMANDS_OPEN_MAX: u64 = 1_024;
/// The most bytes of results that a phone keeps whole: 4,194,304 bytes a link (spec, delivery).
pub const RESULTS_LEN_MAX: usize = 4_194_304;
/// The number of settled commands whose keys each side keeps: 4,096 commands a link (spec, delivery).
pub const COMMANDS_KEPT_MAX: u64 = 4_096;
/// The longest result that a phone keeps once its command is settled: 64 bytes (spec, delivery).
pub const SETTLED_RESULT_LEN_MAX: usize = 64;
/// The longest delay of an ACK: 250 ms (spec, delivery).
pub const ACK_DELAY_MAX: u64 = 250;
/// The number of messages after which an ACK is sent at once: 32 messages (spec, delivery).
pub const ACK_EVERY: u64 = 32;
/// The longest name of a collection: 32 bytes (spec, frames).
pub const COLLECTION_LEN_MAX: usize = 32;
/// The longest item of a DELTA or PAGE: 15,000 bytes (spec, frames).
pub const ITEM_LEN_MAX: usize = 15_000;
/// The longest list of items in one frame: 16,000 bytes (spec, frames).
pub const ITEMS_LEN_MAX: usize = 16_000;
/// The longest DELTA, over all its parts: 65,536 bytes (spec, delivery).
pub const DELTA_LEN_MAX: usize = 65_536;
/// The most bytes of DELTAs in flight without an ACK: 65,536 bytes (spec, delivery).
pub const DELTA_UNACKED_LEN_MAX: usize = 65_536;
/// The most subscriptions, and the most cursors in an ACK: 64 a connection (spec, delivery).
pub const SUBSCRIPTIONS_MAX: usize = 64;
/// The longest id of a row: 32 bytes (spec, delivery).
pub const ROW_ID_LEN_MAX: usize = 32;
/// The most answers other than DELTAs that a phone queues on the sync lane: 256 frames (spec, delivery).
pub const SYNC_ANSWERS_MAX: usize = 256;
/// The number of newest messages that a chat's collection contains: 200 messages (spec, messages).
pub const CHAT_WINDOW: u64 = 200;
/// The number of DELTAs of a subscription after which its digest is compared: 1,000 DELTAs (spec, delivery).
pub const DIGEST_EVERY: u32 = 1_000;
/// The most snapshots of a collection in a row that leave its digest different: 3 snapshots (spec, delivery).
pub const SNAPSHOT_TRIES_MAX: u8 = 3;
/// The least number of revisions for which a phone keeps the marker of a deleted row: 100,000 revisions
/// (spec, delivery).
pub const MARKER_REVS: u64 = 100_000;
/// The longest value of a NOW slot: 1,024 bytes (spec, frames).
pub const NOW_LEN_MAX: usize = 1_024;
/// The most NOW slots that wait to be sent: 64 slots (spec, delivery).
pub const NOW_SLOTS_MAX: usize = 64;
/// The longest description (meta) in an OPEN: 1,024 bytes (spec, frames).
pub const STREAM_META_LEN_MAX: usize = 1_024;
/// The longest body of a DATA frame: 16,000 bytes (spec, frames).
pub const DATA_LEN_MAX: usize = 16_000;
/// The most streams that are open in a session: 16 streams (spec, streams).
pub const STREAMS_OPEN_MAX: usize = 16;
/// The credit with which a get starts: 65,536 bytes (spec, streams).
pub const STREAM_CREDIT_START: u64 = 65_536;
/// The credit with which a connection starts: 262,144 bytes (spec, streams).
pub const CONN_CREDIT_START: u64 = 262_144;
/// The largest piece of media content: 2,147,483,648 bytes (spec, streams).
pub const MEDIA_LEN_MAX: u64 = 2_147_483_648;
/// The most content that a phone keeps for a link before a message names it, unfinished uploads included:
/// 4,294,967,296 bytes (spec, streams).
pub const UPLOADS_LEN_MAX: u64 = 4_294_967_296;
/// The most pieces of content that a phone keeps for a link before a message names them: 256 (spec, streams).
pub const UPLOADS_COUNT_MAX: u64 = 256;
/// The time for which a phone keeps content that no message names: 86,400,000 ms (spec, streams).
pub const UPLOAD_KEPT_MS: u64 = 86_400_000;
/// The free disk space that a phone keeps when it accepts an upload: 134,217,728 bytes (spec, streams).
pub const DISK_RESERVE: u64 = 134_217_728;
/// The length of every chunk of content but the last: 65,536 bytes (spec, streams).
pub const MEDIA_CHUNK_LEN: u64 = 65_536;
/// The most commits that may be open at the same time: 32 commits (spec, delivery).
pub const COMMITS_OPEN_MAX: usize = 32;
/// The most wrong check codes in a pairing: 3 tries (spec, handshake).
pub const CHECK_CODE_TRIES_MAX: u8 = 3;
/// The most messages 1 that a page reads for one code before the limit of one a second: 8 messages (spec,
/// handshake).
pub const CODE_MESSAGES1_MAX: u32 = 8;
/// The most wrong confirmation numbers (NN): 1 try (spec, handshake). A wrong one consumes the attempt's
/// state.
pub const NN_TRIES_MAX: u8 = 1;
/// The number of records after which fresh keys are due: 1,048,576 records a direction (spec, records).
pub const REKEY_RECORDS: u64 = 1_048_576;
/// The number of bytes after which fresh keys are due: 1,073,741,824 bytes a direction (spec, records).
pub const REKEY_BYTES: u64 = 1_073_741_824;
/// The most bytes that are sealed before the socket takes them: 262,144 bytes (spec, streams).
pub const AHEAD_LEN_MAX: usize = 262_144;
/// The most bytes that are sealed before the socket takes them, for a record with stream data: 131,072 (spec,
/// streams).
pub const AHEAD_BULK_LEN_MAX: usize = 131_072;
/// The most credit beyond what the receiver of a stream has durable: 16,777,216 bytes (spec, streams).
pub const STREAM_WINDOW_MAX: u64 = 16_777_216;
/// The most credit beyond what the receiver has durable over all streams: 33,554,432 bytes (spec, streams).
pub const CONN_WINDOW_MAX: u64 = 33_554_432;
/// The longest handle that a wake service takes: 256 bytes (spec, relay).
pub const WAKE_HANDLE_LEN_MAX: usize = 256;
/// The most stream data that is taken from the application before it is sealed: 262,144 bytes (spec,
/// streams).
pub const SUPPLIED_LEN_MAX: u64 = 262_144;
/// The most answers of one kind that a peer may make a side queue: 64 frames (spec, frames).
pub const OWED_FRAMES_MAX: usize = 64;
/// The longest page cursor: 64 bytes (spec, frames).
pub const PAGE_CURSOR_LEN_MAX: usize = 64;
/// The shortest plaintext of a record or handshake payload: 128 bytes (spec, records).
pub const PADDED_LEN_MIN: usize = 128;
/// The length of an AEAD authentication tag: 16 bytes (spec, records).
pub const TAG_LEN: usize = 16;
/// The longest ciphertext of a record, with its tag: 16,400 bytes (spec, records).
pub const RECORD_CIPHERTEXT_LEN_MAX: usize = RECORD_PLAINTEXT_LEN_MAX + TAG_LEN;
/// The largest number that a varint holds: 2^62 - 1 (spec, conventions).
pub const VARINT_MAX: u64 = (1 << 62) - 1;
/// The longest text of a message: 8,192 bytes (spec, messages).
pub const TEXT_LEN_MAX: usize = 8_192;
/// The longest caption of a media message: 1,024 bytes (spec, messages).
pub const CAPTION_LEN_MAX: usize = 1_024;
/// The longest title of a chat: 128 bytes (spec, messages).
pub const TITLE_LEN_MAX: usize = 128;
/// The longest preview of a chat's last message: 256 bytes (spec, messages).
pub const PREVIEW_LEN_MAX: usize = 256;
/// The longest name of an author: 128 bytes (spec, messages).
pub const AUTHOR_LEN_MAX: usize = 128;
/// The most reactions of a message: 32 reactions (spec, messages).
pub const REACTIONS_MAX: usize = 32;
/// The longest reaction: 64 bytes (spec, messages).
pub const REACTION_LEN_MAX: usize = 64;
/// The most chats in the presence slot: 100 chats (spec, messages).
pub const PRESENT_MAX: usize = 100;
/// The longest media type: 64 bytes (spec, messages).
pub const MEDIA_TYPE_LEN_MAX: usize = 64;
/// The longest file name of media: 128 bytes (spec, messages).
pub const MEDIA_NAME_LEN_MAX: usize = 128;
/// The most messages in a page of history: 50 messages (spec, messages).
pub const HISTORY_COUNT_MAX: u64 = 50;
/// The longest idle time before a link is suspended: 365 days (spec, certificates).
pub const IDLE_DAYS_MAX: u16 = 365;

const _: () = {
    // A sealed record, with the two bytes of its DATA header, fits a relay frame.
    assert!(RECORD_CIPHERTEXT_LEN_MAX + 2 <= RELAY_FRAME_LEN_MAX, "a record must fit a relay frame");
    // Every frame fits a record; the largest is a PAGE with both page cursors.
    assert!(3 + 33 + 2 * 65 + 8 + ITEMS_LEN_MAX <= RECORD_PLAINTEXT_LEN_MAX, "a frame must fit a record");
    assert!(3 + 8 + 2 + MSG_PART_LEN_MAX <= RECORD_PLAINTEXT_LEN_MAX, "a part must fit a record");
    assert!(MESSAGE_LEN_MAX <= MSG_PARTS_MAX * MSG_PART_LEN_MAX, "a message must fit its parts");
    assert!(ITEM_LEN_MAX + 2 <= ITEMS_LEN_MAX, "an item must fit a list");
    assert!(8 * PRESENT_MAX <= NOW_LEN_MAX, "presence must fit a slot");
    assert!(RECORD_PLAINTEXT_LEN_MAX == PADDED_LEN_MIN << 7, "records have eight sizes");
    assert!(HANDSHAKE_PAYLOAD_LEN_MAX == PADDED_LEN_MIN << 4, "handshake payloads have five sizes");
    assert!(QR_PAYLOAD_LEN_MAX == 68 + QR_HOST_LEN_MAX, "the longest offer is that of the longest host");
};
