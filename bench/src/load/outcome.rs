//! Makes a report of what was counted and measured, and judges whether it may be used.

use super::counts::buckets;
use super::fleet::Actor;
use super::plan::{Pace, Plan, Scenario, Stallable};
use super::report::{
    GeneratorReport, Latencies, Offered, Report, SCHEMA, ServerReport, StalledReport,
};
use super::runner::{Runner, Window};

/// What all scenarios report alike.
pub(crate) fn report<A: Actor>(runner: &mut Runner<'_, A>, window: &Window) -> Report {
    let plan = runner.plan;
    let counts = runner.actor.counts();
    let seconds = window.length.as_secs_f64();
    let cpu = window.server.as_ref().map(|spent| spent.cpu);
    let per = |count: u64| {
        let cpu = cpu.filter(|_| count > 0)?;
        Some(cpu.as_secs_f64() * 1e6 / count as f64)
    };
    let in_world = matches!(
        plan.scenario,
        Scenario::World { .. }
            | Scenario::Sink { .. }
            | Scenario::Stalled {
                of: Stallable::World { .. },
                ..
            }
    );
    let server = window.server.as_ref().zip(runner.before.as_ref());
    Report {
        schema: SCHEMA,
        scenario: plan.scenario.name().to_owned(),
        connections: plan.connections as u64,
        payload_bytes: if has_payload(&plan.scenario) {
            plan.payload_bytes as u64
        } else {
            0
        },
        warmup_s: plan.warmup.as_secs_f64(),
        seconds,
        offered: offered(plan),
        sent: counts.sent,
        delivered: counts.delivered,
        delivered_per_s: counts.delivered as f64 / seconds,
        cpu_us_per_message: per(counts.delivered),
        cpu_us_per_client_tick: per(counts.delivered).filter(|_| in_world),
        cpu_us_per_handshake: None,
        bytes_per_connection: None,
        latency_us: Latencies::of(&counts.latency),
        latency_histogram: buckets(&counts.latency),
        server: server.map(|(spent, before)| ServerReport {
            pid: plan.pid.unwrap_or(0),
            cpu_s: spent.cpu.as_secs_f64(),
            cpu_cores: spent.cpu.as_secs_f64() / seconds,
            rss_bytes_before: before.resident_bytes,
            rss_bytes_after: spent.after.resident_bytes,
            pss_bytes_before: before.proportional_bytes,
            pss_bytes_after: spent.after.proportional_bytes,
        }),
        generator: GeneratorReport {
            cpu_s: window.own_cpu.as_secs_f64(),
            cpu_cores: window.own_cpu.as_secs_f64() / seconds,
            lag_us: Latencies::of(&counts.lag),
            others_cpu_cores: window
                .server
                .as_ref()
                .map(|spent| spent.others_cpu.as_secs_f64() / seconds),
        },
        world: None,
        storm: None,
        stalled: None,
        faults: counts.faults.clone(),
        valid: true,
        why_invalid: Vec::new(),
    }
}

/// What is to be known of a run with clients that do not read, beside what it came to for the others.
pub(crate) fn stalled<A>(
    runner: &Runner<'_, A>,
    quiet_window: &Window,
    quiet: Report,
    window: &Window,
) -> StalledReport {
    let connections = runner.plan.stalled();
    let grown = quiet_window.server.as_ref().zip(window.server.as_ref());
    let grown = grown.map(|(before, after)| {
        let (before, after) = (before.after.resident_bytes, after.after.resident_bytes);
        after as f64 - before as f64
    });
    StalledReport {
        connections: connections as u64,
        closed: runner.fleet.closed_unread as u64,
        bytes_per_stalled: grown.map(|bytes| bytes / connections as f64),
        quiet_latency_us: quiet.latency_us,
        quiet_lateness_us: quiet.world.and_then(|world| world.lateness_us),
        quiet_cpu_us_per_message: quiet.cpu_us_per_message,
    }
}

/// Says whether the figures may be used, and why not.
pub(crate) fn judge(plan: &Plan, report: &mut Report) {
    let mut why = Vec::new();
    if !report.faults.is_empty() {
        let first = report.faults.examples.first();
        let first = first.map_or("", String::as_str);
        why.push(format!("the server did not do as it should: {first}"));
    }
    let expects_messages = !matches!(plan.scenario, Scenario::Idle | Scenario::Storm { .. });
    if expects_messages && report.delivered == 0 {
        why.push("nothing was delivered".to_owned());
    }
    if let Some(lag) = report.generator.lag_us
        && lag.p99 > plan.lag_max.as_secs_f64() * 1e6
    {
        why.push(format!(
            "the generator sent late: one send in a hundred by {:.1} ms or more, {:?} are allowed (--lag-max)",
            lag.p99 / 1e3,
            plan.lag_max
        ));
    }
    let own = report.generator.cpu_cores;
    let server = report
        .server
        .as_ref()
        .map_or(0.0, |server| server.cpu_cores);
    let each_answer_brings_the_next = matches!(plan.scenario, Scenario::Echo(Pace::InFlight(_)));
    // Where each answer brings the next message both ends may be busy all the time; the generator was the limit when
    // the server had time to spare.
    let is_limit = if each_answer_brings_the_next {
        own > BUSY_CORES && server < SPARE_CORES && report.server.is_some()
    } else {
        own > BUSY_CORES && report.generator.lag_us.is_some()
    };
    if is_limit {
        why.push(format!(
            "the generator was the limit: it used {:.0} % of its core; fewer --connections or a lower rate",
            own * 100.0
        ));
    }
    report.valid = why.is_empty();
    report.why_invalid = why;
}

fn has_payload(scenario: &Scenario) -> bool {
    match scenario {
        Scenario::Echo(_)
        | Scenario::Broadcast { .. }
        | Scenario::AllToAll { .. }
        | Scenario::Rooms { .. } => true,
        Scenario::Stalled { of, .. } => matches!(of, Stallable::Broadcast { .. }),
        Scenario::World { .. }
        | Scenario::Sink { .. }
        | Scenario::Idle
        | Scenario::Storm { .. } => false,
    }
}

fn offered(plan: &Plan) -> Offered {
    let each = |rate_hz: f64| Offered {
        messages_per_s: Some(rate_hz * plan.connections as f64),
        ..Offered::default()
    };
    let one = |rate_hz| Offered {
        messages_per_s: Some(rate_hz),
        ..Offered::default()
    };
    match plan.scenario {
        Scenario::Echo(Pace::InFlight(count)) => Offered {
            in_flight: Some(count),
            ..Offered::default()
        },
        Scenario::Echo(Pace::RateHz(rate_hz))
        | Scenario::AllToAll { rate_hz }
        | Scenario::Rooms { rate_hz } => each(rate_hz),
        Scenario::World { steer_hz, .. }
        | Scenario::Sink { steer_hz }
        | Scenario::Stalled {
            of: Stallable::World { steer_hz, .. },
            ..
        } => each(steer_hz),
        Scenario::Broadcast { rate_hz }
        | Scenario::Stalled {
            of: Stallable::Broadcast { rate_hz },
            ..
        } => one(rate_hz),
        Scenario::Idle => Offered::default(),
        Scenario::Storm { rate_hz } => Offered {
            connections_per_s: rate_hz,
            ..Offered::default()
        },
    }
}

/// A generator that uses more of its core has none to spare.
const BUSY_CORES: f64 = 0.95;

/// A server that uses less of a core could have done more.
const SPARE_CORES: f64 = 0.8;
