//! What operators may ask, and the answers. All is in the path and the query: bodies are not taken.

use std::time::Instant;

use serde_json::{Value, json};
use worldshard_protocol::{EntityId, SessionId};
use worldshard_spatial::ShardId;
use worldshard_transport::{Refusal, RequestHead, Response};

use super::bans;
use super::errands::{ask, ask_all};
use super::{Shared, json as answer};
use crate::app::RoomId;
use crate::hub::{SessionFilter, SessionInfo};
use crate::policy::TenantIndex;
use crate::runtime::control::Stop;
use crate::runtime::process::Process;
use crate::runtime::site;

/// The answer to a request.
pub(super) fn respond(shared: &Shared, head: &RequestHead, now: Instant) -> Response {
    let process = shared.server.process();
    match (head.path.as_str(), reads(head)) {
        ("/healthz", true) => return site::health(process, now),
        ("/readyz", true) => return site::readiness(process, now),
        _ => {}
    }
    if !is_operator(shared, head) {
        let mut response = Refusal::new(401, "show the token of operators").response();
        let challenge = ("WWW-Authenticate", "Bearer".to_owned());
        response.headers.push(challenge);
        return response;
    }
    if let Err(refused) = takes(head) {
        return refused;
    }
    let (path, is_command) = (head.path.as_str(), head.method == "POST");
    let known = match (path, reads(head), is_command) {
        ("/metrics", true, _) => Ok(site::metrics(process, now)),
        ("/status" | "/v1/status", true, _) => Ok(site::status(process, now)),
        ("/v1/sessions", true, _) => sessions(process, head),
        ("/v1/session", true, _) => session(process, head),
        ("/v1/entity", true, _) => entity(process, head),
        ("/v1/room", true, _) => room(process, head),
        ("/v1/log", true, _) => log(shared),
        ("/v1/log", _, true) => set_log(shared, head),
        ("/v1/broadcast", _, true) => broadcast(process, head),
        ("/v1/kick", _, true) => kick(process, head),
        ("/v1/bans", true, _) => Ok(bans::list(process)),
        ("/v1/ban", _, true) => bans::ban(&shared.server, head),
        ("/v1/unban", _, true) => bans::unban(process, head),
        ("/v1/drain", _, true) => Ok(drain(shared)),
        _ => Err(unknown(path)),
    };
    known.unwrap_or_else(|refused| refused)
}

fn reads(head: &RequestHead) -> bool {
    matches!(head.method.as_str(), "GET" | "HEAD")
}

/// Only the whole token is compared, in time that does not depend on it.
fn is_operator(shared: &Shared, head: &RequestHead) -> bool {
    let mut shown = head.headers("authorization");
    let (Some(first), None) = (shown.next(), shown.next()) else {
        return false;
    };
    let token = first.strip_prefix("Bearer ");
    token.is_some_and(|token| shared.options.token.is(token))
}

/// Whether the path takes all that the query says, said once: a value under a wrong name is one that the operator
/// believes in.
fn takes(head: &RequestHead) -> Result<(), Response> {
    let known = PATHS.iter().find(|(path, _)| *path == head.path);
    let Some((_, names)) = known.filter(|(path, _)| path.starts_with("/v1/")) else {
        return Ok(());
    };
    for (at, key) in head.query_keys().enumerate() {
        if !key.is_empty() && !names.contains(&key.as_ref()) {
            let taken = match names.is_empty() {
                true => "nothing".to_owned(),
                false => names.join(", "),
            };
            return Err(bad(&format!("{key}: unknown; taken is {taken}")));
        }
        if head.query_keys().take(at).any(|before| before == key) {
            return Err(bad(&format!("{key}: said twice")));
        }
    }
    Ok(())
}

fn unknown(path: &str) -> Response {
    let commands = [
        "/v1/broadcast",
        "/v1/kick",
        "/v1/ban",
        "/v1/unban",
        "/v1/drain",
        "/v1/log",
    ];
    match PATHS.iter().any(|(known, _)| *known == path) {
        true if commands.contains(&path) => {
            let mut response = Response::text(405, "this is a command: POST\n");
            response.headers.push(("Allow", "POST".to_owned()));
            response
        }
        true => Refusal::new(405, "this is read by GET").response(),
        false => Refusal::new(404, "nothing is here; docs/operations.md has the paths").response(),
    }
}

fn sessions(process: &Process, head: &RequestHead) -> Result<Response, Response> {
    let text = |name| head.query_value(name).map(|value| value.into_owned());
    let limit = number(head, "limit")?.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(bad(&format!("limit: 1 to {PAGE_MAX}")));
    }
    tenant_of(process, head)?;
    let filter = SessionFilter {
        tenant: text("tenant"),
        user: text("user"),
        after: number(head, "after")?.unwrap_or(0),
        max: limit as usize,
    };
    let max = filter.max;
    let pages = ask_all(process, move |hub| hub.list_sessions(&filter))?;
    let mut all: Vec<SessionInfo> = pages.into_iter().flatten().collect();
    all.sort_by_key(|one| one.session);
    all.truncate(max);
    let is_full = all.len() == max;
    let next = all.last().filter(|_| is_full).map(|one| one.session);
    Ok(answer(200, &json!({ "sessions": all, "next": next })))
}

fn session(process: &Process, head: &RequestHead) -> Result<Response, Response> {
    let (session, home) = session_of(process, head)?;
    let found = ask(process, &[home], move |hub| hub.inspect_session(session))?;
    found_or(found, "no such session")
}

fn entity(process: &Process, head: &RequestHead) -> Result<Response, Response> {
    let id = number(head, "id")?.ok_or_else(|| bad("id: missing"))?;
    let seen = ask_all(process, move |hub| hub.inspect_entity(EntityId(id)))?;
    let (mut owned, mut ghosts) = (Value::Null, Vec::new());
    for one in seen.into_iter().flatten() {
        match one["ghost"] == true {
            true => ghosts.push(one["shard"].clone()),
            false => owned = one,
        }
    }
    if owned.is_null() {
        return Err(missing("no such entity"));
    }
    owned["ghost_on"] = ghosts.into();
    if let Some(fields) = owned.as_object_mut() {
        fields.remove("ghost");
    }
    Ok(answer(200, &owned))
}

fn room(process: &Process, head: &RequestHead) -> Result<Response, Response> {
    let name = head
        .query_value("name")
        .ok_or_else(|| bad("name: missing"))?;
    let kind = match head.query_value("kind") {
        None => 0,
        Some(kind) => process
            .recipe
            .kind_named(&kind)
            .ok_or_else(|| missing("no such kind of rooms"))?,
    };
    if process.recipe.rooms.is_empty() {
        return Err(missing("this server has no rooms"));
    }
    let id = RoomId {
        tenant: tenant_of(process, head)?,
        kind,
        name: name.as_ref().into(),
    };
    let host = id.host(process.shards);
    let found = ask(process, &[host], move |hub| hub.inspect_room(&id))?;
    found_or(found, "no such room")
}

fn log(shared: &Shared) -> Result<Response, Response> {
    let control = shared.options.log.as_ref();
    let control = control.ok_or_else(|| missing("the log of this process cannot be changed"))?;
    Ok(answer(200, &json!({ "level": control.level() })))
}

fn set_log(shared: &Shared, head: &RequestHead) -> Result<Response, Response> {
    let level = head
        .query_value("level")
        .ok_or_else(|| bad("level: missing"))?;
    let control = shared.options.log.as_ref();
    let control = control.ok_or_else(|| missing("the log of this process cannot be changed"))?;
    control
        .set(&level)
        .map_err(|why| bad(&format!("level: {why}")))?;
    // A line of the log has a level of its own.
    tracing::info!(filter = %control.level(), "the level of the log was changed by an operator");
    Ok(answer(200, &json!({ "level": control.level() })))
}

fn broadcast(process: &Process, head: &RequestHead) -> Result<Response, Response> {
    let text = head
        .query_value("text")
        .ok_or_else(|| bad("text: missing"))?
        .into_owned();
    let tenant = head.query_value("tenant").map(|one| one.into_owned());
    tenant_of(process, head)?;
    let told = ask_all(process, move |hub| hub.notify(&text, tenant.as_deref()))?;
    let told: usize = told.into_iter().sum();
    tracing::info!(told, "an operator says something to clients");
    Ok(answer(200, &json!({ "told": told })))
}

fn kick(process: &Process, head: &RequestHead) -> Result<Response, Response> {
    let (session, home) = session_of(process, head)?;
    let reason = head.query_value("reason");
    let reason = reason.map_or_else(|| "kicked".to_owned(), |reason| reason.into_owned());
    if reason.len() > REASON_BYTES_MAX {
        return Err(bad(&format!("reason: at most {REASON_BYTES_MAX} bytes")));
    }
    let kick = move |hub: &mut crate::hub::Hub| hub.kick(session, &reason);
    let kicked = ask(process, &[home], kick)?;
    match kicked.first() {
        Some(true) => {
            tracing::info!(%session, "an operator kicked a session");
            Ok(answer(200, &json!({ "kicked": session.value() })))
        }
        _ => Err(missing("no such session")),
    }
}

fn drain(shared: &Shared) -> Response {
    tracing::info!("an operator stops the server");
    shared.server.ask(Stop::Notice);
    answer(202, &json!({ "draining": true }))
}

fn session_of(process: &Process, head: &RequestHead) -> Result<(SessionId, ShardId), Response> {
    let id = number(head, "id")?.ok_or_else(|| bad("id: missing"))?;
    let session = SessionId::from_value(id).filter(|one| one.home() < process.shards);
    let session = session.ok_or_else(|| missing("no such session"))?;
    Ok((session, ShardId(session.home())))
}

/// The tenant that is named, or the first of all.
fn tenant_of(process: &Process, head: &RequestHead) -> Result<TenantIndex, Response> {
    let Some(id) = head.query_value("tenant") else {
        return Ok(0);
    };
    let index = process.policies.rules().index(&id);
    index.ok_or_else(|| missing("no such tenant"))
}

pub(super) fn number(head: &RequestHead, name: &str) -> Result<Option<u64>, Response> {
    let value = head.query_value(name);
    let parsed = value.map(|value| value.parse());
    parsed
        .transpose()
        .map_err(|_| bad(&format!("{name}: not a number")))
}

fn found_or(found: Vec<Option<Value>>, missed: &'static str) -> Result<Response, Response> {
    let found = found.into_iter().next().flatten();
    found.map_or_else(|| Err(missing(missed)), |value| Ok(answer(200, &value)))
}

pub(super) fn bad(why: &str) -> Response {
    Response::text(400, format!("{why}\n"))
}

pub(super) fn missing(what: &'static str) -> Response {
    Refusal::new(404, what).response()
}

/// All that is answered to operators, and what the query of each may say.
const PATHS: [(&str, &[&str]); 14] = [
    ("/metrics", &[]),
    ("/status", &[]),
    ("/v1/status", &[]),
    ("/v1/sessions", &["limit", "after", "tenant", "user"]),
    ("/v1/session", &["id"]),
    ("/v1/entity", &["id"]),
    ("/v1/room", &["name", "kind", "tenant"]),
    ("/v1/log", &["level"]),
    ("/v1/broadcast", &["text", "tenant"]),
    ("/v1/kick", &["id", "reason"]),
    ("/v1/bans", &[]),
    ("/v1/ban", &["ip", "user", "tenant", "reason", "seconds"]),
    ("/v1/unban", &["ip", "user", "tenant"]),
    ("/v1/drain", &[]),
];

/// Sessions of one answer, if not said.
const PAGE_DEFAULT: u64 = 100;

/// Sessions of one answer at most.
const PAGE_MAX: u64 = 1000;

/// What fits into a close frame.
const REASON_BYTES_MAX: usize = 120;
