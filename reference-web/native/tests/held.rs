//! What the user changes about messages while the phone is away: it waits here, and can be taken back.

use crate::both::{Both, keys};
use handfast::codec::ids::CommandKey;
use handfast_testkit::Clocked as _;
use reference_web::app::VerbError;

/// A phone and a companion that is live, and the id of a message that the companion sent.
fn with_own_message(seed: u64) -> (Both, u64) {
    let mut both = Both::linked(seed, 1, 3);
    both.run_until("live", |both| both.is_live());
    let now = both.now;
    let _ = both.web().send_text(now, &mut keys(), 1, "mine", None, Some("one")).unwrap();
    both.run_until("the answer", |both| {
        both.web().store().command_of_client("one").unwrap().unwrap().result.is_some()
    });
    let id = both.web().store().command_of_client("one").unwrap().unwrap().result.unwrap();
    (both, id)
}

fn without_phone(both: &mut Both) {
    both.stop_phone();
    both.run_until("the phone is away", |both| !both.is_live());
}

/// The text of a message at the phone, if it is there.
fn at_phone(both: &Both, id: u64) -> Option<String> {
    let all = both.phone().store().history(1, 0, 200).unwrap();
    all.into_iter().find(|one| one.message.message == id).map(|one| one.message.text)
}

fn phone_comes(both: &mut Both) {
    both.start_phone();
    both.run_until("live", |both| both.is_live());
    both.run_until("nothing waits", |both| both.web().status().unwrap().commands_open == 0);
}

fn is_not_held(both: &mut Both, command: CommandKey) {
    let refused = both.web().undo(command);
    assert!(matches!(refused, Err(VerbError::NotHeld)), "{refused:?}");
}

#[test]
fn an_edit_and_a_deletion_that_wait_are_taken_back_also_after_a_restart() {
    let (mut both, id) = with_own_message(5);
    without_phone(&mut both);
    let now = both.now;
    let edit = both.web().edit_text(now, &mut keys(), 1, id, "yours").unwrap();
    let delete = both.web().delete_message(now, &mut keys(), 1, id).unwrap();
    both.settle();
    assert!(edit.held && delete.held && edit.command != delete.command);
    let status = both.web().status().unwrap();
    assert_eq!((status.outbox, status.commands_open), ((0, 0), 2), "the machine has nothing that may leave");
    both.web().undo(edit.command).unwrap();
    both.settle();
    is_not_held(&mut both, edit.command);
    both.stop_web();
    both.start_web();
    both.settle();
    both.web().undo(delete.command).unwrap();
    both.settle();
    is_not_held(&mut both, delete.command);
    phone_comes(&mut both);
    assert_eq!(at_phone(&both, id).as_deref(), Some("mine"));
}

#[test]
fn what_is_not_taken_back_leaves_in_its_order_when_the_phone_comes() {
    let (mut both, id) = with_own_message(6);
    without_phone(&mut both);
    let now = both.now;
    let mut commands = Vec::new();
    for text in ["first", "second", "third"] {
        commands.push(both.web().edit_text(now, &mut keys(), 1, id, text).unwrap());
    }
    commands.push(both.web().react(now, &mut keys(), 1, id, "+1").unwrap());
    both.settle();
    both.web().undo(commands[1].command).unwrap();
    both.stop_web();
    both.start_web();
    phone_comes(&mut both);
    assert_eq!(at_phone(&both, id).as_deref(), Some("third"));
    for sent in &commands {
        is_not_held(&mut both, sent.command);
    }
}

#[test]
fn what_is_asked_for_while_the_phone_is_there_is_not_held() {
    let (mut both, id) = with_own_message(7);
    let now = both.now;
    let edit = both.web().edit_text(now, &mut keys(), 1, id, "yours").unwrap();
    assert!(!edit.held);
    is_not_held(&mut both, edit.command);
    is_not_held(&mut both, CommandKey::from_bytes([9; 16]));
    both.run_until("the edit", |both| at_phone(both, id).as_deref() == Some("yours"));
}
