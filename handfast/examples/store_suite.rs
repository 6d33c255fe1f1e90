//! Puts a store of any language through the suite that every store passes, over lines: what the store is to do goes out on
//! standard output, what came of it is read from standard input, each a JSON object on a line. Bytes are hex.
//!
//! ```text
//! {"do":"new"}                                            {} or {"callsMin":2}, if a commit takes few calls
//! {"do":"open","holder":1}                                {}
//! {"do":"write","holder":1,"commits":[..],"effect":7}     {} or {"failed":"conflict"} or {"failed":"a reason"}
//! {"do":"die","holder":1,"commits":[..],"effect":7}       {}
//! {"do":"pairs","holder":1,"link":".."}                   {"pairs":[["key","value"],..]}
//! {"do":"links","holder":1}                               {"links":["..",..]}
//! {"do":"effects","holder":1}                             {"effects":[7,..]}
//! {"do":"fault","holder":1,"nth":3,"on":true}             {}: the third call fails, with `on` each one behind it too
//! {"do":"fault","holder":1}                               {}: no call fails any more
//! {"do":"recover","holder":1}                             {}
//! {"do":"close","holder":1}                               {}
//! {"do":"passed","case":".."}                             {}
//! ```
//!
//! A commit is `{"link","versionKey","expects","writes"}`, as `handfast/js/database.js` takes it; `expects` is missing for a
//! link of which nothing is stored. The program ends with a failure at the first case that does not hold.

use std::io::{BufRead as _, Write as _};

use handfast::codec::ids::MailboxId;
use handfast::session::{Commit, LinkRows, Op, VERSION_KEY, is_secret};
use handfast::store_suite::{Fault, StoreHarness, Write, WriteError, block_on, cases};
use serde_json::{Value, json};
use zeroize::Zeroizing;

fn ask(request: &Value) -> Value {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{request}").and_then(|()| out.flush()).expect("somebody reads the requests");
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line).expect("somebody answers");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{request} is answered {line:?}: {error}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().expect("bytes are hex");
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("bytes are hex");
    (0..text.len()).step_by(2).map(byte).collect()
}

fn written(op: &Op) -> Value {
    match op {
        Op::Put { key, value } => json!({"key": hex(key), "value": hex(value), "secret": is_secret(key)}),
        Op::Delete { key } => json!({"key": hex(key)}),
        Op::DeleteRange { from, to } => json!({"from": hex(from), "to": hex(to)}),
    }
}

fn described(commit: &Commit) -> Value {
    let writes: Vec<_> = commit.writes().iter().map(written).collect();
    let mut described =
        json!({"link": commit.link().to_string(), "versionKey": hex(VERSION_KEY), "writes": writes});
    if commit.expects() > 0 {
        described["expects"] = json!(hex(&commit.expects().to_be_bytes()));
    }
    described
}

fn request(verb: &str, holder: &Holder, write: &Write<'_>) -> Value {
    let commits: Vec<_> = write.commits.iter().map(described).collect();
    json!({"do": verb, "holder": holder.0, "commits": commits, "effect": write.effect})
}

struct Harness {
    holders: u64,
    calls_min: u64,
}

/// A holder by its number. It is closed with this value.
struct Holder(u64);

impl Holder {
    fn ask(&self, verb: &str) -> Value {
        ask(&json!({"do": verb, "holder": self.0}))
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.ask("close");
    }
}

impl StoreHarness for Harness {
    type Holder = Holder;

    async fn new() -> Self {
        let calls_min = ask(&json!({"do": "new"}))["callsMin"].as_u64().unwrap_or(10);
        Self { holders: 0, calls_min }
    }

    async fn open(&mut self) -> Holder {
        self.holders += 1;
        let holder = Holder(self.holders);
        let _ = holder.ask("open");
        holder
    }

    async fn write(&mut self, holder: &mut Holder, write: &Write<'_>) -> Result<(), WriteError> {
        match ask(&request("write", holder, write))["failed"].as_str() {
            None => Ok(()),
            Some("conflict") => Err(WriteError::Conflict),
            Some(reason) => Err(WriteError::Store(reason.to_owned())),
        }
    }

    fn calls_min(&self) -> u64 {
        self.calls_min
    }

    async fn recover(&mut self, holder: &mut Holder) {
        let _ = holder.ask("recover");
    }

    async fn die_within(&mut self, holder: Holder, write: &Write<'_>) {
        let _ = ask(&request("die", &holder, write));
    }

    async fn pairs(&mut self, holder: &mut Holder, link: MailboxId) -> LinkRows {
        let told = ask(&json!({"do": "pairs", "holder": holder.0, "link": link.to_string()}));
        let pairs = told["pairs"].as_array().expect("a list of pairs");
        pairs.iter().map(|pair| (unhex(&pair[0]), Zeroizing::new(unhex(&pair[1])))).collect()
    }

    async fn links(&mut self, holder: &mut Holder) -> Vec<MailboxId> {
        let told = holder.ask("links");
        let links = told["links"].as_array().expect("a list of links");
        let bytes = |link| <[u8; 16]>::try_from(unhex(link)).expect("a link has 16 bytes");
        links.iter().map(|link| MailboxId::from_bytes(bytes(link))).collect()
    }

    async fn effects(&mut self, holder: &mut Holder) -> Vec<u64> {
        let told = holder.ask("effects");
        let effects = told["effects"].as_array().expect("a list of effects");
        effects.iter().map(|effect| effect.as_u64().expect("a number")).collect()
    }

    fn set_fault(&mut self, holder: &mut Holder, fault: Option<Fault>) {
        let mut request = json!({"do": "fault", "holder": holder.0});
        if let Some(Fault::Once(nth) | Fault::From(nth)) = fault {
            request["nth"] = json!(nth);
            request["on"] = json!(matches!(fault, Some(Fault::From(_))));
        }
        let _ = ask(&request);
    }
}

macro_rules! run {
    ($($case:ident)*) => {
        $(
            block_on(cases::$case::<Harness>());
            let _ = ask(&json!({"do": "passed", "case": stringify!($case)}));
        )*
    };
}

fn main() {
    handfast::store_suite! { @cases [run] }
}
