//! The search over the commit of pairing.

use handfast_models::commit::Commit;
use handfast_models::search;

#[test]
fn a_pairing_ends_linked_on_both_or_on_neither() {
    // req: HSK-017, HSK-018, HSK-046
    search("pairing with two faults", Commit::new(2), &[], None);
}
