//! A script or a style sheet without what a page loads in vain: lines that are comments alone, empty lines and the space in front of each.

/// The text by lines, without comments, empty lines and leading space. A text in which the space at the start of a line may
/// mean something stays as it is: where a template or a continued string goes over lines, or that cannot be told.
pub(crate) fn slim(text: &str) -> String {
    let mut slim = String::with_capacity(text.len());
    let mut in_comment = false;
    for line in text.lines().map(str::trim) {
        if in_comment || line.starts_with("/*") {
            match line.find("*/") {
                None => in_comment = true,
                Some(end) if end + 2 == line.len() => in_comment = false,
                // What stands behind a comment would need a look of its own.
                Some(_) => return text.to_owned(),
            }
            continue;
        }
        if line.is_empty() || line.starts_with("//") {
            continue;
        }
        if line.ends_with('\\') || !ends_templates(line) {
            return text.to_owned();
        }
        slim.push_str(line);
        slim.push('\n');
    }
    if in_comment { text.to_owned() } else { slim }
}

/// Whether every template that the line begins ends in it. A backtick in a string counts as one: too careful, never too bold.
fn ends_templates(line: &str) -> bool {
    // What is open: a template, what is put into one, a block in that.
    let mut open = Vec::new();
    let mut before = ' ';
    for letter in line.chars() {
        let in_template = open.last() == Some(&'`');
        match letter {
            '`' if in_template && before != '\\' => drop(open.pop()),
            '`' if !in_template => open.push('`'),
            '{' if in_template && before == '$' => open.push('{'),
            '{' if !in_template && !open.is_empty() => open.push('{'),
            '}' if !in_template => drop(open.pop()),
            _ => {}
        }
        before = if before == '\\' { ' ' } else { letter };
    }
    open.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_empty_lines_and_leading_space_are_left_out() {
        let script = "// f\n/**\n * What it does.\n *\n */\nfunction f(a) {\n\n    /** @type {x} */\n    return a * 2; // kept\n}\n";
        assert_eq!(slim(script), "function f(a) {\nreturn a * 2; // kept\n}\n");
        let style = "/* One\n   sheet. */\n\na { b: c; }\n@media d {\n  e { f: g; } /* kept */\n}\n";
        assert_eq!(slim(style), "a { b: c; }\n@media d {\ne { f: g; } /* kept */\n}\n");
    }

    #[test]
    fn templates_within_a_line_are_no_reason_to_keep_a_text() {
        let script = "  a(`${b ? `c ${d({ e: 1 })}` : \"\"} \\` //`);\n  }\n";
        assert_eq!(slim(script), "a(`${b ? `c ${d({ e: 1 })}` : \"\"} \\` //`);\n}\n");
    }

    #[test]
    fn a_text_whose_lines_may_be_of_a_template_or_a_string_stays_as_it_is() {
        for script in [
            "// a\nconst b = `c\n  // d\n`;\n",
            "// a\nconst b = `${c ? `\n  d` : e}`;\n",
            "// a\nconst b = `${{\n  c }}`;\n",
            "// a\nconst b = /`/;\n",
            "// a\nconst b = 'c\\\n  d';\n",
            "// a\n/* b */ c();\n",
            "// a\nb();\n/* c\n",
        ] {
            assert_eq!(slim(script), script);
        }
    }
}
