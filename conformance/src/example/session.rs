//! The second half of the worked example: a seat at the relay, and the frames of a session.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use handfast_codec::DeviceRole;
use handfast_codec::RelayName;
use handfast_codec::frame::{Collection, Frame, Items, OpenKind, Row, RowId};
use handfast_codec::ids::{AttachKey, CompanionId, MailboxId, Salt};
use handfast_codec::record::RecordBuilder;
use handfast_codec::relay::{Attach, DATA_HEADER_LEN, MailboxKind, MailboxProof, RelayFrame};
use handfast_codec::signed;
use handfast_codec::tlv::TlvWriter;
use handfast_codec::varint::put_varint;
use handfast_media::ContentHasher;
use handfast_messages::{Command, Item, ResultBody};
use handfast_session::RowDigest;
use serde_json::Value;

use super::{Page, find};
use crate::case::{Case, VectorFile};
use crate::derive::sha256;
use crate::fields::{Fields, hex};
use crate::{build, ops};

/// The challenge of the relay.
const NONCE: [u8; 32] = [0x42; 32];
/// The key of the command.
const KEY: [u8; 16] = [0x5e; 16];
/// The content that is offered: so many bytes, each 7.
const CONTENT_LEN: usize = 70_000;

/// The plaintext of a record of these frames.
fn plaintext(frames: &[Frame]) -> Result<Vec<u8>> {
    let mut record = RecordBuilder::new();
    anyhow::ensure!(frames.iter().all(|frame| record.push(frame)), "the frames fit a record");
    Ok(record.finish().split_off(DATA_HEADER_LEN).to_vec())
}

fn collection() -> Result<Collection> {
    Collection::new(&[1]).context("a name")
}

impl Page {
    /// Everything about the session of the link that `pairing` made.
    pub(super) fn session(&mut self, files: &[VectorFile], pairing: &Case) -> Result<()> {
        self.attach(pairing)?;
        self.verdicts(files)?;
        self.rows()?;
        self.command()?;
        self.media()?;
        self.revoked(pairing)
    }

    fn frames(&mut self, from: &str, frames: &[Frame]) -> Result<()> {
        self.bytes("Record", Some(from), &plaintext(frames)?)
    }

    fn attach(&mut self, pairing: &Case) -> Result<()> {
        let (input, out) = (&pairing.input, &pairing.out);
        let (phone, web, terms) = (input.object("phone")?, input.object("web")?, input.object("terms")?);
        let relay = RelayName::parse(input.text("relay")?)?;
        let mailbox = MailboxId::from_bytes(out.array("link_mailbox")?);
        let (phone_key, web_key) = (ops::public(&phone.array("attach")?), ops::public(&web.array("attach")?));
        let signed = signed::attach_tbs(&relay, MailboxKind::Link, DeviceRole::Web, &mailbox, &NONCE);
        let signature = ops::sign(&web.array("attach")?, &signed);
        self.heading("## A seat in the link's mailbox");
        self.line(
            "The relay's CHALLENGE has 32 times 42 for its nonce. What the web signs by its attach key:\n",
        );
        self.bytes("AttachSigned", None, &signed)?;
        self.line("\nThe ATTACH:\n");
        let proof = MailboxProof::Link {
            phone_key: AttachKey::from_bytes(phone_key),
            web_key: AttachKey::from_bytes(web_key),
            salt: Salt::from_bytes(terms.array("salt")?),
        };
        let frame =
            RelayFrame::Attach(Attach { version: 1, role: DeviceRole::Web, mailbox, proof, signature });
        self.bytes("RelayMessage", None, &frame.encode())
    }

    fn verdicts(&mut self, files: &[VectorFile]) -> Result<()> {
        self.heading("## The verdict over two resume blocks");
        for id in ["resume/web-has-more", "resume/lack-w2p-by-one"] {
            let case = find(files, id)?;
            self.line(&format!("`{id}`, the web's block:\n"));
            self.bytes("ResumeBlock", None, &build::resume_block(case.input.object("web")?)?.encode())?;
            self.line("\nThe phone's:\n");
            self.bytes("ResumeBlock", None, &build::resume_block(case.input.object("phone")?)?.encode())?;
            let reason = case.out.get("reason").and_then(Value::as_str);
            let verdict = case.out.text("verdict")?;
            self.line(&match reason {
                Some(reason) => format!("\nThe verdict is {verdict}, for `{reason}`.\n"),
                None => format!("\nThe verdict is {verdict}.\n"),
            });
        }
        Ok(())
    }

    fn rows(&mut self) -> Result<()> {
        let collection = collection()?;
        let rows = [(1, 6, "Ada", "see you"), (2, 7, "Bo", "")].map(|(chat, rev, title, text)| {
            let item = Item::Chat {
                chat,
                title: title.to_owned(),
                last_message: chat * 10,
                last_text: text.to_owned(),
                last_time: 1_700_000_000_000,
                unread: 0,
            };
            (chat, Row { id: RowId::from_number(chat), rev, body: item.encode() })
        });
        self.heading("## Rows: SINCE, DELTA, ACK, DIGEST");
        self.line(
            "The web asks for the list of chats from the beginning, and for its digest, in one record:\n",
        );
        let since = Frame::Since { collection, cursor: 0 };
        self.frames("web", &[since, Frame::DigestGet { collection, cursor: 0 }])?;
        self.line("\nThe phone's newest revision is 7, and two chats are there:\n");
        let items = Items::build(rows.iter().map(|(_, row)| row.encode())).context("items")?;
        self.frames("phone", &[Frame::Delta { collection, from: 0, to: 7, part: 0, last: 0, items }])?;
        let [(_, first), (_, second)] = &rows;
        self.line("\nIts first item is a row:\n");
        self.bytes("Row", None, &first.encode())?;
        self.line("\nThe body of that row:\n");
        self.bytes("RowBody", None, &first.body)?;
        self.line("\nThe web has stored both rows and the cursor:\n");
        self.frames("web", &[Frame::Ack { durable: 0, cursors: vec![(collection, 7)] }])?;
        self.line("\nThe digest is the sum of the hashes of both, modulo 2^256:\n");
        let hash = |row: &Row| hex(sha256(&[row.id.as_bytes(), &row.rev.to_be_bytes()].concat()));
        let digest = rows.iter().map(|(_, row)| (row.id.clone(), row.rev));
        let digest: Vec<(RowId, u64)> = digest.collect();
        let digest: RowDigest = digest.iter().map(|(id, rev)| (id, *rev)).collect();
        self.values([
            ("SHA-256 of row 1", hash(first).as_str()),
            ("SHA-256 of row 2", hash(second).as_str()),
            ("digest", hex(digest.value()).as_str()),
        ]);
        self.line("");
        self.frames("phone", &[Frame::Digest { collection, cursor: 7, digest: digest.value() }])
    }

    fn command(&mut self) -> Result<()> {
        self.heading("## A command and its result");
        let command = Command::SendText { chat: 1, text: "hello".to_owned(), reply_to: None }.encode();
        let message = envelope(&command);
        self.line("The message of a MSG from the web; the command's key is 16 times 5e:\n");
        self.bytes("CommandEnvelope", None, &message)?;
        self.line("\nThe command's body:\n");
        self.bytes("Command", None, &command)?;
        self.line("\nThe record:\n");
        self.frames("web", &[Frame::Msg { seq: 1, part: 0, last: 0, body: message.into() }])?;
        let result = result(&ResultBody::Accepted { message: 11, rev: 8 }.encode());
        self.line("\nThe phone has stored message 11 with its revision 8, and answers; its ACK says that the command is durable:\n");
        self.bytes("ResultEnvelope", None, &result)?;
        self.line("");
        let ack = Frame::Ack { durable: 1, cursors: Vec::new() };
        self.frames("phone", &[ack, Frame::Msg { seq: 1, part: 0, last: 0, body: result.into() }])
    }

    fn media(&mut self) -> Result<()> {
        let content = vec![7; CONTENT_LEN];
        let mut hasher = ContentHasher::default();
        hasher.update(&content);
        let list = hasher.finish();
        let size = u64::try_from(CONTENT_LEN)?;
        self.heading("## Media: 70,000 bytes, each 7");
        self.line("The beginning of the stream, in front of the content, and the content id:\n");
        self.bytes("MediaList", None, &list.encode())?;
        self.values([("content id", hex(list.content_id().as_bytes()).as_str())]);
        let mut meta = TlvWriter::new();
        let _ = meta.bytes(1, list.content_id().as_bytes()).u64(5, size);
        let meta = meta.finish();
        self.line("\nThe web offers it: the meta of OPEN, and the record:\n");
        self.bytes("PutMeta", None, &meta)?;
        self.line("");
        self.frames("web", &[Frame::Open { id: 0, kind: OpenKind::Put, meta: meta.into() }])
    }

    fn revoked(&mut self, pairing: &Case) -> Result<()> {
        let (phone, terms) = (pairing.input.object("phone")?, pairing.input.object("terms")?);
        let mailbox = MailboxId::from_bytes(pairing.out.array("link_mailbox")?);
        let companion = CompanionId::from_bytes(terms.array("companion")?);
        let signed = signed::revoked_tbs(&companion, terms.u64("serial")?, &mailbox);
        self.heading("## REVOKED");
        self.line(
            "What the account signs when its user removes the companion, and the phone's last record:\n",
        );
        self.bytes("RevokedSigned", None, &signed)?;
        self.line("");
        let signature = ops::sign(&phone.array("account")?, &signed);
        let close = Frame::Close { code: handfast_codec::ErrorCode::REVOKED, retry_ms: 0 };
        self.frames("phone", &[Frame::Revoked { signature }, close])
    }
}

/// The message of command 1, of which the floor is 1 and the key 16 times 5e.
fn envelope(body: &Bytes) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, 1);
    put_varint(&mut out, 1);
    out.extend_from_slice(&KEY);
    out.extend_from_slice(body);
    out
}

/// The message of its result.
fn result(body: &Bytes) -> Vec<u8> {
    let mut out = KEY.to_vec();
    out.push(0);
    out.extend_from_slice(body);
    out
}
