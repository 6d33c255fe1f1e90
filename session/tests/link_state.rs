//! Every cell of the tables of a link's socket and of the confirm in `spec/state`, at a real endpoint.

use core::time::Duration;

use bytes::Bytes;
use handfast_codec::ids::Signature;
use handfast_codec::link::LinkFrame;
use handfast_codec::relay::{DataKind, Peer, RelayFrame, Wake};
use handfast_codec::{DeviceRole, ErrorCode, Versions};
use handfast_conformance::state::{Cell, table};
use handfast_session::{Event, LinkState};
use handfast_testkit::evil::Evil;
use handfast_testkit::raw;
use handfast_testkit::relay::NAME;

/// Walks a table with `run`, which gives what was said and whether that is the end.
fn walk(machine: &str, last: &str, run: impl Fn(&str, &str) -> (Vec<String>, bool)) {
    let table = table(machine).expect("a total table");
    let (mut walked, mut wrong) = (0, Vec::new());
    for ((state, event), cell) in table.cells().expect("a total table") {
        if !cell.never.is_empty() {
            continue;
        }
        let (says, is_over) = run(state, event);
        let found = Cell { says, ..cell.clone() };
        let is_as_said = is_over == (cell.next == last || (cell.next.is_empty() && state == last));
        if &found != cell || !is_as_said {
            wrong.push(format!("{state} x {event}: {:?}, over: {is_over}", found.says));
        }
        walked += 1;
    }
    println!("{machine}: {walked} cells");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn greeting(event: &str, evil: &Evil) -> Bytes {
    let frame = match event {
        "HELLO" => raw::hello(NAME, Versions::RELAY),
        "HELLO_NAME" => raw::hello("relay.example", Versions::RELAY),
        "HELLO_VERSION" => raw::hello(NAME, Versions::new(&[2]).expect("one")),
        "CHALLENGE" => RelayFrame::Challenge([5; 32]),
        "ATTACHED" => raw::attached(evil.device.role, false),
        "PEER_DOWN" => RelayFrame::Peer(Peer::Down),
        "CONTENDED" => RelayFrame::Peer(Peer::Contended(1)),
        "DATA" => RelayFrame::Data { kind: DataKind::from_u8(200), body: Bytes::from_static(b"?") },
        "RECORD" => RelayFrame::Data { kind: DataKind::RECORD, body: vec![1; 144].into() },
        "WAKE_ASK" => RelayFrame::Wake(Wake::Ask(Bytes::new())),
        "WAKE_SENT" => RelayFrame::Wake(Wake::Sent),
        "STICKY" => RelayFrame::Sticky { role: DeviceRole::Phone, value: Bytes::from_static(b"v") },
        "PING" => RelayFrame::Ping([9; 8]),
        "PONG" => RelayFrame::Pong([9; 8]),
        "ERROR" => RelayFrame::Error { code: ErrorCode::INTERNAL, retry_ms: 0 },
        "EVEN" => return Bytes::from_static(&[2, 1]),
        "ODD" => return Bytes::from_static(&[99, 1]),
        "CUT" => return Bytes::from_static(&[17, 1]),
        "LONG" => return Bytes::from(vec![9; 16_513]),
        other => panic!("no such event: {other}"),
    };
    frame.encode()
}

#[test]
fn every_cell_of_a_greeting_is_as_its_table_says() {
    // req: RLY-006, RLY-064
    walk("greeting-web", "CLOSED", |state, event| {
        let mut evil = Evil::opened(DeviceRole::Web, true);
        let way: &[&str] = match state {
            "OPENED" => &[],
            "GREETED" => &["HELLO"],
            "CLAIMED" => &["HELLO", "CHALLENGE"],
            "ALONE" => &["HELLO", "CHALLENGE", "ATTACHED"],
            _ => &["HELLO_NAME"],
        };
        let act = |evil: &mut Evil, event: &str| {
            let frame = greeting(event, evil);
            evil.give(&frame);
            evil.listen();
        };
        for event in way {
            act(&mut evil, event);
        }
        let closed = |evil: &Evil| evil.device.events.contains(&Event::Disconnect);
        let was_closed = closed(&evil);
        let (asked, events) = (evil.asked.len(), evil.device.events.len());
        act(&mut evil, event);
        let sent = evil.asked[asked..].iter().map(|frame| match frame {
            RelayFrame::Attach(_) => "ATTACH".to_owned(),
            RelayFrame::Pong(_) => "PONG".to_owned(),
            RelayFrame::Error { code, .. } => format!("ERROR({})", code.name()),
            frame => format!("{frame:?}"),
        });
        let told = evil.device.events[events..].iter().filter_map(|event| match event {
            Event::Relay(code) | Event::Failed(code) => Some(format!("told {}", code.name())),
            Event::Contended(_) => Some("told CONTENDED".to_owned()),
            _ => None,
        });
        (sent.chain(told).collect(), was_closed || closed(&evil))
    });
}

#[test]
fn every_cell_of_a_confirm_is_as_its_table_says() {
    // req: HSK-089, CRT-004, HSK-123
    walk("confirm-phone", "OVER", |_, event| {
        let (status, confirm) = event.split_once('_').expect("two words");
        let mut evil = Evil::before_confirm(status == "ACTIVE", ["ACCEPT", "FOREIGN"].contains(&confirm));
        evil.heard.clear();
        let link = match confirm {
            "EMPTY" => evil.send_link(&[]),
            "ACCEPT" => evil.send_link(&[evil.accept()]),
            "FOREIGN" => evil.send_link(&[LinkFrame::Accept { signature: Signature::from_bytes([7; 64]) }]),
            "BAD" => {
                let bad = RelayFrame::Data { kind: DataKind::RECORD, body: vec![7; 144].into() };
                evil.give(&bad.encode());
                Vec::new()
            }
            other => panic!("no such confirm: {other}"),
        };
        evil.listen();
        let of_link = link.iter().map(|frame| match frame {
            LinkFrame::Commit => "LINK_COMMIT".to_owned(),
            LinkFrame::Close { code } => format!("LINK_CLOSE({})", code.name()),
            frame => format!("{frame:?}"),
        });
        let closes = evil.heard.iter().filter_map(|frame| match frame {
            handfast_codec::frame::Frame::Close { code, .. } => Some(format!("CLOSE({})", code.name())),
            _ => None,
        });
        let says = of_link.chain(closes).collect();
        let is_live = evil.device.events.iter().any(|event| matches!(event, Event::Connected { .. }));
        (says, !is_live)
    });
}

#[test]
fn a_device_is_connecting_until_its_first_attempt_has_failed() {
    for role in [DeviceRole::Phone, DeviceRole::Web] {
        let mut evil = Evil::opened(role, true);
        evil.listen();
        assert_eq!(evil.device.state, Some(LinkState::Connecting), "its first socket is open");
        evil.hang_up();
        evil.listen();
        assert_eq!(evil.device.state, Some(LinkState::RelayDown), "it was lost before it was attached");
        evil.wait(Duration::from_mins(1));
        assert_eq!(evil.device.state, Some(LinkState::RelayDown), "the next attempt is no first one");
        let mut evil = Evil::against(role);
        assert!(evil.device.state.is_some_and(|state| state != LinkState::Connecting));
        evil.hang_up();
        evil.listen();
        assert_eq!(evil.device.state, Some(LinkState::RelayDown), "a connection was lost");
    }
}
