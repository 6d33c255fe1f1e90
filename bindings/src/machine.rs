//! The machine: one pairing or one link, behind a lock.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use handfast::RelayName;
use handfast::codec::ids::LogId;
use handfast::codec::qr::{QrOffer, RelayRef};
use handfast::handshake::link::Terms as Agreed;
use handfast::handshake::pairing::Claims;
use handfast::rng::SystemRng;
use handfast::session::pairing::{KeysInUse, ShownCodes};
use handfast::session::{CompanionEndpoint, LinkStatus, Pairing, PhoneEndpoint};

use crate::commit::{Journal, LinkRow, link_rows};
use crate::content::Stream;
use crate::link::{CompanionLink, Link, PhoneLink};
use crate::refusal::refused;
use crate::time::time;
use crate::{Input, Output, Refusal, array, generator, pairing};

/// One pairing or one link.
#[derive(Debug, uniffi::Object)]
pub struct Machine(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    rng: SystemRng,
    journal: Journal,
}

#[derive(Debug)]
enum Kind {
    Pairing(Box<Pairing>),
    Phone(Box<PhoneLink>),
    Companion(Box<CompanionLink>),
}

/// What both sides of a link have agreed on.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Terms {
    /// The link's id: that of its mailbox.
    pub link: Vec<u8>,
    /// The name of the relay.
    pub relay: String,
    /// The companion's id.
    pub companion: Vec<u8>,
    /// The name of the account.
    pub account_name: String,
    /// The companion's label.
    pub label: String,
    /// What the companion may do: bits of the application.
    pub grants: u64,
}

impl From<&Agreed> for Terms {
    fn from(terms: &Agreed) -> Self {
        Self {
            link: terms.mailbox.as_bytes().to_vec(),
            relay: terms.relay.to_string(),
            companion: terms.companion.as_bytes().to_vec(),
            account_name: terms.account_name.clone(),
            label: terms.label.clone(),
            grants: terms.grants,
        }
    }
}

#[uniffi::export]
impl Machine {
    /// Creates the pairing of a companion, which shows a code ([`Machine::offer_text`]) over this relay. `keys_in_use` are
    /// those that `peer_keys` has returned for all links of before.
    ///
    /// # Errors
    /// The relay's name or a claim is not valid.
    #[uniffi::constructor]
    pub fn show_code(
        relay: &str,
        label: String,
        origin: String,
        grants: u64,
        keys_in_use: Vec<Vec<u8>>,
        now_ms: u64,
    ) -> Result<Self, Refusal> {
        let relay = RelayName::parse(relay)
            .map_err(|_| Refusal::argument("not a relay name: a host, or host:port, in lower case"))?;
        let (claims, in_use) = (Claims { label, origin, grants }, keys(keys_in_use)?);
        let mut rng = generator()?;
        let pairing = Pairing::web(relay, claims, &ShownCodes::default(), in_use, time(now_ms), &mut rng)
            .map_err(refused)?;
        Ok(Self::of(Kind::Pairing(Box::new(pairing)), rng))
    }

    /// Creates the pairing of a phone with the companion that shows this code.
    ///
    /// # Errors
    /// The text is no code, or names no relay.
    #[uniffi::constructor]
    pub fn scan_code(code: &str, keys_in_use: Vec<Vec<u8>>, now_ms: u64) -> Result<Self, Refusal> {
        let offer = QrOffer::decode(code).map_err(refused)?;
        let RelayRef::Host(relay) = offer.relay.clone() else {
            return Err(Refusal::argument("the code names no relay that this program knows"));
        };
        let (in_use, mut rng) = (keys(keys_in_use)?, generator()?);
        let pairing = Pairing::phone(offer, relay, in_use, time(now_ms), &mut rng);
        Ok(Self::of(Kind::Pairing(Box::new(pairing)), rng))
    }

    /// Loads the link of a phone from its stored rows. `log_id` is 16 random bytes, the same for all links of the
    /// phone. `age_ms` is how long ago, by wall time, the link was stored.
    ///
    /// # Errors
    /// A row is missing or damaged, or is that of a companion.
    #[uniffi::constructor]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a slice would be another type than other bytes in Kotlin"
    )]
    pub fn load_phone(
        rows: Vec<LinkRow>,
        log_id: Vec<u8>,
        now_ms: u64,
        age_ms: u64,
    ) -> Result<Self, Refusal> {
        let log = LogId::from_bytes(array(&log_id, "the id of a log")?);
        let mut rng = generator()?;
        let mut endpoint =
            PhoneEndpoint::load(&link_rows(rows), log, time(now_ms), &mut rng).map_err(refused)?;
        endpoint.waited(time(now_ms), Duration::from_millis(age_ms));
        Ok(Self::of(Kind::Phone(Box::new(Link::new(endpoint))), rng))
    }

    /// Loads the link of a companion from its stored rows. `age_ms` is how long ago, by wall time, the link was stored.
    ///
    /// # Errors
    /// A row is missing or damaged, or is that of a phone.
    #[uniffi::constructor]
    pub fn load_companion(rows: Vec<LinkRow>, now_ms: u64, age_ms: u64) -> Result<Self, Refusal> {
        let mut rng = generator()?;
        let mut endpoint =
            CompanionEndpoint::load(&link_rows(rows), time(now_ms), &mut rng).map_err(refused)?;
        endpoint.waited(time(now_ms), Duration::from_millis(age_ms));
        Ok(Self::of(Kind::Companion(Box::new(Link::new(endpoint))), rng))
    }

    /// Passes in an input, and returns what is to be done now, in order. The first output of all belongs to the input
    /// itself if that writes something.
    ///
    /// # Errors
    /// The input does not fit the machine's state, or a part of it is not valid. The machine is as it was before.
    pub fn step(&self, now_ms: u64, input: Input) -> Result<Vec<Output>, Refusal> {
        let (now, mut out) = (time(now_ms), Vec::new());
        let mut inner = self.inner();
        let Inner { kind, rng, journal } = &mut *inner;
        match kind {
            Kind::Pairing(pairing) => {
                pairing::take(pairing, now, rng, journal, input)?;
                pairing::drain(pairing, journal, &mut out);
            }
            Kind::Phone(link) => {
                link.take(now, rng, journal, input, &mut out)?;
                link.drain(now, journal, &mut out);
            }
            Kind::Companion(link) => {
                link.take(now, rng, journal, input, &mut out)?;
                link.drain(now, journal, &mut out);
            }
        }
        Ok(out)
    }

    /// Returns the text of the code that a companion shows. It has the code's secret: draw it, and do not store it.
    #[must_use]
    pub fn offer_text(&self) -> Option<String> {
        match &self.inner().kind {
            Kind::Pairing(pairing) => pairing.offer_text().map(|text| text.as_str().to_owned()),
            Kind::Phone(_) | Kind::Companion(_) => None,
        }
    }

    /// Returns the terms of the link, as far as this machine knows them: a pairing once both sides agree, and the link of
    /// a phone. A companion stores them at its pairing.
    #[must_use]
    pub fn terms(&self) -> Option<Terms> {
        match &self.inner().kind {
            Kind::Pairing(pairing) => pairing.terms().map(Terms::from),
            Kind::Phone(link) => Some(link.endpoint.terms().into()),
            Kind::Companion(_) => None,
        }
    }

    /// Returns whether the machine is a link that both sides have confirmed.
    #[must_use]
    pub fn is_active(&self) -> bool {
        match &self.inner().kind {
            Kind::Pairing(_) => false,
            Kind::Phone(link) => link.endpoint.status() == LinkStatus::Active,
            Kind::Companion(link) => link.endpoint.status() == LinkStatus::Active,
        }
    }

    /// Returns the streams that are open. After loading, continue each, or answer it as one that the peer has just
    /// opened if it comes from the peer and nothing of it is stored.
    #[must_use]
    pub fn streams(&self) -> Vec<Stream> {
        let streams = match &self.inner().kind {
            Kind::Pairing(_) => Vec::new(),
            Kind::Phone(link) => link.endpoint.streams(),
            Kind::Companion(link) => link.endpoint.streams(),
        };
        streams.iter().map(Stream::new).collect()
    }
}

impl Machine {
    fn of(kind: Kind, rng: SystemRng) -> Self {
        Self(Mutex::new(Inner { kind, rng, journal: Journal::default() }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keys(in_use: Vec<Vec<u8>>) -> Result<KeysInUse, Refusal> {
    in_use.into_iter().map(|key| array(&key, "a key in use")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of<T>(refused: Result<T, Refusal>) -> Option<String> {
        refused.err().map(|Refusal::Refused { code, .. }| code)
    }

    fn code() -> Machine {
        Machine::show_code("127.0.0.1:1", "Kitchen".to_owned(), String::new(), 1, Vec::new(), 0).unwrap()
    }

    #[test]
    fn a_wrong_input_is_refused_and_changes_nothing() {
        let machine = code();
        let outputs = machine.step(0, Input::Timer).unwrap();
        assert!(matches!(outputs.first(), Some(Output::Connect { url }) if url == "ws://127.0.0.1:1/v1"));
        assert!(matches!(outputs.last(), Some(Output::SetTimer { at_ms: Some(_) })));
        let wrong = [
            Input::Received { bytes: vec![1] },
            Input::Committed { id: 1 },
            Input::EnterNumber { digits: "12".to_owned() },
            Input::Send { key: Vec::new(), body: Vec::new() },
            Input::SetLogHead { revision: 1 },
        ];
        for input in wrong {
            assert_eq!(code_of(machine.step(0, input)).as_deref(), Some("WRONG_STATE"));
        }
        assert!(machine.step(0, Input::SocketOpened).is_ok());
    }

    #[test]
    fn the_end_of_time_breaks_nothing() {
        let machine = code();
        for input in [Input::Timer, Input::SocketOpened, Input::Received { bytes: vec![0; 70_000] }] {
            let outputs = machine.step(u64::MAX, input).unwrap();
            assert!(matches!(outputs.last(), Some(Output::SetTimer { .. })));
        }
    }

    #[test]
    fn what_cannot_be_loaded_says_why() {
        let load = |log: &[u8]| code_of(Machine::load_phone(Vec::new(), log.to_vec(), 0, 0));
        assert_eq!(load(&[0; 16]).as_deref(), Some("NOT_LINKED"));
        assert_eq!(load(&[0; 15]).as_deref(), Some("BAD_ARGUMENT"));
        let scanned = Machine::scan_code("no code", Vec::new(), 0);
        assert_eq!(code_of(scanned).as_deref(), Some("BAD_ARGUMENT"));
        let keys = vec![vec![0; 31]];
        let shown = Machine::show_code("127.0.0.1:1", "Kitchen".to_owned(), String::new(), 1, keys, 0);
        assert_eq!(code_of(shown).as_deref(), Some("BAD_ARGUMENT"));
    }
}
