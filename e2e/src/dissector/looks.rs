//! What the dissector shows of a run, compared with what happened in it.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::Story;
use super::tshark::{Look, Row};

const TEXT: &str = "handfast.send_text.text";
const SENDER: &str = "handfast.sender";
const MESSAGE_TEXT: &str = "handfast.message.text";
const ACKED: &str = "handfast.ack.durable";
const ACCEPTED: &str = "handfast.result_accepted.message";
const COLLECTION: &str = "handfast.delta.collection";
const STREAM: &str = "handfast.stream_data.id";
const CONTENT: &str = "handfast.put_meta.content";
const FIN: &str = "handfast.fin.hash";
const ROLE: &str = "handfast.attach.role";
const NAME: &str = "handfast.hello.name";
const CONNECTION: &str = "handfast.connection";
const LINK_FRAME: &str = "handfast.link_frame.type";
const MESSAGE: &str = "handfast.handshake.message";
const PAIRED: &str = "handfast.link_cert.account_name";
const TOKEN: &str = "handfast.ping_of_relay.token";
const PONG: &str = "handfast.pong_of_relay.token";

const FIELDS: [&str; 18] = [
    "frame.number",
    TEXT,
    SENDER,
    MESSAGE_TEXT,
    ACKED,
    ACCEPTED,
    COLLECTION,
    STREAM,
    CONTENT,
    FIN,
    ROLE,
    NAME,
    CONNECTION,
    LINK_FRAME,
    MESSAGE,
    PAIRED,
    TOKEN,
    PONG,
];

/// A record crosses the loopback interface twice: to the relay, and from it.
const LEGS: usize = 2;

/// Lets tshark print the whole run, and looks for what happened.
pub(super) fn check(story: &Story) -> Result<()> {
    let look = Look { capture: &story.capture, keys: Some(&story.keys), relay: &story.relay_name };
    let rows = Rows(look.rows("handfast", &FIELDS)?);
    rows.check_relay(story)?;
    rows.check_pairing()?;
    rows.check_texts(story)?;
    rows.check_photo(story)?;
    rows.check_connections()?;
    check_filter(&look, story)?;
    check_tree(&look, story)?;
    println!("  {} packets with Handfast are shown as what happened", rows.0.len());
    Ok(())
}

struct Rows(Vec<Row>);

impl Rows {
    /// The rows in which a field has this value, among others perhaps.
    fn having<'a>(&'a self, field: &'a str, value: &'a str) -> impl Iterator<Item = &'a Row> {
        self.0.iter().filter(move |row| row[field].split(',').any(|one| one == value))
    }

    /// How many of these rows come from a device; a packet may have several messages.
    fn count_from(rows: &[&Row], device: &str) -> usize {
        rows.iter().filter(|row| row[SENDER].split(',').any(|sender| sender == device)).count()
    }

    /// The rows in which a field is.
    fn with<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a Row> {
        self.0.iter().filter(move |row| !row[field].is_empty())
    }

    /// Each client is greeted and attaches: a socket for each of the pairing's two, the phone's link, the companion's two
    /// links. The token of a PING that came in two fragments is shown, and so is its PONG.
    fn check_relay(&self, story: &Story) -> Result<()> {
        let hellos = self.having(NAME, &story.relay_name).count();
        ensure!(hellos >= 5, "{hellos} HELLOs name the relay");
        for (role, least) in [("1", 2), ("2", 3)] {
            let attached = self.having(ROLE, role).count();
            ensure!(attached >= least, "{attached} clients attach in role {role}");
        }
        for field in [TOKEN, PONG] {
            ensure!(
                self.having(field, &story.token).count() == 1,
                "{field} {} is not shown once",
                story.token
            );
        }
        Ok(())
    }

    /// Three messages of XK, then the three link records.
    fn check_pairing(&self) -> Result<()> {
        for number in ["1", "2", "3"] {
            ensure!(self.having(MESSAGE, number).count() >= LEGS, "handshake message {number} is not shown");
        }
        for (kind, from) in [("1", "phone"), ("3", "web"), ("5", "phone")] {
            let shown = Self::count_from(&self.having(LINK_FRAME, kind).collect::<Vec<_>>(), from);
            ensure!(shown == LEGS, "link frame {kind} from the {from} is shown {shown} times");
        }
        ensure!(self.having(PAIRED, "Demo").count() == LEGS, "the account's name is not shown");
        Ok(())
    }

    fn check_texts(&self, story: &Story) -> Result<()> {
        for text in [&story.from_web, &story.second] {
            let shown = [
                self.having(TEXT, text).count(),
                Self::count_from(&self.having(TEXT, text).collect::<Vec<_>>(), "web"),
            ];
            ensure!(
                shown == [LEGS, LEGS],
                "the command with `{text}` is shown, and is from the web: {shown:?}"
            );
        }
        for text in [&story.from_web, &story.from_phone, &story.second] {
            let shown = Self::count_from(&self.having(MESSAGE_TEXT, text).collect::<Vec<_>>(), "phone");
            ensure!(shown >= LEGS, "the row of `{text}` is shown {shown} times");
        }
        for (field, from) in [(ACCEPTED, "phone"), (COLLECTION, "phone"), (ACKED, "phone"), (ACKED, "web")] {
            let shown = Self::count_from(&self.with(field).collect::<Vec<_>>(), from);
            ensure!(shown >= LEGS, "{field} from the {from} is shown {shown} times");
        }
        Ok(())
    }

    fn check_photo(&self, story: &Story) -> Result<()> {
        ensure!(Self::count_from(&self.with(CONTENT).collect::<Vec<_>>(), "web") == LEGS, "no put is shown");
        ensure!(Self::count_from(&self.with(STREAM).collect::<Vec<_>>(), "web") >= LEGS, "no DATA is shown");
        let fins = self.with(FIN).count();
        ensure!(fins == LEGS, "FIN of the photo {} is shown {fins} times", story.photo_sha256);
        Ok(())
    }

    /// There are records of the pairing and of two connections.
    fn check_connections(&self) -> Result<()> {
        let mut connections: Vec<&str> =
            self.with(CONNECTION).flat_map(|row| row[CONNECTION].split(',')).collect();
        connections.sort_unstable();
        connections.dedup();
        ensure!(connections.len() >= 3, "records of {} connections are shown, not of 3", connections.len());
        Ok(())
    }
}

/// Display filters pick single packets, and nothing is found to be wrong.
fn check_filter(look: &Look<'_>, story: &Story) -> Result<()> {
    let bad = "handfast.record.decrypted == 0 || handfast.refused || handfast.not_opened || handfast.no_key || handfast.skipped || handfast.cut \
               || handfast.other_vocabulary || _ws.malformed";
    let found = look.rows(bad, &["frame.number", "_ws.expert.message"])?;
    ensure!(found.is_empty(), "the dissector finds faults: {found:?}");
    let found = look.rows(&format!("{TEXT} == \"{}\"", story.from_web), &["frame.number"])?;
    ensure!(found.len() == LEGS, "the filter for a text finds {} packets", found.len());
    Ok(())
}

/// The tree names what a person looks for.
fn check_tree(look: &Look<'_>, story: &Story) -> Result<()> {
    let filter = format!("{TEXT} == \"{}\"", story.from_web);
    let tree = look.print(&["-V", "-Y", &filter])?.text;
    fs::write(story.root.join("a-text.txt"), &tree)?;
    let words = ["kind: record (7)", "from the web", "MSG", "SEND_TEXT", &story.from_web, "Padding bytes"];
    let missing = words.iter().find(|word| !tree.contains(**word));
    ensure!(missing.is_none(), "the tree does not show {missing:?}:\n{tree}");
    let line = look.print(&["-Y", &filter])?.text;
    let first = line.lines().next().context("no line for the text")?;
    ensure!(first.contains("Handfast") && first.contains("SEND_TEXT"), "the line does not say it: {first}");
    Ok(())
}
