//! Every cell of the tables of a link's life in `spec/state`, at a real endpoint with a scripted peer.

use crate::tables::walk;
use std::time::Duration;

use handfast_codec::frame::Frame;
use handfast_codec::ids::{PskId, Signature};
use handfast_codec::link::LinkFrame;
use handfast_codec::relay::RECORD_HEADER;
use handfast_codec::{DeviceRole, ErrorCode};
use handfast_handshake::secret::Psk;
use handfast_session::LinkStatus;
use handfast_testkit::evil::Evil;

/// A phone, and the next try of its web.
struct Walk {
    evil: Evil,
    next_try: u64,
}

impl Walk {
    /// A phone whose web has tried once, with try 1, and sent no confirm that opens.
    fn at(state: &str) -> Self {
        let mut evil = Evil::opened(DeviceRole::Phone, state != "OFFERED");
        evil.attach();
        let mut walk = Self { evil, next_try: 1 };
        let _ = walk.act("CONFIRM_BAD");
        match state {
            "SUSPENDED" => drop(walk.act("SECOND_HOLDER")),
            "REVOKED" => drop(walk.act("REVOKE")),
            _ => {}
        }
        walk
    }

    /// Message 1 under the current psk, and message 2: whether that has *quarantine*.
    fn ask(&mut self, attempt: u64, pending: bool) -> bool {
        self.evil.wait(Duration::from_secs(2));
        let psk = Psk::from_bytes(*self.evil.psk().expose());
        let (reply, _) = self.evil.ask(Some(&psk), attempt, None, pending).expect("message 2");
        self.next_try = self.next_try.max(attempt + 1);
        reply.quarantine
    }

    fn connect(&mut self, pending: bool, link: &[LinkFrame]) -> Vec<LinkFrame> {
        let quarantine = self.ask(self.next_try, pending);
        self.confirm(if quarantine { &[] } else { link })
    }

    fn confirm(&mut self, link: &[LinkFrame]) -> Vec<LinkFrame> {
        self.evil.heard.clear();
        let answers = self.evil.send_link(link);
        self.evil.listen();
        answers
    }

    fn revoke(&mut self) {
        self.evil.heard.clear();
        let now = self.evil.now;
        let commit =
            self.evil.device.machine.phone().revoke(now, Signature::from_bytes([9; 64])).expect("a phone");
        assert!(self.evil.device.commit(now, commit));
        self.evil.listen();
    }

    /// Lets an event happen, and gives what the phone stored and said at its last step.
    fn act(&mut self, event: &str) -> Vec<String> {
        let foreign = LinkFrame::Accept { signature: Signature::from_bytes([7; 64]) };
        let accept = self.evil.accept();
        let (mut commits, mut link) = (self.evil.device.commits, Vec::new());
        match event {
            "CONNECT" => {
                let _ = self.ask(self.next_try, false);
                commits = self.evil.device.commits;
                link = self.confirm(&[]);
            }
            "ACCEPT" | "ACCEPT_FOREIGN" => {
                let quarantine = self.ask(self.next_try, true);
                commits = self.evil.device.commits;
                let accept = if event == "ACCEPT" { accept } else { foreign };
                link = self.confirm(if quarantine { &[] } else { std::slice::from_ref(&accept) });
            }
            "CONFIRM_BAD" => {
                let _ = self.ask(self.next_try, false);
                commits = self.evil.device.commits;
                self.evil.heard.clear();
                self.evil.give(&[&RECORD_HEADER[..], &[9; 144]].concat());
                self.evil.listen();
            }
            "SECOND_HOLDER" => {
                assert!(self.ask(0, false), "quarantine");
                link = self.confirm(&[]);
            }
            "RECOVER" | "RECOVER_FORGOTTEN" => {
                let held = self.evil.psk_id(self.evil.psk());
                let held = if event == "RECOVER" { held } else { PskId::from_bytes([9; 8]) };
                self.evil.wait(Duration::from_secs(2));
                let _ = self.evil.ask(None, 0, Some(held), false).expect("message 2");
                commits = self.evil.device.commits;
                link = self.confirm(&[]);
            }
            "REVOKE" => self.revoke(),
            "CANCEL" => {
                let now = self.evil.now;
                match self.evil.device.machine.phone().cancel_offer(now) {
                    Ok(commit) => assert!(self.evil.device.commit(now, commit)),
                    Err(_) => return vec!["MISUSE".to_owned()],
                }
                self.evil.heard.clear();
            }
            "LONG" => {
                self.evil.heard.clear();
                self.evil.wait(Duration::from_mins(11));
            }
            "REVOKE_LIVE" => {
                let _ = self.connect(false, &[]);
                commits = self.evil.device.commits;
                self.revoke();
            }
            other => panic!("no such event: {other}"),
        }
        let mut says = Vec::new();
        if self.evil.device.commits > commits {
            says.push("STORED".to_owned());
        }
        says.extend(link.iter().map(|frame| match frame {
            LinkFrame::Commit => "LINK_COMMIT".to_owned(),
            LinkFrame::Close { code } => format!("LINK_CLOSE({})", code.name()),
            frame => format!("{frame:?}"),
        }));
        says.extend(self.evil.heard.iter().filter_map(|frame| match frame {
            Frame::Close { code, .. } => Some(format!("CLOSE({})", code.name())),
            Frame::Revoked { .. } => Some("REVOKED".to_owned()),
            _ => None,
        }));
        says
    }

    fn state(&self) -> &'static str {
        match self.evil.device.machine.status() {
            _ if self.evil.device.disk.pairs.len() == 1 => "GONE",
            LinkStatus::Offered => "OFFERED",
            LinkStatus::Active => "ACTIVE",
            LinkStatus::Suspended => "SUSPENDED",
            LinkStatus::Revoked => "REVOKED",
            other => panic!("no state of a phone: {other:?}"),
        }
    }
}

#[test]
fn every_cell_of_a_links_life_is_as_its_table_says() {
    // req: HSK-152, HSK-161, HSK-162
    walk("link-phone", 1, |state, event| {
        let mut walk = Walk::at(state);
        assert_eq!(walk.state(), state);
        (walk.act(event), walk.state())
    });
}

/// A web whose link is PENDING or ACTIVE, and what it stored and said at this event.
fn at_web(state: &str, event: &str) -> (Vec<String>, &'static str) {
    let mut evil = Evil::opened(DeviceRole::Web, state == "ACTIVE");
    evil.attach();
    evil.quarantines = !["COMMIT", "LINK_CLOSE", "LONG"].contains(&event);
    evil.confirms = state == "PENDING" && !evil.quarantines;
    evil.connect(false);
    evil.heard.clear();
    let commits = evil.device.commits;
    let close = |code| vec![Frame::Close { code, retry_ms: 0 }];
    match event {
        "LONG" => evil.wait(Duration::from_hours(25)),
        "COMMIT" => evil.give_link(&[LinkFrame::Commit]),
        "LINK_CLOSE" => evil.give_link(&[LinkFrame::Close { code: ErrorCode::NOT_ACCEPTED }]),
        "REVOKED" => evil.send(&[Frame::Revoked { signature: evil.revocation }]),
        "REVOKED_FOREIGN" => evil.send(&[Frame::Revoked { signature: Signature::from_bytes([9; 64]) }]),
        "CLOSE_REVOKED" => evil.send(&close(ErrorCode::REVOKED)),
        "CLOSE_SUSPENDED" => evil.send(&close(ErrorCode::SUSPENDED)),
        "CLOSE_DIVERGED" => evil.send(&close(ErrorCode::DIVERGED)),
        other => panic!("no such event: {other}"),
    }
    evil.listen();
    let stored = (evil.device.commits > commits).then(|| "STORED".to_owned());
    let closes = evil.heard.iter().filter_map(|frame| match frame {
        Frame::Close { code, .. } => Some(format!("CLOSE({})", code.name())),
        _ => None,
    });
    let says = stored.into_iter().chain(closes).collect();
    let after = match evil.device.machine.status() {
        _ if evil.device.disk.pairs.len() == 1 => "GONE",
        LinkStatus::Pending => "PENDING",
        LinkStatus::Active => "ACTIVE",
        other => panic!("no state of a web: {other:?}"),
    };
    (says, after)
}

#[test]
fn every_cell_of_a_links_life_at_a_web_is_as_its_table_says() {
    // req: CRT-005, HSK-124, HSK-131
    walk("link-web", 1, at_web);
}
