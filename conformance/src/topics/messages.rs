//! Bodies of the reference application.

use anyhow::Result;
use bytes::Bytes;
use handfast_codec::ErrorCode;
use handfast_codec::frame::PageState;
use handfast_codec::ids::{CommandKey, CompanionId, ContentId};
use handfast_messages::{
    Command, CommandRef, CompanionState, Item, MediaDescriptor, Message, MessageState, NowValue, Reaction,
    ResultBody,
};
use serde_json::json;

use crate::case::Case;
use crate::fields::hex;

fn media() -> MediaDescriptor {
    MediaDescriptor {
        content: ContentId::from_bytes([0xcd; 32]),
        size: 100_000,
        media_type: "image/jpeg".to_owned(),
        name: "beach.jpg".to_owned(),
    }
}

fn reactions(authors: &[&str]) -> Vec<Reaction> {
    let reaction =
        |author: &&str| Reaction { author: (*author).to_owned(), reaction: "\u{1f44d}".to_owned() };
    authors.iter().map(reaction).collect()
}

fn companion(status: CompanionState) -> Item {
    Item::Companion {
        companion: CompanionId::from_bytes([3; 16]),
        serial: 2,
        label: if status == CompanionState::Pending { String::new() } else { "Laptop".to_owned() },
        linked: 1_700_000_000_000,
        seen: if status == CompanionState::Pending { 0 } else { 1_700_000_060_000 },
        status,
    }
}

fn message(all: bool) -> Message {
    Message {
        chat: 7,
        message: 70,
        author: if all { "Bob".to_owned() } else { String::new() },
        time: 1_700_000_000_000,
        text: if all { "Look".to_owned() } else { String::new() },
        state: MessageState::Sent,
        reply_to: all.then_some(69),
        media: all.then(media),
        command: all.then(|| CommandRef {
            companion: CompanionId::from_bytes([3; 16]),
            key: CommandKey::from_bytes([0x5e; 16]),
        }),
        edited: false,
        reactions: Vec::new(),
    }
}

fn bodies() -> Vec<(&'static str, &'static str, &'static str, Bytes)> {
    let command = |name, req, command: Command| (name, "command", req, command.encode());
    let result = |name, req, result: ResultBody| (name, "result", req, result.encode());
    let item = |name, req, item: Item| (name, "item", req, item.encode());
    let text = |reply_to| Command::SendText { chat: 7, text: "Hello \u{1f44b}".to_owned(), reply_to };
    let react = |reaction: &str| Command::React { chat: 7, message: 70, reaction: reaction.to_owned() };
    let with_media = |caption| Command::SendMedia { chat: 7, media: media(), caption };
    let changed =
        Item::Message(Message { edited: true, reactions: reactions(&["", "Bob"]), ..message(false) });
    let status = NowValue::PhoneStatus { battery: 80, charging: true };
    let page = vec![Item::Deleted { chat: 7, message: Some(1) }.encode(), Bytes::from_static(b"x")];
    let chat = Item::Chat {
        chat: 7,
        title: "Bob".to_owned(),
        last_message: 70,
        last_text: "Look".to_owned(),
        last_time: 1_700_000_000_000,
        unread: 2,
    };
    vec![
        command("send-text", "MSG-011", text(None)),
        command("send-text-reply", "MSG-011", text(Some(69))),
        command("history", "MSG-012", Command::History { chat: 7, before: 0, count: 50 }),
        command("send-media", "MSG-013", with_media(None)),
        command("send-media-caption", "MSG-013", with_media(Some("The beach".to_owned()))),
        command("mark-read", "MSG-014", Command::MarkRead { chat: 7, message: 70 }),
        command("edit-text", "MSG-015", Command::EditText { chat: 7, message: 70, text: "Look!".to_owned() }),
        command("delete", "MSG-016", Command::Delete { chat: 7, message: 70 }),
        command("react", "MSG-017", react("\u{1f44d}")),
        command("react-take-back", "MSG-017", react("")),
        result("accepted", "MSG-021", ResultBody::Accepted { message: 70, rev: 4_242 }),
        result("history-page", "MSG-022", ResultBody::HistoryPage { items: page, more: true, rev: 4_242 }),
        result(
            "history-page-empty",
            "MSG-022",
            ResultBody::HistoryPage { items: vec![], more: false, rev: 0 },
        ),
        result("failed", "MSG-023", ResultBody::Failed { code: ErrorCode::GONE }),
        result("done", "MSG-024", ResultBody::Done),
        item("chat", "MSG-031", chat),
        item("message", "MSG-032", Item::Message(message(false))),
        item("message-all", "MSG-032", Item::Message(message(true))),
        item("message-changed", "MSG-032", changed),
        item("deleted-chat", "MSG-033", Item::Deleted { chat: 7, message: None }),
        item("deleted-message", "MSG-033", Item::Deleted { chat: 7, message: Some(70) }),
        item("companion-pending", "MSG-035", companion(CompanionState::Pending)),
        item("companion", "MSG-035", companion(CompanionState::Active)),
        item("companion-suspended", "MSG-035", companion(CompanionState::Suspended)),
        ("page-visible", "now-1", "MSG-041", NowValue::Page(PageState::Visible).encode()),
        ("page-hidden", "now-1", "MSG-041", NowValue::Page(PageState::Hidden).encode()),
        ("phone-status", "now-3", "MSG-042", status.encode()),
        ("typing", "now-5", "MSG-043", NowValue::Typing { chat: 7 }.encode()),
        ("presence", "now-7", "MSG-046", NowValue::Presence { present: vec![7, 300] }.encode()),
        ("presence-none", "now-7", "MSG-046", NowValue::Presence { present: vec![] }.encode()),
        ("presence-100", "now-7", "MSG-046", NowValue::Presence { present: (1..=100).collect() }.encode()),
    ]
}

pub(super) fn valid() -> Result<Vec<Case>> {
    bodies()
        .into_iter()
        .map(|(name, kind, req, body)| {
            let input = json!({ "kind": kind, "body": hex(body) });
            Case::valid(
                &format!("messages/{name}"),
                &[req],
                "a body of the registry",
                "message.decode",
                input,
            )
        })
        .collect()
}

pub(super) fn invalid() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for kind in ["command", "result", "item"] {
        for (name, body, code) in [
            ("empty", &[][..], ErrorCode::TRUNCATED),
            ("kind-0", &[0], ErrorCode::UNKNOWN_CRITICAL),
            ("kind-2", &[2], ErrorCode::UNKNOWN_CRITICAL),
            ("kind-15", &[15], ErrorCode::UNKNOWN_CRITICAL),
            ("kind-grease", &[58], ErrorCode::UNKNOWN_CRITICAL),
            ("kind-large", &[0xff; 8], ErrorCode::UNKNOWN_CRITICAL),
            ("kind-long-form", &[0x40, 1], ErrorCode::VARINT_NOT_MINIMAL),
            ("kind-cut", &[0x40], ErrorCode::TRUNCATED),
        ] {
            let id = format!("refuse-messages/{kind}-{name}");
            let req = match code {
                ErrorCode::UNKNOWN_CRITICAL => "MSG-001",
                ErrorCode::TRUNCATED => "FRM-002",
                _ => "FRM-001",
            };
            let comment = "a kind that no version has, odd or even, or none";
            let input = json!({ "kind": kind, "body": hex(body) });
            cases.push(Case::invalid(&id, &[req], comment, "message.decode", input, code)?);
        }
    }
    let many: Vec<String> = (0..33).map(|number| format!("Contact {number:02}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (name, req, authors, code) in [
        ("author-twice", "MSG-036", &["Bob", "Bob"][..], ErrorCode::DUPLICATE_FIELD),
        ("author-descends", "MSG-036", &["Bob", ""], ErrorCode::FIELD_ORDER),
        ("33", "FRM-024", &many, ErrorCode::FIELD_LENGTH),
    ] {
        let id = format!("refuse-messages/reactions-{name}");
        let body = Item::Message(Message { reactions: reactions(authors), ..message(false) }).encode();
        let input = json!({ "kind": "item", "body": hex(body) });
        let comment = "each author has one reaction, in their order, and 32 have one";
        cases.push(Case::invalid(&id, &[req], comment, "message.decode", input, code)?);
    }
    for (name, req, present, code) in [
        ("twice", "MSG-047", vec![7, 7], ErrorCode::DUPLICATE_FIELD),
        ("descends", "MSG-047", vec![300, 7], ErrorCode::FIELD_ORDER),
        ("101", "FRM-024", (1..=101).collect(), ErrorCode::FIELD_LENGTH),
    ] {
        let id = format!("refuse-messages/presence-{name}");
        let input = json!({ "kind": "now-7", "body": hex(NowValue::Presence { present }.encode()) });
        let comment = "chats ascend, and are 100 at most";
        cases.push(Case::invalid(&id, &[req], comment, "message.decode", input, code)?);
    }
    for (slot, body) in [(1, &[2][..]), (1, &[255]), (3, &[101, 0]), (3, &[0, 2]), (3, &[255, 1])] {
        let id = format!("refuse-messages/now-{slot}-{}", hex(body));
        let input = json!({ "kind": format!("now-{slot}"), "body": hex(body) });
        let comment = "a value that the slot does not have";
        let code = ErrorCode::FIELD_VALUE;
        cases.push(Case::invalid(&id, &["MSG-044"], comment, "message.decode", input, code)?);
    }
    Ok(cases)
}
