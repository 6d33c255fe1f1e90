//! The 914 edge points of Ed25519, by the strict rule: exactly 43 of them hold.

use handfast_conformance::ops;
use serde_json::{Map, Value};

use handfast_vectors::ED25519_POINTS as POINTS;

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[test]
fn exactly_43_of_the_edge_points_hold() {
    // req: CRT-001
    let points: Vec<Value> = serde_json::from_str(POINTS).expect("JSON");
    let holds = |point: &&Value| {
        let text = |name: &str| point[name].as_str().expect(name).to_owned();
        let fields = [("key", text("key")), ("signature", text("sig")), ("message", hex(&text("msg")))];
        let input: Map<String, Value> =
            fields.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        ops::run("ed25519.verify", &input).expect("an operation").is_ok()
    };
    assert_eq!((points.len(), points.iter().filter(holds).count()), (914, 43));
}
