//! Tasks of the Handfast workspace: `cargo xtask demo|test|fuzz|models|sim|mutants|old-release|trace|prose|bench`.

mod bench;
mod bindings;
mod examples;
mod figures;
mod fuzz;
mod models;
mod notices;
mod npm;
#[path = "../../reference-relay/build/pack.rs"]
mod pack;
mod packages;
mod page;
mod patches;
mod program_mutants;
mod prose;
mod sbom;
mod sim;
mod site;
#[path = "../../reference-relay/build/slim.rs"]
mod slim;
mod suite;
mod test;
mod trace;
mod vector_mutants;
mod venv;
mod wasm;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use handfast_e2e::{browser, command, debian, dissector, old_release, processes, workspace};

/// Tasks of the Handfast workspace.
#[derive(Parser, Debug)]
#[command(name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

/// What there is to do.
#[derive(Subcommand, Debug)]
enum Task {
    /// Starts relay, phone and companion and takes you through pairing and a chat.
    Demo(processes::Options),
    /// Runs all checks, one after the other, up to the first that fails.
    Test(test::Options),
    /// Runs the fuzz targets with libFuzzer.
    Fuzz(fuzz::Options),
    /// Plays devices of an older release against devices of today, with one side updated after the other.
    OldRelease(old_release::Options),
    /// Searches the rules of ratchet, recovery and resume exhaustively, and shows that each rule is needed.
    Models(models::Options),
    /// Shows which code, tests and vectors stand behind each requirement of the specification.
    Trace(trace::Options),
    /// Prints how long the library's examples are, and runs them while they are killed.
    Examples,
    /// Draws the figures of the specification from their texts in `spec/figures`.
    Figures,
    /// Runs the whole system in one process under seeded faults.
    Sim(sim::Options),
    /// Plants each mutant of `vectors/mutants` in a copy of the tree, where the vectors must notice; or those of the programs.
    Mutants(vector_mutants::Options),
    /// Builds the engine of the page as an importable package, in `reference-web/page/pkg`.
    Wasm(wasm::Options),
    /// Builds and packs the npm package `@handfast/companion` in `target/npm`, and tries it.
    Npm(npm::Options),
    /// Builds the machines for Python, Kotlin and Swift in `target/bindings`, and tries them.
    Bindings(bindings::Options),
    /// Writes the page as a folder for any web server, with a policy and a hash for every file.
    Page(page::Options),
    /// Writes specification, worked example, manual and reports as one static site, and walks its links.
    Site(site::Options),
    /// Writes the site and opens it in Chromium and in Firefox, from a file server and as files.
    SiteTest(site::TestOptions),
    /// Writes the list of all packages that the programs are built from, in the JSON of `CycloneDX`.
    Sbom(sbom::Options),
    /// Writes the licences of all that is compiled into a package, for whoever passes it on.
    Notices(notices::Options),
    /// Builds the conformance suite as packages for pip and npm, in `target/suite/packages`.
    Suite(suite::Options),
    /// Plays a story with the page as the companion, in Chromium.
    PageTest(browser::Options),
    /// Captures a run of relay, phone and companion, and lets tshark show it with the dissector of `tools`.
    Dissector(dissector::Options),
    /// Prints one table of figures, each beside a peer that was measured in the same run.
    Bench(bench::Options),
    /// Draws comments of what ships at random, for a reader who has not seen the code.
    Prose(prose::Options),
    /// Ends the processes named on its standard input when that closes (used by `demo`).
    #[command(hide = true)]
    Keep,
}

fn main() -> ExitCode {
    if wasm::is_rustc_wrapper() {
        return wasm::wrap_rustc();
    }
    let result = match Arguments::parse().task {
        Task::Demo(options) => processes::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::OldRelease(options) => old_release::run(&options),
        Task::Models(options) => models::run(&options),
        Task::Trace(options) => trace::run(&options),
        Task::Examples => examples::run(),
        Task::Figures => figures::run(),
        Task::Sim(options) => sim::run(&options),
        Task::Mutants(options) => vector_mutants::run(&options),
        Task::Wasm(options) => wasm::run(&options),
        Task::Npm(options) => npm::run(&options),
        Task::Bindings(options) => bindings::run(&options),
        Task::Page(options) => page::run(&options),
        Task::Site(options) => site::run(&options),
        Task::SiteTest(options) => site::test(&options),
        Task::Sbom(options) => sbom::run(&options),
        Task::Notices(options) => notices::run(&options),
        Task::Suite(options) => suite::run(&options),
        Task::PageTest(options) => browser::run(&options, engine),
        Task::Dissector(options) => dissector::run(&options).map(|()| true),
        Task::Bench(options) => bench::run(&options, engine),
        Task::Prose(options) => prose::run(&options),
        Task::Keep => processes::keeper::keep().map(|()| true),
    };
    report(result)
}

/// Builds the page's engine, for what looks at the page.
fn engine() -> Result<bool> {
    wasm::run(&wasm::Options::default())
}

fn report(result: Result<bool>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_options_of_all_tasks_make_sense() {
        Arguments::command().debug_assert();
    }
}
