//! A command line as words, so that a shim is started without a shell and can be ended with certainty.

use anyhow::{Result, bail, ensure};

/// Cuts a command line into words: at blanks, but not within `'..'` or `".."`.
///
/// # Errors
///
/// A quote does not end, or there is no word.
pub(super) fn words(text: &str) -> Result<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in text.chars() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                let _ = word.get_or_insert_default();
            }
            (None, _) if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    if let Some(open) = quote {
        bail!("--shim {text}: the quote {open} does not end");
    }
    words.extend(word);
    ensure!(!words.is_empty(), "--shim is empty: give the command that starts the shim");
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn quotes_hold_blanks_together() {
        assert_eq!(
            words(r#" python3 "a b.py" --x='' it"'"s"#).unwrap(),
            ["python3", "a b.py", "--x=", "it's"]
        );
        assert!(words("  ").is_err());
        assert!(words("a 'b").unwrap_err().to_string().contains("does not end"));
    }
}
