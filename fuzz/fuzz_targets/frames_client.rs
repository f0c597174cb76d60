//! One target; what it runs is in `src/transport.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| worldshard_fuzz::transport::frames_client(bytes));
