//! Media streams at their receiver.

use anyhow::Result;
use handfast_codec::ErrorCode;
use serde_json::{Value, json};

use crate::case::Case;
use crate::derive::sha256;
use crate::fields::hex;

const CHUNK: usize = 65_536;

/// Content of this length: each chunk is filled with a byte of its own.
fn content(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(1 + at / CHUNK).unwrap_or(0)).collect()
}

/// The bytes as runs of one byte each.
fn runs(bytes: &[u8]) -> Value {
    bytes.chunk_by(|a, b| a == b).map(|run| json!([hex(&run[..1]), run.len()])).collect()
}

/// A stream: its size as told, the hashes of its chunks, its content.
#[derive(Clone)]
struct Stream {
    size: u64,
    hashes: Vec<[u8; 32]>,
    content: Vec<u8>,
}

impl Stream {
    fn of(len: usize) -> Self {
        let content = content(len);
        Self { size: len as u64, hashes: content.chunks(CHUNK).map(sha256).collect(), content }
    }

    fn list(&self) -> Vec<u8> {
        [&self.size.to_be_bytes()[..], self.hashes.as_flattened()].concat()
    }

    fn id(&self) -> [u8; 32] {
        sha256(&self.list())
    }

    fn input(&self, id: [u8; 32]) -> Value {
        json!({ "content_id": hex(id), "list": hex(self.list()), "content": runs(&self.content) })
    }
}

const LENGTHS: [usize; 6] = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK];

pub(super) fn valid() -> Result<Vec<Case>> {
    let mut out = Vec::new();
    let mut push = |name: &str, req: &str, comment: &str, input: Value| -> Result<()> {
        out.push(Case::valid(&format!("media/{name}"), &[req], comment, "media.receive", input)?);
        Ok(())
    };
    for len in LENGTHS {
        let stream = Stream::of(len);
        let mut input = stream.input(stream.id());
        push(&format!("whole-{len}"), "STR-083", "all of it, before FIN", input.clone())?;
        input["fin"] = hex(stream.id()).into();
        push(&format!("fin-{len}"), "STR-008", "all of it, and FIN", input)?;
    }
    let whole = Stream::of(3 * CHUNK);
    for cut in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK - 1] {
        let mut stream = whole.clone();
        stream.content.truncate(cut);
        let comment = "what is checked ends with a chunk";
        push(&format!("part-{cut}"), "STR-010", comment, stream.input(whole.id()))?;
    }
    for cut in [0, 7, 8, 9, 8 + 95] {
        let mut input = whole.input(whole.id());
        input["list"] = hex(&whole.list()[..cut]).into();
        input["content"] = json!([]);
        push(&format!("list-{cut}"), "STR-010", "nothing is checked before the list is whole", input)?;
    }
    Ok(out)
}

/// Name, requirement, comment, code, input.
type Refusal = (String, &'static str, &'static str, ErrorCode, Value);

fn lists() -> Vec<Refusal> {
    let whole = Stream::of(3 * CHUNK);
    let mut out = Vec::new();
    for (at, which) in [(0, "first"), (1, "middle"), (2, "last")] {
        for byte in [0, 31] {
            let mut stream = whole.clone();
            stream.hashes[at][byte] ^= 1;
            let comment = "a hash of the list is another than the content id says";
            let input = stream.input(whole.id());
            out.push((format!("hash-{which}-{byte}"), "STR-010", comment, ErrorCode::HASH, input));
        }
    }
    for (name, size) in [("less", 3 * CHUNK as u64 - 1), ("least", 2 * CHUNK as u64 + 1)] {
        let mut stream = whole.clone();
        stream.size = size;
        let comment = "another size with as many chunks";
        out.push((format!("size-{name}"), "STR-010", comment, ErrorCode::HASH, stream.input(whole.id())));
    }
    let mut swapped = whole.clone();
    swapped.hashes.swap(0, 1);
    let input = swapped.input(whole.id());
    out.push((
        "hashes-swapped".to_owned(),
        "STR-010",
        "two hashes in the wrong order",
        ErrorCode::HASH,
        input,
    ));
    let other = Stream::of(CHUNK).id();
    for (name, id) in [("other-content", other), ("zero-id", [0; 32])] {
        let comment = "the content id is that of something else";
        out.push((name.to_owned(), "STR-010", comment, ErrorCode::HASH, whole.input(id)));
    }
    for (name, size) in [("2-gib-and-1", (1_u64 << 31) + 1), ("largest", u64::MAX)] {
        let mut stream = Stream::of(0);
        stream.size = size;
        let comment = "the size is over 2 GiB";
        let input = stream.input(stream.id());
        out.push((format!("size-{name}"), "STR-024", comment, ErrorCode::TOO_LARGE, input));
    }
    out
}

fn contents() -> Vec<Refusal> {
    let whole = Stream::of(3 * CHUNK);
    let mut out = Vec::new();
    for at in [0, CHUNK / 2, CHUNK - 1, CHUNK, 2 * CHUNK - 1, 2 * CHUNK, 3 * CHUNK - 1] {
        let mut stream = whole.clone();
        stream.content[at] ^= 0x80;
        let comment = "a byte of a chunk differs";
        out.push((format!("byte-{at}"), "STR-010", comment, ErrorCode::HASH, stream.input(whole.id())));
    }
    let mut swapped = whole.clone();
    swapped.content.rotate_left(CHUNK);
    let comment = "the chunks in another order";
    out.push(("chunks-moved".to_owned(), "STR-010", comment, ErrorCode::HASH, swapped.input(whole.id())));
    for len in [0, 1, CHUNK] {
        let mut stream = Stream::of(len);
        let id = stream.id();
        stream.content.push(9);
        let comment = "a byte behind the end";
        out.push((format!("beyond-{len}"), "STR-025", comment, ErrorCode::OFFSET, stream.input(id)));
    }
    for (name, fin) in [("zero", [0; 32]), ("of-other", Stream::of(1).id())] {
        let mut input = whole.input(whole.id());
        input["fin"] = hex(fin).into();
        let comment = "FIN says another hash than was asked for";
        out.push((format!("fin-{name}"), "STR-008", comment, ErrorCode::HASH, input));
    }
    out
}

pub(super) fn invalid() -> Result<Vec<Case>> {
    [lists(), contents()]
        .concat()
        .into_iter()
        .map(|(name, req, comment, code, input)| {
            Case::invalid(&format!("refuse-media/{name}"), &[req], comment, "media.receive", input, code)
        })
        .collect()
}
