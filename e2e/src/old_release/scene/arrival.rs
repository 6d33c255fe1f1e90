//! Both sides are of today's release: what waited arrives.

use anyhow::{Context as _, Result, ensure};

use super::{By, Play};
use crate::processes::comparison::Report;
use crate::processes::patience::until;
use crate::processes::story::world::LIMIT;

impl Play<'_> {
    /// Everything that was asked for comes to both sides, and nothing is open any more.
    pub(super) fn everything_arrives(&mut self) -> Result<()> {
        self.is_live().context("both are updated")?;
        self.world.table.ok("both are updated, and live", "");
        for side in [By::Phone, By::Web] {
            for asked in self.asked.clone() {
                let _ = self.world.wait_for(side, &asked)?;
            }
        }
        self.nothing_is_open()?;
        self.world.settle()?;
        let count = self.asked.len();
        self.world.table.ok("everything that waited is on both sides", format!("{count} texts and photos"));
        Ok(())
    }

    /// Waits until each side knows that the other has everything.
    pub(super) fn nothing_is_open(&mut self) -> Result<()> {
        until("nothing to be open", LIMIT, || {
            let waiting = [self.held_by(By::Phone)?.waiting, self.held_by(By::Web)?.waiting].concat();
            ensure!(waiting.iter().all(|(_, number)| *number == 0), "it is {waiting:?}");
            Ok(Some(()))
        })
    }

    /// Another start of both finds nothing that is left to do.
    pub(super) fn start_again(&mut self) -> Result<()> {
        for side in [By::Phone, By::Web] {
            self.stop(side)?;
        }
        for side in [By::Phone, By::Web] {
            self.device(side)?.start()?;
        }
        self.is_live()?;
        let asked = self.world.text(By::Web, 1)?;
        self.asked.push(asked);
        let asked = self.world.text(By::Phone, 2)?;
        self.asked.push(asked);
        self.nothing_is_open()?;
        self.world.settle()?;
        for side in [By::Phone, By::Web] {
            self.stop(side)?;
        }
        self.world.table.ok("started again, the link goes on", "a text each way");
        Ok(())
    }

    /// A program in another language compares what was asked for with both databases and all media.
    pub(super) fn compare(&mut self) -> Result<()> {
        let web = std::iter::once((By::Web.word(), self.world.web.dir()));
        let report = Report::make(self.world.ledger.path(), self.world.phone.dir(), web, false)?;
        report.tell(&mut self.world.table)
    }
}
