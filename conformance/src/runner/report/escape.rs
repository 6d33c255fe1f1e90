//! Texts of others in HTML and XML: shown as text, whatever they hold.

use std::fmt::Write as _;

/// How much of one text is shown, letters.
const SHOWN_MAX: usize = 4_000;

/// A text for HTML or XML, also within an attribute. Letters that cannot be seen, or that turn the direction of others,
/// are named in place of being written; a long text is cut.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::new();
    for (count, letter) in text.chars().enumerate() {
        if count == SHOWN_MAX {
            let _ = write!(out, "... ({} bytes)", text.len());
            break;
        }
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push('\n'),
            _ if is_hidden(letter) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(letter));
            }
            _ => out.push(letter),
        }
    }
    out
}

/// Controls, marks of direction, what has no width, what is no character.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(letter, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
        || matches!(u32::from(letter) & 0xffff, 0xfffe | 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_are_text() {
        let hostile = "<script>alert('x')</script>&\"\u{202e}\0\u{1b}]0;\u{fffe}\u{200b}\r\n\u{e9}";
        let shown = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;\
            \\u{202e}\\u{0}\\u{1b}]0;\\u{fffe}\\u{200b}\\u{d}\n\u{e9}";
        assert_eq!(escape(hostile), shown);
        let long = escape(&"x".repeat(5_000));
        assert!(long.len() < 4_100 && long.ends_with("... (5000 bytes)"));
    }
}
