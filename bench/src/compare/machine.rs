//! What a reader must know of the machine before believing a figure.

use std::fs;

use serde::{Deserialize, Serialize};

use super::child::usable_processors;

/// Facts of the machine, as the system tells them; "unknown" where it does not.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// Whether it says that it is a virtual one.
    pub is_virtual: bool,
    /// What decides how fast the processor runs.
    pub governor: String,
    /// Of memory in all.
    pub memory_bytes: u64,
    /// Name and version of the kernel.
    pub kernel: String,
    /// Programs that ran or wanted to, on average over the minute before the start.
    pub load_before: f64,
}

impl Machine {
    /// This one, now.
    #[must_use]
    pub fn here() -> Self {
        let cpuinfo = read("/proc/cpuinfo");
        let meminfo = read("/proc/meminfo");
        let field = |name: &str| {
            let line = cpuinfo.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory_kib = meminfo.lines().find_map(|line| {
            let rest = line.strip_prefix("MemTotal:")?;
            rest.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
        });
        let flags = field("flags").unwrap_or_default();
        let load = read("/proc/loadavg");
        Self {
            processor: field("model name").unwrap_or_else(unknown),
            cores: usable_processors().len(),
            is_virtual: flags.split(' ').any(|flag| flag == "hypervisor"),
            governor: known("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            memory_bytes: memory_kib.unwrap_or(0) * 1024,
            kernel: format!("{} {}", known(OS_TYPE), known(OS_RELEASE)),
            load_before: load
                .split(' ')
                .next()
                .and_then(|mean| mean.parse().ok())
                .unwrap_or(0.0),
        }
    }
}

fn known(path: &str) -> String {
    let text = read(path);
    let text = text.trim();
    if text.is_empty() {
        unknown()
    } else {
        text.to_owned()
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

const OS_TYPE: &str = "/proc/sys/kernel/ostype";
const OS_RELEASE: &str = "/proc/sys/kernel/osrelease";
