//! Markdown as the body of a page.

use pulldown_cmark::{
    BrokenLink, CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, TextMergeStream,
    html as to_html,
};

use super::book::{Book, INDEX, MODULES};
use super::html::{anchor, escape};
use super::page::Heading;
use super::{figure, requirements};
use crate::trace::cited::ids;

/// What the address of a link is that only the documentation of the crates can resolve.
const UNRESOLVED: &str = "unresolved";

/// A file that becomes a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    /// The file, from the root of the workspace.
    pub(super) file: &'a str,
    /// The page, from the root of the site.
    pub(super) page: &'a str,
    pub(super) text: &'a str,
    /// Makes HTML of a block of code, from what stands behind its fence and its text; none leaves it as it is.
    pub(super) code: fn(&str, &str) -> Option<String>,
}

/// What becomes of a file.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    pub(super) title: String,
    pub(super) body: String,
    pub(super) headings: Vec<Heading>,
}

/// Makes HTML of a file.
pub(super) fn render(book: &Book, source: Source<'_>) -> Rendered {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    // What stands in brackets is a requirement, or else a name for the documentation of the crates.
    let unresolved = |link: BrokenLink<'_>| {
        let is_name = ids(&link.reference).next().is_none();
        let module = format!("crate::manual::{}", link.reference.trim_matches('`'));
        let is_module = source.file == INDEX && book.address(source.file, source.page, &module).is_some();
        let to = if is_module { CowStr::from(module) } else { CowStr::from(UNRESOLVED) };
        is_name.then(|| (to, CowStr::from("")))
    };
    let parser = Parser::new_with_broken_link_callback(source.text, options, Some(unresolved));
    let mut writer = Writer::new(book, source);
    TextMergeStream::new(parser).for_each(|event| writer.event(event));
    writer.finish()
}

/// What collects text in place of the page.
enum Inside<'a> {
    Nothing,
    Heading(u8, Vec<Event<'a>>, String),
    Code(String, String),
    Image(String, String),
}

struct Writer<'a> {
    book: &'a Book,
    source: Source<'a>,
    events: Vec<Event<'a>>,
    headings: Vec<Heading>,
    title: String,
    inside: Inside<'a>,
    /// For each open link, whether it is one on the page.
    links: Vec<bool>,
    /// What stands in place of a file's name in the text of the link that is open.
    link_title: Option<&'a str>,
    /// A figure took the place of a paragraph that is still open in the Markdown.
    took_paragraph: bool,
    made: Vec<String>,
    tables: usize,
}

impl<'a> Writer<'a> {
    fn new(book: &'a Book, source: Source<'a>) -> Self {
        Self {
            book,
            source,
            events: Vec::new(),
            headings: Vec::new(),
            title: String::new(),
            inside: Inside::Nothing,
            links: Vec::new(),
            link_title: None,
            took_paragraph: false,
            made: Vec::new(),
            tables: 0,
        }
    }

    fn html(&mut self, text: String) {
        self.events.push(Event::Html(text.into()));
    }

    fn event(&mut self, event: Event<'a>) {
        match (&mut self.inside, event) {
            (Inside::Heading(..), Event::End(TagEnd::Heading(_))) => self.end_heading(),
            (Inside::Heading(_, events, plain), event) => {
                if let Event::Text(text) | Event::Code(text) = &event {
                    plain.push_str(text);
                }
                if !matches!(event, Event::Start(Tag::Link { .. }) | Event::End(TagEnd::Link)) {
                    events.push(event);
                }
            }
            (Inside::Code(..), Event::End(TagEnd::CodeBlock)) => self.end_code(),
            (Inside::Code(_, code), Event::Text(text)) => code.push_str(&text),
            (Inside::Image(..), Event::End(TagEnd::Image)) => self.end_image(),
            (Inside::Image(_, alt), Event::Text(text) | Event::Code(text)) => alt.push_str(&text),
            (Inside::Code(..) | Inside::Image(..), _) => {}
            (Inside::Nothing, event) => self.plain(event),
        }
    }

    fn plain(&mut self, event: Event<'a>) {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                self.inside = Inside::Heading(number(level), Vec::new(), String::new());
            }
            Event::Start(Tag::CodeBlock(kind)) => {
                let info =
                    if let CodeBlockKind::Fenced(info) = kind { info.to_string() } else { String::new() };
                self.inside = Inside::Code(info, String::new());
            }
            Event::Start(Tag::Image { dest_url, .. }) => {
                self.inside = Inside::Image(dest_url.to_string(), String::new());
            }
            Event::Start(Tag::Link { dest_url, title, .. }) => self.start_link(&dest_url, &title),
            Event::End(TagEnd::Link) => {
                if self.links.pop() == Some(true) {
                    self.html("</a>".to_owned());
                }
            }
            Event::Start(Tag::Table(alignments)) => {
                self.tables += 1;
                let number = self.tables;
                self.html(format!("<div class=\"scroll\" role=\"region\" aria-label=\"Table {number}\">"));
                self.events.push(Event::Start(Tag::Table(alignments)));
            }
            Event::End(TagEnd::Table) => {
                self.events.push(Event::End(TagEnd::Table));
                self.html("</div>".to_owned());
            }
            Event::End(TagEnd::Paragraph) if std::mem::take(&mut self.took_paragraph) => {}
            Event::Text(text) if self.links.is_empty() => {
                let Source { file, page, .. } = self.source;
                let text = requirements::text(self.book, file, page, &text, &mut self.made);
                self.events.push(Event::InlineHtml(text.into()));
            }
            Event::Text(text) if is_file_name(&text) => {
                let title = self.link_title.map_or(text, CowStr::from);
                self.events.push(Event::Text(title));
            }
            event => self.events.push(event),
        }
    }

    fn start_link(&mut self, link: &str, title: &str) {
        let address = self.book.address(self.source.file, self.source.page, link);
        let address = address.filter(|_| link != UNRESOLVED);
        self.links.push(address.is_some());
        self.link_title = self.book.title(self.source.file, link);
        if let Some(address) = address {
            let title =
                if title.is_empty() { String::new() } else { format!(" title=\"{}\"", escape(title)) };
            self.events.push(Event::InlineHtml(format!("<a href=\"{}\"{title}>", escape(&address)).into()));
        }
    }

    fn end_heading(&mut self) {
        let Inside::Heading(level, events, text) = std::mem::replace(&mut self.inside, Inside::Nothing)
        else {
            return;
        };
        if level == 1 && self.title.is_empty() {
            self.title.clone_from(&text);
            self.html("<h1>".to_owned());
            self.events.extend(events);
            self.html("</h1>\n".to_owned());
            return;
        }
        let mut anchor = anchor(&text);
        let taken = |name: &str| self.headings.iter().any(|heading| heading.anchor == name);
        let mut number = 0;
        let first = anchor.clone();
        while taken(&anchor) {
            number += 1;
            anchor = format!("{first}-{number}");
        }
        self.html(format!("<h{level} id=\"{anchor}\">"));
        self.events.extend(events);
        self.html(format!(
            "<a class=\"anchor\" href=\"#{anchor}\" aria-label=\"Link to: {}\">#</a></h{level}>\n",
            escape(&text)
        ));
        self.headings.push(Heading { level, anchor, text });
    }

    fn end_code(&mut self) {
        let Inside::Code(info, code) = std::mem::replace(&mut self.inside, Inside::Nothing) else { return };
        let made = (self.source.code)(&info, &code);
        let html = made.unwrap_or_else(|| {
            format!("<pre><code>{}</code></pre>\n", escape(&shown(self.source.file, &info, &code)))
        });
        self.html(html);
    }

    fn end_image(&mut self) {
        let Inside::Image(link, alt) = std::mem::replace(&mut self.inside, Inside::Nothing) else { return };
        if let Some(svg) = figure::inline(&link, &alt) {
            if matches!(self.events.last(), Some(Event::Start(Tag::Paragraph))) {
                let _ = self.events.pop();
                self.took_paragraph = true;
            }
            self.html(svg);
        } else if let Some(address) = self.book.address(self.source.file, self.source.page, &link) {
            self.html(format!("<a href=\"{}\">{}</a>", escape(&address), escape(&alt)));
        }
    }

    fn finish(self) -> Rendered {
        let mut body = String::new();
        to_html::push_html(&mut body, self.events.into_iter());
        // The corner of a table with heads on two sides heads nothing.
        body = body.replace("<th></th>", "<td></td>");
        body.push_str(&requirements::behind(self.book, &self.made));
        Rendered { title: self.title, body, headings: self.headings }
    }
}

/// Whether the text of a link is a file's name, for which the page's title says more.
fn is_file_name(text: &str) -> bool {
    !text.contains(' ') && [".md", ".tls"].iter().any(|end| text.ends_with(end))
}

/// Code as the documentation of a crate shows it: without the lines that are there for its tests alone. There, code
/// without a language is Rust.
fn shown(file: &str, info: &str, code: &str) -> String {
    let is_documentation = file == INDEX || file.starts_with(MODULES);
    let is_rust = info.starts_with("rust") || is_documentation && ["", "no_run"].contains(&info);
    if !is_rust {
        return code.to_owned();
    }
    let is_shown = |line: &&str| !matches!(line.trim_start().as_bytes(), [b'#'] | [b'#', b' ', ..]);
    code.lines().filter(is_shown).fold(String::new(), |text, line| text + line + "\n")
}

const fn number(level: HeadingLevel) -> u8 {
    level as u8
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn rendered(text: &str) -> Rendered {
        let book = Book {
            pages: BTreeMap::from([("spec/b.md".to_owned(), "spec/b.html".to_owned())]),
            titles: BTreeMap::from([("spec/b.md".to_owned(), "The letter B".to_owned())]),
            requirements: BTreeMap::new(),
            repository: "https://example.org/x".to_owned(),
        };
        render(&book, Source { file: "spec/a.md", page: "spec/a.html", text, code: |_, _| None })
    }

    #[test]
    fn headings_are_anchors_of_their_own() {
        let page = rendered("# Title `x`\n\n## A\n\n## A\n\n### [B](b.md)\n");
        assert_eq!(page.title, "Title x");
        let anchors: Vec<_> = page.headings.iter().map(|heading| heading.anchor.as_str()).collect();
        assert_eq!(anchors, ["a", "a-1", "b"]);
        assert!(page.body.contains("<h1>Title <code>x</code></h1>"), "{}", page.body);
    }

    #[test]
    fn links_and_code_of_the_crates_are_shown_as_text() {
        let page = rendered(
            "[one](b.md#x) [`Host`] [two](crate::host) [three](c.md)\n\n```rust\n  # hidden\nlet a = 1 < 2;\n```\n",
        );
        assert!(page.body.contains("<a href=\"b.html#x\">one</a> <code>Host</code> two "), "{}", page.body);
        assert!(rendered("[FRM-020] A side.").body.contains("[FRM-020] A side."));
        assert!(page.body.contains("https://example.org/x/blob/main/spec/c.md"), "{}", page.body);
        assert!(page.body.contains("<pre><code>let a = 1 &lt; 2;\n</code></pre>"), "{}", page.body);
    }

    #[test]
    fn a_link_is_called_what_its_page_is() {
        let page = rendered("[b.md](b.md#x), [c.md](c.md), [here](b.md)");
        assert!(page.body.contains("<a href=\"b.html#x\">The letter B</a>, "), "{}", page.body);
        assert!(page.body.contains(">c.md</a>") && page.body.contains(">here</a>"), "{}", page.body);
    }

    #[test]
    fn a_table_scrolls_by_itself() {
        let page = rendered("| a | b |\n|---|---|\n| 1 | [x] |\n");
        assert!(
            page.body.contains("<div class=\"scroll\" role=\"region\" aria-label=\"Table 1\"><table>"),
            "{}",
            page.body
        );
    }
}
