//! `/metrics`: what shards show of themselves, as Prometheus reads it.
//!
//! All labels are bounded: by the shards, by enums of ours, and by the tenants of the options; nothing that a client says is
//! one. Shards know nothing of it: they show their numbers twice a second, and a scrape lays out the last ones.

mod exposition;
mod histogram;
mod per_shard;
mod tally;
mod usage;

use std::collections::BTreeMap;
use std::time::Instant;

use worldshard_protocol::ErrorCode;

use super::control::Stop;
use super::phase_times::Phase;
use super::process::{Process, ShardReport};
use crate::hub::{CloseKind, LaneTraffic, ShardStatus};
use crate::policy::TenantStatus;
pub(crate) use exposition::CONTENT_TYPE;
use exposition::{Exposition, Kind};
pub(crate) use histogram::RecentTimes;
use per_shard::PER_SHARD;
pub(crate) use tally::{Refused, Tally, Unaccepted};

/// The answer to a scrape.
pub(crate) fn scrape(process: &Process, now: Instant) -> String {
    let reports = process.statuses();
    let names: Vec<String> = reports
        .iter()
        .map(|one| one.hub.shard.to_string())
        .collect();
    let shards: Vec<(&str, &ShardReport)> =
        names.iter().map(String::as_str).zip(&reports).collect();
    let mut text = Exposition::default();
    of_process(&mut text, process, now);
    for metric in &PER_SHARD {
        text.family(metric.name, metric.kind, metric.help);
        for (shard, report) in &shards {
            text.sample(metric.name, &[("shard", shard)], (metric.value)(report));
        }
    }
    by_label(&mut text, &shards);
    by_lane(&mut text, &shards);
    times(&mut text, &shards);
    tenants(&mut text, process);
    text.into_text()
}

fn of_process(text: &mut Exposition, process: &Process, now: Instant) {
    let one = |text: &mut Exposition, name, kind, help, value: f64| {
        text.family(name, kind, help);
        text.sample(name, &[], value);
    };
    let build = "worldshard_build_info";
    text.family(build, Kind::Gauge, "1, with what runs as labels.");
    let version = env!("CARGO_PKG_VERSION");
    let labels = [("version", version), ("runtime", process.runtime)];
    text.sample(build, &labels, 1.0);
    let gauge = Kind::Gauge;
    let shards = f64::from(process.shards);
    one(text, "worldshard_shards", gauge, "Shards.", shards);
    let stale = process.liveness.stale(now).len() as f64;
    let help = "Shards that have not turned their loop for a second.";
    one(text, "worldshard_shards_stale", gauge, help, stale);
    let draining = process.control.stop() != Stop::No;
    let help = "1 while the server stops.";
    one(
        text,
        "worldshard_draining",
        gauge,
        help,
        f64::from(draining),
    );
    let connections = f64::from(process.liveness.connections());
    let help = "Connections now, those without a session too.";
    one(text, "worldshard_connections", gauge, help, connections);
    let limits = &process.recipe.options().limits;
    let help = "One more connection is refused.";
    let max = f64::from(limits.connections_max);
    one(text, "worldshard_connections_max", gauge, help, max);
    let interval = process.recipe.world().config.tick_interval;
    let help = "Time between two ticks, as wanted.";
    let name = "worldshard_tick_interval_seconds";
    one(text, name, gauge, help, interval.as_secs_f64());
    let refused = "worldshard_connections_refused_total";
    let help = "Connections refused before anything of them was read.";
    text.family(refused, Kind::Counter, help);
    for (why, count) in process.refused.iter() {
        text.sample(refused, &[("reason", why.as_str())], count as f64);
    }
    let usage = usage::usage();
    let name = "worldshard_process_cpu_seconds_total";
    let help = "CPU time of the process.";
    one(text, name, Kind::Counter, help, usage.cpu.as_secs_f64());
    if let Some(bytes) = usage.resident_bytes {
        let name = "worldshard_process_resident_memory_bytes";
        one(text, name, gauge, "Memory in use.", bytes as f64);
    }
    if let Some(count) = usage.descriptors {
        let name = "worldshard_process_open_fds";
        one(text, name, gauge, "Open descriptors.", count as f64);
    }
}

/// Counters with a second label, whose values are those of an enum.
fn by_label(text: &mut Exposition, shards: &[(&str, &ShardReport)]) {
    let name = "worldshard_upgrades_total";
    text.family(
        name,
        Kind::Counter,
        "Answers to WebSocket upgrades, by status.",
    );
    for (shard, report) in shards {
        let statuses = tally::ANSWERS.map(|status| status.to_string());
        let names = statuses.iter().map(String::as_str).chain(["other"]);
        for (status, count) in names.zip(report.tally.upgrades) {
            text.sample(name, &[("shard", shard), ("status", status)], count as f64);
        }
    }
    let name = "worldshard_http_responses_total";
    text.family(
        name,
        Kind::Counter,
        "Answers to other requests, by class of status.",
    );
    for (shard, report) in shards {
        let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"];
        for (class, count) in classes.into_iter().zip(report.tally.responses) {
            text.sample(name, &[("shard", shard), ("class", class)], count as f64);
        }
    }
    let name = "worldshard_turned_away_total";
    let help = "Upgraded connections that were closed without a session, by code.";
    text.family(name, Kind::Counter, help);
    for (shard, report) in shards {
        for (code, count) in ErrorCode::ALL.into_iter().zip(report.tally.turned_away) {
            let labels = [("shard", *shard), ("code", code.as_str())];
            text.sample(name, &labels, count as f64);
        }
    }
    let name = "worldshard_closes_total";
    text.family(
        name,
        Kind::Counter,
        "Sessions that ended, by who ended them and how.",
    );
    for (shard, report) in shards {
        for kind in CloseKind::ALL.map(CloseKind::as_str) {
            let count = report.hub.closes.get(kind).copied().unwrap_or_default();
            text.sample(name, &[("shard", shard), ("reason", kind)], count as f64);
        }
    }
    let name = "worldshard_refusals_total";
    text.family(name, Kind::Counter, "Messages refused, by code.");
    for (shard, report) in shards {
        for (code, count) in &report.hub.refusals {
            text.sample(name, &[("shard", shard), ("code", code)], *count as f64);
        }
    }
}

/// What is said and heard, by lane.
fn by_lane(text: &mut Exposition, shards: &[(&str, &ShardReport)]) {
    for (name, help, value) in PER_LANE {
        text.family(name, Kind::Counter, help);
        for (shard, report) in shards {
            for (lane, count) in value(&report.hub) {
                let labels = [("shard", *shard), ("lane", lane)];
                text.sample(name, &labels, count as f64);
            }
        }
    }
}

fn times(text: &mut Exposition, shards: &[(&str, &ShardReport)]) {
    let name = "worldshard_tick_step_seconds";
    let help = "Time that both halves of a tick took, waiting for other shards excluded.";
    text.family(name, Kind::Histogram, help);
    for (shard, report) in shards {
        text.histogram(name, &[("shard", shard)], &report.tally.step);
    }
    let name = "worldshard_tick_lateness_seconds";
    text.family(
        name,
        Kind::Histogram,
        "How late ticks began, by their schedule.",
    );
    for (shard, report) in shards {
        text.histogram(name, &[("shard", shard)], &report.tally.lateness);
    }
    let name = "worldshard_tick_phase_cpu_seconds";
    text.family(name, Kind::Histogram, "CPU time of a tick, by phase.");
    for (shard, report) in shards {
        for (phase, times) in Phase::ALL.into_iter().zip(&report.tally.phases) {
            let labels = [("shard", *shard), ("phase", phase.as_str())];
            text.histogram(name, &labels, times);
        }
    }
}

/// What tenants have and were refused: of all shards together, since a tenant has no shard.
fn tenants(text: &mut Exposition, process: &Process) {
    let statuses = process.policies.rules().statuses();
    for (name, kind, help, value) in PER_TENANT {
        text.family(name, kind, help);
        for one in &statuses {
            text.sample(name, &[("tenant", &one.tenant)], value(one));
        }
    }
    let name = "worldshard_tenant_refused_total";
    text.family(
        name,
        Kind::Counter,
        "Who was not let in to a tenant, by reason.",
    );
    for one in &statuses {
        for (reason, count) in &one.refused {
            let labels = [("tenant", one.tenant.as_str()), ("reason", *reason)];
            text.sample(name, &labels, *count as f64);
        }
    }
    let name = "worldshard_strangers_refused_total";
    text.family(
        name,
        Kind::Counter,
        "The same of who named no tenant that there is.",
    );
    for (reason, count) in process.policies.strangers() {
        text.sample(name, &[("reason", reason)], count as f64);
    }
}

/// A metric of each lane of a shard.
type PerLane = (
    &'static str,
    &'static str,
    fn(&ShardStatus) -> Vec<(&'static str, u64)>,
);

const PER_LANE: [PerLane; 4] = [
    (
        "worldshard_messages_received_total",
        "Messages of clients, by lane.",
        |hub| each(&hub.lanes_in, |one| one.messages),
    ),
    (
        "worldshard_messages_received_bytes_total",
        "Their bytes.",
        |hub| each(&hub.lanes_in, |one| one.bytes),
    ),
    (
        "worldshard_frames_sent_total",
        "Frames given to connections, by lane: one for each message and each who gets it.",
        |hub| each(&hub.lanes_out, |one| one.messages),
    ),
    (
        "worldshard_frames_sent_bytes_total",
        "Their bytes.",
        |hub| each(&hub.lanes_out, |one| one.bytes),
    ),
];

fn each(
    lanes: &BTreeMap<&'static str, LaneTraffic>,
    value: fn(&LaneTraffic) -> u64,
) -> Vec<(&'static str, u64)> {
    lanes
        .iter()
        .map(|(lane, one)| (*lane, value(one)))
        .collect()
}

/// A metric of each tenant.
type PerTenant = (&'static str, Kind, &'static str, fn(&TenantStatus) -> f64);

const PER_TENANT: [PerTenant; 5] = [
    (
        "worldshard_tenant_sessions",
        Kind::Gauge,
        "Sessions now, those included that wait for another connection.",
        |one| f64::from(one.sessions),
    ),
    (
        "worldshard_tenant_sessions_max",
        Kind::Gauge,
        "One more is refused; 0 for no limit.",
        |one| f64::from(one.sessions_max),
    ),
    (
        "worldshard_tenant_sessions_opened_total",
        Kind::Counter,
        "Sessions opened.",
        |one| one.opened as f64,
    ),
    (
        "worldshard_tenant_rooms",
        Kind::Gauge,
        "Rooms now.",
        |one| f64::from(one.rooms),
    ),
    (
        "worldshard_tenant_rooms_max",
        Kind::Gauge,
        "One more is refused; 0 for no limit.",
        |one| f64::from(one.rooms_max),
    ),
];
