//! How a seat is proven.

use std::net::IpAddr;

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{AttachKey, MailboxId, Salt, Signature};
use handfast_codec::relay::{Attach, MailboxProof, Peer, PeerInfo, RelayFrame};
use handfast_codec::role::DeviceRole;
use reference_relay::core::{ApiMisuse, Checked, Fresh, SocketId, Source};

use crate::harness::{AWAY, HOME, Harness, Link, ORIGIN, key, public};

fn refused(change: impl FnOnce(&mut Attach, &Link)) {
    let (link, mut h) = (Link::new(1), Harness::new());
    let socket = h.open();
    let mut claim = Harness::claim(socket, DeviceRole::Phone, link.mailbox, link.proof(), &link.phone);
    change(&mut claim, &link);
    h.send(socket, &RelayFrame::Attach(claim));
    h.assert_refused(socket, ErrorCode::BAD_ATTACH);
    assert_eq!(h.relay.stats().link_mailboxes, 0);
}

#[test]
fn a_claim_that_is_not_proven_is_refused() {
    // req: RLY-010
    refused(|claim, _| claim.role = DeviceRole::Web);
    refused(|claim, _| {
        let mut bytes = *claim.signature.as_bytes();
        bytes[0] ^= 1;
        claim.signature = Signature::from_bytes(bytes);
    });
    // Another socket's nonce.
    refused(|claim, link| {
        *claim = Harness::claim(SocketId::new(9), DeviceRole::Phone, link.mailbox, link.proof(), &link.phone);
    });
    // The web's key in the phone's seat.
    refused(|claim, link| {
        *claim = Harness::claim(SocketId::new(1), DeviceRole::Phone, link.mailbox, link.proof(), &link.web);
    });
}

#[test]
fn a_link_mailbox_must_be_the_hash_of_its_keys() {
    // req: RLY-010
    refused(|claim, link| {
        let other = MailboxId::from_bytes([9; 16]);
        *claim = Harness::claim(SocketId::new(1), DeviceRole::Phone, other, link.proof(), &link.phone);
    });
    refused(|claim, link| {
        let MailboxProof::Link { phone_key, web_key, .. } = link.proof() else { panic!("a link") };
        let proof = MailboxProof::Link { phone_key, web_key, salt: Salt::from_bytes([9; 16]) };
        *claim = Harness::claim(SocketId::new(1), DeviceRole::Phone, link.mailbox, proof, &link.phone);
    });
}

#[test]
fn verification_is_strict() {
    // req: RLY-010
    // The neutral point as key, with R neutral and s zero, satisfies the loose equation for every message.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let mut h = Harness::new();
    let socket = h.open();
    let proof = MailboxProof::Pairing { key: AttachKey::from_bytes(neutral) };
    let mut claim = Harness::claim(socket, DeviceRole::Web, MailboxId::from_bytes([1; 16]), proof, &key(1));
    claim.signature = Signature::from_bytes(signature);
    h.send(socket, &RelayFrame::Attach(claim));
    h.assert_refused(socket, ErrorCode::BAD_ATTACH);
}

#[test]
fn a_pairing_signature_does_not_open_a_link_mailbox() {
    refused(|claim, link| {
        let pairing = MailboxProof::Pairing { key: public(&link.phone) };
        let other = Harness::claim(SocketId::new(1), DeviceRole::Phone, link.mailbox, pairing, &link.phone);
        claim.signature = other.signature;
    });
}

#[test]
fn another_version_of_the_envelope_is_refused() {
    // req: RLY-028
    let (link, mut h) = (Link::new(1), Harness::new());
    let socket = h.open();
    let mut claim = Harness::claim(socket, DeviceRole::Phone, link.mailbox, link.proof(), &link.phone);
    claim.version = 2;
    h.send(socket, &RelayFrame::Attach(claim));
    h.assert_refused(socket, ErrorCode::RELAY_VERSION);
}

#[test]
fn both_seats_learn_of_each_other() {
    // req: RLY-032, RLY-033
    let (link, mut h) = (Link::new(1), Harness::new());
    let phone = h.open();
    h.attach(phone, &link, DeviceRole::Phone);
    let attached = h.attached(phone);
    assert_eq!((attached.own, attached.peer), (Harness::id(phone), None));

    let web = h.open_from(AWAY, Some(ORIGIN));
    let _ = h.take(web);
    h.attach(web, &link, DeviceRole::Web);
    let attached = h.attached(web);
    let phone_seen = PeerInfo { id: Harness::id(phone), same_net: Some(false), origin: None };
    assert_eq!((attached.own, attached.peer), (Harness::id(web), Some(phone_seen)));
    let web_seen = PeerInfo { id: Harness::id(web), same_net: Some(false), origin: Some(ORIGIN.to_owned()) };
    assert_eq!(h.take(phone), [RelayFrame::Peer(Peer::Up(web_seen))]);

    h.close(web);
    assert_eq!(h.take(phone), [RelayFrame::Peer(Peer::Down)]);
    h.close(phone);
    let stats = h.relay.stats();
    assert_eq!((stats.sockets, stats.link_mailboxes), (0, 0), "an empty mailbox is freed");
    assert_eq!(h.deadline, None, "and no timer is left");
}

#[test]
fn two_sockets_of_one_address_are_on_the_same_network() {
    let (link, mut h) = (Link::new(1), Harness::new());
    let _phone = h.seat(&link, DeviceRole::Phone);
    let web = h.open_from(HOME, None);
    let _ = h.take(web);
    h.attach(web, &link, DeviceRole::Web);
    assert_eq!(h.attached(web).peer.and_then(|peer| peer.same_net), Some(true));
}

#[test]
fn behind_a_proxy_nothing_is_said_of_the_network() {
    // req: RLY-066, RLY-068
    let (proxy, real) = (Source::Behind(ip(HOME)), Source::Real(ip(HOME)));
    for (phone_from, web_from, said) in [
        (real, real, Some(true)),
        (real, Source::Real(ip(AWAY)), Some(false)),
        (proxy, proxy, None),
        (real, proxy, None),
        (proxy, real, None),
        (proxy, Source::Behind(ip(AWAY)), None),
    ] {
        let (link, mut h) = (Link::new(1), Harness::new());
        let phone = h.open_at(phone_from, None);
        let web = h.open_at(web_from, None);
        let _ = (h.take(phone), h.take(web));
        h.attach(phone, &link, DeviceRole::Phone);
        let _ = h.take(phone);
        h.attach(web, &link, DeviceRole::Web);
        assert_eq!(h.attached(web).peer.map(|peer| peer.same_net), Some(said), "{phone_from:?} {web_from:?}");
        let [RelayFrame::Peer(Peer::Up(peer))] = &h.take(phone)[..] else { panic!("no PEER") };
        assert_eq!(peer.same_net, said);
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn a_signature_verified_before_counts_under_its_own_challenge_alone() {
    // req: RLY-010
    let (link, mut h) = (Link::new(1), Harness::new());
    let name = h.relay.name().clone();
    let claim = |socket, by| {
        let claim = Harness::claim(socket, DeviceRole::Phone, link.mailbox, link.proof(), by);
        RelayFrame::Attach(claim).encode()
    };
    for (nonce_of, by, taken) in [(0, &link.phone, true), (1, &link.phone, false), (0, &link.web, false)] {
        let socket = h.open();
        let nonce = Harness::nonce(SocketId::new(socket.as_u64() + nonce_of));
        // Signed for the challenge under which it is verified.
        let bytes = claim(SocketId::new(socket.as_u64() + nonce_of), by);
        h.relay.handle_checked(h.now, socket, Checked::new(&name, &nonce, bytes));
        h.drain();
        if taken {
            let _ = h.attached(socket);
        } else {
            h.assert_refused(socket, ErrorCode::BAD_ATTACH);
        }
    }
    let socket = h.open();
    for bytes in [RelayFrame::Ping([1; 8]).encode(), Bytes::from_static(&[58])] {
        h.relay.handle_checked(h.now, socket, Checked::new(&name, &Harness::nonce(socket), bytes));
        h.drain();
    }
    assert_eq!(h.take(socket), [RelayFrame::Pong([1; 8])], "any other message is as it was");
    let cut = Bytes::from_static(&[5, 1]);
    h.relay.handle_checked(h.now, socket, Checked::new(&name, &Harness::nonce(socket), cut));
    h.drain();
    h.assert_refused(socket, ErrorCode::TRUNCATED);
}

#[test]
fn an_attachment_id_in_use_is_the_callers_mistake() {
    // req: RLY-011
    let mut h = Harness::new();
    let socket = h.open();
    let fresh = |id| Fresh { nonce: [1; 32], id };
    let address: Source = HOME.parse::<IpAddr>().expect("an address").into();
    let again = h.relay.handle_open(h.now, SocketId::new(99), address, None, fresh(Harness::id(socket)));
    assert_eq!(again, Err(ApiMisuse::IdInUse));
    let same = h.relay.handle_open(h.now, socket, address, None, fresh(Harness::id(SocketId::new(99))));
    assert_eq!(same, Err(ApiMisuse::SocketInUse));
    h.drain();
    assert_eq!((h.take(socket), h.relay.stats().sockets), (vec![], 1), "nothing has changed");
}

#[test]
fn a_client_writes_its_own_sticky_slot_and_both_seats_hear_it() {
    // req: RLY-018
    let (link, mut h) = (Link::new(1), Harness::new());
    let (phone, web) = h.both(&link);
    let tombstone = RelayFrame::Sticky { role: DeviceRole::Phone, value: Bytes::from_static(b"gone") };
    h.send(phone, &tombstone);
    assert_eq!((h.take(phone), h.take(web)), (vec![tombstone.clone()], vec![tombstone]));
    h.send(web, &RelayFrame::Sticky { role: DeviceRole::Phone, value: Bytes::from_static(b"forged") });
    h.assert_refused(web, ErrorCode::FRAME_NOT_ALLOWED);

    let web = h.open();
    h.attach(web, &link, DeviceRole::Web);
    let attached = h.attached(web);
    assert_eq!((attached.phone_sticky, attached.web_sticky), (Some(Bytes::from_static(b"gone")), None));
    let _ = h.take(phone);
    h.send(phone, &RelayFrame::Sticky { role: DeviceRole::Phone, value: Bytes::new() });
    assert_eq!(h.relay.stats().sticky_mailboxes, 0);
}

#[test]
fn a_sticky_value_outlives_the_sockets_and_has_at_most_512_bytes() {
    let (link, mut h) = (Link::new(1), Harness::new());
    let web = h.seat(&link, DeviceRole::Web);
    let value = Bytes::from(vec![5; 512]);
    h.send(web, &RelayFrame::Sticky { role: DeviceRole::Web, value: value.clone() });
    let _ = h.take(web);
    h.send(web, &RelayFrame::Sticky { role: DeviceRole::Web, value: vec![6; 513].into() });
    h.assert_refused(web, ErrorCode::FIELD_LENGTH);
    let phone = h.open();
    h.attach(phone, &link, DeviceRole::Phone);
    assert_eq!(h.attached(phone).web_sticky, Some(value));
}

#[test]
fn a_pairing_mailbox_has_no_sticky_slots() {
    // req: RLY-031
    let mut h = Harness::new();
    let web = h.seat_pairing(1, DeviceRole::Web, &key(1));
    h.send(web, &RelayFrame::Sticky { role: DeviceRole::Web, value: Bytes::from_static(b"x") });
    h.assert_refused(web, ErrorCode::FRAME_NOT_ALLOWED);
}
