//! libFuzzer around [`handfast_fuzz::handshake_bytes::run`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::handshake_bytes::run(data));
