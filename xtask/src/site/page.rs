//! A page of the site, and the frame around it.

use std::fmt::Write as _;

use super::html::escape;

/// What stands around every page.
const FRAME: &str = include_str!("frame.html");
/// The entries of the main navigation: address from the root, name, folder of the pages below it.
const PARTS: [(&str, &str); 6] = [
    ("index.html", "Overview"),
    ("spec/index.html", "Specification"),
    ("spec/example.html", "Example"),
    ("manual/index.html", "Manual"),
    ("reports/index.html", "Reports"),
    ("spec/glossary.html", "Glossary"),
];

/// A heading with its anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heading {
    pub(super) level: u8,
    pub(super) anchor: String,
    pub(super) text: String,
}

/// One page.
#[derive(Debug)]
pub(super) struct Page {
    /// Where it lies, from the root of the site.
    pub(super) path: String,
    pub(super) title: String,
    /// What stands between the navigation and the foot.
    pub(super) body: String,
    pub(super) headings: Vec<Heading>,
    /// Scripts that only this page needs, from the root of the site.
    pub(super) scripts: Vec<&'static str>,
}

/// The pages that follow one another, with the name of what they make together.
#[derive(Debug)]
pub(super) struct Chapter {
    pub(super) name: &'static str,
    pub(super) pages: Vec<Page>,
}

impl Page {
    /// The way from this page's folder to the root.
    fn up(&self) -> String {
        "../".repeat(self.path.matches('/').count())
    }

    /// The entry of the main navigation that this page belongs to: its own, or that of its folder.
    fn part(&self) -> &'static str {
        let own = PARTS.iter().find(|(path, _)| *path == self.path);
        let folder = self.path.split_once('/').map_or("", |(folder, _)| folder);
        let of_folder = || PARTS.iter().find(|(path, _)| *path == format!("{folder}/index.html"));
        own.or_else(of_folder).map_or("", |(path, _)| *path)
    }
}

impl Chapter {
    /// The whole text of the page at `index`, with what leads from it to the others.
    /// `repository` is where the sources can be read.
    pub(super) fn whole(&self, index: usize, repository: &str) -> String {
        let page = &self.pages[index];
        let up = page.up();
        let scripts = page.scripts.iter().fold(String::new(), |mut out, script| {
            let _ = writeln!(out, "<script src=\"{up}{script}\" defer></script>");
            out
        });
        let values = [
            ("title", escape(&page.title)),
            ("scripts", scripts),
            ("parts", parts(page, &up)),
            ("shape", if self.pages.len() > 1 { "wide" } else { "single" }.to_owned()),
            ("side", if self.pages.len() > 1 { self.side(index) } else { String::new() }),
            ("body", page.body.clone()),
            ("turn", self.turn(index)),
            // Last, since the others have it, too.
            ("up", up.clone()),
            ("repository", repository.to_owned()),
        ];
        values
            .iter()
            .fold(FRAME.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
    }

    /// The pages of the chapter, and below the one that is shown its headings.
    fn side(&self, index: usize) -> String {
        let mut out = format!(
            "<button type=\"button\" class=\"contents\" popovertarget=\"side\">Contents</button>\n\
             <nav id=\"side\" class=\"side\" popover aria-label=\"Pages of this part\">\n<p class=\"chapter\">{}</p>\n<ol>\n",
            escape(self.name)
        );
        for (at, page) in self.pages.iter().enumerate() {
            let current = if at == index { " aria-current=\"page\"" } else { "" };
            let href = relative(&self.pages[index].path, &page.path);
            let _ = write!(out, "<li><a href=\"{href}\"{current}>{}</a>", escape(&page.title));
            let headings = page.headings.iter().filter(|heading| heading.level == 2);
            if at == index && headings.clone().count() > 1 {
                out.push_str("\n<ol>\n");
                for heading in headings {
                    let _ = writeln!(
                        out,
                        "<li><a href=\"#{}\">{}</a></li>",
                        heading.anchor,
                        escape(&heading.text)
                    );
                }
                out.push_str("</ol>\n");
            }
            out.push_str("</li>\n");
        }
        out + "</ol>\n</nav>\n"
    }

    /// What leads to the page before and the one behind.
    fn turn(&self, index: usize) -> String {
        let link = |page: Option<&Page>, rel: &str, word: &str| {
            page.map_or_else(String::new, |page| {
                let href = relative(&self.pages[index].path, &page.path);
                let title = escape(&page.title);
                format!("<a rel=\"{rel}\" class=\"{rel}\" href=\"{href}\"><span>{word}</span> {title}</a>")
            })
        };
        let before = index.checked_sub(1).and_then(|at| self.pages.get(at));
        let behind = self.pages.get(index + 1);
        if before.is_none() && behind.is_none() {
            return String::new();
        }
        format!(
            "<nav class=\"turn\" aria-label=\"Previous and next page\">{}{}</nav>",
            link(before, "prev", "Previous"),
            link(behind, "next", "Next")
        )
    }
}

fn parts(page: &Page, up: &str) -> String {
    let current = page.part();
    let link = |(path, name): &(&str, &str)| {
        let mark = match (*path == page.path, *path == current) {
            (true, _) => " aria-current=\"page\"",
            (false, true) => " aria-current=\"true\"",
            _ => "",
        };
        format!("<li><a href=\"{up}{path}\"{mark}>{name}</a></li>\n")
    };
    PARTS.iter().map(link).collect()
}

/// The address of a page as a link from another one has it.
pub(super) fn relative(from: &str, to: &str) -> String {
    let folder = |path: &str| path.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
    let (own, other) = (folder(from), folder(to));
    if own == other {
        return to.rsplit('/').next().unwrap_or(to).to_owned();
    }
    format!("{}{to}", "../".repeat(from.matches('/').count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(path: &str) -> Page {
        let heading = |text: &str| Heading { level: 2, anchor: text.to_owned(), text: text.to_owned() };
        Page {
            path: path.to_owned(),
            title: format!("<{path}>"),
            body: "<p>BODY</p>".to_owned(),
            headings: vec![heading("one"), heading("two")],
            scripts: vec!["a.js"],
        }
    }

    #[test]
    fn links_lead_from_folder_to_folder() {
        assert_eq!(relative("index.html", "spec/a.html"), "spec/a.html");
        assert_eq!(relative("spec/a.html", "spec/b.html"), "b.html");
        assert_eq!(relative("spec/a.html", "index.html"), "../index.html");
        assert_eq!(relative("spec/a.html", "manual/b.html"), "../manual/b.html");
    }

    #[test]
    fn a_page_leads_to_its_neighbours_and_shows_where_it_stands() {
        let chapter = Chapter {
            name: "Part",
            pages: ["spec/index.html", "spec/b.html", "spec/c.html"].map(page).into(),
        };
        let text = chapter.whole(1, "https://example.org/x");
        assert!(
            text.contains("class=\"prev\" href=\"index.html\"")
                && text.contains("class=\"next\" href=\"c.html\"")
        );
        assert!(text.contains("<li><a href=\"#one\">one</a></li>"));
        assert!(text.contains("<script src=\"../a.js\" defer>") && text.contains("<p>BODY</p>"));
        assert!(text.contains("href=\"../spec/index.html\" aria-current=\"true\""));
        assert!(!text.contains("{{"), "{text}");
        assert!(
            !chapter.whole(0, "").contains("class=\"prev\"")
                && !chapter.whole(2, "").contains("class=\"next\"")
        );
    }
}
