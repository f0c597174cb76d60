//! What the system says of this process: its CPU time, memory and descriptors. Nothing where it does not say.

use std::fs;
use std::time::Duration;

/// What this process uses.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) descriptors: Option<u64>,
}

/// What this process uses now.
pub(crate) fn usage() -> Usage {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    Usage {
        cpu: Duration::from_secs(part(time.tv_sec)) + Duration::from_nanos(part(time.tv_nsec)),
        resident_bytes: resident_bytes(),
        // The folder's own descriptor is among them.
        descriptors: fs::read_dir("/proc/self/fd")
            .ok()
            .map(|entries| (entries.count() as u64).saturating_sub(1)),
    }
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
