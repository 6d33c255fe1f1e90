//! Link records: the three frames by which a pairing becomes a link (spec, certificates).

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{DecodeError, ErrorCode};
use crate::ids::{AttachKey, CompanionId, Salt, Signature, SigningPublic};
use crate::limits::{IDLE_DAYS_MAX, LABEL_LEN_MAX};
use crate::parse::Cursor;
use crate::tlv::{TlvReader, TlvWriter};
use crate::varint::{len_u64, put_varint};

/// The version of the certificate's layout.
pub const CERTIFICATE_VERSION: u8 = 1;

const CERT: u64 = 1;
const ACCEPT: u64 = 3;
const COMMIT: u64 = 5;
const CLOSE: u64 = 7;
const WEB_BACK: u64 = 9;
const KNOWN: [u64; 10] = [3, 7, 15, 19, 21, 23, 25, 27, 31, 33];

/// `LINK_CERT`: the phone's offer of a link, signed by its account over [`crate::signed::certificate_tbs`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkCert {
    /// The account's public key.
    pub account: SigningPublic,
    /// The key with which the phone attaches to the link's mailbox.
    pub phone_attach: AttachKey,
    /// The random salt in the id of the link's mailbox.
    pub salt: Salt,
    /// The companion's id.
    pub companion: CompanionId,
    /// The companion's serial number on this phone.
    pub serial: u64,
    /// The granted rights, as a bit set (spec, messages).
    pub grants: u64,
    /// The number of idle days after which the link should be suspended, 1 to 365. No program in this
    /// repository does that yet.
    pub idle_days: u16,
    /// The account's name, 1 to 64 bytes of UTF-8.
    pub account_name: String,
    /// The account's signature over the certificate.
    pub signature: Signature,
}

impl LinkCert {
    /// Returns the body of `LINK_CERT`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = TlvWriter::new();
        let _ = w
            .u8(3, CERTIFICATE_VERSION)
            .bytes(7, self.account.as_bytes())
            .bytes(15, self.phone_attach.as_bytes())
            .bytes(19, self.salt.as_bytes())
            .bytes(21, self.companion.as_bytes())
            .varint(23, self.serial)
            .varint(25, self.grants)
            .varint(27, u64::from(self.idle_days))
            .bytes(31, self.account_name.as_bytes())
            .bytes(33, self.signature.as_bytes());
        w.finish()
    }

    /// Decodes the body of `LINK_CERT`.
    ///
    /// # Errors
    /// `FIELD_VALUE` for another version or idle days outside 1 to 365, and the faults of a TLV list.
    pub fn decode(input: &[u8]) -> Result<Self, DecodeError> {
        Self::read(TlvReader::new(input, &KNOWN)?)
    }

    fn read(mut r: TlvReader<'_>) -> Result<Self, DecodeError> {
        let version = r.required(3, "certificate version")?;
        // req: FRM-011, CRT-008
        if version.u8()? != CERTIFICATE_VERSION {
            return Err(version.error(ErrorCode::FIELD_VALUE));
        }
        let account = SigningPublic::from_bytes(r.required(7, "account key")?.array()?);
        let phone_attach = AttachKey::from_bytes(r.required(15, "phone attach key")?.array()?);
        let salt = Salt::from_bytes(r.required(19, "salt")?.array()?);
        let companion = CompanionId::from_bytes(r.required(21, "companion id")?.array()?);
        let serial = r.required(23, "serial")?.varint()?;
        let grants = r.required(25, "grants")?.varint()?;
        let idle = r.required(27, "idle days")?;
        let idle_days = u16::try_from(idle.varint_in(1, u64::from(IDLE_DAYS_MAX))?)
            .map_err(|_| idle.error(ErrorCode::FIELD_VALUE))?;
        let account_name = r.required(31, "account name")?.text(1, LABEL_LEN_MAX)?;
        let signature = Signature::from_bytes(r.required(33, "certificate signature")?.array()?);
        Ok(Self {
            account,
            phone_attach,
            salt,
            companion,
            serial,
            grants,
            idle_days,
            account_name,
            signature,
        })
    }
}

/// One frame of a link record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkFrame {
    /// `LINK_CERT`: the phone offers the link.
    Cert(LinkCert),
    /// `LINK_ACCEPT`: the companion accepts the link.
    Accept {
        /// The companion's signature over [`crate::signed::accept_tbs`].
        signature: Signature,
    },
    /// `LINK_COMMIT`: the phone has stored the link as ACTIVE.
    Commit,
    /// `LINK_CLOSE`: a side ends the attempt.
    Close {
        /// The reason why the attempt ends.
        code: ErrorCode,
    },
    /// `LINK_BACK`: the companion was put back to an earlier state. It is sent only together with
    /// `LINK_ACCEPT`.
    WebBack,
}

impl LinkFrame {
    /// Returns the encoded frame: type, length and body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (kind, body) = match self {
            Self::Cert(cert) => (CERT, cert.encode()),
            Self::Accept { signature } => (ACCEPT, Vec::from(signature.as_bytes())),
            Self::Commit => (COMMIT, Vec::new()),
            Self::Close { code } => (CLOSE, Vec::from(code.as_u16().to_be_bytes())),
            Self::WebBack => (WEB_BACK, Vec::new()),
        };
        let mut out = Vec::with_capacity(body.len().saturating_add(3));
        put_varint(&mut out, kind);
        put_varint(&mut out, len_u64(body.len()));
        out.extend_from_slice(&body);
        out
    }

    /// Reads the next frame. Returns `None` for a frame that must be ignored.
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Option<Self>, DecodeError> {
        let start = cursor.clone();
        let kind = cursor.varint("frame type")?;
        let value = cursor.long(0, usize::MAX, "frame body")?;
        let base = cursor.offset().saturating_sub(value.len());
        let mut body = Cursor::at(value, base);
        let frame = match kind {
            // req: CRT-007, CHN-010
            CERT => {
                return LinkCert::read(TlvReader::at(value, base, &KNOWN)?)
                    .map(|cert| Some(Self::Cert(cert)));
            }
            // req: CRT-009
            ACCEPT => Self::Accept { signature: Signature::from_bytes(body.array("accept signature")?) },
            // req: CRT-010
            COMMIT => Self::Commit,
            // req: CRT-011
            CLOSE => Self::Close { code: ErrorCode::from_u16(body.u16("close code")?) },
            // req: CRT-014
            WEB_BACK => Self::WebBack,
            // req: FRM-021
            even if even != 0 && even.is_multiple_of(2) => return Ok(None),
            // req: FRM-020
            _ => return Err(start.error(ErrorCode::UNKNOWN_CRITICAL, "frame type")),
        };
        body.finish("link frame")?;
        Ok(Some(frame))
    }
}
