//! The lines between runner and shim, as `SHIMS.md` has them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// The version of the shim protocol.
pub const PROTOCOL: u64 = 1;
/// The version of the specification that these cases are of.
pub(super) const SPEC: &str = "1";

/// The line that asks the request of this number.
pub(super) fn request(id: u64, op: &str, input: &Map<String, Value>) -> String {
    json!({ "id": id, "op": op, "in": input }).to_string() + "\n"
}

/// What a shim says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of the protocol")]
pub struct Hello {
    /// What it is called.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The roles that it plays: `phone`, `web`, `relay`.
    pub roles: BTreeSet<String>,
    /// The operations that it knows; none: it says so case by case.
    pub ops: Option<BTreeSet<String>>,
}

/// What a shim answers to a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The input is accepted.
    Accepted { out: Map<String, Value> },
    /// The input is refused with an error of the specification.
    Refused { area: String, code: String },
    /// The shim cannot do this.
    Unsupported(String),
}

fn text(object: &Map<String, Value>, name: &str) -> Result<String, String> {
    let found = object.get(name).and_then(Value::as_str);
    found.map(str::to_owned).ok_or_else(|| format!("its `{name}` is missing or no text"))
}

fn texts(object: &Map<String, Value>, name: &str) -> Result<BTreeSet<String>, String> {
    let list = object.get(name).and_then(Value::as_array);
    let texts = list.and_then(|list| list.iter().map(|value| value.as_str().map(str::to_owned)).collect());
    texts.ok_or_else(|| format!("its `{name}` is missing or no list of texts"))
}

impl Hello {
    /// Reads the answer to `hello`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for a person.
    pub(super) fn read(answer: &Map<String, Value>) -> Result<Self, String> {
        let spoken = answer.get("proto").and_then(Value::as_u64);
        if spoken != Some(PROTOCOL) {
            let told = spoken.map_or("none".to_owned(), |version| version.to_string());
            return Err(format!("it speaks version {told} of the shim protocol, the runner {PROTOCOL}"));
        }
        let spec = text(answer, "spec")?;
        if spec != SPEC {
            return Err(format!("it is of version {spec:?} of the specification, these cases of {SPEC:?}"));
        }
        let roles = texts(answer, "roles")?;
        if let Some(other) = roles.iter().find(|role| !["phone", "web", "relay"].contains(&role.as_str())) {
            return Err(format!("its role {other:?} is none of phone, web, relay"));
        }
        let ops = answer.contains_key("ops").then(|| texts(answer, "ops")).transpose()?;
        Ok(Self { name: text(answer, "name")?, version: text(answer, "version")?, roles, ops })
    }
}

impl Answer {
    /// Reads the answer to a case.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for a person.
    pub(super) fn read(answer: &Map<String, Value>) -> Result<Self, String> {
        if answer.contains_key("unsupported") {
            return text(answer, "unsupported").map(Self::Unsupported);
        }
        match answer.get("ok").and_then(Value::as_bool) {
            Some(true) => match answer.get("out") {
                Some(Value::Object(out)) => Ok(Self::Accepted { out: out.clone() }),
                _ => Err("its `out` is missing or no object".to_owned()),
            },
            Some(false) => Ok(Self::Refused { area: text(answer, "area")?, code: text(answer, "code")? }),
            None => Err("its `ok` is missing or neither true nor false".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn another_version_is_told() {
        let hello = |proto: &str, spec: &str, roles: &str| {
            object(&format!(
                r#"{{"id":0,"ok":true,"proto":{proto},"spec":"{spec}","name":"x","version":"2","roles":{roles}}}"#
            ))
        };
        let read = Hello::read(&hello("1", "1", r#"["web"]"#)).unwrap();
        assert_eq!((read.name.as_str(), read.ops), ("x", None));
        for (answer, part) in [
            (hello("2", "1", "[]"), "version 2 of the shim protocol"),
            (hello("\"1\"", "1", "[]"), "version none"),
            (hello("1", "7", "[]"), "\"7\" of the specification"),
            (hello("1", "1", r#"["tv"]"#), "\"tv\""),
            (hello("1", "1", "null"), "`roles`"),
        ] {
            let told = Hello::read(&answer).unwrap_err();
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn an_answer_has_one_of_three_forms() {
        let read = |text: &str| Answer::read(&object(text));
        assert_eq!(read(r#"{"id":1,"ok":true,"out":{}}"#), Ok(Answer::Accepted { out: Map::new() }));
        let (area, code) = ("relay".to_owned(), "LIMIT".to_owned());
        let refused = Ok(Answer::Refused { area, code });
        assert_eq!(read(r#"{"id":1,"ok":false,"area":"relay","code":"LIMIT","at":3}"#), refused);
        assert_eq!(read(r#"{"id":1,"unsupported":"x"}"#), Ok(Answer::Unsupported("x".to_owned())));
        for wrong in [r#"{"id":1}"#, r#"{"ok":true,"out":[]}"#, r#"{"ok":false,"area":"relay"}"#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
