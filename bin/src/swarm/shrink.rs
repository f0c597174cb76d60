//! Makes a run that fails smaller, as long as it fails: fewer kinds of faults, ticks, clients, entities and shards.
//!
//! Never asks why it fails: another failure is as good.

use worldshard::sim::FaultKind;
use worldshard::sim::check::Check;

use crate::cli::SimulateArgs;

/// The smallest run that was found to fail.
pub(super) fn shrink(first: &SimulateArgs, fails: impl Fn(&SimulateArgs) -> bool) -> SimulateArgs {
    let mut smallest = first.clone();
    let take = |smallest: &mut SimulateArgs, change: &dyn Fn(&mut SimulateArgs)| {
        let mut smaller = smallest.clone();
        change(&mut smaller);
        let is_taken = fails(&smaller);
        if is_taken {
            *smallest = smaller;
        }
        is_taken
    };
    take(&mut smallest, &|run| run.check = Some(Check::All));
    loop {
        let mut changed = false;
        for kind in FaultKind::ALL {
            if !smallest.without.contains(&kind) {
                changed |= take(&mut smallest, &|run| run.without.push(kind));
            }
        }
        for part in [2, 4, 8, 16, 64] {
            while smallest.ticks >= part
                && take(&mut smallest, &|run| run.ticks -= run.ticks.div_ceil(part))
            {
                changed = true;
            }
            while u64::from(smallest.clients) >= part
                && take(&mut smallest, &|run| {
                    run.clients -= run.clients.div_ceil(part as u32);
                })
            {
                changed = true;
            }
            while smallest.world.entities >= part
                && take(&mut smallest, &|run| {
                    run.world.entities -= run.world.entities.div_ceil(part);
                })
            {
                changed = true;
            }
        }
        while smallest.shards > 1 && take(&mut smallest, &|run| run.shards -= 1) {
            changed = true;
        }
        if !changed {
            return smallest;
        }
    }
}
