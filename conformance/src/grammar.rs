//! A second decoder: it reads bytes by the collected grammar in `spec/wire.tls` alone.
//!
//! It shares no code with the codec but the rule of relay names. What it finds, values or the one right error, is
//! compared with the codec in `tests/grammar.rs`, so that the text and the code cannot drift apart.

mod decode;
mod lua;
mod parse;
mod source;
pub(crate) mod tree;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

/// The text of the grammar.
pub const WIRE: &str = include_str!("../spec/wire.tls");

/// Every definition of a grammar.
#[derive(Debug)]
pub struct Grammar {
    definitions: BTreeMap<String, Definition>,
}

/// What a name stands for.
#[derive(Clone, Debug)]
enum Definition {
    Struct(Vec<Member>),
    Tlv(Vec<Entry>),
    /// Names by number; another one is refused with `FIELD_VALUE`.
    Enum(BTreeMap<u64, String>),
    Select(Select),
    /// A whole message of this type.
    Message(String, Bounds),
    /// Zeros follow up to the smallest 128*2^k.
    Padded(String, Bounds),
}

type Bounds = (usize, usize);

#[derive(Clone, Debug)]
enum Member {
    Field(Field),
    /// The first number is not above the second.
    Require(String, String),
}

#[derive(Clone, Debug)]
struct Field {
    name: String,
    kind: Kind,
    /// A number's bounds.
    range: Option<(u64, u64)>,
}

#[derive(Clone, Debug)]
enum Kind {
    /// An integer of this many bytes.
    Uint(usize),
    Varint,
    Bytes(Content, Extent),
    /// Something that has a name.
    Named(String),
    List {
        element: Box<Kind>,
        bounds: Bounds,
        in_bytes: bool,
        ascending: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Opaque,
    Text,
    RelayName,
}

#[derive(Clone, Copy, Debug)]
enum Extent {
    Fixed(usize),
    Rest(Bounds),
    /// Behind a length of one byte.
    Short(Bounds),
    /// Behind a length as a varint.
    Long(Bounds),
}

/// A field of a TLV list, or several that stand together.
#[derive(Clone, Debug)]
enum Entry {
    One(u64, Presence, Field),
    Group(Vec<Entry>),
}

#[derive(Clone, Debug)]
enum Presence {
    Required,
    Optional,
    Flag,
    /// Required when one of these names has this number, else forbidden.
    When(Vec<(String, u64)>),
}

#[derive(Clone, Debug)]
struct Select {
    /// What the name of the case is called.
    label: String,
    tag: Kind,
    has_length: bool,
    cases: BTreeMap<u64, Case>,
    ignores_even: bool,
    other: String,
}

#[derive(Clone, Debug)]
struct Case {
    body: String,
    /// How it is called.
    name: String,
    /// The only role that may send it.
    from: Option<String>,
}

/// Bytes of the input, and what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The names from the outside in, joined by dots.
    pub path: String,
    /// The first byte.
    pub at: usize,
    /// How many bytes.
    pub len: usize,
}

/// Fields of the input, each with its value.
pub type FieldValues = Vec<(Span, Value)>;

/// What an input holds.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The values by name, as the vectors show them.
    pub value: Map<String, Value>,
    /// Each field's bytes, in the order of the input.
    pub spans: Vec<Span>,
}

/// Why an input is refused: the name of an error of the specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error's name.
    pub code: String,
    /// The byte at which it was found.
    pub at: usize,
}

impl Grammar {
    /// Reads a grammar.
    ///
    /// # Errors
    ///
    /// If the text is malformed, or names something that it does not define.
    pub fn parse(text: &str) -> Result<Self> {
        parse::grammar(text)
    }

    /// Reads `bytes` as the named definition; `from` is the role of the sender where that matters.
    ///
    /// # Errors
    ///
    /// If the grammar does not have the name. A refusal of the bytes is a value.
    pub fn read(&self, name: &str, from: Option<&str>, bytes: &[u8]) -> Result<Result<Reading, Refusal>> {
        let (spans, read) = decode::read(self, self.definition(name)?, from, bytes);
        Ok(read.map(|value| Reading { value, spans: without_values(spans) }))
    }

    /// Reads as [`read`](Self::read) does, and gives the fields that were found, also those in front of a refusal.
    ///
    /// # Errors
    ///
    /// If the grammar does not have the name.
    pub fn annotate(
        &self,
        name: &str,
        from: Option<&str>,
        bytes: &[u8],
    ) -> Result<(Vec<Span>, Option<Refusal>)> {
        let (spans, read) = decode::read(self, self.definition(name)?, from, bytes);
        Ok((without_values(spans), read.err()))
    }

    /// Reads as [`annotate`](Self::annotate) does, and returns each field with its value; that of a case of a select is
    /// null, since its fields follow it.
    ///
    /// # Errors
    ///
    /// If the grammar does not have the name.
    pub fn fields(
        &self,
        name: &str,
        from: Option<&str>,
        bytes: &[u8],
    ) -> Result<(FieldValues, Option<Refusal>)> {
        let (fields, read) = decode::read(self, self.definition(name)?, from, bytes);
        Ok((fields, read.err()))
    }

    fn definition(&self, name: &str) -> Result<&Definition> {
        self.definitions.get(name).with_context(|| format!("no {name} in the grammar"))
    }

    /// Takes a message apart that was accepted.
    pub(crate) fn take_apart(&self, name: &str, bytes: &[u8]) -> tree::Node {
        tree::of(self, name, bytes)
    }

    /// The numbers of a TLV list, an enum or a select, each with the name of what it is; `None` for another definition.
    #[must_use]
    pub fn numbers(&self, name: &str) -> Option<Vec<(u64, String)>> {
        fn fields(entries: &[Entry], out: &mut Vec<(u64, String)>) {
            for entry in entries {
                match entry {
                    Entry::One(number, _, field) => out.push((*number, field.name.clone())),
                    Entry::Group(group) => fields(group, out),
                }
            }
        }
        Some(match self.definitions.get(name)? {
            Definition::Tlv(entries) => {
                let mut out = Vec::new();
                fields(entries, &mut out);
                out
            }
            Definition::Select(select) => {
                select.cases.iter().map(|(number, case)| (*number, case.name.clone())).collect()
            }
            Definition::Enum(names) => names.iter().map(|(number, name)| (*number, name.clone())).collect(),
            Definition::Struct(_) | Definition::Message(..) | Definition::Padded(..) => return None,
        })
    }

    /// The names of all definitions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.definitions.keys().map(String::as_str)
    }
}

fn without_values(fields: FieldValues) -> Vec<Span> {
    fields.into_iter().map(|(span, _)| span).collect()
}

/// The definition for the bytes of a case, the sender where that matters, and the bytes; none if they have no layout of
/// their own.
#[must_use]
pub fn of_case(case: &crate::case::Case) -> Option<(&'static str, Option<&str>, Vec<u8>)> {
    let (name, field) = of_input(&case.op, &case.input)?;
    let text = |name: &str| case.input.get(name).and_then(Value::as_str);
    Some((name, text("from"), crate::fields::unhex(text(field)?).ok()?))
}

/// The definition for the bytes of an operation's input, and the field in which they stand.
pub(crate) fn of_input(op: &str, input: &Map<String, Value>) -> Option<(&'static str, &'static str)> {
    Some(match (op, input.get("kind").and_then(Value::as_str)) {
        ("relay.decode" | "attach.verify", _) => ("RelayMessage", "frame"),
        ("record.decode", _) => ("Record", "plaintext"),
        ("link-record.decode", _) => ("LinkRecord", "plaintext"),
        ("payload.decode", Some("xk1")) => ("Xk1", "payload"),
        ("payload.decode", Some("xk2")) => ("Xk2", "payload"),
        ("payload.decode", Some("xk3")) => ("Xk3", "payload"),
        ("payload.decode", Some("kk1")) => ("Kk1", "payload"),
        ("payload.decode", Some("kk2")) => ("Kk2", "payload"),
        ("envelope.decode", Some("command")) => ("CommandEnvelope", "message"),
        ("envelope.decode", Some("result")) => ("ResultEnvelope", "message"),
        ("message.decode", Some("command")) => ("Command", "body"),
        ("message.decode", Some("result")) => ("Result", "body"),
        ("message.decode", Some("item")) => ("RowBody", "body"),
        ("message.decode", Some("now-1")) => ("Slot1", "body"),
        ("message.decode", Some("now-3")) => ("Slot3", "body"),
        ("message.decode", Some("now-5")) => ("Slot5", "body"),
        ("message.decode", Some("now-7")) => ("Slot7", "body"),
        _ => return None,
    })
}
