//! Part of Handfast.
