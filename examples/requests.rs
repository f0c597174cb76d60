//! Answers requests at `ws://127.0.0.1:8080/desk`: a name is given to the first who asks for it, and a number is told how
//! many primes are below it, by another thread.

use std::collections::BTreeMap;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use worldshard::prelude::*;

/// Who has which name.
#[derive(Default)]
struct Names(BTreeMap<String, SessionId>);

fn main() -> Result<()> {
    let (work, waiting) = sync_channel(WAITING_MAX);
    let worker = std::thread::Builder::new().name("worker".to_owned());
    let started = worker.spawn(move || waiting.iter().for_each(count_primes));
    started.map_err(|source| Error::Io {
        what: "starting the worker".to_owned(),
        source,
    })?;
    App::new()
        .plugin(WebSocketPlugin::bind("127.0.0.1:8080").lanes("/desk"))
        // So that there is one book of names.
        .shards(1)
        .resource(Names::default)
        .system(Update, move |cx: &mut Context| answer(cx, &work))
        .run()
}

fn answer(cx: &mut Context, work: &SyncSender<Request>) {
    for request in cx.requests() {
        let text = request.payload.as_text().unwrap_or_default();
        if let Ok(name) = serde_json::from_str::<String>(text) {
            let session = request.session;
            let owner = *cx.resource_mut::<Names>().0.entry(name).or_insert(session);
            match owner == session {
                true => request.ack(),
                false => request.reject(ErrorCode::NotAllowed, "somebody has that name"),
            }
        } else if let Err(TrySendError::Full(request) | TrySendError::Disconnected(request)) =
            work.try_send(request)
        {
            request.reject(ErrorCode::ResourceExhausted, "too many numbers wait");
        }
    }
    for (session, _) in cx.closed() {
        let names = &mut cx.resource_mut::<Names>().0;
        names.retain(|_, owner| *owner != session);
    }
}

/// Runs on a thread of its own: the shard goes on meanwhile.
fn count_primes(request: Request) {
    let number = request.payload.as_text().map(str::parse::<u32>);
    match number {
        Some(Ok(number)) if number <= NUMBER_MAX => {
            let is_prime = |one: &u32| {
                let mut candidates = (2..).take_while(|by| by * by <= *one);
                !candidates.any(|by| one.is_multiple_of(by))
            };
            let primes = (2..number).filter(is_prime).count();
            request.respond(Text::json(primes.to_string()).expect("a number is JSON"));
        }
        _ => request.reject(
            ErrorCode::BadRequest,
            "neither a name nor a number up to a million",
        ),
    }
}

/// Requests that wait for the worker; one more is rejected.
const WAITING_MAX: usize = 16;

/// More would keep the worker from the others.
const NUMBER_MAX: u32 = 1_000_000;
