//! Names, keys and signatures: one newtype for each byte array of the protocol, so that none is taken for another.

use core::fmt;

/// Writes bytes as lower-case hex.
pub(crate) fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

macro_rules! byte_arrays {
    ($($(#[$doc:meta])* $name:ident[$len:literal];)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// The length in bytes.
            pub const LEN: usize = $len;

            /// Wraps the bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes.
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
    /// A mailbox at a relay: where the two sides of a pairing or of a link meet (spec, relay).
    MailboxId[16];
    /// One socket's presence in a mailbox, given by the relay (spec, relay).
    AttachmentId[8];
    /// One run of a relay process (spec, relay).
    BootId[16];
    /// One companion of a phone (spec, certificates).
    CompanionId[16];
    /// What a phone knows a command by: random bytes, drawn when the user acts (spec, delivery).
    CommandKey[16];
    /// A phone's change log (spec, delivery).
    LogId[16];
    /// One direction of a session between two resets (spec, delivery).
    Epoch[16];
    /// The public name of a pre-shared key (spec, handshake).
    PskId[8];
    /// The root hash of a piece of content (spec, streams).
    ContentId[32];
    /// The Ed25519 public key that proves a seat in a mailbox (spec, relay).
    AttachKey[32];
    /// An Ed25519 public key that signs certificates, acceptances and revocations (spec, certificates).
    SigningPublic[32];
    /// An X25519 public key (spec, handshake).
    DhPublic[32];
    /// The salt of a link's mailbox (spec, relay).
    Salt[16];
    /// An Ed25519 signature.
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
