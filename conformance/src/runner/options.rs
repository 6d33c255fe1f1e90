//! What is asked, and how.

use std::fmt::Display;
use std::path::PathBuf;

/// How long a shim may take for one answer, unless it is said otherwise.
const PATIENCE_MS: u64 = 5_000;

/// How an error is held against what is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[expect(clippy::exhaustive_enums, reason = "the two levels of conformance")]
pub enum Level {
    /// The area must be right.
    Area,
    /// The code must be right.
    Strict,
}

/// What to run.
#[derive(Debug, clap::Args)]
#[expect(clippy::exhaustive_structs, reason = "the options of a command")]
pub struct Options {
    /// The command that starts the shim; give it once for each implementation. No shell reads it.
    #[arg(long = "shim", value_name = "CMD", required = true)]
    pub shims: Vec<String>,
    /// Which cases, and how they are asked.
    #[command(flatten)]
    pub asking: Asking,
}

/// Which cases are asked, how, and what is done with the answers.
#[derive(Debug, clap::Args)]
#[expect(clippy::exhaustive_structs, reason = "the options of a command")]
pub struct Asking {
    /// Only cases whose id fits: `*` stands for any letters, `?` for one.
    #[arg(long, value_name = "GLOB", default_value = "*")]
    pub case: String,
    /// Whether the area of an error is enough.
    #[arg(long, value_enum, default_value = "area")]
    pub level: Level,
    /// How many processes of a shim run at a time [default: one for each core].
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Ask each case so many times; every answer must be right.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub repeat: usize,
    /// How long a shim may take to start and greet.
    #[arg(long, value_name = "MS", default_value_t = 30_000)]
    pub start_ms: u64,
    /// How long a shim may take for one answer.
    #[arg(long, value_name = "MS", default_value_t = PATIENCE_MS)]
    pub patience_ms: u64,
    /// Cases to leave out, each for a reason: see SHIMS.md.
    #[arg(long, value_name = "FILE")]
    pub skips: Option<PathBuf>,
    /// Cases that are known to fail, each with a reason: see SHIMS.md. One that passes fails the run.
    #[arg(long, value_name = "FILE")]
    pub expect: Option<PathBuf>,
    /// How many failing cases of each implementation are explained in full; the others get a line each [default: 1].
    #[arg(long, value_name = "N")]
    pub explain: Option<usize>,
    /// Write report.json, junit.xml and report.html into this folder.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Count what is not supported or skipped as failed.
    #[arg(long)]
    pub complete: bool,
}

impl Asking {
    /// The options without which a case that is run again might end otherwise.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut add = |name: &str, value: &dyn Display| words.extend([name.to_owned(), value.to_string()]);
        if self.level != Level::Area {
            add("--level", &self.level.name());
        }
        if self.repeat != 1 {
            add("--repeat", &self.repeat);
        }
        if self.patience_ms != PATIENCE_MS {
            add("--patience-ms", &self.patience_ms);
        }
        if self.complete {
            words.push("--complete".to_owned());
        }
        words
    }
}

impl Level {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Area => "area",
            Self::Strict => "strict",
        }
    }

    pub(super) fn is_strict(self) -> bool {
        self == Self::Strict
    }
}
