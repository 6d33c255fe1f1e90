//! The Rust implementation as a shim for `handfast-conformance`.

use std::process::ExitCode;

use clap::Parser;

/// Answers the requests of `handfast-conformance` on standard input, with the Rust implementation.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// A role that it plays: phone, web or relay.
    #[arg(long = "role", value_parser = ["phone", "web", "relay"], required = true)]
    roles: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match handfast_conformance::shim::serve(
        &arguments.roles,
        std::io::stdin().lock(),
        std::io::stdout().lock(),
    ) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            handfast_conformance::out::complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
