//! Why no program reaches a cited check, or notices that it is gone, from `reached.toml`.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::sites::Site;
use crate::workspace;

/// The file, below the folder of this crate.
const FILE: &str = "reached.toml";

/// All reasons.
#[derive(Deserialize)]
pub(super) struct Reasons {
    /// Of checks that no program executes.
    #[serde(default)]
    reason: Vec<Reason>,
    /// Of checks that programs execute, and whose absence none of their runs can show.
    #[serde(default)]
    unnoticed: Vec<Reason>,
}

/// Why this is so of the cited checks in some file.
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

    fn place(&self) -> String {
        format!("{} {}", self.file, self.function.as_deref().unwrap_or("(all)"))
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
        let mut all = reasons.reason.iter().chain(&reasons.unnoticed);
        ensure!(all.all(|reason| reason.why.len() > 10), "a reason has no words");
        Ok(reasons)
    }

    /// Why no program executes a site.
    pub(super) fn of(&self, site: &Site) -> Option<&str> {
        find(&self.reason, site)
    }

    /// Why no run of the programs can notice that the check at a site is gone.
    pub(super) fn of_unnoticed(&self, site: &Site) -> Option<&str> {
        find(&self.unnoticed, site).or_else(|| self.of(site))
    }

    /// The reasons for which there is no site that needs one.
    pub(super) fn needless(&self, reached: impl Fn(&Site) -> bool, sites: &[&Site]) -> Vec<String> {
        let needed = |reason: &Reason| sites.iter().any(|site| reason.is_for(site) && !reached(site));
        self.reason.iter().filter(|reason| !needed(reason)).map(Reason::place).collect()
    }

    /// The reasons why nobody notices, for which there is no site at all.
    pub(super) fn without_site(&self, sites: &[Site]) -> Vec<String> {
        let has_site = |reason: &&Reason| sites.iter().any(|site| reason.is_for(site));
        self.unnoticed.iter().filter(|reason| !has_site(reason)).map(Reason::place).collect()
    }
}

fn find<'a>(reasons: &'a [Reason], site: &Site) -> Option<&'a str> {
    reasons.iter().find(|reason| reason.is_for(site)).map(|reason| reason.why.as_str())
}
