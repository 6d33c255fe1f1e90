//! The errors of a handshake. Each has a code for the wire, and a more precise one for this device (spec,
//! errors).

use handfast_codec::error::{DecodeError, ErrorCode};

/// The reason why a Diffie-Hellman public key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadKey {
    /// The key is of low order, so the shared secret would be all zeros.
    #[error("the key is of low order")]
    LowOrder,
    /// The encoding has its top bit set, or a value of 2^255-19 or more.
    #[error("the key is not canonical")]
    NonCanonical,
    /// The peer's static key is this device's own.
    #[error("the key is this device's own")]
    Own,
}

/// The reason why a handshake, or a check of what it agreed, failed.
///
/// The handshake state that returned the error is gone, and its keys are wiped (spec, HSK-003).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// A payload or the head of a message is malformed.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A ciphertext has no valid tag. The error says no more than that, here and on the wire.
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
    /// The message is too short for the keys and tags that it must contain.
    #[error("the handshake message is too short")]
    MessageTooShort,
    /// The opening in message 2 does not fit the code's secret: the sender is not the page that made the
    /// code.
    #[error("message 2 does not open the code")]
    WrongOpening,
    /// This step is not the next one of the handshake pattern.
    #[error("a step was taken out of turn")]
    OutOfTurn,
    /// The pattern needs a key that the caller did not pass.
    #[error("a key that the pattern needs is missing")]
    MissingKey,
    /// The caller passed a key that the pattern does not use.
    #[error("a key was given that the pattern does not use")]
    SurplusKey,
    /// No known pattern has this name.
    #[error("the pattern is not known")]
    UnknownPattern,
    /// A signature does not verify under the strict rule (spec, certificates).
    #[error("a signature does not verify")]
    BadSignature,
    /// Both sides have no version in common, or the peer chose a version that was not offered.
    #[error("no version is shared")]
    NoCommonVersion,
    /// A key equals another key of this link, or a key in another link.
    #[error("a key is already in use")]
    KeyReused,
    /// A term of the link is outside its range.
    #[error("a term of the link is out of its range")]
    WrongTerms,
    /// The check code was wrong three times, or the same wrong code was typed twice.
    #[error("the check code was wrong three times, or the same one twice")]
    CheckCodeWrong,
    /// A pending link was not accepted.
    #[error("the link was not accepted")]
    NotAccepted,
    /// The counter of attempts (try) has reached its maximum.
    #[error("the try counter is used up")]
    TryExhausted,
}

impl HandshakeError {
    /// Returns the code for the peer. It does not tell which cryptographic check failed.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        // req: HSK-005, ERR-004
        self.local_code().on_wire()
    }

    /// Returns the precise code for this device's own log and user. This code must not leave the device.
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

/// The reason why a record was not sealed or not opened. Such an error ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The length is not that of a padded record.
    #[error("the record is not of an allowed size")]
    BadSize,
    /// The record has no valid tag.
    #[error("the record does not open")]
    Decrypt,
    /// The record counter reached 2^64-1, which is never used.
    #[error("the record counter is used up")]
    NonceExhausted,
    /// An earlier record in this direction failed, so this direction's key is wiped.
    #[error("an earlier record failed")]
    Dead,
}

impl RecordError {
    /// Returns the code for the peer.
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
