//! What the service answers: whom it lets in, what a session is told. Brings it to the session's shard; decides nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use worldshard::identity::{CONNECT_BYTES_MAX, Entry, JsonText};
use worldshard::prelude::*;

/// What the service answers to an event. What it says beside is not looked at.
#[derive(Deserialize, Default)]
struct EventAnswer<'a> {
    #[serde(borrow, default)]
    reply: Option<&'a RawValue>,
    /// Of a reply to what was said to the service.
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    close: Option<Close>,
}

#[derive(Deserialize)]
struct Close {
    code: u16,
    #[serde(default)]
    reason: String,
}

/// What the service answers to who asks to be let in.
#[derive(Deserialize)]
struct AuthAnswer<'a> {
    allow: bool,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    tenant: Option<String>,
    #[serde(default)]
    expires_s: Option<u64>,
    #[serde(borrow, default)]
    connect: Option<&'a RawValue>,
}

/// What a session is told.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Reply {
    pub(crate) session: SessionId,
    pub(crate) say: Option<Say>,
    /// Then it is closed so.
    pub(crate) close: Option<(u16, String)>,
}

/// What it is told.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Say {
    /// JSON.
    pub(crate) reply: String,
    /// What it was said to and is said by, if not the application.
    pub(crate) address: Option<Address>,
}

/// Where on the ext lane a reply comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Address {
    pub(crate) service: String,
    pub(crate) kind: String,
    pub(crate) room: Option<String>,
    pub(crate) seq: Option<u32>,
}

/// Replies on their way to shards.
pub(crate) struct Replies {
    max: usize,
    by_home: Mutex<BTreeMap<u16, Vec<Reply>>>,
    /// Looked at without the lock: most of the time nothing waits.
    waiting: AtomicUsize,
}

/// Whether somebody is let in.
pub(crate) enum Decision {
    Allow(Entry),
    Deny(String),
}

/// What an answer to an event asks for; nothing, if nothing. `address` is where a reply comes from.
///
/// # Errors
/// It cannot be read, or asks for what cannot be.
pub(crate) fn of_event(
    session: SessionId,
    body: &[u8],
    address: Option<Address>,
) -> Result<Option<Reply>, ()> {
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    let answer: EventAnswer<'_> = object(body)?;
    let EventAnswer { reply, kind, close } = answer;
    if close
        .as_ref()
        .is_some_and(|one| !(1000..5000).contains(&one.code))
    {
        return Err(());
    }
    let address = address.map(|one| Address {
        kind: kind.unwrap_or_else(|| one.kind.clone()),
        ..one
    });
    let say = reply.filter(|one| one.get() != "null").map(|one| Say {
        reply: one.get().to_owned(),
        address,
    });
    let close = close.map(|one| (one.code, one.reason));
    let is_empty = say.is_none() && close.is_none();
    Ok((!is_empty).then_some(Reply {
        session,
        say,
        close,
    }))
}

/// # Errors
/// It cannot be read, or lets in who cannot be.
pub(crate) fn of_auth(body: &[u8]) -> Result<Decision, ()> {
    let answer: AuthAnswer<'_> = object(body)?;
    if !answer.allow {
        let reason = answer.reason.unwrap_or_else(|| DENIED.to_owned());
        return Ok(Decision::Deny(reason));
    }
    let user = answer.user.map(|name| UserId::new(&name));
    let connect = answer.connect.filter(|one| one.get() != "null");
    let connect = connect.map(|one| JsonText::parse(one.get(), CONNECT_BYTES_MAX));
    Ok(Decision::Allow(Entry {
        user: user.transpose().map_err(drop)?,
        tenant: answer.tenant,
        expires: answer.expires_s.map(Duration::from_secs),
        connect: connect.transpose().map_err(drop)?,
    }))
}

/// # Errors
/// It is another value, such as the list of an object's fields, or it cannot be read.
fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ()> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(());
    }
    serde_json::from_slice(body).map_err(drop)
}

impl Say {
    /// As a session whose messages are of this framing is told it; none when what the service said cannot be told.
    pub(crate) fn payload(&self, framing: Framing) -> Option<Payload> {
        let said = |address: &Address| {
            let mut envelope = ExtEnvelope::new(&*address.service, &*address.kind);
            envelope.room = address.room.as_deref().map(Into::into);
            envelope.seq = address.seq;
            let data = RawValue::from_string(self.reply.clone()).ok()?;
            envelope.data = Some(std::borrow::Cow::Owned(data));
            Some(Text::envelope(&envelope).into())
        };
        match (&self.address, framing) {
            (Some(address), _) => said(address),
            (None, Framing::Lanes) => Text::json(self.reply.clone()).map(Into::into),
            // A string is its words, anything else its JSON.
            (None, Framing::Raw) => Some(match serde_json::from_str::<String>(&self.reply) {
                Ok(text) => text.into(),
                Err(_) => self.reply.clone().into(),
            }),
        }
    }
}

impl Replies {
    /// So many for each shard.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            by_home: Mutex::default(),
            waiting: AtomicUsize::new(0),
        }
    }

    /// False when too many wait.
    pub(crate) fn put(&self, reply: Reply) -> bool {
        let mut by_home = self.lock();
        let waiting = by_home.entry(reply.session.home()).or_default();
        let has_room = waiting.len() < self.max;
        if has_room {
            waiting.push(reply);
            self.waiting.fetch_add(1, Ordering::SeqCst);
        }
        has_room
    }

    /// What waits for a shard, in the order in which it was put.
    pub(crate) fn take(&self, home: u16) -> Vec<Reply> {
        if self.waiting.load(Ordering::SeqCst) == 0 {
            return Vec::new();
        }
        let taken = self.lock().remove(&home).unwrap_or_default();
        self.waiting.fetch_sub(taken.len(), Ordering::SeqCst);
        taken
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u16, Vec<Reply>>> {
        // Nothing can panic while it is held, so nothing in it is half done.
        self.by_home.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reason of a service that says none.
pub(crate) const DENIED: &str = "the service says no";

#[cfg(test)]
mod tests;
