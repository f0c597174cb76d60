//! The clock of a simulated machine, and each shard's schedule by it. Moves only when it is told to.

use std::time::{Duration, Instant};

use worldshard_spatial::ShardId;

use crate::app::AppRecipe;
use crate::runtime::clock;
use crate::runtime::pacing::Pacer;
use crate::sim::observed::PaceSeen;

/// The machine's clock. What it begins with counts for nothing: only differences are looked at.
#[derive(Debug)]
pub(crate) struct Clock {
    now: Instant,
    turn: Duration,
}

/// When one shard's ticks are due, as a driver has it.
#[derive(Debug)]
pub(crate) struct Schedule {
    pacer: Pacer,
    first: Instant,
    interval: Duration,
    catch_up_ticks_max: u32,
    begun: u64,
    early: u64,
    behind_most: Duration,
}

impl Clock {
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            now: clock::now(),
            turn: interval / TURNS_PER_TICK,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// A turn takes its time.
    pub(crate) fn turn(&mut self) {
        self.now += self.turn;
    }

    /// Nobody has anything to do before `at`.
    pub(crate) fn sleep_until(&mut self, at: Instant) {
        self.now = self.now.max(at);
    }

    /// The machine stood still: for everybody the time between never was.
    pub(crate) fn jump(&mut self, ahead: Duration) {
        self.now += ahead;
    }
}

impl Schedule {
    /// Of a shard that begins at `first`.
    pub(crate) fn new(recipe: &AppRecipe, first: Instant) -> Self {
        let interval = recipe.world().config.tick_interval;
        let catch_up_ticks_max = recipe.options().limits.catch_up_ticks_max;
        Self {
            pacer: Pacer::new(interval, catch_up_ticks_max, first),
            first,
            interval,
            catch_up_ticks_max,
            begun: 0,
            early: 0,
            behind_most: Duration::ZERO,
        }
    }

    pub(crate) fn due(&self) -> Instant {
        self.pacer.due()
    }

    pub(crate) fn begin(&mut self, now: Instant) {
        self.early += u64::from(self.pacer.due() > now);
        self.pacer.begin(now);
        self.begun += 1;
        let behind = now.saturating_duration_since(self.pacer.due());
        self.behind_most = self.behind_most.max(behind);
    }

    pub(crate) fn seen(&self, shard: ShardId) -> PaceSeen {
        let lag = self.pacer.lag();
        PaceSeen {
            shard,
            interval: self.interval,
            catch_up_ticks_max: self.catch_up_ticks_max,
            begun: self.begun,
            lag_ticks: lag.ticks,
            lag_times: lag.times,
            due: self.pacer.due() - self.first,
            early: self.early,
            behind_most: self.behind_most,
        }
    }
}

/// Turns in the length of a tick: fewer than a busy tick takes, so that shards are behind their clock at times.
const TURNS_PER_TICK: u32 = 256;
