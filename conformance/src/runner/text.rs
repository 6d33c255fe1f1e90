//! Texts on a terminal.

/// A text of a shim on a terminal: nothing that a terminal would obey.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

/// A text in lines of at most `width` letters, where its blanks allow; each begins with `indent`, the later ones deeper.
pub(super) fn wrapped(text: &str, width: usize, indent: &str) -> Vec<String> {
    let mut lines = vec![indent.to_owned()];
    for word in text.split_whitespace() {
        let len = lines.last().map_or(0, |line| line.chars().count());
        match lines.last_mut() {
            Some(line) if line.trim().is_empty() => line.push_str(word),
            Some(line) if len + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{indent}  {word}")),
        }
    }
    lines
}

/// A word as a shell takes it as one.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=+,@%".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else if word.contains('\'') && !word.contains(['"', '$', '`', '\\', '!']) {
        format!("\"{word}\"")
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Returns a number of cases in words.
pub(super) fn number_of_cases(number: usize) -> String {
    if number == 1 { "1 case".to_owned() } else { format!("{number} cases") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_at_blanks() {
        assert_eq!(wrapped("[A] one two three", 12, "  "), ["  [A] one", "    two", "    three"]);
        assert_eq!(wrapped("averyveryverylongword x", 8, ""), ["averyveryverylongword", "  x"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_a_quoted_word_as_it_was() {
        for word in ["plain", "", "a b", "it's", "a \"b\" 'c'", "$HOME `x` \\", "py '/a b/c'", "*", "a!b'c"] {
            let line = format!("printf %s {}", quoted(word));
            let output = std::process::Command::new("sh").args(["-c", &line]).output().expect("a shell");
            assert_eq!(String::from_utf8_lossy(&output.stdout), word, "{line}");
        }
    }
}
