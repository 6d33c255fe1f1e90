//! Plain text for a terminal: columns, ages, sizes, answers.

use std::fmt::Write as _;
use std::io::{self, Write as _};

/// Returns how long ago a time was: `just now`, `5 min ago`, `3 h ago` or `2 days ago`. Both times are in
/// milliseconds.
#[must_use]
pub fn ago(then_ms: u64, now_ms: u64) -> String {
    let minutes = now_ms.saturating_sub(then_ms) / 60_000;
    match minutes {
        0 => "just now".to_owned(),
        1..=59 => format!("{minutes} min ago"),
        60..=2_879 => format!("{} h ago", minutes / 60),
        _ => format!("{} days ago", minutes / 1_440),
    }
}

/// Formats rows in columns. The first row is the heading. Only the last column may have several lines; each
/// of these is indented below the first, so that none looks like a row. Each line ends with a line feed.
#[must_use]
pub fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            // Writing to a string cannot fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        let indent = widths.iter().take(N.saturating_sub(1)).map(|width| width.saturating_add(2)).sum();
        for (number, line) in line.trim_end().split('\n').enumerate() {
            let indent = if number == 0 { 0 } else { indent };
            let _ = writeln!(out, "{:indent$}{line}", "");
        }
    }
    out
}

/// Returns a number of bytes in a readable unit.
#[must_use]
pub fn size(bytes: u64) -> String {
    match bytes {
        0..=1_023 => format!("{bytes} bytes"),
        1_024..=1_048_575 => format!("{} KiB", bytes / 1_024),
        _ => format!("{}.{} MiB", bytes / 1_048_576, bytes % 1_048_576 * 10 / 1_048_576),
    }
}

/// Returns whether an answer means yes or no; `None` when it is neither.
#[must_use]
pub fn yes_or_no(answer: &str) -> Option<bool> {
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Some(true),
        "n" | "no" => Some(false),
        _ => None,
    }
}

/// Prints text and flushes it. If the text does not end with a line feed, one is added.
///
/// # Errors
/// The stream's error, most often because the reader has closed its end.
pub fn print_words(words: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(words.as_bytes())?;
    if !words.ends_with(['\n', ' ']) {
        out.write_all(b"\n")?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_within_a_cell_never_looks_like_a_row() {
        let rows = [
            ["ID", "TEXT"],
            [
                "4",
                "one
5  you: two",
            ],
            ["6", "x"],
        ]
        .map(|row| row.map(str::to_owned));
        assert_eq!(
            columns(&rows),
            "ID  TEXT
4   one
    5  you: two
6   x
"
        );
    }

    #[test]
    fn ages_and_sizes_have_their_steps() {
        let minute = 60_000;
        for (age, told) in [
            (0, "just now"),
            (minute - 1, "just now"),
            (minute, "1 min ago"),
            (60 * minute, "1 h ago"),
            (47 * 60 * minute, "47 h ago"),
            (48 * 60 * minute, "2 days ago"),
        ] {
            assert_eq!(ago(1_000, 1_000 + age), told);
        }
        assert_eq!(ago(5, 0), "just now", "a clock that was set back");
        assert_eq!(
            (size(1_023), size(1_024), size(1_572_864)),
            ("1023 bytes".into(), "1 KiB".into(), "1.5 MiB".into())
        );
    }

    #[test]
    fn columns_line_up_and_answers_are_read() {
        let rows = [["A".to_owned(), "B".to_owned()], ["äöü".to_owned(), "x".to_owned()]];
        assert_eq!(columns(&rows), "A    B\näöü  x\n");
        assert_eq!((yes_or_no(" Yes\n"), yes_or_no("n"), yes_or_no("")), (Some(true), Some(false), None));
    }
}
