//! Frames in words, for traces.

use bytes::Bytes;
use handfast::codec::relay::RelayFrame;

/// A relay frame in a few words.
#[must_use]
pub fn frame(bytes: &Bytes) -> String {
    match RelayFrame::decode(bytes.clone()) {
        Ok(RelayFrame::Data { kind, body }) => {
            format!("DATA {} ({} bytes)", kind_name(kind.as_u8()), body.len())
        }
        Ok(RelayFrame::Ping(_)) => "PING".to_owned(),
        Ok(RelayFrame::Pong(_)) => "PONG".to_owned(),
        Ok(RelayFrame::Hello(_)) => "HELLO".to_owned(),
        Ok(RelayFrame::Challenge(_)) => "CHALLENGE".to_owned(),
        Ok(RelayFrame::Attach(attach)) => format!("ATTACH {:?} {}", attach.role, attach.mailbox),
        Ok(RelayFrame::Attached(attached)) => {
            format!("ATTACHED {} peer {:?}", attached.own, attached.peer.map(|peer| peer.id))
        }
        Ok(other) => format!("{other:?}").chars().take(120).collect(),
        Err(error) => format!("{} bytes that are no frame ({error})", bytes.len()),
    }
}

fn kind_name(kind: u8) -> String {
    match kind {
        1 => "pairing".to_owned(),
        3 => "KK1".to_owned(),
        5 => "KK2".to_owned(),
        7 => "record".to_owned(),
        9 => "UNKNOWN_KEY".to_owned(),
        other => format!("kind {other}"),
    }
}
