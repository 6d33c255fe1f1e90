//! Random values of every kind, within the limits.

use handfast_codec::ids::{CommandKey, CompanionId, ContentId};
use handfast_messages::{
    Command, CommandRef, CompanionState, Item, MediaDescriptor, Message, MessageState, Reaction, ResultBody,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::values::{code, number, text};

fn media() -> impl Strategy<Value = MediaDescriptor> {
    (any::<[u8; 32]>(), number(), text(1, 64), text(0, 128)).prop_map(|(content, size, media_type, name)| {
        MediaDescriptor { content: ContentId::from_bytes(content), size, media_type, name }
    })
}

pub(crate) fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (number(), text(1, 8_192), option::of(number()))
            .prop_map(|(chat, text, reply_to)| Command::SendText { chat, text, reply_to }),
        (number(), number(), 1_u8..=50).prop_map(|(chat, before, count)| Command::History {
            chat,
            before,
            count
        }),
        (number(), media(), option::of(text(0, 1_024)))
            .prop_map(|(chat, media, caption)| Command::SendMedia { chat, media, caption }),
        (number(), number()).prop_map(|(chat, message)| Command::MarkRead { chat, message }),
        (number(), number(), text(1, 8_192)).prop_map(|(chat, message, text)| Command::EditText {
            chat,
            message,
            text
        }),
        (number(), number()).prop_map(|(chat, message)| Command::Delete { chat, message }),
        (number(), number(), text(0, 64)).prop_map(|(chat, message, reaction)| Command::React {
            chat,
            message,
            reaction
        }),
    ]
}

fn reactions() -> impl Strategy<Value = Vec<Reaction>> {
    btree_map(text(0, 128), text(1, 64), 0..=32)
        .prop_map(|all| all.into_iter().map(|(author, reaction)| Reaction { author, reaction }).collect())
}

pub(crate) fn item() -> impl Strategy<Value = Item> {
    let state = (1_u8..=6).prop_map(|state| MessageState::from_number(state).unwrap());
    let command = any::<[[u8; 16]; 2]>().prop_map(|[companion, key]| CommandRef {
        companion: CompanionId::from_bytes(companion),
        key: CommandKey::from_bytes(key),
    });
    let changes = (any::<bool>(), reactions());
    let head = (number(), number(), text(0, 128), number(), text(0, 400), state);
    prop_oneof![
        (number(), text(1, 128), number(), text(0, 256), number(), number()).prop_map(
            |(chat, title, last_message, last_text, last_time, unread)| Item::Chat {
                chat,
                title,
                last_message,
                last_text,
                last_time,
                unread
            }
        ),
        (head, option::of(number()), option::of(media()), option::of(command), changes).prop_map(
            |((chat, message, author, time, text, state), reply_to, media, command, (edited, reactions))| {
                Item::Message(Message {
                    chat,
                    message,
                    author,
                    time,
                    text,
                    state,
                    reply_to,
                    media,
                    command,
                    edited,
                    reactions,
                })
            }
        ),
        (number(), option::of(number())).prop_map(|(chat, message)| Item::Deleted { chat, message }),
        (any::<[u8; 16]>(), number(), text(0, 64), number(), number(), 1_u8..=3).prop_map(
            |(companion, serial, label, linked, seen, status)| Item::Companion {
                companion: CompanionId::from_bytes(companion),
                serial,
                label,
                linked,
                seen,
                status: CompanionState::from_number(status).unwrap(),
            }
        ),
    ]
}

pub(crate) fn result() -> impl Strategy<Value = ResultBody> {
    prop_oneof![
        (number(), number()).prop_map(|(message, rev)| ResultBody::Accepted { message, rev }),
        (vec(item().prop_map(|item| item.encode()), 0..=50), any::<bool>(), number())
            .prop_map(|(items, more, rev)| ResultBody::HistoryPage { items, more, rev }),
        code().prop_map(|code| ResultBody::Failed { code }),
        Just(ResultBody::Done),
    ]
}
