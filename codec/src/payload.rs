//! Handshake payloads: padded TLV lists and the clear head of a reconnect (spec, handshake), and the resume
//! block (spec, delivery).

use alloc::string::String;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::error::{DecodeError, ErrorCode};
use crate::ids::{AttachKey, CommandKey, DhPublic, Epoch, LogId, PskId, SigningPublic};
use crate::limits::{
    CAPABILITIES_COUNT_MAX, HANDSHAKE_PAYLOAD_LEN_MAX, LABEL_LEN_MAX, ORIGIN_LEN_MAX, STREAMS_OPEN_MAX,
};
use crate::parse::{Cursor, ascends};
use crate::qr::Opening;
use crate::record::{is_padded_len, padded_to};
use crate::tlv::{Field, TlvReader, TlvWriter};
use crate::varint::put_varint;
use crate::versions::Versions;

/// The length of an encoded [`KkHead`]: 10 bytes.
pub const KK_HEAD_LEN: usize = 10;
/// The only cipher suite: X25519, ChaCha20-Poly1305, SHA-256.
const SUITE: u8 = 1;

/// The payload of XK message 1, from the phone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of version 1")]
pub struct Xk1 {
    /// The protocol versions that the phone offers.
    pub versions: Versions,
    /// The phone's capabilities, ascending, at most 32.
    pub capabilities: Vec<u64>,
    /// The sender's limits as (id, value), ascending by id, at most 32.
    pub limits: Vec<(u64, u64)>,
}

/// The payload of XK message 2, from the companion. The payload proves only that its sender has the opening
/// of the code; everything else in it is a claim. It cannot be cloned, because it contains the opening.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "the fields of version 1")]
pub struct Xk2 {
    /// The protocol version that the companion chose.
    pub version: u8,
    /// The companion's capabilities, ascending, at most 32.
    pub capabilities: Vec<u64>,
    /// The companion's limits as (id, value), ascending by id, at most 32.
    pub limits: Vec<(u64, u64)>,
    /// The companion's X25519 static key for the link.
    pub web_key: DhPublic,
    /// The companion's signing key for the link.
    pub signing_key: SigningPublic,
    /// The key with which the companion attaches to the link's mailbox.
    pub attach_key: AttachKey,
    /// The companion's label, 1 to 64 bytes of UTF-8.
    pub label: String,
    /// The origin that the page claims, 0 to 128 bytes.
    pub origin: String,
    /// The requested grants, as a bit set (spec, messages).
    pub grants: u64,
    /// The opening to which the secret of the code commits.
    pub opening: Opening,
}

/// The payload of XK message 3, from the phone: an empty list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of version 1")]
pub struct Xk3;

/// The payload of KK message 1, from the companion.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of version 1")]
pub struct Kk1 {
    /// The protocol versions that the companion offers.
    pub versions: Versions,
    /// The companion's capabilities, ascending, at most 32.
    pub capabilities: Vec<u64>,
    /// The companion's limits as (id, value), ascending by id, at most 32.
    pub limits: Vec<(u64, u64)>,
    /// The number of this attempt (try), higher than that of any attempt before.
    pub try_: u64,
    /// The companion's resume block; present in mode resume only.
    pub resume: Option<ResumeBlock>,
    /// The id of the psk that the companion has; present in mode recover only.
    pub psk_id_held: Option<PskId>,
    /// Whether the companion still waits for `LINK_COMMIT`.
    pub pending: bool,
}

/// The payload of KK message 2, from the phone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of version 1")]
pub struct Kk2 {
    /// The protocol version that the phone chose.
    pub version: u8,
    /// The phone's capabilities, ascending, at most 32.
    pub capabilities: Vec<u64>,
    /// The phone's limits as (id, value), ascending by id, at most 32.
    pub limits: Vec<(u64, u64)>,
    /// The phone's resume block; present in mode resume, unless there is a quarantine.
    pub resume: Option<ResumeBlock>,
    /// The commands that the phone knows. They are sent together with a resume block, but not in version 1.
    pub commands: Option<CommandsKnown>,
    /// Whether the session must not continue (quarantine): this handshake only lets the companion prove which
    /// keys it has.
    pub quarantine: bool,
}

/// A summary of the commands of one companion that the phone has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of version 2")]
pub struct CommandsKnown {
    /// The highest number of a command that the phone has run; 0 if it has run none.
    pub highest: u64,
    /// The key of the command with the highest number; zeros if there is none.
    pub key: CommandKey,
    /// The lowest number from which on the phone knows the keys of all commands, at least 1.
    pub from: u64,
}

impl CommandsKnown {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, self.highest);
        out.extend_from_slice(self.key.as_bytes());
        put_varint(&mut out, self.from);
        out
    }

    fn read(field: &Field<'_>) -> Result<Self, DecodeError> {
        let mut c = field.cursor();
        let known = Self {
            highest: c.varint("highest command")?,
            key: CommandKey::from_bytes(c.array("command key")?),
            from: c.varint("commands from")?,
        };
        c.finish("commands known")?;
        Ok(known)
    }
}

/// One side's state of the session. From the blocks of both, each side computes whether the session
/// continues.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of version 1")]
pub struct ResumeBlock {
    /// The epoch of the messages that this side sends.
    pub out_epoch: Epoch,
    /// The epoch of the messages that this side receives.
    pub in_epoch: Epoch,
    /// The sequence number of the next new message that this side would send.
    pub next_seq: u64,
    /// The highest sequence number of a received message that is durable.
    pub durable: u64,
    /// The lowest sequence number from which on this side's outbox is complete; `next_seq` if the outbox is
    /// empty.
    pub oldest: u64,
    /// The id of the phone's change log; on a companion the id that it last saw, or zeros.
    pub log_id: LogId,
    /// The newest revision of the phone's log that this side knows (spec, RES-082).
    pub rev: u64,
    /// The open streams as (id, durable offset), ascending by id, at most 16.
    pub streams: Vec<(u64, u64)>,
}

impl ResumeBlock {
    /// Returns the encoded resume block, without padding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(self.out_epoch.as_bytes());
        out.extend_from_slice(self.in_epoch.as_bytes());
        for number in [self.next_seq, self.durable, self.oldest] {
            put_varint(&mut out, number);
        }
        out.extend_from_slice(self.log_id.as_bytes());
        put_varint(&mut out, self.rev);
        for (id, offset) in &self.streams {
            put_varint(&mut out, *id);
            put_varint(&mut out, *offset);
        }
        out
    }

    /// Decodes a resume block.
    ///
    /// # Errors
    /// `TRUNCATED`, `VARINT_NOT_MINIMAL`, `FIELD_ORDER` or `DUPLICATE_FIELD` for streams that do not ascend,
    /// `FIELD_LENGTH` for more than 16 of them.
    pub fn decode(input: &[u8]) -> Result<Self, DecodeError> {
        Self::read(Cursor::new(input))
    }

    fn read(mut c: Cursor<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            out_epoch: Epoch::from_bytes(c.array("out epoch")?),
            in_epoch: Epoch::from_bytes(c.array("in epoch")?),
            next_seq: c.varint("next seq")?,
            durable: c.varint("durable")?,
            oldest: c.varint("oldest held")?,
            log_id: LogId::from_bytes(c.array("log id")?),
            rev: c.varint("rev")?,
            streams: pairs(&mut c, STREAMS_OPEN_MAX, "resume streams")?,
        })
    }
}

/// The mode of a reconnect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the modes of version 1; others are refused")]
pub enum KkMode {
    /// The session continues under a psk of the ratchet.
    Resume,
    /// The companion asks, under the recovery psk, what the state of the ratchet is.
    Recover,
}

/// The head of KK message 1, in the clear: `suite u8 | mode u8 | psk id 8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of version 1")]
pub struct KkHead {
    /// The mode of the reconnect.
    pub mode: KkMode,
    /// The id of the psk that the message uses.
    pub psk_id: PskId,
}

impl KkHead {
    /// Returns the encoded head.
    #[must_use]
    pub fn encode(&self) -> [u8; KK_HEAD_LEN] {
        let mode = match self.mode {
            KkMode::Resume => 0,
            KkMode::Recover => 1,
        };
        let mut head = [0; KK_HEAD_LEN];
        let [suite, at_mode, id @ ..] = &mut head;
        (*suite, *at_mode) = (SUITE, mode);
        id.copy_from_slice(self.psk_id.as_bytes());
        head
    }

    /// Splits message 1 into its head and the Noise message after that.
    ///
    /// # Errors
    /// `TRUNCATED`, or `FIELD_VALUE` for another suite or mode.
    pub fn split_from(message: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let mut c = Cursor::new(message);
        let (suite, mode) = (c.u8("suite")?, c.u8("mode")?);
        let psk_id = PskId::from_bytes(c.array("psk id")?);
        // req: HSK-078
        let mode = match (suite, mode) {
            (SUITE, 0) => KkMode::Resume,
            (SUITE, 1) => KkMode::Recover,
            (SUITE, _) => return Err(DecodeError::new(ErrorCode::FIELD_VALUE, 1, "mode")),
            _ => return Err(DecodeError::new(ErrorCode::FIELD_VALUE, 0, "suite")),
        };
        Ok((Self { mode, psk_id }, c.peek()))
    }
}

/// Pads a TLV list with zeros to the smallest length 128*2^k in which it fits.
fn pad(mut list: Vec<u8>) -> Vec<u8> {
    let len = padded_to(list.len(), HANDSHAKE_PAYLOAD_LEN_MAX);
    debug_assert!(len.is_some(), "a payload within its limits has at most 2,048 bytes");
    list.resize(len.unwrap_or(list.len()), 0);
    list
}

/// Decodes a padded TLV list.
fn padded<'a>(input: &'a [u8], known: &[u64]) -> Result<TlvReader<'a>, DecodeError> {
    let wrong_size = DecodeError::new(ErrorCode::BAD_RECORD_SIZE, 0, "handshake payload");
    // req: CHN-011, CHN-009
    if !is_padded_len(input.len(), HANDSHAKE_PAYLOAD_LEN_MAX) {
        return Err(wrong_size);
    }
    let (reader, len) = TlvReader::padded(input, known)?;
    if padded_to(len, HANDSHAKE_PAYLOAD_LEN_MAX) == Some(input.len()) { Ok(reader) } else { Err(wrong_size) }
}

/// Reads pairs of varints. The first numbers of the pairs must ascend.
fn pairs(c: &mut Cursor<'_>, max: usize, what: &'static str) -> Result<Vec<(u64, u64)>, DecodeError> {
    let mut out: Vec<(u64, u64)> = Vec::new();
    while !c.is_empty() {
        let start = c.clone();
        if out.len() == max {
            return Err(start.error(ErrorCode::FIELD_LENGTH, what));
        }
        let id = c.varint(what)?;
        ascends(out.last().map(|(last, _)| last), &id, &start, what)?;
        out.push((id, c.varint(what)?));
    }
    Ok(out)
}

fn write_terms(w: &mut TlvWriter, versions: &[u8], capabilities: &[u64], limits: &[(u64, u64)]) {
    let mut caps = Vec::new();
    for capability in capabilities {
        put_varint(&mut caps, *capability);
    }
    let mut pairs = Vec::new();
    for (id, value) in limits {
        put_varint(&mut pairs, *id);
        put_varint(&mut pairs, *value);
    }
    let _ = w.bytes(1, versions).bytes(3, &caps).bytes(5, &pairs);
}

type Terms<V> = (V, Vec<u64>, Vec<(u64, u64)>);

fn read_terms(r: &mut TlvReader<'_>) -> Result<Terms<Versions>, DecodeError> {
    let versions = Versions::decode(&r.required(1, "versions")?)?;
    let field = r.required(3, "capabilities")?;
    let mut c = field.cursor();
    let mut capabilities = Vec::new();
    while !c.is_empty() {
        let start = c.clone();
        if capabilities.len() == CAPABILITIES_COUNT_MAX {
            return Err(start.error(ErrorCode::FIELD_LENGTH, "capabilities"));
        }
        let capability = c.varint("capabilities")?;
        ascends(capabilities.last(), &capability, &start, "capabilities")?;
        capabilities.push(capability);
    }
    let limits = pairs(&mut r.required(5, "limits")?.cursor(), CAPABILITIES_COUNT_MAX, "limits")?;
    Ok((versions, capabilities, limits))
}

/// Reads versions, capabilities and limits of a reply, which must name exactly one version.
fn read_reply(r: &mut TlvReader<'_>) -> Result<Terms<u8>, DecodeError> {
    let field = r.clone().required(1, "version")?;
    // req: HSK-065
    let version = field.u8()?;
    let (_, capabilities, limits) = read_terms(r)?;
    Ok((version, capabilities, limits))
}

fn read_resume(field: Option<Field<'_>>) -> Result<Option<ResumeBlock>, DecodeError> {
    field.map(|field| ResumeBlock::read(field.cursor())).transpose()
}

impl Xk1 {
    /// Returns the padded payload.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = TlvWriter::new();
        write_terms(&mut w, &self.versions, &self.capabilities, &self.limits);
        pad(w.finish())
    }

    /// Decodes a padded payload.
    ///
    /// # Errors
    /// `BAD_RECORD_SIZE`, `BAD_PADDING`, and the faults of a TLV list and its fields.
    pub fn decode(input: &[u8]) -> Result<Self, DecodeError> {
        // req: HSK-060
        let (versions, capabilities, limits) = read_terms(&mut padded(input, &[1, 3, 5])?)?;
        Ok(Self { versions, capabilities, limits })
    }
}

impl Xk2 {
    /// Returns the padded payload. It contains the opening, so its buffer is wiped when dropped.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        // The capacity is enough for the padded list, so the buffer is never moved: moving would leave a copy
        // of the opening in memory.
        let mut w = TlvWriter::after(Vec::with_capacity(HANDSHAKE_PAYLOAD_LEN_MAX));
        write_terms(&mut w, &[self.version], &self.capabilities, &self.limits);
        let _ = w
            .bytes(7, self.web_key.as_bytes())
            .bytes(9, self.signing_key.as_bytes())
            .bytes(11, self.attach_key.as_bytes())
            .bytes(13, self.label.as_bytes())
            .bytes(15, self.origin.as_bytes())
            .varint(17, self.grants)
            .bytes(29, self.opening.expose());
        Zeroizing::new(pad(w.finish()))
    }

    /// Decodes a padded payload.
    ///
    /// # Errors
    /// As [`Xk1::decode`].
    pub fn decode(input: &[u8]) -> Result<Self, DecodeError> {
        // req: HSK-093
        let mut r = padded(input, &[1, 3, 5, 7, 9, 11, 13, 15, 17, 29])?;
        let (version, capabilities, limits) = read_reply(&mut r)?;
        Ok(Self {
            version,
            capabilities,
            limits,
            web_key: DhPublic::from_bytes(r.required(7, "web static key")?.array()?),
            signing_key: SigningPublic::from_bytes(r.required(9, "web signing key")?.array()?),
            attach_key: AttachKey::from_bytes(r.required(11, "web attach key")?.array()?),
            label: r.required(13, "label")?.text(1, LABEL_LEN_MAX)?,
            origin: r.required(15, "claimed origin")?.text(0, ORIGIN_LEN_MAX)?,
            grants: r.required(17, "grants asked")?.varint()?,
            opening: Opening::from_bytes(r.required(29, "opening")?.array()?),
        })
    }
}

impl Xk3 {
    /// Returns the padded payload.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        pad(Vec::new())
    }

    /// Decodes a padded payload.
    ///
    /// # Errors
    /// As [`Xk1::decode`].
    pub fn decode(input: &[u8]) -> Result<Self, DecodeError> {
        // req: HSK-062
        padded(input, &[]).map(|_| Self)
    }
}

impl Kk1 {
    /// Returns the padded payload.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = TlvWriter::new();
        write_terms(&mut w, &self.versions, &self.capabilities, &self.limits);
        let _ = w.u64(19, self.try_);
        if let Some(block) = &self.resume {
            let _ = w.bytes(21, &block.encode());
        }
        if let Some(id) = &self.psk_id_held {
            let _ = w.bytes(23, id.as_bytes());
        }
        let _ = w.flag(25, self.pending);
        pad(w.finish())
    }

    /// Decodes a padded payload.
    ///
    /// # Errors
    /// As [`Xk1::decode`].
    pub fn decode(input: &[u8]) -> Result<Self, DecodeError> {
        // req: HSK-063
        let mut r = padded(input, &[1, 3, 5, 19, 21, 23, 25])?;
        let (versions, capabilities, limits) = read_terms(&mut r)?;
        let try_ = r.required(19, "try")?.u64()?;
        let resume = read_resume(r.optional(21, "resume block")?)?;
        let held = r.optional(23, "psk id held")?;
        let psk_id_held = held.map(|field| field.array().map(PskId::from_bytes)).transpose()?;
        let pending = r.flag(25, "pending")?;
        Ok(Self { versions, capabilities, limits, try_, resume, psk_id_held, pending })
    }
}

impl Kk2 {
    /// Returns the padded payload.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = TlvWriter::new();
        write_terms(&mut w, &[self.version], &self.capabilities, &self.limits);
        if let Some(block) = &self.resume {
            let _ = w.bytes(21, &block.encode());
        }
        let _ = w.flag(27, self.quarantine);
        if let Some(known) = &self.commands {
            let _ = w.bytes(31, &known.encode());
        }
        pad(w.finish())
    }

    /// Decodes a padded payload.
    ///
    /// # Errors
    /// As [`Xk1::decode`].
    pub fn decode(input: &[u8]) -> Result<Self, DecodeError> {
        // req: HSK-064
        let mut r = padded(input, &[1, 3, 5, 21, 27, 31])?;
        let (version, capabilities, limits) = read_reply(&mut r)?;
        let resume = read_resume(r.optional(21, "resume block")?)?;
        let quarantine = r.flag(27, "quarantine")?;
        let commands =
            r.optional(31, "commands known")?.map(|field| CommandsKnown::read(&field)).transpose()?;
        Ok(Self { version, capabilities, limits, resume, commands, quarantine })
    }
}
