//! Pairing with a user, who plays both: the one at the phone and the one at the computer.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use serde_json::{Value, json};

use super::{Linked, Session, ask_user, ask_yes};
use crate::processes::process::Process;
use crate::processes::story::pair::{self, Page, STEP};

/// The user may take this long for what the companion waits for.
const USER_LIMIT: Duration = Duration::from_secs(90);

/// How the text of a code begins (spec, QR text).
const CODE_START: &str = "HF1*";
/// What the question for the next step says.
const CAMERA: &str = "\
This console is the phone. It has no camera; what stands in for one is this prompt:
  Enter               it reads the picture of the companion above
  a file's name       it reads that picture, for example a screenshot of the page (PNG)
  HF1*..              it takes that text for the code's
  q                   leaves
camera>";

/// Pairs; returns what the user linked.
pub(super) fn pair(session: &mut Session) -> Result<Linked> {
    loop {
        println!("\nStep 1: the companion shows a code, the phone scans it.");
        let mut page = pair::show_code(&session.web, None)?;
        println!("  companion  process {}, data in {}", page.process.pid(), session.web.dir().display());
        show_code(&page)?;
        println!("The same code lies as a picture in {}", page.picture.display());
        println!("A new code is drawn every 30 s.");
        let Some(seen) = ask_user(CAMERA)?.filter(|word| word != "q") else { return Ok(Linked::Nothing) };
        let ended = if seen.is_empty() {
            let mut scan = pair::scan(&session.phone, &page)?;
            attempt(session, Some(&mut page), &mut scan)
        } else {
            look(session, &seen).and_then(|mut scan| attempt(session, None, &mut scan))
        };
        match ended {
            Ok(true) if seen.is_empty() => return Ok(Linked::Terminal),
            Ok(true) => return Ok(Linked::Page),
            Ok(false) => println!("This code is burnt. Once more, with a new one."),
            Err(error) => println!("The attempt is over: {error:#}\nOnce more, with a new code."),
        }
    }
}

fn show_code(page: &Page) -> Result<()> {
    let shown = page.process.wait_event(page.mark, "code", STEP)?;
    let text = shown["text"].as_str().context("a code without text")?;
    let code = QrCode::with_error_correction_level(text, EcLevel::M)?;
    println!(
        "\n{}\n",
        code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build()
    );
    Ok(())
}

/// Lets the phone look at a picture, or take a text for what it saw.
fn look(session: &Session, seen: &str) -> Result<Process> {
    if !seen.starts_with(CODE_START) {
        let is_file = std::path::Path::new(seen).is_file();
        ensure!(is_file, "there is no file {seen}; give the path of a picture (PNG), or the code's text");
        return session.phone.spawn(&["scan", "--image", seen], None);
    }
    let mut scan = session.phone.spawn(&["scan", "--text-stdin"], None)?;
    scan.say_text(seen)?;
    Ok(scan)
}

/// One attempt, with the companion of this terminal or with a page in a browser; returns whether it is linked.
fn attempt(session: &mut Session, mut page: Option<&mut Page>, scan: &mut Process) -> Result<bool> {
    let _ = scan.wait_event(0, "check_code_wanted", STEP)?;
    match &page {
        Some(page) => {
            let shown = page.process.wait_event(page.mark, "check_code", STEP)?;
            let code = shown["code"].as_str().unwrap_or("?");
            println!("\nStep 2: the check code. The companion's screen shows   {code}");
        }
        None => println!("\nStep 2: the check code. The page shows four digits."),
    }
    let Some(claims) = check_code(scan)? else { return Ok(false) };
    println!("\nStep 3: approval. The phone's screen shows who asks; it cannot check these claims:");
    for (name, value) in claims.as_object().into_iter().flatten().filter(|(name, _)| *name != "event") {
        println!("  {name}: {value}");
    }
    let approved = ask_yes("At the phone: link this computer?")?;
    scan.say(&json!({"approve": approved}))?;
    if !approved {
        return Ok(false);
    }
    let ours = scan.wait_event(0, "show_nn", USER_LIMIT)?;
    println!("\nStep 4: the number. The phone shows   {}", ours["nn"].as_str().unwrap_or("?"));
    if let Some(page) = &mut page {
        let asks = page.process.wait_event(page.mark, "number_wanted", USER_LIMIT)?;
        println!("The companion names the account {} and shows no number.", asks["account"]);
        let typed =
            ask_user("At the companion, type the number that the phone shows (Enter: it shows none):")?;
        let typed = typed.filter(|typed| !typed.is_empty());
        page.process.say(&json!({"number": typed}))?;
        if typed.is_none() {
            return Ok(false);
        }
    } else {
        println!("The page asks for this number. Type it there.");
    }
    let linked = scan.wait_event(0, "linked", USER_LIMIT)?;
    linked["companion"].as_str().context("a link without an id")?.clone_into(&mut session.companion);
    if let Some(page) = page {
        let _ = page.process.wait_end("`pair` ends when it is linked", STEP)?;
    }
    println!("\nLinked. The phone lists the companion as {}.", session.companion);
    Ok(true)
}

/// Lets the user type the check code; returns what the phone shows then, or nothing when the code is burnt.
fn check_code(scan: &mut Process) -> Result<Option<Value>> {
    loop {
        let Some(code) = ask_user("At the phone, type the check code:")? else { return Ok(None) };
        let mark = scan.mark();
        scan.say(&json!({"check_code": code}))?;
        let next = scan.wait(mark, "the phone's verdict on the check code", STEP, |event| {
            matches!(event["event"].as_str(), Some("wrong_code" | "approval_wanted" | "ended"))
                .then(|| event.clone())
        })?;
        match next["event"].as_str() {
            Some("approval_wanted") => return Ok(Some(next)),
            Some("wrong_code") if next["left"] != 0 => {
                println!("That is not the code; {} tries are left.", next["left"]);
            }
            _ => return Ok(None),
        }
    }
}
