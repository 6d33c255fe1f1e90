//! What the dissector shows where something is missing: keys, a right key, a part of the capture.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::Story;
use super::tshark::Look;
use crate::command;

const UNDECRYPTED: &str = "handfast.record.decrypted == 0";
const DECRYPTED: &str = "handfast.record.decrypted == 1";
const TEXT: &str = "handfast.send_text.text";
const SAYS: &str = "_ws.expert.message";
/// In how many places the capture is cut.
const CUTS: u64 = 12;
/// How much of each packet a second copy has: enough for HTTP, not for most records.
const SNAP_LEN: &str = "300";

/// Spoils one thing after the other.
pub(super) fn check(story: &Story) -> Result<()> {
    without_keys(story)?;
    with_an_altered_key(story)?;
    cut(story)?;
    snapped(story)
}

fn look<'a>(story: &'a Story, capture: &'a Path, keys: Option<&'a Path>) -> Look<'a> {
    Look { capture, keys, relay: &story.relay_name }
}

/// Without a key log no record is decrypted, and each says why.
fn without_keys(story: &Story) -> Result<()> {
    let look = look(story, &story.capture, None);
    let rows = look.rows(UNDECRYPTED, &[SAYS])?;
    ensure!(rows.len() > 20, "{} records are shown", rows.len());
    let is_said = |says: &str| says.contains("no key log is set");
    ensure!(look.rows(DECRYPTED, &["frame.number"])?.is_empty(), "a record is decrypted without a key");
    ensure!(rows.iter().all(|row| is_said(&row[SAYS])), "a record does not say that there is no key log");
    Ok(())
}

/// With another last digit in the keys of initiators (the phone in a pairing, the web later), records of the responder alone
/// are decrypted; the others say why not.
fn with_an_altered_key(story: &Story) -> Result<()> {
    let altered = story.root.join("altered.keys");
    let text = fs::read_to_string(&story.keys)?;
    let lines: Vec<String> = text
        .lines()
        .map(|line| match line.strip_suffix(['0', '1']) {
            _ if !line.starts_with("HANDFAST_INITIATOR_KEY") => line.to_owned(),
            Some(rest) => format!("{rest}2"),
            None => format!("{}0", &line[..line.len() - 1]),
        })
        .collect();
    fs::write(&altered, lines.join("\n"))?;
    let look = look(story, &story.capture, Some(&altered));
    let rows = look.rows(UNDECRYPTED, &["handfast.sender", SAYS])?;
    ensure!(rows.len() > 10, "{} records are not decrypted", rows.len());
    let is_said = |says: &str| says.contains("the tag is not that of the key in the key log");
    ensure!(
        rows.iter().all(|row| is_said(&row[SAYS])),
        "a record does not say that its key is wrong: {rows:?}"
    );
    ensure!(look.rows(TEXT, &["frame.number"])?.is_empty(), "a command is shown with a wrong key");
    ensure!(!look.rows("handfast.delta", &["frame.number"])?.is_empty(), "the phone's records are not shown");
    Ok(())
}

/// A capture that ends anywhere is shown up to there.
fn cut(story: &Story) -> Result<()> {
    let bytes = fs::read(&story.capture)?;
    let path = story.root.join("cut.pcapng");
    let len = u64::try_from(bytes.len())?;
    for at in 1..CUTS {
        let end = usize::try_from(len * at / CUTS)?;
        fs::write(&path, bytes.get(..end).context("a cut")?)?;
        let printed = look(story, &path, Some(&story.keys)).print(&["-V"])?;
        ensure!(at < CUTS / 2 || printed.text.contains("Handfast"), "cut at {end}, nothing is shown");
    }
    Ok(())
}

/// A capture of the beginnings of packets: what is not there is said to be missing.
fn snapped(story: &Story) -> Result<()> {
    let path = story.root.join("snapped.pcapng");
    command::run(Command::new("editcap").args(["-s", SNAP_LEN]).arg(&story.capture).arg(&path))?;
    let printed = look(story, &path, Some(&story.keys)).print(&["-V"])?;
    for word in ["HELLO", "Decrypted: True", "not in the capture"] {
        ensure!(printed.text.contains(word), "of a capture of short packets, `{word}` is not shown");
    }
    Ok(())
}
