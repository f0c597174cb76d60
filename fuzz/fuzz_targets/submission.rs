//! One target; what it runs is in `src/submission.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    worldshard_fuzz::submission::submission(bytes);
});
