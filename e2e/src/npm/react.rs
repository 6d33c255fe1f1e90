//! The example with React: built and checked by TypeScript, and run in Chromium under `StrictMode`, which mounts it twice.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::installed::Project;
use super::scan::Scan;
use crate::browser::webdriver::{Browser, ChromeDriver};
use crate::command;
use crate::processes::devices::free_port;
use crate::processes::patience::until;
use crate::processes::process::Process;
use crate::processes::story::world::{CHATS, World};
use crate::processes::table::Table;

/// How long the development server may take to answer.
const SERVER: Duration = Duration::from_mins(1);

/// Checks the types of the example and of the package, strictly, and builds it.
///
/// # Errors
/// It does not pass, or does not build.
pub(super) fn builds(project: &Project, table: &mut Table) -> Result<()> {
    project.add_test("types.ts", "src/types.ts")?;
    command::run(&mut project.program("npm", &["run", "build"]))?;
    // The same compiler, as a project for Node has it: without the types of a browser.
    for name in ["types_node.ts", "tsconfig.node.json"] {
        project.add_test(name, name)?;
    }
    command::run(&mut project.program("npx", &["tsc", "--project", "tsconfig.node.json"]))?;
    let assets = project.folder().join("dist/assets");
    let names: Vec<_> =
        std::fs::read_dir(&assets)?.map(|entry| Ok(entry?.file_name())).collect::<Result<_>>()?;
    let has_module = names.iter().any(|name| name.to_string_lossy().ends_with(".wasm"));
    ensure!(has_module, "the built page has no module: {names:?}");
    table.ok(
        "the packed file in Vite, TypeScript and React",
        "strict types, in Node too, and a page that is built",
    );
    Ok(())
}

/// Plays the example in Chromium.
///
/// # Errors
/// Something is not as it should be.
pub(super) fn play(world: &mut World, project: &Project) -> Result<()> {
    let port = free_port()?;
    let origin = format!("http://127.0.0.1:{port}");
    world.relay.kill();
    world.relay.tell_relay(&["--allow-origin", &origin]);
    world.relay.start()?;
    let text = port.to_string();
    let mut command =
        project.program("npx", &["vite", "--host", "127.0.0.1", "--strictPort", "--port", &text]);
    let _server = Process::start("vite", &mut command, &world.keeper, &world.root.join("vite.log"))?;
    until("the development server", SERVER, || answers(port).map(Some))?;
    let driver = ChromeDriver::start(&world.keeper)?;
    let browser = driver.browser(&world.root.join("react-profile"), 900, 900)?;
    let page = format!("{origin}/?relay={}", world.relay_name());
    let played = story(world, &browser, &page);
    if played.is_err() {
        let _ = browser.picture(&world.root.join("react-failed.png"));
    }
    played
}

fn story(world: &mut World, browser: &Browser, page: &str) -> Result<()> {
    browser.go(page)?;
    let _ = browser.wait("a code", "return document.querySelector('#code path') !== null")?;
    let picture = world.root.join("react-code.png");
    browser.picture(&picture)?;
    let mut scan = Scan::picture(world, picture.to_str().context("a path that is no UTF-8")?)?;
    scan.wants_digits()?;
    let digits =
        browser.wait("the check code", "return document.querySelector('#check-code')?.textContent")?;
    let number = scan.approve(digits.as_str().context("a check code without digits")?)?;
    let _ = browser.wait(
        "the question for the number",
        "return document.querySelector('input[name=number]') !== null",
    )?;
    browser.type_into("input[name=number]", &number)?;
    browser.click("form button")?;
    scan.linked()?;
    live(browser)?;
    world
        .table
        .ok("the example with React is linked", "in a development build, whose StrictMode mounts it twice");
    browser.click("li:first-child button")?;
    let answer = browser.wait("the answer", "return document.querySelector('#answer').textContent")?;
    ensure!(answer == "accepted", "the phone answers {answer}");
    let shown = "return [...document.querySelectorAll('li')].filter((one) => one.textContent.includes('Hello from React')).length === 1";
    let _ = browser.wait("the text in the list", shown)?;
    world.table.ok(
        "a command from React, its answer, and the row that it changes",
        "useSyncExternalStore shows them",
    );
    // A page that is loaded again takes the link over from the one before it.
    browser.go(page)?;
    live(browser)?;
    second_tab(browser, page)?;
    let said = browser.said()?;
    ensure!(said.is_empty(), "the console says {said:?}");
    world.table.ok("the page is loaded again, and opened twice", "the same link, in one tab at a time");
    Ok(())
}

/// A second page of the same origin is told that the first has the link, and takes it over.
fn second_tab(browser: &Browser, page: &str) -> Result<()> {
    let frame = format!(
        "const frame = document.createElement('iframe'); frame.src = {}; frame.width = 600; document.body.append(frame); return true",
        json!(page)
    );
    let _ = browser.run(&frame)?;
    let inner = "document.querySelector('iframe').contentDocument";
    let offer = format!("return {inner}.querySelector('main > button')?.textContent === 'Use it here'");
    let _ = browser.wait("the offer to take over", &offer)?;
    let _ = browser.run(&format!("{inner}.querySelector('main > button').click(); return true"))?;
    let live = format!("return {inner}.querySelector('#connection')?.textContent === 'live'");
    let _ = browser.wait("the second one, live", &live)?;
    let told = "return document.querySelector('body > main > button')?.textContent === 'Use it here'";
    browser.wait("the first one, which has given the link away", told).map(drop)
}

fn live(browser: &Browser) -> Result<()> {
    let _ = browser
        .wait("the state live", "return document.querySelector('#connection')?.textContent === 'live'")?;
    let listed = format!(
        "return document.querySelector('[data-state=inSync]') !== null && document.querySelectorAll('li').length === {CHATS}"
    );
    browser.wait("all chats, in step", &listed).map(drop)
}

/// Asks the development server for the page.
fn answers(port: u16) -> Result<()> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    socket.write_all(
        format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = String::new();
    let _ = socket.take(4096).read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "it answers {}", answer.lines().next().unwrap_or("nothing"));
    Ok(())
}
