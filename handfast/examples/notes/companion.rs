//! The companion: it shows the phone's notes, adds some, and fetches their files.

use std::path::Path;

use bytes::Bytes;
use handfast::RelayName;
use handfast::codec::frame::{Collection, Row, RowId};
use handfast::codec::ids::{CommandKey, ContentId};
use handfast::driver::HostDriver;
use handfast::handshake::pairing::Claims;
use handfast::tether::{Companion, CompanionApp, Tether, TetherError, Txn};

use crate::notes;

/// The application. All that it keeps is in the tether's rows.
pub(crate) struct Notes;

impl CompanionApp for Notes {
    type Event = String;

    fn row(&mut self, txn: &mut Txn<'_, String>, _: &Collection, row: &Row) -> Result<(), TetherError> {
        let text = String::from_utf8_lossy(row.body.get(32..).unwrap_or_default());
        txn.event(format!("note {}: {text}", row.id.number().unwrap_or_default()));
        Ok(())
    }

    fn gone(&mut self, _: &mut Txn<'_, String>, _: &Collection, _: &RowId) -> Result<(), TetherError> {
        Ok(())
    }

    fn result(
        &mut self,
        txn: &mut Txn<'_, String>,
        _: CommandKey,
        _: Option<&Bytes>,
    ) -> Result<(), TetherError> {
        txn.event("taken".to_owned());
        Ok(())
    }
}

/// Opens the companion. Without a link it shows a code.
pub(crate) fn open(
    dir: &str,
    relay: &str,
    driver: &mut HostDriver,
) -> Result<Tether<Companion<Notes>>, Box<dyn std::error::Error>> {
    let (now, collections) = (driver.now(), vec![notes()]);
    let mut companion = Tether::open_companion(Path::new(dir), Notes, collections, now, driver.rng())?;
    if companion.links().next().is_none() {
        let claims = Claims { label: "notes".to_owned(), origin: String::new(), grants: 1 };
        let code = companion.show_code(now, driver.rng(), RelayName::parse(relay)?, claims)?;
        println!("code {code}");
    }
    Ok(companion)
}

/// Carries out a line of the user.
pub(crate) fn act(
    companion: &mut Tether<Companion<Notes>>,
    driver: &mut HostDriver,
    line: &str,
) -> Result<(), TetherError> {
    let now = driver.now();
    match line.split_once(' ').unwrap_or((line, "")) {
        ("number", digits) => Ok(companion.pairing()?.enter_confirmation(now, digits)?),
        ("add", text) => {
            companion.send(now, driver.rng(), &Bytes::copy_from_slice(text.as_bytes())).map(drop)
        }
        ("get", words) => {
            let note = words.split_once(' ').and_then(|(id, path)| Some((id.parse().ok()?, path)));
            let (id, path) = note.ok_or_else(|| TetherError::Input("get NOTE PATH".to_owned()))?;
            let row = companion.row(&notes(), &RowId::from_number(id))?;
            let file = row.and_then(|row| row.body.first_chunk().copied()).filter(|file| *file != [0; 32]);
            let file =
                file.ok_or_else(|| TetherError::Input("no such note, or it has no file".to_owned()))?;
            companion.get(ContentId::from_bytes(file), path)
        }
        _ => Err(TetherError::Input("lines: number 12 | add TEXT | get NOTE PATH | quit".to_owned())),
    }
}
