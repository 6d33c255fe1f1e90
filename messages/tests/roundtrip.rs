//! Encoding and decoding are inverse, both ways.

#[path = "../../codec/tests/support/encoded.rs"]
#[expect(dead_code, reason = "each test file uses some of it")]
mod encoded;
#[path = "support/samples.rs"]
mod samples;
#[path = "support/strategies.rs"]
mod strategies;
#[path = "../../codec/tests/support/values.rs"]
#[expect(dead_code, reason = "each test file uses some of it")]
mod values;
#[path = "../../codec/tests/support/walk.rs"]
mod walk;

use handfast_messages::{Command, Item, ResultBody};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #[test]
    fn messages_come_back(
        command in strategies::command(),
        result in strategies::result(),
        item in strategies::item(),
    ) {
        prop_assert_eq!(Command::decode(&command.encode()), Ok(command));
        prop_assert_eq!(ResultBody::decode(&result.encode()), Ok(result));
        prop_assert_eq!(Item::decode(&item.encode()), Ok(item));
    }

    /// A decoder that accepts bytes accepts one form only: writing the value gives the bytes again, unless they held
    /// something that is ignored.
    #[test]
    fn accepted_bytes_are_canonical(sample in any::<prop::sample::Index>(), edits in vec(encoded::edit(), 1..4)) {
        let samples = samples::all();
        samples[sample.index(samples.len())].is_canonical_behind(&edits);
    }
}

#[test]
fn every_sample_comes_back() {
    samples::all().iter().for_each(encoded::Sample::comes_back);
}
