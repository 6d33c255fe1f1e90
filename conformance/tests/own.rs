//! The files in `v1/` are what this build makes, every case runs, and every case can fail.

use std::fs;
use std::path::Path;

use handfast_conformance::case::{ErrorName, VectorFile, Verdict};
use handfast_conformance::manifest::Manifest;
use handfast_conformance::stats::Stats;
use serde_json::Value;

fn stored(topic: &str) -> (VectorFile, &'static str) {
    let name = format!("{topic}.json");
    let file = handfast_vectors::FILES.iter().find(|file| file.name == name).expect("the file is there");
    (serde_json::from_str(file.text).expect("the file is as described"), file.text)
}

#[test]
fn the_files_are_what_this_build_makes() {
    let files = handfast_conformance::files().expect("every case ends as written down");
    let mut total = 0;
    for file in &files {
        let (stored, text) = stored(&file.topic);
        assert!(file.to_text().expect("JSON") == text, "{}: run `handfast-conformance generate`", file.topic);
        for case in &stored.cases {
            case.check().expect("the case agrees");
        }
        total += stored.cases.len();
    }
    println!("{total} cases in {} files", files.len());
    let stats = Stats::of(&files).expect("total tables");
    assert!(stats.distinct >= 3_000 && stats.distinct == total, "{} distinct of {total}", stats.distinct);
    assert!(stats.invalid * 100 >= total * 55, "{} negative", stats.invalid);
    assert!(stats.largest_mutator.1 * 100 <= total * 15, "{:?}", stats.largest_mutator);
    assert_eq!(stats.cells_covered, stats.cells, "every state cell has a case");
    let manifest = Manifest::of("v1", &files).expect("a manifest");
    let stored = Manifest::parse(Path::new("manifest.json"), handfast_vectors::MANIFEST);
    assert!(stored.expect("the manifest") == manifest, "run `handfast-conformance generate`");
}

#[test]
fn every_file_is_part_of_the_crate_of_vectors() {
    let names: Vec<&str> = handfast_vectors::FILES.iter().map(|file| file.name).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/v1");
    let mut listed: Vec<_> = fs::read_dir(folder)
        .expect("the vectors")
        .map(|entry| entry.expect("a file").file_name().into_string().expect("text"))
        .collect();
    listed.sort();
    assert_eq!(names, listed, "write it into vectors/src/lib.rs");
}

/// Changes one digit of a text, or a number, or a flag, somewhere in a value.
fn alter(value: &mut Value) {
    match value {
        Value::String(text) => {
            let first = if text.starts_with('0') { "1" } else { "0" };
            *text = format!("{first}{}", text.get(1..).unwrap_or_default());
        }
        Value::Bool(flag) => *flag = !*flag,
        Value::Number(number) => *value = (number.as_u64().expect("unsigned") + 1).into(),
        Value::Array(list) => list.push(Value::Null),
        Value::Object(map) => alter(map.values_mut().next().expect("a field")),
        Value::Null => *value = true.into(),
    }
}

#[test]
fn a_case_with_another_expectation_fails() {
    let mut changed = 0;
    for file in handfast_conformance::files().expect("every case ends as written down") {
        for case in file.cases {
            let fields: Vec<_> = case.out.keys().cloned().collect();
            for field in fields {
                let mut wrong = case.clone();
                alter(wrong.out.get_mut(&field).expect("the field"));
                assert!(wrong.check().is_err(), "{}: {field}", case.id);
                changed += 1;
            }
            let mut wrong = case.clone();
            if case.result == Verdict::Valid {
                wrong.result = Verdict::Invalid;
            } else {
                wrong.error = Some(ErrorName { area: "link".to_owned(), code: "REKEY".to_owned() });
            }
            assert!(wrong.check().is_err(), "{}: the verdict", case.id);
            changed += 1;
        }
    }
    println!("{changed} changed expectations fail");
    assert!(changed > 700, "{changed}");
}

#[test]
fn every_requirement_of_a_case_stands_in_the_specification() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec");
    let texts = fs::read_dir(folder).expect("the specification").map(|entry| {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|ending| ending == "md") {
            fs::read_to_string(path).expect("text")
        } else {
            String::new()
        }
    });
    let spec: String = texts.collect();
    for file in handfast_conformance::files().expect("every case ends as written down") {
        for case in file.cases {
            assert!(!case.reqs.is_empty(), "{} shows something", case.id);
            for req in case.reqs {
                assert!(spec.contains(&format!("[{req}]")), "{}: {req}", case.id);
            }
        }
    }
}

#[test]
fn the_worked_example_is_what_this_build_makes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/example.md");
    let stored = fs::read_to_string(path).expect("the example is there");
    let made = handfast_conformance::example::page().expect("every value is there");
    assert!(stored == made, "run `handfast-conformance example > spec/example.md`");
}

#[test]
fn the_page_of_state_tables_is_current_and_cites_what_stands() {
    let spec = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec");
    let stored = fs::read_to_string(spec.join("state.md")).expect("the page is there");
    let tables = handfast_conformance::state::tables().expect("total tables");
    assert!(
        stored == handfast_conformance::state::page().expect("total tables"),
        "run `handfast-conformance states`"
    );
    let texts = fs::read_dir(spec).expect("the specification").filter_map(|entry| {
        let path = entry.expect("an entry").path();
        path.extension().is_some_and(|ending| ending == "md").then(|| fs::read_to_string(path).expect("text"))
    });
    let text: String = texts.collect();
    for table in &tables {
        for req in table.reqs() {
            assert!(text.contains(&format!("[{req}]")), "{}: {req}", table.machine);
        }
    }
}
