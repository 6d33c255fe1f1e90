//! Requirements in the text of the specification: an anchor for each, what stands behind it, and links from every mention.

use std::fmt::Write as _;

use super::book::Book;
use super::html::escape;
use super::page::relative;
use crate::trace::cited::{Cited, Place};

/// Text of a file as HTML, in which requirements are anchors where they are made and links where they are mentioned. The
/// ids of those that are made are added to `made`.
pub(super) fn text(book: &Book, file: &str, page: &str, text: &str, made: &mut Vec<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((front, id, behind)) = next(book, rest) {
        let cited = &book.requirements[id];
        let is_made = cited.file == file && front.ends_with('[') && behind.starts_with(']');
        if is_made && !made.iter().any(|known| known == id) {
            out.push_str(&escape(front.strip_suffix('[').unwrap_or(front)));
            out.push_str(&mark(cited));
            made.push(id.to_owned());
            rest = behind.strip_prefix(']').unwrap_or(behind);
        } else {
            out.push_str(&escape(front));
            out.push_str(&link(book, page, id));
            rest = behind;
        }
    }
    out + &escape(rest)
}

/// A link to a requirement, or its id where its file is no page.
pub(super) fn link(book: &Book, page: &str, id: &str) -> String {
    let to = book.requirements.get(id).and_then(|cited| book.pages.get(&cited.file));
    to.map_or_else(
        || escape(id),
        |to| {
            let to = if to == page { String::new() } else { relative(page, to) };
            format!("<a class=\"id\" href=\"{to}#{id}\">{id}</a>")
        },
    )
}

/// The next known id that stands as a whole word, with what stands before and behind it.
fn next<'a>(book: &Book, text: &'a str) -> Option<(&'a str, &'a str, &'a str)> {
    let is_part = |c: char| c == '-' || c.is_ascii_alphanumeric();
    text.match_indices('-').find_map(|(dash, _)| {
        let at = dash.checked_sub(3)?;
        let id = text.get(at..dash + 4)?;
        let (front, behind) = (text.get(..at)?, text.get(dash + 4..)?);
        let whole = !front.ends_with(is_part) && !behind.starts_with(is_part);
        (whole && book.requirements.contains_key(id)).then_some((front, id, behind))
    })
}

fn count(cited: &Cited) -> usize {
    let vectors: usize = cited.vectors.iter().map(|file| file.accepted + file.refused).sum();
    cited.code.len() + cited.tests.len() + cited.models.len() + vectors
}

/// The anchor, and the button that opens what stands behind it.
fn mark(cited: &Cited) -> String {
    let (id, count) = (&cited.id, count(cited));
    if count == 0 {
        return format!("<span class=\"req\"><a id=\"{id}\" href=\"#{id}\">{id}</a></span>");
    }
    format!(
        "<span class=\"req\"><a id=\"{id}\" href=\"#{id}\">{id}</a><button type=\"button\" popovertarget=\"of-{id}\" \
         aria-label=\"{id}: {count} places in code, tests, vectors and models\">{count}</button></span>"
    )
}

/// What the buttons of a page open.
pub(super) fn behind(book: &Book, made: &[String]) -> String {
    let all = made.iter().filter_map(|id| book.requirements.get(id)).filter(|cited| count(cited) > 0);
    all.map(|cited| one(book, cited)).collect()
}

fn one(book: &Book, cited: &Cited) -> String {
    let id = &cited.id;
    let mut out = format!(
        "<div popover id=\"of-{id}\" class=\"behind\" role=\"dialog\" aria-label=\"Behind {id}\">\n<p class=\"what\"><b>{id}</b> {}</p>\n",
        plain(&cited.text)
    );
    for (name, places) in [("Code", &cited.code), ("Tests", &cited.tests), ("Models", &cited.models)] {
        if !places.is_empty() {
            let _ = write!(out, "<p>{name}</p>\n<ul>\n");
            for place in places {
                out.push_str(&entry(book, place));
            }
            out.push_str("</ul>\n");
        }
    }
    if !cited.vectors.is_empty() {
        out.push_str("<p>Vectors</p>\n<ul>\n");
        for vectors in &cited.vectors {
            let href = book.in_repository(&vectors.file, None);
            let _ = writeln!(
                out,
                "<li><a href=\"{href}\">{}</a> <span>{} accepted, {} refused</span></li>",
                vectors.file, vectors.accepted, vectors.refused
            );
        }
        out.push_str("</ul>\n");
    }
    out + &format!(
        "<button type=\"button\" popovertarget=\"of-{id}\" popovertargetaction=\"hide\">Close</button>\n</div>\n"
    )
}

fn entry(book: &Book, place: &Place) -> String {
    let href = book.in_repository(&place.file, Some(place.line));
    let function = match place.function.as_str() {
        "" => String::new(),
        name => format!(" <span>{}</span>", escape(name)),
    };
    format!("<li><a href=\"{href}\">{}:{}</a>{function}</li>\n", escape(&place.file), place.line)
}

/// A sentence of the specification without its marks of Markdown.
pub(super) fn plain(text: &str) -> String {
    let mut out = escape(text);
    while let Some((front, rest)) = out.split_once("](") {
        let Some((name, (_, behind))) = front.rsplit_once('[').zip(rest.split_once(')')) else { break };
        out = format!("{}{}{behind}", name.0, name.1);
    }
    out.replace('`', "").replace("**", "")
}

/// All requirements, each with what it says and how much stands behind it.
pub(super) fn index(book: &Book, page: &str) -> String {
    let mut out = String::from(
        "<div class=\"scroll\" role=\"region\" aria-label=\"All requirements\"><table>\n<thead><tr><th>id</th><th>text</th><th>code</th><th>tests</th><th>vectors: accepted, refused</th><th>models</th></tr></thead>\n<tbody>\n",
    );
    for cited in book.requirements.values() {
        let sum =
            |of: fn(&crate::trace::cited::Vectors) -> usize| cited.vectors.iter().map(of).sum::<usize>();
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}, {}</td><td>{}</td></tr>",
            link(book, page, &cited.id),
            plain(&cited.text),
            cited.code.len(),
            cited.tests.len(),
            sum(|file| file.accepted),
            sum(|file| file.refused),
            cited.models.len(),
        );
    }
    out + "</tbody>\n</table></div>\n"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn book() -> Book {
        let place = Place { file: "codec/src/lib.rs".to_owned(), line: 3, function: "f".to_owned() };
        let cited = |id: &str, file: &str| Cited {
            id: id.to_owned(),
            file: file.to_owned(),
            text: "A side MUST `a` [b](c.md).".to_owned(),
            code: vec![place.clone()],
            tests: Vec::new(),
            vectors: Vec::new(),
            models: Vec::new(),
        };
        let requirements = [cited("FRM-001", "spec/a.md"), cited("HSK-001", "spec/b.md")];
        Book {
            pages: [("spec/a.md", "spec/a.html"), ("spec/b.md", "spec/b.html")]
                .map(|(file, page)| (file.to_owned(), page.to_owned()))
                .into(),
            titles: BTreeMap::new(),
            requirements: requirements
                .map(|cited| (cited.id.clone(), cited))
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
            repository: "https://example.org/x".to_owned(),
        }
    }

    #[test]
    fn an_id_is_an_anchor_once_and_a_link_elsewhere() {
        let (book, mut made) = (book(), Vec::new());
        let html = text(
            &book,
            "spec/a.md",
            "spec/a.html",
            "[FRM-001] a < b, see FRM-001, (HSK-001), XX-001 and NOT-001.",
            &mut made,
        );
        assert_eq!(html.matches("id=\"FRM-001\"").count(), 1, "{html}");
        assert!(html.contains("see <a class=\"id\" href=\"#FRM-001\">FRM-001</a>"), "{html}");
        assert!(
            html.contains("(<a class=\"id\" href=\"b.html#HSK-001\">HSK-001</a>), XX-001 and NOT-001."),
            "{html}"
        );
        assert!(html.contains(" a &lt; b"), "{html}");
        assert_eq!(made, ["FRM-001"]);
    }

    #[test]
    fn what_stands_behind_names_file_and_line() {
        let html = behind(&book(), &["FRM-001".to_owned()]);
        assert!(
            html.contains(
                "href=\"https://example.org/x/blob/main/codec/src/lib.rs#L3\">codec/src/lib.rs:3</a>"
            ),
            "{html}"
        );
        assert!(html.contains("A side MUST a b."), "{html}");
    }
}
