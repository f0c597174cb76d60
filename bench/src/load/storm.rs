//! Connections that are opened as fast as they go, or at a rate, and closed when all are open.

use std::time::Duration;

use super::counts::Counts;
use super::fleet::{Actor, Heard};
use super::outcome;
use super::plan::Plan;
use super::report::{Report, StormReport};
use super::runner::{Failed, Meter, Runner};
use crate::clock;

/// Clients that wait for the answer to their upgrade.
struct Guests {
    counts: Counts,
    /// When each was due to connect.
    due: Vec<Duration>,
}

impl Actor for Guests {
    fn counts(&mut self) -> &mut Counts {
        &mut self.counts
    }

    fn connecting(&mut self, who: usize, due: Duration) {
        self.due[who] = due;
    }

    fn opened(&mut self, who: usize, _out: &mut Vec<u8>) {
        self.counts.took(self.due[who], clock::now());
    }

    fn heard(&mut self, _who: usize, message: Heard<'_>, _out: &mut Vec<u8>, _now: Duration) {
        self.counts.came(message.payload.len());
    }
}

pub(crate) fn run(
    plan: &Plan,
    rate_hz: Option<f64>,
    progress: &mut dyn FnMut(&str),
) -> Result<Report, Failed> {
    // A server's first connections make it take memory from the system.
    let first = (plan.connections / 10).clamp(1, FIRST_MAX);
    let all = first + plan.connections;
    let guests = Guests {
        counts: Counts::new(),
        due: vec![Duration::ZERO; all],
    };
    let mut runner = Runner::new(plan, all, guests, progress)?;
    runner.open(0..first, None)?;
    runner.close()?;

    let meter = Meter::begin(plan.pid)?;
    let begun = clock::now();
    runner.actor.counts().begin(begun, LONGEST);
    runner.open(first..all, rate_hz)?;
    let window = meter.end()?;
    let mut report = outcome::report(&mut runner, &window);
    let closing = Meter::begin(plan.pid)?;
    runner.close()?;
    let closed = closing.end()?;

    let handshakes = plan.connections as f64;
    let per = |spent: Option<Duration>| spent.map(|cpu| cpu.as_secs_f64() * 1e6 / handshakes);
    report.cpu_us_per_handshake = per(window.server.map(|spent| spent.cpu));
    report.cpu_us_per_message = None;
    report.warmup_s = 0.0;
    report.storm = Some(StormReport {
        handshakes_per_s: handshakes / window.length.as_secs_f64(),
        cpu_us_per_close: per(closed.server.map(|spent| spent.cpu)),
    });
    outcome::judge(plan, &mut report);
    Ok(report)
}

/// Connections opened and closed before those that count.
const FIRST_MAX: usize = 200;

/// The window ends when all are open.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
