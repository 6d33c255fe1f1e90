//! The machines for web pages: [`WebPairing`] creates a link, [`WebLink`] runs it, both without I/O.
//!
//! Everything else that a page needs is in `handfast/js`: `companion.js` drives the machines over a WebSocket
//! and an IndexedDB database, in one tab at a time. Times are milliseconds, as `performance.now()` returns
//! them; 64-bit numbers of the protocol are `bigint`.

mod journal;
mod js_object;
mod link;
mod media;
mod output;
mod pairing;
mod refusal;
mod rows;
mod streams;
mod transfers;

use core::time::Duration;

use handfast_codec::ids::MailboxId;
use handfast_codec::{RelayName, Timestamp};
use handfast_handshake::key_schedule;
use handfast_session::LinkRows;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use zeroize::Zeroizing;

pub use crate::hex::parse_hex;
pub use crate::rng::{NoRandomness, SystemRng, os_rng};
pub use link::WebLink;
pub use media::{ContentHasher, media_type};
pub use pairing::{WebPairing, WebShownCodes};
pub use refusal::Refusal;
use refusal::refused;
pub use rows::{decode_row, row_digest};

/// The TypeScript types of all values that pass between the page and this module.
#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("wasm/types.d.ts");

/// Returns the URL of a relay's WebSocket: `ws` for a relay on this machine, `wss` for any other.
///
/// # Errors
/// The name is not a valid relay name.
#[wasm_bindgen(js_name = relayUrl)]
pub fn relay_url(name: &str) -> Result<String, Refusal> {
    Ok(relay(name)?.url())
}

/// Returns the key of a command that was stored before commands had keys, from its number on this link.
/// `link` and the result are hexadecimal.
///
/// # Errors
/// `link` is not a mailbox id.
#[wasm_bindgen(js_name = oldCommandKey)]
pub fn old_command_key(link: &str, number: f64) -> Result<String, Refusal> {
    let mailbox = parse_hex(link).ok_or_else(|| Refusal::argument("a link has 16 bytes"))?;
    // The numbers that pages have stored are integers below 2^53.
    let number = Duration::try_from_secs_f64(number).map_or(0, |number| number.as_secs());
    // req: RES-035
    Ok(key_schedule::old_command_key(&MailboxId::from_bytes(mailbox), number).to_string())
}

fn relay(name: &str) -> Result<RelayName, Refusal> {
    RelayName::parse(name)
        .map_err(|_| Refusal::argument("not a relay name: a host, or host:port, in lower case"))
}

/// Returns the rows of a link, from an array of `[key, value]`.
fn pairs(rows: &Array) -> LinkRows {
    let mut pairs = LinkRows::new();
    for row in rows.iter() {
        let row = Array::from(&row);
        let (key, value) = (Uint8Array::new(&row.get(0)), Uint8Array::new(&row.get(1)));
        let _ = pairs.insert(key.to_vec(), Zeroizing::new(value.to_vec()));
    }
    pairs
}

/// Returns a random generator for one machine.
fn generator() -> Result<SystemRng, Refusal> {
    os_rng().map_err(|error| Refusal::new("NO_RANDOMNESS", &error.to_string()))
}

/// Converts a time of the page. A value that is negative, or not a number, becomes the clock's start.
fn timestamp(ms: f64) -> Timestamp {
    Duration::try_from_secs_f64(ms / 1000.0).map_or(Timestamp::ZERO, |since| Timestamp::ZERO.plus(since))
}

/// Converts a time into the page's milliseconds.
fn milliseconds(at: Timestamp) -> f64 {
    at.since(Timestamp::ZERO).as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_border() {
        for micros in [0, 1, 999, 1_000, 86_400_000_000 * 365] {
            let at = Timestamp::from_micros(micros);
            assert_eq!(timestamp(milliseconds(at)), at);
        }
    }

    // req: RES-035
    #[test]
    fn an_old_command_has_the_key_that_both_sides_derive() {
        for number in [0_u32, 7, u32::MAX] {
            let derived = key_schedule::old_command_key(&MailboxId::from_bytes([2; 16]), number.into());
            let here = old_command_key(&"02".repeat(16), number.into());
            assert_eq!(here.ok(), Some(derived.to_string()));
        }
    }

    #[test]
    fn what_is_no_time_is_the_start() {
        for ms in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            assert_eq!(timestamp(ms), Timestamp::ZERO);
        }
    }
}
