//! libFuzzer around [`handfast_fuzz::endpoint_pair::run`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::endpoint_pair::run(data));
