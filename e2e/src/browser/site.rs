//! `cargo xtask site-test`: the site in Chromium and in Firefox, from a plain file server and as files.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::axe::Axe;
use super::firefox::Firefox;
use super::script::Script;
use super::webdriver::{Browser, ChromeDriver};
use super::window::Window;
use super::{chromium, firefox};
use crate::processes::keeper::Keeper;
use crate::processes::random;
use crate::workspace;

/// Pages that are looked at in every layout: the largest, the widest, and those with scripts.
const PAGES: [&str; 9] = [
    "index.html",
    "spec/index.html",
    "spec/frames.html",
    "spec/state.html",
    "spec/wire.html",
    "spec/example.html",
    "spec/requirements.html",
    "manual/index.html",
    "reports/index.html",
];
/// The narrowest window that the site is for, and a wide one.
const WIDTHS: [u32; 2] = [320, 1440];
const HEIGHT: u32 = 900;
/// The longest that a page may take until something is seen, in milliseconds.
const FIRST_PAINT_MAX_MS: f64 = 1000.0;
/// How long something on a page may take.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);
/// A file server as everybody has one; it names its port.
const SERVER: &str = "
import functools, http.server, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
handler.log_message = lambda *_: None
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
print(server.server_address[1], flush=True)
server.serve_forever()
";

/// Which browser is missing, after it was installed if that is allowed, with the command that brings it.
#[must_use]
pub fn missing() -> Option<String> {
    chromium::ensure().and_then(|()| firefox::ensure()).err().map(|error| error.to_string())
}

/// Opens the site in `folder` in both browsers; pictures are written to `target/site-pictures`.
///
/// # Errors
/// A browser is missing and cannot be installed, or the site is not as it should be.
pub fn run(folder: &Path) -> Result<bool> {
    let pictures = workspace::target().join("site-pictures");
    std::fs::create_dir_all(&pictures)?;
    let keeper = Keeper::start()?;
    let (server, address) = serve(&keeper, folder)?;
    let profile = std::env::temp_dir().join(format!("handfast-site-{}", random::hex(4)?));
    let places = [address, format!("file://{}", folder.display())];

    chromium::ensure()?;
    let axe = Axe::fetch()?;
    let driver = ChromeDriver::start(&keeper)?;
    let browser = driver.browser(&profile.join("chromium"), WIDTHS[1], HEIGHT)?;
    looks(&browser, "chromium", &places, &pictures)?;
    barriers(&browser, &axe, &places[0])?;
    browser.close()?;

    firefox::ensure()?;
    let browser = Firefox::start(&keeper, &profile.join("firefox"))?;
    looks(&browser, "firefox", &places, &pictures)?;
    drop(browser);
    drop(server);
    std::fs::remove_dir_all(&profile).with_context(|| format!("{} cannot be removed", profile.display()))?;
    println!("pictures: {}", pictures.display());
    Ok(true)
}

fn serve(keeper: &Keeper, folder: &Path) -> Result<(Script, String)> {
    let folder = folder.to_str().context("a path that is no UTF-8")?;
    let mut server = Script::start(keeper, SERVER, &[folder])?;
    let line = server.lines()?.next().context("python3 names no port")??;
    let port: u16 = line.trim().parse().context("python3 names no port")?;
    Ok((server, format!("http://127.0.0.1:{port}")))
}

/// Everything that is the same in both browsers.
fn looks(window: &impl Window, name: &str, places: &[String; 2], pictures: &Path) -> Result<()> {
    let began = Instant::now();
    layouts(window, &places[0])?;
    for place in places {
        opens(window, place)?;
        bytes(window, place)?;
        search(window, place)?;
        requirement(window, place)?;
        let said = window.said()?;
        ensure!(said.is_empty(), "{name} complains about {place}: {}", said.join("; "));
    }
    first_paint(window, &places[0])?;
    take_pictures(window, name, &places[0], pictures)?;
    println!(
        "{name}: {} pages in 4 layouts; from a server and as files every page, byte, search and list; {:.1} s",
        PAGES.len(),
        began.elapsed().as_secs_f32()
    );
    Ok(())
}

/// Every page is shown with its title and its script.
fn opens(window: &impl Window, place: &str) -> Result<()> {
    for page in PAGES {
        window.go(&format!("{place}/{page}"))?;
        let script = "return document.querySelector('main h1') !== null && document.styleSheets.length > 0";
        let _ = wait(window, page, script)?;
    }
    Ok(())
}

/// No page is wider than its window, in either scheme; the ground of the dark one is dark.
fn layouts(window: &impl Window, place: &str) -> Result<()> {
    for page in PAGES {
        window.go(&format!("{place}/{page}"))?;
        for width in WIDTHS {
            for dark in [false, true] {
                window.viewport(width, HEIGHT, dark)?;
                let found = window.run(
                    "await new Promise(requestAnimationFrame); const root = document.documentElement; \
                     const light = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]; \
                     return [innerWidth, root.scrollWidth, light]",
                )?;
                let number = |at: usize| found[at].as_u64().unwrap_or_default();
                ensure!(
                    number(0) == u64::from(width),
                    "the window of {page} is {} wide, not {width}",
                    number(0)
                );
                ensure!(number(1) <= u64::from(width), "{page} is {} wide in a window of {width}", number(1));
                ensure!(
                    (number(2) < 128) == dark,
                    "{page} has a ground of {} where dark is {dark}",
                    number(2)
                );
            }
        }
    }
    Ok(())
}

/// A click shows what a byte is; a changed one is refused; arrow keys go on; Escape closes.
fn bytes(window: &impl Window, place: &str) -> Result<()> {
    window.viewport(WIDTHS[1], HEIGHT, false)?;
    window.go(&format!("{place}/spec/example.html#message-2-w---p-e-ee"))?;
    let label = ".bytes[data-layout=Xk2] tr:nth-child(15) .byte:nth-child(3)";
    wait(window, label, &format!("return document.querySelector('{label}') !== null"))?;
    window.click(label)?;
    let read = "return document.querySelector('#reader:not([hidden])')?.innerText";
    let text = wait(window, "the panel", read)?;
    for part in ["label", "Firefox on Linux", "accepts", "Xk2"] {
        ensure!(text.contains(part), "the panel does not say {part}: {text}");
    }
    window.keys("\u{e014}")?;
    let _ = wait(window, "the next byte", &format!("{read}.includes('Byte 114') ? 'yes' : ''"))?;
    window.click("#reader-byte")?;
    window.keys("\u{e011}\u{e017}\u{e017}ff")?;
    let _ = wait(window, "a refusal", &format!("{read}.includes('BAD_UTF8') ? 'yes' : ''"))?;
    window.click("#reader .back")?;
    let _ = wait(window, "the byte as it was", &format!("{read}.includes('accepts') ? 'yes' : ''"))?;
    for (key, part) in [
        ("out.cert_record", "under k_p2w, n = 0: LINK_CERT"),
        ("out.qr", "relay.example:8443"),
        ("debug.k_p2w", "computes the same"),
        ("out.next_psk", "computes the same"),
    ] {
        let row = format!("[data-key=\"{key}\"] .byte");
        let _ = window.run(&format!(
            "document.querySelector('[data-key=\"{key}\"]').scrollIntoView({{block: 'center'}})"
        ))?;
        wait(window, &row, &format!("return document.querySelector('{row}') !== null ? 'yes' : ''"))?;
        window.click(&row)?;
        let _ =
            wait(window, &format!("`{part}` at {key}"), &format!("{read}.includes('{part}') ? 'yes' : ''"))?;
    }
    every_byte(window)?;
    window.click("#reader .close")?;
    let _ = wait(window, "a closed panel", "return document.querySelector('#reader').hidden ? 'yes' : ''")?;
    Ok(())
}

/// Every block of the example answers a click on its first and on its last byte with what the module computed.
fn every_byte(window: &impl Window) -> Result<()> {
    let script = "const panel = document.querySelector('#reader'); const wrong = []; let count = 0; \
        const next = () => new Promise((done) => { const watch = new MutationObserver(() => { watch.disconnect(); done(); }); \
            watch.observe(panel.querySelector('dl'), { childList: true }); }); \
        for (const table of document.querySelectorAll('.bytes, .values')) { \
            table.scrollIntoView(); \
            for (let turn = 0; turn < 200 && !table.querySelector('.byte'); turn += 1) await new Promise(requestAnimationFrame); \
            const groups = table.matches('.bytes') ? [table] : [...table.rows]; \
            for (const group of groups) { \
                const all = group.querySelectorAll('.byte'); \
                for (const button of [all[0], all[all.length - 1]]) { \
                    const shown = next(); button.click(); await shown; count += 1; \
                    const bad = panel.querySelector('dd.bad'); \
                    if (bad || panel.querySelectorAll('dd').length < 2) wrong.push(group.textContent.slice(0, 40) + ': ' + panel.innerText); \
                } \
            } \
        } \
        return { count, wrong: wrong.slice(0, 5) }";
    let found = window.run(script)?;
    let count = found["count"].as_u64().unwrap_or_default();
    ensure!(
        found["wrong"].as_array().is_some_and(Vec::is_empty),
        "bytes without an answer: {}",
        found["wrong"]
    );
    ensure!(count > 200, "only {count} bytes of the example were clicked");
    Ok(())
}

/// The search finds a requirement, and Enter goes there.
fn search(window: &impl Window, place: &str) -> Result<()> {
    window.go(&format!("{place}/index.html"))?;
    let _ = window.run("document.activeElement.blur()")?;
    window.keys("/FRM-02")?;
    let first = wait(window, "a result", "return document.querySelector('#found li')?.innerText")?;
    ensure!(first.contains("FRM-02"), "the first result is {first}");
    window.keys("\u{e015}\u{e007}")?;
    let at = wait(
        window,
        "the page of the result",
        "return location.hash.startsWith('#FRM-02') ? location.href : ''",
    )?;
    ensure!(at.contains("/spec/frames.html#FRM-02"), "the result leads to {at}");
    Ok(())
}

/// The number beside a requirement opens its code, tests and vectors; Escape closes them.
fn requirement(window: &impl Window, place: &str) -> Result<()> {
    window.go(&format!("{place}/spec/frames.html"))?;
    window.click("[popovertarget=of-FRM-020]")?;
    let text = wait(
        window,
        "what stands behind FRM-020",
        "return document.querySelector('#of-FRM-020:popover-open')?.innerText",
    )?;
    for part in ["Code", "Tests", "Vectors", ".rs:", "refused"] {
        ensure!(text.contains(part), "behind FRM-020 there is no {part}: {text}");
    }
    window.keys("\u{e00c}")?;
    let _ = wait(
        window,
        "a closed list",
        "return document.querySelector('#of-FRM-020:popover-open') ? '' : 'yes'",
    )?;
    Ok(())
}

/// Something is seen soon, also on the largest page.
fn first_paint(window: &impl Window, place: &str) -> Result<()> {
    for page in PAGES {
        let painted = || -> Result<String> {
            window.go(&format!("{place}/{page}"))?;
            wait(
                window,
                "the first paint",
                "const seen = performance.getEntriesByName('first-contentful-paint')[0]; return seen ? String(seen.startTime) : ''",
            )
        };
        // Firefox without a screen at times never records the paint of a page, and does that of its next load.
        let found = painted().or_else(|_| painted())?;
        let ms: f64 = found.parse().context("a time")?;
        ensure!(ms < FIRST_PAINT_MAX_MS, "{page} shows something after {ms} ms");
    }
    Ok(())
}

/// axe finds nothing, in either scheme and either width, with the panel and a list open.
fn barriers(browser: &Browser, axe: &Axe, place: &str) -> Result<()> {
    for page in PAGES {
        Browser::go(browser, &format!("{place}/{page}"))?;
        for (width, dark) in [(WIDTHS[0], true), (WIDTHS[1], false), (WIDTHS[1], true)] {
            browser.emulate_viewport(width, HEIGHT, dark)?;
            if page == "spec/example.html" && width == WIDTHS[1] && !dark {
                open_panel(browser)?;
            }
            axe.look_closely(browser, &format!("{page}, {width} wide, dark: {dark}"))?;
        }
    }
    Ok(())
}

fn take_pictures(window: &impl Window, name: &str, place: &str, folder: &Path) -> Result<()> {
    for page in PAGES {
        for (width, dark) in [(WIDTHS[0], true), (WIDTHS[0], false), (WIDTHS[1], false), (WIDTHS[1], true)] {
            window.go(&format!("{place}/{page}"))?;
            window.viewport(width, HEIGHT, dark)?;
            if page == "spec/example.html" {
                open_panel(window)?;
            }
            let scheme = if dark { "dark" } else { "light" };
            let file = format!("{name}-{}-{width}-{scheme}.png", page.replace(['/', '.'], "-"));
            let path: PathBuf = folder.join(file);
            window.picture(&path)?;
        }
    }
    Ok(())
}

/// Clicks the first byte of the first table, which becomes a button when it is about to be seen.
fn open_panel(window: &impl Window) -> Result<()> {
    let table = "document.querySelector('.bytes')";
    let script = format!(
        "{table}.scrollIntoView({{ block: 'center' }}); return {table}.querySelector('.byte') !== null"
    );
    let _ = wait(window, "the bytes as buttons", &script)?;
    window.click(".bytes .byte")?;
    let panel = "return document.querySelector('#reader:not([hidden])')?.innerText";
    wait(window, "the panel", panel).map(drop)
}

/// Waits until a script returns a text that is not empty, and returns it.
fn wait(window: &impl Window, what: &str, script: &str) -> Result<String> {
    let began = Instant::now();
    loop {
        match window.run(script)? {
            Value::String(text) if !text.is_empty() => return Ok(text),
            Value::Bool(true) => return Ok(String::new()),
            _ if began.elapsed() > PATIENCE => {
                let shown = window.run("return document.querySelector('#reader')?.innerText ?? document.body.innerText.slice(0, 400)");
                anyhow::bail!("waited {} s for {what}; there is {:?}", PATIENCE.as_secs(), shown?)
            }
            _ => std::thread::sleep(POLL),
        }
    }
}
