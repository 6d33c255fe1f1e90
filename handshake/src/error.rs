//! What can go wrong in a handshake, each with its code for the wire and its finer one for this device (spec, errors).

use handfast_codec::error::{DecodeError, ErrorCode};

/// Why a Diffie-Hellman public key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadKey {
    /// The shared secret would be all zeros: the key is of low order.
    #[error("the key is of low order")]
    LowOrder,
    /// The top bit is set, or the value is 2^255-19 or more.
    #[error("the key is not canonical")]
    NonCanonical,
    /// The peer's static key is this device's own.
    #[error("the key is this device's own")]
    Own,
}

/// Why a handshake, or a check on what it agreed, ended.
///
/// Whatever the reason, the state that returned it is gone and its keys are wiped (spec, HSK-003).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// A payload or head was malformed.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A ciphertext does not carry a valid tag. Nothing more is told, here or on the wire.
    #[error("a message does not decrypt")]
    Decrypt,
    /// A public key is refused.
    #[error(transparent)]
    BadKey(#[from] BadKey),
    /// The message counter reached 2^64-1, which is never used.
    #[error("the message counter is used up")]
    NonceExhausted,
    /// The message is longer than 4,096 bytes.
    #[error("the handshake message is too long")]
    MessageTooLong,
    /// The message is too short for the keys and tags that it must hold.
    #[error("the handshake message is too short")]
    MessageTooShort,
    /// What message 2 tells is not what the code commits to: whoever answered did not draw the code.
    #[error("message 2 does not open the code")]
    WrongOpening,
    /// This step is not the next one of the pattern.
    #[error("a step was taken out of turn")]
    OutOfTurn,
    /// The pattern needs a key that was not given.
    #[error("a key that the pattern needs is missing")]
    MissingKey,
    /// A key was given that the pattern has no place for.
    #[error("a key was given that the pattern does not use")]
    SurplusKey,
    /// The name is not that of a known pattern.
    #[error("the pattern is not known")]
    UnknownPattern,
    /// A signature does not verify by the strict rule.
    #[error("a signature does not verify")]
    BadSignature,
    /// No version is shared, or the peer chose one that was not offered.
    #[error("no version is shared")]
    NoCommonVersion,
    /// A key equals another one of this link, or one that is in use in another link.
    #[error("a key is already in use")]
    KeyReused,
    /// A term of the link is out of its range.
    #[error("a term of the link is out of its range")]
    WrongTerms,
    /// The check code was wrong three times, or the same wrong one was typed twice.
    #[error("the check code was wrong three times, or the same one twice")]
    CheckCodeWrong,
    /// A pending link was not accepted.
    #[error("the link was not accepted")]
    NotAccepted,
    /// The `try` counter is used up.
    #[error("the try counter is used up")]
    TryExhausted,
}

impl HandshakeError {
    /// Returns the code that may be told to the peer: failed cryptographic checks look alike.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        // req: HSK-005, ERR-004
        self.local_code().on_wire()
    }

    /// Returns the code for this device's own log and user. It does not leave the device.
    #[must_use]
    pub const fn local_code(&self) -> ErrorCode {
        match self {
            Self::Decode(error) => error.code(),
            Self::Decrypt | Self::WrongOpening => ErrorCode::HANDSHAKE_FAILED,
            Self::BadKey(_) => ErrorCode::BAD_KEY,
            Self::NonceExhausted => ErrorCode::NONCE_EXHAUSTED,
            Self::MessageTooLong => ErrorCode::FIELD_LENGTH,
            Self::MessageTooShort => ErrorCode::TRUNCATED,
            Self::OutOfTurn => ErrorCode::UNEXPECTED_MESSAGE,
            Self::MissingKey | Self::SurplusKey | Self::UnknownPattern => ErrorCode::INTERNAL,
            Self::BadSignature => ErrorCode::BAD_SIGNATURE,
            Self::NoCommonVersion => ErrorCode::NO_COMMON_VERSION,
            Self::KeyReused => ErrorCode::KEY_REUSED,
            Self::WrongTerms => ErrorCode::FIELD_VALUE,
            Self::CheckCodeWrong => ErrorCode::CHECK_CODE_WRONG,
            Self::NotAccepted => ErrorCode::NOT_ACCEPTED,
            Self::TryExhausted => ErrorCode::TRY_EXHAUSTED,
        }
    }
}

/// Why a record was not sealed or not opened. The connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The length is not that of a record.
    #[error("the record is not of an allowed size")]
    BadSize,
    /// The record does not carry a valid tag.
    #[error("the record does not open")]
    Decrypt,
    /// The record counter reached 2^64-1, which is never used.
    #[error("the record counter is used up")]
    NonceExhausted,
    /// An earlier record of this direction failed, and its key is wiped.
    #[error("an earlier record failed")]
    Dead,
}

impl RecordError {
    /// Returns the code that may be told to the peer.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::BadSize => ErrorCode::BAD_RECORD_SIZE,
            Self::Decrypt | Self::Dead => ErrorCode::DECRYPT_FAILED,
            Self::NonceExhausted => ErrorCode::NONCE_EXHAUSTED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_does_not_say_which_check_failed() {
        // req: HSK-005, ERR-004
        let checks = [
            HandshakeError::Decrypt,
            HandshakeError::WrongOpening,
            BadKey::LowOrder.into(),
            BadKey::NonCanonical.into(),
            BadKey::Own.into(),
            HandshakeError::BadSignature,
            HandshakeError::KeyReused,
        ];
        for error in checks {
            assert_eq!(error.code(), ErrorCode::HANDSHAKE_FAILED, "{error:?}");
        }
        assert_eq!(HandshakeError::from(BadKey::Own).local_code(), ErrorCode::BAD_KEY);
        assert_eq!(HandshakeError::BadSignature.local_code(), ErrorCode::BAD_SIGNATURE);
        assert_eq!(HandshakeError::KeyReused.local_code(), ErrorCode::KEY_REUSED);
    }

    #[test]
    fn other_faults_keep_their_code() {
        let decode = DecodeError::new(ErrorCode::FIELD_MISSING, 3, "versions");
        for (error, code) in [
            (HandshakeError::Decode(decode), ErrorCode::FIELD_MISSING),
            (HandshakeError::MessageTooLong, ErrorCode::FIELD_LENGTH),
            (HandshakeError::MessageTooShort, ErrorCode::TRUNCATED),
            (HandshakeError::OutOfTurn, ErrorCode::UNEXPECTED_MESSAGE),
            (HandshakeError::NonceExhausted, ErrorCode::NONCE_EXHAUSTED),
            (HandshakeError::NoCommonVersion, ErrorCode::NO_COMMON_VERSION),
            (HandshakeError::CheckCodeWrong, ErrorCode::CHECK_CODE_WRONG),
            (HandshakeError::NotAccepted, ErrorCode::NOT_ACCEPTED),
            (HandshakeError::TryExhausted, ErrorCode::TRY_EXHAUSTED),
        ] {
            assert_eq!(error.code(), code);
            assert_eq!(error.local_code(), code);
        }
    }
}
