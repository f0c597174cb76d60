//! What every server answers by itself: whether it lives, and how it is. Never user routes: those are the application's.

use std::time::Instant;

use worldshard_spatial::ShardId;
use worldshard_transport::{Refusal, RequestHead, Response};

use super::process::Process;

/// The answer to `/healthz` or `/status`; `None` for any other path.
pub(crate) fn respond(process: &Process, head: &RequestHead, now: Instant) -> Option<Response> {
    let answer = match head.path.as_str() {
        "/healthz" => health,
        "/status" => status,
        _ => return None,
    };
    Some(match head.method.as_str() {
        "GET" | "HEAD" => answer(process, now),
        _ => Refusal::new(405, "this is read by GET").response(),
    })
}

fn health(process: &Process, now: Instant) -> Response {
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

fn status(process: &Process, now: Instant) -> Response {
    let stale: Vec<u16> = process
        .liveness
        .stale(now)
        .iter()
        .map(|shard| shard.0)
        .collect();
    let status = serde_json::json!({
        "stale_shards": stale,
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
