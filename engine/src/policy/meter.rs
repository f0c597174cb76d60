//! How much one connection may still say: its buckets, of its own and shared, and what becomes of what is too much.
//!
//! Sans-IO: the time comes in. No clock, no lock, no look-up for a message: one number a bucket, changed by one exchange
//! where other threads share it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::options::{HotErrors, RateAction, RateLimit, RateUnit};

/// A moment, or a length of time, since the server began: in sixteenths of a nanosecond, which last for 36 years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Moment(u64);

/// What a bucket is by: a limit that says the same after a reload has the same bucket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct BucketKey {
    is_bytes: bool,
    per_second: u32,
    burst: u32,
}

/// One limit, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Rate {
    pub(crate) limit: RateLimit,
    /// What one unit takes, in moments and 2^-20 of them.
    unit_cost: u64,
    /// The same in whole moments, rounded down: what a message takes where messages are counted.
    message_cost: u64,
    /// How far ahead of the time a bucket may be: what a burst takes.
    ahead_max: u64,
}

/// A bucket, as the moment at which it would be full: the later, the emptier it is.
#[derive(Debug)]
enum Bucket {
    Own(u64),
    Shared(Arc<AtomicU64>),
}

/// The buckets of one connection.
#[derive(Debug)]
pub(crate) struct Meter {
    buckets: Vec<(Rate, Bucket)>,
    /// All who share its buckets are on this thread.
    is_alone: bool,
    /// When something was last too much that the client is told of.
    refused: Option<Moment>,
    /// The same of what it is told nothing of, on the hot lane of a tenant that wants it so.
    unsaid: Option<Moment>,
    hot_is_silent: bool,
}

/// What becomes of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It is heard.
    Pass,
    /// It is heard then, and nothing else before. The client is told if it `begins` to be too fast.
    Wait { until: Moment, begins: bool },
    /// It is not heard. The client is told if it `begins` to be too fast.
    Drop { begins: bool },
    /// It is more than may ever pass.
    TooLarge { burst: u32 },
    /// The connection is closed.
    Close,
}

impl Moment {
    /// So long after the server began.
    pub(crate) fn at(since_start: Duration) -> Self {
        let nanoseconds = u64::try_from(since_start.as_nanos()).unwrap_or(u64::MAX);
        Self(nanoseconds.saturating_mul(PER_NANOSECOND))
    }

    /// How long the server has run then.
    pub(crate) fn since_start(self) -> Duration {
        Duration::from_nanos(self.0.div_ceil(PER_NANOSECOND))
    }

    /// As a bucket keeps it.
    pub(crate) fn of(value: u64) -> Self {
        Self(value)
    }

    #[cfg(test)]
    pub(crate) fn value(self) -> u64 {
        self.0
    }

    fn after(self, length: Duration) -> Self {
        Self(self.0.saturating_add(Self::at(length).0))
    }
}

impl Rate {
    pub(crate) fn of(limit: &RateLimit) -> Self {
        let second = (u128::from(PER_NANOSECOND) * 1_000_000_000) << COST_SHIFT;
        let unit_cost = second.div_ceil(u128::from(limit.per_second.max(1)));
        let mut rate = Self {
            limit: *limit,
            unit_cost: u64::try_from(unit_cost).unwrap_or(u64::MAX),
            message_cost: 0,
            ahead_max: 0,
        };
        rate.message_cost = rate.cost(1);
        rate.ahead_max = rate.cost(limit.burst.max(1) as usize);
        rate
    }

    pub(crate) fn key(&self) -> BucketKey {
        BucketKey {
            is_bytes: self.limit.unit == RateUnit::Bytes,
            per_second: self.limit.per_second,
            burst: self.limit.burst,
        }
    }

    /// How much later a bucket is full when so much was taken from it.
    fn cost(&self, units: usize) -> u64 {
        let cost = (units as u128 * u128::from(self.unit_cost)) >> COST_SHIFT;
        u64::try_from(cost).unwrap_or(u64::MAX)
    }

    /// What a message of so many bytes takes; none when it is more than may ever pass.
    #[inline]
    fn price(&self, bytes: usize) -> Option<u64> {
        match self.limit.unit {
            RateUnit::Messages => Some(self.message_cost),
            RateUnit::Bytes => {
                let fits = bytes <= self.limit.burst.max(1) as usize;
                fits.then(|| self.cost(bytes))
            }
        }
    }

    fn units(&self, bytes: usize) -> usize {
        match self.limit.unit {
            RateUnit::Messages => 1,
            RateUnit::Bytes => bytes,
        }
    }

    fn waits(&self) -> bool {
        matches!(self.limit.action, RateAction::Throttle(_))
    }
}

/// What a bucket is after so much was taken from it at `now`; none when it has not so much.
#[inline]
fn taken(full: u64, now: Moment, cost: u64, ahead_max: u64) -> Option<u64> {
    let next = full.max(now.0).saturating_add(cost);
    (next - now.0 <= ahead_max).then_some(next)
}

impl Bucket {
    /// Takes so much, if the bucket has it at `now`; says whether it had. Where no other thread has it, `is_alone`, nothing is
    /// exchanged: that would cost as much as all the rest.
    #[inline]
    fn pays(&mut self, now: Moment, cost: u64, ahead_max: u64, is_alone: bool) -> bool {
        let taken = |full| taken(full, now, cost, ahead_max);
        match self {
            Self::Own(full) => taken(*full).map(|next| *full = next).is_some(),
            Self::Shared(full) if is_alone => taken(full.load(Ordering::Relaxed))
                .map(|next| full.store(next, Ordering::Relaxed))
                .is_some(),
            Self::Shared(full) => full
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken)
                .is_ok(),
        }
    }

    /// Takes so much, if the bucket has it at `now`. Who `reserves` takes it in any case, and is told from when on it is
    /// there: those who wait are served in the order in which they came.
    fn take(&mut self, now: Moment, cost: u64, ahead_max: u64, reserves: bool) -> Option<Moment> {
        let ahead_max_taken = if reserves { u64::MAX } else { ahead_max };
        let taken = |full| taken(full, now, cost, ahead_max_taken);
        let next = match self {
            Self::Own(full) => {
                *full = taken(*full)?;
                *full
            }
            Self::Shared(full) => {
                let before = full.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken);
                taken(before.ok()?)?
            }
        };
        Some(Moment(next.saturating_sub(ahead_max).max(now.0)))
    }

    /// Gives back what was taken a moment ago, because the message is not heard after all.
    fn give_back(&mut self, cost: u64) {
        match self {
            Self::Own(full) => *full -= cost,
            Self::Shared(full) => {
                full.fetch_sub(cost, Ordering::Relaxed);
            }
        }
    }
}

impl Meter {
    /// The buckets of a connection under these rates; none when there are none. `before` are those that it had, and
    /// `shared` finds what it shares with others; without, a bucket is its own.
    pub(crate) fn new(
        rates: &[Rate],
        before: Option<Self>,
        mut shared: impl FnMut(&Rate) -> Option<Arc<AtomicU64>>,
    ) -> Option<Self> {
        let refused = before.as_ref().and_then(|meter| meter.refused);
        let unsaid = before.as_ref().and_then(|meter| meter.unsaid);
        let mut before = before.map(|meter| meter.buckets).unwrap_or_default();
        let buckets = rates.iter().map(|rate| {
            let is_same = |(one, bucket): &(Rate, Bucket)| {
                let is_own = matches!(bucket, Bucket::Own(_));
                is_own && one.limit.scope == rate.limit.scope && one.key() == rate.key()
            };
            let bucket = match shared(rate) {
                Some(full) => Bucket::Shared(full),
                None => match before.iter().position(is_same) {
                    Some(at) => before.swap_remove(at).1,
                    None => Bucket::Own(0),
                },
            };
            (rate.clone(), bucket)
        });
        let mut buckets: Vec<_> = buckets.collect();
        // First those that refuse, of them the connection's own: who is over that takes nothing from others.
        buckets.sort_by_key(|(rate, bucket)| (rate.waits(), matches!(bucket, Bucket::Shared(_))));
        (!buckets.is_empty()).then_some(Self {
            buckets,
            is_alone: false,
            refused,
            unsaid,
            hot_is_silent: false,
        })
    }

    /// The same where a client is told of what is too much on the hot lane, or is not.
    pub(crate) fn telling_of_hot(self, errors: HotErrors) -> Self {
        Self {
            hot_is_silent: errors == HotErrors::Silent,
            ..self
        }
    }

    /// The same, where all connections that may share its buckets are on the thread that asks it.
    pub(crate) fn on_the_only_thread(self) -> Self {
        let is_alone = true;
        Self { is_alone, ..self }
    }

    /// The limits that have messages wait.
    pub(crate) fn throttles(&self) -> Vec<RateLimit> {
        let throttles = self.buckets.iter().filter(|(rate, _)| rate.waits());
        throttles.map(|(rate, _)| rate.limit).collect()
    }

    /// Whether one of these limits is its own.
    pub(crate) fn has_any(&self, limits: &[RateLimit]) -> bool {
        let mut own = self.buckets.iter();
        own.any(|(rate, _)| limits.contains(&rate.limit))
    }

    /// Judges a message of so many bytes. What is not heard takes nothing.
    ///
    /// Asked about every message, of which nearly all pass: what becomes of the others is looked for apart.
    #[inline]
    fn take(&mut self, now: Moment, bytes: usize) -> Verdict {
        self.judge(now, bytes, false)
    }

    /// The same for one of the hot lane. Where it is silent, the client has not been told by it that it is too fast.
    #[inline]
    fn take_hot(&mut self, now: Moment, bytes: usize) -> Verdict {
        self.judge(now, bytes, self.hot_is_silent)
    }

    /// What is judged of a message of a connection that may have a meter.
    #[inline]
    pub(crate) fn verdict(
        meter: Option<&mut Self>,
        now: Moment,
        bytes: usize,
        is_hot: bool,
    ) -> Verdict {
        match (meter, is_hot) {
            (Some(meter), false) => meter.take(now, bytes),
            (Some(meter), true) => meter.take_hot(now, bytes),
            (None, _) => Verdict::Pass,
        }
    }

    #[inline]
    fn judge(&mut self, now: Moment, bytes: usize, is_silent: bool) -> Verdict {
        for (at, (rate, bucket)) in self.buckets.iter_mut().enumerate() {
            let pays = |cost| bucket.pays(now, cost, rate.ahead_max, self.is_alone);
            if !rate.price(bytes).is_some_and(pays) {
                return self.take_too_much(at, now, bytes, is_silent);
            }
        }
        Verdict::Pass
    }

    /// Judges a message that the bucket at `first` has not enough for; those before it were paid.
    #[cold]
    fn take_too_much(
        &mut self,
        first: usize,
        now: Moment,
        bytes: usize,
        is_silent: bool,
    ) -> Verdict {
        let mut until = now;
        for at in first..self.buckets.len() {
            let (rate, bucket) = &mut self.buckets[at];
            let (price, burst) = (rate.price(bytes), rate.limit.burst);
            let taken = price.and_then(|cost| bucket.take(now, cost, rate.ahead_max, rate.waits()));
            match (taken, rate.limit.action) {
                (Some(moment), RateAction::Throttle(at_least)) if moment > now => {
                    until = until.max(moment).max(now.after(at_least));
                }
                (Some(_), _) => {}
                (None, action) => {
                    self.give_back(at, bytes);
                    return match action {
                        RateAction::Disconnect => Verdict::Close,
                        RateAction::Drop | RateAction::Throttle(_) if price.is_none() => {
                            Verdict::TooLarge { burst }
                        }
                        RateAction::Drop | RateAction::Throttle(_) => Verdict::Drop {
                            begins: self.begins(now, now, is_silent),
                        },
                    };
                }
            }
        }
        if until == now {
            return Verdict::Pass;
        }
        let begins = self.begins(now, until, is_silent);
        Verdict::Wait { until, begins }
    }

    fn give_back(&mut self, taken: usize, bytes: usize) {
        for (rate, bucket) in &mut self.buckets[..taken] {
            bucket.give_back(rate.cost(rate.units(bytes)));
        }
    }

    /// A message of so many bytes that was to wait is not heard after all: what it took comes back.
    pub(crate) fn forget(&mut self, bytes: usize) {
        self.give_back(self.buckets.len(), bytes);
    }

    /// Whether what is too much now, and `until` then, is the first for a while.
    fn begins(&mut self, now: Moment, until: Moment, is_silent: bool) -> bool {
        let last = match is_silent {
            true => self.unsaid.replace(until),
            false => self.refused.replace(until),
        };
        last.is_none_or(|last| last.after(EPISODE) < now)
    }
}

/// The client is told again that it is too fast when it was not for so long.
const EPISODE: Duration = Duration::from_secs(1);

const PER_NANOSECOND: u64 = 16;

/// What a unit costs is kept to 2^-20 of a moment, so that rates of a million a second do not drift.
const COST_SHIFT: u32 = 20;

#[cfg(test)]
mod tests;
