//! The module of the site's worked example: its operations of the test vectors over the crates of the reference, and the
//! decoder of the collected grammar. Both take and return text, so that a page needs no knowledge of types.

use anyhow::{Context as _, Result};
use handfast_conformance::grammar::{Grammar, WIRE};
use handfast_conformance::ops;
use serde_json::{Map, Value, json};
use wasm_bindgen::prelude::*;

/// Reads bytes by the collected grammar, and returns JSON: `fields`, an array of the path, the first byte, the length and the
/// value of each field. Where the bytes are refused also `refused`, the error, and `at`, the byte at which it was found;
/// the fields are then those in front of it.
///
/// `hex` are the bytes, `from` is the sending role, `phone` or `web`, where the layout depends on it, else empty.
///
/// # Errors
/// The grammar does not have the name, or `hex` is not hexadecimal.
#[wasm_bindgen]
pub fn read(name: &str, from: &str, hex: &str) -> Result<String, JsError> {
    let from = (!from.is_empty()).then_some(from);
    read_json(name, from, hex).map(|value| value.to_string()).map_err(|error| js_error(&error))
}

/// Runs an operation of the worked example on an input in JSON, and returns its outcome in JSON: `out` and `debug`, or
/// `refused` with the error.
///
/// # Errors
/// The example has no such operation, or the input is not what it takes.
#[wasm_bindgen]
pub fn run(operation: &str, input: &str) -> Result<String, JsError> {
    run_json(operation, input).map(|value| value.to_string()).map_err(|error| js_error(&error))
}

fn js_error(error: &anyhow::Error) -> JsError {
    JsError::new(&format!("{error:#}"))
}

fn read_json(name: &str, from: Option<&str>, hex: &str) -> Result<Value> {
    let (grammar, bytes) = (Grammar::parse(WIRE)?, bytes(hex)?);
    let (fields, refusal) = grammar.fields(name, from, &bytes)?;
    let fields: Vec<Value> =
        fields.into_iter().map(|(span, value)| json!([span.path, span.at, span.len, value])).collect();
    Ok(match refusal {
        None => json!({ "fields": fields }),
        Some(refusal) => json!({ "fields": fields, "refused": refusal.code, "at": refusal.at }),
    })
}

fn run_json(operation: &str, input: &str) -> Result<Value> {
    let input: Map<String, Value> = serde_json::from_str(input).context("the input is no JSON object")?;
    Ok(match ops::run_of_example(operation, &input)? {
        Ok(outcome) => json!({ "out": outcome.out, "debug": outcome.debug }),
        Err(code) => json!({ "refused": code.to_string() }),
    })
}

fn bytes(hex: &str) -> Result<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        hex.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.context("not hexadecimal")?;
    let (pairs, rest) = digits.as_chunks();
    anyhow::ensure!(rest.is_empty(), "hexadecimal has two digits a byte");
    Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_field_by_field() {
        let ping = format!("01020700{}", "00".repeat(124));
        let read = read_json("Record", Some("phone"), &ping).unwrap();
        let fields = json!([["PING", 0, 4, null], ["PING.id", 2, 1, 7], ["PING.rev", 3, 1, 0]]);
        assert_eq!(read, json!({ "fields": fields }));
    }

    #[test]
    fn a_refusal_names_its_byte() {
        let cut = read_json("AttachSigned", None, "0a").unwrap();
        assert_eq!(cut["refused"], "TRUNCATED", "{cut}");
        assert!(read_json("Nothing", None, "").is_err());
        assert!(read_json("Record", None, "0").is_err());
        assert!(read_json("Record", None, "zz").is_err());
    }

    #[test]
    fn an_operation_returns_its_outcome_or_its_refusal() {
        let run = run_json("qr.decode", r#"{"text":""}"#).unwrap();
        assert_eq!(run["refused"], "QR_NOT_HANDFAST", "{run}");
        assert!(run_json("qr.decode", "[]").is_err());
        assert!(run_json("nothing", "{}").is_err());
    }
}
