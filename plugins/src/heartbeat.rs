//! Asks clients on raw paths whether they live, and closes those of which nothing is heard.
//!
//! Never looks at what they say, but for the answer to its own question, which it keeps from everybody else.

use std::collections::BTreeMap;
use std::time::Duration;

use worldshard::prelude::*;

use crate::alarms::Alarms;

/// Sends the text `ping` to every client on a raw path, every 10 s, and closes with 1008 those that have said nothing at all
/// for 30 s.
///
/// Whatever a client says counts as life; it says the text `pong` when it has nothing else to say. That one word nobody
/// else is told: no chat has it, no room, no system. Time is the world's, to the tick.
///
/// The server asks by the protocol's own pings beside this, which browsers answer without a page; this asks the page.
#[derive(Clone, Debug)]
pub struct HeartbeatPlugin {
    interval: Duration,
    timeout: Duration,
    ping_payload: String,
    pong_payload: String,
}

impl HeartbeatPlugin {
    /// Asks every 10 s with `ping`, to be answered with `pong` within 30 s.
    #[must_use]
    pub fn new() -> Self {
        Self {
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            ping_payload: "ping".to_owned(),
            pong_payload: "pong".to_owned(),
        }
    }

    /// How often it asks.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Who has said nothing for so long is closed. Must be longer than the interval.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The text that it asks with.
    #[must_use]
    pub fn ping_payload(mut self, text: impl Into<String>) -> Self {
        self.ping_payload = text.into();
        self
    }

    /// The text that it is answered with, and that nobody else is told.
    #[must_use]
    pub fn pong_payload(mut self, text: impl Into<String>) -> Self {
        self.pong_payload = text.into();
        self
    }
}

impl Default for HeartbeatPlugin {
    fn default() -> Self {
        Self::new()
    }
}

impl Plugin for HeartbeatPlugin {
    fn build(&self, app: &mut App) {
        if self.interval.is_zero() || self.timeout <= self.interval {
            let (timeout, interval) = (self.timeout, self.interval);
            app.mistake(
                "HeartbeatPlugin",
                format!("a timeout of {timeout:?} is not longer than an interval of {interval:?} above 0"),
            );
        }
        app.resource(Hearts::default);
        let pong = self.pong_payload.clone();
        app.screen(move |cx: &mut Context<'_>, session, payload: &Payload| {
            let now = cx.time();
            let is_raw = cx.framing(session) == Some(Framing::Raw);
            cx.resource_mut::<Hearts>().hear(session, now);
            match payload.as_text() {
                Some(text) if is_raw && text.trim() == pong => Screened::Drop,
                _ => Screened::Pass,
            }
        });
        let plugin = self.clone();
        app.system(Update, move |cx: &mut Context<'_>| beat(cx, &plugin));
    }
}

/// The clients of one shard that are asked.
#[derive(Default)]
struct Hearts {
    sessions: BTreeMap<SessionId, Heart>,
    /// At the next question, or the end of patience if that is sooner; patience may have grown since.
    alarms: Alarms,
}

struct Heart {
    /// When something was heard last.
    heard: Duration,
    /// When it is asked next.
    asks: Duration,
}

/// What a client is told.
enum Beat {
    Ping,
    Close,
}

impl Hearts {
    fn hear(&mut self, session: SessionId, now: Duration) {
        if let Some(heart) = self.sessions.get_mut(&session) {
            heart.heard = now;
        }
    }

    fn open(&mut self, session: SessionId, now: Duration, plugin: &HeartbeatPlugin) {
        let asks = now.saturating_add(plugin.interval);
        self.sessions.insert(session, Heart { heard: now, asks });
        self.alarms.set(session, asks);
    }

    fn close(&mut self, session: SessionId) {
        self.sessions.remove(&session);
        self.alarms.cancel(session);
    }

    /// Who is to be told something.
    fn due(&mut self, now: Duration, plugin: &HeartbeatPlugin) -> Vec<(SessionId, Beat)> {
        let mut beats = Vec::new();
        while let Some(session) = self.alarms.take_due(now) {
            let Some(heart) = self.sessions.get_mut(&session) else {
                continue;
            };
            if now >= heart.heard.saturating_add(plugin.timeout) {
                self.sessions.remove(&session);
                beats.push((session, Beat::Close));
                continue;
            }
            if now >= heart.asks {
                // An interval shorter than a tick asks once a tick.
                heart.asks = heart.asks.saturating_add(plugin.interval).max(now);
                beats.push((session, Beat::Ping));
            }
            let patience = heart.heard.saturating_add(plugin.timeout);
            let next = heart.asks.min(patience);
            // Now again would be in this turn.
            self.alarms.set(session, next.max(now + A_MOMENT));
        }
        beats
    }
}

fn beat(cx: &mut Context<'_>, plugin: &HeartbeatPlugin) {
    let now = cx.time();
    let is_raw = |session: &SessionId| cx.framing(*session) == Some(Framing::Raw);
    let opened: Vec<_> = cx.opened().filter(is_raw).collect();
    let closed: Vec<_> = cx.closed().map(|(session, _)| session).collect();
    let mut hearts = cx.resource_mut::<Hearts>();
    opened
        .into_iter()
        .for_each(|session| hearts.open(session, now, plugin));
    closed.into_iter().for_each(|session| hearts.close(session));
    let beats = hearts.due(now, plugin);
    drop(hearts);
    for (session, beat) in beats {
        match beat {
            Beat::Ping => cx.send(Audience::One(session), plugin.ping_payload.clone()),
            Beat::Close => {
                let reason = format!("nothing was heard for {:?}", plugin.timeout);
                cx.close(session, CLOSE_CODE, reason);
            }
        }
    }
}

/// Policy violation: what the server closes with whose protocol's pings are not answered either.
const CLOSE_CODE: u16 = 1008;

const A_MOMENT: Duration = Duration::from_nanos(1);
