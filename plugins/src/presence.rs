//! Presence: who is online, away or busy, told to everybody.
//!
//! All of it is in one room that every session joins, on one shard; here sessions are only brought there, at their homes, and
//! those noticed that say nothing.

mod room;

use std::collections::BTreeMap;
use std::time::Duration;

use worldshard::prelude::*;

use crate::alarms::Alarms;
use room::PresenceRoom;

/// Tells every session who is there: a line `<session> <status>` for each that comes, changes or goes.
///
/// A session is `online` when it connects, what it says by `/status online`, `away` or `busy` after, and `offline` once it
/// ends, whatever ended it. Who comes is told first how all others are. Who is online and says nothing for 5 minutes of the
/// world's time is `away`, until it says something; what it does in a world is no word.
#[derive(Clone, Debug)]
pub struct PresencePlugin {
    away_after: Option<Duration>,
    sessions_max: u32,
}

impl PresencePlugin {
    /// Who says nothing for 5 minutes is away; of 10 000 sessions.
    #[must_use]
    pub fn new() -> Self {
        Self {
            away_after: Some(Duration::from_secs(300)),
            sessions_max: 10_000,
        }
    }

    /// Who is online and says nothing for so long is away; `None` for nobody.
    #[must_use]
    pub fn away_after(mut self, length: impl Into<Option<Duration>>) -> Self {
        self.away_after = length.into();
        self
    }

    /// Each of so many sessions is told of each; of one more nobody is told, and it is told of nobody.
    #[must_use]
    pub fn sessions_max(mut self, sessions: u32) -> Self {
        self.sessions_max = sessions;
        self
    }
}

impl Default for PresencePlugin {
    fn default() -> Self {
        Self::new()
    }
}

impl Plugin for PresencePlugin {
    fn build(&self, app: &mut App) {
        let away_after = self.away_after.unwrap_or(Duration::MAX);
        let rooms = Rooms::named(KIND, |_| PresenceRoom::default());
        app.rooms(rooms.members_max(self.sessions_max))
            .resource(move || Watch::new(away_after))
            .screen(|cx: &mut Context<'_>, session, _: &Payload| {
                let now = cx.time();
                if cx.resource_mut::<Watch>().hear(session, now) {
                    cx.tell_room(session, KIND, ROOM, "back");
                }
                Screened::Pass
            })
            .text_command("/status", set)
            .system(Update, watch)
            .system(Update, follow);
    }
}

/// The sessions of a home, and when something was heard of them.
struct Watch {
    away_after: Duration,
    sessions: BTreeMap<SessionId, Seen>,
    /// When a session would be idle, as of when it was set.
    alarms: Alarms,
}

struct Seen {
    heard: Duration,
    is_idle: bool,
}

impl Watch {
    fn new(away_after: Duration) -> Self {
        Self {
            away_after,
            sessions: BTreeMap::new(),
            alarms: Alarms::default(),
        }
    }

    /// Whether the session was idle until now.
    fn hear(&mut self, session: SessionId, now: Duration) -> bool {
        let Some(seen) = self.sessions.get_mut(&session) else {
            return false;
        };
        seen.heard = now;
        let was_idle = std::mem::take(&mut seen.is_idle);
        if was_idle {
            self.expect(session);
        }
        was_idle
    }

    fn open(&mut self, session: SessionId, now: Duration) {
        let seen = Seen {
            heard: now,
            is_idle: false,
        };
        self.sessions.insert(session, seen);
        self.expect(session);
    }

    fn close(&mut self, session: SessionId) {
        self.sessions.remove(&session);
        self.alarms.cancel(session);
    }

    fn expect(&mut self, session: SessionId) {
        if let Some(seen) = self.sessions.get(&session)
            && let Some(at) = seen.heard.checked_add(self.away_after)
        {
            self.alarms.set(session, at);
        }
    }

    /// Who has become idle.
    fn idle(&mut self, now: Duration) -> Vec<SessionId> {
        let mut idle = Vec::new();
        while let Some(session) = self.alarms.take_due(now) {
            let Some(seen) = self.sessions.get_mut(&session) else {
                continue;
            };
            if now.saturating_sub(seen.heard) < self.away_after {
                self.expect(session);
                continue;
            }
            seen.is_idle = true;
            idle.push(session);
        }
        idle
    }
}

fn set(cx: &mut Context<'_>, session: SessionId, status: &str) {
    if !matches!(status, "online" | "away" | "busy") {
        let usage = "[Error] Say /status online, away or busy.";
        return cx.send(Audience::One(session), usage);
    }
    // It may say so before systems have seen it open.
    if !cx.may_tell_room(session, KIND, ROOM) {
        cx.join(session, KIND, ROOM, "");
    }
    cx.tell_room(session, KIND, ROOM, status.to_owned());
}

/// Tells those for whom there is no room.
fn follow(cx: &mut Context<'_>) {
    let of_presence = cx.memberships().filter(|one| &*one.kind == KIND);
    for one in of_presence {
        if let MembershipChange::Refused(reason) = one.change {
            let text = format!("[Error] Nobody is told of you: {reason}.");
            cx.send(Audience::One(one.session), text);
        }
    }
}

fn watch(cx: &mut Context<'_>) {
    let now = cx.time();
    for session in cx.opened() {
        cx.join(session, KIND, ROOM, "");
        cx.resource_mut::<Watch>().open(session, now);
    }
    let closed = cx.closed();
    let mut watch = cx.resource_mut::<Watch>();
    closed.for_each(|(session, _)| watch.close(session));
    let idle = watch.idle(now);
    drop(watch);
    for session in idle {
        cx.tell_room(session, KIND, ROOM, "idle");
    }
}

/// What the room is called among kinds of rooms, and among those of its kind.
const KIND: &str = "presence";
const ROOM: &str = "all";
