//! The prompt after pairing.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::{Session, ask_user};
use crate::processes::devices::Device;
use crate::processes::photo;
use crate::processes::random;

const HELP: &str = "\
  chats               the list of chats, as the companion holds it
  history CHAT        the newest messages of a chat
  send CHAT TEXT      sends a text from the companion; the contact answers
  phone CHAT TEXT     sends a text from the phone
  photo CHAT          sends a random picture of 5 MB from the companion
  get CONTENT         fetches media by the content id that `history` shows
  kill-relay          kills the relay and starts it again: nothing is lost
  status              what each program says of itself
  revoke              the phone ends the link, and the companion wipes its keys
  quit                ends the three programs";
/// What there is to do at the phone, when a page in a browser is the companion.
const PHONE_HELP: &str = "\
  chats               the list of chats, as the phone holds it
  history CHAT        the newest messages of a chat
  send CHAT TEXT      sends a text from the phone
  photo CHAT          sends a random picture of 5 MB from the phone
  kill-relay          kills the relay and starts it again: nothing is lost
  status              what the phone says of itself
  revoke              the phone ends the link, and the page wipes its keys
  quit                ends the programs";
/// The size of the picture that `photo` sends, in bytes.
const PHOTO_LEN: usize = 5 * 1024 * 1024;
const SYNC_LIMIT: Duration = Duration::from_mins(1);

/// Serves the user at the phone, whose companion is a page, until `quit` or the end of the input.
pub(super) fn serve_phone(session: &mut Session) -> Result<()> {
    session.by_page = true;
    println!("\nWrite in the browser, or here at the phone:\n{PHONE_HELP}");
    ask_on(session, "phone>")
}

/// Starts the companion and serves the user until `quit` or the end of the input.
pub(super) fn serve(session: &mut Session) -> Result<()> {
    session.web.start()?;
    let synced = session.web.process()?.wait_event(0, "synced", SYNC_LIMIT)?;
    println!("The companion holds {} chats with {} messages now.", synced["chats"], synced["messages"]);
    println!("\nWhat you can do; start with `send 1 hello`:\n{HELP}");
    session.seen = session.web.process()?.mark();
    ask_on(session, "demo>")
}

fn ask_on(session: &mut Session, prompt: &str) -> Result<()> {
    loop {
        if !session.by_page {
            show_news(session)?;
        }
        let Some(line) = ask_user(&format!("\n{prompt}"))? else { return Ok(()) };
        let mut words = line.splitn(3, ' ');
        let (verb, first, rest) = (words.next().unwrap_or_default(), words.next(), words.next());
        if verb == "quit" || verb == "q" {
            return Ok(());
        }
        if let Err(error) = handle_line(session, verb, first, rest) {
            println!("That did not work: {error:#}");
        }
    }
}

fn handle_line(session: &mut Session, verb: &str, first: Option<&str>, rest: Option<&str>) -> Result<()> {
    match verb {
        "" => Ok(()),
        "chats" => show_rows(&here(session).ask(&json!({"verb": "chats"}))?, "chats"),
        "history" => {
            let answer = here(session).ask(&json!({"verb": "history", "chat": chat(first)?, "count": 10}))?;
            show_rows(&answer, "messages")
        }
        "send" | "phone" => {
            let text = rest.context("a text is missing: send CHAT TEXT")?;
            let device = if verb == "send" { here(session) } else { &session.phone };
            let client_id = random::uuid()?;
            let request = json!({"verb": "send", "chat": chat(first)?, "text": text, "client_id": client_id});
            println!("{}", device.ask(&request)?);
            Ok(())
        }
        "photo" => send_photo(session, chat(first)?),
        "get" if !session.by_page => {
            let content = first.context("a content id is missing: get CONTENT")?;
            let out = session.root.join(format!("fetched-{}.png", random::hex(4)?));
            println!("{}", session.web.ask(&json!({"verb": "get", "content": content, "out": out}))?);
            println!("It will lie in {}", out.display());
            Ok(())
        }
        "kill-relay" => {
            session.relay.kill();
            println!("The relay is killed; both others now say that it is down.");
            session.relay.start()?;
            println!("It runs again as process {}; both come back by themselves.", session.relay.pid()?);
            Ok(())
        }
        "status" => {
            for device in [&session.phone, &session.web].into_iter().take(1 + usize::from(!session.by_page)) {
                println!("{}: {}", device.name(), device.ask(&json!({"verb": "status"}))?);
            }
            Ok(())
        }
        "revoke" => {
            println!("{}", session.phone.ask(&json!({"verb": "revoke", "companion": session.companion}))?);
            Ok(())
        }
        "help" => {
            println!("{}", if session.by_page { PHONE_HELP } else { HELP });
            Ok(())
        }
        _ => bail!("`{verb}` is not known here; `help` lists what is"),
    }
}

/// The device at whose console the user is.
fn here(session: &Session) -> &Device {
    if session.by_page { &session.phone } else { &session.web }
}

fn chat(word: Option<&str>) -> Result<u64> {
    word.and_then(|word| word.parse().ok()).context("the number of a chat is missing; `chats` lists them")
}

fn send_photo(session: &mut Session, chat: u64) -> Result<()> {
    let path = session.root.join(format!("photo-{}.png", random::hex(4)?));
    let made = photo::write(&path, PHOTO_LEN)?;
    let request = json!({"verb": "attach", "chat": chat, "file": path, "client_id": random::uuid()?});
    println!("{}", here(session).ask(&request)?);
    println!(
        "{} bytes, SHA-256 {}; it will lie in {}/media",
        made.size,
        made.sha256,
        session.phone.dir().display()
    );
    Ok(())
}

/// Prints a list of rows, one a line.
fn show_rows(answer: &Value, list: &str) -> Result<()> {
    let rows = answer[list].as_array().with_context(|| format!("an answer without {list}: {answer}"))?;
    for row in rows {
        println!("{row}");
    }
    Ok(())
}

/// Prints what the companion told since the last prompt.
fn show_news(session: &mut Session) -> Result<()> {
    let process = session.web.process()?;
    let events = process.events_since(session.seen);
    session.seen += events.len();
    // A transfer tells each step; its end is enough here, good or bad.
    let is_over = |event: &Value| event["done"] == true || !event["code"].is_null();
    let worth = |event: &&Value| event["event"] != "transfer" || is_over(event);
    events.iter().filter(worth).for_each(|event| println!("companion: {event}"));
    if !session.web.process()?.is_running() {
        println!("companion: it has ended, see {}", session.root.join("companion.log").display());
    }
    Ok(())
}
