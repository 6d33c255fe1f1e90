//! Every vector of bytes, read by the grammar of `spec/wire.tls`: the same values, or the same error, as by the codec.

use handfast_codec::relay::RelayFrame;
use handfast_conformance::case::{Case, VectorFile, Verdict};
use handfast_conformance::grammar::{Grammar, Refusal, Span, WIRE, of_case};
use serde_json::Value;

fn grammar() -> Grammar {
    Grammar::parse(WIRE).expect("the grammar is well formed")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The definition for a case, the sender and the bytes, where a case is about them alone.
fn input(case: &Case) -> Option<(&'static str, Option<&str>, Vec<u8>)> {
    if case.op == "attach.verify" { None } else { of_case(case) }
}

/// Each value with the name of the field it stands in; what is absent in one form and false in the other is left out.
fn leaves(name: &str, value: &Value, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| leaves(name, value, out)),
        Value::Array(list) => list.iter().for_each(|value| match value {
            Value::Object(map) => map.values().for_each(|value| leaves(name, value, out)),
            value => leaves(name, value, out),
        }),
        Value::Bool(false) | Value::Null => {}
        Value::Bool(true) => out.push((name.to_owned(), "1".to_owned())),
        Value::Number(number) => out.push((name.to_owned(), number.to_string())),
        Value::String(text) => out.push((name.to_owned(), text.clone())),
    }
}

fn sorted(value: &Value) -> Vec<(String, String)> {
    let mut out = Vec::new();
    match value.get("frames") {
        // A record's frames keep the names of their own fields.
        Some(Value::Array(frames)) => frames.iter().for_each(|frame| leaves("", frame, &mut out)),
        _ => leaves("", value, &mut out),
    }
    // The grammar has the number 0 where the codec has false.
    out.retain(|(name, value)| (name.as_str(), value.as_str()) != ("same_net", "0"));
    out.sort();
    out
}

#[test]
fn every_vector_of_bytes_reads_alike() {
    let grammar = grammar();
    let (mut accepted, mut refused) = (0, 0);
    for file in handfast_vectors::FILES {
        let file: VectorFile = serde_json::from_str(file.text).expect("a vector file");
        for case in &file.cases {
            let Some((name, from, bytes)) = input(case) else { continue };
            let read = grammar.read(name, from, &bytes).expect("a name of the grammar");
            match (read, case.result) {
                (Ok(reading), Verdict::Valid) => {
                    let mut expected = sorted(&Value::Object(case.out.clone()));
                    // The grammar has one version where the certificate's has a field of its own.
                    let mut found = sorted(&Value::Object(reading.value));
                    if name == "LinkRecord" {
                        found.retain(|(name, _)| name != "version");
                    }
                    expected.sort();
                    assert_eq!(found, expected, "{}", case.id);
                    accepted += 1;
                }
                (Err(refusal), Verdict::Invalid) => {
                    let expected = case.error.as_ref().map(|error| error.code.as_str());
                    assert_eq!(Some(refusal.code.as_str()), expected, "{} at {}", case.id, refusal.at);
                    refused += 1;
                }
                (Ok(_), Verdict::Invalid) => panic!("{}: the grammar accepts it", case.id),
                (Err(refusal), Verdict::Valid) => panic!("{}: the grammar refuses it: {refusal:?}", case.id),
            }
        }
    }
    println!("{accepted} accepted, {refused} refused");
    assert!(accepted >= 90 && refused >= 200, "{accepted} {refused}");
}

/// Changes each byte of every valid case in a few ways: codec and grammar still agree.
#[test]
fn a_changed_byte_is_read_alike() {
    let grammar = grammar();
    let mut tried = 0;
    for file in handfast_conformance::files().expect("every case ends as written down") {
        for case in file.cases.iter().filter(|case| case.result == Verdict::Valid && case.mutator.is_none()) {
            let Some((name, from, bytes)) = input(case) else { continue };
            let field = ["frame", "plaintext", "payload", "message", "body"];
            let field = field.into_iter().find(|field| case.input.contains_key(*field)).expect("bytes");
            for at in (0..bytes.len()).take(160) {
                for change in [1_u8, 0x40, 0x80] {
                    let mut changed = bytes.clone();
                    if let Some(byte) = changed.get_mut(at) {
                        *byte ^= change;
                    }
                    let mut input = case.input.clone();
                    let text = hex(&changed);
                    let _ = input.insert(field.to_owned(), text.into());
                    // What is ignored is not written again.
                    let _ = input.insert("grease".to_owned(), true.into());
                    let codec = match handfast_conformance::ops::run(&case.op, &input) {
                        Ok(ending) => ending.map(|_| ()).map_err(|code| code.name().to_owned()),
                        Err(_) => continue,
                    };
                    let read = grammar.read(name, from, &changed).expect("a name of the grammar");
                    let read = read.map(|_| ()).map_err(|refusal| refusal.code);
                    assert_eq!(read, codec, "{} with byte {at} ^ {change:#x}", case.id);
                    tried += 1;
                }
            }
        }
    }
    println!("{tried} changed inputs read alike");
    assert!(tried > 10_000, "{tried}");
}

/// A pairing ATTACH of the phone without its key, and with a salt: the lower field gives the error.
#[test]
fn of_two_faults_both_tell_the_first() {
    let field = |number: u8, value: &[u8]| {
        let len = u8::try_from(value.len()).expect("short");
        [&[number][..], if len < 64 { &[] } else { &[0x40] }, &[len], value].concat()
    };
    let attach = |fields: &[Vec<u8>]| {
        [
            &[5_u8][..],
            &field(1, &[1]),
            &field(3, &[1]),
            &field(5, &[1]),
            &field(7, &[7; 16]),
            &fields.concat(),
        ]
        .concat()
    };
    let (salt, signature) = (field(13, &[1; 16]), field(15, &[1; 64]));
    for (fields, code) in [
        (vec![salt.clone(), signature.clone()], "FIELD_MISSING"),
        (vec![field(9, &[1; 31]), salt.clone(), signature.clone()], "FIELD_LENGTH"),
        (vec![field(9, &[1; 32]), field(11, &[1; 32]), salt, signature], "FIELD_VALUE"),
    ] {
        let bytes = attach(&fields);
        let refusal = grammar().read("RelayMessage", None, &bytes).expect("a name").unwrap_err();
        let codec = RelayFrame::decode(bytes.into()).unwrap_err();
        assert_eq!((refusal.code.as_str(), codec.code().name()), (code, code));
    }
}

#[test]
fn bytes_are_told_with_their_names() {
    let bytes = [21, 7, 10, 0, 0, 3, 232];
    let reading = grammar().read("RelayMessage", None, &bytes).expect("a name").expect("an ERROR");
    let span = |path: &str, at, len| Span { path: path.to_owned(), at, len };
    let expected = [span("ERROR", 0, 7), span("ERROR.code", 1, 2), span("ERROR.retry_ms", 3, 4)];
    assert_eq!(reading.spans, expected);
    let refusal = grammar().read("RelayMessage", None, &bytes[..4]).expect("a name").unwrap_err();
    assert_eq!(refusal, Refusal { code: "TRUNCATED".to_owned(), at: 3 });
}

#[test]
fn a_malformed_grammar_is_told() {
    for (text, part) in [
        ("struct { Unknown x; } A;", "not defined"),
        ("struct { float x; } A;", "no type"),
        ("struct { } A; struct { } A;", "twice"),
        ("/* no end", "does not end"),
        ("struct { uint8 x }", "expected"),
    ] {
        let error = format!("{:#}", Grammar::parse(text).unwrap_err());
        assert!(error.contains(part), "{error}");
    }
}
