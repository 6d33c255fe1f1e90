//! A live, deliberately faulty peer: it holds the keys of a link, plays the other side of it and the relay between them,
//! and breaks one rule in each case. Time is virtual. The faults are made here, with keys that are known, never in the
//! machines.

mod certificate;
mod code;
mod driver;
mod expect;
mod faults;
mod handshake;
mod pairing;

use anyhow::Result;
use serde_json::json;

use crate::case::{Case, ErrorName, Verdict};
use crate::runner::{Asking, Finding, Hello, Options, Run, Shim, Trouble, run_cases};

pub(crate) use self::driver::{Step, Stop, ended_as, hello, record_of, wrong};
pub(crate) use self::faults::{Fault, all as faults};

/// The operation that live cases are under.
pub(crate) const OP: &str = "session";

/// Every fault as a case, in the order of its definition.
///
/// # Errors
///
/// None that can happen: the cases are well formed.
pub fn cases() -> Result<Vec<Case>> {
    faults()?.iter().map(|fault| Ok(case(fault))).collect()
}

fn case(fault: &Fault) -> Case {
    let input = json!({ "role": fault.role(), "fault": fault.name() });
    let error = fault.code().map(ErrorName::from);
    Case {
        id: fault.id(),
        reqs: fault.reqs.iter().map(|req| (*req).to_owned()).collect(),
        comment: fault.comment.to_owned(),
        mutator: None,
        op: OP.to_owned(),
        input: input.as_object().cloned().unwrap_or_default(),
        result: if error.is_some() { Verdict::Invalid } else { Verdict::Valid },
        out: serde_json::Map::new(),
        error,
        debug: serde_json::Map::new(),
    }
}

/// Plays the selected faults against each shim, and prints what came of it.
///
/// # Errors
///
/// An option makes no sense. What a shim does is a finding.
pub fn run(options: &Options) -> Result<(Run, bool)> {
    run_cases(cases()?, options, play, &[])
}

/// Plays one fault against a shim.
fn play(case: &Case, shim: &mut Shim, _: &Hello, _: &Asking) -> Result<Finding, Trouble> {
    let faults = faults().map_err(|error| Trouble::Nonsense(format!("{error:#}")))?;
    let Some(fault) = faults.iter().find(|fault| fault.id() == case.id) else {
        return Err(Trouble::Nonsense("the fault is not known".to_owned()));
    };
    finding(fault.play(shim))
}

/// What is to be said of how a live case ended.
///
/// # Errors
///
/// What the shim did instead of answering.
pub(crate) fn finding(ended: Step) -> Result<Finding, Trouble> {
    match ended {
        Ok(()) => Ok(Finding::pass()),
        Err(Stop::Shim(trouble)) => Err(trouble),
        Err(Stop::Wrong(reason)) => Ok(Finding::fail(reason)),
        Err(Stop::Code { right, found }) => Ok(Finding::other_code(right, found)),
        Err(Stop::Unsupported(what)) => Ok(Finding::unsupported(&what)),
    }
}
