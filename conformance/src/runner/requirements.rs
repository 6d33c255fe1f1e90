//! The requirements of the specification, whose texts the reports show.

/// The files that have requirements, in the order of the specification.
const TEXTS: &[&str] = &[
    include_str!("../../spec/conventions.md"),
    include_str!("../../spec/qr.md"),
    include_str!("../../spec/relay.md"),
    include_str!("../../spec/handshake.md"),
    include_str!("../../spec/certificates.md"),
    include_str!("../../spec/records.md"),
    include_str!("../../spec/frames.md"),
    include_str!("../../spec/delivery.md"),
    include_str!("../../spec/streams.md"),
    include_str!("../../spec/messages.md"),
    include_str!("../../spec/timers.md"),
    include_str!("../../spec/errors.md"),
    include_str!("../../spec/limits.md"),
    include_str!("../../spec/registries.md"),
    include_str!("../../spec/security.md"),
];

/// A section and its requirements, in their order.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) requirements: Vec<Requirement>,
}

pub(super) struct Requirement {
    pub(super) id: &'static str,
    pub(super) text: &'static str,
}

/// All sections that have requirements.
pub(super) fn sections() -> Vec<Section> {
    let sections = TEXTS.iter().map(|text| Section {
        title: text.lines().next().unwrap_or_default().trim_start_matches(['#', ' ']),
        requirements: text.lines().flat_map(in_line).collect(),
    });
    sections.filter(|section| !section.requirements.is_empty()).collect()
}

/// Where `[FRM-012] ` stands in a text.
fn find(text: &str) -> Option<usize> {
    let is_id = |part: &str| {
        let mut letters = part.chars();
        part.len() == 9
            && letters.by_ref().take(3).all(|letter| letter.is_ascii_uppercase())
            && letters.next() == Some('-')
            && letters.by_ref().take(3).all(|letter| letter.is_ascii_digit())
            && letters.as_str() == "] "
    };
    text.match_indices('[').map(|(at, _)| at).find(|at| text.get(at + 1..at + 10).is_some_and(is_id))
}

/// The requirements of a line: each up to the next one, or to the end of the cell of a table.
fn in_line(line: &'static str) -> Vec<Requirement> {
    let (mut all, mut rest) = (Vec::new(), line);
    while let Some(at) = find(rest) {
        let (id, after) = (rest.get(at + 1..at + 8), rest.get(at + 10..).unwrap_or_default());
        let text = after.get(..find(after).unwrap_or(after.len())).unwrap_or_default();
        let text = if line.starts_with('|') { text.split(" |").next().unwrap_or_default() } else { text };
        all.extend(id.map(|id| Requirement { id, text: text.trim_end_matches([' ', '|']) }));
        rest = after;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_found_in_lists_and_tables() {
        let found: Vec<_> = in_line("| 1 | PING | both | [FRM-031] The body MUST be id. | x |")
            .into_iter()
            .map(|requirement| (requirement.id, requirement.text))
            .collect();
        assert_eq!(found, [("FRM-031", "The body MUST be id.")]);
        let two: Vec<_> =
            in_line("- [ERR-001] A. [ERR-002] B [x] [y-1] ").into_iter().map(|r| r.text).collect();
        assert_eq!(two, ["A.", "B [x] [y-1]"]);
        let sections = sections();
        assert!(sections.iter().all(|section| !section.title.is_empty()));
        let count: usize = sections.iter().map(|section| section.requirements.len()).sum();
        assert!(count >= 200, "{count}");
    }
}
