//! Writes `fuzz/seeds/`: real encodings, one file each, most of them from the test vectors. Run it again after a
//! change of the formats.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use handfast_codec::frame::{Frame, Items, PageCursor};
use handfast_codec::record::RecordBuilder;
use handfast_messages::CollectionName;
use serde_json::Value;

fn main() {
    write("qr", &qr());
    write("relay_frames", &relay_frames());
    write("record_frames", &record_frames());
    write("handshake_bytes", &handshake_bytes());
    write("endpoint_pair", &endpoint_pair());
}

type Seeds = Vec<(String, Vec<u8>)>;

fn write(target: &str, seeds: &Seeds) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    fs::create_dir_all(&folder).expect("the folder can be made");
    for (name, bytes) in seeds {
        fs::write(folder.join(name), bytes).expect("the file can be written");
    }
    println!("{} seeds in {}", seeds.len(), folder.display());
}

/// Returns the valid cases of a file of vectors: the name of each, and the bytes in its field `field`.
fn vectors(topic: &str, field: &'static str) -> impl Iterator<Item = (String, Vec<u8>)> {
    cases(topic).into_iter().map(move |case| (name(&case), bytes(&case, field)))
}

fn cases(topic: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../vectors/v1/{topic}.json"));
    let file = fs::read(path).expect("the vectors are there");
    let mut file: Value = serde_json::from_slice(&file).expect("the vectors are JSON");
    serde_json::from_value(file["cases"].take()).expect("the vectors are a list")
}

fn name(case: &Value) -> String {
    case["id"].as_str().and_then(|id| id.split_once('/')).expect("an id has its topic").1.to_owned()
}

fn bytes(case: &Value, field: &str) -> Vec<u8> {
    let hex = case["in"][field].as_str().expect("the field is text").as_bytes();
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    hex.chunks(2).map(|pair| byte(pair).expect("the text is hex")).collect()
}

/// Returns a plaintext without its padding, so that mutations of the seed change what means something.
fn unpadded(plaintext: &[u8]) -> Vec<u8> {
    let len = plaintext.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    plaintext[..len].to_vec()
}

fn named(seeds: &[(&str, Vec<u8>)]) -> Seeds {
    seeds.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect()
}

fn qr() -> Seeds {
    let texts = cases("qr").into_iter().map(|case| {
        let text = case["in"]["text"].as_str().expect("a code is text");
        (name(&case), text.as_bytes().to_vec())
    });
    // A payload without its text, which the target makes itself; this one has a field of a later version.
    let payload = [&[1, 0][..], &[9; 32], &[0x5a; 32], &[240, 58, 2, 7, 7]].concat();
    texts.chain(named(&[("payload", payload), ("other", b"https://example.com/".to_vec())])).collect()
}

/// A byte that says whether the pair is live at first, then operations by number, as `endpoint_pair` reads them: 0 deliver, 13 time, 14 cut, 15 crash, 16 hold, 17 flush, 18
/// command, 19 row, 20 follow, 21 stream, and the relay's lies.
fn endpoint_pair() -> Seeds {
    let live = [1].as_slice();
    let with = |rest: &[&[u8]]| [&[live], rest].concat().concat();
    named(&[
        ("live", with(&[])),
        ("from-nothing", vec![0, 18, 3, 4, 7, 13, 3, 0, 13, 3, 0]),
        ("commands", with(&[&[18, 3, 4, 7], &[0], &[18, 255, 255, 8], &[0]])),
        ("apart", with(&[&[14, 0], &[18, 3, 4, 7], &[15, 1], &[0]])),
        ("rows", with(&[&[20, 1], &[19, 1, 9, 5], &[0], &[19, 1, 255, 6], &[14, 1], &[19, 1, 1, 7], &[0]])),
        ("streams", with(&[&[21, 0, 2, 1], &[21, 1, 3, 1], &[0], &[14, 1], &[13, 2], &[0]])),
        ("held", with(&[&[16, 0], &[16, 1], &[18, 9, 9, 9], &[0], &[17, 1], &[0], &[15, 0], &[17, 0], &[0]])),
        ("replay", with(&[&[18, 3, 4, 7], &[0], &[11, 0, 3], &[11, 1, 5], &[0]])),
        ("corrupt", with(&[&[18, 3, 4, 7], &[10, 0, 200, 1], &[0], &[13, 3], &[0]])),
        ("unknown-key", with(&[&[14, 1], &[0], &[23, 1, 4], &[0], &[13, 3], &[0]])),
        ("lies", with(&[&[23, 0, 0], &[23, 1, 1, 9], &[23, 0, 2, 7], &[23, 1, 3, 52], &[0]])),
    ])
}

/// The first byte chooses the step; the rest changes its honest message, or replaces it.
fn handshake_bytes() -> Seeds {
    let patch = |step: u8, patches: &[u8]| [&[step, 0], patches].concat();
    let raw = |step: u8, bytes: &[u8]| [&[step, 1], bytes].concat();
    let mut seeds = named(&[
        ("message-1", patch(0, &[])),
        ("message-1-flipped", patch(0, &[0, 3, 1])),
        ("message-1-cut", patch(0, &[0xff, 0xff, 16])),
        ("message-1-raw", raw(0, &[9; 200])),
        ("message-2", patch(1, &[])),
        ("message-2-flipped", patch(1, &[0, 90, 0x80])),
        ("message-3", patch(2, &[])),
        ("message-3-flipped", patch(2, &[0, 0, 2])),
        ("certificate", patch(3, &[])),
        ("certificate-flipped", patch(3, &[0, 6, 1])),
        ("reconnect", patch(4, &[])),
        ("reconnect-mode", patch(4, &[0, 1, 1])),
        ("reconnect-key", patch(4, &[0, 4, 1])),
        ("answer", patch(5, &[])),
        ("answer-flipped", patch(5, &[0, 40, 4])),
        ("record", patch(6, &[])),
        ("record-flipped", patch(6, &[0, 0, 1])),
        ("code", patch(7, b"0000 1111 2222")),
        ("rows", patch(9, &[])),
        ("rows-flipped", patch(9, &[0, 0, 2])),
    ]);
    seeds.extend(vectors("payloads", "payload").map(|(name, bytes)| (name, [&[8], &bytes[..]].concat())));
    seeds
}

fn relay_frames() -> Seeds {
    vectors("frames-relay", "frame").collect()
}

/// Plaintexts of records. Bodies of the application are put into the frames that carry them.
fn record_frames() -> Seeds {
    let collection = CollectionName::Messages(300).encode().expect("a small id");
    let bodies = cases("messages").into_iter().map(|case| {
        let kind = case["in"]["kind"].as_str().expect("a body has a kind");
        let body = Bytes::from(bytes(&case, "body"));
        let frame = match kind.split_once('-') {
            Some((_, slot)) => Frame::Now { slot: slot.parse().expect("a slot is a number"), body },
            None if kind == "item" => {
                let items = Items::build([body]).expect("the item fits");
                let (page, next) = (PageCursor::default(), PageCursor::default());
                Frame::Page { collection, page, next, rev: 9, items }
            }
            None => Frame::Msg { seq: 1, part: 0, last: 0, body },
        };
        let mut record = RecordBuilder::new();
        assert!(record.push(&frame), "the frame fits");
        (format!("body-{}", name(&case)), record.as_slice()[2..].to_vec())
    });
    let link = vectors("frames-link", "plaintext").map(|(name, bytes)| (format!("link-{name}"), bytes));
    let plaintexts = vectors("frames-record", "plaintext").chain(link);
    plaintexts.map(|(name, bytes)| (name, unpadded(&bytes))).chain(bodies).collect()
}
