//! Plaintexts of link records.

use anyhow::Result;
use handfast_codec::ErrorCode;
use handfast_codec::ids::{AttachKey, CompanionId, Salt, Signature, SigningPublic};
use handfast_codec::link::{LinkCert, LinkFrame};
use serde_json::json;

use super::tlv::{List, padded};
use crate::case::Case;
use crate::fields::hex;

fn cert() -> LinkCert {
    LinkCert {
        account: SigningPublic::from_bytes([0xac; 32]),
        phone_attach: AttachKey::from_bytes([0xa7; 32]),
        salt: Salt::from_bytes([0x5a; 16]),
        companion: CompanionId::from_bytes([0xc0; 16]),
        serial: 1,
        grants: 7,
        idle_days: 14,
        account_name: "Alice".to_owned(),
        signature: Signature::from_bytes([0x51; 64]),
    }
}

fn accept() -> LinkFrame {
    LinkFrame::Accept { signature: Signature::from_bytes([0x52; 64]) }
}

pub(super) fn valid() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (name, req, frames) in [
        ("cert", "CRT-007", vec![LinkFrame::Cert(cert())]),
        ("accept", "CRT-009", vec![accept()]),
        ("commit", "CRT-010", vec![LinkFrame::Commit]),
        ("close", "CRT-011", vec![LinkFrame::Close { code: ErrorCode::NOT_CONFIRMED }]),
        ("accept-close", "CRT-011", vec![accept(), LinkFrame::Close { code: ErrorCode::from_u16(0xfffe) }]),
        ("back", "CRT-014", vec![LinkFrame::WebBack]),
        ("accept-back", "CRT-014", vec![accept(), LinkFrame::WebBack]),
        ("empty", "CHN-001", vec![]),
    ] {
        let bytes = frames.iter().flat_map(LinkFrame::encode).collect();
        let input = json!({ "plaintext": hex(padded(bytes)) });
        let comment = "link records have a registry of their own";
        let id = format!("frames-link/{name}");
        cases.push(Case::valid(&id, &["CHN-010", req], comment, "link-record.decode", input)?);
    }
    Ok(cases)
}

pub(super) fn invalid() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    let mut push = |name: &str, req: &str, comment: &str, plaintext: Vec<u8>, code| -> Result<()> {
        let id = format!("refuse-frames-link/{name}");
        let input = json!({ "plaintext": hex(plaintext) });
        cases.push(Case::invalid(&id, &[req], comment, "link-record.decode", input, code)?);
        Ok(())
    };
    let unknown = ErrorCode::UNKNOWN_CRITICAL;
    push("type-11", "FRM-020", "an unknown odd type", padded(vec![11, 0]), unknown)?;
    push(
        "session-frame",
        "FRM-020",
        "a CLOSE of the session's registry",
        padded(vec![39, 3, 3, 1, 0]),
        unknown,
    )?;
    let comment = "one byte is missing";
    push("accept-63", "FRM-002", comment, padded([&[3, 63][..], &[1; 63]].concat()), ErrorCode::TRUNCATED)?;
    push("close-1", "FRM-002", comment, padded(vec![7, 1, 2]), ErrorCode::TRUNCATED)?;
    let comment = "one byte too many";
    let trailing = ErrorCode::TRAILING_BYTES;
    push("accept-65", "FRM-003", comment, padded([&[3, 0x40, 65][..], &[1; 65]].concat()), trailing)?;
    push("commit-1", "FRM-003", comment, padded(vec![5, 1, 0]), trailing)?;
    push("back-1", "CRT-014", comment, padded(vec![9, 1, 0]), trailing)?;
    push("close-3", "FRM-003", comment, padded(vec![7, 3, 2, 9, 0]), trailing)?;
    let mut padding = padded(vec![5, 0]);
    padding[100] = 5;
    push("padding", "CHN-002", "a frame behind the padding", padding, ErrorCode::BAD_PADDING)?;
    let large = [padded(vec![5, 0]), vec![0; 128]].concat();
    push("size", "CHN-011", "the frames fit a smaller record", large, ErrorCode::BAD_RECORD_SIZE)?;
    let list = List::of(&cert().encode(), 0).without(33).bytes();
    let frame =
        [&[1, 0x40 | u8::try_from(list.len() >> 8)?, list.len().to_le_bytes()[0]][..], &list].concat();
    push("cert-unsigned", "FRM-009", "no signature", padded(frame), ErrorCode::FIELD_MISSING)?;
    Ok(cases)
}
