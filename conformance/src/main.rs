//! Asks implementations of the Handfast protocol the vectors: see `cli.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    handfast_conformance::cli::run()
}
