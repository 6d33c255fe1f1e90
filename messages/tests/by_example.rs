//! Application messages, by example: each field on a line of its own.

use bytes::Bytes;
use handfast_codec::ErrorCode;
use handfast_codec::ids::{CommandKey, CompanionId, ContentId};
use handfast_messages::{
    Command, CommandRef, CompanionState, Item, MediaDescriptor, Message, MessageState, Reaction, ResultBody,
};

fn media() -> MediaDescriptor {
    MediaDescriptor {
        content: ContentId::from_bytes([0xcc; 32]),
        size: 300,
        media_type: "image/png".into(),
        name: "a.png".into(),
    }
}

fn media_bytes() -> Vec<u8> {
    [
        &[1, 32][..], // content id
        &[0xcc; 32],
        &[3, 2, 0x41, 0x2c], // size 300
        &[5, 9],             // type
        b"image/png",
        &[7, 5], // name
        b"a.png",
    ]
    .concat()
}

#[track_caller]
fn command_is(command: &Command, bytes: &[u8]) {
    assert_eq!(command.encode(), bytes);
    assert_eq!(Command::decode(bytes).as_ref(), Ok(command));
}

#[track_caller]
fn result_is(result: &ResultBody, bytes: &[u8]) {
    assert_eq!(result.encode(), bytes);
    assert_eq!(ResultBody::decode(&Bytes::copy_from_slice(bytes)).as_ref(), Ok(result));
}

#[track_caller]
fn item_is(item: &Item, bytes: &[u8]) {
    assert_eq!(item.encode(), bytes);
    assert_eq!(Item::decode(bytes).as_ref(), Ok(item));
}

#[test]
fn send_text() {
    // req: MSG-011
    let bytes = [
        1, // kind
        1, 1, 7, // chat
        3, 2, b'h', b'i', // text
    ];
    command_is(&Command::SendText { chat: 7, text: "hi".into(), reply_to: None }, &bytes);
    let reply = [&bytes[..], &[5, 1, 9]].concat(); // reply to
    command_is(&Command::SendText { chat: 7, text: "hi".into(), reply_to: Some(9) }, &reply);
}

#[test]
fn history() {
    // req: MSG-012
    let bytes = [
        3, // kind
        1, 1, 7, // chat
        3, 1, 0, // before: the newest
        5, 1, 50, // count
    ];
    command_is(&Command::History { chat: 7, before: 0, count: 50 }, &bytes);
}

#[test]
fn send_media() {
    // req: MSG-013, MSG-034
    let media_len = u8::try_from(media_bytes().len()).expect("short");
    let bytes = [
        &[5, 1, 1, 7][..], // kind, chat
        &[3, media_len],   // media descriptor
        &media_bytes(),
        &[5, 0], // caption, empty
    ]
    .concat();
    command_is(&Command::SendMedia { chat: 7, media: media(), caption: Some(String::new()) }, &bytes);
    let plain = &bytes[..bytes.len() - 2];
    command_is(&Command::SendMedia { chat: 7, media: media(), caption: None }, plain);
}

#[test]
fn mark_read() {
    // req: MSG-014
    command_is(&Command::MarkRead { chat: 7, message: 300 }, &[7, 1, 1, 7, 3, 2, 0x41, 0x2c]);
}

#[test]
fn edit_delete_and_react() {
    // req: MSG-015, MSG-016, MSG-017
    let bytes = |kind: u8, text: &[u8]| [&[kind, 1, 1, 7, 3, 1, 9][..], text].concat(); // kind, chat, message
    let edit = Command::EditText { chat: 7, message: 9, text: "hi".into() };
    command_is(&edit, &bytes(9, &[5, 2, b'h', b'i']));
    command_is(&Command::Delete { chat: 7, message: 9 }, &bytes(11, &[]));
    let react = |reaction: &str| Command::React { chat: 7, message: 9, reaction: reaction.into() };
    command_is(&react("+1"), &bytes(13, &[5, 2, b'+', b'1']));
    command_is(&react(""), &bytes(13, &[5, 0])); // taken back
}

#[test]
fn accepted() {
    // req: MSG-021
    result_is(&ResultBody::Accepted { message: 9, rev: 300 }, &[1, 1, 1, 9, 3, 2, 0x41, 0x2c]);
}

#[test]
fn a_history_page() {
    // req: MSG-022, MSG-061
    let items = vec![Bytes::from_static(b"one"), Bytes::from_static(b"2")];
    let bytes = [
        3, // kind
        1, 6, 3, b'o', b'n', b'e', 1, b'2', // items
        3, 1, 1, // more
        5, 2, 0x41, 0x2c, // rev
    ];
    result_is(&ResultBody::HistoryPage { items, more: true, rev: 300 }, &bytes);
}

#[test]
fn failed() {
    // req: MSG-023
    result_is(&ResultBody::Failed { code: ErrorCode::GONE }, &[5, 1, 2, 0x06, 0x05]);
}

#[test]
fn done() {
    // req: MSG-024
    result_is(&ResultBody::Done, &[7]);
}

#[test]
fn a_chat() {
    // req: MSG-031
    let chat = Item::Chat {
        chat: 7,
        title: "Bo".into(),
        last_message: 9,
        last_text: "hi".into(),
        last_time: 300,
        unread: 0,
    };
    let bytes = [
        1, // kind
        1, 1, 7, // chat
        3, 2, b'B', b'o', // title
        5, 1, 9, // last message
        7, 2, b'h', b'i', // last text
        9, 2, 0x41, 0x2c, // last time
        11, 1, 0, // unread
    ];
    item_is(&chat, &bytes);
}

#[test]
fn a_message() {
    // req: MSG-032
    let message = Message {
        chat: 7,
        message: 9,
        author: String::new(),
        time: 300,
        text: "hi".into(),
        state: MessageState::Sent,
        reply_to: Some(8),
        media: Some(media()),
        command: Some(CommandRef {
            companion: CompanionId::from_bytes([0xc0; 16]),
            key: CommandKey::from_bytes([0x5e; 16]),
        }),
        edited: true,
        reactions: [("", "+1"), ("Bo", "x")]
            .map(|(author, reaction)| Reaction { author: author.into(), reaction: reaction.into() })
            .into(),
    };
    let media_len = u8::try_from(media_bytes().len()).expect("short");
    let bytes = [
        &[3, 1, 1, 7][..],   // kind, chat
        &[3, 1, 9],          // message
        &[5, 0],             // author: the account itself
        &[7, 2, 0x41, 0x2c], // time
        &[9, 2, b'h', b'i'], // text
        &[11, 1, 2],         // state: SENT
        &[13, 1, 8],         // reply to
        &[15, media_len],    // media descriptor
        &media_bytes(),
        &[17, 32], // command: companion id and key
        &[0xc0; 16],
        &[0x5e; 16],
        &[19, 1, 1],               // edited
        &[21, 9],                  // reactions
        &[0, 2, b'+', b'1'],       // of the account itself
        &[2, b'B', b'o', 1, b'x'], // of a contact
    ]
    .concat();
    item_is(&Item::Message(message), &bytes);
}

#[test]
fn deleted() {
    // req: MSG-033
    item_is(&Item::Deleted { chat: 7, message: Some(9) }, &[5, 1, 1, 7, 3, 1, 9]);
    item_is(&Item::Deleted { chat: 7, message: None }, &[5, 1, 1, 7]);
}

#[test]
fn a_companion() {
    // req: MSG-035
    for (status, number) in
        [(CompanionState::Pending, 1), (CompanionState::Active, 2), (CompanionState::Suspended, 3)]
    {
        let companion = Item::Companion {
            companion: CompanionId::from_bytes([0xc0; 16]),
            serial: 3,
            label: "PC".into(),
            linked: 300,
            seen: 0,
            status,
        };
        let bytes = [
            &[7, 1, 16][..], // kind, companion id
            &[0xc0; 16],
            &[3, 1, 3],          // serial
            &[5, 2, b'P', b'C'], // label
            &[7, 2, 0x41, 0x2c], // linked
            &[9, 1, 0],          // last seen: never
            &[11, 1, number],    // status
        ]
        .concat();
        item_is(&companion, &bytes);
    }
}
