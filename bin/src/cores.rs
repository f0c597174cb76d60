//! Keeps the command on one core. Never used by `serve`: the engine pins its own threads.

use crate::failure::Failure;

/// Keeps this thread, and those it starts, on one core.
pub(crate) fn pin(core: usize) -> Result<(), Failure> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let refuse = |why: String| Err(Failure::usage(format!("--pin {core}: {why}")));
    let allowed = match sched_getaffinity(None) {
        Ok(allowed) => allowed,
        Err(error) => return refuse(error.to_string()),
    };
    if core >= CpuSet::MAX_CPU || !allowed.is_set(core) {
        let usable = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        let usable: Vec<String> = usable.map(|core| core.to_string()).collect();
        return refuse(format!("not a core of this process; {}", usable.join(", ")));
    }
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).or_else(|error| refuse(error.to_string()))
}
