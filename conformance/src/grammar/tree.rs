//! An accepted message as a tree, so that one part of it can be exchanged and the lengths around it follow.

use handfast_codec::varint::put_varint;

use super::source::Source;
use super::{Bounds, Content, Definition, Entry, Extent, Field, Grammar, Kind, Member, Presence, Select};

/// A part of a message.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Its field, or what it is.
    pub(crate) name: String,
    pub(crate) part: Part,
    pub(crate) prefix: Prefix,
    /// What stands in front in place of the true length.
    pub(crate) claimed: Option<Vec<u8>>,
}

/// The length in front of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefix {
    None,
    Byte,
    Varint,
}

#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// A varint, or a number of fixed width, with its bounds.
    Number {
        bytes: Vec<u8>,
        is_varint: bool,
        range: Option<(u64, u64)>,
    },
    Bytes {
        bytes: Vec<u8>,
        content: Content,
        bounds: Bounds,
        is_fixed: bool,
    },
    /// Fields one after another.
    Struct(Vec<Node>),
    /// Fields of a TLV list.
    Tlv {
        fields: Vec<TlvField>,
        known: Vec<u64>,
        required: Vec<u64>,
        padded: bool,
    },
    List {
        elements: Vec<Node>,
        bounds: Bounds,
        in_bytes: bool,
        ascending: bool,
    },
    /// A number that says what follows, then that.
    Case {
        tag: Vec<u8>,
        body: Box<Node>,
        from: Option<String>,
    },
    /// Frames or a list, and zeros up to the smallest size.
    Padded {
        body: Vec<Node>,
        bounds: Bounds,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct TlvField {
    pub(crate) number: u64,
    /// How the number is written.
    pub(crate) tag: Vec<u8>,
    pub(crate) value: Node,
}

pub(crate) fn varint(value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, value);
    out
}

impl Node {
    fn of(name: &str, part: Part, prefix: Prefix) -> Self {
        Self { name: name.to_owned(), part, prefix, claimed: None }
    }

    /// The bytes with the length in front.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let content = self.content();
        let mut out = match (&self.claimed, self.prefix) {
            (Some(claimed), _) => claimed.clone(),
            (None, Prefix::None) => Vec::new(),
            (None, Prefix::Byte) => vec![u8::try_from(content.len()).unwrap_or(u8::MAX)],
            (None, Prefix::Varint) => varint(content.len() as u64),
        };
        out.extend_from_slice(&content);
        out
    }

    /// The bytes without the length.
    pub(crate) fn content(&self) -> Vec<u8> {
        match &self.part {
            Part::Number { bytes, .. } | Part::Bytes { bytes, .. } => bytes.clone(),
            Part::Struct(nodes) | Part::List { elements: nodes, .. } => {
                nodes.iter().flat_map(Self::encode).collect()
            }
            Part::Tlv { fields, .. } => {
                fields.iter().flat_map(|field| [field.tag.clone(), field.value.encode()].concat()).collect()
            }
            Part::Case { tag, body, .. } => [tag.clone(), body.encode()].concat(),
            Part::Padded { body, bounds } => {
                let mut out: Vec<u8> = body.iter().flat_map(Self::encode).collect();
                out.resize(out.len().max(bounds.0).next_power_of_two(), 0);
                out
            }
        }
    }

    pub(crate) fn children_mut(&mut self) -> Vec<&mut Self> {
        match &mut self.part {
            Part::Number { .. } | Part::Bytes { .. } => Vec::new(),
            Part::Struct(nodes) | Part::List { elements: nodes, .. } | Part::Padded { body: nodes, .. } => {
                nodes.iter_mut().collect()
            }
            Part::Tlv { fields, .. } => fields.iter_mut().map(|field| &mut field.value).collect(),
            Part::Case { body, .. } => vec![body],
        }
    }

    /// Every part, from the outside in, with the way to it.
    pub(crate) fn places(&self) -> Vec<(Vec<usize>, Self)> {
        let mut out = vec![(Vec::new(), self.clone())];
        let mut copy = self.clone();
        for (at, child) in copy.children_mut().into_iter().enumerate() {
            out.extend(child.places().into_iter().map(|(way, node)| ([&[at][..], &way].concat(), node)));
        }
        out
    }

    /// The same message with another part at this place.
    pub(crate) fn with(&self, way: &[usize], node: Self) -> Self {
        let mut out = self.clone();
        let mut place = &mut out;
        for at in way {
            place = place.children_mut().swap_remove(*at);
        }
        *place = node;
        out
    }
}

struct Builder<'g>(&'g Grammar);

/// Takes an accepted message apart.
pub(super) fn of(grammar: &Grammar, name: &str, bytes: &[u8]) -> Node {
    let builder = Builder(grammar);
    let definition = builder.named(name);
    builder.definition(name, definition, &mut Source::new(bytes), Prefix::None)
}

const ACCEPTED: &str = "the message was accepted";

impl Builder<'_> {
    fn named(&self, name: &str) -> &Definition {
        &self.0.definitions[name]
    }

    fn definition(&self, name: &str, of: &Definition, source: &mut Source<'_>, prefix: Prefix) -> Node {
        let part = match of {
            Definition::Struct(members) => Part::Struct(self.members(members, source)),
            Definition::Tlv(entries) => self.tlv(entries, source, false),
            Definition::Enum(names) => Part::Number {
                bytes: source.take(1).expect(ACCEPTED).rest().to_vec(),
                is_varint: false,
                range: names.keys().min().copied().zip(names.keys().max().copied()),
            },
            Definition::Select(select) => self.case(select, source),
            Definition::Message(body, _) => {
                return self.definition(name, self.named(body), source, prefix);
            }
            Definition::Padded(body, bounds) => {
                let mut nodes = Vec::new();
                match self.named(body) {
                    Definition::Select(select) => {
                        while source.rest().first().is_some_and(|byte| *byte != 0) {
                            nodes.push(Node::of("frame", self.case(select, source), Prefix::None));
                        }
                    }
                    Definition::Tlv(entries) => {
                        nodes.push(Node::of("list", self.tlv(entries, source, true), Prefix::None));
                    }
                    _ => {}
                }
                Part::Padded { body: nodes, bounds: *bounds }
            }
        };
        Node::of(name, part, prefix)
    }

    fn members(&self, members: &[Member], source: &mut Source<'_>) -> Vec<Node> {
        let fields = members.iter().filter_map(|member| match member {
            Member::Field(field) => Some(field),
            Member::Require(..) => None,
        });
        fields.map(|field| self.field(field, source)).collect()
    }

    fn field(&self, field: &Field, source: &mut Source<'_>) -> Node {
        let mut node = self.kind(&field.name, &field.kind, source);
        if let (Part::Number { range, .. }, Some(given)) = (&mut node.part, field.range) {
            *range = Some(given);
        }
        node
    }

    fn kind(&self, name: &str, kind: &Kind, source: &mut Source<'_>) -> Node {
        match kind {
            Kind::Uint(len) => {
                let bytes = source.take(*len).expect(ACCEPTED).rest().to_vec();
                Node::of(name, Part::Number { bytes, is_varint: false, range: None }, Prefix::None)
            }
            Kind::Varint => {
                let bytes = varint(source.varint().expect(ACCEPTED));
                Node::of(name, Part::Number { bytes, is_varint: true, range: None }, Prefix::None)
            }
            Kind::Bytes(content, extent) => bytes(name, *content, *extent, source),
            Kind::Named(definition) => self.definition(name, self.named(definition), source, Prefix::None),
            Kind::List { element, bounds, in_bytes, ascending } => {
                let mut elements = Vec::new();
                while source.len() > 0 {
                    elements.push(self.kind("element", element, source));
                }
                let (bounds, in_bytes, ascending) = (*bounds, *in_bytes, *ascending);
                Node::of(name, Part::List { elements, bounds, in_bytes, ascending }, Prefix::None)
            }
        }
    }

    fn tlv(&self, entries: &[Entry], source: &mut Source<'_>, padded: bool) -> Part {
        let known: Vec<(u64, &Presence, &Field)> = entries.iter().flat_map(flat).collect();
        let mut fields = Vec::new();
        while source.len() > 0 && !(padded && source.rest().first() == Some(&0)) {
            let number = source.varint().expect(ACCEPTED);
            let len = usize::try_from(source.varint().expect(ACCEPTED)).expect("short");
            let mut value = source.take(len).expect(ACCEPTED);
            if let Some((_, _, field)) = known.iter().find(|(known, ..)| *known == number) {
                let mut node = self.field(field, &mut value);
                node.prefix = Prefix::Varint;
                fields.push(TlvField { number, tag: varint(number), value: node });
            }
        }
        let has = |number: &u64| fields.iter().any(|field| field.number == *number);
        let required = known
            .iter()
            .filter(|(number, presence, _)| {
                has(number) && matches!(presence, Presence::Required | Presence::When(_))
            })
            .map(|(number, ..)| *number)
            .collect();
        Part::Tlv { fields, known: known.iter().map(|(number, ..)| *number).collect(), required, padded }
    }

    fn case(&self, select: &Select, source: &mut Source<'_>) -> Part {
        let number = match &select.tag {
            Kind::Uint(len) => source.uint(*len).expect(ACCEPTED),
            _ => source.varint().expect(ACCEPTED),
        };
        let len = if select.has_length {
            usize::try_from(source.varint().expect(ACCEPTED)).expect("short")
        } else {
            source.len()
        };
        let mut body = source.take(len).expect(ACCEPTED);
        let case = &select.cases[&number];
        let prefix = if select.has_length { Prefix::Varint } else { Prefix::None };
        let node = self.definition(&case.name, self.named(&case.body), &mut body, prefix);
        let tag = if select.has_length { varint(number) } else { vec![number.to_le_bytes()[0]] };
        Part::Case { tag, body: Box::new(node), from: case.from.clone() }
    }
}

fn flat(entry: &Entry) -> Vec<(u64, &Presence, &Field)> {
    match entry {
        Entry::One(number, presence, field) => vec![(*number, presence, field)],
        Entry::Group(entries) => entries.iter().flat_map(flat).collect(),
    }
}

fn bytes(name: &str, content: Content, extent: Extent, source: &mut Source<'_>) -> Node {
    let (len, bounds, prefix) = match extent {
        Extent::Fixed(len) => (len, (len, len), Prefix::None),
        Extent::Rest(bounds) => (source.len(), bounds, Prefix::None),
        Extent::Short(bounds) => {
            (usize::try_from(source.uint(1).expect(ACCEPTED)).expect("short"), bounds, Prefix::Byte)
        }
        Extent::Long(bounds) => {
            (usize::try_from(source.varint().expect(ACCEPTED)).expect("short"), bounds, Prefix::Varint)
        }
    };
    let is_fixed = matches!(extent, Extent::Fixed(_));
    let bytes = source.take(len).expect(ACCEPTED).rest().to_vec();
    Node::of(name, Part::Bytes { bytes, content, bounds, is_fixed }, prefix)
}
