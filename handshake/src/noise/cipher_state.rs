//! Noise 5.1, the `CipherState`: a key, and the counter of the messages encrypted or decrypted under it.

use core::fmt;

use bytes::BytesMut;
use handfast_codec::limits::TAG_LEN;

use super::aead::Aead;
use crate::error::HandshakeError;
use crate::secret::CipherKey;

/// A Poly1305 authentication tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(pub(crate) [u8; TAG_LEN]);

impl Tag {
    /// Wraps the bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; TAG_LEN]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; TAG_LEN] {
        &self.0
    }
}

/// The nonce counter of one key: 0 to 2^64-2. Noise reserves the last value.
struct Counter(u64);

impl Counter {
    /// Returns the counter's next value without using it up.
    fn peek(&self) -> Result<u64, HandshakeError> {
        // req: CHN-004
        if self.0 == u64::MAX { Err(HandshakeError::NonceExhausted) } else { Ok(self.0) }
    }

    /// Returns the counter's next value, and uses it up.
    fn take(&mut self) -> Result<u64, HandshakeError> {
        let n = self.peek()?;
        self.0 = n.saturating_add(1);
        Ok(n)
    }
}

/// A key `k` with its counter `n`. Noise's empty key is an absent `CipherState` here.
pub struct CipherState {
    k: CipherKey,
    aead: Aead,
    n: Counter,
    #[cfg(feature = "key-log")]
    origin: Option<crate::key_log::Origin>,
}

impl CipherState {
    /// Creates a cipher whose counter starts at 0.
    pub(crate) fn new(k: CipherKey) -> Self {
        Self::starting(k, 0)
    }

    fn starting(k: CipherKey, n: u64) -> Self {
        Self {
            aead: Aead::new(&k),
            k,
            n: Counter(n),
            #[cfg(feature = "key-log")]
            origin: None,
        }
    }

    #[cfg(feature = "hazmat")]
    pub(crate) fn at(k: CipherKey, n: u64) -> Self {
        Self::starting(k, n)
    }

    #[cfg(feature = "hazmat")]
    pub(crate) fn k(&self) -> &CipherKey {
        &self.k
    }

    /// Notes from which handshake the key comes.
    #[cfg(feature = "key-log")]
    pub(crate) fn with_origin(self, origin: crate::key_log::Origin) -> Self {
        Self { origin: Some(origin), ..self }
    }

    /// Returns the line of this key in a key log; `None` if the key comes from no handshake.
    #[cfg(feature = "key-log")]
    pub(crate) fn key_log_line(&self) -> Option<zeroize::Zeroizing<alloc::string::String>> {
        self.origin.map(|origin| origin.line(&self.k))
    }

    /// Returns the counter's next value, which equals the number of messages encrypted or decrypted so far.
    #[must_use]
    pub const fn n(&self) -> u64 {
        self.n.0
    }

    /// Encrypts `data` in place. Returns its tag. The counter value is used up before any byte changes.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::NonceExhausted`] once the counter is 2^64-1; `data` is then unchanged.
    pub fn encrypt(&mut self, ad: &[u8], data: &mut [u8]) -> Result<Tag, HandshakeError> {
        // req: CHN-005
        let n = self.n.take()?;
        // The AEAD fails only for data beyond 256 GiB, and nothing that long is ever passed.
        let tag = self.aead.seal(&self.k, nonce(n), ad, data).ok_or(HandshakeError::MessageTooLong)?;
        Ok(Tag(tag))
    }

    /// Decrypts `data` in place. The counter advances only when the tag is valid.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::NonceExhausted`] once the counter is 2^64-1, [`HandshakeError::Decrypt`] if the tag is
    /// wrong; `data` is then unspecified, and no plaintext.
    pub fn decrypt(&mut self, ad: &[u8], data: &mut [u8], tag: &Tag) -> Result<(), HandshakeError> {
        let n = self.n.peek()?;
        if !self.aead.open(&self.k, nonce(n), ad, data, tag.0) {
            return Err(HandshakeError::Decrypt);
        }
        let _ = self.n.take()?;
        Ok(())
    }

    /// Encrypts the buffer in place and appends the tag; with 16 spare bytes it does not allocate.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::NonceExhausted`] once the counter is 2^64-1.
    pub fn encrypt_in_place(&mut self, ad: &[u8], buf: &mut BytesMut) -> Result<(), HandshakeError> {
        let tag = self.encrypt(ad, buf)?;
        buf.extend_from_slice(&tag.0);
        Ok(())
    }

    /// Decrypts the buffer in place and removes the tag from its end.
    ///
    /// # Errors
    ///
    /// As [`decrypt`](Self::decrypt), and [`HandshakeError::MessageTooShort`] if the buffer is shorter than a
    /// tag.
    pub fn decrypt_in_place(&mut self, ad: &[u8], buf: &mut BytesMut) -> Result<(), HandshakeError> {
        let (data, tag) = buf.split_last_chunk_mut::<TAG_LEN>().ok_or(HandshakeError::MessageTooShort)?;
        let (len, tag) = (data.len(), Tag(*tag));
        self.decrypt(ad, data, &tag)?;
        buf.truncate(len);
        Ok(())
    }
}

/// Returns the nonce as Noise 12.3 defines it: 32 zero bits, then the counter in little-endian order.
fn nonce(n: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    for (to, from) in nonce.iter_mut().skip(4).zip(n.to_le_bytes()) {
        *to = from;
    }
    nonce
}

impl fmt::Debug for CipherState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CipherState").field("n", &self.n.0).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(n: u64) -> CipherState {
        CipherState::starting(CipherKey::from_bytes([0x11; 32]), n)
    }

    #[test]
    fn the_last_counter_value_is_never_used() {
        // req: CHN-004
        let mut data = *b"data";
        let mut sender = at(u64::MAX - 1);
        let tag = sender.encrypt(b"", &mut data).expect("2^64-2 is used");
        assert_eq!(sender.n(), u64::MAX);
        let sealed = data;
        assert_eq!(sender.encrypt(b"", &mut data), Err(HandshakeError::NonceExhausted));
        assert_eq!(data, sealed, "nothing was encrypted under 2^64-1");

        let mut receiver = at(u64::MAX - 1);
        receiver.decrypt(b"", &mut data, &tag).expect("2^64-2 is used");
        assert_eq!(&data, b"data");
        assert_eq!(receiver.decrypt(b"", &mut data, &tag), Err(HandshakeError::NonceExhausted));
        assert_eq!(&data, b"data", "nothing was decrypted under 2^64-1");
    }

    #[test]
    fn a_wrong_tag_shows_no_plaintext_and_leaves_the_counter() {
        let mut data = *b"data";
        let tag = at(0).encrypt(b"ad", &mut data).expect("seals");
        let mut receiver = at(0);
        for bit in 0..128_usize {
            let (mut wrong, mut refused) = (tag, data);
            wrong.0[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(receiver.decrypt(b"ad", &mut refused, &wrong), Err(HandshakeError::Decrypt));
            assert_ne!(&refused, b"data");
        }
        let mut refused = data;
        assert_eq!(receiver.decrypt(b"other", &mut refused, &tag), Err(HandshakeError::Decrypt));
        assert_ne!(&refused, b"data");
        assert_eq!(receiver.n(), 0);
        receiver.decrypt(b"ad", &mut data, &tag).expect("still opens");
        assert_eq!((&data, receiver.n()), (b"data", 1));
    }

    #[test]
    fn a_buffer_shorter_than_a_tag_is_refused() {
        let mut buf = BytesMut::from(&[0_u8; 15][..]);
        assert_eq!(at(0).decrypt_in_place(b"", &mut buf), Err(HandshakeError::MessageTooShort));
    }

    #[test]
    fn in_place_and_detached_agree() {
        let mut buf = BytesMut::from(&b"data"[..]);
        at(3).encrypt_in_place(b"ad", &mut buf).expect("seals");
        let mut data = *b"data";
        let tag = at(3).encrypt(b"ad", &mut data).expect("seals");
        assert_eq!(&buf[..4], &data);
        assert_eq!(&buf[4..], &tag.0);
        at(3).decrypt_in_place(b"ad", &mut buf).expect("opens");
        assert_eq!(&buf[..], b"data");
    }
}
