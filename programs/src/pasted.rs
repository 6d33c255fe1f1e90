//! Texts of QR codes that people paste: removes what a chat program, an editor or a terminal has added.

use super::printable::is_hidden;

/// Returns the text without white space, quotation marks and invisible characters, in upper case.
///
/// A code contains none of the removed characters, so nothing of a code is lost. A text that is not a code
/// does not become one by this.
#[must_use]
pub fn pasted_code(text: &str) -> String {
    let is_added = |letter: char| {
        letter.is_whitespace()
            || letter.is_control()
            || is_hidden(letter)
            || letter == '\u{fe0f}'
            || matches!(letter, '"' | '\'' | '`' | '\u{2018}'..='\u{201f}' | '«' | '»' | '‹' | '›')
    };
    text.chars().filter(|letter| !is_added(*letter)).map(|letter| letter.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pasting_adds_is_taken_off() {
        for pasted in [
            "HF1*ABC234",
            "\u{feff}HF1*ABC234",
            "  HF1*ABC234\r\n",
            "hf1*abc234",
            "HF1*ABC\u{200b}234\u{2060}",
            "HF1*ABC\u{a0}234",
            "HF1*AB\r\nC234\n",
            "\u{201c}HF1*ABC234\u{201d}",
            "`HF1*ABC234`",
            "\u{202a}HF1*ABC234\u{202c}",
            "\u{0}HF1*\tABC234\u{ad}",
        ] {
            assert_eq!(pasted_code(pasted), "HF1*ABC234", "{pasted:?}");
        }
        assert_eq!(pasted_code("https://example.com/?é"), "HTTPS://EXAMPLE.COM/?é");
        assert_eq!(pasted_code(""), "");
    }
}
