//! The registry of error codes as one table, and the error that every decoder returns (spec, errors).

use core::fmt;

/// What somebody who receives an error code may do (spec, errors).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Try again, at once or after the reconnect delay.
    Retry,
    /// Try again after the number of milliseconds that came with the code.
    RetryAfter,
    /// Wait for a person to act.
    User,
    /// Give up what the code ended (connection, session, stream or request), and start a new one.
    Fatal,
}

/// What a fault with this code ends (spec, errors).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// The fault ends the attachment to the relay.
    Relay,
    /// The fault ends the connection, with the keys of its handshake.
    Connection,
    /// The fault ends the session, which is the order and delivery of messages between the two devices.
    Session,
    /// The fault ends one stream; the session continues.
    Stream,
    /// The fault ends one request, and affects nothing else.
    Request,
}

/// The part of the protocol that a code belongs to, by its high byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Area {
    /// 0x01: malformed bytes.
    Framing,
    /// 0x02: handshakes.
    Handshake,
    /// 0x03: the state of a link.
    Link,
    /// 0x04: sealed records.
    Channel,
    /// 0x05: order and delivery of messages and rows.
    Session,
    /// 0x06: streams.
    Stream,
    /// 0x07: the relay.
    Relay,
    /// 0x08: limits.
    Limit,
    /// 0x09: faults of the program itself.
    Internal,
    /// A high byte that this version does not know.
    Unknown,
}

/// An error code, two bytes on the wire. Codes that are not in the registry keep their number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(u16);

macro_rules! registry {
    ($($code:literal $name:ident $action:ident $scope:ident $meaning:literal;)*) => {
        impl ErrorCode {
            $(
                #[doc = concat!("`", stringify!($code), "`: ", $meaning, ".")]
                pub const $name: Self = Self($code);
            )*

            /// Every code of the registry, in ascending order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Returns the code's row in the registry: name, action, scope, meaning.
            const fn row(self) -> Option<(&'static str, Action, Scope, &'static str)> {
                match self.0 {
                    $($code => Some((stringify!($name), Action::$action, Scope::$scope, $meaning)),)*
                    _ => None,
                }
            }
        }
    };
}

registry! {
    0x0101 TRUNCATED Fatal Connection "the item ends before its declared length";
    0x0102 VARINT_NOT_MINIMAL Fatal Connection "a varint is not in its shortest form";
    0x0103 TRAILING_BYTES Fatal Connection "bytes follow the last field";
    0x0104 UNKNOWN_CRITICAL Fatal Connection "an odd type is not known";
    0x0105 DUPLICATE_FIELD Fatal Connection "a field stands twice";
    0x0106 FIELD_ORDER Fatal Connection "fields are not in ascending order";
    0x0107 FIELD_MISSING Fatal Connection "a required field is absent";
    0x0108 FIELD_LENGTH Fatal Connection "a length is outside its limits";
    0x0109 FIELD_VALUE Fatal Connection "a value is outside its range";
    0x010a BAD_UTF8 Fatal Connection "text is not UTF-8";
    0x010b BAD_PADDING Fatal Connection "padding is not zero";
    0x010c BAD_RECORD_SIZE Fatal Connection "a record is not of an allowed or the smallest size";
    0x010d FRAME_NOT_ALLOWED Fatal Connection "this role may not send this frame now";
    0x010e QR_NOT_HANDFAST User Request "the code is not a Handfast code";
    0x010f QR_ALPHABET User Request "the code's text is damaged";
    0x0110 QR_UNSUPPORTED User Request "the code is of a newer kind";
    0x0111 RELAY_NAME User Request "a relay name is malformed";
    0x0112 QR_OUTDATED User Request "the code is of an older kind that is no longer safe";
    0x0201 HANDSHAKE_FAILED Retry Connection "a cryptographic check of the handshake failed";
    0x0202 UNEXPECTED_MESSAGE Fatal Connection "a message came out of turn";
    0x0203 NO_COMMON_VERSION User Connection "no version is shared";
    0x0204 BAD_KEY Fatal Connection "a key is of low order, non-canonical or our own (local)";
    0x0205 BAD_SIGNATURE Fatal Connection "a signature does not verify (local)";
    0x0206 TIMEOUT Retry Connection "an awaited message did not come";
    0x0207 CHECK_CODE_WRONG User Connection "the check code was wrong three times, or the same one twice";
    0x0208 REFUSED User Connection "the phone's user refused";
    0x0209 NOT_CONFIRMED User Connection "the page's user typed another number, or said that the phone shows none";
    0x020a CODE_EXPIRED User Connection "the code is no longer valid";
    0x020b KEY_REUSED Fatal Connection "a key is already in use (local)";
    0x020c PEER_GONE Retry Connection "the peer left during the attempt";
    0x020d TRY_EXHAUSTED User Connection "the try counter is used up";
    0x0301 REKEY Retry Connection "fresh keys are due";
    0x0302 IN_STEP Retry Connection "recovery found both sides in step";
    0x0303 DIVERGED User Connection "two holders of one link were seen";
    0x0304 SUSPENDED User Connection "the link is suspended";
    0x0305 REVOKED User Connection "the link was revoked";
    0x0306 NOT_ACCEPTED Fatal Connection "an offered link was not accepted";
    0x0307 LOGGED_OUT User Connection "the companion logged out";
    0x0401 DECRYPT_FAILED Retry Connection "a record did not open";
    0x0402 NONCE_EXHAUSTED Retry Connection "the record counter is used up";
    0x0501 SEQ_GAP Retry Session "a sequence number or cursor was skipped";
    0x0502 PART_ORDER Retry Session "parts are not consecutive";
    0x0503 ACK_FUTURE Retry Session "something unsent was acknowledged";
    0x0504 COMMAND_FLOOR Retry Session "a command is below a floor, or 1,024 or more above its own";
    0x0505 BUSY Retry Request "too many commits are open";
    0x0506 ALREADY_DONE Fatal Request "the command was run before";
    0x0507 NOT_CONNECTED Retry Request "there is no live connection";
    0x0508 COMMANDS_FORGOTTEN User Session "a companion that was put back holds commands that the phone may have run and forgotten";
    0x0601 STREAM_STATE Retry Session "a frame for a stream that was never opened";
    0x0602 OFFSET Retry Session "data does not begin where the last ended";
    0x0603 CREDIT_EXCEEDED Retry Session "data beyond the credit";
    0x0604 HASH User Stream "content does not match its hash";
    0x0605 GONE User Stream "the content is no longer there";
    0x0606 OFFLINE Retry Stream "the content cannot be reached now";
    0x0607 TOO_LARGE User Stream "the content is over the limit";
    0x0608 CANCELLED User Stream "a side cancelled";
    0x0609 IO Retry Stream "reading or writing failed";
    0x060b STREAM_ID Retry Session "a stream id is of the wrong parity or order";
    0x0701 REPLACED User Relay "another socket took this seat";
    0x0703 BAD_ATTACH Fatal Relay "the attach was not proven";
    0x0704 NOT_ATTACHED Fatal Relay "a frame came before ATTACH";
    0x0705 RELAY_NAME_MISMATCH User Relay "the relay has another name";
    0x0706 IDLE Retry Relay "nothing arrived in time";
    0x0707 RELAY_VERSION User Relay "the relay speaks no shared version";
    0x0708 SHUTDOWN RetryAfter Relay "the relay is stopping";
    0x0709 ATTACH_TIMEOUT Retry Relay "no ATTACH came in time";
    0x070a CODE_TAKEN User Relay "another phone holds this code";
    0x0801 LIMIT RetryAfter Connection "a limit was exceeded";
    0x0802 MESSAGE_TOO_LARGE Fatal Session "a message is over its maximum";
    0x0803 OUTBOX_FULL Retry Request "the outbox is full";
    0x0804 TOO_MANY_STREAMS Retry Stream "too many streams are open";
    0x0805 ADDRESS_CAP RetryAfter Relay "too many sockets from one address";
    0x0806 PAIRING_BYTES User Relay "a pairing mailbox carried too much";
    0x0807 PAIRING_TIME User Relay "a pairing mailbox is too old";
    0x0808 UNACKED Retry Session "too much is unacknowledged";
    0x0809 FULL User Stream "there is no room for the content";
    0x0901 INTERNAL Retry Connection "an internal fault";
    0x0902 STORE_CONFLICT User Session "the store was changed by someone else";
    0x0903 STORE_FAILED Retry Session "the store refused a write";
}

impl ErrorCode {
    /// Returns the code that has this number, whether it is in the registry or not.
    #[must_use]
    pub const fn from_u16(code: u16) -> Self {
        Self(code)
    }

    /// Returns the code's number on the wire.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// Returns whether the code is in this version's registry.
    #[must_use]
    pub const fn is_known(self) -> bool {
        self.row().is_some()
    }

    /// Returns the code's name in the registry, or `UNKNOWN`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.row() {
            Some((name, ..)) => name,
            None => "UNKNOWN",
        }
    }

    /// Returns the action that the code allows; [`Action::Fatal`] for an unknown code.
    #[must_use]
    pub const fn action(self) -> Action {
        // req: ERR-003
        match self.row() {
            Some((_, action, ..)) => action,
            None => Action::Fatal,
        }
    }

    /// Returns what a fault with this code ends. An unknown code ends whatever it arrived in; for it the
    /// result is `None`.
    #[must_use]
    pub const fn scope(self) -> Option<Scope> {
        match self.row() {
            Some((_, _, scope, _)) => Some(scope),
            None => None,
        }
    }

    /// Returns the code's meaning as one sentence for a person, without a full stop.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self.row() {
            Some((.., meaning)) => meaning,
            None => "a code that this version does not know",
        }
    }

    /// Returns the part of the protocol that the code belongs to.
    #[must_use]
    pub const fn area(self) -> Area {
        match self.0.to_be_bytes() {
            [1, _] => Area::Framing,
            [2, _] => Area::Handshake,
            [3, _] => Area::Link,
            [4, _] => Area::Channel,
            [5, _] => Area::Session,
            [6, _] => Area::Stream,
            [7, _] => Area::Relay,
            [8, _] => Area::Limit,
            [9, _] => Area::Internal,
            _ => Area::Unknown,
        }
    }

    /// Returns the code to send to the peer in place of this one. Failed cryptographic checks all become
    /// `HANDSHAKE_FAILED`, so that nobody learns which one failed (spec, errors).
    #[must_use]
    pub const fn on_wire(self) -> Self {
        // req: ERR-004
        match self {
            Self::BAD_SIGNATURE | Self::BAD_KEY | Self::KEY_REUSED => Self::HANDSHAKE_FAILED,
            _ => self,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row() {
            Some((name, ..)) => f.write_str(name),
            None => write!(f, "UNKNOWN(0x{:04x})", self.0),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An error of a decoder: the broken rule, the place, and the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} at byte {at} in {what}")]
#[non_exhaustive]
pub struct DecodeError {
    /// The code of the broken rule.
    pub code: ErrorCode,
    /// Where the fault is: its distance in bytes from the start of the input.
    pub at: usize,
    /// The name of the faulty field or item, as in the specification.
    pub what: &'static str,
}

impl DecodeError {
    /// Creates an error with this code, at byte offset `at`, in the field `what`.
    #[must_use]
    pub const fn new(code: ErrorCode, at: usize, what: &'static str) -> Self {
        Self { code, at, what }
    }

    /// Returns the code of the broken rule.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::format;

    #[test]
    fn the_registry_has_unique_codes_and_names_in_known_areas() {
        let codes: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.as_u16()).collect();
        let names: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(codes.len(), ErrorCode::ALL.len());
        assert_eq!(names.len(), ErrorCode::ALL.len());
        assert!(ErrorCode::ALL.is_sorted());
        assert!(ErrorCode::ALL.iter().all(|code| code.area() != Area::Unknown && code.is_known()));
        assert!(
            ErrorCode::ALL.iter().all(|code| code.as_u16() % 62 != 58),
            "grease numbers are never assigned"
        );
    }

    #[test]
    fn an_unknown_code_survives_and_is_fatal() {
        // req: ERR-003
        let code = ErrorCode::from_u16(0xfffe);
        assert_eq!(code.as_u16(), 0xfffe);
        assert_eq!(code.action(), Action::Fatal);
        assert_eq!(code.scope(), None);
        assert_eq!(code.area(), Area::Unknown);
        assert_eq!(format!("{code}"), "UNKNOWN(0xfffe)");
    }

    #[test]
    fn failed_checks_look_alike_on_the_wire() {
        // req: ERR-004
        for code in [ErrorCode::BAD_SIGNATURE, ErrorCode::BAD_KEY, ErrorCode::KEY_REUSED] {
            assert_eq!(code.on_wire(), ErrorCode::HANDSHAKE_FAILED);
        }
        assert_eq!(ErrorCode::TIMEOUT.on_wire(), ErrorCode::TIMEOUT);
    }

    #[test]
    fn a_message_names_code_place_and_field() {
        let error = DecodeError::new(ErrorCode::TRUNCATED, 7, "salt");
        assert_eq!(format!("{error}"), "TRUNCATED at byte 7 in salt");
    }
}
