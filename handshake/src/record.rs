//! Encryption of the records of a connection. `handfast_codec::record` builds and reads their padded
//! plaintexts.
//!
//! ```text
//! before seal:  DATA header 2 | plaintext 128*2^k |
//! after seal:   DATA header 2 | ciphertext 128*2^k | tag 16
//! opened:                       plaintext 128*2^k
//! ```
//!
//! A failure wipes the key, so that all later records are refused with [`RecordError::Dead`].

use bytes::BytesMut;
use handfast_codec::limits::{REKEY_BYTES, REKEY_RECORDS, TAG_LEN};
use handfast_codec::record::check_ciphertext_len;
use handfast_codec::relay::DATA_HEADER_LEN;

use crate::error::{HandshakeError, RecordError};
use crate::noise::{CipherState, Tag};

/// Encrypts the records that are sent in one direction.
#[derive(Debug)]
pub struct Sealer(Direction);

/// Decrypts the records that come in one direction.
#[derive(Debug)]
pub struct Opener(Direction);

/// The key of one direction, which is gone after a failure, and how much the key has processed.
#[derive(Debug)]
struct Direction {
    cipher: Option<CipherState>,
    records: u64,
    bytes: u64,
}

impl Direction {
    fn new(cipher: CipherState) -> Self {
        Self { records: cipher.n(), cipher: Some(cipher), bytes: 0 }
    }

    /// Puts the key back, because a record with `len` bytes of plaintext succeeded.
    fn succeeded(&mut self, cipher: CipherState, len: usize) {
        self.cipher = Some(cipher);
        self.records = self.records.saturating_add(1);
        self.bytes = self.bytes.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
    }

    /// Returns the line of the key in a key log.
    #[cfg(feature = "key-log")]
    fn key_log_line(&self) -> Option<zeroize::Zeroizing<alloc::string::String>> {
        self.cipher.as_ref().and_then(CipherState::key_log_line)
    }

    const fn rekey_due(&self) -> bool {
        // req: CHN-007
        self.records >= REKEY_RECORDS || self.bytes >= REKEY_BYTES
    }
}

impl Sealer {
    /// Creates a sealer with the cipher of this device's direction.
    #[must_use]
    pub fn new(cipher: CipherState) -> Self {
        Self(Direction::new(cipher))
    }

    /// Encrypts a record in place, after the header at its front, and appends the tag. With 16 spare bytes,
    /// as in the buffer of a `RecordBuilder`, it does not allocate.
    ///
    /// The counter value is consumed, whether or not the record is sent.
    ///
    /// # Errors
    ///
    /// [`RecordError::BadSize`] if the plaintext is not 128*2^k bytes for k = 0 to 7,
    /// [`RecordError::NonceExhausted`] at the last counter value, [`RecordError::Dead`] after an earlier
    /// error. The buffer must not be sent then.
    pub fn seal(&mut self, buf: &mut BytesMut) -> Result<(), RecordError> {
        // req: CHN-005
        let mut cipher = self.0.cipher.take().ok_or(RecordError::Dead)?;
        let (_, plaintext) = buf.split_at_mut_checked(DATA_HEADER_LEN).ok_or(RecordError::BadSize)?;
        let len = plaintext.len();
        check_ciphertext_len(len.saturating_add(TAG_LEN)).map_err(|_| RecordError::BadSize)?;
        let tag = cipher.encrypt(&[], plaintext).map_err(record_error)?;
        buf.extend_from_slice(tag.as_bytes());
        self.0.succeeded(cipher, len);
        Ok(())
    }

    /// Returns the number of records sealed.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.0.records
    }

    /// Returns the number of bytes of padded plaintext sealed.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// Returns whether the key has reached its limit of records or bytes, so that CLOSE{REKEY} is due.
    #[must_use]
    pub const fn rekey_due(&self) -> bool {
        self.0.rekey_due()
    }

    /// Returns the line of this direction's key in a key log; `None` after an error, and for a key that comes
    /// from no handshake. `tools/README.md` describes the line.
    ///
    /// # Security
    ///
    /// Whoever has the line reads every record of this direction.
    #[cfg(feature = "key-log")]
    #[must_use]
    pub fn key_log_line(&self) -> Option<zeroize::Zeroizing<alloc::string::String>> {
        self.0.key_log_line()
    }
}

impl Opener {
    /// Creates an opener with the cipher of the peer's direction.
    #[must_use]
    pub fn new(cipher: CipherState) -> Self {
        Self(Direction::new(cipher))
    }

    /// Decrypts a record in place. `record` is the bytes after the DATA header.
    ///
    /// # Errors
    ///
    /// [`RecordError::BadSize`] if the length is not that of a record, which is checked before any key is
    /// used; [`RecordError::Decrypt`] if the tag is invalid; [`RecordError::NonceExhausted`] at the last
    /// counter value; [`RecordError::Dead`] after an earlier error. Each ends the connection.
    pub fn open(&mut self, mut record: BytesMut) -> Result<BytesMut, RecordError> {
        // req: CHN-003
        let mut cipher = self.0.cipher.take().ok_or(RecordError::Dead)?;
        // req: CHN-011
        check_ciphertext_len(record.len()).map_err(|_| RecordError::BadSize)?;
        let (ciphertext, tag) = record.split_last_chunk_mut::<TAG_LEN>().ok_or(RecordError::BadSize)?;
        let (len, tag) = (ciphertext.len(), Tag::from_bytes(*tag));
        cipher.decrypt(&[], ciphertext, &tag).map_err(record_error)?;
        record.truncate(len);
        self.0.succeeded(cipher, len);
        Ok(record)
    }

    /// Returns the number of records opened.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.0.records
    }

    /// Returns the number of bytes of padded plaintext opened.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// Returns whether the key has reached its limit of records or bytes, so that CLOSE{REKEY} is due.
    #[must_use]
    pub const fn rekey_due(&self) -> bool {
        self.0.rekey_due()
    }

    /// Returns the line of this direction's key in a key log; `None` after an error, and for a key that comes
    /// from no handshake. `tools/README.md` describes the line.
    ///
    /// # Security
    ///
    /// Whoever has the line reads every record of this direction.
    #[cfg(feature = "key-log")]
    #[must_use]
    pub fn key_log_line(&self) -> Option<zeroize::Zeroizing<alloc::string::String>> {
        self.0.key_log_line()
    }
}

fn record_error(error: HandshakeError) -> RecordError {
    // req: CHN-004
    if error == HandshakeError::NonceExhausted { RecordError::NonceExhausted } else { RecordError::Decrypt }
}

#[cfg(all(test, feature = "hazmat"))]
mod tests {
    use super::*;
    use crate::hazmat::cipher_state;
    use alloc::vec;
    use handfast_codec::relay::RECORD_HEADER;

    fn pair(n: u64) -> (Sealer, Opener) {
        (Sealer::new(cipher_state([7; 32], n)), Opener::new(cipher_state([7; 32], n)))
    }

    fn frame(len: usize) -> BytesMut {
        let mut buf = BytesMut::with_capacity(DATA_HEADER_LEN + len + TAG_LEN);
        buf.extend_from_slice(&RECORD_HEADER);
        buf.extend_from_slice(&vec![0x5a; len]);
        buf
    }

    fn sealed(sealer: &mut Sealer, len: usize) -> BytesMut {
        let mut buf = frame(len);
        sealer.seal(&mut buf).expect("seals");
        buf.split_off(DATA_HEADER_LEN)
    }

    #[test]
    fn every_size_is_sealed_in_place_and_opened() {
        let (mut sealer, mut opener) = pair(0);
        let mut bytes = 0;
        for k in 0..8 {
            let len = 128_usize << k;
            let mut buf = frame(len);
            let (start, capacity) = (buf.as_ptr(), buf.capacity());
            sealer.seal(&mut buf).expect("seals");
            assert_eq!((buf.as_ptr(), buf.capacity()), (start, capacity), "no allocation");
            assert_eq!(buf[..DATA_HEADER_LEN], RECORD_HEADER);
            assert_eq!(buf.len(), DATA_HEADER_LEN + len + TAG_LEN);
            let plaintext = opener.open(buf.split_off(DATA_HEADER_LEN)).expect("opens");
            assert_eq!(plaintext, vec![0x5a; len]);
            bytes += u64::try_from(len).expect("fits");
        }
        assert_eq!((sealer.records(), sealer.bytes()), (8, bytes));
        assert_eq!((opener.records(), opener.bytes()), (8, bytes));
    }

    #[test]
    fn another_size_is_refused_before_decrypting_and_ends_the_connection() {
        // req: CHN-011
        for len in [0, 15, 16, 127, 128 + 15, 128 + 17, 192 + 16, 16_384 + 15, 32_768 + 16] {
            let (mut sealer, mut opener) = pair(0);
            let good = sealed(&mut sealer, 128);
            assert_eq!(opener.open(BytesMut::zeroed(len)), Err(RecordError::BadSize), "{len}");
            assert_eq!(opener.open(good), Err(RecordError::Dead), "{len}");
        }
        for len in [0, 1, 127, 129, 192, 16_383, 16_385, 32_768] {
            let (mut sealer, _) = pair(0);
            assert_eq!(sealer.seal(&mut frame(len)), Err(RecordError::BadSize), "{len}");
            assert_eq!(sealer.seal(&mut frame(128)), Err(RecordError::Dead), "{len}");
        }
        assert_eq!(pair(0).0.seal(&mut BytesMut::zeroed(1)), Err(RecordError::BadSize));
    }

    #[test]
    fn a_record_that_does_not_open_ends_the_connection() {
        // req: CHN-003
        let (mut sealer, _) = pair(0);
        let (first, second) = (sealed(&mut sealer, 128), sealed(&mut sealer, 128));
        for at in [0, 64, 127, 128, 143] {
            let (_, mut opener) = pair(0);
            let mut wrong = first.clone();
            wrong[at] ^= 1;
            assert_eq!(opener.open(wrong), Err(RecordError::Decrypt), "{at}");
            assert_eq!(opener.open(first.clone()), Err(RecordError::Dead), "{at}");
        }
        // The record comes out of order, comes twice, or is opened under the other direction's key.
        assert_eq!(pair(0).1.open(second.clone()), Err(RecordError::Decrypt));
        let (_, mut opener) = pair(0);
        let _ = opener.open(first.clone()).expect("opens");
        assert_eq!(opener.open(first.clone()), Err(RecordError::Decrypt));
        let mut reflected = Opener::new(cipher_state([8; 32], 0));
        assert_eq!(reflected.open(first), Err(RecordError::Decrypt));
    }

    #[test]
    fn the_last_counter_value_is_neither_sealed_nor_opened_under() {
        // req: CHN-004
        let (mut sealer, mut opener) = pair(u64::MAX - 1);
        let record = sealed(&mut sealer, 128);
        let mut buf = frame(128);
        assert_eq!(sealer.seal(&mut buf), Err(RecordError::NonceExhausted));
        assert_eq!(buf, frame(128), "nothing was encrypted");
        assert_eq!(sealer.seal(&mut frame(128)), Err(RecordError::Dead));
        let _ = opener.open(record.clone()).expect("2^64-2 is used");
        assert_eq!(opener.open(record), Err(RecordError::NonceExhausted));
    }

    #[test]
    fn a_sealed_record_uses_its_counter_value_up() {
        // req: CHN-005
        let (mut sealer, _) = pair(0);
        let (first, second) = (sealed(&mut sealer, 128), sealed(&mut sealer, 128));
        assert_ne!(first, second, "the same plaintext is never sealed alike");
    }

    #[test]
    fn rekey_is_due_at_each_limit() {
        // req: CHN-007
        let (mut sealer, mut opener) = pair(REKEY_RECORDS - 1);
        assert!(!sealer.rekey_due() && !opener.rekey_due());
        let _ = opener.open(sealed(&mut sealer, 128)).expect("opens");
        assert!(sealer.rekey_due() && opener.rekey_due());

        let (mut sealer, _) = pair(0);
        sealer.0.bytes = REKEY_BYTES - 128 - 1;
        let _ = sealed(&mut sealer, 128);
        assert!(!sealer.rekey_due());
        let _ = sealed(&mut sealer, 128);
        assert!(sealer.rekey_due());
    }
}
