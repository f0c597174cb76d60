//! One target; what it runs is in `src/durable.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    worldshard_fuzz::durable::journal(bytes);
});
