//! Values of the codec as JSON, field by field.

use anyhow::{Result, bail};
use handfast_codec::frame::{Collection, Frame, Items, OpenKind};
use handfast_codec::link::{LinkCert, LinkFrame};
use handfast_codec::payload::{CommandsKnown, Kk1, Kk2, ResumeBlock, Xk1, Xk2};
use handfast_codec::qr::{QrOffer, RelayRef};
use handfast_codec::relay::{Attach, Attached, Hello, MailboxProof, Peer, PeerInfo, RelayFrame, Wake};
use serde_json::{Map, Value, json};

use crate::derive;
use crate::fields::{hex, number};

/// A JSON object without the fields that are null.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}

fn pruned(value: Value) -> Value {
    Value::Object(object(value))
}

pub(crate) fn offer(offer: &QrOffer) -> Value {
    let (mailbox, psk) = derive::pairing(offer.web_key.as_bytes(), offer.secret());
    let (host, relay) = match &offer.relay {
        RelayRef::Host(name) => (Some(name.as_str()), 0),
        RelayRef::Registered(number) | RelayRef::Private(number) => (None, *number),
    };
    pruned(json!({
        "wq": hex(offer.web_key), "secret": hex(offer.secret()), "relay": relay, "host": host,
        "without_secret": hex(offer.payload_without_secret()), "mailbox": hex(mailbox), "psk": hex(psk),
    }))
}

pub(crate) fn relay_frame(frame: &RelayFrame) -> Result<Value> {
    Ok(match frame {
        RelayFrame::Hello(hello) => self::hello(hello),
        RelayFrame::Challenge(nonce) => json!({ "frame": "CHALLENGE", "nonce": hex(nonce) }),
        RelayFrame::Attach(attach) => self::attach(attach),
        RelayFrame::Attached(attached) => self::attached(attached),
        RelayFrame::Data { kind, body } => {
            json!({ "frame": "DATA", "kind": kind.as_u8(), "body": hex(body) })
        }
        RelayFrame::Peer(Peer::Up(info)) => json!({ "frame": "PEER", "state": "UP", "peer": peer(info) }),
        RelayFrame::Peer(Peer::Down) => json!({ "frame": "PEER", "state": "DOWN" }),
        RelayFrame::Peer(Peer::Contended(count)) => {
            json!({ "frame": "PEER", "state": "CONTENDED", "count": number(*count) })
        }
        RelayFrame::Wake(Wake::Ask(handle)) => {
            json!({ "frame": "WAKE", "word": "ASK", "handle": hex(handle) })
        }
        RelayFrame::Wake(Wake::Sent) => json!({ "frame": "WAKE", "word": "SENT" }),
        RelayFrame::Wake(Wake::Failed(class)) => {
            json!({ "frame": "WAKE", "word": "FAILED", "class": class.0 })
        }
        RelayFrame::Wake(Wake::PeerUp) => json!({ "frame": "WAKE", "word": "PEER_UP" }),
        RelayFrame::Sticky { role, value } => {
            json!({ "frame": "STICKY", "role": role.number(), "value": hex(value) })
        }
        RelayFrame::Ping(token) => json!({ "frame": "PING", "token": hex(token) }),
        RelayFrame::Pong(token) => json!({ "frame": "PONG", "token": hex(token) }),
        RelayFrame::Error { code, retry_ms } => {
            json!({ "frame": "ERROR", "code": code.as_u16(), "retry_ms": retry_ms })
        }
        RelayFrame::Ignored(kind) => json!({ "ignored": kind }),
        other => bail!("{other:?} has no description yet"),
    })
}

fn hello(hello: &Hello) -> Value {
    json!({
        "frame": "HELLO", "versions": hex(hello.versions.as_slice()), "name": hello.name.as_str(),
        "boot": hex(hello.boot), "frame_len_max": number(hello.frame_len_max),
        "ping_interval_ms": number(hello.ping_interval_ms),
    })
}

fn attach(attach: &Attach) -> Value {
    let (phone, web, salt) = match &attach.proof {
        MailboxProof::Pairing { key } if attach.role.number() == 1 => (Some(key), None, None),
        MailboxProof::Pairing { key } => (None, Some(key), None),
        MailboxProof::Link { phone_key, web_key, salt } => (Some(phone_key), Some(web_key), Some(salt)),
    };
    pruned(json!({
        "frame": "ATTACH", "version": attach.version, "kind": attach.proof.kind().number(),
        "role": attach.role.number(), "mailbox": hex(attach.mailbox), "phone_key": phone.map(hex),
        "web_key": web.map(hex), "salt": salt.map(hex), "signature": hex(attach.signature),
    }))
}

fn attached(attached: &Attached) -> Value {
    pruned(json!({
        "frame": "ATTACHED", "own": hex(attached.own), "peer": attached.peer.as_ref().map(peer),
        "phone_sticky": attached.phone_sticky.as_ref().map(hex),
        "web_sticky": attached.web_sticky.as_ref().map(hex),
    }))
}

fn peer(info: &PeerInfo) -> Value {
    pruned(json!({ "id": hex(info.id), "same_net": info.same_net, "origin": info.origin }))
}

fn items(items: &Items) -> Vec<String> {
    items.iter().map(hex).collect()
}

fn name(collection: &Collection) -> String {
    hex(collection.as_bytes())
}

pub(crate) fn frame(frame: &Frame) -> Result<Value> {
    let mut value = match frame {
        Frame::Ping { id, rev } => json!({ "id": number(*id), "rev": number(*rev) }),
        Frame::Pong { id } => json!({ "id": number(*id) }),
        Frame::Msg { seq, part, last, body } => {
            json!({ "seq": number(*seq), "part": part, "last": last, "body": hex(body) })
        }
        Frame::Since { collection, cursor } | Frame::DigestGet { collection, cursor } => {
            json!({ "collection": name(collection), "cursor": number(*cursor) })
        }
        Frame::Delta { collection, from, to, part, last, items: list } => json!({
            "collection": name(collection), "from": number(*from), "to": number(*to), "part": part, "last": last,
            "items": items(list),
        }),
        Frame::SnapshotRequired { collection, rev } => {
            json!({ "collection": name(collection), "rev": number(*rev) })
        }
        Frame::PageGet { collection, page } => {
            json!({ "collection": name(collection), "page": hex(page.as_bytes()) })
        }
        Frame::Page { collection, page, next, rev, items: list } => json!({
            "collection": name(collection), "page": hex(page.as_bytes()), "next": hex(next.as_bytes()),
            "rev": number(*rev), "items": items(list),
        }),
        Frame::Digest { collection, cursor, digest } => {
            json!({ "collection": name(collection), "cursor": number(*cursor), "digest": hex(digest) })
        }
        Frame::Ack { durable, cursors } => {
            let cursors: Vec<_> =
                cursors.iter().map(|(c, cursor)| json!([name(c), number(*cursor)])).collect();
            json!({ "durable": number(*durable), "cursors": cursors })
        }
        Frame::Leave { collection } => json!({ "collection": name(collection) }),
        Frame::Revoked { signature } => json!({ "signature": hex(signature) }),
        Frame::WebBack => json!({}),
        other => stream_frame(other)?,
    };
    if let Value::Object(map) = &mut value {
        let _ = map.insert("frame".to_owned(), frame.frame_type().name().into());
    }
    Ok(value)
}

fn stream_frame(frame: &Frame) -> Result<Value> {
    Ok(match frame {
        Frame::Now { slot, body } => json!({ "slot": number(*slot), "body": hex(body) }),
        Frame::Open { id, kind, meta } => {
            let kind = if *kind == OpenKind::Get { "get" } else { "put" };
            json!({ "id": number(*id), "kind": kind, "meta": hex(meta) })
        }
        Frame::Data { id, offset, body } => {
            json!({ "id": number(*id), "offset": number(*offset), "body": hex(body) })
        }
        Frame::Credit { id, offset } | Frame::Durable { id, offset } => {
            json!({ "id": number(*id), "offset": number(*offset) })
        }
        Frame::Stop { id, code } => json!({ "id": number(*id), "code": code.as_u16() }),
        Frame::Fin { id, hash } => json!({ "id": number(*id), "hash": hex(hash) }),
        Frame::ConnCredit { offset } => json!({ "offset": number(*offset) }),
        Frame::Close { code, retry_ms } => json!({ "code": code.as_u16(), "retry_ms": number(*retry_ms) }),
        other => bail!("{other:?} has no description yet"),
    })
}

pub(crate) fn certificate(cert: &LinkCert) -> Value {
    json!({
        "account": hex(cert.account), "phone_attach": hex(cert.phone_attach), "salt": hex(cert.salt),
        "companion": hex(cert.companion), "serial": number(cert.serial), "grants": number(cert.grants),
        "idle_days": cert.idle_days, "account_name": cert.account_name, "signature": hex(cert.signature),
    })
}

pub(crate) fn link_frame(frame: &LinkFrame) -> Result<Value> {
    Ok(match frame {
        LinkFrame::Cert(cert) => json!({ "frame": "LINK_CERT", "certificate": certificate(cert) }),
        LinkFrame::Accept { signature } => json!({ "frame": "LINK_ACCEPT", "signature": hex(signature) }),
        LinkFrame::Commit => json!({ "frame": "LINK_COMMIT" }),
        LinkFrame::Close { code } => json!({ "frame": "LINK_CLOSE", "code": code.as_u16() }),
        LinkFrame::WebBack => json!({ "frame": "LINK_BACK" }),
        other => bail!("{other:?} has no description yet"),
    })
}

fn terms(versions: &[u8], capabilities: &[u64], limits: &[(u64, u64)]) -> Map<String, Value> {
    let capabilities: Vec<_> = capabilities.iter().map(|id| number(*id)).collect();
    let limits: Vec<_> = limits.iter().map(|(id, value)| json!([number(*id), number(*value)])).collect();
    object(json!({ "versions": hex(versions), "capabilities": capabilities, "limits": limits }))
}

fn with(mut terms: Map<String, Value>, more: Value) -> Value {
    terms.extend(object(more));
    Value::Object(terms)
}

pub(crate) fn xk1(payload: &Xk1) -> Value {
    Value::Object(terms(&payload.versions, &payload.capabilities, &payload.limits))
}

pub(crate) fn xk2(payload: &Xk2) -> Value {
    with(
        terms(&[payload.version], &payload.capabilities, &payload.limits),
        json!({
            "wd": hex(payload.web_key), "we": hex(payload.signing_key), "web_attach": hex(payload.attach_key),
            "label": payload.label, "origin": payload.origin, "grants": number(payload.grants),
            "opening": hex(payload.opening.expose()),
        }),
    )
}

pub(crate) fn kk1(payload: &Kk1) -> Value {
    with(
        terms(&payload.versions, &payload.capabilities, &payload.limits),
        json!({
            "try": payload.try_.to_string(), "resume": payload.resume.as_ref().map(resume),
            "psk_id_held": payload.psk_id_held.map(hex), "pending": payload.pending,
        }),
    )
}

pub(crate) fn kk2(payload: &Kk2) -> Value {
    with(
        terms(&[payload.version], &payload.capabilities, &payload.limits),
        json!({
            "resume": payload.resume.as_ref().map(resume), "quarantine": payload.quarantine,
            "commands": payload.commands.as_ref().map(commands_known),
        }),
    )
}

pub(crate) fn commands_known(known: &CommandsKnown) -> Value {
    json!({ "highest": number(known.highest), "key": hex(known.key), "from": number(known.from) })
}

fn resume(block: &ResumeBlock) -> Value {
    let streams: Vec<_> = block.streams.iter().map(|(id, at)| json!([number(*id), number(*at)])).collect();
    json!({
        "out_epoch": hex(block.out_epoch), "in_epoch": hex(block.in_epoch), "next_seq": number(block.next_seq),
        "durable": number(block.durable), "oldest": number(block.oldest), "log_id": hex(block.log_id),
        "rev": number(block.rev), "streams": streams,
    })
}
