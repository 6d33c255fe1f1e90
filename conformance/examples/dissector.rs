//! Prints the tables of the Wireshark dissector, `tools/handfast_wire.lua`; with the word `cases`, what
//! `tools/test_dissector.lua` tries.

use std::io::Write as _;

use handfast_conformance::dissector;

fn main() -> anyhow::Result<()> {
    let text = match std::env::args().nth(1).as_deref() {
        None => dissector::tables()?,
        Some("cases") => dissector::cases()?,
        Some(other) => anyhow::bail!("`{other}` is not known; `cases` is"),
    };
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
