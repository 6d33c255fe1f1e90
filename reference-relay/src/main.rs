//! Part of Handfast.
fn main() {}
