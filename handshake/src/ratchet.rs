//! The rules of the ratchet, in which the phone keeps two keys, and of recovery, without real keys or
//! messages (spec, handshake).
//!
//! [`PhoneRatchet`] and [`WebRatchet`] are generic over the key: sessions use pre-shared keys, and an
//! exhaustive search in `models/` runs the same code with small numbers.
//!
//! ```text
//! phone, message 1 under a known key:   try > last  -> answer; promote first if it is under the candidate
//!                                       try = last  -> silence
//!                                       try < last  -> quarantine
//! phone, confirm opens:                 candidate becomes current
//! ```

use crate::error::HandshakeError;

/// A key that has an id.
pub trait Slot {
    /// The type of the id. The id names the key in the clear.
    type Id: PartialEq;

    /// Returns the key's id.
    fn id(&self) -> Self::Id;
}

/// Which of the phone's two slots has a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two slots")]
pub enum Holder {
    /// The slot with the key of the last confirmed connection.
    Current,
    /// The slot with a key that was offered and is not confirmed yet.
    Candidate,
}

/// What a phone must do with a valid message 1.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the three rules of HSK-025 to HSK-027")]
pub enum Decision {
    /// Answer with a new candidate key. Pass the answer to [`PhoneRatchet::answered`].
    Answer(Answer),
    /// Send no answer.
    Silence,
    /// Answer, but leave both slots as they are. A valid confirm then proves that two devices have the
    /// companion's keys.
    Quarantine,
}

/// Permission to create a new candidate key. Only [`PhoneRatchet::decide`] grants it.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    holder: Holder,
    try_: u64,
}

/// The result of a recovery. The confirm of its handshake proves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the two outcomes of HSK-043")]
pub enum Recovery {
    /// The companion has the current or the candidate key, so somebody has forged the hint that the phone
    /// does not know the companion's key.
    InSync,
    /// The companion has neither key: two devices have its keys, or its store has lost a commit.
    Diverged,
}

/// The phone's side of the ratchet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PhoneRatchet<K> {
    current: K,
    candidate: Option<K>,
    last_try: u64,
}

impl<K: Slot> PhoneRatchet<K> {
    /// Creates the ratchet from its stored slots. A new link has no candidate, and its last try is 0.
    #[must_use]
    pub const fn new(current: K, candidate: Option<K>, last_try: u64) -> Self {
        Self { current, candidate, last_try }
    }

    /// Returns the key of the last confirmed connection.
    #[must_use]
    pub const fn current(&self) -> &K {
        &self.current
    }

    /// Returns the key that was offered and is not confirmed, if there is one.
    #[must_use]
    pub const fn candidate(&self) -> Option<&K> {
        self.candidate.as_ref()
    }

    /// Returns the highest try (number of an attempt) that was answered.
    #[must_use]
    pub const fn last_try(&self) -> u64 {
        self.last_try
    }

    /// Returns the slot that has the key with this id.
    #[must_use]
    pub fn find(&self, id: &K::Id) -> Option<Holder> {
        if self.current.id() == *id {
            return Some(Holder::Current);
        }
        self.candidate.as_ref().filter(|candidate| candidate.id() == *id).map(|_| Holder::Candidate)
    }

    /// Returns the current or the candidate key, if its id is this one.
    #[must_use]
    pub fn key(&self, id: &K::Id) -> Option<&K> {
        self.find(id).and_then(|holder| match holder {
            Holder::Current => Some(&self.current),
            Holder::Candidate => self.candidate.as_ref(),
        })
    }

    /// Returns what to do with a valid message 1. It came under the key in slot `holder`, with the attempt
    /// number `try_`.
    #[must_use]
    pub const fn decide(&self, holder: Holder, try_: u64) -> Decision {
        // req: HSK-021
        if try_ == u64::MAX {
            return Decision::Silence;
        }
        // req: HSK-026, HSK-027
        if try_ == self.last_try {
            Decision::Silence
        } else if try_ < self.last_try {
            Decision::Quarantine
        } else {
            Decision::Answer(Answer { holder, try_ })
        }
    }

    /// Sets a new candidate key. It must be durable before message 2 is sent. If message 1 came under the old
    /// candidate, that proves the companion has the old candidate, so it becomes the current key first.
    pub fn answered(&mut self, answer: &Answer, next: K) {
        // req: HSK-023, HSK-025
        if answer.holder == Holder::Candidate
            && let Some(candidate) = self.candidate.take()
        {
            self.current = candidate;
        }
        self.candidate = Some(next);
        self.last_try = answer.try_;
    }

    /// Makes the candidate the current key, because the confirm of its connection has decrypted.
    pub fn confirmed(&mut self) {
        // req: HSK-025
        if let Some(candidate) = self.candidate.take() {
            self.current = candidate;
        }
    }

    /// Returns what the confirm of a recovery proves. `was_in_step` tells whether the phone knew the
    /// companion's psk when message 1 came.
    #[must_use]
    pub fn recovery_verdict(&self, was_in_step: bool, held: &K::Id) -> Recovery {
        // req: HSK-043
        if was_in_step || self.find(held).is_some() { Recovery::InSync } else { Recovery::Diverged }
    }
}

/// The companion's side of the ratchet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WebRatchet<K> {
    key: K,
    last_try: u64,
}

impl<K> WebRatchet<K> {
    /// Creates the ratchet from its stored key. A new link has the last try 0.
    #[must_use]
    pub const fn new(key: K, last_try: u64) -> Self {
        Self { key, last_try }
    }

    /// Returns the current key.
    #[must_use]
    pub const fn key(&self) -> &K {
        &self.key
    }

    /// Returns the try (number) of the last attempt.
    #[must_use]
    pub const fn last_try(&self) -> u64 {
        self.last_try
    }

    /// Takes the number of the next attempt (try). It must be durable before message 1 is sent.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::TryExhausted`] at 2^64-1, which is never used.
    pub fn next_try(&mut self) -> Result<u64, HandshakeError> {
        // req: HSK-021
        match self.last_try.checked_add(1) {
            Some(next) if next != u64::MAX => {
                self.last_try = next;
                Ok(next)
            }
            Some(_) | None => Err(HandshakeError::TryExhausted),
        }
    }

    /// Replaces the key, and drops the old one. The new key must be durable before the confirm is sent.
    pub fn advanced(&mut self, next: K) {
        // req: HSK-024
        self.key = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Slot for u8 {
        type Id = Self;

        fn id(&self) -> Self {
            *self
        }
    }

    fn answer(ratchet: &PhoneRatchet<u8>, holder: Holder, try_: u64) -> Answer {
        match ratchet.decide(holder, try_) {
            Decision::Answer(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_higher_try_is_answered_an_equal_one_not_a_lower_one_is_quarantined() {
        // req: HSK-025, HSK-026, HSK-027
        let ratchet = PhoneRatchet::new(1_u8, None, 5);
        assert!(matches!(ratchet.decide(Holder::Current, 6), Decision::Answer(_)));
        assert_eq!(ratchet.decide(Holder::Current, 5), Decision::Silence);
        assert_eq!(ratchet.decide(Holder::Current, 4), Decision::Quarantine);
        assert_eq!(ratchet.decide(Holder::Current, u64::MAX), Decision::Silence);
        assert!(matches!(ratchet.decide(Holder::Current, u64::MAX - 1), Decision::Answer(_)));
    }

    #[test]
    fn a_candidate_is_promoted_by_its_confirm_or_by_the_next_message_1_under_it() {
        // req: HSK-025
        let mut ratchet = PhoneRatchet::new(1_u8, None, 0);
        ratchet.answered(&answer(&ratchet, Holder::Current, 1), 2);
        assert_eq!((ratchet.find(&1), ratchet.find(&2)), (Some(Holder::Current), Some(Holder::Candidate)));
        ratchet.answered(&answer(&ratchet, Holder::Current, 2), 3);
        assert_eq!(ratchet.find(&2), None);
        ratchet.answered(&answer(&ratchet, Holder::Candidate, 3), 4);
        assert_eq!((ratchet.current(), ratchet.candidate()), (&3, Some(&4)));
        ratchet.confirmed();
        assert_eq!((ratchet.current(), ratchet.candidate()), (&4, None));
        ratchet.confirmed();
        assert_eq!(ratchet.current(), &4);
    }

    #[test]
    fn a_recovery_is_in_step_if_the_id_was_or_is_known() {
        // req: HSK-043
        let ratchet = PhoneRatchet::new(1_u8, Some(2), 1);
        assert_eq!(ratchet.recovery_verdict(false, &1), Recovery::InSync);
        assert_eq!(ratchet.recovery_verdict(false, &2), Recovery::InSync);
        assert_eq!(ratchet.recovery_verdict(true, &9), Recovery::InSync);
        assert_eq!(ratchet.recovery_verdict(false, &9), Recovery::Diverged);
    }

    #[test]
    fn a_try_is_never_the_last_number() {
        // req: HSK-021
        let mut ratchet = WebRatchet::new(1_u8, u64::MAX - 2);
        assert_eq!(ratchet.next_try(), Ok(u64::MAX - 1));
        assert_eq!(ratchet.next_try(), Err(HandshakeError::TryExhausted));
        assert_eq!(ratchet.next_try(), Err(HandshakeError::TryExhausted));
    }
}
