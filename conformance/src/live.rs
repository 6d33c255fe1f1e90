//! `handfast-conformance live`: programs that run, over real WebSockets. To a relay the runner is its phones and webs; to a
//! phone or a web it is relay and peer, and their user through a shim.

mod account;
mod attach;
mod breaks;
mod carry;
mod client;
mod devices;
mod hub;
mod other;
mod upload;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::Result;
use handfast_codec::role::DeviceRole;
use serde_json::{Map, json};

use self::client::{Stop, Target};
use self::world::World;
use crate::case::{Case, Verdict};
use crate::peer;
use crate::runner::{Asking, Column, Finding, Hello, Shim, Trouble, columns, selected, told};

/// The operation that these cases are under.
const OP: &str = "live";
/// What must come may take so many times as long as an answer: a reconnect waits for its delay, and for jitter.
const STEP_FACTOR: u64 = 8;

/// Which programs, and what to ask of them.
#[derive(Debug, clap::Args)]
#[expect(clippy::exhaustive_structs, reason = "the options of a command")]
pub struct Options {
    /// A running relay, as ws://HOST:PORT; give it once for each one. It must allow 64 sockets from this address.
    #[arg(long = "relay", value_name = "URL")]
    pub relays: Vec<String>,
    /// The command that starts the shim of a phone or a web; give it once for each one. No shell reads it.
    #[arg(long = "shim", value_name = "CMD", required_unless_present = "relays")]
    pub shims: Vec<String>,
    /// Which cases, and how they are asked.
    #[command(flatten)]
    pub asking: Asking,
}

/// One thing that a relay must do.
struct Check {
    name: &'static str,
    reqs: &'static [&'static str],
    comment: &'static str,
    body: fn(&Target) -> Result<(), Stop>,
}

/// A check of which only this is said so far: its name, and what happens.
struct Named {
    name: &'static str,
    comment: &'static str,
}

const fn check(name: &'static str, comment: &'static str) -> Named {
    Named { name, comment }
}

impl Named {
    const fn proves(self, reqs: &'static [&'static str], body: fn(&Target) -> Result<(), Stop>) -> Check {
        Check { name: self.name, reqs, comment: self.comment, body }
    }
}

fn all() -> impl Iterator<Item = &'static Check> {
    attach::ALL.iter().chain(carry::ALL)
}

fn case(id: String, role: &str, reqs: &[&str], comment: &str) -> Case {
    Case {
        id,
        reqs: reqs.iter().map(|req| (*req).to_owned()).collect(),
        comment: comment.to_owned(),
        mutator: None,
        op: OP.to_owned(),
        input: json!({ "role": role }).as_object().cloned().unwrap_or_default(),
        result: Verdict::Valid,
        out: Map::new(),
        error: None,
        debug: Map::new(),
    }
}

fn device_id(check: &devices::Check) -> (String, &'static str) {
    let role = if check.role == DeviceRole::Phone { "phone" } else { "web" };
    (format!("live/{role}/{}", check.name), role)
}

/// Every check as a case.
///
/// # Errors
///
/// None that can happen: the cases are well formed.
pub fn cases() -> Result<Vec<Case>> {
    let of_relay = |check: &Check| case(format!("live/{}", check.name), "relay", check.reqs, check.comment);
    let of_device = |check: &devices::Check| {
        let (id, role) = device_id(check);
        case(id, role, check.reqs, check.comment)
    };
    let own = all().map(of_relay).chain(devices::ALL.iter().map(of_device));
    Ok(own.chain(breaks::cases()?).collect())
}

/// Asks each program the selected cases of its role, and prints what came of it.
///
/// # Errors
///
/// An option makes no sense. What a program does is a finding.
pub fn run(options: &Options) -> Result<bool> {
    let selected = selected(cases()?, &options.asking)?;
    let of_relay: Vec<Case> = selected
        .cases
        .iter()
        .filter(|case| case.input.get("role") == Some(&json!("relay")))
        .cloned()
        .collect();
    let relays: Result<Vec<Column>> = options.relays.iter().map(|relay| column(relay, &of_relay)).collect();
    let shims = columns(&selected.cases, &options.shims, &options.asking, &selected.skips, play)?;
    let run = selected.run([relays?, shims].concat(), &options.asking, &[]);
    told(&run, &options.asking)
}

/// What is played in the world of a device.
type Body = Box<dyn Fn(&mut World<'_>) -> peer::Step>;

/// Plays one case of a phone or a web.
fn play(case: &Case, shim: &mut Shim, _: &Hello, asking: &Asking) -> Result<Finding, Trouble> {
    let check = devices::ALL.iter().find(|check| device_id(check).0 == case.id);
    let (role, body): (DeviceRole, Body) = if let Some(check) = check {
        (check.role, Box::new(check.body))
    } else {
        let found = breaks::find(case).map_err(|error| Trouble::Nonsense(format!("{error:#}")))?;
        let fault = found.ok_or_else(|| Trouble::Nonsense("the case is not known".to_owned()))?;
        (fault.role, Box::new(move |world| breaks::play(&fault, world)))
    };
    // An answer may have to start the program.
    shim.set_patience(Duration::from_millis(asking.start_ms));
    let patience = Duration::from_millis(asking.patience_ms.saturating_mul(STEP_FACTOR));
    let ended = World::new(shim, &case.id, role, patience).and_then(|mut world| {
        let ended = body(&mut world);
        // The program does not live on behind the case, unless nobody is there to end it.
        if !matches!(ended, Err(peer::Stop::Shim(_))) {
            world.kill()?;
        }
        ended
    });
    peer::finding(ended)
}

fn column(relay: &str, cases: &[Case]) -> Result<Column> {
    let (target, start) = (Target::parse(relay)?, Instant::now());
    let command = relay.to_owned();
    let greeting = target.greeting();
    let hello = match &greeting {
        Ok(greeting) => Ok(Hello {
            name: greeting.name.as_str().to_owned(),
            version: "live".to_owned(),
            roles: BTreeSet::from(["relay".to_owned()]),
            ops: None,
        }),
        Err(Stop::Wrong(reason)) => Err(Finding::fail(reason.clone())),
        Err(Stop::Code { right, found }) => Err(Finding::other_code(*right, *found)),
    };
    let mut findings = BTreeMap::new();
    if hello.is_ok() {
        // Each has mailboxes of its own, so that they may run side by side; some must wait for ten seconds.
        let ended: Vec<(String, Finding)> = std::thread::scope(|scope| {
            let one = |case: &Case| {
                let (id, target) = (case.id.clone(), target.clone());
                scope.spawn(move || (id.clone(), finding(&id, &target)))
            };
            let threads: Vec<_> = cases.iter().map(one).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });
        findings.extend(ended);
    }
    Ok(Column { command, hello, findings, took: start.elapsed() })
}

fn finding(id: &str, target: &Target) -> Finding {
    let start = Instant::now();
    let Some(check) = all().find(|check| id.strip_prefix("live/") == Some(check.name)) else {
        return Finding::fail("the case is not known".to_owned());
    };
    let mut finding = match (check.body)(target) {
        Ok(()) => Finding::pass(),
        Err(Stop::Wrong(reason)) => Finding::fail(reason),
        Err(Stop::Code { right, found }) => Finding::other_code(right, found),
    };
    finding.took = start.elapsed();
    finding
}
