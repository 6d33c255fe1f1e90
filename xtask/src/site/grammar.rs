//! The collected grammar as a page: an anchor for each definition, and links from where it is used.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::html::escape;
use super::page::Heading;

/// The body of the page, and its definitions as headings.
pub(super) fn page(text: &str) -> (String, Vec<Heading>) {
    let names: BTreeSet<&str> = text.lines().filter_map(defined).collect();
    let mut out = String::from(
        "<h1>Collected grammar</h1>\n<p>Every layout of the text, as one file for people and programs. The reference's second \
         decoder reads all vectors by it, and so does the <a href=\"example.html\">worked example</a> in the browser.</p>\n<pre class=\"grammar\"><code>",
    );
    let mut in_comment = false;
    for line in text.lines() {
        let own = defined(line);
        in_comment |= line.trim_start().starts_with("/*");
        if in_comment {
            let _ = write!(out, "<span class=\"note\">{}</span>", escape(line));
        } else {
            let (code, note) = line.find("/*").map_or((line, ""), |at| line.split_at(at));
            out.push_str(&linked(code, &names, own));
            if !note.is_empty() {
                let _ = write!(out, "<span class=\"note\">{}</span>", escape(note));
            }
        }
        in_comment &= !line.trim_end().ends_with("*/");
        out.push('\n');
    }
    out.push_str("</code></pre>\n");
    let headings = names.iter().map(|name| Heading {
        level: 3,
        anchor: format!("def-{name}"),
        text: (*name).to_owned(),
    });
    (out, headings.collect())
}

/// The name that a line ends the definition of.
fn defined(line: &str) -> Option<&str> {
    let rest = line.strip_suffix(';')?;
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
    };
    if let Some((_, name)) = rest.rsplit_once("} ") {
        let starts = rest.starts_with('}')
            || ["struct ", "tlv ", "select ", "enum "].iter().any(|word| rest.starts_with(word));
        return Some(name.trim()).filter(|name| starts && is_name(name));
    }
    // `T Name[0..9]` and `T Name padded ..` are whole messages.
    let (kind, rest) = rest.split_once(' ')?;
    let name = rest.split(['[', ' ']).next()?;
    (is_name(kind) && is_name(name)).then_some(name)
}

/// A line in which names lead to their definitions, and the one that it defines is an anchor.
fn linked(code: &str, names: &BTreeSet<&str>, own: Option<&str>) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (mut out, mut rest) = (String::new(), code);
    while let Some(at) = rest.find(is_part) {
        let (front, tail) = rest.split_at(at);
        let (word, behind) = tail.split_at(tail.find(|c| !is_part(c)).unwrap_or(tail.len()));
        out.push_str(&escape(front));
        if own == Some(word) {
            let _ = write!(out, "<b id=\"def-{word}\">{word}</b>");
        } else if names.contains(word) {
            let _ = write!(out, "<a href=\"#def-{word}\">{word}</a>");
        } else {
            out.push_str(word);
        }
        rest = behind;
    }
    out + &escape(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_anchors_and_uses_are_links() {
        let text = "/* A note\n * of A */\nstruct { uint8 x; } A;\n\ntlv {\n    1: A a;  /* an A */\n} B_1;\n\nA Whole[0..9];\nB_1 Other padded 1..2;\n";
        let (html, headings) = page(text);
        let names: Vec<_> = headings.iter().map(|heading| heading.text.as_str()).collect();
        assert_eq!(names, ["A", "B_1", "Other", "Whole"]);
        assert!(
            html.contains("<b id=\"def-A\">A</b>;") && html.contains("1: <a href=\"#def-A\">A</a> a;"),
            "{html}"
        );
        assert!(html.contains("<a href=\"#def-B_1\">B_1</a> <b id=\"def-Other\">Other</b> padded"), "{html}");
        assert!(html.contains("<span class=\"note\"> * of A */</span>"), "{html}");
    }
}
