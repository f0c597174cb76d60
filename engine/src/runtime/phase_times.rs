//! What each phase of a shard's tick cost, in CPU time.

use std::cell::Cell;
use std::ops::AddAssign;
use std::rc::Rc;
use std::time::Duration;

pub use worldshard_shard::Phase;

use super::clock;
use crate::hub::Hub;

/// CPU time of the thread that ran a tick, by phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhaseTimes {
    /// In the order of [`Phase::ALL`].
    times: [Duration; Phase::ALL.len()],
}

impl PhaseTimes {
    /// Each phase with its time, in the order of a tick.
    pub fn iter(&self) -> impl Iterator<Item = (Phase, Duration)> {
        Phase::ALL.into_iter().zip(self.times)
    }

    /// All phases together.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.times.iter().sum()
    }
}

impl AddAssign for PhaseTimes {
    fn add_assign(&mut self, other: Self) {
        for (time, more) in self.times.iter_mut().zip(other.times) {
            *time += more;
        }
    }
}

/// Times the phases of one hub's shard.
pub(crate) struct PhaseWatch {
    times: Rc<Cell<PhaseTimes>>,
}

impl PhaseWatch {
    /// From now on; replaces whoever watched before.
    pub(crate) fn over(hub: &mut Hub) -> Self {
        let times = Rc::new(Cell::new(PhaseTimes::default()));
        let mut running: Option<(Phase, Duration)> = None;
        let sums = Rc::clone(&times);
        hub.watch_phases(move |next| {
            let now = clock::busy();
            if let Some((phase, began)) = running.take() {
                let mut all = sums.get();
                all.times[phase as usize] += now.saturating_sub(began);
                sums.set(all);
            }
            running = next.map(|phase| (phase, now));
        });
        Self { times }
    }

    /// What was spent since the last call.
    pub(crate) fn take(&self) -> PhaseTimes {
        self.times.take()
    }
}
