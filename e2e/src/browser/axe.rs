//! axe-core, which looks for barriers in a page: fetched for tests alone, by npm, in the version of the lock file.

use anyhow::{Context as _, Result, ensure};

use super::webdriver::Browser;
use crate::{command, workspace};

/// Where the package and its lock file lie.
const PACKAGE: &str = "reference-web/tests/axe";

/// The program, as a text to be run in a page.
#[derive(Debug)]
pub(super) struct Axe(String);

impl Axe {
    /// Fetches it, unless it is here.
    ///
    /// # Errors
    /// npm cannot fetch it.
    pub(super) fn fetch() -> Result<Self> {
        let folder = workspace::target().join("axe");
        let script = folder.join("node_modules/axe-core/axe.min.js");
        std::fs::create_dir_all(&folder)?;
        for name in ["package.json", "package-lock.json"] {
            let _ = std::fs::copy(workspace::root().join(PACKAGE).join(name), folder.join(name))?;
        }
        if !script.is_file() {
            let words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
            command::run(command::program("npm", words).current_dir(&folder))
                .context("axe-core is missing; it comes with `npm ci`, which needs Node and a network")?;
        }
        let text = std::fs::read_to_string(&script).context("npm brought no axe-core")?;
        Ok(Self(text))
    }

    /// Looks at what the browser shows.
    ///
    /// # Errors
    /// There is a finding that is serious or critical; the text says which.
    pub(super) fn look(&self, browser: &Browser, what: &str) -> Result<()> {
        self.find(browser, what, "['serious', 'critical'].includes(one.impact)")
    }

    /// Looks at what the browser shows, and lets nothing pass.
    ///
    /// # Errors
    /// There is any finding; the text says which.
    pub(super) fn look_closely(&self, browser: &Browser, what: &str) -> Result<()> {
        self.find(browser, what, "true")
    }

    fn find(&self, browser: &Browser, what: &str, which: &str) -> Result<()> {
        let found = browser.run(&format!(
            "{}; const found = await window.axe.run(document, {{ resultTypes: ['violations'] }}); \
             return found.violations.filter((one) => {which}) \
             .map((one) => `${{one.id}}: ${{one.nodes.map((node) => node.html.slice(0, 120)).slice(0, 3).join(' ')}}`);",
            self.0
        ))?;
        ensure!(found.as_array().is_some_and(Vec::is_empty), "{what} has barriers: {found}");
        Ok(())
    }
}
