//! The files of the page and of its tests, served to the browser as the relay would.

use anyhow::{Context as _, Result};

use super::script::Script;
use crate::processes::keeper::Keeper;
use crate::workspace;

/// The program of that server.
const SERVER: &str = include_str!("files.py");

/// A server for the files of `reference-web`. It ends with this value.
pub(super) struct Files {
    _server: Script,
    address: String,
}

impl Files {
    /// Where they are.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Starts the server; each answer says this policy.
    ///
    /// # Errors
    /// It does not start.
    pub(super) fn serve(keeper: &Keeper, policy: &str) -> Result<Self> {
        let folder = workspace::root().join("reference-web");
        let folder = folder.to_str().context("a path that is no UTF-8")?;
        let mut server = Script::start(keeper, SERVER, &[folder, policy])?;
        let line = server.lines()?.next().context("python3 names no port")??;
        let port: u16 = line.trim().parse().context("python3 names no port")?;
        Ok(Self { _server: server, address: format!("http://127.0.0.1:{port}") })
    }
}
