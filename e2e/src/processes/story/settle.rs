//! Waiting until nothing is on its way any more.

use std::time::Duration;

use anyhow::{Result, bail};

use super::world::World;
use crate::processes::comparison::Report;
use crate::processes::patience::until;

/// The time in which phone and companion must agree when nothing disturbs them.
const SETTLE_LIMIT: Duration = Duration::from_secs(40);

impl World {
    /// Waits until ledger, phone and all companions that run agree.
    ///
    /// # Errors
    /// They do not in time: the text names the first fault.
    pub(crate) fn settle(&mut self) -> Result<()> {
        until("phone and companion to agree with the ledger", SETTLE_LIMIT, || {
            self.ensure_running()?;
            let running: Vec<_> = self.companions().filter(|(_, device)| device.was_started()).collect();
            let companions = running.iter().map(|(by, device)| (by.word(), device.dir()));
            let report = Report::make(self.ledger.path(), self.phone.dir(), companions, true)?;
            match report.first_fault()? {
                None => Ok(Some(())),
                Some(fault) => bail!("{fault}"),
            }
        })
    }
}
