//! What a shard shows of itself: its hub's numbers, and what only the runtime knows. Never asked for: shown now and then.

use std::time::{Duration, Instant};

use super::{OUTBOX_LETTERS_MAX, Reactor, Schedule};
use crate::hub::ShardStatus;
use crate::runtime::keeping::OwnKeeping;
use crate::runtime::mailbox::Mailbox;
use crate::runtime::pacing::Lag;
use crate::runtime::process::ShardReport;

impl Reactor {
    /// Lays the shard's numbers down, where whoever asks finds them, if they are old.
    pub(super) fn show_status(&mut self, now: Instant) {
        if now < self.status_due {
            return;
        }
        self.status_due = now + STATUS_EVERY;
        if let Some(status) = self.hub.call("status", |hub| hub.status()) {
            self.process.show_status(self.own, self.report(status));
        }
    }

    fn report(&self, hub: ShardStatus) -> ShardReport {
        let lag = match &self.schedule {
            Schedule::Paced(pacer) => pacer.lag(),
            Schedule::Unpaced { .. } => Lag::default(),
        };
        let Mailbox { envelopes, letters } = &self.mailbox;
        let microseconds = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        ShardReport {
            step_us: microseconds(self.halves.advance + self.halves.absorb),
            step_us_p99: microseconds(self.steps.p99()),
            ticks: self.punctuality.times(),
            lag_ticks: lag.ticks,
            lag_times: lag.times,
            writes: self.writes,
            letters: letters.len(),
            letters_max: letters.capacity().unwrap_or(usize::MAX),
            letters_kept: self.outbox.len,
            letters_kept_max: OUTBOX_LETTERS_MAX,
            envelopes: envelopes.len(),
            envelopes_max: envelopes.capacity().unwrap_or(usize::MAX),
            rebuilds: self.rebuilds,
            ticks_rebuilt: self.ticks_rebuilt,
            checkpoints_left_out: self.keeping.as_ref().map_or(0, OwnKeeping::left_out),
            hub,
            tally: self.tally.clone(),
        }
    }
}

/// How old the numbers of `/status` may be.
const STATUS_EVERY: Duration = Duration::from_millis(500);
