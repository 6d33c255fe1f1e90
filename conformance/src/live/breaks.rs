//! The records of the faulty peer, sent to a program that runs: what it must refuse over machines alone, it must refuse
//! live too.

use anyhow::Result;

use super::world::World;
use crate::case::Case;
use crate::peer::{self, Fault, Step};

fn id(fault: &Fault) -> String {
    format!("live/{}/breaks/{}", fault.role(), fault.name())
}

/// The faults that are made of records alone.
fn faults() -> Result<Vec<Fault>> {
    Ok(peer::faults()?.into_iter().filter(|fault| !fault.records().is_empty()).collect())
}

/// Each of them as a case.
pub(super) fn cases() -> Result<Vec<Case>> {
    let case = |fault: &Fault| super::case(id(fault), fault.role(), fault.reqs, fault.comment);
    Ok(faults()?.iter().map(case).collect())
}

/// The fault of a case.
pub(super) fn find(case: &Case) -> Result<Option<Fault>> {
    Ok(faults()?.into_iter().find(|fault| id(fault) == case.id))
}

/// Sends the records under the keys of a new link. The program ends the connection with the code, or bears them.
pub(super) fn play(fault: &Fault, world: &mut World<'_>) -> Step {
    world.pair()?;
    for record in fault.records() {
        world.inject(record.clone())?;
    }
    match fault.code() {
        Some(code) => world.closes_with(code),
        None => world.chats("after"),
    }
}
