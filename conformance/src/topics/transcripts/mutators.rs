//! What may be wrong with a handshake at one of its parties, one thing at a time.

use anyhow::{Context as _, Result};
use handfast_codec::ErrorCode;
use handfast_handshake::noise::HandshakeRole;
use handfast_handshake::secret::DhSecret;
use serde_json::Value;

use super::{Session, other};
use crate::fields::{hex, unhex};
use crate::seed;

/// An input that is to be refused.
pub(super) struct Refusal {
    pub(super) mutator: &'static str,
    pub(super) place: String,
    pub(super) req: &'static str,
    pub(super) comment: &'static str,
    pub(super) input: Value,
    pub(super) code: ErrorCode,
}

/// A part of a message, with its name.
struct Part {
    name: &'static str,
    from: usize,
    to: usize,
}

/// The parts of the message with this number, counted from 0.
fn parts(protocol: &str, number: usize, len: usize) -> Vec<Part> {
    let part = |name, from, to| Part { name, from, to };
    let mut out = Vec::new();
    let mut at = 0;
    if number < 2 {
        out.push(part("e", 0, 32));
        at = 32;
    } else if protocol.contains("XK") {
        out.extend([part("s", 0, 32), part("s-tag", 32, 48)]);
        at = 48;
    }
    if len > at + 16 {
        out.push(part("payload", at, len - 16));
    }
    out.push(part("tag", len - 16, len));
    out
}

const LOW_ORDER: [(&str, &str); 5] = [
    ("zero", "0000000000000000000000000000000000000000000000000000000000000000"),
    ("one", "0100000000000000000000000000000000000000000000000000000000000000"),
    ("eight-a", "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    ("eight-b", "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    ("minus-one", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
];

const NOT_CANONICAL: [(&str, &str); 4] = [
    ("prime", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ("prime-and-nine", "f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ("top-bit", "0900000000000000000000000000000000000000000000000000000000000080"),
    ("all-ones", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
];

struct Maker<'s> {
    good: &'s Session,
    again: &'s Session,
    role: HandshakeRole,
    out: Vec<Refusal>,
}

/// Everything that a party of this role must refuse; `again` is another session of the same two devices' kind.
pub(super) fn refusals(good: &Session, again: &Session, role: HandshakeRole) -> Result<Vec<Refusal>> {
    let mut maker = Maker { good, again, role, out: Vec::new() };
    maker.messages()?;
    maker.own_values()?;
    Ok(maker.out)
}

impl Maker<'_> {
    fn push(&mut self, mutator: &'static str, place: &str, comment: &'static str, input: Value) {
        let (req, code) = ("HSK-005", ErrorCode::HANDSHAKE_FAILED);
        self.out.push(Refusal { mutator, place: place.to_owned(), req, comment, input, code });
    }

    /// With another message in place of one that comes; those after it are left away.
    fn with(&self, at: usize, message: &[u8]) -> Value {
        let mut input = self.good.input(self.role);
        if let Some(list) = input["messages"].as_array_mut() {
            list.truncate(at);
            list.push(hex(message).into());
        }
        input
    }

    /// Each message that comes: its number among those, and among all.
    fn messages(&mut self) -> Result<()> {
        let first = usize::from(self.role == HandshakeRole::Initiator);
        let numbers: Vec<usize> = (first..self.good.messages.len()).step_by(2).collect();
        for (at, number) in numbers.into_iter().enumerate() {
            let message = self.good.messages[number].clone();
            self.bits(at, number, &message);
            self.lengths(at, number, &message);
            self.others(at, number, &message);
            if number < 2 {
                self.ephemerals(at, number, &message)?;
            }
        }
        Ok(())
    }

    fn bits(&mut self, at: usize, number: usize, message: &[u8]) {
        for part in parts(self.good.protocol, number, message.len()) {
            // Another ephemeral key may fail as a key; its bits are covered below.
            let middle = usize::midpoint(part.from, part.to);
            for (which, byte, mask) in
                [("first", part.from, 1), ("middle", middle, 0x10), ("last", part.to - 1, 0x40)]
            {
                let mut wrong = message.to_vec();
                wrong[byte] ^= mask;
                let place = format!("message-{}-{}-{which}", number + 1, part.name);
                self.push("flip", &place, "one bit differs", self.with(at, &wrong));
            }
        }
    }

    fn lengths(&mut self, at: usize, number: usize, message: &[u8]) {
        let shortest = match number {
            0 | 1 => 48,
            _ if self.good.protocol.contains("XK") => 64,
            _ => 16,
        };
        let place = |what: &str| format!("message-{}-{what}", number + 1);
        for (what, len) in [("nothing", 0), ("one-byte", 1), ("no-room", shortest - 1)] {
            let input = self.with(at, &message[..len]);
            self.push("cut", &place(what), "no room for keys and tags", input);
            self.last("ERR-001", ErrorCode::TRUNCATED);
        }
        for (what, len) in
            [("no-payload", shortest), ("half", message.len() / 2), ("one-less", message.len() - 1)]
        {
            if len < shortest || len == message.len() {
                continue;
            }
            self.push("cut", &place(what), "it ends early", self.with(at, &message[..len]));
        }
        let longer = [message, &[0]].concat();
        self.push("extend", &place("one-more"), "a byte behind it", self.with(at, &longer));
        let twice = [message, message].concat();
        self.push("extend", &place("twice"), "the same once more behind it", self.with(at, &twice));
        let mut long = message.to_vec();
        long.resize(4_097, 0);
        self.push("over-maximum", &place("4097"), "one byte over the longest message", self.with(at, &long));
        self.last("HSK-004", ErrorCode::FIELD_LENGTH);
        long.truncate(4_096);
        self.push("extend", &place("4096"), "the longest message, of noise", self.with(at, &long));
    }

    /// Gives the last refusal another requirement and code.
    fn last(&mut self, req: &'static str, code: ErrorCode) {
        if let Some(last) = self.out.last_mut() {
            (last.req, last.code) = (req, code);
        }
    }

    fn others(&mut self, at: usize, number: usize, message: &[u8]) {
        let place = |what: &str| format!("message-{}-{what}", number + 1);
        let of_another = self.again.messages[number].clone();
        self.push("replay", &place("another-session"), "that of another session", self.with(at, &of_another));
        for part in parts(self.good.protocol, number, message.len()) {
            let mut spliced = message.to_vec();
            spliced[part.from..part.to].copy_from_slice(&of_another[part.from..part.to]);
            let comment = "a part is that of another session";
            self.push("splice", &place(part.name), comment, self.with(at, &spliced));
        }
        for (other, wrong) in
            self.good.messages.clone().iter().enumerate().filter(|(other, _)| *other != number)
        {
            let mine = (other % 2 == 0) == (self.role == HandshakeRole::Initiator);
            let (mutator, comment) = if mine {
                ("reflect", "one's own message comes back")
            } else {
                ("swap-messages", "another message of the same session")
            };
            self.push(mutator, &place(&format!("is-{}", other + 1)), comment, self.with(at, wrong));
        }
    }

    fn ephemerals(&mut self, at: usize, number: usize, message: &[u8]) -> Result<()> {
        let place = |what: &str| format!("message-{}-{what}", number + 1);
        for (what, key) in LOW_ORDER {
            let wrong = [&unhex(key)?, &message[32..]].concat();
            self.push(
                "low-order",
                &place(what),
                "a key of low order: the shared secret is zero",
                self.with(at, &wrong),
            );
            self.last("HSK-001", ErrorCode::BAD_KEY);
        }
        for (what, key) in NOT_CANONICAL {
            let wrong = [&unhex(key)?, &message[32..]].concat();
            self.push("not-canonical", &place(what), "a key that is not canonical", self.with(at, &wrong));
            self.last("HSK-009", ErrorCode::BAD_KEY);
        }
        for (what, role, name) in
            [("own-e", self.role, "e"), ("own-s", self.role, "s"), ("peer-s", other(self.role), "s")]
        {
            let key = DhSecret::from_bytes(self.good.key(role, name)).public();
            let wrong = [&key.as_bytes()[..], &message[32..]].concat();
            let comment = "a key of another place in the place of the ephemeral one";
            self.push("other-key", &place(what), comment, self.with(at, &wrong));
        }
        Ok(())
    }

    /// What this party holds itself differs from what the peer holds.
    fn own_values(&mut self) -> Result<()> {
        let input = self.good.input(self.role);
        for (what, prologue) in [
            ("empty", Vec::new()),
            ("first-bit", b"`prologue".to_vec()),
            ("longer", [&self.good.prologue[..], &[0]].concat()),
            ("shorter", self.good.prologue[..9].to_vec()),
            ("twice", self.good.prologue.repeat(2)),
        ] {
            let mut wrong = input.clone();
            wrong["prologue"] = hex(prologue).into();
            self.push("other-prologue", what, "the sides hold different prologues", wrong);
        }
        let stranger = |name: &str| hex(seed::key("refuse-transcripts", "stranger", name));
        let mut fields = vec![("psk", "another psk"), ("s", "another static key")];
        if self.role == HandshakeRole::Initiator {
            fields.push(("e", "another ephemeral key than the peer has seen"));
        }
        for (field, comment) in fields {
            let mut wrong = input.clone();
            wrong[field] = stranger(field).into();
            // At the initiator of XK nothing before message 3 hangs on its static key.
            if self.good.protocol.contains("XK") && self.role == HandshakeRole::Initiator && field == "s" {
                continue;
            }
            self.push("other-own", field, comment, wrong);
        }
        for (what, byte) in [("psk-zero", 0_u8), ("psk-ones", 0xff)] {
            let mut wrong = input.clone();
            wrong["psk"] = hex([byte; 32]).into();
            self.push("other-own", what, "another psk", wrong);
        }
        let mut role = input.clone();
        role["psk"] = hex(self.again.psk()).into();
        self.push("other-own", "psk-of-another-session", "the psk of another session", role);
        if input.get("rs").is_some() {
            self.remote_static(&input)?;
        }
        Ok(())
    }

    fn remote_static(&mut self, input: &Value) -> Result<()> {
        let text = |field: &str| input[field].as_str().context("hex").and_then(unhex);
        let public = |secret: Vec<u8>| -> Result<String> {
            let secret: [u8; 32] = secret.try_into().ok().context("32 bytes")?;
            Ok(hex(DhSecret::from_bytes(secret).public()))
        };
        let mut wrong = input.clone();
        wrong["rs"] = public(seed::key("refuse-transcripts", "stranger", "s").to_vec())?.into();
        self.push("other-remote", "stranger", "the peer is another than is expected", wrong);
        let mut wrong = input.clone();
        wrong["rs"] = public(text("s")?)?.into();
        self.push("other-remote", "own", "the peer's static key is the own one", wrong);
        self.last("HSK-002", ErrorCode::BAD_KEY);
        for (what, key) in NOT_CANONICAL {
            let mut wrong = input.clone();
            wrong["rs"] = key.into();
            self.push("not-canonical", &format!("rs-{what}"), "a static key that is not canonical", wrong);
            self.last("HSK-009", ErrorCode::BAD_KEY);
        }
        for (what, key) in LOW_ORDER {
            let mut wrong = input.clone();
            wrong["rs"] = key.into();
            self.push("low-order", &format!("rs-{what}"), "a static key of low order", wrong);
            self.last("HSK-001", ErrorCode::BAD_KEY);
        }
        Ok(())
    }
}
