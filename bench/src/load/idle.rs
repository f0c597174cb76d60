//! Connections that say nothing: what each makes the server hold, and what it spends on them.

use std::time::Duration;

use super::counts::Counts;
use super::fleet::{Actor, Heard};
use super::outcome;
use super::plan::Plan;
use super::report::Report;
use super::runner::{Failed, Meter, Runner};
use crate::clock;

/// Clients that listen.
pub(crate) struct Silent {
    counts: Counts,
}

impl Silent {
    pub(crate) fn new() -> Self {
        Self {
            counts: Counts::new(),
        }
    }
}

impl Actor for Silent {
    fn counts(&mut self) -> &mut Counts {
        &mut self.counts
    }

    fn heard(&mut self, _who: usize, message: Heard<'_>, _out: &mut Vec<u8>, _now: Duration) {
        self.counts.came(message.payload.len());
    }
}

pub(crate) fn run(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Report, Failed> {
    let mut runner = Runner::new(plan, plan.connections, Silent::new(), progress)?;
    runner.open(0..plan.connections, None)?;
    runner.listen(clock::now() + plan.warmup)?;
    let meter = Meter::begin(plan.pid)?;
    let now = clock::now();
    runner.actor.counts().begin(now, plan.window);
    runner.listen(now + plan.window)?;
    let window = meter.end()?;
    let mut report = outcome::report(&mut runner, &window);
    let grown = report.server.as_ref().map(|server| {
        let (before, after) = (server.rss_bytes_before, server.rss_bytes_after);
        (after as f64 - before as f64) / plan.connections as f64
    });
    report.bytes_per_connection = grown;
    report.cpu_us_per_message = None;
    outcome::judge(plan, &mut report);
    runner.fleet.cut_all();
    Ok(report)
}

impl Runner<'_, Silent> {
    fn listen(&mut self, until: Duration) -> Result<(), Failed> {
        loop {
            let left = until.saturating_sub(clock::now());
            if left.is_zero() {
                return Ok(());
            }
            self.tell(|| format!("all are open, {left:.0?} left"));
            let patience = left.min(Duration::from_secs(1));
            self.await_that(patience, |_, _| false)?;
        }
    }
}
