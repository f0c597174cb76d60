//! CPU time of the measuring thread, whole and by phase of a tick. On a shared machine it says more than the time of day.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use worldshard::runtime::Phase;

use crate::crowd::{Crowd, Witness};

/// CPU time that this thread has used.
#[must_use]
pub fn busy() -> Duration {
    of(ClockId::ThreadCPUTime)
}

/// CPU time that all threads of this process have used.
#[must_use]
pub fn busy_process() -> Duration {
    of(ClockId::ProcessCPUTime)
}

fn of(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    Duration::from_secs(part(time.tv_sec)) + Duration::from_nanos(part(time.tv_nsec))
}

/// CPU time by phase, summed over shards. A clone sums into the same.
#[derive(Clone, Debug, Default)]
pub struct PhaseClock(Rc<Sums>);

#[derive(Debug, Default)]
struct Sums {
    /// In the order of [`Phase::ALL`].
    times: [Cell<Duration>; Phase::ALL.len()],
    running: Cell<Option<(Phase, Duration)>>,
}

impl PhaseClock {
    /// What starts and stops it.
    #[must_use]
    pub fn witness(&self) -> Witness {
        let sums = Rc::clone(&self.0);
        Rc::new(move |next| {
            let now = busy();
            if let Some((phase, began)) = sums.running.take() {
                let sum = &sums.times[phase as usize];
                sum.set(sum.get() + now.saturating_sub(began));
            }
            sums.running.set(next.map(|phase| (phase, now)));
        })
    }

    /// What these phases of so many ticks of a crowd take that has this for its witness. That it is renewed in between
    /// does not count.
    ///
    /// # Panics
    /// When the crowd's world cannot be built anew.
    pub fn ticks(&self, crowd: &mut Crowd, phases: &[Phase], ticks: u64) -> Duration {
        let mut sum = Duration::ZERO;
        for _ in 0..ticks {
            crowd.renew().expect("the same world was built before");
            self.0
                .times
                .iter()
                .for_each(|time| time.set(Duration::ZERO));
            crowd.tick(&mut |_, _| {});
            let times = phases
                .iter()
                .map(|&phase| self.0.times[phase as usize].get());
            sum += times.sum::<Duration>();
        }
        sum
    }
}
