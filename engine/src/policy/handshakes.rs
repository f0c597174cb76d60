//! How many handshakes are taken on: one bucket for each address, and one for all together. Sans-IO: the time comes in.
//!
//! Exact: what a bucket has is counted in whole parts of a token, so that nothing is lost to rounding.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::options::HandshakeLimit;

/// The buckets of a process.
#[derive(Default)]
pub(crate) struct Handshakes {
    all: Bucket,
    by_address: BTreeMap<Address, Entry>,
    /// The same by when their buckets are full again: from then on nothing is known of an address that a new one would not
    /// be granted too.
    by_fullness: BTreeMap<Fullness, Address>,
    entered: u64,
    per_ip_per_second: u32,
}

/// An IPv4 address, or the first half of an IPv6 address: of that, one client may have any other half.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Address {
    V4(u32),
    V6(u64),
}

struct Entry {
    bucket: Bucket,
    fullness: Fullness,
}

/// When a bucket is full again, and a number that no other has.
type Fullness = (Instant, u64);

/// How much of a bucket was taken and has not come back.
#[derive(Clone, Copy, Default)]
struct Bucket {
    /// In parts of a token.
    taken: u64,
    /// As of then; none of a bucket that nobody has used.
    at: Option<Instant>,
}

/// A handshake that is not taken on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooFast {
    /// After so long it would be, if nobody else came.
    pub(crate) wait: Duration,
    /// Whether it is its address that is too fast, or all together.
    pub(crate) is_address: bool,
}

impl Handshakes {
    /// Counts a handshake of an address.
    ///
    /// # Errors
    /// It is one too many. Then it counts for nothing, and takes nothing from others.
    pub(crate) fn take(
        &mut self,
        limit: &HandshakeLimit,
        address: IpAddr,
        now: Instant,
    ) -> Result<(), TooFast> {
        self.adopt(limit);
        let address = Address::of(address);
        let known = self.by_address.get(&address).map(|entry| entry.bucket);
        let (own_rate, own_burst) = (limit.per_ip_per_second, limit.per_ip_burst);
        let mut own = known.unwrap_or_default();
        own.fill(now, own_rate);
        let mut all = self.all;
        all.fill(now, limit.global_per_second);
        let too_fast = |is_address| move |wait| TooFast { wait, is_address };
        own.take(own_rate, own_burst).map_err(too_fast(true))?;
        all.take(limit.global_per_second, limit.global_burst)
            .map_err(too_fast(false))?;
        self.all = all;
        self.remember(address, own, now + own.fills_in(own_rate));
        let entries_max = limit.ip_entries_max.max(1) as usize;
        while self.by_address.len() > entries_max {
            self.forget_one();
        }
        Ok(())
    }

    /// Whether an address could not begin a handshake now, as far as its own bucket says.
    pub(crate) fn is_over(&self, limit: &HandshakeLimit, address: IpAddr, now: Instant) -> bool {
        let known = self.by_address.get(&Address::of(address));
        let mut bucket = known.map(|entry| entry.bucket).unwrap_or_default();
        bucket.fill(now, limit.per_ip_per_second);
        bucket
            .take(limit.per_ip_per_second, limit.per_ip_burst)
            .is_err()
    }

    /// Puts the addresses in another order when buckets fill at another rate.
    fn adopt(&mut self, limit: &HandshakeLimit) {
        let rate = limit.per_ip_per_second;
        if rate == self.per_ip_per_second {
            return;
        }
        self.per_ip_per_second = rate;
        self.by_fullness.clear();
        for (address, entry) in &mut self.by_address {
            // What was taken before came back at the rate of before, as far as it was looked at.
            let at = entry.bucket.at.unwrap_or(entry.fullness.0);
            entry.fullness.0 = at + entry.bucket.fills_in(rate);
            self.by_fullness.insert(entry.fullness, *address);
        }
    }

    fn remember(&mut self, address: Address, bucket: Bucket, full: Instant) {
        self.entered += 1;
        let fullness = (full, self.entered);
        let entry = Entry { bucket, fullness };
        if let Some(before) = self.by_address.insert(address, entry) {
            self.by_fullness.remove(&before.fullness);
        }
        self.by_fullness.insert(fullness, address);
    }

    /// Forgets the address whose bucket is full again first: who has been quiet longest for what it did.
    fn forget_one(&mut self) {
        if let Some((_, address)) = self.by_fullness.pop_first() {
            self.by_address.remove(&address);
        }
    }
}

impl Bucket {
    /// Lets come back what has until `now`.
    fn fill(&mut self, now: Instant, per_second: u32) {
        if let Some(at) = self.at {
            // Threads read the time and come here in any order.
            let passed = now.saturating_duration_since(at).as_nanos();
            let back = passed.saturating_mul(per_second.into());
            self.taken = self
                .taken
                .saturating_sub(u64::try_from(back).unwrap_or(u64::MAX));
        }
        self.at = self.at.max(Some(now));
    }

    /// Takes a token.
    ///
    /// # Errors
    /// There is none for so long.
    fn take(&mut self, per_second: u32, burst: u32) -> Result<(), Duration> {
        let more = self.taken + TOKEN;
        let missing = more.saturating_sub(u64::from(burst.max(1)) * TOKEN);
        if missing > 0 {
            return Err(Duration::from_nanos(missing.div_ceil(rate(per_second))));
        }
        self.taken = more;
        Ok(())
    }

    /// How long it takes until all has come back.
    fn fills_in(&self, per_second: u32) -> Duration {
        Duration::from_nanos(self.taken.div_ceil(rate(per_second)))
    }
}

impl Address {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

impl TooFast {
    /// For `Retry-After`: whole seconds, at least one.
    pub(crate) fn seconds(&self) -> u64 {
        let begun = u64::from(self.wait.subsec_nanos() > 0);
        (self.wait.as_secs() + begun).max(1)
    }
}

/// Parts of a token that come back in a nanosecond.
fn rate(per_second: u32) -> u64 {
    per_second.max(1).into()
}

/// A token in parts: as many as nanoseconds in a second.
const TOKEN: u64 = 1_000_000_000;

#[cfg(test)]
mod tests;
