//! libFuzzer around [`handfast_fuzz::qr::run`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::qr::run(data));
