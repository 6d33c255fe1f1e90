//! Cases that are left out, each for a reason: `skips.toml`.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::select::matches;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Skips {
    #[serde(default)]
    skip: Vec<Skip>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Skip {
    /// The cases, as a pattern.
    case: String,
    reason: String,
    /// The shim's name, if it is about one.
    shim: Option<String>,
}

impl Skips {
    /// Reads a file of skips.
    ///
    /// # Errors
    ///
    /// It cannot be read, is malformed, or leaves a reason out.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let skips: Self = toml::from_str(text)?;
        for skip in &skips.skip {
            ensure!(!skip.reason.trim().is_empty(), "the skip of {:?} has no reason", skip.case);
        }
        Ok(skips)
    }

    /// Why a case is left out of this shim's, if it is.
    pub(super) fn reason(&self, shim: &str, case: &str) -> Option<&str> {
        let is_of =
            |skip: &&Skip| skip.shim.as_ref().is_none_or(|name| name == shim) && matches(&skip.case, case);
        self.skip.iter().find(is_of).map(|skip| skip.reason.as_str())
    }

    /// Patterns that fit none of these cases.
    pub(super) fn stale(&self, cases: &[String]) -> Vec<&str> {
        let fits = |skip: &&Skip| !cases.iter().any(|case| matches(&skip.case, case));
        self.skip.iter().filter(fits).map(|skip| skip.case.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_needs_a_reason_and_may_be_of_one_shim() {
        let skips = Skips::parse(
            "[[skip]]\ncase = 'qr/*'\nreason = 'no camera'\n[[skip]]\ncase = 'a'\nreason = 'b'\nshim = 'x'",
        )
        .unwrap();
        assert_eq!(skips.reason("any", "qr/plain"), Some("no camera"));
        assert_eq!((skips.reason("x", "a"), skips.reason("y", "a")), (Some("b"), None));
        assert_eq!(skips.stale(&["qr/plain".to_owned()]), ["a"]);
        for (text, part) in [
            ("[[skip]]\ncase = 'a'\nreason = ' '", "no reason"),
            ("[[skip]]\ncase = 'a'", "reason"),
            ("[[skip]]\ncase = 'a'\nreason = 'b'\nsince = 1", "since"),
        ] {
            let told = format!("{:#}", Skips::parse(text).unwrap_err());
            assert!(told.contains(part), "{told}");
        }
    }
}
