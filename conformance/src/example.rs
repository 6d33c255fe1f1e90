//! The worked example of the specification: one pairing, one record, one reconnect, one recovery and the frames of a
//! session, with every value on the way, as `spec/example.md` shows them. All of it is taken from the vectors.

mod session;

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use handfast_codec::ids::{AttachKey, SigningPublic};
use handfast_codec::payload::Xk3;
use handfast_handshake::secret::DhSecret;
use serde_json::{Map, Value, json};

use crate::case::{Case, VectorFile};
use crate::fields::{Fields, hex, unhex};
use crate::grammar::{Grammar, WIRE};
use crate::{build, ops};

const HEAD: &str = "# A worked example (not normative)

Made by `handfast-conformance example` from the vectors named below; a test keeps it current. Bytes are hex. Each table of
bytes is what the grammar in [wire.tls](wire.tls) says of them: where a field begins, its bytes, its name. `ck h k n`
are Noise's variables after the message, `k_p2w` and `k_w2p` the record keys from phone to web and from web to phone.
";

/// Writes the whole page.
///
/// # Errors
///
/// If a vector that it shows is missing, or does not read as the grammar says.
pub fn page() -> Result<String> {
    let files = crate::files()?;
    let mut page = Page { grammar: Grammar::parse(WIRE)?, text: HEAD.to_owned() };
    page.pairing(find(&files, "pairing/plain")?)?;
    page.reconnect("Reconnect", find(&files, "reconnect/plain")?)?;
    page.reconnect("Recovery", find(&files, "recovery/in-step")?)?;
    page.session(&files, find(&files, "pairing/plain")?)?;
    Ok(page.text)
}

fn find<'a>(files: &'a [VectorFile], id: &str) -> Result<&'a Case> {
    let mut cases = files.iter().flat_map(|file| &file.cases);
    cases.find(|case| case.id == id).with_context(|| format!("no vector {id}"))
}

struct Page {
    grammar: Grammar,
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn heading(&mut self, title: &str) {
        self.line(&format!("\n{title}\n"));
    }

    /// Values by name, in rows of 32 bytes.
    fn values<'a>(&mut self, values: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.line("```text");
        for (name, value) in values {
            let is_hex = value.len() > 64 && value.chars().all(|c| c.is_ascii_hexdigit());
            let width = if is_hex { 64 } else { value.len().max(1) };
            let chars: Vec<char> = value.chars().collect();
            let rows = chars.chunks(width).map(|row| row.iter().collect::<String>());
            for (at, row) in rows.enumerate() {
                let _ = writeln!(self.text, "{:<20} {row}", if at == 0 { name } else { "" });
            }
        }
        self.line("```");
    }

    /// Fields of an object by their names.
    fn named(&mut self, object: &Map<String, Value>, names: &[&str]) -> Result<()> {
        let values = names.iter().map(|name| Ok((*name, object.text(name)?))).collect::<Result<Vec<_>>>()?;
        self.values(values);
        Ok(())
    }

    /// Noise's variables after a message.
    fn after(&mut self, debug: &Map<String, Value>, message: usize) -> Result<()> {
        let state = debug.object(&format!("after{message}"))?;
        let n = state.u64("n")?.to_string();
        let values =
            [("ck", state.text("ck")?), ("h", state.text("h")?), ("k", state.text("k")?), ("n", n.as_str())];
        self.values(values);
        Ok(())
    }

    /// Each field's bytes, as the grammar reads them.
    fn bytes(&mut self, name: &str, from: Option<&str>, bytes: &[u8]) -> Result<()> {
        let reading = self.grammar.read(name, from, bytes)?;
        let reading = reading.map_err(|refusal| anyhow::anyhow!("{name}: {refusal:?}"))?;
        // A program that shows the page reads the bytes again by this definition.
        self.line(&format!(
            "```text {name}{}",
            from.map_or_else(String::new, |role| format!(" from {role}"))
        ));
        let mut end = 0;
        for span in &reading.spans {
            let holds_others = reading.spans.iter().any(|other| {
                other != span
                    && other.len > 0
                    && other.at >= span.at
                    && other.at + other.len <= span.at + span.len
                    && other.len < span.len
            });
            if holds_others {
                continue;
            }
            if span.at > end {
                self.row(end, bytes.get(end..span.at).unwrap_or_default(), "(type and length)");
            }
            let field = span.path.rsplit('.').next().unwrap_or_default();
            self.row(span.at, bytes.get(span.at..span.at + span.len).unwrap_or_default(), field);
            end = span.at + span.len;
        }
        let zeros = bytes.len() - end;
        if zeros > 0 {
            let _ = writeln!(self.text, "{end:>4}  {:<32}  {zeros} bytes of padding", "00 ..");
        }
        self.line("```");
        Ok(())
    }

    fn row(&mut self, at: usize, bytes: &[u8], name: &str) {
        for (row, chunk) in bytes.chunks(16).enumerate() {
            let name = if row == 0 { name } else { "" };
            let line = format!("{:>4}  {:<32}  {name}", at + row * 16, hex(chunk));
            self.line(line.trim_end());
        }
    }

    /// Opens a record under this key, with counter value 0, and shows its frames.
    fn record(&mut self, name: &str, from: Option<&str>, k: &str, frame: &str) -> Result<()> {
        let record = frame.get(4..).context("a DATA header of two bytes")?;
        let input = json!({ "k": k, "n": 0, "record": record });
        let opened = ops::run("record.open", input.as_object().context("an object")?)?;
        let opened = opened.map_err(|code| anyhow::anyhow!("the record does not open: {code}"))?;
        let plaintext = unhex(opened.out.text("plaintext")?)?;
        self.bytes(name, from, &plaintext)
    }

    fn pairing(&mut self, case: &Case) -> Result<()> {
        let (input, out, debug) = (&case.input, &case.out, &case.debug);
        let (phone, web) = (input.object("phone")?, input.object("web")?);
        self.heading(&format!("## Pairing (`{}`)", case.id));
        self.line("The secret keys; in a real pairing all but `account` are fresh.\n");
        self.values([
            ("Wq (secret)", input.text("wq")?),
            ("opening", input.text("opening")?),
            ("relay", input.text("relay")?),
            ("phone e", phone.text("e")?),
            ("Ps (secret)", phone.text("ps")?),
            ("account (secret)", phone.text("account")?),
            ("phone attach", phone.text("attach")?),
            ("web e", web.text("e")?),
            ("Wd (secret)", web.text("wd")?),
            ("We (secret)", web.text("we")?),
            ("web attach", web.text("attach")?),
            ("phone attachment", input.text("phone_id")?),
            ("web attachment", input.text("web_id")?),
        ]);
        self.line("\nThe QR code, and what follows from it:\n");
        self.named(out, &["secret", "qr", "mailbox"])?;
        self.named(debug, &["psk", "prologue"])?;
        self.pairing_messages(case)?;
        self.heading("### Split, and the keys of the link");
        self.named(debug, &["k_p2w", "k_w2p", "rs", "x"])?;
        let keys = ["resume_psk", "recovery_psk", "tombstone_seal", "goodbye_seal", "epoch_w2p", "epoch_p2w"];
        self.named(out, &keys)?;
        self.heading("### LINK_CERT: one record, byte by byte");
        self.line("What the account signs, and its SHA-256 with the signature behind it:\n");
        self.named(debug, &["certificate_signed", "certificate_hash"])?;
        self.line(
            "\nThe first record from phone to web, sealed under `k_p2w` with n = 0, in its DATA frame:\n",
        );
        self.named(out, &["cert_record"])?;
        self.line("\nIts plaintext:\n");
        self.record("LinkRecord", None, debug.text("k_p2w")?, out.text("cert_record")?)?;
        self.heading("### LINK_ACCEPT and LINK_COMMIT");
        self.named(debug, &["accept_signed"])?;
        self.named(out, &["accept_record"])?;
        self.record("LinkRecord", None, debug.text("k_w2p")?, out.text("accept_record")?)?;
        self.named(out, &["commit_record", "link_mailbox", "resume_psk_id"])
    }

    fn pairing_messages(&mut self, case: &Case) -> Result<()> {
        let (input, out, debug) = (&case.input, &case.out, &case.debug);
        let web = input.object("web")?;
        let keys = (
            DhSecret::from_bytes(web.array("wd")?).public(),
            SigningPublic::from_bytes(ops::public(&web.array("we")?)),
            AttachKey::from_bytes(ops::public(&web.array("attach")?)),
        );
        let payloads = [
            ("Xk1", "P -> W: psk, e, es", build::xk1(input.object("payload1")?)?.encode()),
            (
                "Xk2",
                "W -> P: e, ee",
                build::xk2(input.object("payload2")?, keys, input.array("opening")?)?.encode().to_vec(),
            ),
            ("Xk3", "P -> W: s, se", Xk3.encode()),
        ];
        for (at, (name, tokens, payload)) in payloads.into_iter().enumerate() {
            let number = at + 1;
            self.heading(&format!("### Message {number}: {tokens}"));
            self.bytes(name, None, &payload)?;
            self.named(out, &[&format!("message{number}")])?;
            self.after(debug, number)?;
            if number == 2 {
                self.named(out, &["check_code", "nn"])?;
            }
        }
        Ok(())
    }

    fn reconnect(&mut self, title: &str, case: &Case) -> Result<()> {
        let (input, out, debug) = (&case.input, &case.out, &case.debug);
        self.heading(&format!("## {title} (`{}`)", case.id));
        self.values([
            ("mailbox", input.text("mailbox")?),
            ("relay", input.text("relay")?),
            ("psk", input.text("psk")?),
            ("psk id", out.text("psk_id")?),
            ("Wd (secret)", input.text("wd")?),
            ("Ps (secret)", input.text("ps")?),
            ("web e", input.text("web_e")?),
            ("phone e", input.text("phone_e")?),
            ("web attachment", input.text("web_id")?),
            ("phone attachment", input.text("phone_id")?),
            ("prologue", debug.text("prologue")?),
        ]);
        self.heading("### Message 1, behind its clear head of 10 bytes");
        self.bytes("Kk1", None, &build::kk1(input.object("payload1")?)?.encode())?;
        self.named(out, &["message1"])?;
        self.after(debug, 1)?;
        self.heading("### Message 2");
        self.bytes("Kk2", None, &build::kk2(input.object("payload2")?)?.encode())?;
        self.named(out, &["message2"])?;
        self.after(debug, 2)?;
        self.heading("### After Split");
        self.named(debug, &["k_w2p", "k_p2w", "rs", "x"])?;
        if out.contains_key("next_psk") {
            self.named(out, &["next_psk", "next_psk_id"])?;
        }
        self.line("\nThe confirm, an empty record under `k_w2p` with n = 0, and the phone's first record:\n");
        self.named(out, &["confirm_record", "answer_record"])?;
        if out.contains_key("close") {
            self.line("\nThe phone's record says:\n");
            self.record("Record", Some("phone"), debug.text("k_p2w")?, out.text("answer_record")?)?;
        }
        Ok(())
    }
}
