//! Sealed records.

use anyhow::Result;
use bytes::BytesMut;
use handfast_codec::ErrorCode;
use handfast_codec::relay::{DATA_HEADER_LEN, RECORD_HEADER};
use handfast_handshake::hazmat;
use handfast_handshake::record::Sealer;
use serde_json::json;

use crate::case::Case;
use crate::fields::{hex, number};
use crate::seed;

fn key(id: &str) -> [u8; 32] {
    seed::key(id, "any", "k")
}

/// Seals a plaintext of this length under counter value `n`.
fn sealed(k: [u8; 32], n: u64, len: usize) -> Result<Vec<u8>> {
    let mut record = BytesMut::from(RECORD_HEADER.as_slice());
    record.resize(DATA_HEADER_LEN + len, 0x2e);
    Sealer::new(hazmat::cipher_state(k, n)).seal(&mut record)?;
    Ok(record[DATA_HEADER_LEN..].to_vec())
}

pub(super) fn valid() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (name, n, len, comment) in [
        ("first", 0, 128, "the first record of a direction"),
        ("second", 1, 128, "the second"),
        ("n-2-32", 1 << 32, 128, "the counter stands in eight bytes, little-endian"),
        ("n-last", u64::MAX - 1, 128, "the last counter value that is used, 2^64-2"),
        ("size-256", 0, 256, "the next size"),
        ("size-2048", 7, 2_048, "k = 4"),
        ("size-16384", 0, 16_384, "the largest record"),
    ] {
        let id = format!("records/{name}");
        let input = json!({ "k": hex(key(&id)), "n": number(n), "record": hex(sealed(key(&id), n, len)?) });
        cases.push(Case::valid(&id, &["CHN-008", "CHN-004"], comment, "record.open", input)?);
    }
    Ok(cases)
}

pub(super) fn invalid() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    let k = key("refuse-records");
    let good = sealed(k, 5, 128)?;
    let mut push =
        |name: &str, req: &str, comment: &str, (k, n): ([u8; 32], u64), record: &[u8], code| -> Result<()> {
            let id = format!("refuse-records/{name}");
            let input = json!({ "k": hex(k), "n": number(n), "record": hex(record) });
            cases.push(Case::invalid(&id, &[req], comment, "record.open", input, code)?);
            Ok(())
        };
    for at in [0, 63, 127, 128, 143] {
        for bit in [0, 7] {
            let mut wrong = good.clone();
            wrong[at] ^= 1 << bit;
            let comment = "one bit differs";
            push(&format!("flip-{at}-{bit}"), "CHN-003", comment, (k, 5), &wrong, ErrorCode::DECRYPT_FAILED)?;
        }
    }
    for (name, comment, n) in
        [("replayed", "under the next counter value", 6), ("early", "under the one before", 4)]
    {
        push(name, "CHN-003", comment, (k, n), &good, ErrorCode::DECRYPT_FAILED)?;
    }
    let other = key("refuse-records/other");
    push("other-key", "CHN-003", "under another key", (other, 5), &good, ErrorCode::DECRYPT_FAILED)?;
    let comment = "2^64-1 is never used, even for a record that would open";
    push("nonce", "CHN-004", comment, (k, u64::MAX), &good, ErrorCode::NONCE_EXHAUSTED)?;
    let size = ErrorCode::BAD_RECORD_SIZE;
    for len in [0, 15, 16, 128, 143, 145, 192 + 16, 8_192] {
        let mut record = good.clone();
        record.resize(len, 0);
        push(&format!("size-{len}"), "CHN-011", "no record has this length", (k, 5), &record, size)?;
    }
    let comment = "the length is checked first: no key is used";
    push("size-and-nonce", "ERR-001", comment, (k, u64::MAX), &good[..143], size)?;
    Ok(cases)
}
