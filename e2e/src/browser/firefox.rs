//! Debian's Firefox, driven by Marionette, the protocol that it speaks itself: a length, a colon, and JSON.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::webdriver::base64;
use super::window::Window;
use crate::debian;
use crate::processes::keeper::Keeper;

const FIREFOX: &str = "/usr/bin/firefox-esr";
const PACKAGES: [&str; 1] = ["firefox-esr"];
/// How long it may take until it listens, and how long one request.
const START_MAX: Duration = Duration::from_mins(1);
const REQUEST_MAX: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(50);
/// The name under which an element is given.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// The window, in which every page has its place: width and height.
const WINDOW: [u32; 2] = [1500, 1100];
/// A request, and its answer.
const REQUEST: u8 = 0;

/// Installs the browser if it is missing.
///
/// # Errors
/// It is missing and cannot be installed. The message names the command.
pub(super) fn ensure() -> Result<()> {
    debian::ensure_installed(&PACKAGES, || Path::new(FIREFOX).exists())
}

/// A browser with one window. It ends with this value.
pub(super) struct Firefox {
    child: Child,
    keeper: Keeper,
    line: Mutex<Line>,
}

/// The connection, and the number of the last request.
struct Line {
    socket: BufReader<TcpStream>,
    last: u64,
}

impl Firefox {
    /// Starts the browser with a profile of its own, which is made.
    ///
    /// # Errors
    /// It does not start.
    pub(super) fn start(keeper: &Keeper, profile: &Path) -> Result<Self> {
        std::fs::create_dir_all(profile)?;
        // Port 0 is a free one, which it writes into its profile.
        let preferences = "user_pref(\"marionette.port\", 0);\nuser_pref(\"datareporting.policy.dataSubmissionEnabled\", false);\n\
             user_pref(\"toolkit.telemetry.reportingpolicy.firstRun\", false);\nuser_pref(\"app.update.enabled\", false);\n\
             user_pref(\"browser.shell.checkDefaultBrowser\", false);\nuser_pref(\"browser.startup.homepage_override.mstone\", \"ignore\");\n";
        std::fs::write(profile.join("user.js"), preferences)?;
        let mut command = Command::new(FIREFOX);
        let _ = command.args([
            "--headless",
            "--no-remote",
            "--marionette",
            "--remote-allow-system-access",
            "--profile",
        ]);
        let _ = command.arg(profile).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().context("firefox-esr cannot be started")?;
        keeper.hold(child.id())?;
        let mut started = Started { child: Some(child) };
        let socket = connect(profile)?;
        let mut line = Line { socket: BufReader::new(socket), last: 0 };
        let _ = line.read().context("Firefox does not greet")?;
        let child = started.child.take().context("a started browser")?;
        let firefox = Self { child, keeper: keeper.clone(), line: Mutex::new(line) };
        let _ = firefox.send("WebDriver:NewSession", &json!({"acceptInsecureCerts": false}))?;
        let _ = firefox.send("WebDriver:SetWindowRect", &json!({"width": WINDOW[0], "height": WINDOW[1]}))?;
        Ok(firefox)
    }

    fn send(&self, command: &str, parameters: &Value) -> Result<Value> {
        let mut line = self.line.lock().map_err(|_| anyhow::anyhow!("a request failed before"))?;
        line.last += 1;
        let text = json!([REQUEST, line.last, command, parameters]).to_string();
        write!(line.socket.get_mut(), "{}:{text}", text.len())?;
        let answer = line.read().with_context(|| format!("Firefox does not answer {command}"))?;
        ensure!(answer[1] == line.last, "Firefox answers another request than {command}");
        ensure!(answer[2].is_null(), "{command}: {}", answer[2]);
        Ok(answer[3].clone())
    }

    /// Runs a script in the browser itself, outside of the page.
    fn outside(&self, script: &str) -> Result<Value> {
        let _ = self.send("Marionette:SetContext", &json!({"value": "chrome"}))?;
        let answer =
            self.send("WebDriver:ExecuteScript", &json!({"script": script, "args": [], "sandbox": "system"}));
        let _ = self.send("Marionette:SetContext", &json!({"value": "content"}))?;
        answer.map(|answer| answer["value"].clone())
    }
}

/// A browser that is ended unless it is taken out.
struct Started {
    child: Option<Child>,
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Line {
    /// Reads one message.
    fn read(&mut self) -> Result<Value> {
        let mut len = Vec::new();
        let _ = self.socket.read_until(b':', &mut len)?;
        let _ = len.pop();
        let len: usize = std::str::from_utf8(&len)?.parse().context("a length that is no number")?;
        let mut text = vec![0; len];
        self.socket.read_exact(&mut text)?;
        serde_json::from_slice(&text).context("Firefox answers no JSON")
    }
}

/// Waits until the browser has written its port, and connects.
fn connect(profile: &Path) -> Result<TcpStream> {
    let began = Instant::now();
    loop {
        let port = std::fs::read_to_string(profile.join("MarionetteActivePort"));
        if let Some(port) = port.ok().and_then(|text| text.trim().parse::<u16>().ok())
            && let Ok(socket) = TcpStream::connect(("127.0.0.1", port))
        {
            socket.set_read_timeout(Some(REQUEST_MAX))?;
            return Ok(socket);
        }
        if began.elapsed() > START_MAX {
            bail!("Firefox does not listen after {} s", START_MAX.as_secs());
        }
        std::thread::sleep(POLL);
    }
}

impl Drop for Firefox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.keeper.release(self.child.id());
    }
}

impl Window for Firefox {
    fn go(&self, url: &str) -> Result<()> {
        self.send("WebDriver:Navigate", &json!({"url": url})).map(drop)
    }

    fn run(&self, script: &str) -> Result<Value> {
        let script = format!("return (async () => {{ {script} }})()");
        let answer = self.send("WebDriver:ExecuteScript", &json!({"script": script, "args": []}))?;
        Ok(answer["value"].clone())
    }

    fn viewport(&self, width: u32, height: u32, dark: bool) -> Result<()> {
        // A window has a least width of its own; the page inside it has none.
        let scheme = u8::from(!dark);
        let _ = self.outside(&format!(
            "Services.prefs.setIntPref('layout.css.prefers-color-scheme.content-override', {scheme}); \
             const page = gBrowser.selectedBrowser; \
             page.style.cssText = 'flex: none; min-width: 0; width: {width}px; max-width: {width}px; height: {height}px; max-height: {height}px'"
        ))?;
        let began = Instant::now();
        while self.run("return innerWidth")? != json!(width) {
            ensure!(began.elapsed() < START_MAX, "Firefox does not make a window {width} wide");
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    fn click(&self, selector: &str) -> Result<()> {
        let found =
            self.send("WebDriver:FindElement", &json!({"using": "css selector", "value": selector}))?;
        let id = found["value"][ELEMENT].as_str().with_context(|| format!("no {selector}"))?;
        self.send("WebDriver:ElementClick", &json!({"id": id})).map(drop)
    }

    fn keys(&self, keys: &str) -> Result<()> {
        let presses: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|what| json!({"type": what, "value": key})))
            .collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": presses});
        self.send("WebDriver:PerformActions", &json!({"actions": [keyboard]})).map(drop)
    }

    fn picture(&self, file: &Path) -> Result<()> {
        let answer = self.send("WebDriver:TakeScreenshot", &json!({"full": false}))?;
        let png = base64(answer["value"].as_str().context("a picture that is no text")?)?;
        std::fs::write(file, png).with_context(|| format!("cannot write {}", file.display()))
    }

    fn said(&self) -> Result<Vec<String>> {
        let said = self.outside(
            "const said = Services.console.getMessageArray() \
                .filter((one) => one instanceof Ci.nsIScriptError && /^(http:.*127|file:)/.test(one.sourceName)) \
                .map((one) => `${one.sourceName}:${one.lineNumber} ${one.errorMessage}`); \
             Services.console.reset(); return said",
        )?;
        let lines = said.as_array().context("a log that is no list")?;
        Ok(lines.iter().filter_map(|line| line.as_str().map(str::to_owned)).collect())
    }
}
