//! Random values of the story: names, texts, moments.

use std::fmt::Write as _;

use anyhow::{Result, anyhow};

/// Fills `bytes` from the operating system.
///
/// # Errors
/// The operating system has no randomness.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| anyhow!("no randomness: {error}"))
}

/// Returns `count` random bytes in hex.
pub(crate) fn hex(count: usize) -> Result<String> {
    let mut bytes = vec![0; count];
    fill(&mut bytes)?;
    Ok(to_hex(&bytes))
}

/// Writes bytes as hex.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns a random number below `bound`, or 0 when that is 0.
pub(crate) fn below(bound: u64) -> Result<u64> {
    let mut bytes = [0; 8];
    fill(&mut bytes)?;
    Ok(u64::from_be_bytes(bytes).checked_rem(bound).unwrap_or(0))
}

/// Returns a random UUID (version 4).
pub(crate) fn uuid() -> Result<String> {
    let mut bytes = [0_u8; 16];
    fill(&mut bytes)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = to_hex(&bytes);
    Ok([&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_have_their_shape() {
        let text = uuid().unwrap();
        let lengths: Vec<usize> = text.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(text.as_bytes()[14], b'4');
        assert_ne!(text, uuid().unwrap());
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        assert!((0..200).all(|_| below(7).unwrap() < 7));
        assert_eq!(below(0).unwrap(), 0);
    }
}
