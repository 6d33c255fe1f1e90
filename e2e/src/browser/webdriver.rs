//! A browser, driven over the `WebDriver` protocol: one request after the other, each with a deadline.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::chromium;

use crate::command;
use crate::processes::keeper::Keeper;

/// How long one request may take.
const REQUEST_MAX: Duration = Duration::from_mins(1);
/// How long something on the page may take to appear.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the page is asked again.
const POLL: Duration = Duration::from_millis(50);
/// The name under which `WebDriver` gives an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The driver's process. It ends with this value, and its browsers with it.
#[derive(Debug)]
pub(crate) struct ChromeDriver {
    child: Child,
    port: u16,
    keeper: Keeper,
}

impl ChromeDriver {
    /// Starts the driver on a free port.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn start(keeper: &Keeper) -> Result<Self> {
        let mut command = Command::new(chromium::driver());
        let _ = command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().context("chromedriver cannot be started")?;
        let started = keeper.hold(child.id()).and_then(|()| {
            let output = child.stdout.take().context("chromedriver has no output")?;
            let mut lines = BufReader::new(output).lines();
            let port = lines.find_map(|line| port_of(&line.ok()?)).context("chromedriver names no port")?;
            // What it says later is of no use, but it must be able to say it.
            let _ = std::thread::spawn(move || lines.for_each(drop));
            Ok(port)
        });
        match started {
            Ok(port) => Ok(Self { child, port, keeper: keeper.clone() }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Opens a browser with a profile of its own.
    ///
    /// # Errors
    /// It does not open.
    pub(crate) fn browser(&self, profile: &Path, width: u32, height: u32) -> Result<Browser> {
        let arguments = [
            "--headless".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--no-first-run".to_owned(),
            "--hide-scrollbars".to_owned(),
            "--lang=en-GB".to_owned(),
            format!("--user-data-dir={}", profile.display()),
            format!("--window-size={width},{height}"),
        ];
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let body = json!({"capabilities": {"alwaysMatch": capabilities}});
        let answer = request(self.port, "POST", "/session", &body)?;
        let session = answer["sessionId"].as_str().context("a session without an id")?.to_owned();
        let pid = answer["capabilities"]["goog:processID"].as_u64().context("a browser without a process")?;
        let browser = Browser { port: self.port, session, pid, keeper: self.keeper.clone() };
        // A driver that is killed leaves its browsers behind.
        browser.keeper.hold(u32::try_from(pid)?)?;
        Ok(browser)
    }
}

impl Drop for ChromeDriver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn port_of(line: &str) -> Option<u16> {
    line.strip_prefix("ChromeDriver was started successfully on port ")?.trim_end_matches('.').parse().ok()
}

/// One browser with one window. It is closed with this value.
#[derive(Debug)]
pub(crate) struct Browser {
    port: u16,
    session: String,
    pid: u64,
    keeper: Keeper,
}

impl Browser {
    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        request(self.port, "POST", &format!("/session/{}/{path}", self.session), body)
    }

    /// Goes to an address.
    pub(crate) fn go(&self, url: &str) -> Result<()> {
        self.post("url", &json!({"url": url})).map(drop)
    }

    /// The tab that is driven, as [`Browser::tab`] takes it.
    pub(crate) fn this_tab(&self) -> Result<String> {
        let path = format!("/session/{}/window", self.session);
        let here = request(self.port, "GET", &path, &Value::Null)?;
        here.as_str().map(str::to_owned).context("a tab without a name")
    }

    /// Opens another tab and goes on in it.
    pub(crate) fn new_tab(&self) -> Result<()> {
        let new = self.post("window/new", &json!({"type": "tab"}))?;
        self.tab(new["handle"].as_str().context("a tab without a name")?)
    }

    /// Closes the tab that is driven. Go on in another one.
    pub(crate) fn close_tab(&self) -> Result<()> {
        let path = format!("/session/{}/window", self.session);
        request(self.port, "DELETE", &path, &Value::Null).map(drop)
    }

    /// Closes the browser, as its user does.
    pub(crate) fn close(&self) -> Result<()> {
        request(self.port, "DELETE", &format!("/session/{}", self.session), &Value::Null).map(drop)
    }

    /// The browser's process.
    pub(crate) const fn pid(&self) -> u64 {
        self.pid
    }

    /// What the browser counts of the page; times are those of the page's own thread, without what other programs take.
    pub(crate) fn metrics(&self) -> Result<Value> {
        let _ = self.chrome("Performance.enable", &json!({"timeDomain": "threadTicks"}))?;
        self.chrome("Performance.getMetrics", &json!({}))
    }

    /// Ends the browser's process, as a crash does.
    pub(crate) fn kill(&self) -> Result<()> {
        command::run(&mut command::program("kill", ["-KILL", &self.pid.to_string()]))
    }

    /// Has a script run before those of every page that is loaded from now on; gives what ends that.
    pub(crate) fn before_load(&self, script: &str) -> Result<Value> {
        self.chrome("Page.addScriptToEvaluateOnNewDocument", &json!({"source": script}))
    }

    /// Ends what [`Browser::before_load`] began.
    pub(crate) fn not_before_load(&self, script: &Value) -> Result<()> {
        self.chrome("Page.removeScriptToEvaluateOnNewDocument", script).map(drop)
    }

    /// Loads the page again, as its user does: what is behind it in the history stays.
    ///
    /// # Errors
    /// It does not load.
    pub(crate) fn reload(&self) -> Result<()> {
        self.post("refresh", &json!({})).map(drop)
    }

    /// Says to the page that there is a network, or that there is none.
    pub(crate) fn network(&self, is_there: bool) -> Result<()> {
        let network =
            json!({"offline": !is_there, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        let _ = self.chrome("Network.enable", &json!({}))?;
        self.chrome("Network.emulateNetworkConditions", &network).map(drop)
    }

    /// Freezes the page, as a browser does with tabs that nobody looks at, or thaws it.
    pub(crate) fn freeze(&self, is_frozen: bool) -> Result<()> {
        let state = if is_frozen { "frozen" } else { "active" };
        self.chrome("Page.setWebLifecycleState", &json!({"state": state})).map(drop)
    }

    /// Clears all that the browser stores for an origin.
    pub(crate) fn clear_storage(&self, origin: &str) -> Result<()> {
        let what = json!({"origin": origin, "storageTypes": "all"});
        self.chrome("Storage.clearDataForOrigin", &what).map(drop)
    }

    /// Gives an origin this much room, in bytes, or as much as it has otherwise.
    pub(crate) fn quota(&self, origin: &str, bytes: Option<u64>) -> Result<()> {
        let mut room = json!({"origin": origin});
        if let Some(bytes) = bytes {
            room["quotaSize"] = json!(bytes);
        }
        self.chrome("Storage.overrideQuotaForOrigin", &room).map(drop)
    }

    /// Goes on in this tab.
    pub(crate) fn tab(&self, handle: &str) -> Result<()> {
        self.post("window", &json!({"handle": handle})).map(drop)
    }

    /// Drops a file on an element, as a user does who drags it from a folder.
    ///
    /// # Errors
    /// There is no such element.
    pub(crate) fn drop_file(&self, selector: &str, file: &Path) -> Result<()> {
        let at = self.wait(
            selector,
            &format!(
                "const box = document.querySelector({selector:?})?.getBoundingClientRect(); \
                 return box && [box.left + box.width / 2, box.top + box.height / 2]"
            ),
        )?;
        let file = file.to_str().context("a path that is no UTF-8")?;
        let data = json!({"items": [], "files": [file], "dragOperationsMask": 1});
        for step in ["dragEnter", "dragOver", "drop"] {
            let event = json!({"type": step, "x": at[0], "y": at[1], "data": data});
            let _ = self.chrome("Input.dispatchDragEvent", &event)?;
        }
        Ok(())
    }

    /// Gives the page another size and another scheme of colours, as a device of that size would.
    pub(crate) fn emulate_viewport(&self, width: u32, height: u32, dark: bool) -> Result<()> {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        let _ = self.chrome("Emulation.setDeviceMetricsOverride", &size)?;
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.chrome("Emulation.setEmulatedMedia", &media).map(drop)
    }

    fn chrome(&self, command: &str, parameters: &Value) -> Result<Value> {
        self.post("goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// Runs a script in the page, which may wait, and gives what it returns.
    pub(crate) fn run(&self, script: &str) -> Result<Value> {
        let script = format!("return (async () => {{ {script} }})()");
        self.post("execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until a script returns something else than null, false or an empty text.
    ///
    /// # Errors
    /// It does not in time; the text says what was waited for, and what the page shows.
    pub(crate) fn wait(&self, what: &str, script: &str) -> Result<Value> {
        let began = Instant::now();
        loop {
            let value = self.run(script)?;
            if !matches!(&value, Value::Null | Value::Bool(false)) && value != "" {
                return Ok(value);
            }
            if began.elapsed() > PATIENCE {
                let shown = self.run("return document.body.innerText").unwrap_or_default();
                bail!(
                    "waited {} s for {what}; the page shows {shown}, and said {:?}",
                    PATIENCE.as_secs(),
                    self.said()?
                );
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits for the text of an element.
    pub(crate) fn text(&self, selector: &str) -> Result<String> {
        let script = format!("return document.querySelector({selector:?})?.textContent");
        let value = self.wait(selector, &script)?;
        value.as_str().map(str::to_owned).with_context(|| format!("{selector} has no text"))
    }

    fn find(&self, selector: &str) -> Result<String> {
        let _ = self.wait(selector, &format!("return document.querySelector({selector:?}) !== null"))?;
        let found = self.post("element", &json!({"using": "css selector", "value": selector}))?;
        found[ELEMENT].as_str().map(str::to_owned).with_context(|| format!("no {selector}"))
    }

    /// Clicks on an element, as a mouse does.
    pub(crate) fn click(&self, selector: &str) -> Result<()> {
        let element = self.find(selector)?;
        self.post(&format!("element/{element}/click"), &json!({})).map(drop)
    }

    /// Types into an element, as a keyboard does.
    pub(crate) fn type_into(&self, selector: &str, text: &str) -> Result<()> {
        let element = self.find(selector)?;
        self.post(&format!("element/{element}/value"), &json!({"text": text})).map(drop)
    }

    /// Presses keys, one after the other, wherever the focus is.
    pub(crate) fn keys(&self, text: &str) -> Result<()> {
        let presses: Vec<Value> = text
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|what| json!({"type": what, "value": key})))
            .collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": presses});
        self.post("actions", &json!({"actions": [keyboard]})).map(drop)
    }

    /// What the window shows while nothing in it moves, as the text of a picture.
    pub(crate) fn still(&self) -> Result<String> {
        let _ = self.run(
            "const style = new CSSStyleSheet(); style.replaceSync('* { animation: none !important; transition: none !important; caret-color: transparent !important }'); \
             document.adoptedStyleSheets = [style]; document.activeElement.blur(); await new Promise(requestAnimationFrame)",
        )?;
        let path = format!("/session/{}/screenshot", self.session);
        let answer = request(self.port, "GET", &path, &Value::Null)?;
        answer.as_str().map(str::to_owned).context("a picture that is no text")
    }

    /// Writes what the window shows to a file.
    pub(crate) fn picture(&self, file: &Path) -> Result<()> {
        let path = format!("/session/{}/screenshot", self.session);
        let answer = request(self.port, "GET", &path, &Value::Null)?;
        let png = base64(answer.as_str().context("a picture that is no text")?)?;
        std::fs::write(file, png).with_context(|| format!("cannot write {}", file.display()))
    }

    /// What the console said since it was asked last, and was not merely noted.
    pub(crate) fn said(&self) -> Result<Vec<String>> {
        let answer = self.post("se/log", &json!({"type": "browser"}))?;
        let lines = answer.as_array().context("a log that is no list")?;
        let loud = lines.iter().filter(|line| line["level"] == "SEVERE" || line["level"] == "WARNING");
        Ok(loud.filter_map(|line| line["message"].as_str().map(str::to_owned)).collect())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = request(self.port, "DELETE", &format!("/session/{}", self.session), &Value::Null);
        if let Ok(pid) = u32::try_from(self.pid) {
            self.keeper.release(pid);
        }
    }
}

/// One request to the driver, and the value of its answer.
fn request(port: u16, method: &str, path: &str, body: &Value) -> Result<Value> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).context("chromedriver does not listen")?;
    socket.set_read_timeout(Some(REQUEST_MAX))?;
    let body = if body.is_null() { String::new() } else { body.to_string() };
    write!(
        socket,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = BufReader::new(socket);
    let mut len = 0;
    let mut status = String::new();
    let _ = answer.read_line(&mut status)?;
    loop {
        let mut line = String::new();
        let _ = answer.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            len = value.trim().parse().context("a length that is no number")?;
        }
    }
    let mut text = vec![0; len];
    answer.read_exact(&mut text)?;
    let mut value: Value = serde_json::from_slice(&text).context("chromedriver answers no JSON")?;
    let value = value["value"].take();
    ensure!(value["error"].is_null(), "{method} {path}: {} {}", value["error"], value["message"]);
    Ok(value)
}

/// The bytes of a text in base 64.
pub(super) fn base64(text: &str) -> Result<Vec<u8>> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(text.len()), 0_u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        let value = ALPHABET.iter().position(|known| *known == byte).context("not base 64")?;
        bits = (bits << 6) | u32::try_from(value)?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff)?);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_64_is_read() {
        for (text, bytes) in
            [("", &b""[..]), ("Zg==", b"f"), ("Zm8=", b"fo"), ("Zm9vYmFy", b"foobar"), ("+/8=", b"\xfb\xff")]
        {
            assert_eq!(base64(text).unwrap(), bytes, "{text}");
        }
        assert!(base64("a b").is_err());
    }

    #[test]
    fn the_port_is_found_in_what_the_driver_says() {
        assert_eq!(port_of("ChromeDriver was started successfully on port 41875."), Some(41_875));
        assert_eq!(port_of("Starting ChromeDriver 148.0"), None);
    }
}
