//! A network of simulated contacts: 20 chats with 100 messages each, and an answer to every text.

use handfast::Timestamp;
use handfast::codec::limits::TEXT_LEN_MAX;

use super::contacts::Contacts;
use super::{NetworkChat, NetworkMessage, Outgoing, OutgoingChange, Upstream, UpstreamEvent};
use crate::store::cut;

/// The number of chats.
pub const CHATS: u64 = 20;
/// The number of messages in each chat.
pub const MESSAGES: u64 = 100;
/// One message in this many has a photo.
const PHOTO_EVERY: u64 = 80;
/// The width and height of a photo, in pixels.
const PHOTO_SIDE: u32 = 96;
/// When the newest message of the history was written, in milliseconds since 1970: 2026-01-01.
const HISTORY_END_MS: u64 = 1_767_225_600_000;

/// The beginning of every answer.
pub const ECHO: &str = "echo: ";

const FIRST: [&str; 10] = ["Ada", "Bruno", "Chioma", "Dae", "Elif", "Farid", "Greta", "Hana", "Ivo", "Jun"];
const LAST: [&str; 7] = ["Adeyemi", "Bergmann", "Castillo", "Dubois", "Eriksen", "Fujita", "Georgiou"];
const WORDS: [&str; 24] = [
    "train", "tomorrow", "coffee", "the", "bridge", "late", "again", "rain", "found", "your", "keys", "soup",
    "Tuesday", "after", "lunch", "maybe", "garden", "cat", "asleep", "window", "music", "louder", "thanks",
    "yes",
];

/// The demo network.
#[derive(Debug)]
pub struct Demo {
    seed: u64,
    contacts: Contacts,
}

fn echo(text: &str) -> String {
    cut(&format!("{ECHO}{text}"), TEXT_LEN_MAX).to_owned()
}

/// A hash that makes content reproducible: the same seed gives the same network. It is not secure.
fn mix(seed: u64, a: u64, b: u64) -> u64 {
    let mut x = seed ^ a.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b.wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    for shift in [30, 27, 31] {
        x = (x ^ (x >> shift)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
    x ^ (x >> 29)
}

fn pick<'a>(words: &[&'a str], number: u64) -> &'a str {
    let len = u64::try_from(words.len()).unwrap_or(1).max(1);
    usize::try_from(number % len).ok().and_then(|at| words.get(at)).copied().unwrap_or_default()
}

impl Demo {
    /// Creates the demo network that belongs to a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, contacts: Contacts::new(echo) }
    }

    fn name(&self, chat: u64) -> String {
        // The two parts of a name are chosen so that neighbouring chats share none of them, and so that all
        // 20 chats have different names.
        let (first, last) = (pick(&FIRST, chat), pick(&LAST, chat / 10 + mix(self.seed, chat, 1) % 3 * 2));
        format!("{first} {last}")
    }

    fn text(&self, chat: u64, number: u64) -> String {
        let len = 3 + mix(self.seed, chat, number) % 9;
        let words: Vec<&str> =
            (0..len).map(|at| pick(&WORDS, mix(self.seed, chat * 1_000 + number, at + 2))).collect();
        format!("{} ({}/{})", words.join(" "), chat, number + 1)
    }

    fn message(&self, chat: u64, number: u64, contact: &str) -> NetworkMessage {
        let is_own = mix(self.seed, chat, number + 7).is_multiple_of(3);
        let back = (MESSAGES - number) * 3_600_000 + chat * 60_000;
        let photo = (number % PHOTO_EVERY == 10 + chat % 20)
            .then(|| photo(mix(self.seed, chat, number + 9)))
            .flatten()
            .map(|png| (format!("photo-{chat}-{}.png", number + 1), png));
        NetworkMessage {
            author: if is_own { String::new() } else { contact.to_owned() },
            time_ms: HISTORY_END_MS - back,
            text: self.text(chat, number),
            photo,
        }
    }
}

/// Returns a small PNG picture with a gradient of two colours.
fn photo(seed: u64) -> Option<Vec<u8>> {
    let [red, green, blue, ..] = seed.to_be_bytes();
    let picture = image::RgbImage::from_fn(PHOTO_SIDE, PHOTO_SIDE, |x, y| {
        let (x, y) = (u8::try_from(x * 2).unwrap_or(u8::MAX), u8::try_from(y * 2).unwrap_or(u8::MAX));
        image::Rgb([red.wrapping_add(x), green.wrapping_add(y), blue ^ (x / 2 + y / 2)])
    });
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).ok()?;
    Some(png.into_inner())
}

impl Upstream for Demo {
    fn history(&self) -> Vec<NetworkChat> {
        (1..=CHATS)
            .map(|chat| {
                let contact = self.name(chat);
                let messages = (0..MESSAGES).map(|number| self.message(chat, number, &contact)).collect();
                NetworkChat { chat, title: contact.clone(), contact, messages }
            })
            .collect()
    }

    fn send(&mut self, now: Timestamp, message: Outgoing) {
        self.contacts.send(now, &message);
    }

    /// Simulated contacts ignore changes.
    fn change(&mut self, _: Timestamp, _: OutgoingChange) {}

    fn poll(&mut self, now: Timestamp) -> Option<UpstreamEvent> {
        self.contacts.poll(now)
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.contacts.deadline()
    }
}

#[cfg(test)]
mod tests {
    use handfast_messages::MessageState;

    use super::super::contacts::{DELIVERED_AFTER, LIKE, PRESENT_FOR, READ_AFTER, SENT_AFTER};
    use super::super::{Change, MessageName};
    use super::*;

    #[test]
    fn a_seed_gives_one_network_of_two_thousand_messages() {
        let history = Demo::new(7).history();
        assert_eq!(history, Demo::new(7).history());
        assert_ne!(history, Demo::new(8).history());
        assert_eq!(history.len(), 20);
        assert_eq!(history.iter().map(|chat| chat.messages.len()).sum::<usize>(), 2_000);
        let titles: std::collections::BTreeSet<_> = history.iter().map(|chat| &chat.title).collect();
        assert_eq!(titles.len(), 20, "every contact has a name of its own");
        for chat in &history {
            assert!(chat.messages.windows(2).all(|pair| pair[0].time_ms < pair[1].time_ms));
            assert!(chat.messages.iter().any(|message| message.author.is_empty()));
        }
    }

    #[test]
    fn photos_are_valid_pictures() {
        let history = Demo::new(7).history();
        let photos: Vec<_> = history
            .iter()
            .flat_map(|chat| &chat.messages)
            .filter_map(|message| message.photo.as_ref())
            .collect();
        assert!(photos.len() >= 10, "{} photos", photos.len());
        for (name, png) in photos {
            assert!(name.starts_with("photo-"));
            let picture = image::load_from_memory(png).unwrap();
            assert_eq!((picture.width(), picture.height()), (PHOTO_SIDE, PHOTO_SIDE));
        }
    }

    fn outgoing(text: &str, state: MessageState) -> Outgoing {
        Outgoing { chat: 3, message: 77, contact: "Ada".to_owned(), text: text.to_owned(), state }
    }

    fn run(demo: &mut Demo, until: Timestamp) -> Vec<UpstreamEvent> {
        std::iter::from_fn(|| demo.poll(until)).collect()
    }

    #[test]
    fn a_message_is_sent_delivered_read_and_answered_in_time() {
        let mut demo = Demo::new(7);
        let start = Timestamp::from_micros(5);
        demo.send(start, outgoing("hello", MessageState::Accepted));
        assert_eq!(run(&mut demo, start), []);
        assert_eq!(demo.deadline(), Some(start.plus(SENT_AFTER)));
        let state = |state| UpstreamEvent::State { chat: 3, message: 77, state };
        assert_eq!(run(&mut demo, start.plus(SENT_AFTER)), [state(MessageState::Sent)]);
        let presence = |is_there| UpstreamEvent::Presence { chat: 3, is_there };
        assert_eq!(
            run(&mut demo, start.plus(DELIVERED_AFTER)),
            [state(MessageState::Delivered), presence(true)]
        );
        let answer = UpstreamEvent::Incoming {
            chat: 3,
            network_id: "answer-3-77".to_owned(),
            author: "Ada".to_owned(),
            text: "echo: hello".to_owned(),
            reply_to: Some(77),
        };
        assert_eq!(run(&mut demo, start.plus(READ_AFTER)), [state(MessageState::Read), answer]);
        let leaves = start.plus(READ_AFTER).plus(PRESENT_FOR);
        assert_eq!(demo.deadline(), Some(leaves));
        assert_eq!(run(&mut demo, leaves), [presence(false)]);
        assert_eq!(demo.deadline(), None);
    }

    #[test]
    fn after_a_start_it_goes_on_where_it_was_and_long_answers_fit() {
        let mut demo = Demo::new(7);
        demo.send(Timestamp::ZERO, outgoing(&"é".repeat(TEXT_LEN_MAX / 2), MessageState::Delivered));
        let events = run(&mut demo, Timestamp::ZERO.plus(READ_AFTER));
        let [
            UpstreamEvent::State { state: MessageState::Read, .. },
            UpstreamEvent::Presence { is_there: true, .. },
            UpstreamEvent::Incoming { text, .. },
        ] = &events[..]
        else {
            panic!("{events:?}")
        };
        assert!(text.len() <= TEXT_LEN_MAX && text.starts_with("echo: é"));
    }

    #[test]
    fn a_text_with_an_exclamation_mark_is_liked() {
        let mut demo = Demo::new(7);
        demo.send(Timestamp::ZERO, outgoing("hello!", MessageState::Accepted));
        let liked = UpstreamEvent::Changed {
            chat: 3,
            author: "Ada".to_owned(),
            message: MessageName::Phone(77),
            change: Change::Reacted(LIKE.to_owned()),
        };
        assert_eq!(run(&mut demo, Timestamp::ZERO.plus(READ_AFTER)).last(), Some(&liked));
    }
}
