//! What the system says of a process: CPU time and memory, from `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::Duration;

/// What a process has used so far, and holds now.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// User and system time by the account that counts in hundredths of a second.
    coarse: Duration,
    /// Time on a core in nanoseconds, by thread; empty where the system does not say.
    threads: BTreeMap<u32, u64>,
    /// Memory of its own and shared, in RAM.
    pub resident_bytes: u64,
    /// The same, shared pages by the share; 0 where the system does not say.
    pub proportional_bytes: u64,
}

impl Usage {
    /// Of a process that lives.
    ///
    /// # Errors
    /// There is none, or it may not be looked at.
    pub fn of(pid: u32) -> io::Result<Self> {
        let folder = format!("/proc/{pid}");
        let malformed = || io::Error::other(format!("{folder}/stat is not as expected"));
        let stat = fs::read_to_string(format!("{folder}/stat"))?;
        // The name, in parentheses, may hold anything.
        let (_, fields) = stat.rsplit_once(") ").ok_or_else(malformed)?;
        let mut fields = fields.split(' ');
        // A process that has ended and waits for its parent uses nothing any more.
        if fields.next().is_none_or(|state| state == "Z") {
            return Err(io::Error::other("it has ended"));
        }
        let times = fields
            .skip(10)
            .take(2)
            .map_while(|time| time.parse::<u64>().ok());
        let hundredths: u64 = times.sum();
        // Another user's process does not show it.
        let rollup = fs::read_to_string(format!("{folder}/smaps_rollup")).unwrap_or_default();
        let status = fs::read_to_string(format!("{folder}/status"))?;
        Ok(Self {
            coarse: Duration::from_millis(hundredths * 10),
            threads: threads(&folder),
            resident_bytes: kilobytes(&status, "VmRSS:") * 1024,
            proportional_bytes: kilobytes(&rollup, "Pss:") * 1024,
        })
    }

    /// CPU time, user and system, from `before` until now.
    #[must_use]
    pub fn cpu_since(&self, before: &Self) -> Duration {
        let coarse = self.coarse.saturating_sub(before.coarse);
        let ran = |(thread, ran): (&u32, &u64)| {
            let before = before.threads.get(thread).copied().unwrap_or(0);
            ran.saturating_sub(before)
        };
        let fine = Duration::from_nanos(self.threads.iter().map(ran).sum());
        // What threads used that have ended is in the coarse account only.
        let same = fine.abs_diff(coarse) <= COARSE_ERROR;
        if same { fine } else { coarse }
    }
}

/// Time on a core, by thread.
fn threads(folder: &str) -> BTreeMap<u32, u64> {
    let Ok(tasks) = fs::read_dir(format!("{folder}/task")) else {
        return BTreeMap::new();
    };
    let ran = |task: io::Result<fs::DirEntry>| {
        let task = task.ok()?;
        let thread = task.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        Some((thread, text.split(' ').next()?.parse().ok()?))
    };
    tasks.filter_map(ran).collect()
}

/// CPU time that all processes have used, user and system.
pub(crate) fn all_busy() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let times = line.split_whitespace().skip(1).take(3);
    let hundredths: u64 = times.map_while(|time| time.parse::<u64>().ok()).sum();
    Duration::from_millis(hundredths * 10)
}

fn kilobytes(text: &str, field: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number
        .and_then(|number| number.trim().parse().ok())
        .unwrap_or(0)
}

/// Both ends of the coarse account may be off by one of its units, and the fine one by a tick of each thread.
const COARSE_ERROR: Duration = Duration::from_millis(30);

#[cfg(test)]
mod tests;
