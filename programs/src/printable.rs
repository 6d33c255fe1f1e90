//! Text that others wrote, made safe to show on a terminal.

use std::sync::LazyLock;

use regex_syntax::Parser;
use regex_syntax::hir::HirKind;

/// Control and format characters, line and paragraph separators, private use, and what Unicode ignores by
/// default (zero-width and direction marks, fillers, tags). The two variation selectors that choose between
/// the picture and the plain form of a character are exempt.
const HIDDEN: &str = r"[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}--[\x{FE0E}\x{FE0F}]]";

/// Pictographs, and the modifiers of skin tone that may follow a pictograph.
const PICTURES: &str = r"[\p{Extended_Pictographic}\p{Emoji_Modifier}]";

/// The ranges of characters in a class, in order.
type Ranges = LazyLock<Vec<(char, char)>>;

static HIDDEN_RANGES: Ranges = LazyLock::new(|| ranges(HIDDEN));
static PICTURE_RANGES: Ranges = LazyLock::new(|| ranges(PICTURES));

fn ranges(class: &str) -> Vec<(char, char)> {
    match Parser::new().parse(class) {
        Ok(class) => match class.kind() {
            HirKind::Class(regex_syntax::hir::Class::Unicode(class)) => {
                class.iter().map(|range| (range.start(), range.end())).collect()
            }
            _ => Vec::new(),
        },
        Err(_) => Vec::new(),
    }
}

fn is_in(ranges: &Ranges, letter: char) -> bool {
    let from = ranges.partition_point(|(_, end)| *end < letter);
    ranges.get(from).is_some_and(|(start, _)| *start <= letter)
}

/// Returns text that others chose, made safe for one line of a terminal. Characters that would move the
/// cursor, break the line, hide other characters or reorder them are written as `\u{..}`. The joiners within
/// an emoji stay.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut before = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_part = before.is_some_and(|before| is_part_of_emoji(before, letter, letters.peek().copied()));
        if !is_part && (letter.is_control() || is_hidden(letter)) {
            shown.extend(letter.escape_unicode());
        } else {
            shown.push(letter);
        }
        before = Some(letter);
    }
    shown
}

/// Returns text of several lines, made safe for a terminal. Line feeds stay, and a tab becomes spaces.
#[must_use]
pub fn printable_lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\t', "    ");
    let lines: Vec<String> = text.split('\n').map(printable).collect();
    lines.join("\n")
}

/// Returns whether an invisible character is part of an emoji: a joiner between two pictographs, or a tag in
/// a regional flag.
fn is_part_of_emoji(before: char, letter: char, behind: Option<char>) -> bool {
    let is_picture = |letter| is_in(&PICTURE_RANGES, letter);
    match letter {
        '\u{200d}' => (is_picture(before) || before == '\u{fe0f}') && behind.is_some_and(is_picture),
        '\u{e0020}'..='\u{e007f}' => before == '\u{1f3f4}' || matches!(before, '\u{e0020}'..='\u{e007e}'),
        _ => false,
    }
}

/// Returns whether Unicode calls a character invisible, or the character controls the terminal.
pub(super) fn is_hidden(letter: char) -> bool {
    is_in(&HIDDEN_RANGES, letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_cannot_command_the_terminal_or_add_lines() {
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
    fn emoji_of_several_parts_stay_whole_and_joiners_elsewhere_are_shown() {
        for whole in [
            "👨\u{200d}👩\u{200d}👧\u{200d}👦",
            "🏳\u{fe0f}\u{200d}🌈",
            "👩🏽\u{200d}🚀",
            "❤\u{fe0f}\u{200d}🔥",
            "1\u{fe0f}\u{20e3}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        ] {
            assert_eq!(printable(whole), whole);
        }
        for (text, shown) in [
            ("a\u{200d}b", "a\\u{200d}b"),
            ("👨\u{200d}", "👨\\u{200d}"),
            ("\u{200d}👨", "\\u{200d}👨"),
            ("👨\u{200d}\u{200d}👩", "👨\\u{200d}\\u{200d}👩"),
            ("x\u{e0061}", "x\\u{e0061}"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn text_of_several_lines_keeps_them() {
        assert_eq!(printable_lines("one\r\ntwo\n\tthree\r"), "one\ntwo\n    three\\u{d}");
        assert_eq!(printable_lines("\u{2028}\x0b\x1b[2K"), "\\u{2028}\\u{b}\\u{1b}[2K");
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
