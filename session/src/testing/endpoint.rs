//! An endpoint whose role is chosen when the program runs, for tests and the conformance runner.

use alloc::vec::Vec;
use core::fmt::Debug;
use core::ops::{Deref, DerefMut};
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::{Collection, OpenKind};
use handfast_codec::ids::LogId;
use handfast_codec::role::DeviceRole;
use rand_core::CryptoRng;

use crate::commit::Commit;
use crate::endpoint::role::Role;
use crate::endpoint::{CompanionEndpoint, Endpoint, LinkRows, LinkStatus, Opened, PhoneEndpoint, StreamInfo};
use crate::error::{ApiMisuse, LoadError, SendError};
use crate::output::Output;

/// Declares the calls that the endpoints of both roles have, and forwards them.
macro_rules! calls {
    ($(fn $name:ident($this:ident: $of:ty $(, $arg:ident: $type:ty)*) $(-> $out:ty)?;)*) => {
        /// The calls that the endpoints of both roles have.
        #[expect(clippy::missing_errors_doc, reason = "the endpoint has the docs")]
        pub trait AnyRole: Debug {
            $(
                #[doc = concat!("As [`Endpoint::", stringify!($name), "`].")]
                fn $name($this: $of $(, $arg: $type)*) $(-> $out)?;
            )*
        }

        impl<R: Role> AnyRole for Endpoint<R> {
            $(
                fn $name($this: $of $(, $arg: $type)*) $(-> $out)? {
                    Self::$name($this $(, $arg)*)
                }
            )*
        }
    };
}

calls! {
    fn handle_opened(self: &mut Self, now: Timestamp, rng: &mut dyn CryptoRng);
    fn handle_closed(self: &mut Self, now: Timestamp, rng: &mut dyn CryptoRng);
    fn handle_bytes(
        self: &mut Self, now: Timestamp, rng: &mut dyn CryptoRng, bytes: BytesMut
    ) -> Result<(), ApiMisuse>;
    fn handle_timeout(self: &mut Self, now: Timestamp, rng: &mut dyn CryptoRng);
    fn transmitted(self: &mut Self, now: Timestamp, bytes: usize);
    fn committed(self: &mut Self, now: Timestamp, commit: Commit) -> Result<(), ApiMisuse>;
    fn poll_output(self: &mut Self) -> Output;
    fn status(self: &Self) -> LinkStatus;
    fn streams(self: &Self) -> Vec<StreamInfo>;
    fn outbox_len(self: &Self) -> (usize, usize);
    fn waited(self: &mut Self, now: Timestamp, age: Duration);
    fn probe(self: &mut Self, now: Timestamp);
    fn refuse(self: &mut Self, now: Timestamp, code: ErrorCode);
    fn inject(self: &mut Self, record: BytesMut) -> bool;
    fn set_ephemeral(self: &mut Self, now: Timestamp, slot: u64, body: Bytes) -> Result<(), SendError>;
    fn stream_open(
        self: &mut Self, now: Timestamp, kind: OpenKind, meta: Bytes
    ) -> Result<Opened, SendError>;
    fn set_stream_priority(self: &mut Self, now: Timestamp, id: u64) -> Result<(), ApiMisuse>;
    fn stream_supply(
        self: &mut Self, now: Timestamp, id: u64, offset: u64, bytes: Bytes, fin: Option<[u8; 32]>
    ) -> Result<(), ApiMisuse>;
    fn stream_durable(self: &mut Self, now: Timestamp, id: u64, offset: u64) -> Result<Commit, SendError>;
    fn stream_buffered(self: &mut Self, now: Timestamp, id: u64, offset: u64) -> Result<(), ApiMisuse>;
    fn reset_stream(self: &mut Self, now: Timestamp, id: u64, code: ErrorCode) -> Result<(), SendError>;
}

/// A phone's or a companion's endpoint. The calls of both roles can be made on it directly.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a link has two sides")]
pub enum AnyEndpoint {
    /// A phone's.
    Phone(PhoneEndpoint),
    /// A companion's.
    Companion(CompanionEndpoint),
}

impl AnyEndpoint {
    /// Loads a link. `log_id` names a phone's change log.
    ///
    /// # Errors
    /// As [`PhoneEndpoint::load`] and [`CompanionEndpoint::load`].
    pub fn load(
        role: DeviceRole,
        pairs: &LinkRows,
        log_id: LogId,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, LoadError> {
        Ok(match role {
            DeviceRole::Phone => Self::Phone(PhoneEndpoint::load(pairs, log_id, now, rng)?),
            DeviceRole::Web => Self::Companion(CompanionEndpoint::load(pairs, now, rng)?),
        })
    }

    /// Returns the endpoint for a call that only a phone has.
    ///
    /// # Panics
    /// When it is a companion's.
    #[expect(clippy::panic, reason = "a test knows whose endpoint it has")]
    pub fn phone(&mut self) -> &mut PhoneEndpoint {
        match self {
            Self::Phone(endpoint) => endpoint,
            Self::Companion(_) => panic!("a companion's endpoint"),
        }
    }

    /// Returns the endpoint for a call that only a companion has.
    ///
    /// # Panics
    /// When it is a phone's.
    #[expect(clippy::panic, reason = "a test knows whose endpoint it has")]
    pub fn companion(&mut self) -> &mut CompanionEndpoint {
        match self {
            Self::Companion(endpoint) => endpoint,
            Self::Phone(_) => panic!("a phone's endpoint"),
        }
    }

    /// Answers the request for a digest. `rev` is the newest revision of a phone.
    ///
    /// # Errors
    /// As [`PhoneEndpoint::provide_digest`] and [`CompanionEndpoint::provide_digest`].
    pub fn provide_digest(
        &mut self,
        now: Timestamp,
        collection: &Collection,
        rev: u64,
        digest: [u8; 32],
    ) -> Result<(), SendError> {
        match self {
            Self::Phone(endpoint) => endpoint.provide_digest(now, collection, rev, digest),
            Self::Companion(endpoint) => endpoint.provide_digest(now, collection, digest),
        }
    }
}

impl Deref for AnyEndpoint {
    type Target = dyn AnyRole;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Phone(endpoint) => endpoint,
            Self::Companion(endpoint) => endpoint,
        }
    }
}

impl DerefMut for AnyEndpoint {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Phone(endpoint) => endpoint,
            Self::Companion(endpoint) => endpoint,
        }
    }
}
