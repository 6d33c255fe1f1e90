//! What the search box knows: pages, headings and requirements.

use serde_json::{Value, json};

use super::book::Book;
use super::page::Chapter;
use super::requirements::plain;

/// The file, a script that is loaded when somebody searches: a page that is a file may not fetch another one.
pub(super) const FILE: &str = "search-index.js";
/// So many letters of a requirement are shown.
const TEXT_MAX: usize = 110;

/// Entries of address, name and what is said beside it.
pub(super) fn index(book: &Book, chapters: &[Chapter]) -> String {
    let mut entries: Vec<Value> = Vec::new();
    for chapter in chapters {
        for page in &chapter.pages {
            entries.push(json!([page.path, page.title, chapter.name]));
            let headings = page.headings.iter();
            entries.extend(headings.map(|heading| {
                json!([format!("{}#{}", page.path, heading.anchor), heading.text, page.title])
            }));
        }
    }
    for cited in book.requirements.values() {
        let Some(page) = book.pages.get(&cited.file) else { continue };
        let text = html_to_text(&plain(&cited.text));
        let short: String = text.chars().take(TEXT_MAX).collect();
        let more = if short.len() < text.len() { "…" } else { "" };
        entries.push(json!([format!("{page}#{}", cited.id), cited.id, format!("{short}{more}")]));
    }
    format!("self.handfastIndex = {};\n", Value::from(entries))
}

fn html_to_text(html: &str) -> String {
    html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
