//! Reading bytes by a grammar.

use std::collections::BTreeMap;

use handfast_codec::RelayName;
use serde_json::{Map, Value};

use super::source::{Read, Source};
use super::{
    Bounds, Content, Definition, Entry, Extent, Field, FieldValues, Grammar, Kind, Member, Presence, Select,
    Span,
};
use crate::fields::{hex, number};

/// The fields that were found, each with its value, and the whole value or the refusal.
pub(super) fn read(
    grammar: &Grammar,
    definition: &Definition,
    from: Option<&str>,
    bytes: &[u8],
) -> (FieldValues, Read<Map<String, Value>>) {
    let mut reader = Reader { grammar, from, spans: Vec::new(), path: Vec::new() };
    let (mut value, mut source) = (Map::new(), Source::new(bytes));
    let read = reader.definition(definition, &mut source, &mut value).and_then(|()| source.finish());
    (reader.spans, read.map(|()| value))
}

/// The fields of a TLV list by type, each with its value's bytes.
type Fields<'a> = BTreeMap<u64, Source<'a>>;

struct Reader<'g> {
    grammar: &'g Grammar,
    from: Option<&'g str>,
    spans: FieldValues,
    path: Vec<String>,
}

impl<'g> Reader<'g> {
    /// Every name that a grammar uses is in it: that was looked at when it was read.
    fn named(&self, name: &str) -> &'g Definition {
        &self.grammar.definitions[name]
    }

    fn definition(
        &mut self,
        definition: &'g Definition,
        source: &mut Source<'_>,
        out: &mut Map<String, Value>,
    ) -> Read<()> {
        match definition {
            Definition::Struct(members) => self.members(members, source, out),
            Definition::Tlv(entries) => {
                let fields = fields(entries, source, false)?;
                self.entries(entries, source, &fields, out)
            }
            Definition::Select(select) => self.select(select, source, out).map(|_| ()),
            Definition::Message(body, (min, max)) => {
                source.within(*min, *max, "FIELD_LENGTH")?;
                self.definition(self.named(body), source, out)
            }
            Definition::Padded(body, bounds) => self.padded(self.named(body), *bounds, source, out),
            Definition::Enum(names) => {
                let (start, number) = (*source, source.uint(1)?);
                let name = names.get(&number).map_or_else(|| start.refuse("FIELD_VALUE"), Ok)?;
                let _ = out.insert("name".to_owned(), name.as_str().into());
                Ok(())
            }
        }
    }

    fn members(
        &mut self,
        members: &'g [Member],
        source: &mut Source<'_>,
        out: &mut Map<String, Value>,
    ) -> Read<()> {
        for member in members {
            match member {
                Member::Field(field) => {
                    let value = self.field(field, source)?;
                    let _ = out.insert(field.name.clone(), value);
                }
                Member::Require(low, high) => {
                    if as_u64(out.get(low)) > as_u64(out.get(high)) {
                        return source.refuse("FIELD_VALUE");
                    }
                }
            }
        }
        Ok(())
    }

    fn field(&mut self, field: &'g Field, source: &mut Source<'_>) -> Read<Value> {
        let start = *source;
        self.path.push(field.name.clone());
        let value = self.kind(&field.kind, source)?;
        self.span(&start, source.at(), value.clone());
        let _ = self.path.pop();
        match field.range {
            Some((min, max)) if !(Some(min)..=Some(max)).contains(&as_u64(Some(&value))) => {
                start.refuse("FIELD_VALUE")
            }
            _ => Ok(value),
        }
    }

    fn span(&mut self, start: &Source<'_>, end: usize, value: Value) {
        let span = Span { path: self.path.join("."), at: start.at(), len: end - start.at() };
        self.spans.push((span, value));
    }

    fn kind(&mut self, kind: &'g Kind, source: &mut Source<'_>) -> Read<Value> {
        match kind {
            Kind::Uint(len) => source.uint(*len).map(number),
            Kind::Varint => source.varint().map(number),
            Kind::Bytes(content, extent) => bytes(*content, *extent, source),
            Kind::Named(name) => {
                let (definition, mut inner) = (self.named(name), Map::new());
                self.definition(definition, source, &mut inner)?;
                let is_enum = matches!(definition, Definition::Enum(_));
                Ok(if is_enum { inner.remove("name").unwrap_or_default() } else { Value::Object(inner) })
            }
            Kind::List { element, bounds: (min, max), in_bytes, ascending } => {
                let count_max = if *in_bytes {
                    source.within(*min, *max, "FIELD_LENGTH")?;
                    usize::MAX
                } else {
                    *max
                };
                if !*in_bytes && *min > 0 && source.len() == 0 {
                    return source.refuse("FIELD_LENGTH");
                }
                self.list(element, count_max, *ascending, source)
            }
        }
    }

    fn list(
        &mut self,
        element: &'g Kind,
        max: usize,
        ascending: bool,
        source: &mut Source<'_>,
    ) -> Read<Value> {
        let (mut elements, mut last) = (Vec::new(), None);
        while source.len() > 0 {
            if elements.len() == max {
                return source.refuse("FIELD_LENGTH");
            }
            if ascending {
                let first = Some(self.first(element, &mut source.clone())?);
                if last >= first {
                    return source.refuse(if last == first { "DUPLICATE_FIELD" } else { "FIELD_ORDER" });
                }
                last = first;
            }
            elements.push(self.kind(element, source)?);
        }
        Ok(Value::Array(elements))
    }

    /// The first value of a list's element, by which the elements ascend, as bytes in that order.
    fn first(&self, element: &'g Kind, source: &mut Source<'_>) -> Read<Vec<u8>> {
        match element {
            Kind::Named(name) => match self.named(name) {
                Definition::Struct(members) => match members.first() {
                    Some(Member::Field(field)) => self.first(&field.kind, source),
                    _ => source.refuse("FIELD_MISSING"),
                },
                _ => source.refuse("FIELD_MISSING"),
            },
            Kind::Bytes(content, extent) => {
                Ok(bytes(*content, *extent, source)?.as_str().unwrap_or_default().into())
            }
            _ => Ok(source.varint()?.to_be_bytes().to_vec()),
        }
    }

    fn entries(
        &mut self,
        entries: &'g [Entry],
        end: &Source<'_>,
        fields: &Fields<'_>,
        out: &mut Map<String, Value>,
    ) -> Read<()> {
        for entry in entries {
            match entry {
                Entry::Group(group) => {
                    if numbers(group).iter().any(|number| fields.contains_key(number)) {
                        self.entries(group, end, fields, out)?;
                    }
                }
                Entry::One(number, presence, field) => {
                    let is_flag = matches!(presence, Presence::Flag);
                    if let Some(value) = present(presence, fields.get(number), end, out)? {
                        let read = self.value(field, value)?;
                        let read = if is_flag { true.into() } else { read };
                        let _ = out.insert(field.name.clone(), read);
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads a value that has a length of its own: a number or fixed bytes of another length are `FIELD_LENGTH`.
    fn value(&mut self, field: &'g Field, value: Source<'_>) -> Read<Value> {
        let mut source = value;
        let is_plain = matches!(field.kind, Kind::Uint(_) | Kind::Varint | Kind::Bytes(_, Extent::Fixed(_)));
        if let Kind::Uint(len) | Kind::Bytes(_, Extent::Fixed(len)) = field.kind {
            value.within(len, len, "FIELD_LENGTH")?;
        }
        let read = match self.field(field, &mut source) {
            Err(refusal) if is_plain && refusal.code == "TRUNCATED" => return value.refuse("FIELD_LENGTH"),
            other => other,
        };
        if is_plain && read.is_ok() && source.len() > 0 {
            return value.refuse("FIELD_LENGTH");
        }
        let read = read?;
        source.finish()?;
        Ok(read)
    }

    /// Reads the number and what it says follows. False if that is to be ignored.
    fn select(
        &mut self,
        select: &'g Select,
        source: &mut Source<'_>,
        out: &mut Map<String, Value>,
    ) -> Read<bool> {
        let start = *source;
        let tag = match &select.tag {
            Kind::Uint(len) => source.uint(*len)?,
            _ => source.varint()?,
        };
        let len = source.len();
        let mut body = if select.has_length { long(source, (0, usize::MAX))? } else { source.take(len)? };
        let Some(case) = select.cases.get(&tag) else {
            // In a padded list, 0 is no type but the padding.
            if !select.ignores_even || tag % 2 == 1 || (tag == 0 && select.has_length) {
                return start.refuse(&select.other);
            }
            if !select.has_length {
                let _ = out.insert("ignored".to_owned(), number(tag));
            }
            return Ok(false);
        };
        if case.from.as_deref().is_some_and(|role| self.from.is_some_and(|from| from != role)) {
            return start.refuse("FRAME_NOT_ALLOWED");
        }
        self.path.push(case.name.clone());
        self.span(&start, body.end(), Value::Null);
        self.definition(self.named(&case.body), &mut body, out)?;
        let _ = self.path.pop();
        body.finish()?;
        let _ = out.insert(select.label.clone(), case.name.as_str().into());
        Ok(true)
    }

    /// Frames or a TLV list, then zeros up to the smallest size that holds them.
    fn padded(
        &mut self,
        body: &'g Definition,
        (min, max): Bounds,
        source: &mut Source<'_>,
        out: &mut Map<String, Value>,
    ) -> Read<()> {
        let whole = *source;
        source.within(min, max, "BAD_RECORD_SIZE")?;
        if !source.len().is_power_of_two() {
            return whole.refuse("BAD_RECORD_SIZE");
        }
        let mut list = None;
        if let Definition::Tlv(entries) = body {
            list = Some((entries, fields(entries, source, true)?));
        } else if let Definition::Select(select) = body {
            let mut frames = Vec::new();
            while source.rest().first().is_some_and(|byte| *byte != 0) {
                let mut frame = Map::new();
                if self.select(select, source, &mut frame)? {
                    frames.push(Value::Object(frame));
                }
            }
            let _ = out.insert("frames".to_owned(), frames.into());
        }
        let used = source.at();
        while source.len() > 0 {
            let start = *source;
            if source.uint(1)? != 0 {
                return start.refuse("BAD_PADDING");
            }
        }
        if used.max(min).next_power_of_two() != whole.len() {
            return whole.refuse("BAD_RECORD_SIZE");
        }
        match list {
            Some((entries, fields)) => self.entries(entries, &whole, &fields, out),
            None => Ok(()),
        }
    }
}

fn as_u64(value: Option<&Value>) -> Option<u64> {
    value.and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()))
}

/// Checks the grammar of a whole list; in a padded one, stops where the padding begins.
fn fields<'a>(entries: &[Entry], source: &mut Source<'a>, padded: bool) -> Read<Fields<'a>> {
    let known = numbers(entries);
    let (mut fields, mut last) = (Fields::new(), None);
    while source.len() > 0 && !(padded && source.rest().first() == Some(&0)) {
        let (start, kind) = (*source, source.varint()?);
        let fault = match last {
            Some(last) if kind == last => Some("DUPLICATE_FIELD"),
            Some(last) if kind < last => Some("FIELD_ORDER"),
            _ if kind == 0 => Some("FIELD_VALUE"),
            _ if kind % 2 == 1 && !known.contains(&kind) => Some("UNKNOWN_CRITICAL"),
            _ => None,
        };
        if let Some(code) = fault {
            return start.refuse(code);
        }
        last = Some(kind);
        let value = long(source, (0, usize::MAX))?;
        let _ = fields.insert(kind, value);
    }
    Ok(fields)
}

/// The value of a field, unless it is rightly absent.
fn present<'a>(
    presence: &Presence,
    value: Option<&Source<'a>>,
    end: &Source<'_>,
    out: &Map<String, Value>,
) -> Read<Option<Source<'a>>> {
    let is_wanted = match presence {
        Presence::Required => true,
        Presence::Optional | Presence::Flag => value.is_some(),
        Presence::When(any) => any.iter().any(|(name, number)| as_u64(out.get(name)) == Some(*number)),
    };
    match (is_wanted, value) {
        (true, Some(value)) => Ok(Some(*value)),
        (true, None) => end.refuse("FIELD_MISSING"),
        (false, Some(value)) => value.refuse("FIELD_VALUE"),
        (false, None) => Ok(None),
    }
}

/// The numbers of all fields.
fn numbers(entries: &[Entry]) -> Vec<u64> {
    let of = |entry: &Entry| match entry {
        Entry::One(number, ..) => vec![*number],
        Entry::Group(group) => numbers(group),
    };
    entries.iter().flat_map(of).collect()
}

/// Bytes behind a length as a varint.
fn long<'a>(source: &mut Source<'a>, (min, max): Bounds) -> Read<Source<'a>> {
    let start = *source;
    let len = usize::try_from(source.varint()?).unwrap_or(usize::MAX);
    let part = source.take(len)?;
    if len < min || len > max {
        return start.refuse("FIELD_LENGTH");
    }
    Ok(part)
}

fn bytes(content: Content, extent: Extent, source: &mut Source<'_>) -> Read<Value> {
    let part = match extent {
        Extent::Fixed(len) => source.take(len)?,
        Extent::Rest((min, max)) => {
            let is_name = content == Content::RelayName;
            source.within(min, max, if is_name { "RELAY_NAME" } else { "FIELD_LENGTH" })?;
            source.take(source.len())?
        }
        Extent::Short((min, max)) => {
            let len = usize::try_from(source.uint(1)?).unwrap_or(usize::MAX);
            let part = source.take(len)?;
            part.within(min, max, "FIELD_LENGTH")?;
            part
        }
        Extent::Long(bounds) => long(source, bounds)?,
    };
    let text = || std::str::from_utf8(part.rest());
    match content {
        Content::Opaque => Ok(hex(part.rest()).into()),
        Content::Text => text().map_or_else(|_| part.refuse("BAD_UTF8"), |text| Ok(text.into())),
        Content::RelayName => match text() {
            Ok(name) if RelayName::parse(name).is_ok() => Ok(name.into()),
            _ => part.refuse("RELAY_NAME"),
        },
    }
}
