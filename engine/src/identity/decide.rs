//! Who is let in where that is decided elsewhere and later: what is asked, and the right to answer it from any thread.
//!
//! Never waits for an answer, and never decides: connections wait in `runtime::reactor::deciding`.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use worldshard_protocol::{JsonText, UserId};

use super::auth::Environment;
use super::claim::Credential;
use super::trace::TraceId;

/// Decides who is let in, now or later.
pub trait Decide: Send + Sync + 'static {
    /// Is told of a client that would come in. Called on the thread of a shard, so it must not wait: it answers by the
    /// applicant's token, or moves that to where it is answered. One that panics lets nobody in.
    fn decide(&self, applicant: Applicant);
}

/// Somebody who decides, for [`Auth::Decided`](super::Auth::Decided). A clone is the same one.
#[derive(Clone)]
pub struct Decider(Arc<dyn Decide>);

/// A client that would come in: all that it shows and says, none of it proven.
#[derive(Debug)]
#[must_use = "an applicant that is dropped is not let in"]
pub struct Applicant {
    pub(crate) credential: Option<Credential>,
    /// The user that it says it is.
    pub user: Option<UserId>,
    /// Whose of those who share the server it says it is.
    pub tenant: Option<String>,
    /// What it runs in, as it says.
    pub environment: Option<Environment>,
    /// What it says of itself, JSON.
    pub connect: Option<JsonText>,
    /// The path that it asked for.
    pub path: String,
    /// The address that its connection comes from.
    pub address: Option<IpAddr>,
    /// The name of its connection in traces, if its request has one.
    pub trace: Option<TraceId>,
    /// Whether it would begin the room at that path by a `POST`, and not come into it.
    pub begins_room: bool,
    /// What answers it.
    pub token: EntryToken,
}

/// Who is let in, as whoever decides says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Entry {
    /// Whose the session is; none when it is nobody's, whatever the client said.
    pub user: Option<UserId>,
    /// The id of its tenant, if the decider says it: that of its request, or it is not let in.
    pub tenant: Option<String>,
    /// When its session is to end, since 1970.
    pub expires: Option<Duration>,
    /// What stands as its connect message, in place of what the client said.
    pub connect: Option<JsonText>,
}

/// The right to say once whether a client is let in. Dropped, it is not.
#[must_use = "whose token is dropped is not let in"]
pub struct EntryToken {
    answer: Option<Answer>,
}

/// Whether a client is let in.
#[derive(Debug)]
pub(crate) enum Verdict {
    Allow(Entry),
    /// With the reason that it is told.
    Deny(String),
}

/// Where a verdict is left, and whether anybody waits for it.
pub(crate) trait Ballot: Send {
    fn is_wanted(&self) -> bool;

    fn leave(self: Box<Self>, verdict: Verdict);
}

type Answer = Box<dyn Ballot>;

impl Decider {
    /// Somebody who decides.
    pub fn new(decide: impl Decide) -> Self {
        Self(Arc::new(decide))
    }

    pub(crate) fn ask(&self, applicant: Applicant) {
        self.0.decide(applicant);
    }
}

impl Applicant {
    /// The secret or token that it shows. Nothing else gives it away: not `Debug`, no log.
    #[must_use]
    pub fn credential(&self) -> Option<&str> {
        self.credential.as_ref().map(Credential::text)
    }
}

impl EntryToken {
    pub(crate) fn new(answer: Answer) -> Self {
        let answer = Some(answer);
        Self { answer }
    }

    /// Lets the client in.
    pub fn allow(mut self, entry: Entry) {
        self.say(Verdict::Allow(entry));
    }

    /// Turns the client away, who is told the reason: a line for people, cut after [`REASON_BYTES_MAX`] bytes.
    pub fn deny(mut self, reason: impl AsRef<str>) {
        self.say(Verdict::Deny(line(reason.as_ref())));
    }

    /// Whether the client still waits: not after it has gone, nor after `auth_deadline`. Work for nobody can be left undone.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.answer.as_ref().is_some_and(|one| one.is_wanted())
    }

    fn say(&mut self, verdict: Verdict) {
        if let Some(answer) = self.answer.take()
            // So what waits to be heard is of clients that wait: their number is bounded.
            && answer.is_wanted()
        {
            answer.leave(verdict);
        }
    }
}

impl Drop for EntryToken {
    fn drop(&mut self) {
        self.say(Verdict::Deny("nobody decided".to_owned()));
    }
}

/// What may stand in a close frame: one line, and no more of it than fits beside a code.
fn line(reason: &str) -> String {
    let reason = &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)];
    reason.replace(char::is_control, " ")
}

impl fmt::Debug for Decider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decider(..)")
    }
}

impl fmt::Debug for EntryToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryToken")
            .field("is_wanted", &self.is_wanted())
            .finish_non_exhaustive()
    }
}

/// A reason is at most so long, in bytes: the rest of it would not fit into a close frame.
pub const REASON_BYTES_MAX: usize = 100;

#[cfg(test)]
mod tests;
