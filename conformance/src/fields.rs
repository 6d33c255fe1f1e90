//! Reading and writing the fields of a case: hex, numbers, text.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};

/// Returns bytes as lower-case hex.
pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns a number as JSON holds it everywhere: from 2^53 on as a decimal string.
pub(crate) fn number(value: u64) -> Value {
    if value < 1 << 53 { Value::from(value) } else { Value::from(value.to_string()) }
}

/// Reads the hex digits of a text.
pub(crate) fn unhex(text: &str) -> Result<Vec<u8>> {
    ensure!(text.len().is_multiple_of(2) && text.is_ascii(), "hex has whole bytes");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2).unwrap_or_default(), 16).context("hex digits"))
        .collect()
}

fn as_u64(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

/// Typed access to the fields of an object.
pub(crate) trait Fields {
    fn field(&self, name: &str) -> Result<&Value>;

    fn text(&self, name: &str) -> Result<&str> {
        self.field(name)?.as_str().with_context(|| format!("{name} is text"))
    }

    fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        unhex(self.text(name)?).with_context(|| name.to_owned())
    }

    fn array<const N: usize>(&self, name: &str) -> Result<[u8; N]> {
        self.bytes(name)?.try_into().ok().with_context(|| format!("{name} has {N} bytes"))
    }

    fn u64(&self, name: &str) -> Result<u64> {
        as_u64(self.field(name)?).with_context(|| format!("{name} is a number"))
    }

    fn object(&self, name: &str) -> Result<&Map<String, Value>> {
        self.field(name)?.as_object().with_context(|| format!("{name} is an object"))
    }

    /// A list of numbers, or of pairs of numbers flattened.
    fn numbers(&self, name: &str) -> Result<Vec<u64>> {
        let list = self.field(name)?.as_array().with_context(|| format!("{name} is a list"))?;
        let flat =
            list.iter().flat_map(|value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]));
        flat.map(|value| as_u64(&value).with_context(|| format!("{name} has numbers"))).collect()
    }

    /// A list of pairs of numbers.
    fn pairs(&self, name: &str) -> Result<Vec<(u64, u64)>> {
        let numbers = self.numbers(name)?;
        let (pairs, rest) = numbers.as_chunks();
        ensure!(rest.is_empty(), "{name} has pairs");
        Ok(pairs.iter().map(|[first, second]| (*first, *second)).collect())
    }

    fn flag(&self, name: &str) -> Result<bool> {
        self.field(name)?.as_bool().with_context(|| format!("{name} is true or false"))
    }
}

impl Fields for Map<String, Value> {
    fn field(&self, name: &str) -> Result<&Value> {
        self.get(name).with_context(|| format!("the field {name} is missing"))
    }
}
