//! The key that wraps stored secrets: a file outside the database, so that a copy of the database alone is of
//! no use.

use std::fmt;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use handfast_codec::ids::MailboxId;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{SqliteError, file};

const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 12;

/// The device-bound key of a native store. A wrapped value is `nonce 12 random | ciphertext | tag 16`
/// (ChaCha20-Poly1305; the associated data are the link's id and the key of the row).
pub struct DeviceKey(Box<[u8; KEY_LEN]>);

impl Drop for DeviceKey {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut *self.0);
    }
}

impl ZeroizeOnDrop for DeviceKey {}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceKey").finish_non_exhaustive()
    }
}

impl DeviceKey {
    /// Draws a key from the operating system's randomness.
    ///
    /// # Errors
    ///
    /// [`SqliteError::NoRandomness`] if the operating system provides no random bytes.
    pub fn generate() -> Result<Self, SqliteError> {
        let mut key = Box::new([0; KEY_LEN]);
        getrandom::fill(key.as_mut_slice()).map_err(|_| SqliteError::NoRandomness)?;
        Ok(Self(key))
    }

    /// Returns a key with these bytes, for tests and the simulator.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn from_bytes(key: [u8; 32]) -> Self {
        Self(Box::new(key))
    }

    /// Reads the key from its file.
    ///
    /// # Errors
    ///
    /// [`SqliteError::File`] when there is no file, [`SqliteError::NotAFile`] for a symbolic link,
    /// [`SqliteError::KeyFile`] when the file's length is wrong.
    pub fn load(path: &Path) -> Result<Self, SqliteError> {
        let mut opened = file::open(path, false)?;
        let mut key = Box::new([0; KEY_LEN]);
        let mut more = [0; 1];
        let whole = opened.read_exact(key.as_mut_slice()).and_then(|()| opened.read(&mut more));
        let key = Self(key);
        match whole {
            Ok(0) => Ok(key),
            Ok(_) => Err(SqliteError::KeyFile(path.display().to_string())),
            Err(short) if short.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err(SqliteError::KeyFile(path.display().to_string()))
            }
            Err(failed) => Err(file::error(path, &failed)),
        }
    }

    /// Writes the key to a new file, and syncs it.
    ///
    /// # Errors
    ///
    /// [`SqliteError::File`] when the file exists or cannot be written.
    pub fn save_new(&self, path: &Path) -> Result<(), SqliteError> {
        let mut created = file::create_new(path)?;
        created
            .write_all(self.0.as_slice())
            .and_then(|()| created.sync_all())
            .map_err(|failed| file::error(path, &failed))?;
        file::sync_dir(path.parent().unwrap_or(Path::new(".")))
    }

    /// Reads the key from its file, or creates key and file. A crash leaves either no file or a complete one.
    /// The caller must have the lock on the directory.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if the file cannot be read, written or used.
    pub fn load_or_create(path: &Path) -> Result<Self, SqliteError> {
        file::require_plain_or_absent(path)?;
        if path.exists() {
            return Self::load(path);
        }
        let key = Self::generate()?;
        let unfinished = path.with_extension("key.new");
        match fs::remove_file(&unfinished) {
            Err(failed) if failed.kind() != std::io::ErrorKind::NotFound => {
                return Err(file::error(&unfinished, &failed));
            }
            _ => {}
        }
        key.save_new(&unfinished)?;
        fs::rename(&unfinished, path).map_err(|failed| file::error(path, &failed))?;
        file::sync_dir(path.parent().unwrap_or(Path::new(".")))?;
        Ok(key)
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(self.0.as_ref().into())
    }

    /// Encrypts the value that is stored under `key` for a link.
    ///
    /// # Errors
    ///
    /// [`SqliteError::NoRandomness`] if the nonce cannot be drawn.
    pub fn wrap(&self, link: MailboxId, key: &[u8], value: &[u8]) -> Result<Vec<u8>, SqliteError> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| SqliteError::NoRandomness)?;
        let mut out = Vec::with_capacity(value.len() + NONCE_LEN + 16);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(value);
        let (_, body) = out.split_at_mut(NONCE_LEN);
        let tag = self
            .cipher()
            .encrypt_inout_detached(&nonce.into(), &associated(link, key), body.into())
            .map_err(|_| SqliteError::Unwrap)?;
        out.extend_from_slice(&tag);
        Ok(out)
    }

    /// Decrypts what [`DeviceKey::wrap`] returned for the same link and key.
    ///
    /// # Errors
    ///
    /// [`SqliteError::Unwrap`] if the value is damaged, or was wrapped by another key.
    pub fn unwrap(
        &self,
        link: MailboxId,
        key: &[u8],
        stored: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SqliteError> {
        let (nonce, rest) = stored.split_first_chunk::<NONCE_LEN>().ok_or(SqliteError::Unwrap)?;
        let (body, tag) = rest.split_last_chunk::<16>().ok_or(SqliteError::Unwrap)?;
        let mut value = Zeroizing::new(body.to_vec());
        self.cipher()
            .decrypt_inout_detached(
                nonce.into(),
                &associated(link, key),
                value.as_mut_slice().into(),
                tag.into(),
            )
            .map_err(|_| SqliteError::Unwrap)?;
        Ok(value)
    }
}

fn associated(link: MailboxId, key: &[u8]) -> Vec<u8> {
    [link.as_bytes().as_slice(), key].concat()
}
