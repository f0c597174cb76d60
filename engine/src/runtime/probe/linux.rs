//! The facts of a Linux machine.

use std::fs;

use rustix::process::{Resource, Rlimit, geteuid, getrlimit};

use super::Fact;
use crate::runtime::{cores, ring};

/// Whether the kernel gives us a ring.
pub(super) fn io_uring() -> Fact {
    let kernel = rustix::system::uname();
    let release = kernel.release().to_string_lossy().into_owned();
    let (ok, found, remedy) = match ring::try_ring() {
        Ok(()) if at_least(&release, 5, 8) => (true, format!("allowed, kernel {release}"), ""),
        Ok(()) => (
            false,
            format!("kernel {release}"),
            "needs kernel 5.8 or newer",
        ),
        Err(error) => (
            false,
            format!("refused: {error}, {}, kernel {release}", filter()),
            "allow io_uring_setup, io_uring_enter and io_uring_register in the container's seccomp profile, \
             as docs/seccomp.json does",
        ),
    };
    fact("io_uring", ok, true, found, remedy)
}

/// Whether a seccomp filter may be what refuses.
fn filter() -> &'static str {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mode = status
        .lines()
        .find_map(|line| line.strip_prefix("Seccomp:"));
    match mode.map(str::trim) {
        Some("0") => "no seccomp filter",
        Some(_) => "under a seccomp filter",
        None => "seccomp unknown",
    }
}

/// The switch that turns io_uring off for all.
pub(super) fn sysctl() -> Fact {
    let name = "kernel.io_uring_disabled";
    let Ok(value) = fs::read_to_string("/proc/sys/kernel/io_uring_disabled") else {
        return fact(name, true, false, "no such switch".to_owned(), "");
    };
    let value = value.trim();
    // With 1 some may: whether we are among them, the ring has told.
    fact(
        name,
        value != "2",
        false,
        value.to_owned(),
        "sysctl kernel.io_uring_disabled=0",
    )
}

/// What executors may lock: the kernel counts it per user, root excepted; glommio asks for its minimum of anyone.
pub(super) fn locked_memory(shards: u16) -> Fact {
    let limit = getrlimit(Resource::Memlock).current;
    let wanted = match geteuid().is_root() {
        true => GLOMMIO_LOCKED_BYTES_MIN,
        false => GLOMMIO_LOCKED_BYTES_MIN.max(u64::from(shards) * EXECUTOR_LOCKED_BYTES),
    };
    let ok = limit.is_none_or(|limit| limit >= wanted);
    fact(
        "locked memory",
        ok,
        true,
        format!("{} of {} KiB wanted", kib(limit), wanted / 1024),
        "raise it: ulimit -l, LimitMEMLOCK= or --ulimit memlock=",
    )
}

/// What threads can be pinned to.
pub(super) fn cores(shards: u16) -> Fact {
    let usable = cores::usable().len();
    fact(
        "usable cores",
        usable >= usize::from(shards),
        false,
        format!("{usable} for {shards} shards"),
        "with fewer cores than shards threads are not pinned: widen the affinity mask or lower --shards",
    )
}

/// What the container's share of the processor is.
pub(super) fn quota(shards: u16) -> Fact {
    let name = "cgroup CPU quota";
    let Some((quota_us, period_us)) = cpu_max() else {
        return fact(name, true, false, "none".to_owned(), "");
    };
    let cores = quota_us as f64 / period_us as f64;
    fact(
        name,
        cores >= f64::from(shards),
        false,
        format!("{cores:.1} cores for {shards} shards"),
        "a quota below the number of shards stops all of them for parts of each period: raise it or lower --shards",
    )
}

/// How many connections fit.
pub(super) fn open_files() -> Fact {
    let Rlimit { current, .. } = getrlimit(Resource::Nofile);
    let ok = current.is_none_or(|limit| limit >= OPEN_FILES_WANTED);
    let found = current.map_or("unlimited".to_owned(), |limit| limit.to_string());
    fact(
        "open files",
        ok,
        false,
        found,
        "each connection takes one: ulimit -n, LimitNOFILE= or --ulimit nofile=",
    )
}

fn fact(
    name: &'static str,
    ok: bool,
    needed_by_glommio: bool,
    found: String,
    remedy: &str,
) -> Fact {
    let remedy = if ok { "" } else { remedy };
    Fact {
        name,
        ok,
        needed_by_glommio,
        found,
        remedy: remedy.to_owned(),
    }
}

/// Quota and period of this process's own group, in microseconds, when there is a quota.
fn cpu_max() -> Option<(u64, u64)> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let text = fs::read_to_string(format!("/sys/fs/cgroup{group}/cpu.max")).ok()?;
    parse_cpu_max(&text)
}

pub(super) fn parse_cpu_max(text: &str) -> Option<(u64, u64)> {
    let (quota_us, period_us) = text.trim().split_once(' ')?;
    let period_us = period_us.parse().ok().filter(|period: &u64| *period > 0)?;
    Some((quota_us.parse().ok()?, period_us))
}

pub(super) fn at_least(release: &str, major: u32, minor: u32) -> bool {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    let mut next = || numbers.next()?.parse::<u32>().ok();
    (next(), next()) >= (Some(major), Some(minor))
}

fn kib(limit: Option<u64>) -> String {
    limit.map_or("unlimited".to_owned(), |bytes| {
        format!("{} KiB", bytes / 1024)
    })
}

/// What glommio demands before it tries.
const GLOMMIO_LOCKED_BYTES_MIN: u64 = 512 * 1024;

/// What one executor registers: its I/O memory, once for each of its three rings.
const EXECUTOR_LOCKED_BYTES: u64 = 3 * 64 * 1024;

const OPEN_FILES_WANTED: u64 = 4096;
