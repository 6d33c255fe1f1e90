//! The screens that are hard to reach by hand, from written events in the real views: pictures, and a look at what must
//! hold on all of them.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::webdriver::Browser;
use crate::demo::keeper::Keeper;
use crate::demo::table::Table;
use crate::workspace;

/// Width and height of a wide and of the narrowest window.
const WIDE: (u32, u32) = (1200, 800);
const NARROW: (u32, u32) = (320, 700);

/// The scenes that become pictures: name, size, dark.
const PICTURES: [(&str, (u32, u32), bool); 9] = [
    ("chat", WIDE, false),
    ("states", WIDE, false),
    ("transfer", WIDE, true),
    ("chats", NARROW, false),
    ("states", NARROW, true),
    ("taken-over", WIDE, false),
    ("suspended", WIDE, false),
    ("revoked", WIDE, false),
    ("contended", WIDE, false),
];

/// What is wrong with the page as it is laid out now: something reaches out of the window, a control has no name, or
/// text has too little contrast.
const FAULTS: &str = include_str!("faults.js");

/// A server for the files of `reference-web`. It ends with this value.
struct Files {
    child: Child,
    address: String,
}

impl Files {
    fn serve(keeper: &Keeper) -> Result<Self> {
        let mut command = Command::new("python3");
        let _ = command
            .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"])
            .arg(workspace::root().join("reference-web"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().context("python3 cannot be started")?;
        let mut line = String::new();
        let started = keeper.hold(child.id()).and_then(|()| {
            let output = child.stdout.take().context("python3 has no output")?;
            let _ = BufReader::new(output).read_line(&mut line)?;
            let port = line.split_whitespace().skip_while(|word| *word != "port").nth(1);
            port.map(|port| format!("http://127.0.0.1:{port}")).context("python3 names no port")
        });
        match started {
            Ok(address) => Ok(Self { child, address }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Shows every scene, wide and narrow, light and dark, looks for faults, and takes the pictures.
///
/// # Errors
/// A scene does not come, or has a fault.
pub(super) fn play(browser: &Browser, keeper: &Keeper, pictures: &Path, table: &mut Table) -> Result<()> {
    let files = Files::serve(keeper)?;
    browser.go(&format!("{}/tests/page/names.html", files.address))?;
    let names = browser.wait("the names of the scenes", "return document.documentElement.dataset.names")?;
    let names: Vec<String> = names.as_str().unwrap_or_default().split(' ').map(str::to_owned).collect();
    ensure!(names.len() > 20, "only {} scenes", names.len());
    let mut shown = 0;
    for name in &names {
        for (size, dark) in [(WIDE, false), (WIDE, true), (NARROW, false), (NARROW, true)] {
            browser.pretend(size.0, size.1, dark)?;
            browser.go(&format!("{}/tests/page/scenes.html?scene={name}", files.address))?;
            let is_shown = format!("return document.documentElement.dataset.shown === {name:?}");
            let _ = browser.wait(name, &is_shown)?;
            let faults = browser.run(FAULTS)?;
            let none = faults.as_array().is_some_and(Vec::is_empty);
            ensure!(none, "{name} at {} pixels{}: {faults}", size.0, if dark { ", dark" } else { "" });
            let said = browser.said()?;
            ensure!(said.is_empty(), "{name}: the console says {said:?}");
            if PICTURES.contains(&(name.as_str(), size, dark)) {
                let tail = format!(
                    "{}{}",
                    if size == NARROW { "-narrow" } else { "" },
                    if dark { "-dark" } else { "" }
                );
                browser.picture(&pictures.join(format!("{name}{tail}.png")))?;
            }
            shown += 1;
        }
    }
    table.ok(
        "every screen, wide and narrow, light and dark",
        format!("{shown} layouts: nothing reaches out, every control has a name, contrast is at least 4.5"),
    );
    Ok(())
}
