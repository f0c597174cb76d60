//! Which cores this process may use, and pinning threads to them. Asks the affinity mask, never sysfs: containers
//! narrow the first and show the second whole.

/// The number of shards meant by `wish`: itself, or one per usable core for 0.
pub(crate) fn shards(wish: u16) -> u16 {
    match wish {
        0 => one_per_core(),
        _ => wish,
    }
}

/// One shard for each core that this process may use, at least one.
#[must_use]
pub fn one_per_core() -> u16 {
    u16::try_from(usable().len())
        .unwrap_or(u16::MAX)
        .clamp(1, worldshard_protocol::SHARDS_MAX)
}

/// A core for each of `shards` threads; none when there are fewer cores than threads.
pub(crate) fn to_pin(shards: u16) -> Vec<usize> {
    let cores = usable();
    if cores.len() < usize::from(shards) {
        return Vec::new();
    }
    cores
}

/// Numbers of the cores this process may use, ascending.
#[cfg(target_os = "linux")]
pub(crate) fn usable() -> Vec<usize> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    match sched_getaffinity(None) {
        Ok(set) => (0..CpuSet::MAX_CPU)
            .filter(|core| set.is_set(*core))
            .collect(),
        Err(_) => count_as_list(),
    }
}

/// Numbers of the cores this process may use, ascending.
#[cfg(not(target_os = "linux"))]
pub(crate) fn usable() -> Vec<usize> {
    count_as_list()
}

fn count_as_list() -> Vec<usize> {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    (0..count).collect()
}

/// Keeps this thread on `core`; a system that refuses leaves it where it is.
#[cfg(target_os = "linux")]
pub(crate) fn pin(core: usize) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    if let Err(error) = rustix::thread::sched_setaffinity(None, &set) {
        tracing::warn!(core, %error, "the thread is not pinned");
    }
}

/// Threads are not pinned here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn pin(_core: usize) {}
