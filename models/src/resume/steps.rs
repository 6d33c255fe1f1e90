//! What each step does; none where it cannot be made.

use handfast_session::resume::Verdict;

use super::{Action, Connection, Frame, Lanes, State, derived};

/// Messages sent and not acknowledged.
const WINDOW: u8 = 2;
/// Messages are sent while fewer frames than this are on their way.
const FRAMES: usize = 2;

impl State {
    pub(super) fn step(&self, action: Action) -> Option<Self> {
        let mut next = self.clone();
        match action {
            Action::Command => {
                next.web.made += 1;
                let _ = next.web.unsettled.insert(next.web.made);
                next.web.lanes.push(next.web.made);
            }
            Action::Connect => next.connect()?,
            Action::Confirm => next.confirm()?,
            Action::WebSends => next.web_sends()?,
            Action::PhoneSends => next.phone_sends()?,
            Action::ToPhone => next.reach_phone()?,
            Action::ToWeb => next.reach_web()?,
            Action::PhoneCommits => next.phone_commits()?,
            Action::Cut => {
                next.lose()?;
                next.cuts += 1;
            }
            Action::WebCrashes => {
                next.lose()?;
                next.crashes += 1;
                // What is stored may have left.
                next.web.sent = next.web.lanes.next - 1;
            }
            Action::PhoneCrashes => {
                next.lose()?;
                next.crashes += 1;
                next.forget();
            }
            Action::Snapshot if self.snapshot.is_none() => next.snapshot = Some(self.phone.disk.clone()),
            Action::Restore => {
                next.phone.disk = next.snapshot.take()?;
                next.rolled = true;
                next.connection = Connection::Down;
                next.forget();
            }
            Action::Snapshot => return None,
        }
        Some(next)
    }

    fn lose(&mut self) -> Option<()> {
        (self.connection != Connection::Down).then(|| self.connection = Connection::Down)
    }

    /// The phone's memory is gone.
    fn forget(&mut self) {
        self.phone.pending.clear();
        self.phone.received = self.phone.disk.lanes.durable;
        self.phone.sent = self.phone.disk.lanes.next - 1;
    }

    /// Both blocks have been exchanged: the web commits the verdict with its next key.
    fn connect(&mut self) -> Option<()> {
        let is_due =
            self.connection == Connection::Down && !(self.is_settled() && self.verdict() == Verdict::Resume);
        is_due.then_some(())?;
        self.h += 1;
        let web_durable = self.web.lanes.durable;
        let resumed = self.verdict() == Verdict::Resume;
        if resumed {
            self.web.lanes.drop_to(self.phone.disk.lanes.durable);
        } else {
            let (w2p, p2w) = derived(self.h);
            self.web.lanes.reset(w2p, p2w);
            self.web.sent = self.web.lanes.base;
        }
        self.web.cursor = self.web.lanes.oldest();
        self.connection = Connection::Confirming { resumed, h: self.h, web_durable };
        Some(())
    }

    /// The confirm opened: the phone commits the verdict over the blocks as they were sent.
    fn confirm(&mut self) -> Option<()> {
        let Connection::Confirming { resumed, h, web_durable } = self.connection else { return None };
        let lanes = &mut self.phone.disk.lanes;
        if resumed {
            lanes.drop_to(web_durable);
        } else {
            let (w2p, p2w) = derived(h);
            lanes.reset(p2w, w2p);
            self.phone.sent = lanes.base;
            self.phone.received = 0;
            // What is being run has its effect still, and counts no more.
            for (seq, ..) in &mut self.phone.pending {
                *seq = None;
            }
        }
        self.phone.cursor = self.phone.disk.lanes.oldest();
        self.connection = Connection::Live { up: Vec::new(), down: Vec::new() };
        Some(())
    }

    fn web_sends(&mut self) -> Option<()> {
        let Connection::Live { up, .. } = &mut self.connection else { return None };
        let floor = self.web.unsettled.first().copied().unwrap_or(self.web.made + 1);
        send(&self.web.lanes, (&mut self.web.cursor, &mut self.web.sent), floor, up)
    }

    fn phone_sends(&mut self) -> Option<()> {
        let Connection::Live { down, .. } = &mut self.connection else { return None };
        let phone = &mut self.phone;
        send(&phone.disk.lanes, (&mut phone.cursor, &mut phone.sent), 0, down)
    }

    fn reach_phone(&mut self) -> Option<()> {
        let Connection::Live { up, down } = &mut self.connection else { return None };
        let frame = (!up.is_empty()).then(|| up.remove(0))?;
        match frame {
            Frame::Msg { seq, .. } if seq <= self.phone.disk.lanes.durable => {
                // Its ACK was lost: it is acknowledged again.
                down.push(Frame::Ack(self.phone.disk.lanes.durable));
            }
            Frame::Msg { seq, .. } if seq <= self.phone.received => {}
            Frame::Msg { seq, command, floor } => {
                self.broken |= seq != self.phone.received + 1;
                self.phone.received = seq;
                self.phone.pending.push((Some(seq), command, floor));
            }
            Frame::Ack(seq) => {
                let lanes = &mut self.phone.disk.lanes;
                self.broken |= lanes.base + seq > self.phone.sent;
                lanes.drop_to(seq);
                self.phone.cursor = self.phone.cursor.max(lanes.base + seq + 1);
            }
        }
        Some(())
    }

    /// The web settles a result, writes that and acknowledges it, in one step.
    fn reach_web(&mut self) -> Option<()> {
        let Connection::Live { up, down } = &mut self.connection else { return None };
        let frame = (!down.is_empty()).then(|| down.remove(0))?;
        let lanes = &mut self.web.lanes;
        match frame {
            Frame::Msg { seq, .. } if seq <= lanes.durable => up.push(Frame::Ack(lanes.durable)),
            Frame::Msg { seq, command, .. } => {
                self.broken |= seq != lanes.durable + 1;
                lanes.durable = seq;
                let _ = self.web.unsettled.remove(&command);
                up.push(Frame::Ack(seq));
            }
            Frame::Ack(seq) => {
                self.broken |= lanes.base + seq > self.web.sent;
                lanes.drop_to(seq);
                self.web.cursor = self.web.cursor.max(lanes.base + seq + 1);
            }
        }
        Some(())
    }

    /// Effect, result and answer in one transaction; the ACK follows it.
    fn phone_commits(&mut self) -> Option<()> {
        let (seq, command, floor) = *self.phone.pending.first()?;
        let _ = self.phone.pending.remove(0);
        let disk = &mut self.phone.disk;
        if floor > disk.floor {
            disk.floor = floor;
            disk.results.retain(|held| *held >= floor);
        }
        if command >= disk.floor && disk.results.insert(command) {
            disk.effects.push(command);
        }
        disk.lanes.push(command);
        if let Some(seq) = seq {
            disk.lanes.durable = seq;
            if let Connection::Live { down, .. } = &mut self.connection {
                down.push(Frame::Ack(seq));
            }
        }
        Some(())
    }
}

fn send(lanes: &Lanes, (cursor, sent): (&mut u8, &mut u8), floor: u8, queue: &mut Vec<Frame>) -> Option<()> {
    let (index, command) = *lanes.outbox.iter().find(|(index, _)| *index == *cursor)?;
    let may = queue.len() < FRAMES && index - lanes.oldest() < WINDOW;
    may.then(|| queue.push(Frame::Msg { seq: index - lanes.base, command, floor }))?;
    *sent = (*sent).max(index);
    *cursor += 1;
    Some(())
}
