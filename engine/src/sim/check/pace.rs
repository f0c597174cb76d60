//! However the clock jumps, every interval of it is a tick or counted as lag, and nobody runs behind for long.

use super::{Checker, Finding, Subject};
use crate::sim::observed::Observed;

/// Compares schedules with the clock.
pub(super) struct Pace;

impl Checker for Pace {
    fn name(&self) -> &'static str {
        "pace"
    }

    fn look(&mut self, now: &Observed) -> Result<u64, Finding> {
        for pace in &now.paces {
            let found = |detail: String| Finding {
                checker: "pace",
                tick: now.tick,
                subject: Subject::Shard(pace.shard),
                detail,
            };
            if pace.early > 0 {
                return Err(found(format!("{} ticks before their time", pace.early)));
            }
            let counted = pace.begun + pace.lag_ticks;
            let interval = pace.interval.as_nanos();
            let least = interval * u128::from(counted);
            // What is counted is whole intervals: each time less than one is lost.
            let lost = pace.due.as_nanos().checked_sub(least);
            if lost.is_none_or(|lost| lost > interval * u128::from(pace.lag_times)) {
                return Err(found(format!(
                    "the next tick is due at {:?}: {} were run, {} left out in {} times",
                    pace.due, pace.begun, pace.lag_ticks, pace.lag_times
                )));
            }
            let most = pace.interval * pace.catch_up_ticks_max;
            if pace.behind_most > most {
                return Err(found(format!(
                    "{:?} to make up for, and {most:?} is the most",
                    pace.behind_most
                )));
            }
        }
        Ok(3 * now.paces.len() as u64)
    }
}
