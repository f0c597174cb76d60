//! Bounds what one session may say in a time. What is too much nobody is told; never judges what is said.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use worldshard::prelude::*;

use crate::lanes::said;

/// Lets each session say so many messages and bytes a second; of what is more nobody is told.
///
/// A session has a bucket of tokens for messages and one for bytes: full when it comes, filled at the rate, in the world's
/// time. A message takes a token of the one and as many of the other as it has bytes; one that is longer than the bucket is
/// large takes all of a full one. Counted is whatever a screen sees ([`App::screen`]), the words of other plugins too.
///
/// ```
/// use std::time::Duration;
/// use worldshard_plugins::{RateLimitAction, RateLimitPlugin};
///
/// let plugin = RateLimitPlugin::new()
///     .messages(10, 20)
///     .action(RateLimitAction::Throttle(Duration::from_secs(5)));
/// ```
#[derive(Clone, Debug)]
pub struct RateLimitPlugin {
    messages: Rate,
    bytes: Rate,
    action: RateLimitAction,
}

/// What happens to a session that says too much.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RateLimitAction {
    /// Nobody is told of what is too much.
    #[default]
    Drop,
    /// The session is told so, once, and nobody is told of anything it says for so long. On lanes it is told so as an error,
    /// `RATE_LIMITED`, with `retry_after_ms`.
    Throttle(Duration),
    /// The session is told so, and closed with 1008.
    Disconnect,
}

/// What the limit did on one shard: a resource, for systems to look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RateLimitCounts {
    /// Messages of which nobody was told.
    pub dropped: u64,
    /// How often a session began to be throttled.
    pub throttled: u64,
    /// Sessions that were closed.
    pub disconnected: u64,
}

impl RateLimitPlugin {
    /// 30 messages a second, and as many at once; 64 KiB a second, and 256 KiB at once. What is more is dropped.
    #[must_use]
    pub fn new() -> Self {
        Self {
            messages: Rate {
                per_s: 30,
                at_once: 30,
            },
            bytes: Rate {
                per_s: 64 * 1024,
                at_once: 256 * 1024,
            },
            action: RateLimitAction::Drop,
        }
    }

    /// So many messages a second, and so many at once.
    #[must_use]
    pub fn messages(mut self, per_s: u32, at_once: u32) -> Self {
        self.messages = Rate { per_s, at_once };
        self
    }

    /// So many bytes a second, and so many at once.
    #[must_use]
    pub fn bytes(mut self, per_s: u32, at_once: u32) -> Self {
        self.bytes = Rate { per_s, at_once };
        self
    }

    /// What happens to who says more.
    #[must_use]
    pub fn action(mut self, action: RateLimitAction) -> Self {
        self.action = action;
        self
    }

    fn see(&self, cx: &mut Context<'_>, session: SessionId, payload: &Payload) -> Screened {
        let now = cx.time();
        let said = cx
            .resource_mut::<Limits>()
            .take(session, payload.bytes().len(), now, self);
        let Said::TooMuch { begins } = said else {
            return Screened::Pass;
        };
        let mut counts = cx.resource_mut::<RateLimitCounts>();
        counts.dropped += 1;
        if begins {
            match self.action {
                RateLimitAction::Drop => {}
                RateLimitAction::Throttle(_) => counts.throttled += 1,
                RateLimitAction::Disconnect => counts.disconnected += 1,
            }
        }
        drop(counts);
        if begins {
            match self.action {
                RateLimitAction::Drop => {}
                RateLimitAction::Throttle(length) => tell(cx, session, THROTTLED, Some(length)),
                RateLimitAction::Disconnect => {
                    tell(cx, session, DISCONNECTED, None);
                    cx.close(session, CLOSE_CODE, "rate limit");
                }
            }
        }
        Screened::Drop
    }
}

impl Default for RateLimitPlugin {
    fn default() -> Self {
        Self::new()
    }
}

impl Plugin for RateLimitPlugin {
    fn build(&self, app: &mut App) {
        let rates = [self.messages, self.bytes];
        if rates
            .iter()
            .any(|rate| rate.per_s == 0 || rate.at_once == 0)
        {
            app.mistake("RateLimitPlugin", "a rate of 0 lets nobody say anything");
        }
        app.resource(Limits::default)
            .resource(RateLimitCounts::default);
        let plugin = self.clone();
        app.screen(move |cx: &mut Context<'_>, session, payload: &Payload| {
            plugin.see(cx, session, payload)
        });
        app.system(Last, forget);
    }
}

/// So many in a second, and so many at once.
#[derive(Clone, Copy, Debug)]
struct Rate {
    per_s: u32,
    at_once: u32,
}

/// What each session of one shard may still say.
#[derive(Default)]
struct Limits(BTreeMap<SessionId, Limit>);

#[derive(Default)]
struct Limit {
    messages: Bucket,
    bytes: Bucket,
    /// Until then nobody is told of anything it says.
    throttled_until: Duration,
}

/// A bucket of tokens, kept as the time at which it is full.
#[derive(Clone, Copy, Default)]
struct Bucket {
    full_at_ns: u128,
}

enum Said {
    /// There were tokens for it.
    InTime,
    /// There were none. `begins`: it was told to go on until now.
    TooMuch { begins: bool },
}

impl Limits {
    fn take(
        &mut self,
        session: SessionId,
        bytes: usize,
        now: Duration,
        rates: &RateLimitPlugin,
    ) -> Said {
        let limit = self.0.entry(session).or_default();
        if limit.throttled_until > now {
            return Said::TooMuch { begins: false };
        }
        let messages = limit.messages.after(1, now, rates.messages);
        let bytes = limit.bytes.after(bytes as u128, now, rates.bytes);
        let (Some(messages), Some(bytes)) = (messages, bytes) else {
            limit.throttled_until = match rates.action {
                RateLimitAction::Drop => now,
                RateLimitAction::Throttle(length) => now.saturating_add(length),
                RateLimitAction::Disconnect => Duration::MAX,
            };
            return Said::TooMuch { begins: true };
        };
        (limit.messages, limit.bytes) = (messages, bytes);
        Said::InTime
    }
}

impl Bucket {
    /// The bucket without so many tokens; none when it has not so many.
    fn after(self, tokens: u128, now: Duration, rate: Rate) -> Option<Self> {
        let tokens = tokens.min(rate.at_once.into());
        let ns_of = |tokens: u128| tokens * NS_PER_S / u128::from(rate.per_s);
        let now = now.as_nanos();
        let full_at_ns = self.full_at_ns.max(now) + ns_of(tokens);
        let is_there = full_at_ns - now <= ns_of(rate.at_once.into());
        is_there.then_some(Self { full_at_ns })
    }
}

/// Forgets who is gone.
fn forget(cx: &mut Context<'_>) {
    let closed = cx.closed();
    let mut limits = cx.resource_mut::<Limits>();
    for (session, _) in closed {
        limits.0.remove(&session);
    }
}

fn tell(cx: &mut Context<'_>, session: SessionId, notice: &str, retry_after: Option<Duration>) {
    if cx.framing(session) == Some(Framing::Raw) {
        return cx.send(Audience::One(session), format!("[RateLimit] {notice}"));
    }
    let mut data = json!({ "code": ErrorCode::RateLimited.as_str(), "msg": notice });
    if let Some(retry_after) = retry_after {
        data["retry_after_ms"] = u64::try_from(retry_after.as_millis())
            .unwrap_or(u64::MAX)
            .into();
    }
    cx.send(Audience::One(session), said("sys", "error", None, &data));
}

const THROTTLED: &str = "Too many messages. You are temporarily throttled.";
const DISCONNECTED: &str = "Disconnected due to rate limit violation.";

/// Policy violation.
const CLOSE_CODE: u16 = 1008;

const NS_PER_S: u128 = 1_000_000_000;

#[cfg(test)]
mod tests;
