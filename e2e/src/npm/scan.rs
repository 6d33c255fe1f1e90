//! The phone's side of pairing, as its user does it.

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::processes::process::Process;
use crate::processes::story::pair::STEP;
use crate::processes::story::world::World;

/// A phone that has read a code.
pub(super) struct Scan(Process);

impl Scan {
    /// Lets the phone read the text of a code.
    ///
    /// # Errors
    /// It does not start.
    pub(super) fn text(world: &World, text: &str) -> Result<Self> {
        let mut scan = world.phone.spawn(&["scan", "--text-stdin"], None)?;
        scan.say_text(text)?;
        Ok(Self(scan))
    }

    /// Lets the phone read a code from a picture.
    ///
    /// # Errors
    /// It does not start.
    pub(super) fn picture(world: &World, path: &str) -> Result<Self> {
        world.phone.spawn(&["scan", "--image", path], None).map(Self)
    }

    /// Waits until the phone asks for the digits that the companion shows.
    ///
    /// # Errors
    /// It does not in time.
    pub(super) fn wants_digits(&self) -> Result<()> {
        self.0.wait_event(0, "check_code_wanted", STEP).map(drop)
    }

    /// Types the companion's digits and approves; returns the number that the phone shows.
    ///
    /// # Errors
    /// The phone does not ask for approval in time.
    pub(super) fn approve(&mut self, digits: &str) -> Result<String> {
        self.0.say(&json!({"check_code": digits}))?;
        let _ = self.0.wait_event(0, "approval_wanted", STEP)?;
        self.0.say(&json!({"approve": true}))?;
        let shown = self.0.wait_event(0, "show_nn", STEP)?;
        Ok(shown["nn"].as_str().context("a number that is no text")?.to_owned())
    }

    /// Waits until the phone is linked.
    ///
    /// # Errors
    /// It is not in time.
    pub(super) fn linked(&self) -> Result<()> {
        self.0.wait_event(0, "linked", STEP).map(drop)
    }
}
