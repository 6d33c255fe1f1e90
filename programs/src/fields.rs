//! Access to the fields of JSON objects that programs show as text. A field that is missing counts as empty
//! or 0.

use serde_json::Value;

use super::{printable, printable_lines};

/// Returns the text in a field, made safe for one line of a terminal.
#[must_use]
pub fn text(object: &Value, name: &str) -> String {
    printable(object[name].as_str().unwrap_or_default())
}

/// Returns the text in a field, which may have several lines, made safe for a terminal.
#[must_use]
pub fn lines(object: &Value, name: &str) -> String {
    printable_lines(object[name].as_str().unwrap_or_default())
}

/// Returns the number in a field.
#[must_use]
pub fn number(object: &Value, name: &str) -> u64 {
    object[name].as_u64().unwrap_or_default()
}

/// Returns the elements of the array in a field.
pub fn rows<'a>(object: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    object[name].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_there_or_of_another_kind_is_empty() {
        let object = json!({"a": "x\n", "b": 7, "c": [1, 2]});
        assert_eq!((text(&object, "a"), number(&object, "b")), ("x\\u{a}".to_owned(), 7));
        assert_eq!(rows(&object, "c").count(), 2);
        assert_eq!(
            (text(&object, "b"), number(&object, "d"), rows(&object, "a").count()),
            (String::new(), 0, 0)
        );
    }
}
