//! One run: a server on one processor, an attacker on another, which gives way to the probe there.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde::Serialize;

use super::attack::{Attack, Attacked};
use super::probe::{Probe, Times};
use crate::compare::Ended;
use crate::compare::child::{Child, Place, on_processor, usable_processors};

/// What is run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The command, which serves and attacks.
    pub program: PathBuf,
    /// What attackers do.
    pub attack: Attack,
    /// Its name.
    pub name: String,
    /// For how long; it is quiet for a third of that before.
    pub length: Duration,
    /// What drives the server.
    pub runtime: String,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// The name of the attack.
    pub attack: String,
    /// What drove the server.
    pub runtime: String,
    /// Where server and attacker ran, if each had a processor of its own.
    pub processors: Option<(usize, usize)>,
    /// What the probe saw before.
    pub quiet: Times,
    /// And meanwhile.
    pub attacked: Times,
    /// What the attack came to.
    pub attackers: Attacked,
    /// Memory of the server before, at most, and at the end.
    pub resident_bytes: [u64; 3],
    /// It may be so much at most: what it was, what the limits allow for each attacker, and some for the rest.
    pub resident_bytes_max: u64,
}

impl Figures {
    /// How many times later 99 in a hundred echoes came than before.
    #[must_use]
    pub fn p99_ratio(&self) -> f64 {
        self.attacked.p99_us as f64 / self.quiet.p99_us.max(1) as f64
    }

    /// Whether the server held no more than it may.
    #[must_use]
    pub fn is_within_memory(&self) -> bool {
        self.resident_bytes[1] <= self.resident_bytes_max
    }
}

/// Runs it.
///
/// # Errors
/// A program did not start or end, or the probe lost its connection or an answer.
pub fn run(plan: &Plan, stop: &AtomicBool) -> Result<Figures, Ended> {
    let processors = match *usable_processors() {
        [one, other, ..] => Some((one, other)),
        _ => None,
    };
    let place = |processor| Place {
        processor,
        ..Place::default()
    };
    let (of_server, of_others) = processors.unzip();
    let serve = [
        "serve",
        "--log",
        "off",
        "--app",
        "echo",
        "--shards",
        "1",
        "--bind",
        "127.0.0.1:0",
        "--runtime",
        &plan.runtime,
    ];
    let mut server = Child::start(&plan.program, &serve, place(of_server))?;
    let (address, _) = server.ready(stop)?;
    let pid = server.id();
    let mut probe = Probe::connect(address)?;
    // Left to the system it may go where the server is, and wait there for a slice of its own.
    let mut ask = |length| on_processor(of_others, || probe.ask(length));
    // A server's first messages make it take memory from the system.
    ask(WARMUP)??;
    let quiet = ask(plan.length / 3)??;
    let before = memory(pid, "VmRSS:")?;

    let seconds = plan.length.as_secs_f64().to_string();
    let against = address.to_string();
    let attack = [
        "hostile",
        "--attack",
        &plan.name,
        "--against",
        &against,
        "--seconds",
        &seconds,
    ];
    let mut attacker = Child::start(&plan.program, &attack, place(of_others))?;
    let attacked = ask(plan.length)??;
    let (status, said) = attacker.output(ENDS_WITHIN, stop)?;
    if !status.success() {
        return Err(Ended::Failed(format!("the attacker ended with {status}")));
    }
    let attackers: Attacked = serde_json::from_str(said.trim())
        .map_err(|error| Ended::Failed(format!("the attacker said {said:?}: {error}")))?;
    let allowed = plan.attack.connections() as u64 * plan.attack.bytes_each();
    Ok(Figures {
        attack: plan.name.clone(),
        runtime: plan.runtime.clone(),
        processors,
        quiet,
        attacked,
        attackers,
        resident_bytes: [before, memory(pid, "VmHWM:")?, memory(pid, "VmRSS:")?],
        resident_bytes_max: before + allowed + SLACK_BYTES,
    })
}

/// What the system says of a process's memory. Cheap for that process, whatever it holds.
fn memory(pid: u32, field: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    let kibibytes = number.ok_or_else(|| io::Error::other(format!("no {field}")))?;
    Ok(kibibytes * 1024)
}

/// Not measured.
const WARMUP: Duration = Duration::from_millis(500);

/// After the probe.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// For the allocator's own books and what is kept for the next: by the megabyte.
const SLACK_BYTES: u64 = 32 * 1024 * 1024;
