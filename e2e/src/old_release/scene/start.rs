//! How a scene begins: the older release on both sides.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::Play;
use crate::processes::patience::until;
use crate::processes::process::Process;
use crate::processes::story::chat::answer_to;
use crate::processes::story::pair::{self, Page, STEP};
use crate::processes::story::world::{By, LIMIT};

/// How many texts are on their way when the companion is killed.
const BURST: u64 = 12;
/// The size of the photo that waits, in bytes.
const PHOTO_LEN: usize = 300_000;

impl Play<'_> {
    /// The two are linked as users of the older release do it.
    pub(super) fn link(&mut self) -> Result<()> {
        self.world.relay.start()?;
        self.world.phone.start()?;
        let mut page = pair::show_code(&self.world.web, None)?;
        let mut scan = pair::scan(&self.world.phone, &page)?;
        let _ = pair::up_to_approval(&mut page, &mut scan)?;
        self.world.companion = compare_numbers(&mut page, &mut scan)?;
        self.world.web.start()?;
        self.is_live()?;
        self.world.table.ok("an old phone and an old companion are linked", self.world.companion.clone());
        Ok(())
    }

    /// Waits until the companion is connected, or has been since its program runs.
    pub(super) fn is_live(&mut self) -> Result<()> {
        self.world.web.wait_live(LIMIT)
    }

    /// Texts go both ways.
    pub(super) fn exchange(&mut self) -> Result<()> {
        for by in [By::Web, By::Phone, By::Web] {
            let asked = self.world.text(by, 1)?;
            self.asked.push(asked);
        }
        self.nothing_is_open()?;
        self.world.table.ok("texts both ways", "2 from the companion, 1 from the phone");
        Ok(())
    }

    /// Commands have run at the phone, and their results wait there; then a user asks for something on each side, the other
    /// being away.
    pub(super) fn let_wait(&mut self) -> Result<()> {
        let ran = self.cut_a_burst()?;

        let text = self.world.plan_text(By::Web, 1)?;
        let at_web = self.ask(text)?.value;
        let photo = self.world.plan_photo(By::Web, 3, PHOTO_LEN)?;
        let photo = self.ask(photo)?.value;
        let web = self.held_by(By::Web)?;
        self.stop(By::Web)?;

        let text = self.world.plan_text(By::Phone, 2)?;
        let at_phone = self.ask(text)?.value;
        self.contact_has_answered()?;
        let phone = self.held_by(By::Phone)?;
        self.stop(By::Phone)?;

        ensure!(phone.count(&at_web) == 0 && web.count(&at_phone) == 0, "what should wait is there already");
        ensure!(phone.rows.iter().all(|row| row.4 != photo), "the photo that should wait is there already");
        let waiting = [phone.waiting.as_slice(), &web.waiting].concat();
        ensure!(
            waiting.iter().map(|(_, number)| *number).eq([ran, BURST + 1, 1]),
            "{BURST} texts, of which {ran} were sent, one more and a photo should wait, and it is {waiting:?}"
        );
        let detail = format!(
            "the results of {ran} texts and a text at the phone; {BURST} + 1 texts and a photo at the companion"
        );
        self.world.table.ok("something waits on both sides", detail);
        self.held = [phone, web];
        Ok(())
    }

    /// The companion sends texts to a phone that stands still, and is killed; then the phone runs what has come, answers
    /// nobody, and is killed, too. Returns how many texts it ran.
    fn cut_a_burst(&mut self) -> Result<u64> {
        self.world.phone.process()?.pause()?;
        let mut burst = Vec::new();
        for _ in 0..BURST {
            let asked = self.world.plan_text(By::Web, 4)?;
            self.world.ask_once(&asked)?;
            burst.push(asked);
        }
        self.kill(By::Web)?;
        self.world.phone.process()?.go_on()?;
        let first = burst.first().context("a burst of no texts")?.value.clone();
        self.asked.extend(burst.iter().cloned());
        until("the first text of the burst at the phone", LIMIT, || {
            Ok((self.held_by(By::Phone)?.count(&first) == 1).then_some(()))
        })?;
        self.contact_has_answered()?;
        self.kill(By::Phone)?;
        // What was still on its way is gone now: the count stays what it is.
        self.device(By::Phone)?.start()?;
        let held = self.held_by(By::Phone)?;
        self.stop(By::Phone)?;
        Ok(burst.iter().map(|asked| u64::try_from(held.count(&asked.value)).unwrap_or(0)).sum())
    }

    /// Waits until the contact has answered every text that is at the phone.
    pub(super) fn contact_has_answered(&mut self) -> Result<()> {
        until("the contact's answers", LIMIT, || {
            let held = self.held_by(By::Phone)?;
            let is_open = |text: &str| held.count(text) > 0 && held.count(&answer_to(text)) == 0;
            Ok((!self.asked.iter().any(|asked| is_open(&asked.value))).then_some(()))
        })
    }
}

/// The older release shows one number on both sides, and its user says at the page that they agree. Returns the companion's id.
fn compare_numbers(page: &mut Page, scan: &mut Process) -> Result<String> {
    scan.say(&json!({"approve": true}))?;
    let ours = scan.wait_event(0, "show_nn", STEP)?;
    let theirs = page.process.wait_event(page.mark, "confirm_nn", STEP)?;
    ensure!(ours["nn"] == theirs["nn"], "the numbers differ: phone {}, page {}", ours["nn"], theirs["nn"]);
    page.process.say(&json!({"confirm": true}))?;
    let linked = scan.wait_event(0, "linked", STEP)?;
    for (process, what) in [(&mut page.process, "`pair`"), (scan, "`scan`")] {
        let status = process.wait_end("it ends when it is linked", STEP)?;
        ensure!(status.success(), "{what} ended with {status}");
    }
    Ok(linked["companion"].as_str().context("a link without the companion's id")?.to_owned())
}
