//! One value of every kind of the vocabulary, with fields at their limits where that is cheap.

use super::encoded::Sample;
use super::walk;
use bytes::Bytes;
use handfast_codec::ErrorCode;
use handfast_codec::frame::PageState;
use handfast_codec::ids::{CommandKey, CompanionId, ContentId};
use handfast_messages::{
    Command, CommandRef, CompanionState, Item, MediaDescriptor, Message, MessageState, NowValue, Reaction,
    ResultBody,
};

pub(crate) fn media() -> MediaDescriptor {
    MediaDescriptor {
        content: ContentId::from_bytes([7; 32]),
        size: 5_000_000,
        media_type: "image/png".into(),
        name: "cat.png".into(),
    }
}

/// So many reactions, the first one of the account itself.
pub(crate) fn reactions(count: usize) -> Vec<Reaction> {
    let author = |number: usize| if number == 0 { String::new() } else { format!("Bob {number:02}") };
    (0..count).map(|number| Reaction { author: author(number), reaction: "👍".into() }).collect()
}

pub(crate) fn message() -> Message {
    Message {
        chat: 1,
        message: 2,
        author: String::new(),
        time: 1_700_000_000_000,
        text: "hello".into(),
        state: MessageState::Sent,
        reply_to: Some(1),
        media: Some(media()),
        command: Some(CommandRef {
            companion: CompanionId::from_bytes([4; 16]),
            key: CommandKey::from_bytes([5; 16]),
        }),
        edited: true,
        reactions: reactions(2),
    }
}

pub(crate) fn commands() -> Vec<Command> {
    vec![
        Command::SendText { chat: 1, text: "hi".into(), reply_to: None },
        Command::SendText { chat: 1, text: "x".repeat(8_192), reply_to: Some(2) },
        Command::History { chat: 1, before: 0, count: 50 },
        Command::SendMedia { chat: 1, media: media(), caption: None },
        Command::SendMedia { chat: 1, media: media(), caption: Some(String::new()) },
        Command::MarkRead { chat: 1, message: 9 },
        Command::EditText { chat: 1, message: 9, text: "hi".into() },
        Command::Delete { chat: 1, message: 9 },
        Command::React { chat: 1, message: 9, reaction: "👍".into() },
        Command::React { chat: 1, message: 9, reaction: String::new() },
    ]
}

pub(crate) fn results() -> Vec<ResultBody> {
    vec![
        ResultBody::Accepted { message: 3, rev: 70 },
        ResultBody::HistoryPage { items: items().iter().map(Item::encode).collect(), more: true, rev: 71 },
        ResultBody::HistoryPage { items: vec![], more: false, rev: 0 },
        ResultBody::Failed { code: ErrorCode::OFFLINE },
        ResultBody::Done,
    ]
}

pub(crate) fn items() -> Vec<Item> {
    vec![
        Item::Chat {
            chat: 1,
            title: "Bob".into(),
            last_message: 2,
            last_text: "hello".into(),
            last_time: 1_700_000_000_000,
            unread: 0,
        },
        Item::Message(message()),
        Item::Message(Message {
            reply_to: None,
            media: None,
            command: None,
            edited: false,
            reactions: vec![],
            ..message()
        }),
        Item::Deleted { chat: 1, message: None },
        Item::Deleted { chat: 1, message: Some(2) },
        Item::Companion {
            companion: CompanionId::from_bytes([4; 16]),
            serial: 3,
            label: "PC".into(),
            linked: 1_700_000_000_000,
            seen: 0,
            status: CompanionState::Active,
        },
    ]
}

/// Every sample of this file in its encoded form.
pub(crate) fn all() -> Vec<Sample> {
    let mut out = Vec::new();
    let mut add =
        |name: String, bytes: Bytes, again, ignores| out.push(Sample { name, bytes, again, ignores });
    for command in commands() {
        let again = |b: Bytes| Ok(Command::decode(&b)?.encode().to_vec());
        add(format!("{command:?}"), command.encode(), again, |b| body_ignores(b, &[(5, 3)]));
    }
    for result in results() {
        let again = |b: Bytes| Ok(ResultBody::decode(&b)?.encode().to_vec());
        add(format!("{result:?}"), result.encode(), again, |b| body_ignores(b, &[]));
    }
    for item in items() {
        let again = |b: Bytes| Ok(Item::decode(&b)?.encode().to_vec());
        add(format!("{item:?}"), item.encode(), again, |b| body_ignores(b, &[(3, 15)]));
    }
    add(
        "media".into(),
        media().encode().into(),
        |b| Ok(MediaDescriptor::decode(&b)?.encode()),
        walk::ignores,
    );
    let now = NowValue::Page(PageState::Hidden);
    let again =
        |b: Bytes| Ok(NowValue::decode(1, &b)?.map(|value| value.encode().to_vec()).unwrap_or_default());
    add("now".into(), now.encode(), again, |_| false);
    out
}

/// Whether a body holds something that is ignored, with a media descriptor in the fields of these types.
fn body_ignores(body: &[u8], media: &[(u64, u64)]) -> bool {
    let Some((kind, list)) = walk::varint(body) else { return false };
    let holds_media = |field| media.contains(&(kind, field));
    walk::ignores(list)
        || walk::fields(list).iter().any(|(field, value)| holds_media(*field) && walk::ignores(value))
}
