//! Which cases are asked of a shim.

use serde_json::Value;

use crate::case::Case;

/// Whether a name is of a pattern in which `*` stands for any letters and `?` for one.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut in_name) = (0, 0);
    // Where the last star stands, and up to where it reaches so far.
    let mut star = None;
    while in_name < name.len() {
        if pattern.get(at) == Some(&'*') {
            star = Some((at, in_name));
            at += 1;
        } else if pattern.get(at).is_some_and(|letter| *letter == '?' || Some(letter) == name.get(in_name)) {
            (at, in_name) = (at + 1, in_name + 1);
        } else if let Some((before, reach)) = star {
            star = Some((before, reach + 1));
            (at, in_name) = (before + 1, reach + 1);
        } else {
            return false;
        }
    }
    pattern.iter().skip(at).all(|letter| *letter == '*')
}

/// The role whose code a case is about; none if it is about the code of each.
#[must_use]
pub(super) fn role(case: &Case) -> Option<&'static str> {
    let text = |name: &str| case.input.get(name).and_then(Value::as_str);
    if case.op == "state" {
        return match text("machine")? {
            machine if machine.starts_with("relay-") => Some("relay"),
            machine if machine.ends_with("-web") => Some("web"),
            _ => Some("phone"),
        };
    }
    let what = text("from").or(text("kind")).or(text("role"));
    match (case.op.as_str(), what) {
        ("qr.decode" | "accept.verify", _)
        | ("session" | "live", Some("phone"))
        | ("record.decode", Some("web"))
        | ("payload.decode", Some("xk2" | "kk1")) => Some("phone"),
        ("certificate.verify" | "revoked.verify" | "payload.decode", _)
        | ("session" | "live", Some("web"))
        | ("record.decode", Some("phone")) => Some("web"),
        ("attach.verify", _) | ("live", Some("relay")) => Some("relay"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, name, is_match) in [
            ("*", "", true),
            ("qr/*", "qr/plain", true),
            ("qr/*", "refuse-qr/plain", false),
            ("*-qr/*-?", "refuse-qr/a-b-1", true),
            ("*-qr/*-?", "refuse-qr/a-b-12", false),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "aXbXb", false),
            ("plain", "plain", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, name), is_match, "{pattern} {name}");
        }
    }
}
