//! What happens while one side is of the older release and the other is not.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{By, Play, said};
use crate::old_release::seen::{TOO_OLD, is_too_old};
use crate::processes::devices::Kind;
use crate::processes::story::chat::answer_to;
use crate::processes::story::pair::{self, STEP};
use crate::processes::story::world::LIMIT;

impl Play<'_> {
    /// The two meet: both are told that there is no common version, and nothing moves.
    pub(super) fn meet_in_vain(&mut self) -> Result<()> {
        self.device(self.second)?.start()?;
        self.both_are_told()?;
        for (side, before) in [By::Phone, By::Web].into_iter().zip(self.held.clone()) {
            let held = self.held_by(side)?;
            held.adds(&before, &[]).with_context(|| format!("after the update, at the {}", said(side)))?;
            ensure!(
                held.waiting == before.waiting,
                "{:?} waited, and now {:?}",
                before.waiting,
                held.waiting
            );
            let (rows, waiting) = (held.rows.len(), held.waiting_said());
            let detail = format!("{rows} messages in {} chats; {waiting}", super::CHATS.len());
            self.world.table.ok(format!("the {} holds what it held", said(side)), detail);
        }
        Ok(())
    }

    /// Waits until both processes have told of it, since they began.
    fn both_are_told(&mut self) -> Result<()> {
        // req: HSK-155, HSK-156, HSK-157
        for (side, other) in [(By::Phone, "companion"), (By::Web, "phone")] {
            let by = if side == self.first { "here" } else { other };
            let told = |event: &Value| is_too_old(event, by).then_some(());
            let process = self.device(side)?.process()?;
            process.wait(0, &format!("{TOO_OLD} by {by}"), LIMIT, told)?;
            self.is_calm(side)?;
            let release = if side == self.first { "new" } else { "old" };
            let what = format!("the {release} {} tells its user that an update is due", said(side));
            self.world.table.ok(what, format!("{TOO_OLD} by {by}"));
        }
        let live = |event: &Value| event["event"] == "link_state" && event["state"] == "live";
        let events = self.world.web.process()?.events_since(0);
        ensure!(!events.iter().any(live), "the companion tells that it is live");
        let listed = self.world.phone.ask(&json!({"verb": "companions"}))?;
        let status = &listed["companions"][0]["status"];
        ensure!(status == "active", "the phone lists the companion as {status}");
        Ok(())
    }

    /// Each side takes what its user asks for, also over a restart of both.
    pub(super) fn go_on_apart(&mut self) -> Result<()> {
        let text = self.world.plan_text(By::Web, 1)?;
        let _ = self.ask(text)?;
        let text = self.world.plan_text(By::Phone, 2)?;
        let at_phone = self.ask(text)?.value;
        self.contact_has_answered()?;
        for side in [By::Phone, By::Web] {
            self.stop(side)?;
            self.device(side)?.start()?;
        }
        self.both_are_told()?;
        let [phone, web] = self.held.clone();
        self.held_by(By::Phone)?.adds(&phone, &[at_phone.clone(), answer_to(&at_phone)])?;
        let held = self.held_by(By::Web)?;
        held.adds(&web, &[])?;
        let [open, ..] = held.waiting.as_slice() else { anyhow::bail!("nothing waits at the companion") };
        let before = web.waiting.first().map_or(0, |(_, number)| *number);
        ensure!(open.1 == before + 1, "{before} commands waited, one was added, and now {} wait", open.1);
        self.world.table.ok("both go on by themselves, and keep it over a restart", held.waiting_said());
        Ok(())
    }

    /// The side that is new says in words which one is to be updated.
    pub(super) fn tell_in_words(&mut self) -> Result<()> {
        self.stop(self.first)?;
        let wanted = if self.first == By::Phone { "Update the companion" } else { "Update the phone" };
        let mut process = self.device(self.first)?.spawn_in_words(&["run"])?;
        let says = |event: &Value| event.as_str().filter(|line| line.contains(wanted)).map(str::to_owned);
        let line = process.wait(0, &format!("the words `{wanted}`"), LIMIT, says)?;
        process.end(STEP)?;
        self.world.table.ok(format!("the new {} says it in words", said(self.first)), line);
        self.device(self.first)?.start()?;
        // The second update finds a first side that has said it, and waits.
        self.both_are_told()
    }

    /// A phone of one release scans the code of another computer, whose page is of the other release: it says what to update.
    pub(super) fn scan_across(&mut self) -> Result<()> {
        let mut page = self.world.device(Kind::Web, "stranger")?;
        if self.first == By::Web {
            page.update(&self.new.web);
        }
        let code = pair::show_code(&page, None)?;
        let mut scan = pair::scan(&self.world.phone, &code)?;
        let status = scan.wait_end("the code is of another release", STEP)?;
        ensure!(!status.success(), "the phone takes a code of the other release");
        let log = self.world.root.join("phone.log");
        let text = std::fs::read(&log).with_context(|| format!("{} cannot be read", log.display()))?;
        let text = String::from_utf8_lossy(&text);
        let line = text.lines().rev().find(|line| line.starts_with("handfast-phone: "));
        let line = line.context("the phone does not say why it refuses a code")?;
        let wanted = if self.first == By::Phone { "an old kind of code" } else { "update this phone" };
        ensure!(line.contains(wanted), "the phone refuses a code of the other release by `{line}`");
        self.world.table.ok("a code of the other release is refused", line.to_owned());
        Ok(())
    }
}
