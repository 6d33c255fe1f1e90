//! The runner by the name that it had while it lived with the vectors, for scripts that call it so.

use std::process::ExitCode;

fn main() -> ExitCode {
    handfast_conformance::cli::run()
}
