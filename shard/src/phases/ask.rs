//! Asks the application's predicates whom sessions with a custom interest see. Never looks for any other interest.
//!
//! A predicate that panics, or that this build has not, is the fault of its interest alone: its session gets the default
//! one, and is told. It is asked in the same ticks whenever they are done again, so all is the same then.

use std::panic::{AssertUnwindSafe, catch_unwind};

use worldshard_protocol::SessionId;
use worldshard_spatial::Point;

use crate::command::Interest;
use crate::published::Notice;
use crate::shard::Shard;

/// Whom a custom interest accepts, by rank, into `accepted`; how many were asked about. Nobody, where none is custom.
///
/// # Errors
/// When its predicate cannot be asked: why.
pub(super) fn ask(
    shard: &Shard,
    interest: Interest,
    at: Point,
    accepted: &mut Vec<u32>,
) -> Result<u64, &'static str> {
    let Interest::Custom {
        predicate,
        radius_m,
    } = interest
    else {
        return Ok(0);
    };
    accepted.clear();
    let predicates = &shard.recipe.predicates;
    let accepts = predicates.get(usize::from(predicate)).ok_or(MISSING)?;
    // It gets the view to read, and what it accepted until then counts for nothing.
    let asked = catch_unwind(AssertUnwindSafe(|| {
        let mut asked = 0;
        shard.view.within(at, radius_m, |near| {
            asked += 1;
            if accepts(&shard.view, at, near.rank) {
                accepted.push(near.rank);
            }
        });
        asked
    }));
    asked.map_err(|_| PANICKED)
}

/// Tells sessions that they have the default interest now, and why.
pub(super) fn tell(shard: &mut Shard, failed: Vec<(SessionId, &'static str)>) {
    for (session, why) in failed {
        shard.stats.interests_failed += 1;
        let notice = Notice::InterestFailed(why);
        shard.published.notices.push((session, notice));
    }
}

const MISSING: &str =
    "interest.predicate: this world has it no longer; the default interest stands in its place";
const PANICKED: &str = "interest.predicate: it failed; the default interest stands in its place";
