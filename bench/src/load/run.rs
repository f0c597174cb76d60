//! One run from the first connection to the report: open, warm up, measure, wait for what is on its way.

use std::time::Duration;

use super::echo::Echo;
use super::fanout::Fanout;
use super::fleet::Actor;
use super::outcome;
use super::plan::{Plan, Scenario, Stallable};
use super::report::Report;
use super::runner::{Failed, GLANCE, Meter, OPENING_PATIENCE, Runner, Window};
use super::schedule::{Due, Schedule};
use super::sink::Sink;
use super::world::World;
use super::{idle, storm};
use crate::clock;

/// Runs a plan; `progress` hears a line every two seconds.
///
/// # Errors
/// When there is nothing to report: the plan cannot be, or the server cannot be reached. What a server does wrong
/// once it was reached is in the report.
pub fn run(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Report, Failed> {
    plan.check()?;
    match plan.scenario {
        Scenario::Echo(pace) => drive(plan, Echo::new(plan, pace), progress),
        Scenario::Broadcast { rate_hz }
        | Scenario::Stalled {
            of: Stallable::Broadcast { rate_hz },
            ..
        } => drive(plan, Fanout::broadcast(plan, rate_hz), progress),
        Scenario::AllToAll { rate_hz } => drive(plan, Fanout::all_to_all(plan, rate_hz), progress),
        Scenario::Rooms { rate_hz } => drive(plan, Fanout::rooms(plan, rate_hz), progress),
        Scenario::World { radius_m, steer_hz }
        | Scenario::Stalled {
            of: Stallable::World { radius_m, steer_hz },
            ..
        } => drive(plan, World::new(plan, radius_m, steer_hz), progress),
        Scenario::Sink { steer_hz } => drive(plan, Sink::new(plan, steer_hz), progress),
        Scenario::Idle => idle::run(plan, progress),
        Scenario::Storm { rate_hz } => storm::run(plan, rate_hz, progress),
    }
}

/// An actor that runs by a schedule, or by what comes.
pub(crate) trait Driven: Actor {
    /// When what is sent.
    fn schedule(&mut self) -> Option<&mut Schedule>;

    /// The connection of a sender of the schedule.
    fn connection_of(&self, sender: usize) -> usize {
        sender
    }

    /// Sends what is due.
    fn say(&mut self, due: Due, out: &mut Vec<u8>);

    /// Whether all clients are where the load may begin.
    fn is_ready(&self) -> bool;

    /// The load begins.
    fn begin(&mut self) {}

    /// Nothing more is sent.
    fn end(&mut self) {}

    /// Clients from this number on no longer read.
    fn stall(&mut self, _from: usize) {}

    /// Messages that are to come still.
    fn missing(&self) -> u64;

    /// A window begins.
    fn window_began(&mut self) {}

    /// What only this scenario reports.
    fn report(&mut self, _window: &Window, _report: &mut Report) {}
}

impl<A: Driven> Runner<'_, A> {
    /// Sends what is due and hears what comes, until `until`.
    fn go_on(&mut self, until: Duration, what: &str) -> Result<(), Failed> {
        loop {
            let now = clock::now();
            if now >= until {
                return Ok(());
            }
            let delivered = self.actor.counts().delivered;
            self.tell(|| format!("{what}, {:.0?} left, {delivered} delivered", until - now));
            // Reading must not wait for a long row of sends.
            for _ in 0..SENDS_IN_A_ROW_MAX {
                let now = clock::now();
                let due = self.actor.schedule().and_then(|one| one.take_due(now));
                let Some(due) = due else { break };
                let who = self.actor.connection_of(due.sender);
                if let Some(out) = self.fleet.out(who) {
                    self.actor.say(due, out);
                    self.actor.counts().left(due.at, now);
                    self.fleet.flush(who, &mut self.actor);
                }
            }
            let next = self.actor.schedule().and_then(|one| one.next_at());
            let wake = next.unwrap_or(until).min(until).min(now + GLANCE);
            self.fleet.poll(&mut self.actor, wake)?;
        }
    }

    /// Begins the load.
    fn begin(&mut self, clients: usize) {
        let now = clock::now();
        if let Some(schedule) = self.actor.schedule() {
            schedule.begin(now);
        }
        self.actor.begin();
        for who in 0..clients {
            if let Some(out) = self.fleet.out(who) {
                self.actor.rested(who, out, now);
                self.fleet.flush(who, &mut self.actor);
            }
        }
    }

    fn measure(&mut self, what: &str) -> Result<Window, Failed> {
        let meter = Meter::begin(self.plan.pid)?;
        let now = clock::now();
        self.actor.counts().begin(now, self.plan.window);
        self.actor.window_began();
        self.go_on(now + self.plan.window, what)?;
        let window = meter.end();
        self.actor.counts().counting = false;
        window
    }
}

fn drive<A: Driven>(
    plan: &Plan,
    actor: A,
    progress: &mut dyn FnMut(&str),
) -> Result<Report, Failed> {
    let one_more = matches!(
        plan.scenario,
        Scenario::Broadcast { .. }
            | Scenario::Stalled {
                of: Stallable::Broadcast { .. },
                ..
            }
    );
    let connections = plan.connections + usize::from(one_more);
    let mut runner = Runner::new(plan, connections, actor, progress)?;
    let readers = plan.connections - plan.stalled();
    if plan.stalled() > 0 {
        // The sender of a broadcast comes last, and reads.
        runner.fleet.set_narrow(readers..plan.connections);
    }
    runner.open(0..connections, None)?;
    if !runner.await_that(OPENING_PATIENCE, |_, actor| actor.is_ready())? {
        return Err(Failed::Server(format!(
            "the clients are connected, but not all were let in within {OPENING_PATIENCE:?}: {:?}",
            runner.actor.counts().faults.examples
        )));
    }
    if plan.target.dialect.greets() {
        runner.await_that(HELLO_TAKES, |_, _| false)?;
    }
    runner.begin(connections);
    runner.go_on(clock::now() + plan.warmup, "warming up")?;
    let mut quiet = None;
    if plan.stalled() > 0 {
        let window = runner.measure("all read")?;
        let mut report = outcome::report(&mut runner, &window);
        runner.actor.report(&window, &mut report);
        quiet = Some((window, report));
        runner.actor.stall(readers);
        runner.fleet.stall(readers..plan.connections)?;
        runner.go_on(clock::now() + plan.warmup, "some stopped reading")?;
    }
    let window = runner.measure("measuring")?;
    if let Some(schedule) = runner.actor.schedule() {
        schedule.end();
    }
    runner.actor.end();
    runner.await_that(DRAIN_PATIENCE, |_, actor| actor.missing() == 0)?;
    let missing = runner.actor.missing();
    if missing > 0 {
        let faults = &mut runner.actor.counts().faults;
        faults.lost += missing;
        faults.tell(|| format!("{missing} messages did not come within {DRAIN_PATIENCE:?}"));
    }
    let mut report = outcome::report(&mut runner, &window);
    runner.actor.report(&window, &mut report);
    if let Some((quiet_window, quiet)) = quiet {
        report.stalled = Some(outcome::stalled(&runner, &quiet_window, quiet, &window));
    }
    outcome::judge(plan, &mut report);
    runner.fleet.cut_all();
    Ok(report)
}

/// How long messages may be on their way behind the last window.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);

/// Sends without reading in between.
const SENDS_IN_A_ROW_MAX: usize = 64;

/// No dialect has an answer to a hello that all share: a server has so long to take in all of them.
const HELLO_TAKES: Duration = Duration::from_millis(300);
