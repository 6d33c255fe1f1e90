//! The programs log at the level `debug`; nothing of the account may stand in what they wrote, nor in their words
//! and surroundings as other users of the machine could read them.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::world::World;
use crate::processes::random::to_hex;

/// A log that is shorter than this has not been written: the check would mean nothing.
const LOG_LEN_MIN: usize = 1_000;

/// Something secret, and what to call it when it is found.
struct Canary {
    what: &'static str,
    text: String,
}

/// Plays the chapter: looks into what the living processes show, and into all logs of the story.
pub(super) fn play(world: &mut World) -> Result<()> {
    world.ensure_running()?;
    let canaries = canaries(world)?;
    let mut shown = 0;
    for pid in [world.relay.pid()?, world.phone.pid()?, world.web.pid()?] {
        for name in ["cmdline", "environ"] {
            let bytes = std::fs::read(format!("/proc/{pid}/{name}"))?;
            holds_none(&bytes, &canaries, Path::new(name))?;
            shown += 1;
        }
    }
    let (mut logs, mut len) = (0, 0);
    for entry in std::fs::read_dir(&world.root)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "log") {
            let bytes = std::fs::read(&path)?;
            holds_none(&bytes, &canaries, &path)?;
            (logs, len) = (logs + 1, len + bytes.len());
        }
    }
    for name in ["relay.log", "phone.log", "companion.log"] {
        let written = std::fs::metadata(world.root.join(name))?.len();
        ensure!(written >= LOG_LEN_MIN as u64, "{name} has {written} bytes: it was not talkative");
    }
    let detail = format!(
        "{logs} logs of {len} bytes, {shown} command lines and environments, {} secrets",
        canaries.len()
    );
    world.table.ok("no text, name, code or key in logs and command lines", detail);
    Ok(())
}

/// Everything that was said in this story, and the keys of its devices, as somebody might print them.
fn canaries(world: &World) -> Result<Vec<Canary>> {
    let mut found = vec![Canary { what: "the text of a QR code", text: "HF1*".to_owned() }];
    for entry in world.ledger.entries() {
        for (field, what) in [("text", "a text"), ("answer", "a contact's text"), ("name", "a file's name")] {
            found.extend(entry[field].as_str().map(|text| Canary { what, text: text.to_owned() }));
        }
    }
    ensure!(found.len() > 50, "the ledger has too little to look for");
    for device in std::iter::once(&world.phone).chain(world.companions().map(|(_, device)| device)) {
        let path = device.dir().join("device.key");
        let key = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let list: Vec<String> = key.iter().map(u8::to_string).collect();
        for text in [to_hex(&key), to_hex(&key).to_uppercase(), list.join(", ")] {
            found.push(Canary { what: "a device's key", text });
        }
    }
    Ok(found)
}

fn holds_none(bytes: &[u8], canaries: &[Canary], path: &Path) -> Result<()> {
    let shown = String::from_utf8_lossy(bytes);
    let found = canaries.iter().find(|canary| shown.contains(&canary.text));
    match found {
        None => Ok(()),
        Some(canary) => anyhow::bail!("{} holds {}", path.display(), canary.what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_the_middle_of_a_log_is_found() {
        let canaries = [Canary { what: "a text", text: "hello".to_owned() }];
        let path = Path::new("x.log");
        assert!(holds_none(b"12:00 hell o", &canaries, path).is_ok());
        let error = holds_none(b"12:00 DEBUG \"hello\"", &canaries, path).unwrap_err().to_string();
        assert_eq!(error, "x.log holds a text");
    }
}
