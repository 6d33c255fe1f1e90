//! The package in plain Node.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::installed::Project;
use super::scan::Scan;
use crate::command;
use crate::processes::patience::until;
use crate::processes::process::Process;
use crate::processes::story::pair::STEP;
use crate::processes::story::world::{CHATS, LIMIT, World};
use crate::processes::table::Table;

/// How long the companion may take to end when it was asked to.
const END: Duration = Duration::from_secs(5);

/// What an application finds when it imports the package.
///
/// # Errors
/// It finds something else.
pub(super) fn installed(project: &Project, table: &mut Table) -> Result<()> {
    project.add_test("package.js", "package.js")?;
    command::run(&mut project.program("node", &["--test", "package.js"]))?;
    table.ok("the packed file in Node", "its entries, errors with codes, close() at any moment");
    Ok(())
}

/// The example in Node: it links to the phone, sends texts, is killed, and goes on.
///
/// # Errors
/// Something is not as it should be.
pub(super) fn play(world: &mut World, project: &Project) -> Result<()> {
    let mut companion = Running::start(world, project, "first")?;
    link(world, &mut companion)?;
    let inbox = format!("{CHATS} chats, inSync; ");
    let _ = companion.line(&inbox)?;
    world.table.ok("a companion in Node is linked", format!("and has the phone's {CHATS} chats"));
    let chat = first_chat(world)?;
    companion.say(&format!("{chat} One text from Node"))?;
    let answer = companion.line("answered: ")?;
    ensure!(answer == "accepted", "the phone answers {answer}");
    let _ = companion.line("answers so far: 1")?;
    // The change of the list comes by itself.
    let _ = companion.line_with("One text from Node")?;
    world.table.ok(
        "a command with an answer, and the row that it changes",
        "the answer counts in its own transaction",
    );
    refuse_second(world, project)?;
    killed(world, project, companion, chat)
}

fn link(world: &mut World, companion: &mut Running) -> Result<()> {
    let code = companion.line("scan: ")?;
    let mut scan = Scan::text(world, &code)?;
    scan.wants_digits()?;
    let digits = companion.line("type at the phone: ")?;
    let number = scan.approve(&digits)?;
    let _ = companion.line("the number that ")?;
    companion.say(&number)?;
    scan.linked()?;
    companion.line("linked to ").map(drop)
}

/// A second process on the same file is told, and ends.
fn refuse_second(world: &World, project: &Project) -> Result<()> {
    let mut second = Running::start(world, project, "second")?;
    let _ = second.line("another process uses this file")?;
    let status = second.0.wait_end("it has no file of its own", END)?;
    ensure!(status.code() == Some(1), "the second process ends with {status}");
    Ok(())
}

/// The companion is killed with a command on its way, and a new one goes on from its file.
fn killed(world: &mut World, project: &Project, mut companion: Running, chat: u64) -> Result<()> {
    let text = "Sent while the phone was away";
    world.phone.kill();
    companion.say(&format!("{chat} {text}"))?;
    let mark = companion.0.mark();
    let _ = companion.line_from(mark.saturating_sub(1), "stored")?;
    companion.0.kill();
    let mut companion = Running::start(world, project, "third")?;
    let _ = companion.line("linked to ")?;
    let _ = companion.line(&format!("{CHATS} chats, stored; "))?;
    world.phone.start()?;
    let _ = companion.line("answers so far: 2")?;
    let _ = companion.line(&format!("{CHATS} chats, inSync; "))?;
    let sent = until("the text at the phone", LIMIT, || {
        let history = world.phone.ask(&json!({"verb": "history", "chat": chat}))?;
        let all = history["messages"].as_array().context("no messages")?.clone();
        let sent = all.iter().filter(|one| one["text"] == text).count();
        Ok((sent > 0).then_some(sent))
    })?;
    ensure!(sent == 1, "the phone has sent the text {sent} times");
    world.table.ok(
        "the companion is killed with a command stored",
        "its successor delivers it once, and counts its answer",
    );
    companion.say("end")?;
    let status = companion.0.wait_end("it was closed, and nothing keeps it", END)?;
    ensure!(status.success(), "it ends with {status}");
    world.table.ok("close()", "nothing keeps the process from ending");
    Ok(())
}

fn first_chat(world: &World) -> Result<u64> {
    let listed = world.phone.ask(&json!({"verb": "chats"}))?;
    let chats = listed["chats"].as_array().context("no chats at the phone")?;
    let newest = chats.iter().max_by_key(|chat| chat["last_time_ms"].as_u64());
    newest.and_then(|chat| chat["chat"].as_u64()).context("a chat without an id")
}

/// The example, running.
struct Running(Process);

impl Running {
    fn start(world: &World, project: &Project, name: &str) -> Result<Self> {
        let file = world.root.join("node-companion/link");
        let log = world.root.join(format!("node-{name}.log"));
        let mut command = Command::new("node");
        let _ = command.arg("companion.js").arg(file).arg(world.relay_name()).current_dir(project.folder());
        Process::start("the companion in Node", &mut command, &world.keeper, &log).map(Self)
    }

    fn say(&mut self, line: &str) -> Result<()> {
        self.0.say_text(line)
    }

    /// Waits for a line that begins so; returns what follows.
    fn line(&self, start: &str) -> Result<String> {
        self.line_from(0, start)
    }

    fn line_from(&self, mark: usize, start: &str) -> Result<String> {
        let what = format!("the line `{start}..`");
        self.0.wait(mark, &what, STEP, |line| line.as_str()?.strip_prefix(start).map(str::to_owned))
    }

    /// Waits for a line that holds this.
    fn line_with(&self, text: &str) -> Result<Value> {
        let what = format!("a line with `{text}`");
        self.0.wait(0, &what, STEP, |line| line.as_str()?.contains(text).then(|| line.clone()))
    }
}
