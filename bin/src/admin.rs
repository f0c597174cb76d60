//! `worldshard admin`: what an operator asks of a server that runs, and has it do.

mod args;
mod print;

use serde_json::Value;

use crate::failure::{Failure, say};
use crate::operators::{Operators, escape};
pub(crate) use args::{AdminArgs, AdminCommand, EXAMPLES};
use args::{BannedArgs, InspectWhat, ListArgs};

/// Asks, and prints the answer.
pub(crate) fn run(args: &AdminArgs) -> Result<(), Failure> {
    let server = Operators::new(&args.server)?;
    let get = |target: &str| server.ask_json("GET", target);
    let post = |target: &str| server.ask_json("POST", target);
    let (answer, human): (Value, fn(&Value) -> String) = match &args.command {
        AdminCommand::List(list) => (sessions(&server, list)?, print::sessions),
        AdminCommand::Kick { session, reason } => {
            let reason = reason.as_deref().unwrap_or("kicked");
            let target = format!("/v1/kick?id={session}&reason={}", escape(reason));
            (post(&target)?, print::kicked)
        }
        AdminCommand::Broadcast { text, tenant } => {
            let mut target = format!("/v1/broadcast?text={}", escape(text));
            if let Some(tenant) = tenant {
                target.push_str(&format!("&tenant={}", escape(tenant)));
            }
            (post(&target)?, print::told)
        }
        AdminCommand::Ban(ban) => {
            let mut target = format!("/v1/ban?{}", whom(&ban.banned));
            if let Some(reason) = &ban.reason {
                target.push_str(&format!("&reason={}", escape(reason)));
            }
            if let Some(seconds) = ban.seconds {
                target.push_str(&format!("&seconds={seconds}"));
            }
            (post(&target)?, print::banned)
        }
        AdminCommand::Unban(banned) => (
            post(&format!("/v1/unban?{}", whom(banned)))?,
            print::unbanned,
        ),
        AdminCommand::Bans => (get("/v1/bans")?, print::bans),
        AdminCommand::Inspect { what } => (get(&inspected(what))?, print::fields),
        AdminCommand::Drain => (post("/v1/drain")?, print::draining),
        AdminCommand::LogLevel { level: None } => (get("/v1/log")?, print::level),
        AdminCommand::LogLevel { level: Some(level) } => {
            let target = format!("/v1/log?level={}", escape(level));
            (post(&target)?, print::level)
        }
        AdminCommand::Status => (get("/v1/status")?, print::status),
    };
    match args.json {
        true => say(&format!("{answer}\n")),
        false => say(&human(&answer)),
    }
}

/// Pages until there are as many as wanted, or no more.
fn sessions(server: &Operators, list: &ListArgs) -> Result<Value, Failure> {
    let mut all: Vec<Value> = Vec::new();
    let mut after = list.after;
    loop {
        let left = list.max.saturating_sub(all.len() as u64).min(PAGE);
        let mut target = format!("/v1/sessions?limit={left}&after={after}");
        for (name, value) in [("tenant", &list.tenant), ("user", &list.user)] {
            if let Some(value) = value {
                target.push_str(&format!("&{name}={}", escape(value)));
            }
        }
        let page = server.ask_json("GET", &target)?;
        all.extend(page["sessions"].as_array().into_iter().flatten().cloned());
        match page["next"].as_u64() {
            Some(next) if (all.len() as u64) < list.max => after = next,
            next => return Ok(serde_json::json!({ "sessions": all, "next": next })),
        }
    }
}

fn whom(banned: &BannedArgs) -> String {
    let mut query = match (&banned.whom.ip, &banned.whom.user) {
        (Some(ip), _) => format!("ip={}", escape(&ip.to_string())),
        (None, user) => format!("user={}", escape(user.as_deref().unwrap_or_default())),
    };
    if let Some(tenant) = &banned.tenant {
        query.push_str(&format!("&tenant={}", escape(tenant)));
    }
    query
}

fn inspected(what: &InspectWhat) -> String {
    match what {
        InspectWhat::Session { id } => format!("/v1/session?id={id}"),
        InspectWhat::Entity { id } => format!("/v1/entity?id={id}"),
        InspectWhat::Room { name, kind, tenant } => {
            let mut target = format!("/v1/room?name={}", escape(name));
            for (key, value) in [("kind", kind), ("tenant", tenant)] {
                if let Some(value) = value {
                    target.push_str(&format!("&{key}={}", escape(value)));
                }
            }
            target
        }
    }
}

/// Sessions asked for at once.
const PAGE: u64 = 1000;
