//! The searches over either side's being put back: all rules, then each of them taken out.

use handfast_models::put_back::{PutBack, Rules};
use handfast_models::search;

const ALL: Rules = Rules::ALL;
/// A web that is put back once. Two settled commands are kept, and two may be open.
const WEB: PutBack = PutBack {
    rules: ALL,
    acts: 3,
    cuts: 1,
    web_copies: 1,
    web_backs: 1,
    phone_copies: 0,
    phone_backs: 0,
    kept: 2,
    open: 2,
    lost_acks: false,
};
const WEB_TWICE: PutBack = PutBack { web_copies: 2, web_backs: 2, ..WEB };
const PHONE: PutBack = PutBack { web_copies: 0, web_backs: 0, phone_copies: 1, phone_backs: 1, ..WEB };
/// Both are put back.
const BOTH: PutBack = PutBack { acts: 2, phone_copies: 1, phone_backs: 1, ..WEB };
/// An earlier state of the phone runs, and then a later one again: the ratchet lets none of them connect twice.
const TO_AND_FRO: PutBack =
    PutBack { rules: Rules { ratchet: false, ..ALL }, cuts: 0, phone_copies: 2, phone_backs: 2, ..BOTH };

#[test]
fn no_act_is_lost_or_run_twice_and_both_users_are_told() {
    // req: RES-026, RES-033, RES-037
    search("a web that is put back", WEB, &[], None);
    search("a web that is put back twice", WEB_TWICE, &[], None);
    search("one key kept", PutBack { kept: 1, ..WEB_TWICE }, &[], None);
    search("ACKs that are lost", PutBack { lost_acks: true, ..WEB }, &[], None);
    search("more acts", PutBack { acts: 4, cuts: 0, ..WEB }, &[], None);
    search("without the ratchet", PutBack { rules: Rules { ratchet: false, ..ALL }, ..WEB_TWICE }, &[], None);
}

#[test]
fn a_phone_that_is_put_back_runs_again_what_waits_and_both_users_are_told() {
    // req: RES-040
    search("a phone that is put back", PHONE, &[], None);
    let twice = PutBack { phone_backs: 2, lost_acks: true, ..PHONE };
    search("a phone that is put back twice", twice, &[], None);
    // A state between answer and confirm of a RESET has the epochs of before, and `EPOCH_W2P` says nothing.
    search("both are put back", BOTH, &["PHONE"], None);
}

#[test]
fn each_rule_is_needed() {
    // req: RES-024, RES-034, RES-038
    let by_next = &["FLOOR", "FULL", "STUCK"][..];
    let renumber = &["FLOOR", "FULL", "ALARM", "STUCK"][..];
    let cases = [
        ("key", Rules { key: false, ..ALL }, WEB, &["TWICE"][..]),
        ("next number", Rules { by_next: false, ..ALL }, WEB, by_next),
        ("key of the highest", Rules { by_key: false, ..ALL }, WEB, &["FULL", "STUCK", "TOLD"]),
        ("new numbers", Rules { renumber: false, ..ALL }, WEB, renumber),
        ("new floor", Rules { new_floor: false, ..ALL }, WEB, &["FLOOR", "STUCK"]),
        ("forgotten", Rules { forgotten: false, ..ALL }, PutBack { kept: 1, ..WEB }, &["TWICE"]),
        ("from holds", Rules { from_holds: false, ..ALL }, WEB, &["TWICE"]),
        ("told", Rules { told: false, ..ALL }, WEB, &["STUCK", "TOLD"]),
        ("told is RESET", Rules { reset: false, ..ALL }, WEB, &["STUCK"]),
        ("told again", Rules { told_again: false, ..ALL }, WEB, &["TOLD"]),
        ("LACK_W2P", Rules { lack_is_back: false, ..ALL }, PHONE, &["PHONE"]),
        ("phone stored", Rules { phone_stored: false, ..ALL }, PHONE, &["PHONE"]),
    ];
    for (name, rules, model, fails) in cases {
        search(&format!("without {name}"), PutBack { rules, ..model }, fails, None);
    }
    let rules = Rules { settled_rows_go: false, ..ALL };
    let model = PutBack { rules, kept: 1, acts: 4, cuts: 0, ..WEB_TWICE };
    search("without settled rows go", model, &["FLOOR", "STUCK"], None);
}

#[test]
fn the_keys_of_settled_commands_are_needed_where_a_phone_is_put_to_and_fro() {
    // req: RES-039
    search("to and fro", TO_AND_FRO, &["PHONE"], None);
    let rules = Rules { own_keys: false, ..TO_AND_FRO.rules };
    search("without own keys", PutBack { rules, ..TO_AND_FRO }, &["PHONE", "TOLD"], None);
}
