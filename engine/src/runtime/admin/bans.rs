//! Who may not come, as operators list and change it.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};
use worldshard_protocol::UserId;
use worldshard_transport::{RequestHead, Response};

use super::json as answer;
use super::routes::{bad, missing, number};
use crate::policy::{Ban, Banned};
use crate::runtime::clock;
use crate::runtime::process::Process;
use crate::runtime::server::StopHandle;

/// All bans that hold.
pub(super) fn list(process: &Process) -> Response {
    let now = clock::since_1970();
    let bans = process.policies.bans.all(now);
    let shown: Vec<Value> = bans.iter().map(|ban| shown(ban, now)).collect();
    answer(200, &json!({ "bans": shown }))
}

/// Bans an address, or a user of a tenant.
pub(super) fn ban(server: &StopHandle, head: &RequestHead) -> Result<Response, Response> {
    let whom = whom(server.process(), head)?;
    let reason = head.query_value("reason");
    let now = clock::since_1970();
    let seconds = number(head, "seconds")?;
    if seconds == Some(0) {
        return Err(bad("seconds: at least 1; without, for ever"));
    }
    let ban = Ban {
        whom,
        reason: reason.map_or_else(|| "banned".to_owned(), |reason| reason.into_owned()),
        until: seconds.map(|seconds| now.saturating_add(Duration::from_secs(seconds))),
    };
    server.ban(&ban).map_err(|why| bad(&why.to_string()))?;
    tracing::info!(whom = ?ban.whom, seconds, "an operator bans somebody");
    Ok(answer(200, &json!({ "banned": shown(&ban, now) })))
}

/// Lets somebody come again.
pub(super) fn unban(process: &Process, head: &RequestHead) -> Result<Response, Response> {
    let whom = whom(process, head)?;
    if !process.policies.bans.remove(&whom) {
        return Err(missing("no such ban"));
    }
    tracing::info!(?whom, "an operator lets somebody come again");
    Ok(answer(200, &json!({ "unbanned": named(&whom) })))
}

/// `ip`, or `user` and perhaps `tenant`.
fn whom(process: &Process, head: &RequestHead) -> Result<Banned, Response> {
    let (ip, user) = (head.query_value("ip"), head.query_value("user"));
    let tenant = head.query_value("tenant");
    match (ip, user, tenant) {
        (Some(ip), None, None) => {
            let ip: Result<IpAddr, _> = ip.parse();
            let ip = ip.map_err(|_| bad("ip: no address"))?;
            Ok(Banned::Ip(ip.to_canonical()))
        }
        (None, Some(user), tenant) => {
            let user = UserId::new(user.as_ref()).map_err(|why| bad(&format!("user: {why}")))?;
            let first = || process.policies.rules().tenant(0).id.to_string();
            let tenant = tenant.map_or_else(first, |tenant| tenant.into_owned());
            Ok(Banned::User { tenant, user })
        }
        _ => Err(bad("either ip alone, or user and perhaps tenant")),
    }
}

fn named(whom: &Banned) -> Value {
    match whom {
        Banned::Ip(ip) => json!({ "ip": ip.to_string() }),
        Banned::User { tenant, user } => json!({ "tenant": tenant, "user": user.as_str() }),
    }
}

fn shown(ban: &Ban, now: Duration) -> Value {
    let mut value = named(&ban.whom);
    value["reason"] = ban.reason.as_str().into();
    let left = ban.until.map(|until| until.saturating_sub(now).as_secs());
    value["seconds_left"] = left.into();
    value
}
