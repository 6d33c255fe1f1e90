//! One test for each rule of messages by which a receiver refuses, named after the rule; the exact error, at the maximum
//! and one past it.

#[path = "../../codec/tests/support/bytes.rs"]
#[expect(dead_code, reason = "each test file uses some of it")]
mod build;
#[path = "../../codec/tests/support/encoded.rs"]
#[expect(dead_code, reason = "each test file uses some of it")]
mod encoded;
#[path = "support/samples.rs"]
#[expect(dead_code, reason = "each test file uses some of it")]
mod samples;
#[path = "../../codec/tests/support/walk.rs"]
mod walk;

use build::{error, list, with};
use bytes::Bytes;
use handfast_codec::ErrorCode;
use handfast_codec::frame::{Row, RowId};
use handfast_codec::limits::{
    AUTHOR_LEN_MAX, ITEM_LEN_MAX, MEDIA_NAME_LEN_MAX, MEDIA_TYPE_LEN_MAX, REACTION_LEN_MAX, REACTIONS_MAX,
    TEXT_LEN_MAX, VARINT_MAX,
};
use handfast_messages::{Command, Item, MediaDescriptor, Message, Reaction, ResultBody};

#[test]
fn limits_of_messages() {
    // req: FRM-010
    let size = |kind: u8, fields: &[(u64, &[u8])]| [&[kind][..], &list(fields)].concat();
    for (len, ok) in [(0, false), (1, true), (8_192, true), (8_193, false)] {
        let text = vec![b'x'; len];
        assert_eq!(Command::decode(&size(1, &[(1, &[1]), (3, &text)])).is_ok(), ok, "text of {len}");
    }
    let media = samples::media().encode();
    for (len, ok) in [(0, true), (1_024, true), (1_025, false)] {
        let caption = vec![b'x'; len];
        let command = size(5, &[(1, &[1]), (3, &media), (5, &caption)]);
        assert_eq!(Command::decode(&command).is_ok(), ok, "caption of {len}");
    }
    for (kind, min, max) in [(5, 1, 64), (7, 0, 128)] {
        let sized = |len: usize| MediaDescriptor::decode(&with(&media, kind, &vec![b'x'; len]));
        assert!(sized(min).is_ok() && sized(max).is_ok());
        assert_eq!(sized(max + 1).unwrap_err().code, ErrorCode::FIELD_LENGTH);
        assert_eq!(min == 1, sized(0).is_err());
    }
    let chat = samples::items()[0].encode();
    for (kind, min, max) in [(3, 1, 128), (7, 0, 256)] {
        let sized =
            |len: usize| Item::decode(&[&[1][..], &with(&chat[1..], kind, &vec![b'x'; len])].concat());
        assert!(sized(min).is_ok() && sized(max).is_ok());
        assert_eq!(sized(max + 1).unwrap_err().code, ErrorCode::FIELD_LENGTH);
    }
    let message = samples::items()[2].encode();
    for (kind, max) in [(5, 128), (9, 8_192)] {
        let sized =
            |len: usize| Item::decode(&[&[3][..], &with(&message[1..], kind, &vec![b'x'; len])].concat());
        assert!(sized(0).is_ok() && sized(max).is_ok());
        assert_eq!(sized(max + 1).unwrap_err().code, ErrorCode::FIELD_LENGTH);
    }
    let companion = samples::items()[5].encode();
    for (len, ok) in [(0, true), (64, true), (65, false)] {
        let label = [&[7][..], &with(&companion[1..], 5, &vec![b'x'; len])].concat();
        assert_eq!(Item::decode(&label).is_ok(), ok, "label of {len}");
    }
    for (len, ok) in [(0, false), (1, true), (8_192, true), (8_193, false)] {
        let text = vec![b'x'; len];
        assert_eq!(
            Command::decode(&size(9, &[(1, &[1]), (3, &[1]), (5, &text)])).is_ok(),
            ok,
            "edit of {len}"
        );
    }
    for (len, ok) in [(0, true), (64, true), (65, false)] {
        let reaction = vec![b'x'; len];
        let command = size(13, &[(1, &[1]), (3, &[1]), (5, &reaction)]);
        assert_eq!(Command::decode(&command).is_ok(), ok, "reaction of {len}");
    }
}

#[test]
fn a_body_of_an_unknown_kind() {
    // req: MSG-001
    for kind in [0, 2, 15, 58] {
        assert_eq!(Command::decode(&[kind]), Err(error(ErrorCode::UNKNOWN_CRITICAL, 0, "command kind")));
        let result = ResultBody::decode(&Bytes::copy_from_slice(&[kind]));
        assert_eq!(result, Err(error(ErrorCode::UNKNOWN_CRITICAL, 0, "result kind")));
        assert_eq!(Item::decode(&[kind]), Err(error(ErrorCode::UNKNOWN_CRITICAL, 0, "item kind")));
    }
}

/// A message with this value in a field, and what the decoder says of it.
fn message_with(kind: u64, value: &[u8]) -> Result<Item, ErrorCode> {
    let message = samples::items()[1].encode();
    Item::decode(&[&[3][..], &with(&message[1..], kind, value)].concat()).map_err(|error| error.code)
}

#[test]
fn edited_is_one_or_not_there() {
    // req: MSG-032, FRM-011
    assert!(matches!(message_with(19, &[1]), Ok(Item::Message(message)) if message.edited));
    for other in [0, 2, 255] {
        assert_eq!(message_with(19, &[other]), Err(ErrorCode::FIELD_VALUE));
    }
    assert_eq!(message_with(19, &[]), Err(ErrorCode::FIELD_LENGTH));
}

#[test]
fn reactions_at_their_limits() {
    // req: MSG-032, FRM-010, FRM-024
    let one = |author: usize, reaction: usize| {
        let part = |byte: u8, len: usize| {
            let mut out = Vec::new();
            handfast_codec::varint::put_varint(&mut out, len as u64);
            out.resize(out.len() + len, byte);
            out
        };
        message_with(21, &[part(b'a', author), part(b'r', reaction)].concat())
    };
    for (author, reaction) in [(0, 1), (128, 64)] {
        assert!(one(author, reaction).is_ok(), "{author} and {reaction}");
    }
    for (author, reaction) in [(129, 1), (0, 0), (0, 65)] {
        assert_eq!(one(author, reaction), Err(ErrorCode::FIELD_LENGTH), "{author} and {reaction}");
    }
    let many = |count| Message { reactions: samples::reactions(count), ..samples::message() };
    let decode = |count| Item::decode(&Item::Message(many(count)).encode()).map_err(|error| error.code);
    assert_eq!(decode(32), Ok(Item::Message(many(32))));
    assert_eq!(decode(33), Err(ErrorCode::FIELD_LENGTH));
    assert_eq!(message_with(21, &[]), Err(ErrorCode::FIELD_LENGTH), "none is no field");
}

#[test]
fn the_authors_of_reactions_ascend() {
    // req: MSG-036
    let authors = |first, second| message_with(21, &[1, first, 1, b'r', 1, second, 1, b'r']);
    assert!(authors(b'a', b'b').is_ok());
    assert_eq!(authors(b'a', b'a'), Err(ErrorCode::DUPLICATE_FIELD));
    assert_eq!(authors(b'b', b'a'), Err(ErrorCode::FIELD_ORDER));
}

#[test]
fn reactions_that_are_cut_or_no_text() {
    // req: FRM-002, FRM-004
    for cut in [&[1][..], &[1, b'a'], &[1, b'a', 2, b'r']] {
        assert_eq!(message_with(21, cut), Err(ErrorCode::TRUNCATED), "{cut:?}");
    }
    for bad in [&[1, 0xff, 1, b'r'][..], &[1, b'a', 1, 0xff]] {
        assert_eq!(message_with(21, bad), Err(ErrorCode::BAD_UTF8), "{bad:?}");
    }
}

#[test]
fn a_status_that_is_none() {
    // req: MSG-035, FRM-011
    let companion = samples::items()[5].encode();
    for status in [0, 4, 255] {
        let item = [&[7][..], &with(&companion[1..], 11, &[status])].concat();
        assert_eq!(Item::decode(&item).unwrap_err().code, ErrorCode::FIELD_VALUE, "{status}");
    }
}

#[test]
fn the_longest_message_fits_a_row() {
    let reactions = (b'A'..).take(REACTIONS_MAX).map(|first| Reaction {
        author: char::from(first).to_string().repeat(AUTHOR_LEN_MAX),
        reaction: "r".repeat(REACTION_LEN_MAX),
    });
    let message = Item::Message(Message {
        chat: VARINT_MAX,
        message: VARINT_MAX,
        author: "a".repeat(AUTHOR_LEN_MAX),
        time: VARINT_MAX,
        text: "t".repeat(TEXT_LEN_MAX),
        reply_to: Some(VARINT_MAX),
        media: Some(MediaDescriptor {
            size: VARINT_MAX,
            media_type: "m".repeat(MEDIA_TYPE_LEN_MAX),
            name: "n".repeat(MEDIA_NAME_LEN_MAX),
            ..samples::media()
        }),
        command: samples::message().command,
        reactions: reactions.collect(),
        ..samples::message()
    });
    let body = message.encode();
    assert_eq!(Item::decode(&body), Ok(message));
    assert_eq!(body.len(), 14_927);
    let row = Row { id: RowId::from_number(VARINT_MAX), rev: VARINT_MAX, body };
    assert!(row.encode().len() <= ITEM_LEN_MAX, "{}", row.encode().len());
}

#[test]
fn bytes_after_the_last_field() {
    // req: FRM-003
    let command = with(&samples::items()[2].encode()[1..], 17, &[&[4; 32][..], &[1]].concat());
    assert!(Item::decode(&[&[3][..], &command].concat()).is_ok(), "there was no command to replace");
    let full = with(&samples::items()[1].encode()[1..], 17, &[&[4; 32][..], &[1]].concat());
    let refused = Item::decode(&[&[3][..], &full].concat()).unwrap_err();
    assert_eq!((refused.code, refused.what), (ErrorCode::TRAILING_BYTES, "command"));
}

#[test]
fn text_that_is_not_utf_8() {
    // req: FRM-004
    let text = list(&[(1, &[1]), (3, b"ok\x80")]);
    let refused = Command::decode(&[&[1][..], &text].concat());
    assert_eq!(refused, Err(error(ErrorCode::BAD_UTF8, 8, "text")));
}

#[test]
fn a_value_out_of_range() {
    // req: FRM-011
    for (count, code) in
        [(0, Some(ErrorCode::FIELD_VALUE)), (1, None), (50, None), (51, Some(ErrorCode::FIELD_VALUE))]
    {
        let history = [&[3][..], &list(&[(1, &[1]), (3, &[0]), (5, &[count])])].concat();
        assert_eq!(Command::decode(&history).err().map(|error| error.code), code, "{count}");
    }
    let state = [&[3][..], &with(&samples::items()[2].encode()[1..], 11, &[7])].concat();
    assert_eq!(Item::decode(&state).unwrap_err().code, ErrorCode::FIELD_VALUE);
    let more = [&[3][..], &list(&[(1, &[]), (3, &[2])])].concat();
    assert_eq!(ResultBody::decode(&more.into()), Err(error(ErrorCode::FIELD_VALUE, 5, "history more")));
}

#[test]
fn a_history_page_past_its_maximum() {
    // req: FRM-024
    let history =
        |count: usize| [&[3][..], &list(&[(1, &[1, 9].repeat(count)), (3, &[0]), (5, &[0])])].concat();
    assert!(ResultBody::decode(&history(50).into()).is_ok());
    assert_eq!(ResultBody::decode(&history(51).into()).unwrap_err().code, ErrorCode::FIELD_LENGTH);
}
