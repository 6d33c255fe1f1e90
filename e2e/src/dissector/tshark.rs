//! Running tshark with the dissector.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{command, workspace};

/// The longest run of tshark, in seconds.
const SECONDS_MAX: &str = "120";
/// The head of a capture without packets: magic number, version 2.4, the longest packet, Ethernet.
const EMPTY_CAPTURE: [u8; 24] =
    [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
/// How many cases the dissector's own tests have at least: fewer, and something was left out.
const CASES_MIN: usize = 2_500;

/// Returns whether tshark and dumpcap are installed.
pub(super) fn is_there() -> bool {
    ["tshark", "dumpcap"].iter().all(|name| command::succeeds(Command::new(name).arg("--version")))
}

/// What tshark has printed.
#[derive(Debug)]
pub(super) struct Printed {
    pub(super) text: String,
    /// Whether it could read the capture to its end.
    pub(super) is_whole: bool,
}

/// The fields of a packet, by filter name.
pub(super) type Row = BTreeMap<String, String>;

/// A capture, and how to look at it.
pub(super) struct Look<'a> {
    pub(super) capture: &'a Path,
    pub(super) keys: Option<&'a Path>,
    /// The relay's address: Wireshark may know its port as that of another protocol.
    pub(super) relay: &'a str,
}

impl Look<'_> {
    /// Prints with these words.
    ///
    /// # Errors
    /// tshark cannot be started, does not end, or the dissector fails.
    pub(super) fn print(&self, words: &[&str]) -> Result<Printed> {
        let port = self.relay.rsplit(':').next().context("a relay without a port")?;
        let mut tshark = tshark("handfast.lua");
        let _ = tshark.arg("-r").arg(self.capture).args(["-d", &format!("tcp.port=={port},http")]);
        if let Some(keys) = self.keys {
            let _ = tshark.args(["-o", &format!("handfast.key_log:{}", keys.display())]);
        }
        printed(tshark.args(words))
    }

    /// Returns these fields of the packets that pass a filter.
    ///
    /// # Errors
    /// As [`Look::print`].
    pub(super) fn rows(&self, filter: &str, fields: &[&str]) -> Result<Vec<Row>> {
        let mut words = vec!["-Y", filter, "-T", "fields", "-E", "separator=/t"];
        words.extend(fields.iter().flat_map(|field| ["-e", field]));
        let printed = self.print(&words)?;
        ensure!(printed.is_whole, "tshark cannot read {}", self.capture.display());
        let row = |line: &str| {
            let values = line.split('\t').map(str::to_owned);
            fields.iter().map(|&field| field.to_owned()).zip(values).collect()
        };
        Ok(printed.text.lines().map(row).collect())
    }
}

/// Runs the tests of the dissector's parts inside tshark: the RFC's vectors, and those of this repository.
///
/// # Errors
/// One fails.
pub(super) fn check_own_tests() -> Result<()> {
    let words = ["run", "--quiet", "--locked", "--package", "handfast-conformance", "--example", "dissector"];
    let cases = command::output(command::cargo(words).args(["--", "cases"]))?;
    let count = cases.lines().count();
    ensure!(count >= CASES_MIN, "there are only {count} cases for the dissector");
    let folder = workspace::target().join("dissector");
    fs::create_dir_all(&folder)?;
    let (list, empty) = (folder.join("cases"), folder.join("empty.pcap"));
    fs::write(&list, cases)?;
    fs::write(&empty, EMPTY_CAPTURE)?;
    let mut tshark = tshark("test_dissector.lua");
    let _ = tshark.args(["-X", &format!("lua_script1:{}", list.display())]).arg("-r").arg(&empty);
    let printed = printed(&mut tshark)?;
    ensure!(printed.text.contains("read alike"), "the dissector's own tests did not end:\n{}", printed.text);
    print!("  {}", printed.text);
    Ok(())
}

/// Runs a script of `tools`, without what the user of this machine has set in Wireshark.
fn tshark(script: &str) -> Command {
    let script: PathBuf = workspace::root().join("tools").join(script);
    let mut command = Command::new("timeout");
    let _ = command.args(["-k", "10", SECONDS_MAX, "tshark", "-n", "-X"]);
    let _ = command.arg(format!("lua_script:{}", script.display()));
    let _ = command.env("WIRESHARK_CONFIG_DIR", workspace::target().join("dissector/config"));
    command
}

fn printed(tshark: &mut Command) -> Result<Printed> {
    let output = tshark.stdin(Stdio::null()).output().context("tshark cannot be started")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("Lua") || text.contains("Lua Error") {
        let line = text.lines().find(|line| line.contains("Lua Error")).unwrap_or_default();
        bail!("the dissector fails:\n{errors}{line}");
    }
    // 2 is a capture that ends within a packet.
    ensure!(matches!(output.status.code(), Some(0 | 2)), "tshark ended with {}:\n{errors}", output.status);
    Ok(Printed { text, is_whole: output.status.success() })
}
