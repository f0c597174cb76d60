//! One target; what it runs is in `src/shard.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    worldshard_fuzz::shard::calls(bytes);
});
