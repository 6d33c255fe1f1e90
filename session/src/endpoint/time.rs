//! Deadlines, and the signs that the peer is alive (spec, timers).

use core::time::Duration;

use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;
use handfast_codec::limits::{ACK_DELAY_MAX, ACK_EVERY};
use handfast_codec::role::DeviceRole;

use super::load::{kept_for, wipe_rows};
use super::{
    Ack, AttachTimeout, CompanionEndpoint, Connection, Deferred, Endpoint, HANDSHAKE_MAX, Liveness, Role,
    Sending,
};
use crate::output::{Event, LinkState};
use crate::sync::SyncLane as _;

/// The interval of a phone's PINGs while the page is visible.
const PING_VISIBLE: Duration = Duration::from_secs(25);
/// The interval of a phone's PINGs while the page is hidden.
const PING_HIDDEN: Duration = Duration::from_secs(55);
/// The longest silence of a peer, page visible or hidden, before the peer is shown as silent and probed by a
/// PING.
const SILENT_VISIBLE: Duration = Duration::from_mins(1);
const SILENT_HIDDEN: Duration = Duration::from_mins(2);
/// How long a probe waits for any record of the peer. Probes follow silence, and changes of visibility,
/// network or clock.
const PROBE_MAX: Duration = Duration::from_secs(10);
const PROBE_EVENT_MAX: Duration = Duration::from_secs(5);
/// How long the keys of one connection are used at most.
const KEYS_MAX: Duration = Duration::from_hours(24);
/// The shortest time between two messages 1 that a phone verifies, which costs curve operations.
pub(super) const MESSAGE1_EVERY: Duration = Duration::from_secs(1);

impl Liveness {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            last_record: now,
            next_ping: None,
            ping_id: 0,
            pinged: None,
            probe: None,
            rtt_least: None,
            rekeying: None,
            hidden: false,
        }
    }

    /// Stops all timers, because the connection has ended.
    pub(super) fn stop(&mut self) {
        self.next_ping = None;
        self.pinged = None;
        self.probe = None;
    }

    /// Starts the timers of a connection; the first PING is sent at once.
    pub(super) fn start(&mut self, now: Timestamp) {
        self.stop();
        self.last_record = now;
        self.next_ping = Some(now);
    }

    /// Records that fresh keys were requested, so that the link is still shown as LIVE for a while.
    pub(super) fn rekeying(&mut self, now: Timestamp) {
        self.rekeying = Some(now.plus(HANDSHAKE_MAX));
    }

    /// Records a sign of life: a record decrypted.
    pub(super) fn heard(&mut self, now: Timestamp) {
        self.last_record = now;
        self.probe = None;
    }

    /// Records a PONG. Returns the shortest round trip so far if it ends one.
    pub(super) fn pong(&mut self, now: Timestamp, id: u64) -> Option<Duration> {
        let (_, at) = self.pinged.take_if(|(pinged, _)| *pinged == id)?;
        let rtt = now.since(at);
        self.rtt_least = Some(self.rtt_least.map_or(rtt, |least| least.min(rtt)));
        self.rtt_least
    }

    fn silent_at(&self) -> Timestamp {
        self.last_record.plus(if self.hidden { SILENT_HIDDEN } else { SILENT_VISIBLE })
    }
}

/// Returns the earlier of two deadlines.
fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

impl<R: Role> Endpoint<R> {
    /// Returns the next time at which something must happen without input.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let mut at = earlier(self.attach.deadline(), self.connection_deadline());
        at = earlier(at, self.lapses_at());
        if !self.is_live() {
            at = earlier(at, self.alive.rekeying.filter(|until| self.now < *until));
        }
        if let (Ack::By(due), true) = (self.lanes.ack, self.is_live()) {
            at = earlier(at, Some(due));
        }
        earlier(at, R::deadline(self))
    }

    /// Returns when the link is dropped, if it is still OFFERED or PENDING.
    fn lapses_at(&self) -> Option<Timestamp> {
        self.lapses.filter(|_| kept_for(self.status).is_some())
    }

    fn connection_deadline(&self) -> Option<Timestamp> {
        match &self.conn {
            Connection::None | Connection::Confirming { .. } => None,
            Connection::AwaitReply { until, .. } | Connection::AwaitConfirm { until, .. } => *until,
            Connection::AwaitVerdict { until, .. } | Connection::AwaitCommit { until, .. } => Some(*until),
            Connection::Live(live) => {
                let silent = self.alive.probe.unwrap_or_else(|| self.alive.silent_at());
                let at =
                    earlier(Some(silent), self.alive.next_ping.filter(|_| live.sending != Sending::Closing));
                earlier(at, Some(live.since.plus(KEYS_MAX)).filter(|_| live.sending != Sending::Closing))
            }
        }
    }

    /// Does everything whose time has come.
    pub(super) fn on_time(&mut self) {
        if self.lapses_at().is_some_and(|at| at <= self.now) {
            return self.lapse();
        }
        match self.attach.timeout(self.now) {
            Some(AttachTimeout::Connect) => self.event(Event::Connect),
            Some(AttachTimeout::RelaySilent) => self.drop_socket(),
            None => {}
        }
        if matches!(self.lanes.ack, Ack::By(due) if due <= self.now) {
            self.lanes.ack = Ack::Now;
        }
        if self.connection_deadline().is_none_or(|at| self.now < at) {
            return;
        }
        match &self.conn {
            Connection::None | Connection::Confirming { .. } => {}
            // Message 2 may be lost, or the relay may hold it back.
            // req: HSK-006, HSK-032
            Connection::AwaitReply { .. }
            | Connection::AwaitVerdict { .. }
            | Connection::AwaitCommit { .. }
            | Connection::AwaitConfirm { .. } => {
                let unanswered = matches!(self.conn, Connection::AwaitReply { .. });
                self.event(Event::Failed(ErrorCode::TIMEOUT));
                self.drop_connection();
                self.wait_before_next();
                if unanswered {
                    R::on_unanswered(self);
                }
            }
            Connection::Live(live) => {
                let old = self.now >= live.since.plus(KEYS_MAX);
                self.on_live_time(old);
            }
        }
    }

    /// Deletes a link that nobody accepted or confirmed in time.
    fn lapse(&mut self) {
        self.lapses = None;
        self.drop_connection();
        self.persist(alloc::vec![wipe_rows()], Deferred::Wiped);
        self.event(Event::Lapsed);
        self.event(Event::Disconnect);
        self.attach.down_until(None);
    }

    fn on_live_time(&mut self, keys_are_old: bool) {
        if keys_are_old {
            self.rekey();
            return;
        }
        if self.alive.next_ping.is_some_and(|at| at <= self.now) {
            self.ping();
        }
        match self.alive.probe {
            // A TCP connection can look open long after the peer has gone.
            // req: TIM-003
            Some(at) if at <= self.now => {
                self.event(Event::Failed(ErrorCode::TIMEOUT));
                self.drop_connection();
            }
            None if self.alive.silent_at() <= self.now => {
                self.alive.probe = Some(self.now.plus(PROBE_MAX));
                self.ping();
            }
            Some(_) | None => {}
        }
    }

    /// Queues a PING, and sets when the next one is due.
    pub(super) fn ping(&mut self) {
        self.alive.ping_id = self.alive.ping_id.saturating_add(1);
        let id = self.alive.ping_id;
        self.alive.pinged = Some((id, self.now));
        self.lanes.control.push_back(Frame::Ping { id, rev: self.lanes.sync.ping_rev() });
        // Only the phone sends PINGs, because a browser delays the timers of hidden pages.
        // req: TIM-002
        self.alive.next_ping = match R::ROLE {
            DeviceRole::Phone => {
                Some(self.now.plus(if self.alive.hidden { PING_HIDDEN } else { PING_VISIBLE }))
            }
            DeviceRole::Web => None,
        };
    }

    /// Checks at once whether the peer is still there, after a change of visibility, network or clock.
    pub(super) fn probe_now(&mut self) {
        self.attach.reconnect_now(self.now);
        // Such a change often breaks connections silently, and the user is waiting in front of the page.
        // req: TIM-004
        if self.is_live() {
            self.alive.probe = Some(self.now.plus(PROBE_EVENT_MAX));
            self.ping();
        }
    }

    /// Plans an ACK. `due` is the number of messages that the ACK would newly report.
    pub(super) fn schedule_ack(&mut self, due: usize) {
        // After a short wait one ACK can cover several messages, and share a record that is sent anyway.
        // req: RES-002
        if u64::try_from(due).is_ok_and(|due| due >= ACK_EVERY) {
            self.lanes.ack = Ack::Now;
        } else if due > 0 && self.lanes.ack == Ack::None {
            self.lanes.ack = Ack::By(self.now.plus(Duration::from_millis(ACK_DELAY_MAX)));
        }
    }

    /// Delays the next handshake at random, after a failed one.
    pub(super) fn wait_before_next(&mut self) {
        let delay = self.attach.backoff();
        self.side.plan_attempt(self.now.plus(delay));
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(&self.conn, Connection::Live(live) if live.proven)
    }

    /// Returns whether the last connection ended only to get fresh keys.
    fn is_rekeying(&self) -> bool {
        self.alive.rekeying.is_some_and(|until| self.now < until)
    }

    /// Reports the link's state to the application, if it has changed.
    pub(super) fn show(&mut self) {
        // A change of keys is no outage, so the user should not see one.
        // req: TIM-008
        let state = if self.attach.own().is_none() {
            if self.attach.is_connecting(self.now) { LinkState::Connecting } else { LinkState::RelayDown }
        } else if self.attach.peer().is_none() {
            if self.side.is_waking() { LinkState::Waking } else { LinkState::PeerAbsent }
        } else if (self.is_live() && self.now < self.alive.silent_at()) || self.is_rekeying() {
            LinkState::Live
        } else {
            LinkState::PeerSilent
        };
        if self.shown != Some(state) && !self.dead {
            self.shown = Some(state);
            self.event(Event::State(state));
        }
    }
}

impl CompanionEndpoint {
    /// Asks the relay to wake the phone, at growing intervals, while the phone is absent.
    pub(super) fn wake_if_absent(&mut self) {
        if self.attach.own().is_none() || self.attach.peer().is_some() {
            return self.side.wake.stop();
        }
        self.side.wake.absent(self.now, &mut self.jitter);
        if !self.alive.hidden
            && let Some(frame) = self.side.wake.due(self.now, &mut self.jitter)
        {
            self.transmit(frame);
        }
    }
}
