//! libFuzzer around [`handfast_fuzz::record_frames::run`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::record_frames::run(data));
