//! Part of Handfast.
#![no_std]
