//! Text for HTML, anchors, titles and the ends of file names.

/// Text as it stands in HTML, between tags and in quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// The anchor of a heading, as the usual viewers of Markdown make it, so that links that work there work here.
pub(super) fn anchor(text: &str) -> String {
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// What stands behind the last dot of a file's name.
pub(super) fn ending(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, ending)| ending)
}

/// A heading of a file as the title of its page.
pub(super) fn title(heading: &str) -> String {
    heading.replace(" (not normative)", "").replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_markup() {
        assert_eq!(escape("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }

    #[test]
    fn anchors_are_those_of_other_viewers() {
        assert_eq!(anchor("Split, and the keys of the link"), "split-and-the-keys-of-the-link");
        assert_eq!(anchor("LINK_CERT: one record"), "link_cert-one-record");
    }
}
