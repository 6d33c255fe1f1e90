//! From statements to a picture.

use std::fmt::Write as _;

use super::{Figure, Kind, Statement};

const LANE_WIDTH: usize = 250;
const MARGIN: usize = 20;
/// Characters in a line of a box of a lane.
const BOX_CHARS: usize = 37;
const LINE: usize = 16;
const NEST: usize = 18;

struct Picture {
    body: String,
    y: usize,
    width: usize,
    /// Where each lane begins to be drawn.
    lanes: Vec<usize>,
}

/// Draws a figure.
pub(super) fn svg(figure: &Figure) -> String {
    let lanes = figure.statements.iter().filter(|s| matches!(s, Statement::Lane(..))).count();
    let width = if lanes == 0 { 760 } else { 2 * MARGIN + lanes * LANE_WIDTH };
    let mut picture = Picture { body: String::new(), y: 56, width, lanes: Vec::new() };
    picture.text(MARGIN, 28, "title", "start", &figure.title);
    picture.nested(&figure.statements);
    for statement in &figure.statements {
        picture.statement(statement);
    }
    picture.finish()
}

fn centre(lane: usize) -> usize {
    MARGIN + lane * LANE_WIDTH + LANE_WIDTH / 2
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Lines of at most so many characters, broken between words.
fn wrapped(text: &str, chars: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= chars => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

impl Picture {
    fn text(&mut self, x: usize, y: usize, class: &str, anchor: &str, text: &str) {
        let text = escaped(text);
        let _ = writeln!(
            self.body,
            r#"<text x="{x}" y="{y}" class="{class}" text-anchor="{anchor}">{text}</text>"#
        );
    }

    fn rect(&mut self, (x, y): (usize, usize), (width, height): (usize, usize), class: &str) {
        let _ = writeln!(
            self.body,
            r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="5" class="{class}"/>"#
        );
    }

    fn line(&mut self, (x1, y1): (usize, usize), (x2, y2): (usize, usize), class: &str) {
        let _ = writeln!(self.body, r#"<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" class="{class}"/>"#);
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Lane(_, name) => {
                let lane = self.lanes.len();
                self.rect((centre(lane) - 80, 44), (160, 28), "lane");
                self.text(centre(lane), 63, "head", "middle", name);
                self.lanes.push(centre(lane));
                self.y = 96;
            }
            Statement::Arrow { from, to, text, lost } => self.arrow(centre(*from), centre(*to), text, *lost),
            Statement::Box { lane, kind, text } => {
                let class = match kind {
                    Kind::Keeps => "keeps",
                    Kind::User => "user",
                    Kind::Does => "does",
                };
                let lines = wrapped(text, BOX_CHARS);
                let height = lines.len() * LINE + 10;
                self.rect((centre(*lane) - 115, self.y), (230, height), class);
                for (at, line) in lines.iter().enumerate() {
                    self.text(centre(*lane), self.y + 17 + at * LINE, "small", "middle", line);
                }
                self.y += height + 12;
            }
            Statement::Part(text) => {
                self.y += 10;
                self.line((MARGIN, self.y), (self.width - MARGIN, self.y), "part");
                self.text(MARGIN, self.y + 18, "head", "start", text);
                self.y += 34;
            }
            Statement::Nested(..) | Statement::Remark(_) => {}
        }
    }

    fn arrow(&mut self, from: usize, to: usize, text: &str, lost: bool) {
        let (left, right) = (from.min(to), from.max(to));
        let lines = wrapped(text, (right - left) / 7);
        for (at, line) in lines.iter().enumerate() {
            self.text(left.midpoint(right), self.y + 8 + at * LINE, "label", "middle", line);
        }
        let y = self.y + lines.len() * LINE;
        let end = match (lost, to > from) {
            (false, _) => to,
            (true, true) => to - LANE_WIDTH / 3,
            (true, false) => to + LANE_WIDTH / 3,
        };
        self.line((from, y), (end, y), if lost { "lost" } else { "arrow" });
        if lost {
            self.text(end, y + 5, "cross", "middle", "\u{d7}");
        }
        self.y = y + 20;
    }

    /// Boxes inside one another, from the outermost.
    fn nested(&mut self, statements: &[Statement]) {
        let is_box = |s: &&Statement| matches!(s, Statement::Nested(..) | Statement::Remark(_));
        let rows: Vec<&Statement> = statements.iter().filter(is_box).collect();
        let depth = rows.iter().filter(|s| matches!(s, Statement::Nested(..))).count();
        let height = |from: usize| {
            let rest = rows.iter().skip(from);
            let lines: usize =
                rest.clone().map(|s| if matches!(s, Statement::Nested(..)) { 34 } else { 18 }).sum();
            lines + rest.filter(|s| matches!(s, Statement::Nested(..))).count() * 10
        };
        let mut level = 0;
        for (at, row) in rows.iter().enumerate() {
            let x = MARGIN + level * NEST;
            match row {
                Statement::Nested(name, text) => {
                    let class = if level % 2 == 0 { "even" } else { "odd" };
                    self.rect((x, self.y), (self.width - 2 * x, height(at)), class);
                    self.text(x + 12, self.y + 22, "head", "start", name);
                    self.text(x + 190, self.y + 22, "small", "start", text);
                    level += 1;
                    self.y += 34;
                }
                Statement::Remark(text) => {
                    self.text(x + 12, self.y + 8, "small", "start", text);
                    self.y += 18;
                }
                _ => {}
            }
        }
        self.y += depth * 10;
    }

    fn finish(self) -> String {
        let Self { body, y, width, lanes } = self;
        let mut lines = String::new();
        for x in lanes {
            let _ = writeln!(lines, r#"<line x1="{x}" y1="72" x2="{x}" y2="{y}" class="life"/>"#);
        }
        let height = y + MARGIN;
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="sans-serif">
<style>
text {{ fill: #1a1a1a }}
.title {{ font-size: 17px; font-weight: bold }}
.head {{ font-size: 13px; font-weight: bold }}
.small, .label {{ font-size: 12px }}
.label {{ paint-order: stroke; stroke: #fff; stroke-width: 5px }}
.cross {{ font-size: 18px; fill: #b00020 }}
rect {{ stroke: #555; fill: #fff }}
.lane {{ fill: #e8e8e8 }}
.keeps {{ fill: #fff3c4 }}
.user {{ fill: #d6ebff }}
.does {{ fill: #f4f4f4 }}
.even {{ fill: #eef4fb }}
.odd {{ fill: #fff }}
.life {{ stroke: #999; stroke-dasharray: 3 4 }}
.part {{ stroke: #555 }}
.arrow {{ stroke: #1a1a1a; marker-end: url(#tip) }}
.lost {{ stroke: #b00020; stroke-dasharray: 5 3 }}
</style>
<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 L10 5 L0 10 z" fill="#1a1a1a"/></marker></defs>
<rect x="0" y="0" width="{width}" height="{height}" style="fill:#fff;stroke:none"/>
{lines}{body}</svg>
"##
        )
    }
}
