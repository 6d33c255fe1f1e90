//! The tables of the Wireshark dissector are those of the specification.

use std::fs;
use std::path::Path;

#[test]
fn the_tables_of_the_dissector_are_those_of_the_specification() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/handfast_wire.lua");
    let stored = fs::read_to_string(path).expect("the tables are there");
    let made = handfast_conformance::dissector::tables().expect("every list is there");
    assert!(
        stored == made,
        "run `cargo run -p handfast-conformance --example dissector > tools/handfast_wire.lua`"
    );
}
