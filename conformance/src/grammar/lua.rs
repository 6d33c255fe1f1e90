//! Layouts as a table of Lua, for the dissector in `tools`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Content, Definition, Entry, Extent, Field, Grammar, Kind, Member, Presence, Select};

impl Grammar {
    /// Returns these definitions and all that they name, as the body of a table of Lua with their names as keys.
    ///
    /// # Panics
    ///
    /// If the grammar does not have one of the names.
    #[must_use]
    pub fn lua(&self, roots: &[&str]) -> String {
        let mut names: BTreeSet<String> = BTreeSet::new();
        let mut next: Vec<String> = roots.iter().map(|&name| name.to_owned()).collect();
        while let Some(name) = next.pop() {
            next.extend(super::parse::names(&self.definitions[&name]));
            if !names.insert(name) {
                next.retain(|name| !names.contains(name));
            }
        }
        names.iter().fold(String::new(), |mut out, name| {
            let _ = writeln!(out, "    {name} = {},", definition(&self.definitions[name]));
            out
        })
    }
}

fn definition(definition: &Definition) -> String {
    match definition {
        Definition::Struct(members) => lines(members.iter().map(member)),
        Definition::Tlv(entries) => format!("{{ \"tlv\", {} }}", lines(entries.iter().map(entry))),
        Definition::Enum(names) => {
            let names: Vec<String> =
                names.iter().map(|(number, name)| format!("[{number}] = \"{name}\"")).collect();
            format!("{{ \"enum\", {{ {} }} }}", names.join(", "))
        }
        Definition::Select(select) => cases(select),
        Definition::Message(body, (min, max)) => format!("{{ \"message\", \"{body}\", {min}, {max} }}"),
        Definition::Padded(body, (min, max)) => format!("{{ \"padded\", \"{body}\", {min}, {max} }}"),
    }
}

/// A table with an item a line, inside a definition.
fn lines(items: impl Iterator<Item = String>) -> String {
    let items = items.fold(String::new(), |mut out, item| {
        let _ = writeln!(out, "        {item},");
        out
    });
    if items.is_empty() { "{}".to_owned() } else { format!("{{\n{items}    }}") }
}

fn member(member: &Member) -> String {
    match member {
        Member::Field(member) => format!("{{ {} }}", field(member)),
        Member::Require(low, high) => format!("{{ low = \"{low}\", high = \"{high}\" }}"),
    }
}

fn field(field: &Field) -> String {
    let range = field.range.map(|(min, max)| format!(", range = {{ {min}, {max} }}"));
    format!("name = \"{}\", kind = {}{}", field.name, kind(&field.kind), range.unwrap_or_default())
}

fn entry(entry: &Entry) -> String {
    match entry {
        Entry::Group(group) => {
            let group: Vec<String> = group.iter().map(self::entry).collect();
            format!("{{ group = {{ {} }} }}", group.join(", "))
        }
        Entry::One(number, presence, one) => {
            let presence = match presence {
                Presence::Required => "\"required\"".to_owned(),
                Presence::Optional => "\"optional\"".to_owned(),
                Presence::Flag => "\"flag\"".to_owned(),
                Presence::When(any) => {
                    let any: Vec<String> =
                        any.iter().map(|(name, number)| format!("{{ \"{name}\", {number} }}")).collect();
                    format!("\"when\", any = {{ {} }}", any.join(", "))
                }
            };
            format!("{{ number = {number}, presence = {presence}, {} }}", field(one))
        }
    }
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Uint(len) => format!("{{ \"uint\", {len} }}"),
        Kind::Varint => "{ \"varint\" }".to_owned(),
        Kind::Named(name) => format!("{{ \"named\", \"{name}\" }}"),
        Kind::Bytes(content, extent) => {
            let content = match content {
                Content::Opaque => "opaque",
                Content::Text => "text",
                Content::RelayName => "relay_name",
            };
            let extent = match extent {
                Extent::Fixed(len) => format!("\"fixed\", {len}"),
                Extent::Rest((min, max)) => format!("\"rest\", {min}, {max}"),
                Extent::Short((min, max)) => format!("\"short\", {min}, {max}"),
                Extent::Long((min, max)) => format!("\"long\", {min}, {max}"),
            };
            format!("{{ \"{content}\", {extent} }}")
        }
        Kind::List { element, bounds: (min, max), in_bytes, ascending } => {
            let flag = |is_set: bool, name| if is_set { format!(", {name} = true") } else { String::new() };
            let flags = flag(*in_bytes, "bytes") + &flag(*ascending, "ascending");
            format!("{{ \"list\", {}, min = {min}, max = {max}{flags} }}", self::kind(element))
        }
    }
}

fn cases(select: &Select) -> String {
    let mut out = format!(
        "{{ \"select\", label = \"{}\", tag = {}, other = \"{}\",",
        select.label,
        kind(&select.tag),
        select.other
    );
    for (is_set, name) in [(select.has_length, "has_length"), (select.ignores_even, "ignores_even")] {
        if is_set {
            let _ = write!(out, " {name} = true,");
        }
    }
    let cases = select.cases.iter().map(|(number, case)| {
        let from = case.from.as_ref().map(|from| format!(", from = \"{from}\"")).unwrap_or_default();
        format!("[{number}] = {{ name = \"{}\", body = \"{}\"{from} }}", case.name, case.body)
    });
    let _ = write!(out, " cases = {} }}", lines(cases));
    out
}
