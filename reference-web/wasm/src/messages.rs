//! Encodes commands and decodes items of the chat application (spec, messages), as plain objects for the
//! page.
//!
//! Ids and times are JavaScript numbers, which are exact below 2^53. An item that contains a larger one is
//! refused.

use bytes::Bytes;
use handfast::codec::ids::ContentId;
use handfast::wasm::parse_hex;
use handfast_messages::{
    CollectionName, Command, CompanionState, Item, MediaDescriptor, Message, MessageState, NowValue,
    Reaction, ResultBody,
};
use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

/// The largest integer up to which JavaScript numbers are exact.
const EXACT_MAX: u64 = (1 << 53) - 1;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("messages.d.ts");

fn refused(error: impl core::fmt::Display) -> JsError {
    JsError::new(&error.to_string())
}

/// Converts an integer to a JavaScript number.
#[expect(clippy::cast_precision_loss, reason = "at most 2^53 - 1, which an f64 holds")]
fn number(value: u64) -> Result<JsValue, JsError> {
    if value > EXACT_MAX { Err(JsError::new("a number is beyond 2^53")) } else { Ok((value as f64).into()) }
}

/// Converts a JavaScript number to an integer.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be whole and in range"
)]
fn whole(value: f64) -> Result<u64, JsError> {
    #[expect(clippy::cast_precision_loss, reason = "2^53 - 1 is exact")]
    let max = EXACT_MAX as f64;
    if (0.0..=max).contains(&value) && value.fract() == 0.0 {
        Ok(value as u64)
    } else {
        Err(JsError::new("not a whole number below 2^53"))
    }
}

fn object(fields: &[(&'static str, JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in fields {
        // Setting a field of a new plain object cannot fail.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object
}

/// Returns the encoded name of the collection that is the list of chats.
#[wasm_bindgen(js_name = chatsCollection)]
#[must_use]
pub fn chats_collection() -> Vec<u8> {
    CollectionName::Chats.encode().map(|name| name.as_bytes().to_vec()).unwrap_or_default()
}

/// Returns the encoded name of the collection with the last messages of a chat.
///
/// # Errors
///
/// The argument is not an id.
#[wasm_bindgen(js_name = messagesCollection)]
pub fn messages_collection(chat: f64) -> Result<Vec<u8>, JsError> {
    let name = CollectionName::Messages(whole(chat)?).encode();
    name.map(|name| name.as_bytes().to_vec()).ok_or_else(|| JsError::new("no such chat"))
}

/// Returns the encoded name of the collection that is the list of linked companions.
#[wasm_bindgen(js_name = companionsCollection)]
#[must_use]
pub fn companions_collection() -> Vec<u8> {
    CollectionName::Companions.encode().map(|name| name.as_bytes().to_vec()).unwrap_or_default()
}

/// Returns the encoded name of the collection of changes of older messages.
#[wasm_bindgen(js_name = changesCollection)]
#[must_use]
pub fn changes_collection() -> Vec<u8> {
    CollectionName::Changes.encode().map(|name| name.as_bytes().to_vec()).unwrap_or_default()
}

/// Returns the body of a command that sends a text.
///
/// # Errors
///
/// An argument is not an id.
#[wasm_bindgen(js_name = sendText)]
pub fn send_text(chat: f64, text: String, reply_to: Option<f64>) -> Result<Vec<u8>, JsError> {
    let reply_to = reply_to.map(whole).transpose()?;
    Ok(Command::SendText { chat: whole(chat)?, text, reply_to }.encode().to_vec())
}

/// Returns the body of a command that sends media which the phone already has. `content` is the content id in
/// hex, `size` the content's length in bytes.
///
/// # Errors
///
/// An argument is not an id, or not a size.
#[wasm_bindgen(js_name = sendMedia)]
pub fn send_media(
    chat: f64,
    content: &str,
    size: f64,
    media_type: String,
    name: String,
    caption: Option<String>,
) -> Result<Vec<u8>, JsError> {
    let content = ContentId::from_bytes(parse_hex(content).ok_or_else(|| JsError::new("not a content id"))?);
    let media = MediaDescriptor { content, size: whole(size)?, media_type, name };
    Ok(Command::SendMedia { chat: whole(chat)?, media, caption }.encode().to_vec())
}

/// Returns the body of a command that asks for the `count` messages before a given one (0: the newest).
///
/// # Errors
///
/// An argument is not an id.
#[wasm_bindgen]
pub fn history(chat: f64, before: f64, count: u8) -> Result<Vec<u8>, JsError> {
    Ok(Command::History { chat: whole(chat)?, before: whole(before)?, count }.encode().to_vec())
}

/// Returns the body of a command that marks the messages of a chat as read, up to and including `message`.
///
/// # Errors
///
/// An argument is not an id.
#[wasm_bindgen(js_name = markRead)]
pub fn mark_read(chat: f64, message: f64) -> Result<Vec<u8>, JsError> {
    Ok(Command::MarkRead { chat: whole(chat)?, message: whole(message)? }.encode().to_vec())
}

/// Returns the body of a command that changes the text of a message of this account.
///
/// # Errors
///
/// An argument is not an id.
#[wasm_bindgen(js_name = editText)]
pub fn edit_text(chat: f64, message: f64, text: String) -> Result<Vec<u8>, JsError> {
    Ok(Command::EditText { chat: whole(chat)?, message: whole(message)?, text }.encode().to_vec())
}

/// Returns the body of a command that deletes a message of this account.
///
/// # Errors
///
/// An argument is not an id.
#[wasm_bindgen(js_name = deleteMessage)]
pub fn delete_message(chat: f64, message: f64) -> Result<Vec<u8>, JsError> {
    Ok(Command::Delete { chat: whole(chat)?, message: whole(message)? }.encode().to_vec())
}

/// Returns the body of a command that reacts to a message. An empty reaction removes the account's own
/// reaction.
///
/// # Errors
///
/// An argument is not an id.
#[wasm_bindgen]
pub fn react(chat: f64, message: f64, reaction: String) -> Result<Vec<u8>, JsError> {
    Ok(Command::React { chat: whole(chat)?, message: whole(message)?, reaction }.encode().to_vec())
}

/// Returns the value of slot 5. It says in which chat the user is typing.
///
/// # Errors
///
/// The argument is not an id.
#[wasm_bindgen]
pub fn typing(chat: f64) -> Result<Vec<u8>, JsError> {
    Ok(NowValue::Typing { chat: whole(chat)? }.encode().to_vec())
}

/// Returns the error code that an invalid value of a slot causes, or `undefined` for a valid value.
#[wasm_bindgen(js_name = nowFault)]
#[must_use]
pub fn now_fault(slot: u64, body: &[u8]) -> Option<u16> {
    NowValue::decode(slot, body).err().map(|error| error.code().as_u16())
}

/// Decodes the value of a slot. The result is `undefined` for an unknown slot.
///
/// # Errors
///
/// The value is invalid, or has a number of 2^53 or more.
#[wasm_bindgen(js_name = decodeNow, unchecked_return_type = "Now | undefined")]
pub fn decode_now(slot: u64, body: &[u8]) -> Result<JsValue, JsError> {
    Ok(match NowValue::decode(slot, body).map_err(refused)? {
        Some(NowValue::PhoneStatus { battery, charging }) => {
            object(&[("battery", battery.into()), ("charging", charging.into())]).into()
        }
        Some(NowValue::Typing { chat }) => object(&[("typing", number(chat)?)]).into(),
        Some(NowValue::Presence { present }) => {
            let chats = present.into_iter().map(number).collect::<Result<Array, JsError>>()?;
            object(&[("present", chats.into())]).into()
        }
        _ => JsValue::UNDEFINED,
    })
}

/// Decodes an item of a collection.
///
/// # Errors
///
/// The item is invalid or of a later version, or has a number of 2^53 or more.
#[wasm_bindgen(js_name = decodeItem, unchecked_return_type = "Item")]
pub fn decode_item(item: &[u8]) -> Result<Object, JsError> {
    match Item::decode(item).map_err(refused)? {
        Item::Chat { chat, title, last_message, last_text, last_time, unread } => Ok(object(&[
            ("kind", "chat".into()),
            ("chat", number(chat)?),
            ("title", title.into()),
            ("last_message", number(last_message)?),
            ("last_text", last_text.into()),
            ("last_time_ms", number(last_time)?),
            ("unread", number(unread)?),
        ])),
        Item::Message(message) => read_message(message),
        Item::Deleted { chat, message } => {
            let mut fields = vec![("kind", "deleted".into()), ("chat", number(chat)?)];
            fields.extend(message.map(number).transpose()?.map(|message| ("message", message)));
            Ok(object(&fields))
        }
        Item::Companion { companion, serial, label, linked, seen, status } => Ok(object(&[
            ("kind", "companion".into()),
            ("companion", companion.to_string().into()),
            ("serial", number(serial)?),
            ("label", label.into()),
            ("linked_ms", number(linked)?),
            ("seen_ms", number(seen)?),
            ("status", companion_state(status).into()),
        ])),
        _ => Err(JsError::new("an item of a later version")),
    }
}

fn read_message(message: Message) -> Result<Object, JsError> {
    let mut fields: Vec<(&'static str, JsValue)> = vec![
        ("kind", "message".into()),
        ("chat", number(message.chat)?),
        ("id", number(message.message)?),
        ("author", message.author.into()),
        ("time_ms", number(message.time)?),
        ("text", message.text.into()),
        ("state", state(message.state).into()),
    ];
    if let Some(to) = message.reply_to {
        fields.push(("reply_to", number(to)?));
    }
    if let Some(media) = message.media {
        fields.push(("media", media_object(media)?));
    }
    if let Some(command) = message.command {
        fields.push(("companion", command.companion.to_string().into()));
        fields.push(("command", command.key.to_string().into()));
    }
    if message.edited {
        fields.push(("edited", true.into()));
    }
    if !message.reactions.is_empty() {
        let reactions: Array = message.reactions.into_iter().map(reaction_object).collect();
        fields.push(("reactions", reactions.into()));
    }
    Ok(object(&fields))
}

fn media_object(media: MediaDescriptor) -> Result<JsValue, JsError> {
    Ok(object(&[
        ("content", media.content.to_string().into()),
        ("type", media.media_type.into()),
        ("name", media.name.into()),
        ("size", number(media.size)?),
    ])
    .into())
}

fn reaction_object(Reaction { author, reaction }: Reaction) -> Object {
    object(&[("author", author.into()), ("reaction", reaction.into())])
}

const fn companion_state(state: CompanionState) -> &'static str {
    match state {
        CompanionState::Pending => "pending",
        CompanionState::Active => "active",
        _ => "suspended",
    }
}

const fn state(state: MessageState) -> &'static str {
    match state {
        MessageState::Accepted => "accepted",
        MessageState::Sent => "sent",
        MessageState::Delivered => "delivered",
        MessageState::Read => "read",
        MessageState::Failed => "failed",
        _ => "received",
    }
}

/// Decodes the answer to a command.
///
/// # Errors
///
/// The answer is invalid or of a later version, or has a number of 2^53 or more.
#[wasm_bindgen(js_name = decodeResult, unchecked_return_type = "Result")]
pub fn decode_result(body: Vec<u8>) -> Result<Object, JsError> {
    Ok(match ResultBody::decode(&Bytes::from(body)).map_err(refused)? {
        ResultBody::Accepted { message, .. } => {
            object(&[("kind", "accepted".into()), ("message", number(message)?)])
        }
        ResultBody::HistoryPage { items, more, rev } => {
            let all = Array::new();
            for item in &items {
                let _ = all.push(&Uint8Array::from(&item[..]).into());
            }
            object(&[
                ("kind", "history".into()),
                ("items", all.into()),
                ("more", more.into()),
                ("rev", number(rev)?),
            ])
        }
        ResultBody::Failed { code } => {
            object(&[("kind", "failed".into()), ("code", code.to_string().into())])
        }
        ResultBody::Done => object(&[("kind", "done".into())]),
        _ => return Err(JsError::new("a result of a later version")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_collection_has_its_name() {
        assert_eq!(chats_collection(), [1]);
        assert_eq!(companions_collection(), [3]);
        assert_eq!(messages_collection(7.0).ok(), Some(vec![2, 7]));
    }

    #[test]
    fn commands_about_a_message_have_their_bodies() {
        let body = |body: Result<Vec<u8>, JsError>| body.ok();
        assert_eq!(
            body(edit_text(7.0, 9.0, "hi".to_owned())),
            Some(vec![9, 1, 1, 7, 3, 1, 9, 5, 2, b'h', b'i'])
        );
        assert_eq!(body(delete_message(7.0, 9.0)), Some(vec![11, 1, 1, 7, 3, 1, 9]));
        assert_eq!(body(react(7.0, 9.0, String::new())), Some(vec![13, 1, 1, 7, 3, 1, 9, 5, 0]));
    }
}
