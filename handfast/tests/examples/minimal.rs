//! `examples/minimal` as its users run it: both programs over a real relay.

use crate::side::{Side, relay};

#[test]
fn the_smallest_programs_pair_and_fill_a_list_through_kills() {
    let dir = tempfile::tempdir().expect("a directory");
    let text = |name: &str| dir.path().join(name).to_str().expect("a text").to_owned();
    let mut companion = Side::start(&["minimal-companion", &text("companion"), &relay()]);
    let code = companion.hear("Scan this code: ");
    let mut phone = Side::start(&["minimal-phone", &text("phone"), &code]);
    let _ = phone.hear("The four digits");
    phone.say("no digits");
    let _ = phone.hear("Wrong.");
    phone.say(&companion.hear("Type at the phone: "));
    let _ = phone.hear("Link \"Kitchen\"?");
    phone.say("yes");
    let number = phone.hear("Type there: ");
    let _ = companion.hear("Link to \"Shopping\"?");
    companion.say(&number);
    let _ = companion.hear("Linked(");
    let _ = phone.hear("Linked(");

    phone.say("milk");
    assert_eq!(companion.hear("on the list: "), "milk");
    companion.say("bread");
    assert_eq!(phone.hear("on the list: "), "milk");
    assert_eq!(phone.hear("on the list: "), "bread");
    let _ = companion.hear("the phone has added it");
    assert_eq!(companion.hear("on the list: "), "bread");

    // The companion says something while the phone is away, and is killed before the phone is back.
    phone.quit("");
    companion.say("salt");
    let _ = companion.hear("Anything to add?");
    companion.crash();
    assert_eq!([(); 2].map(|()| companion.hear("on the list: ")), ["milk", "bread"]);
    let mut phone = Side::start(&["minimal-phone", &text("phone")]);
    assert_eq!(phone.hear("on the list: "), "salt");
    let _ = companion.hear("the phone has added it");
    phone.say("pepper");
    assert_eq!(companion.hear("on the list: "), "salt");
    assert_eq!(companion.hear("on the list: "), "pepper");
    companion.quit("");
    phone.quit("");
}

#[test]
fn what_is_no_code_and_a_missing_argument_say_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let text = dir.path().to_str().expect("a text");
    for words in [
        &["minimal-phone", text, "HELLO"][..],
        &["minimal-phone"],
        &["minimal-phone", "--help"],
        &["minimal-companion", text],
    ] {
        Side::start(words).fails();
    }
}
