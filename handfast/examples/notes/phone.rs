//! The phone: it has the notes.

use std::path::Path;

use bytes::Bytes;
use handfast::codec::frame::RowId;
use handfast::codec::ids::{ContentId, MailboxId};
use handfast::driver::HostDriver;
use handfast::tether::{Phone, PhoneApp, PhoneTxn, Tether, TetherError};

use crate::notes;

/// The application. All that it keeps is in the tether's rows.
pub(crate) struct Notes;

/// Adds a note. No note is ever changed, so that its revision serves as its id.
fn add(txn: &mut PhoneTxn<'_, String>, file: Option<ContentId>, text: &str) -> Result<(), TetherError> {
    let id = txn.newest()? + 1;
    let file = file.unwrap_or(ContentId::from_bytes([0; 32]));
    let body = [file.as_bytes(), text.as_bytes()].concat();
    let _ = txn.put(&notes(), RowId::from_number(id), body.into())?;
    txn.event(format!("note {id}: {text}"));
    Ok(())
}

impl PhoneApp for Notes {
    type Event = String;

    fn command(
        &mut self,
        txn: &mut PhoneTxn<'_, String>,
        _: MailboxId,
        body: &Bytes,
    ) -> Result<Bytes, TetherError> {
        add(txn, None, &String::from_utf8_lossy(body))?;
        Ok(Bytes::new())
    }
}

pub(crate) fn open(dir: &str, driver: &mut HostDriver) -> Result<Tether<Phone<Notes>>, TetherError> {
    Tether::open_phone(Path::new(dir), Notes, driver.now(), driver.rng())
}

/// Carries out a line of the user.
pub(crate) fn act(
    phone: &mut Tether<Phone<Notes>>,
    driver: &mut HostDriver,
    line: &str,
) -> Result<(), TetherError> {
    let now = driver.now();
    match line.split_once(' ').unwrap_or((line, "")) {
        ("scan", code) => phone.scan(now, driver.rng(), code),
        ("code", digits) => Ok(phone.pairing()?.enter_check_code(now, digits)?),
        ("yes", _) => phone.approve(now, driver.rng(), "Notes", 1),
        ("add", text) => phone.change(|_, txn| add(txn, None, text)),
        ("attach", path) => phone.change(|_, txn| {
            let file = txn.import(Path::new(path))?;
            add(txn, Some(file), path)
        }),
        _ => Err(TetherError::Input(
            "lines: scan CODE | code 1234 | yes | add TEXT | attach PATH | quit".into(),
        )),
    }
}
