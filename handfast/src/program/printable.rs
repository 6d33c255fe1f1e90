//! Text that others wrote, shown on a terminal.

use std::sync::LazyLock;

use regex_syntax::Parser;
use regex_syntax::hir::HirKind;

/// Controls, formats, line and paragraph separators, private use, and whatever Unicode says is not shown by default
/// (zero-width and direction marks, fillers, tags). The two selectors that only choose between a picture and a plain
/// form of the character before them stay.
const HIDDEN: &str = r"[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}--[\x{FE0E}\x{FE0F}]]";

/// The ranges of that class, in order.
static RANGES: LazyLock<Vec<(char, char)>> = LazyLock::new(|| match Parser::new().parse(HIDDEN) {
    Ok(class) => match class.kind() {
        HirKind::Class(regex_syntax::hir::Class::Unicode(class)) => {
            class.iter().map(|range| (range.start(), range.end())).collect()
        }
        _ => Vec::new(),
    },
    Err(_) => Vec::new(),
});

/// Text that others chose, fit for one line of a terminal: what would move the cursor, break the line, hide or reorder
/// characters is written as `\u{..}`.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() || is_hidden(letter) {
            shown.extend(letter.escape_unicode());
        } else {
            shown.push(letter);
        }
    }
    shown
}

fn is_hidden(letter: char) -> bool {
    let from = RANGES.partition_point(|(_, end)| *end < letter);
    RANGES.get(from).is_some_and(|(start, _)| *start <= letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rl09_text_of_others_cannot_command_the_terminal_or_add_lines() {
        let text = "Ada\x1b[2J\r\nroot:\u{9b}31m\u{202e}gpj.exe\u{200b}\0é";
        let shown = printable(text);
        assert_eq!(shown, "Ada\\u{1b}[2J\\u{d}\\u{a}root:\\u{9b}31m\\u{202e}gpj.exe\\u{200b}\\u{0}é");
        assert_eq!(printable("Größe 👍 ok"), "Größe 👍 ok");
    }

    #[test]
    fn what_a_terminal_does_not_show_is_written_out() {
        for hidden in [
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{180e}',
            '\u{200d}',
            '\u{2028}',
            '\u{2029}',
            '\u{2064}',
            '\u{2069}',
            '\u{206f}',
            '\u{3164}',
            '\u{fe00}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{1bca0}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e0100}',
            '\u{e000}',
            '\u{10fffd}',
            '\u{85}',
        ] {
            let shown = printable(&format!("a{hidden}b"));
            assert_eq!(shown, format!("a{}b", hidden.escape_unicode()));
        }
    }

    #[test]
    fn writing_of_many_scripts_stays_as_it_is() {
        for text in [
            "Ünïcödé",
            "日本語　テスト",
            "한국어 \u{1112}\u{1161}\u{11ab}",
            "العربية",
            "हिन्दी",
            "❤\u{fe0f} ok",
            "«\u{a0}oui\u{a0}»",
            "e\u{301}",
        ] {
            assert_eq!(printable(text), text);
        }
    }
}
