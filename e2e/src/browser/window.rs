//! What a test of a site does in any browser.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::webdriver::Browser;

/// What both browsers can do.
pub(super) trait Window {
    /// Goes to an address.
    fn go(&self, url: &str) -> Result<()>;
    /// Runs a script in the page and returns what it returns.
    fn run(&self, script: &str) -> Result<Value>;
    /// Sets another size and another scheme of colours.
    fn viewport(&self, width: u32, height: u32, dark: bool) -> Result<()>;
    /// Clicks on an element as a mouse does.
    fn click(&self, selector: &str) -> Result<()>;
    /// Presses keys where the focus is; those without a letter by their code of `WebDriver`.
    fn keys(&self, keys: &str) -> Result<()>;
    /// Writes what the window shows to a file.
    fn picture(&self, file: &Path) -> Result<()>;
    /// What the page complained about since it was asked last.
    fn said(&self) -> Result<Vec<String>>;
}

impl Window for Browser {
    fn go(&self, url: &str) -> Result<()> {
        self.go(url)
    }

    fn run(&self, script: &str) -> Result<Value> {
        self.run(script)
    }

    fn viewport(&self, width: u32, height: u32, dark: bool) -> Result<()> {
        self.emulate_viewport(width, height, dark)
    }

    fn click(&self, selector: &str) -> Result<()> {
        self.click(selector)
    }

    fn keys(&self, keys: &str) -> Result<()> {
        self.keys(keys)
    }

    fn picture(&self, file: &Path) -> Result<()> {
        self.picture(file)
    }

    fn said(&self) -> Result<Vec<String>> {
        self.said()
    }
}
