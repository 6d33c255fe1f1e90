//! The manual: how to build an application on this crate. It exists in the documentation alone.
//!
//! Read [`first_app`] first; the other pages stand by themselves.
//!
//! | page | what it answers |
//! |---|---|
//! | [`first_app`] | a phone and a companion, linked, in two programs of a hundred lines |
//! | [`identity_and_keys`] | who an account is, what a link is, which keys lie where |
//! | [`stores`] | tables of your own, a database of your own, and what a failure of the store means |
//! | [`commands`] | what runs exactly once, what does not, and work that takes long |
//! | [`rows_and_markers`] | how companions get a copy of your data, and keep it |
//! | [`streams`] | files, from the phone and to it |
//! | [`revoking`] | taking a companion's link away |
//! | [`backup`] | what to back up, and what a restored copy does |
//! | [`phones_in_practice`] | sockets, sleep and background work on mobile systems, and what is untried |
//! | [`android_and_ios`] | the machines in Kotlin, Swift and Python: one call, commits as lists of writes |
//! | [`security`] | what is protected against whom, and what your application must do for it |
//!
//! Examples on these pages are compiled, and run where they need no second device. A `handle` in them is a
//! [`Handle`](crate::tether::Handle).

#[doc = include_str!("manual/first_app.md")]
///
/// ## The phone
///
/// ```no_run
#[doc = include_str!("../examples/minimal/phone.rs")]
/// ```
///
/// ## The companion
///
/// ```no_run
#[doc = include_str!("../examples/minimal/companion.rs")]
/// ```
pub mod first_app {}

#[doc = include_str!("manual/identity_and_keys.md")]
pub mod identity_and_keys {}

#[doc = include_str!("manual/stores.md")]
pub mod stores {}

#[doc = include_str!("manual/commands.md")]
pub mod commands {}

#[doc = include_str!("manual/rows_and_markers.md")]
pub mod rows_and_markers {}

#[doc = include_str!("manual/streams.md")]
pub mod streams {}

#[doc = include_str!("manual/revoking.md")]
pub mod revoking {}

#[doc = include_str!("manual/backup.md")]
pub mod backup {}

#[doc = include_str!("manual/phones_in_practice.md")]
pub mod phones_in_practice {}

#[doc = include_str!("manual/android_and_ios.md")]
pub mod android_and_ios {}

#[doc = include_str!("manual/security.md")]
pub mod security {}
