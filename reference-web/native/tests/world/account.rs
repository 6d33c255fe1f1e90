//! A phone with some chats, and what a companion tells of its transfers.

use handfast_messages::{CollectionName, Item, Message, MessageState};
use handfast_testkit::Clocked as _;
use reference_web::app::AppEvent;
use reference_web::store::Direction;

use super::{MINUTE, World};

/// A chat with nothing unread.
pub(crate) fn chat(chat: u64, last_message: u64) -> Item {
    Item::Chat {
        chat,
        title: format!("chat {chat}"),
        last_message,
        last_text: "hi".into(),
        last_time: 1,
        unread: 0,
    }
}

/// A message of a contact.
pub(crate) fn message(chat: u64, message: u64, text: &str) -> Item {
    Item::Message(Message {
        chat,
        message,
        author: "Bob".into(),
        time: 1,
        text: text.into(),
        state: MessageState::Received,
        reply_to: None,
        media: None,
        command: None,
        edited: false,
        reactions: Vec::new(),
    })
}

/// A phone with some chats, and a companion that has them.
pub(crate) fn synced(seed: u64) -> World {
    let mut world = World::new(seed);
    for n in 1..=3 {
        world.phone.add(world.now, CollectionName::Chats, &chat(n, 10));
        for id in 1..=10 {
            world.phone.add(world.now, CollectionName::Messages(n), &message(n, id, "hello"));
        }
    }
    world.pair();
    world.run_until_live();
    world.run_until("all rows", MINUTE, |w| w.app.store().counts().unwrap().messages == 30);
    world
}

pub(crate) fn offset(world: &World, direction: Direction) -> u64 {
    let of = |event: &AppEvent| match event {
        AppEvent::Transfer { direction: d, offset, .. } if *d == direction => Some(*offset),
        _ => None,
    };
    world.events.iter().rev().find_map(of).unwrap_or(0)
}

pub(crate) fn is_done(world: &World, direction: Direction) -> bool {
    world
        .events
        .iter()
        .any(|e| matches!(e, AppEvent::Transfer { direction: d, done: true, .. } if *d == direction))
}

/// Nine megabytes, no two chunks of which are the same.
pub(crate) fn large() -> Vec<u8> {
    (0..9_000_000_u32).map(|n| n.to_be_bytes().into_iter().fold(0, |byte, part| byte ^ part)).collect()
}
