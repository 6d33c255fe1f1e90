//! The databases of release `8b64ab1`, as its own programs made them (`fixtures`), under the real phone and the real companion
//! of today.

use std::collections::BTreeMap;
use std::path::Path;

use crate::both::{Both, MINUTE, phone_dir, web_dir};
use handfast::codec::ids::{CommandKey, MailboxId};
use handfast::handshake::key_schedule::old_command_key;
use handfast_testkit::Clocked as _;
use reference_web::app::AppEvent;
use rusqlite::Connection;

/// The chats of the account.
const CHATS: [u64; 3] = [1, 2, 3];
/// What waits at the companion.
const TEXT: &str = "waits for the phone";
const FILE: &str = "later.txt";

/// A row of a message as the older release has it: chat, id, text, state of being edited, number of its command.
type OldRow = (u64, u64, String, bool, Option<u64>);

fn fixtures() -> [&'static Path; 2] {
    let web = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/8b64ab1"));
    let phone =
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../reference-phone/tests/fixtures/8b64ab1"));
    [phone, web]
}

fn old_rows(dir: &Path, database: &str, only: &str) -> Vec<OldRow> {
    let conn = Connection::open(dir.join(database)).unwrap();
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert!(version <= 3, "{database} is of version {version}, which is no old one");
    let sql = format!("SELECT chat, id, text, edited, cmd_id FROM messages WHERE {only} ORDER BY chat, id");
    let mut query = conn.prepare(&sql).unwrap();
    let number = |row: &rusqlite::Row<'_>, at| row.get::<_, i64>(at).map(i64::cast_unsigned);
    let rows = query.query_map([], |row| {
        let command = row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned);
        Ok((number(row, 0)?, number(row, 1)?, row.get(2)?, row.get(3)?, command))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn link(dir: &Path) -> MailboxId {
    let conn = Connection::open(dir.join("companion.db")).unwrap();
    MailboxId::from_bytes(conn.query_row("SELECT link FROM links", [], |row| row.get(0)).unwrap())
}

/// Copies of both directories, and what stood in them.
struct Old {
    both: Both,
    phone: Vec<OldRow>,
    web: Vec<OldRow>,
    link: MailboxId,
    /// The number of the command that waits.
    waiting: u64,
}

fn old() -> Old {
    let dir = tempfile::tempdir().unwrap();
    let [phone, web] = fixtures();
    crate::both::copy_private(phone, &phone_dir(dir.path()));
    crate::both::copy_private(web, &web_dir(dir.path()));
    // Read elsewhere: SQLite's last user removes the log, and the store would miss it.
    let read = tempfile::tempdir().unwrap();
    crate::both::copy_private(fixtures()[0], &phone_dir(read.path()));
    crate::both::copy_private(fixtures()[1], &web_dir(read.path()));
    let phone = old_rows(&phone_dir(read.path()), "phone.db", "deleted = 0");
    let web = web_dir(read.path());
    let conn = Connection::open(web.join("companion.db")).unwrap();
    let waits = "SELECT cmd_id FROM commands WHERE state IN ('queued', 'sent')";
    let waiting = conn.query_row(waits, [], |row| row.get::<_, i64>(0)).unwrap().cast_unsigned();
    drop(conn);
    let (rows, link) = (old_rows(&web, "companion.db", "true"), link(&web));
    Old { both: Both::over(7, dir), phone, web: rows, link, waiting }
}

type Row = (u64, u64, String, bool, Option<CommandKey>);

fn rows_of_phone(both: &Both) -> Vec<Row> {
    let rows = CHATS.map(|chat| both.phone().store().history(chat, 0, 99).unwrap());
    let mut rows: Vec<Row> = rows
        .into_iter()
        .flatten()
        .map(|row| row.message)
        .map(|m| (m.chat, m.message, m.text, m.edited, m.command.map(|command| command.key)))
        .collect();
    rows.sort_by_key(|row| (row.0, row.1));
    rows
}

fn rows_of_web(both: &mut Both) -> Vec<Row> {
    let rows = CHATS.map(|chat| both.web().store().history(chat, 99).unwrap());
    let mut rows: Vec<Row> = rows
        .into_iter()
        .flatten()
        .map(|m| (m.chat, m.id, m.text, m.edited, m.command.map(|(_, key)| key)))
        .collect();
    rows.sort_by_key(|row| (row.0, row.1));
    rows
}

#[test]
fn every_row_is_taken_over_with_the_key_that_both_sides_derive() {
    // req: RES-035
    let Old { mut both, phone, web, link, .. } = old();
    let keyed = |rows: &[OldRow]| -> Vec<Row> {
        rows.iter()
            .cloned()
            .map(|(chat, id, text, edited, number)| {
                (chat, id, text, edited, number.map(|number| old_command_key(&link, number)))
            })
            .collect()
    };
    assert!(phone.len() >= 15 && web.len() >= 15, "{} and {} rows", phone.len(), web.len());
    assert_eq!(rows_of_phone(&both), keyed(&phone));
    assert_eq!(rows_of_web(&mut both), keyed(&web));
    let of_phone: BTreeMap<_, _> =
        rows_of_phone(&both).into_iter().map(|row| ((row.0, row.1), row.4)).collect();
    let made: Vec<_> = rows_of_web(&mut both).into_iter().filter(|row| row.4.is_some()).collect();
    assert!(made.len() >= 3, "a text, an edited one and a file were made by commands");
    for row in made {
        assert_eq!(of_phone.get(&(row.0, row.1)), Some(&row.4), "{row:?}");
    }
    let reactions: usize = both.web().store().history(1, 99).unwrap().iter().map(|m| m.reactions.len()).sum();
    assert!(reactions >= 1);
}

#[test]
fn what_waited_goes_out_once_and_the_link_lives_on() {
    // req: RES-035
    let Old { mut both, web, link, waiting, .. } = old();
    assert!(web.iter().all(|row| row.2 != TEXT), "it is not delivered");
    assert_eq!(both.web().store().commands_open().unwrap(), 1);
    both.run_until("live", |b| b.is_live());
    both.run_until("answered", |b| {
        b.web().store().commands_open().unwrap() == 0 && b.web().store().transfers_open().unwrap().is_empty()
    });
    both.run_for(MINUTE);
    // Another start of both finds nothing that is not settled.
    both.stop_web();
    both.stop_phone();
    both.start_phone();
    both.start_web();
    both.events.clear();
    both.run_until("live", |b| b.is_live());
    both.run_for(MINUTE);
    let texts: Vec<Row> = rows_of_phone(&both).into_iter().filter(|row| row.2 == TEXT).collect();
    assert_eq!(texts.iter().map(|row| row.4).collect::<Vec<_>>(), [Some(old_command_key(&link, waiting))]);
    let files = both.phone().store().history(3, 0, 99).unwrap();
    let later = files.iter().filter_map(|row| row.message.media.as_ref()).filter(|media| media.name == FILE);
    assert_eq!(later.count(), 1);
    assert_eq!(rows_of_web(&mut both), rows_of_phone(&both));
    for chat in CHATS {
        assert_eq!(both.difference(chat), None);
    }
    let (here, there) = both.lists();
    assert_eq!(here, there);
    let is_fault = |event: &&AppEvent| {
        matches!(event, AppEvent::PutBack { .. } | AppEvent::LinkError { .. } | AppEvent::Forgotten { .. })
    };
    assert_eq!(both.events.iter().filter(is_fault).collect::<Vec<_>>(), Vec::<&AppEvent>::new());
}
