//! The text of a grammar into its definitions.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use anyhow::{Context as _, Result, bail, ensure};

use super::{Case, Content, Definition, Entry, Extent, Field, Grammar, Kind, Member, Presence, Select};

pub(super) fn grammar(text: &str) -> Result<Grammar> {
    let mut tokens = Tokens { rest: words(text)?, line: 1 };
    let mut definitions = BTreeMap::new();
    while tokens.peek().is_some() {
        let (name, definition) =
            definition(&mut tokens).with_context(|| format!("before the end of line {}", tokens.line))?;
        ensure!(definitions.insert(name.clone(), definition).is_none(), "{name} is defined twice");
    }
    let used: BTreeSet<_> = definitions.values().flat_map(names).collect();
    let missing: Vec<_> = used.into_iter().filter(|name| !definitions.contains_key(name)).collect();
    ensure!(missing.is_empty(), "not defined: {missing:?}");
    Ok(Grammar { definitions })
}

/// Splits into words, numbers and signs, each with its line, the first one last; comments go.
fn words(text: &str) -> Result<Vec<(String, usize)>> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut out = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let is_comment = rest.starts_with("/*");
        let len = if is_comment {
            rest.find("*/").context("a comment does not end")? + 2
        } else if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if ["..", "==", "<="].iter().any(|sign| rest.starts_with(sign)) {
            2
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at(len);
        line += word.matches('\n').count();
        if !is_comment && !first.is_whitespace() {
            out.push((word.to_owned(), line));
        }
        rest = after;
    }
    out.reverse();
    Ok(out)
}

struct Tokens {
    /// The last is the next.
    rest: Vec<(String, usize)>,
    line: usize,
}

impl Tokens {
    fn peek(&self) -> Option<&str> {
        self.rest.last().map(|(word, _)| word.as_str())
    }

    fn word(&mut self) -> Result<String> {
        let (word, line) = self.rest.pop().context("the text ends early")?;
        self.line = line;
        Ok(word)
    }

    /// Takes the word if it is next.
    fn take(&mut self, word: &str) -> bool {
        let is_next = self.peek() == Some(word);
        if is_next {
            let _ = self.rest.pop();
        }
        is_next
    }

    fn expect(&mut self, word: &str) -> Result<()> {
        let found = self.word()?;
        ensure!(found == word, "{word:?} is expected, not {found:?}");
        Ok(())
    }

    fn number<T: FromStr>(&mut self) -> Result<T> {
        let word = self.word()?;
        word.parse().ok().with_context(|| format!("{word:?} is no number"))
    }

    fn bounds<T: FromStr>(&mut self) -> Result<(T, T)> {
        let min = self.number()?;
        self.expect("..")?;
        Ok((min, self.number()?))
    }
}

fn definition(t: &mut Tokens) -> Result<(String, Definition)> {
    let word = t.word()?;
    let definition = match word.as_str() {
        "struct" => Definition::Struct(block(t, member)?),
        "tlv" => Definition::Tlv(block(t, entry)?),
        "enum" => Definition::Enum(enumeration(t)?),
        "select" => Definition::Select(select(t)?),
        _ => return message(t, word),
    };
    let name = t.word()?;
    t.expect(";")?;
    Ok((name, definition))
}

fn block<T>(t: &mut Tokens, item: impl Fn(&mut Tokens) -> Result<T>) -> Result<Vec<T>> {
    t.expect("{")?;
    let mut out = Vec::new();
    while !t.take("}") {
        out.push(item(t)?);
    }
    Ok(out)
}

/// `T Name[0..16512];` or `T Name padded 128..16384;`
fn message(t: &mut Tokens, body: String) -> Result<(String, Definition)> {
    let name = t.word()?;
    let definition = if t.take("padded") {
        Definition::Padded(body, t.bounds()?)
    } else {
        t.expect("[")?;
        let bounds = t.bounds()?;
        t.expect("]")?;
        Definition::Message(body, bounds)
    };
    t.expect(";")?;
    Ok((name, definition))
}

fn member(t: &mut Tokens) -> Result<Member> {
    let member = if t.take("require") {
        let low = t.word()?;
        t.expect("<=")?;
        Member::Require(low, t.word()?)
    } else {
        Member::Field(field(t)?)
    };
    t.expect(";")?;
    Ok(member)
}

fn entry(t: &mut Tokens) -> Result<Entry> {
    if t.take("group") {
        return block(t, entry).map(Entry::Group);
    }
    let (is_flag, is_optional) = (t.take("flag"), t.take("optional"));
    let number = t.number()?;
    t.expect(":")?;
    let (field, presence) = if is_flag {
        let kind = Kind::Bytes(Content::Opaque, Extent::Fixed(0));
        (Field { name: t.word()?, kind, range: None }, Presence::Flag)
    } else {
        let field = field(t)?;
        let presence = match (t.take("when"), is_optional) {
            (true, _) => Presence::When(conditions(t)?),
            (false, true) => Presence::Optional,
            (false, false) => Presence::Required,
        };
        (field, presence)
    };
    t.expect(";")?;
    Ok(Entry::One(number, presence, field))
}

/// `a == 1 or b == 2`
fn conditions(t: &mut Tokens) -> Result<Vec<(String, u64)>> {
    let mut any = Vec::new();
    loop {
        let name = t.word()?;
        t.expect("==")?;
        any.push((name, t.number()?));
        if !t.take("or") {
            return Ok(any);
        }
    }
}

fn field(t: &mut Tokens) -> Result<Field> {
    let word = t.word()?;
    let name = t.word()?;
    let kind = match word.as_str() {
        "opaque" => Kind::Bytes(Content::Opaque, extent(t)?),
        "text" => Kind::Bytes(Content::Text, extent(t)?),
        "relay_name" => Kind::Bytes(Content::RelayName, extent(t)?),
        _ => list(t, plain(&word)?)?,
    };
    let range = if t.take("in") { Some(t.bounds()?) } else { None };
    Ok(Field { name, kind, range })
}

fn plain(word: &str) -> Result<Kind> {
    Ok(match word {
        "varint" => Kind::Varint,
        "uint8" => Kind::Uint(1),
        "uint16" => Kind::Uint(2),
        "uint32" => Kind::Uint(4),
        "uint64" => Kind::Uint(8),
        name if name.starts_with(|c: char| c.is_ascii_uppercase()) => Kind::Named(name.to_owned()),
        other => bail!("{other:?} is no type"),
    })
}

fn extent(t: &mut Tokens) -> Result<Extent> {
    if t.take("<") {
        let extent = if t.take("V") { Extent::Long(t.bounds()?) } else { Extent::Short(t.bounds()?) };
        t.expect(">")?;
        return Ok(extent);
    }
    t.expect("[")?;
    let min = t.number()?;
    let extent = if t.take("..") { Extent::Rest((min, t.number()?)) } else { Extent::Fixed(min) };
    t.expect("]")?;
    Ok(extent)
}

/// `{0..64}` or `{0..16000 bytes}`, and `ascending`, behind an element's name.
fn list(t: &mut Tokens, element: Kind) -> Result<Kind> {
    if !t.take("{") {
        return Ok(element);
    }
    let bounds = t.bounds()?;
    let in_bytes = t.take("bytes");
    t.expect("}")?;
    Ok(Kind::List { element: Box::new(element), bounds, in_bytes, ascending: t.take("ascending") })
}

fn enumeration(t: &mut Tokens) -> Result<BTreeMap<u64, String>> {
    t.expect("{")?;
    let mut names = BTreeMap::new();
    loop {
        let name = t.word()?;
        t.expect("(")?;
        ensure!(names.insert(t.number()?, name).is_none(), "a number stands twice");
        t.expect(")")?;
        if !t.take(",") {
            t.expect("}")?;
            return Ok(names);
        }
    }
}

fn select(t: &mut Tokens) -> Result<Select> {
    let label = t.word()?;
    t.expect("(")?;
    let tag = plain(&t.word()?)?;
    t.expect(")")?;
    let has_length = t.take("<");
    if has_length {
        t.expect("V")?;
        t.expect(">")?;
    }
    t.expect("{")?;
    let (mut cases, mut ignores_even) = (BTreeMap::new(), false);
    loop {
        let word = t.word()?;
        match word.as_str() {
            "case" => {
                let (number, case) = case(t)?;
                ensure!(cases.insert(number, case).is_none(), "case {number} stands twice");
            }
            "even" => {
                t.expect(":")?;
                t.expect("ignored")?;
                ignores_even = true;
            }
            "other" => {
                t.expect(":")?;
                let other = t.word()?;
                t.expect(";")?;
                t.expect("}")?;
                return Ok(Select { label, tag, has_length, cases, ignores_even, other });
            }
            word => bail!("{word:?} is no case"),
        }
        t.expect(";")?;
    }
}

/// `1: BODY as NAME from web`
fn case(t: &mut Tokens) -> Result<(u64, Case)> {
    let number = t.number()?;
    t.expect(":")?;
    let body = t.word()?;
    let name = if t.take("as") { t.word()? } else { body.clone() };
    let from = if t.take("from") { Some(t.word()?) } else { None };
    Ok((number, Case { body, name, from }))
}

/// The names that a definition uses.
pub(super) fn names(definition: &Definition) -> Vec<String> {
    fn of_kind(kind: &Kind) -> Option<String> {
        match kind {
            Kind::Named(name) => Some(name.clone()),
            Kind::List { element, .. } => of_kind(element),
            Kind::Uint(_) | Kind::Varint | Kind::Bytes(..) => None,
        }
    }
    fn of_entry(entry: &Entry) -> Vec<String> {
        match entry {
            Entry::One(_, _, field) => of_kind(&field.kind).into_iter().collect(),
            Entry::Group(entries) => entries.iter().flat_map(of_entry).collect(),
        }
    }
    fn of_member(member: &Member) -> Option<String> {
        match member {
            Member::Field(field) => of_kind(&field.kind),
            Member::Require(..) => None,
        }
    }
    match definition {
        Definition::Struct(members) => members.iter().filter_map(of_member).collect(),
        Definition::Tlv(entries) => entries.iter().flat_map(of_entry).collect(),
        Definition::Enum(_) => Vec::new(),
        Definition::Select(select) => select.cases.values().map(|case| case.body.clone()).collect(),
        Definition::Message(body, _) | Definition::Padded(body, _) => vec![body.clone()],
    }
}
