//! The figures of the specification inside a page, in the colours of the page.

use super::html::escape;
use crate::workspace;

/// Where the figures lie.
const FOLDER: &str = "spec/figures";

/// The figure that a link names, as HTML; none if it names none.
///
/// The sheet of the site has the colours of the classes, for light and dark; the figure's own sheet and ground stay out.
pub(super) fn inline(link: &str, alt: &str) -> Option<String> {
    let name = link.rsplit('/').next()?.strip_suffix(".svg")?;
    let text = std::fs::read_to_string(workspace::root().join(FOLDER).join(format!("{name}.svg"))).ok()?;
    let (head, rest) = text.split_once("<style>")?;
    let (_, rest) = rest.split_once("</style>")?;
    let ground = rest.lines().find(|line| line.contains("stroke:none"))?;
    let head = head.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{}\" ", escape(alt)), 1);
    let head = head.replace(" font-family=\"sans-serif\"", "");
    let rest = rest.replace(&format!("{ground}\n"), "").replace("fill=\"#1a1a1a\"", "class=\"tip\"");
    // A page has several figures, and an id is there once.
    let rest = rest.replace("id=\"tip\"", &format!("id=\"tip-{name}\""));
    let rest = rest.replace("class=\"arrow", &format!("marker-end=\"url(#tip-{name})\" class=\"arrow"));
    Some(format!(
        "<figure class=\"figure {name}\"><div class=\"scroll\" role=\"region\" aria-label=\"{0}\">{head}{rest}</div><figcaption>{0}</figcaption></figure>\n",
        escape(alt)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_has_no_colours_of_its_own() {
        for name in ["layers", "pairing", "reconnect", "subscription"] {
            let html = inline(&format!("figures/{name}.svg"), "A & B").unwrap();
            assert!(!html.contains("<style") && !html.contains("style=") && !html.contains("\"#"), "{html}");
            assert!(
                html.contains("aria-label=\"A &amp; B\"") && html.contains(&format!("tip-{name}")),
                "{html}"
            );
        }
        assert!(inline("figures/none.svg", "x").is_none() && inline("a.png", "x").is_none());
    }
}
