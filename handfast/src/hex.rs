//! Hexadecimal text, the form in which pages and people write ids.

/// Returns the `N` bytes that a text of 2N hexadecimal digits, in either case, stands for; `None` for any
/// other text.
#[must_use]
pub fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N.checked_mul(2)? {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let mut value = 0;
        for digit in pair {
            value = value * 16 + u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
        }
        *byte = value;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_strictly() {
        assert_eq!(parse_hex("0aF0"), Some([10, 240]));
        for bad in ["0a", "0aF00", "0g00", "é00"] {
            assert_eq!(parse_hex::<2>(bad), None, "{bad}");
        }
    }
}
