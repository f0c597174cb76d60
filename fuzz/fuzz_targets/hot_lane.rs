//! One target; what it runs is in `src/protocol.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    worldshard_fuzz::protocol::hot_lane(bytes);
});
