//! libFuzzer around [`handfast_fuzz::relay_frames::run`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::relay_frames::run(data));
