//! The engine of the page as `cargo xtask wasm` left it: where it lies, and how much it may weigh.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::workspace;

/// The most that the module may weigh, compressed by `gzip -9`, in bytes.
pub const COMPRESSED_MAX: usize = 350 * 1024;

/// The folder of the package.
#[must_use]
pub fn package() -> PathBuf {
    workspace::root().join("reference-web/page/pkg")
}

/// The length of bytes after `gzip -9`.
///
/// # Errors
/// They cannot be compressed.
pub fn compressed_len(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_is_small_and_what_does_not_is_not() {
        assert!(compressed_len(&vec![0; 100_000]).unwrap() < 1_000);
        let mixed: Vec<u8> =
            (0_u32..10_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
        assert!(compressed_len(&mixed).unwrap() > 20_000);
    }
}
