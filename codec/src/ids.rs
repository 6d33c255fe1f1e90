//! Ids, keys and signatures. Each byte array of the protocol has a type of its own, so that none is used in
//! place of another.

use core::fmt;

/// Writes bytes as lower-case hexadecimal digits.
pub(crate) fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

macro_rules! byte_arrays {
    ($($(#[$doc:meta])* $name:ident[$len:literal];)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// The length, in bytes.
            pub const LEN: usize = $len;

            /// Wraps the bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// Returns the bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "("))?;
                write_hex(f, &self.0)?;
                f.write_str(")")
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, &self.0)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
    )*};
}

byte_arrays! {
    /// The id of a mailbox at a relay, where the two sides of a pairing or a link meet (spec, relay).
    MailboxId[16];
    /// The id that the relay gives to one socket in a mailbox (spec, relay).
    AttachmentId[8];
    /// The id of one run of a relay process (spec, relay).
    BootId[16];
    /// The id of a companion of a phone (spec, certificates).
    CompanionId[16];
    /// The key of a command: random bytes that are drawn when the user acts. By it the phone recognises the
    /// command (spec, delivery).
    CommandKey[16];
    /// The id of a phone's change log (spec, delivery).
    LogId[16];
    /// The id of one direction of a session, from one RESET to the next (spec, delivery).
    Epoch[16];
    /// The public id of a pre-shared key (spec, handshake).
    PskId[8];
    /// The id of a piece of content: the root hash of its chunks (spec, streams).
    ContentId[32];
    /// An Ed25519 public key that proves a device's seat in a mailbox (spec, relay).
    AttachKey[32];
    /// An Ed25519 public key that signs certificates, acceptances and revocations (spec, certificates).
    SigningPublic[32];
    /// An X25519 public key (spec, handshake).
    DhPublic[32];
    /// The salt of a link's mailbox (spec, relay).
    Salt[16];
    /// An Ed25519 signature (RFC 8032).
    Signature[64];
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn debug_names_the_type_and_display_is_hex() {
        let id = AttachmentId::from_bytes([0, 1, 2, 3, 0xfc, 0xfd, 0xfe, 0xff]);
        assert_eq!(format!("{id:?}"), "AttachmentId(00010203fcfdfeff)");
        assert_eq!(format!("{id}"), "00010203fcfdfeff");
    }
}
