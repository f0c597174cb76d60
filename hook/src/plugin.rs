//! What of a shard's events is posted, and what its sessions are told of the answers. Never posts: that is the pool's.

use std::collections::BTreeMap;
use std::sync::Arc;

use worldshard::identity::{Auth, Decider};
use worldshard::prelude::*;
use worldshard::runtime::fresh_bytes;

use crate::breaker::Breaker;
use crate::decider::HookDecider;
use crate::event::{Happened, Said, What, Who};
use crate::options::HookOptions;
use crate::pool::Pool;
use crate::status::{Counts, HookWatch};

/// Posts what happens to sessions to the operator's own service, and asks it whom to let in, if that is among the events.
///
/// Its threads end with the server: [`Running::join`] waits for them as long as the grace.
pub struct HookPlugin {
    pool: Arc<Pool>,
    watch: HookWatch,
    options: HookOptions,
}

/// The sessions of one shard that the service was told of.
#[derive(Default)]
struct Known {
    sessions: BTreeMap<SessionId, Session>,
    /// The server stops: all have ended, and none is met any more.
    is_over: bool,
}

struct Session {
    who: Who,
    /// Of its next event.
    number: u64,
}

impl HookPlugin {
    /// A hook to the service of these options.
    ///
    /// # Panics
    /// When the system has no randomness.
    #[must_use]
    pub fn new(options: HookOptions) -> Self {
        let process = fresh_bytes().expect("a system has randomness");
        let breaker = Breaker::new(options.failures_max, options.open);
        let counts = Arc::new(Counts::new(breaker));
        let pool = Pool::new(options.clone(), Arc::clone(&counts), process);
        Self {
            pool: Arc::new(pool),
            watch: HookWatch { counts },
            options,
        }
    }

    /// What it has done so far, to be looked at while the server has it.
    #[must_use]
    pub fn watch(&self) -> HookWatch {
        self.watch.clone()
    }
}

impl Plugin for HookPlugin {
    fn build(&self, app: &mut App) {
        if let Some(mistake) = self.options.mistake() {
            app.mistake("hook", mistake);
            return;
        }
        app.resource(Known::default);
        let pool = Arc::clone(&self.pool);
        app.system(Startup, move |_: &mut Context<'_>| {
            pool.start().expect("a system has threads");
        });
        let pool = Arc::clone(&self.pool);
        app.system(Update, move |cx: &mut Context<'_>| {
            tell(cx, &pool);
            answer(cx, &pool);
        });
        if self.options.events.auth {
            let decider = Decider::new(HookDecider(Arc::clone(&self.pool)));
            app.options(|options| options.auth = Some(Auth::Decided(decider)));
        }
        if let Some(service) = &self.options.events.service {
            // As long as the program: there is one for each hook.
            let name: &'static str = Box::leak(service.clone().into_boxed_str());
            let pool = Arc::clone(&self.pool);
            app.ext_service(name, move |cx, session, said: &ExtSaid| {
                let what = What::Service {
                    service: name.to_owned(),
                    kind: said.kind.clone(),
                    room: said.room.clone(),
                    seq: said.seq,
                    data: said.data.as_str().to_owned(),
                };
                meet(cx, &pool, session);
                post(cx, &pool, session, what);
                Ok(())
            });
        }
    }

    /// Sessions that are open when the server stops end with it.
    fn cleanup(&self, cx: &mut Context<'_>) {
        let known: Vec<SessionId> = {
            let known = cx.resource::<Known>();
            known.sessions.keys().copied().collect()
        };
        for session in known {
            let stops = CloseReason::Server {
                code: 1001,
                reason: "the server stops".into(),
            };
            part(cx, &self.pool, session, &stops);
        }
        cx.resource_mut::<Known>().is_over = true;
    }
}

/// Posts what happened since the last turn.
fn tell(cx: &mut Context<'_>, pool: &Pool) {
    let events = &pool.office().options.events;
    for event in cx.events() {
        match event {
            Event::Opened(session) => meet(cx, pool, *session),
            Event::Message(Message { session, payload }) if events.message => {
                // One that came back from disk was not seen to open.
                meet(cx, pool, *session);
                post(cx, pool, *session, What::Message(Said::of(payload)));
            }
            Event::Message(_) => {}
            Event::Closed(session, reason) => part(cx, pool, *session, reason),
        }
    }
}

/// Takes note of a session, unless it is known.
fn meet(cx: &mut Context<'_>, pool: &Pool, session: SessionId) {
    let known = cx.resource::<Known>();
    if known.is_over || known.sessions.contains_key(&session) {
        return;
    }
    drop(known);
    let who = Who {
        tenant: cx.tenant(session),
        user: cx.user(session).map(|user| user.as_str().to_owned()),
        path: cx.path(session).unwrap_or_default().to_owned(),
    };
    let what = What::Connect {
        environment: cx.environment(session),
        connect: cx.connect_message(session).map(str::to_owned),
    };
    let entry = Session { who, number: 0 };
    cx.resource_mut::<Known>().sessions.insert(session, entry);
    if pool.office().options.events.connect {
        post(cx, pool, session, what);
    }
}

/// A session has ended.
fn part(cx: &mut Context<'_>, pool: &Pool, session: SessionId, reason: &CloseReason) {
    let (code, reason) = match reason {
        CloseReason::Client { code } => (*code, "the client closed it".to_owned()),
        CloseReason::Server { code, reason } => (*code, reason.to_string()),
        CloseReason::Lost => (1006, "its connection broke".to_owned()),
        CloseReason::Timeout => (1006, "nothing was heard or taken for too long".to_owned()),
    };
    if pool.office().options.events.disconnect {
        post(cx, pool, session, What::Disconnect { code, reason });
    }
    cx.resource_mut::<Known>().sessions.remove(&session);
}

/// Has something posted of a session that is known.
fn post(cx: &mut Context<'_>, pool: &Pool, session: SessionId, what: What) {
    let mut known = cx.resource_mut::<Known>();
    let Some(entry) = known.sessions.get_mut(&session) else {
        return;
    };
    let happened = Happened {
        session,
        number: entry.number,
        who: entry.who.clone(),
        what,
    };
    entry.number += 1;
    drop(known);
    pool.office().post(happened);
}

/// Tells sessions what the service said.
fn answer(cx: &mut Context<'_>, pool: &Pool) {
    for reply in pool.office().replies.take(cx.shard().0) {
        let Some(framing) = cx.framing(reply.session) else {
            continue;
        };
        if let Some(payload) = reply.say.and_then(|say| say.payload(framing)) {
            cx.send(Audience::One(reply.session), payload);
        }
        if let Some((code, reason)) = reply.close {
            cx.close(reply.session, code, reason);
        }
    }
}
