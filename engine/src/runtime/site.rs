//! What every server answers by itself: whether it lives, whether it takes more, and how it is. Never user routes: those
//! are the application's.

use std::time::Instant;

use worldshard_spatial::ShardId;
use worldshard_transport::{Refusal, RequestHead, Response};

use super::control::Stop;
use super::metrics;
use super::process::{Process, ShardReport};

/// The answer to `/healthz`, `/readyz` or `/status`, and to `/metrics` where clients may see it; `None` for any other path.
pub(crate) fn respond(process: &Process, head: &RequestHead, now: Instant) -> Option<Response> {
    let answer = match head.path.as_str() {
        "/healthz" => health,
        "/readyz" => readiness,
        "/status" => status,
        "/metrics" if process.recipe.options().public_metrics => metrics,
        _ => return None,
    };
    Some(match head.method.as_str() {
        "GET" | "HEAD" => answer(process, now),
        _ => Refusal::new(405, "this is read by GET").response(),
    })
}

/// Whether all shards live.
pub(crate) fn health(process: &Process, now: Instant) -> Response {
    let stale = process.liveness.stale(now);
    match stale.is_empty() {
        true => Response::text(200, "ok\n"),
        false => unhealthy(&stale),
    }
}

/// The answer that names the shards which stand still.
pub(crate) fn unhealthy(stale: &[ShardId]) -> Response {
    let names: Vec<String> = stale.iter().map(|shard| shard.0.to_string()).collect();
    Response::text(503, format!("stale shards: {}\n", names.join(", ")))
}

/// Whether newcomers are welcome, and why not.
pub(crate) fn readiness(process: &Process, now: Instant) -> Response {
    if process.control.stop() != Stop::No {
        return Response::text(503, "draining\n");
    }
    let stale = process.liveness.stale(now);
    if stale.len() == usize::from(process.shards) {
        return Response::text(503, "no shard lives\n");
    }
    let (connections, max) = (
        process.liveness.connections(),
        process.recipe.options().limits.connections_max,
    );
    if connections >= max {
        let text = format!("overloaded: {connections} connections, at most {max}\n");
        return Response::text(503, text);
    }
    let full = |one: &ShardReport| {
        one.letters >= one.letters_max || one.letters_kept > one.letters_kept_max
    };
    if let Some(report) = process.statuses().iter().find(|one| full(one)) {
        let shard = report.hub.shard;
        return Response::text(503, format!("overloaded: the mailbox of shard {shard}\n"));
    }
    Response::text(200, "ready\n")
}

/// How the process and each shard are, in JSON.
pub(crate) fn status(process: &Process, now: Instant) -> Response {
    let stale: Vec<u16> = process
        .liveness
        .stale(now)
        .iter()
        .map(|shard| shard.0)
        .collect();
    let status = serde_json::json!({
        "stale_shards": stale,
        "draining": process.control.stop() != Stop::No,
        "connections": process.liveness.connections(),
        "idle_seconds": process.liveness.idle(now).as_secs(),
        "tick": process.liveness.tick().0,
        "runtime": process.runtime,
        "tenants": process.policies.rules().statuses(),
        "refused_strangers": process.policies.strangers(),
        "shards": process.statuses(),
    });
    Response::json(200, status.to_string())
}

/// All counters and gauges, for Prometheus.
pub(crate) fn metrics(process: &Process, now: Instant) -> Response {
    Response::new(200, metrics::CONTENT_TYPE, metrics::scrape(process, now))
}
