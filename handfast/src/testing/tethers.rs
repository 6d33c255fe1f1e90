//! A pair whose devices are tethers.

use std::path::Path;

use bytes::Bytes;
use handfast_codec::frame::{Collection, Row, RowId};
use handfast_codec::ids::CommandKey;
use handfast_handshake::pairing::Claims;
use handfast_session::PairingEvent;

use super::{Pair, TestError};
use crate::tether::{Companion, CompanionApp, Phone, PhoneApp, PhoneTxn, Tether, TetherError, TetherEvent};

/// The number of rows that are read at once.
const ROWS_STEP: usize = 1_000;

/// A phone and a companion of [`crate::tether`]. `A` and `B` are their applications.
pub type TetherPair<A, B> = Pair<Tether<Phone<A>>, Tether<Companion<B>>>;

impl<A: PhoneApp + 'static, B: CompanionApp + 'static> TetherPair<A, B> {
    /// Starts a phone and a companion that are linked and idle. Each closure makes an application for its
    /// directory, as the program's `main` does; it is called again after each kill. The companion subscribes
    /// to these collections.
    ///
    /// # Errors
    ///
    /// As [`Pair::new`] and [`Pair::run_until_idle`].
    pub fn linked(
        seed: u64,
        mut phone: impl FnMut(&Path) -> A + 'static,
        mut companion: impl FnMut(&Path) -> B + 'static,
        collections: Vec<Collection>,
    ) -> Result<Self, TestError> {
        let mut pair = Self::new(
            seed,
            move |dir, now, rng| Tether::open_phone(dir, phone(dir), now, rng),
            move |dir, now, rng| Tether::open_companion(dir, companion(dir), collections.clone(), now, rng),
        )?;
        pair.link()?;
        Ok(pair)
    }

    /// Links the two, as their users do.
    fn link(&mut self) -> Result<(), TestError> {
        let (relay, claims) = (self.relay().clone(), claims());
        let code = self.call_companion(|companion, now, rng| {
            companion.show_code(now, rng, relay.clone(), claims.clone())
        })?;
        self.call_phone(|phone, now, rng| phone.scan(now, rng, &code))?;
        let digits = self.at_companion(|event| match event {
            PairingEvent::CheckCode(digits) => Some(digits.clone()),
            _ => None,
        })?;
        self.at_phone(|event| matches!(event, PairingEvent::CheckCodeWanted).then_some(()))?;
        self.call_phone(|phone, now, _| Ok(phone.pairing()?.enter_check_code(now, &digits)?))?;
        self.at_phone(|event| matches!(event, PairingEvent::ApprovalWanted { .. }).then_some(()))?;
        self.call_phone(|phone, now, rng| phone.approve(now, rng, "account", claims.grants))?;
        let number = self.at_phone(|event| match event {
            PairingEvent::ShowConfirmation(number) => Some(number.clone()),
            _ => None,
        })?;
        self.at_companion(|event| matches!(event, PairingEvent::ConfirmationWanted { .. }).then_some(()))?;
        self.call_companion(|companion, now, _| {
            Ok(companion.pairing()?.enter_confirmation(now, &number)?)
        })?;
        self.run_until_idle()?;
        let links = self.call_phone(|phone, _, _| Ok(phone.links().count()))?;
        if links != 1 {
            return Err(TestError::Refused(format!("{links} links after the pairing")));
        }
        drop((self.phone.take_events(), self.companion.take_events()));
        Ok(())
    }

    /// Waits for a step of the pairing at the phone.
    fn at_phone<T>(&mut self, wanted: impl Fn(&PairingEvent) -> Option<T>) -> Result<T, TestError> {
        self.run_until(|pair| pair.phone.events().iter().find_map(|event| step(event, &wanted)))
    }

    fn at_companion<T>(&mut self, wanted: impl Fn(&PairingEvent) -> Option<T>) -> Result<T, TestError> {
        self.run_until(|pair| pair.companion.events().iter().find_map(|event| step(event, &wanted)))
    }

    /// Sends a command of the companion, as [`Tether::send`]. It is durable when this returns: a companion that
    /// was killed before is asked again.
    ///
    /// # Errors
    ///
    /// As [`Pair::call_companion`].
    pub fn send(&mut self, body: impl Into<Bytes>) -> Result<CommandKey, TestError> {
        let body = body.into();
        self.call_companion(|companion, now, rng| companion.send(now, rng, &body))
    }

    /// Makes a change at the phone, as [`Tether::change`]. It is durable when this returns: `change` runs again
    /// if the phone was killed before.
    ///
    /// # Errors
    ///
    /// As [`Pair::call_phone`].
    pub fn change<T>(
        &mut self,
        mut change: impl FnMut(&mut A, &mut PhoneTxn<'_, A::Event>) -> Result<T, TetherError>,
    ) -> Result<T, TestError> {
        self.call_phone(|phone, _, _| phone.change(&mut change))
    }

    /// Returns all rows of a collection at the phone, in the order of their ids.
    ///
    /// # Errors
    ///
    /// As [`Pair::call_phone`].
    pub fn phone_rows(&mut self, collection: &Collection) -> Result<Vec<Row>, TestError> {
        self.change(|_, txn| all(|after| txn.rows(collection, after, ROWS_STEP)))
    }

    /// Returns all rows of the companion's copy of a collection, in the order of their ids.
    ///
    /// # Errors
    ///
    /// As [`Pair::call_companion`].
    pub fn companion_rows(&mut self, collection: &Collection) -> Result<Vec<Row>, TestError> {
        self.call_companion(|companion, _, _| all(|after| companion.rows(collection, after, ROWS_STEP)))
    }

    /// Checks that both devices have the same rows in each collection to which the companion subscribes.
    ///
    /// # Errors
    ///
    /// [`TestError::RowsDiffer`]; as [`Pair::call_phone`].
    pub fn check_rows(&mut self) -> Result<(), TestError> {
        for collection in self.call_companion(|companion, _, _| Ok(companion.collections().to_vec()))? {
            let (phone, companion) = (self.phone_rows(&collection)?, self.companion_rows(&collection)?);
            if phone != companion {
                let differ = |row: &&Row| !phone.contains(row) || !companion.contains(row);
                let row = phone.iter().chain(&companion).find(differ);
                let name = String::from_utf8_lossy(collection.as_bytes());
                let (of_phone, of_companion) = (phone.len(), companion.len());
                return Err(TestError::RowsDiffer(format!(
                    "{of_phone} at the phone, {of_companion} at the companion in {name:?}; the first that differs: {row:?}"
                )));
            }
        }
        Ok(())
    }
}

fn claims() -> Claims {
    Claims { label: "test".to_owned(), origin: String::new(), grants: 1 }
}

fn step<E, T>(event: &TetherEvent<E>, wanted: impl Fn(&PairingEvent) -> Option<T>) -> Option<T> {
    match event {
        TetherEvent::Pairing(event) => wanted(event),
        _ => None,
    }
}

fn all(
    mut read: impl FnMut(Option<&RowId>) -> Result<Vec<Row>, TetherError>,
) -> Result<Vec<Row>, TetherError> {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let more = read(rows.last().map(|row| &row.id))?;
        if more.is_empty() {
            return Ok(rows);
        }
        rows.extend(more);
    }
}
