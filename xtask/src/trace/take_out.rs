//! Taking one cited check out of a file, by its shape alone.
//!
//! The line after `// req: ..` tells the shape: an `if`, an arm of a `match`, or a call that stands by itself. Other
//! shapes are left alone: what is not recognised is not guessed at.

/// Returns the file's text without the check that the comment on `line` (from 1) stands before, and the new line.
pub(super) fn take_out(text: &str, line: usize) -> Option<(String, String)> {
    let start = code_after(text, line)?;
    let code = text.get(start..)?;
    let (len, instead) = replacement(code)?;
    let changed = format!("{}{instead}{}", text.get(..start)?, code.get(len..)?);
    let shown = instead.split_whitespace().collect::<Vec<_>>().join(" ");
    Some((changed, if shown.is_empty() { format!("removed: {}", first_line(code)) } else { shown }))
}

/// Where the first line of code after the comment begins.
pub(super) fn code_after(text: &str, line: usize) -> Option<usize> {
    let mut at = text.match_indices('\n').nth(line.checked_sub(1)?)?.0 + 1;
    for next in text.get(at..)?.split_inclusive('\n') {
        let trimmed = next.trim_start();
        if !trimmed.starts_with("//") {
            return Some(at + next.len() - trimmed.len());
        }
        at += next.len();
    }
    None
}

/// How many bytes of the code to replace, and by what.
fn replacement(code: &str) -> Option<(usize, String)> {
    if let Some(rest) = code.strip_prefix("if ") {
        let open = top_level(rest, '{')?;
        let condition = rest.get(..open)?.trim();
        return Some((3 + open, format!("if {} ", never(condition, accepts(rest.get(open..)?))?)));
    }
    if is_call(code) {
        let end = top_level(code, ';')?;
        return Some((end + 1, String::new()));
    }
    arm(code)
}

/// The condition made constant, with its old text still compiled.
fn never(condition: &str, accepts: bool) -> Option<String> {
    match (has_let(condition), accepts) {
        (true, true) => None,
        (true, false) => Some(format!("false && {condition}")),
        (false, true) => Some(format!("true || ({condition})")),
        (false, false) => Some(format!("false && ({condition})")),
    }
}

fn has_let(condition: &str) -> bool {
    condition.starts_with("let ") || condition.contains("&& let ")
}

/// Whether the block after a condition lets pass, and the one after `else` refuses.
fn accepts(block: &str) -> bool {
    let Some(end) = block
        .char_indices()
        .scan(0_i32, |depth, (at, c)| {
            *depth += match c {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            Some((at, *depth))
        })
        .find(|(_, depth)| *depth == 0)
        .map(|(at, _)| at)
    else {
        return false;
    };
    let (then, after) = block.split_at(end);
    let refuses = |text: &str| text.contains("Err(") || text.contains("return") || text.contains(".error(");
    !refuses(then)
        && after.trim_start_matches('}').trim_start().starts_with("else")
        && refuses(after.get(..after.len().min(200)).unwrap_or(after))
}

/// `PATTERN => ..` or `PATTERN if GUARD => ..`: the arm is never taken.
fn arm(code: &str) -> Option<(usize, String)> {
    const OTHERS: [&str; 12] = [
        "let ", "match ", "for ", "while ", "loop ", "return ", "pub ", "fn ", "const ", "#[", "impl ",
        "use ",
    ];
    if OTHERS.iter().any(|word| code.starts_with(word)) {
        return None;
    }
    let arrow = top_level_text(code, " => ")?;
    let head = code.get(..arrow)?;
    if head.contains(';') || head.lines().count() > 6 {
        return None;
    }
    let instead = match top_level_text(head, " if ") {
        Some(at) => format!("{} if {}", head.get(..at)?, never(head.get(at + 4..)?, false)?),
        None => format!("{head} if false"),
    };
    Some((arrow, instead))
}

/// A call whose value nobody takes: `check(x)?;`, `self.send(y);`.
fn is_call(code: &str) -> bool {
    let name: String =
        code.chars().take_while(|c| c.is_ascii_alphanumeric() || ['_', '.', ':'].contains(c)).collect();
    let called = code.get(name.len()..).is_some_and(|rest| rest.starts_with('('));
    called && top_level(code, ';').is_some_and(|end| top_level_text(code, " => ").is_none_or(|at| at > end))
}

fn top_level(code: &str, wanted: char) -> Option<usize> {
    top_level_text(code, wanted.encode_utf8(&mut [0; 4]))
}

/// Where `wanted` first stands outside of all brackets.
fn top_level_text(code: &str, wanted: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, c) in code.char_indices() {
        if depth == 0 && code.get(at..).is_some_and(|rest| rest.starts_with(wanted)) {
            return Some(at);
        }
        depth += match c {
            '(' | '[' | '{' => 1,
            ')' | ']' | '}' => -1,
            _ => 0,
        };
        if depth < 0 {
            return None;
        }
    }
    None
}

fn first_line(code: &str) -> &str {
    code.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(code: &str) -> Option<String> {
        take_out(&format!("// req: FRM-001\n{code}\n"), 1)
            .map(|(text, _)| text.lines().skip(1).collect::<Vec<_>>().join("\n").trim_end().to_owned())
    }

    #[test]
    fn a_condition_is_never_true() {
        let end = "{\n    return Err(x);\n}";
        for (condition, instead) in [
            ("a(b, c) || d", "false && (a(b, c) || d)"),
            ("let Some(x) = y\n    && z", "false && let Some(x) = y\n    && z"),
        ] {
            assert_eq!(without(&format!("if {condition} {end}")), Some(format!("if {instead} {end}")));
        }
        assert_eq!(
            without("// why\nif a { Ok(()) } else { Err(b) }").as_deref(),
            Some("// why\nif true || (a) { Ok(()) } else { Err(b) }")
        );
    }

    #[test]
    fn an_arm_is_never_taken() {
        assert_eq!(
            without("Some(x) if x == 1 => Err(y),").as_deref(),
            Some("Some(x) if false && (x == 1) => Err(y),")
        );
        assert_eq!(without("A { b } | C => d,").as_deref(), Some("A { b } | C if false => d,"));
    }

    #[test]
    fn a_call_goes() {
        assert_eq!(without("check(a, |x| x => 1)?;\nnext()").as_deref(), Some("\nnext()"));
        assert_eq!(without("self.a.send(\n    b,\n);").as_deref(), Some(""));
    }

    #[test]
    fn other_shapes_are_left_alone() {
        for code in ["let x = y.ok_or(z)?;", "match x {\n    A => b,\n}", "x", "fn f() {}", "x = y;"] {
            assert_eq!(without(code), None, "{code}");
        }
    }
}
