//! Named mutators: each takes an accepted message apart, breaks one thing in it, and puts it together again.

use crate::grammar::Content;
use crate::grammar::tree::{Node, Part, Prefix, TlvField, varint};

/// A message with one thing changed.
pub(super) struct Variant {
    /// What changed it.
    pub(super) mutator: &'static str,
    /// The field, and which of several changes.
    pub(super) place: String,
    pub(super) bytes: Vec<u8>,
}

/// What a mutator does, and the codes that can come of it; with none, what it makes is accepted.
pub(super) const MUTATORS: &[(&str, &str, &[&str])] = &[
    ("edge", "a number, length or list at an edge of what is allowed", &[]),
    ("grease", "an unknown even type", &[]),
    ("long-form", "a varint in a longer form than it needs", &["VARINT_NOT_MINIMAL"]),
    ("below-range", "a number one below its range", &["FIELD_VALUE"]),
    ("above-range", "a number one above its range", &["FIELD_VALUE"]),
    ("under-minimum", "one byte or element too few", &["FIELD_LENGTH", "RELAY_NAME", "TRUNCATED"]),
    ("over-maximum", "one byte or element too many", &["FIELD_LENGTH", "RELAY_NAME"]),
    ("other-length", "a field of fixed length with one byte less or more", &["FIELD_LENGTH"]),
    ("empty-value", "a field without a value", &["FIELD_LENGTH", "RELAY_NAME", "TRUNCATED"]),
    ("not-utf8", "bytes that are not UTF-8", &["BAD_UTF8", "RELAY_NAME"]),
    ("beyond-end", "a length that reaches beyond the end", &["TRUNCATED"]),
    (
        "truncate",
        "an end at a field's edge or in its middle",
        &["TRUNCATED", "FIELD_LENGTH", "FIELD_MISSING"],
    ),
    ("trailing", "a byte behind the last field", &["TRAILING_BYTES", "FIELD_LENGTH", "TRUNCATED"]),
    ("drop-field", "a required field is left out", &["FIELD_MISSING"]),
    ("duplicate", "a field or element stands twice", &["DUPLICATE_FIELD"]),
    ("swap", "two neighbours in the wrong order", &["FIELD_ORDER"]),
    ("unknown-critical", "an unknown odd type", &["UNKNOWN_CRITICAL"]),
    ("type-zero", "type 0 in a list that is not padded", &["FIELD_VALUE"]),
    ("padding", "a byte of the padding that is not zero", &["BAD_PADDING", "UNKNOWN_CRITICAL"]),
    ("size", "another size of the whole", &["BAD_RECORD_SIZE"]),
    ("sender", "a frame of the other role", &["FRAME_NOT_ALLOWED"]),
];

const ILL_FORMED: [(&str, &[u8]); 5] = [
    ("lone-continuation", &[0x80]),
    ("cut-sequence", &[0x61, 0xe2, 0x82]),
    ("overlong", &[0xc0, 0x80]),
    ("surrogate", &[0xed, 0xa0, 0x80]),
    ("beyond-unicode", &[0xf4, 0x90, 0x80, 0x80]),
];

/// The value of a varint in the next longer form, if there is one.
fn long_form(minimal: &[u8]) -> Option<Vec<u8>> {
    let value = minimal.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    let value = value & (u64::MAX >> (66 - 8 * minimal.len()));
    let (len, top) = match minimal.len() {
        1 => (2, 0x40),
        2 => (4, 0x80),
        4 => (8, 0xc0),
        _ => return None,
    };
    let mut bytes = value.to_be_bytes()[8 - len..].to_vec();
    bytes[0] |= top;
    Some(bytes)
}

struct Mutants<'t> {
    tree: &'t Node,
    out: Vec<Variant>,
}

/// Every message that the mutators make of this one.
pub(super) fn variants(tree: &Node) -> Vec<Variant> {
    let mut mutants = Mutants { tree, out: Vec::new() };
    for (way, node) in tree.places() {
        let name = mutants.path(&way);
        mutants.prefix(&way, &name, &node);
        match &node.part {
            Part::Number { .. } => mutants.number(&way, &name, &node),
            Part::Bytes { .. } => mutants.bytes(&way, &name, &node),
            Part::Tlv { .. } => mutants.tlv(&way, &name, &node),
            Part::List { .. } => mutants.list(&way, &name, &node),
            Part::Case { .. } => mutants.case(&way, &name, &node),
            Part::Padded { .. } => mutants.padded(&name, &node),
            Part::Struct(_) => {}
        }
    }
    mutants.out
}

impl Mutants<'_> {
    /// The names from the outside in.
    fn path(&self, way: &[usize]) -> String {
        let mut names = Vec::new();
        let mut node = self.tree.clone();
        for at in way {
            node = node.children_mut().swap_remove(*at).clone();
            if !["frame", "list", "element"].contains(&node.name.as_str()) {
                names.push(node.name.clone());
            } else if node.name == "element" {
                names.push(format!("{at}"));
            }
        }
        if names.is_empty() { "whole".to_owned() } else { names.join(".").to_lowercase().replace('_', "-") }
    }

    fn push(&mut self, mutator: &'static str, place: String, way: &[usize], node: Node) {
        let bytes = self.tree.with(way, node).encode();
        self.out.push(Variant { mutator, place, bytes });
    }

    /// The part with other bytes in place of what it holds.
    fn raw(&mut self, mutator: &'static str, place: String, way: &[usize], node: &Node, content: Vec<u8>) {
        let part = Part::Bytes {
            bytes: content,
            content: Content::Opaque,
            bounds: (0, usize::MAX),
            is_fixed: false,
        };
        self.push(mutator, place, way, Node { part, ..node.clone() });
    }

    /// The length in front of a part.
    fn prefix(&mut self, way: &[usize], name: &str, node: &Node) {
        let len = node.content().len();
        let (beyond, long) = match node.prefix {
            Prefix::None => return,
            Prefix::Byte => (vec![0xff], None),
            Prefix::Varint => (varint((1 << 62) - 1), long_form(&varint(len as u64))),
        };
        self.push(
            "beyond-end",
            format!("{name}-length"),
            way,
            Node { claimed: Some(beyond), ..node.clone() },
        );
        if let Some(long) = long {
            self.push(
                "long-form",
                format!("{name}-length"),
                way,
                Node { claimed: Some(long), ..node.clone() },
            );
        }
    }

    fn number(&mut self, way: &[usize], name: &str, node: &Node) {
        let Part::Number { bytes, is_varint, range } = &node.part else { return };
        let written = |value: u64| {
            if *is_varint { varint(value) } else { value.to_be_bytes()[8 - bytes.len()..].to_vec() }
        };
        let most = match (is_varint, bytes.len()) {
            (true, _) => (1 << 62) - 1,
            (false, len) => u64::MAX >> (64 - 8 * len),
        };
        let (low, high) = range.unwrap_or((0, most));
        if *is_varint && let Some(long) = long_form(bytes) {
            self.raw("long-form", name.to_owned(), way, node, long);
        }
        // The bounds of `part` hang on `last`.
        let (is_part, is_last) = (node.name == "part", node.name == "last");
        if low > 0 {
            self.raw("below-range", name.to_owned(), way, node, written(low - 1));
        }
        if is_part || high < most {
            let above = if is_part { 255 } else { high + 1 };
            self.raw("above-range", name.to_owned(), way, node, written(above));
        }
        if is_part || is_last {
            return;
        }
        self.raw("edge", format!("{name}-low"), way, node, written(low));
        self.raw("edge", format!("{name}-high"), way, node, written(high));
    }

    fn bytes(&mut self, way: &[usize], name: &str, node: &Node) {
        let Part::Bytes { bytes, content, bounds: (min, max), is_fixed } = &node.part else { return };
        let of_len = |len: usize| vec![bytes.first().copied().unwrap_or(0x61); len];
        let is_field = node.prefix == Prefix::Varint;
        if *is_fixed {
            if is_field && *max > 0 {
                self.raw("other-length", format!("{name}-less"), way, node, bytes[1..].to_vec());
            }
            if is_field {
                self.raw("other-length", format!("{name}-more"), way, node, [bytes, &[0][..]].concat());
            }
        } else {
            if *min > 0 {
                self.raw("under-minimum", name.to_owned(), way, node, of_len(min - 1));
            }
            let over = if *content == Content::RelayName {
                format!("{}.b", "a".repeat(63)).into_bytes()
            } else {
                of_len(max + 1)
            };
            self.raw("over-maximum", name.to_owned(), way, node, over);
            if *content != Content::RelayName {
                self.raw("edge", format!("{name}-shortest"), way, node, of_len(*min));
                self.raw("edge", format!("{name}-longest"), way, node, of_len(*max));
            }
        }
        if is_field && *min > 1 {
            self.raw("empty-value", name.to_owned(), way, node, Vec::new());
        }
        if *content != Content::Opaque {
            for (what, ill) in ILL_FORMED {
                self.raw("not-utf8", format!("{name}-{what}"), way, node, ill.to_vec());
            }
        }
    }

    fn tlv(&mut self, way: &[usize], name: &str, node: &Node) {
        let Part::Tlv { fields, known, required, padded } = &node.part else { return };
        let with = |fields: Vec<TlvField>| {
            let (known, required, padded) = (known.clone(), required.clone(), *padded);
            Node { part: Part::Tlv { fields, known, required, padded }, ..node.clone() }
        };
        let extra = |number: u64, bytes: &[u8]| {
            let part = Part::Bytes {
                bytes: bytes.to_vec(),
                content: Content::Opaque,
                bounds: (0, 0),
                is_fixed: false,
            };
            let value = Node { name: String::new(), part, prefix: Prefix::Varint, claimed: None };
            TlvField { number, tag: varint(number), value }
        };
        for (at, field) in fields.iter().enumerate() {
            let place = format!("{name}-{}", field.number);
            if required.contains(&field.number) {
                let mut less = fields.clone();
                let _ = less.remove(at);
                self.push("drop-field", place.clone(), way, with(less));
            }
            let mut twice = fields.clone();
            twice.insert(at, field.clone());
            self.push("duplicate", place.clone(), way, with(twice));
            if at > 0 {
                let mut swapped = fields.clone();
                swapped.swap(at - 1, at);
                self.push("swap", place.clone(), way, with(swapped));
            }
            let mut long = fields.clone();
            if let Some(form) = long_form(&field.tag) {
                long[at].tag = form;
                self.push("long-form", format!("{place}-type"), way, with(long));
            }
            if at + 1 == fields.len() {
                let mut beyond = fields.clone();
                let len = field.value.content().len() as u64;
                beyond[at].value.claimed = Some(varint(len + 1));
                if !padded {
                    self.push("beyond-end", format!("{place}-by-one"), way, with(beyond));
                }
            }
        }
        let numbers: Vec<u64> = fields.iter().map(|field| field.number).collect();
        let after = numbers.last().copied().unwrap_or(0);
        let in_gap = |parity: u64, low: u64, high: u64| {
            (low + 1..high).find(|n| n % 2 == parity && !known.contains(n))
        };
        let mut gaps: Vec<(usize, u64, u64)> = vec![(fields.len(), after, after + 62)];
        for (at, high) in numbers.iter().enumerate() {
            gaps.push((at, at.checked_sub(1).map_or(0, |before| numbers[before]), *high));
        }
        for (at, low, high) in gaps {
            for (mutator, parity) in [("unknown-critical", 1), ("grease", 0)] {
                if let Some(number) = in_gap(parity, low, high) {
                    let mut more = fields.clone();
                    more.insert(at, extra(number, &[0x67]));
                    self.push(mutator, format!("{name}-{number}"), way, with(more));
                }
            }
        }
        if !padded {
            let more = [&[extra(0, &[])][..], fields].concat();
            self.push("type-zero", name.to_owned(), way, with(more));
        }
    }

    fn list(&mut self, way: &[usize], name: &str, node: &Node) {
        let Part::List { elements, bounds: (_, max), in_bytes, ascending } = &node.part else { return };
        let with = |elements: Vec<Node>| {
            let (bounds, in_bytes, ascending) = ((0, *max), *in_bytes, *ascending);
            Node { part: Part::List { elements, bounds, in_bytes, ascending }, ..node.clone() }
        };
        self.push("edge", format!("{name}-none"), way, with(Vec::new()));
        let Some(first) = elements.first() else { return };
        if *ascending && elements.len() > 1 {
            self.push("duplicate", name.to_owned(), way, with(vec![first.clone(), first.clone()]));
            self.push("swap", name.to_owned(), way, with(vec![elements[1].clone(), first.clone()]));
        }
        if !in_bytes && !ascending {
            self.push("edge", format!("{name}-most"), way, with(vec![first.clone(); *max]));
            self.push("over-maximum", name.to_owned(), way, with(vec![first.clone(); max + 1]));
        }
        let whole = with(vec![first.clone()]).content();
        if whole.len() > 1 {
            let cut = whole[..whole.len() - 1].to_vec();
            self.raw("truncate", format!("{name}-element"), way, node, cut);
        }
    }

    fn case(&mut self, way: &[usize], name: &str, node: &Node) {
        let Part::Case { tag, body, from } = &node.part else { return };
        let inner = [way, &[0]].concat();
        let is_frame = body.prefix == Prefix::Varint;
        let place = self.path(&inner);
        if is_frame && let Some(tag) = long_form(tag) {
            let part = Part::Case { tag, body: body.clone(), from: from.clone() };
            self.push("long-form", format!("{place}-type"), way, Node { part, ..node.clone() });
        }
        let content = body.content();
        for at in edges(body) {
            self.raw("truncate", format!("{place}-{at}"), &inner, body, content[..at].to_vec());
        }
        // Behind a list it would be a field.
        if !is_list(body) {
            self.raw("trailing", place, &inner, body, [&content[..], &[0]].concat());
        }
        if way.is_empty() {
            self.raw("truncate", format!("{name}-nothing"), way, node, Vec::new());
        }
    }

    fn padded(&mut self, name: &str, node: &Node) {
        let used: usize = {
            let Part::Padded { body, .. } = &node.part else { return };
            body.iter().map(|node| node.encode().len()).sum()
        };
        let bytes = node.encode();
        let mut push = |mutator, what: &str, bytes: Vec<u8>| {
            self.out.push(Variant { mutator, place: format!("{name}-{what}"), bytes });
        };
        if used + 1 < bytes.len() {
            for (what, at) in [("second", used + 1), ("last", bytes.len() - 1)] {
                let mut wrong = bytes.clone();
                wrong[at] = 1;
                push("padding", what, wrong);
            }
        }
        push("size", "double", [&bytes[..], &vec![0; bytes.len()]].concat());
        push("size", "one-more", [&bytes[..], &[0]].concat());
        push("size", "one-less", bytes[..bytes.len() - 1].to_vec());
        if used <= 64 {
            push("size", "64", bytes[..64].to_vec());
        }
    }
}

fn is_list(node: &Node) -> bool {
    match &node.part {
        Part::Tlv { .. } => true,
        Part::Case { body, .. } => is_list(body),
        _ => false,
    }
}

/// Where each leaf of a body begins, and the middle of those of several bytes.
fn edges(body: &Node) -> Vec<usize> {
    let mut out = Vec::new();
    let mut at = 0;
    leaves(body, &mut at, &mut out);
    out.sort_unstable();
    out.dedup();
    out.retain(|edge| *edge < at);
    out
}

fn leaves(node: &Node, at: &mut usize, out: &mut Vec<usize>) {
    let whole = node.encode().len();
    let mut copy = node.clone();
    if let Part::Tlv { fields, .. } = &node.part {
        for field in fields {
            out.push(*at);
            let (tag, value) = (field.tag.len(), field.value.encode().len());
            out.push(*at + tag);
            out.push(*at + (tag + value) - 1);
            *at += tag + value;
        }
        return;
    }
    let children = copy.children_mut();
    if children.is_empty() {
        out.push(*at);
        if whole > 1 {
            out.push(*at + whole / 2);
        }
        *at += whole;
        return;
    }
    for child in children {
        leaves(child, at, out);
    }
}
