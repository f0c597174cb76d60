//! How long to pause before the next try. Chance comes in.

use std::time::Duration;

use crate::options::HookOptions;

/// The pause after `tries` that failed, between half and all of what doubles with each; `chance` picks where, so that those
/// who failed together do not come again together. No shorter than the service asked for, and no longer than
/// [`PAUSE_MAX`](HookOptions::PAUSE_MAX).
pub(crate) fn pause(
    first: Duration,
    tries: u32,
    chance: u64,
    retry_after: Option<Duration>,
) -> Duration {
    let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
    let whole = first.saturating_mul(doubled).min(HookOptions::PAUSE_MAX);
    let half = whole / 2;
    let pause = half + half.mul_f64(mixed(chance) as f64 / u64::MAX as f64);
    pause
        .max(retry_after.unwrap_or_default())
        .min(HookOptions::PAUSE_MAX)
}

/// Numbers that follow each other come out far apart: the finalizer of splitmix64.
pub(crate) fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests;
