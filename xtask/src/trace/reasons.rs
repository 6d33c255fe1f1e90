//! Why no program reaches a cited check, from `reached.toml`.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::sites::Site;
use crate::workspace;

/// The file, below the folder of this crate.
const FILE: &str = "reached.toml";

/// All reasons.
#[derive(Deserialize)]
pub(super) struct Reasons {
    #[serde(default)]
    reason: Vec<Reason>,
}

/// Why the checks of some requirements in some file are executed by no program.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    /// The file, or the folder with a `/` behind it.
    file: String,
    /// The function; left out, all of the file.
    function: Option<String>,
    why: String,
}

impl Reason {
    fn is_for(&self, site: &Site) -> bool {
        let in_file =
            site.file == self.file || (self.file.ends_with('/') && site.file.starts_with(&self.file));
        in_file && self.function.as_ref().is_none_or(|function| *function == site.function)
    }
}

impl Reasons {
    /// Reads the file.
    ///
    /// # Errors
    /// It is not there, or says something else; a reason has no words.
    pub(super) fn read() -> Result<Self> {
        let text = std::fs::read_to_string(workspace::root().join("xtask").join(FILE))
            .context("no xtask/reached.toml")?;
        let reasons: Self = toml::from_str(&text).context("xtask/reached.toml cannot be read")?;
        ensure!(reasons.reason.iter().all(|reason| reason.why.len() > 10), "a reason has no words");
        Ok(reasons)
    }

    /// The reason for a site.
    pub(super) fn of(&self, site: &Site) -> Option<&str> {
        self.reason.iter().find(|reason| reason.is_for(site)).map(|reason| reason.why.as_str())
    }

    /// The reasons for which there is no site that needs one.
    pub(super) fn needless(&self, reached: impl Fn(&Site) -> bool, sites: &[&Site]) -> Vec<String> {
        let needed = |reason: &Reason| sites.iter().any(|site| reason.is_for(site) && !reached(site));
        let name =
            |reason: &Reason| format!("{} {}", reason.file, reason.function.as_deref().unwrap_or("(all)"));
        self.reason.iter().filter(|reason| !needed(reason)).map(name).collect()
    }
}
