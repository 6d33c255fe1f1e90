//! A phone's user who allows less than the companion asks for.

use crate::both::{Both, keys};
use handfast_messages::grants;
use handfast_testkit::Clocked as _;
use reference_web::store::CommandState;

// req: MSG-110, MSG-056
#[test]
fn a_companion_may_do_what_was_given_and_no_more() {
    let mut both = Both::linked(1, 1, 3);
    both.replace_web(7);
    both.pair_giving(grants::READ);
    both.run_until("live", |both| both.is_live());
    let given = |both: &Both| both.phone().store().companions().unwrap().last().unwrap().grants;
    assert_eq!(given(&both), grants::READ);
    both.run_until("the chat", |both| both.difference(1).is_none());
    let now = both.now;
    let sent = both.web().send_text(now, &mut keys(), 1, "not allowed", None, Some("one"));
    let _ = sent.unwrap();
    both.run_for(crate::both::MINUTE);
    let texts = both.phone().store().history(1, 0, 10).unwrap();
    assert!(!texts.iter().any(|stored| stored.message.text == "not allowed"));
    let command = both.web().store().command_of_client("one").unwrap().expect("it is noted");
    assert_eq!(command.state, CommandState::Failed);
}

// req: MSG-110
#[test]
fn nothing_is_given_that_was_not_asked_for() {
    let mut both = Both::linked(2, 1, 1);
    both.replace_web(7);
    both.pair_giving(u64::MAX);
    assert_eq!(both.phone().store().companions().unwrap().last().unwrap().grants, grants::ALL);
}
