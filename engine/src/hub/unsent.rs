//! Which messages of systems were not sent, counted until the systems that sent them are told.
//!
//! Never decides that a message is not sent: that is where it is queued.

use std::collections::BTreeMap;

use worldshard_protocol::SessionId;
use worldshard_spatial::ShardId;

use crate::hub::desk::Desk;
use crate::hub::fanout::Post;
use crate::letter::Letter;
use crate::unsent::{Unsent, UnsentCause};

/// What a hub knows of messages that were not sent.
#[derive(Default)]
pub(crate) struct UnsentMessages {
    /// Of this shard's systems, since they were last told.
    own: Counts,
    /// Of the letter in hand, if one is: its sender's systems are told.
    of_letter: Option<Counts>,
    /// What systems are told in this turn.
    shown: Vec<Unsent>,
    /// Since the start.
    total: u64,
}

/// By session and cause, so that who sends on and on is told once in a turn.
type Counts = BTreeMap<(SessionId, UnsentCause), u64>;

impl UnsentMessages {
    /// Takes note of messages of whoever is speaking.
    pub(crate) fn note(&mut self, session: SessionId, cause: UnsentCause, count: u64) {
        self.total += count;
        let counts = self.of_letter.as_mut().unwrap_or(&mut self.own);
        add(counts, session, cause, count);
    }

    /// Takes note of messages of several senders, which waited to leave together and found the queue full.
    pub(crate) fn note_gathered(&mut self, session: SessionId, count: u64) {
        self.total += count;
        add(&mut self.own, session, UnsentCause::QueueFull, count);
    }

    /// Takes in what another home says of this shard's messages.
    pub(crate) fn take(&mut self, list: &[Unsent]) {
        for one in list {
            add(&mut self.own, one.session, one.cause, one.count);
        }
    }

    /// Whether systems have something to be told.
    pub(crate) fn is_new(&self) -> bool {
        !self.own.is_empty()
    }

    /// From now on systems are told of what is known.
    pub(crate) fn show(&mut self) {
        self.shown = list(std::mem::take(&mut self.own));
    }

    /// They have been told.
    pub(crate) fn hide(&mut self) {
        self.shown.clear();
    }

    pub(crate) fn shown(&self) -> Vec<Unsent> {
        self.shown.clone()
    }

    /// Since the start, of all whom this home has sessions for.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}

impl Desk {
    /// Takes note that a session is sent nothing, because it is not open.
    pub(crate) fn note_not_open(&mut self, session: SessionId) {
        let cause = match self.sessions.get(&session) {
            None => Some(UnsentCause::NoSession),
            Some(entry) => entry.connection.takes_nothing(),
        };
        if let Some(cause) = cause {
            self.unsent.note(session, cause, 1);
        }
    }

    /// Delivers what another hub posted, and tells it what was not sent.
    pub(crate) fn take_posts(&mut self, from: ShardId, posts: &[Post]) {
        self.unsent.of_letter = Some(Counts::new());
        posts.iter().for_each(|post| self.deliver_post(post));
        let counts = self.unsent.of_letter.take().unwrap_or_default();
        if !counts.is_empty() {
            let letter = Letter::Unsent(list(counts));
            self.output.letters.push((from, letter));
        }
    }
}

/// Beyond the bound, what is new is counted in the total only.
fn add(counts: &mut Counts, session: SessionId, cause: UnsentCause, count: u64) {
    let has_room = counts.len() < UNSENT_MAX;
    if has_room || counts.contains_key(&(session, cause)) {
        *counts.entry((session, cause)).or_default() += count;
    }
}

fn list(counts: Counts) -> Vec<Unsent> {
    let one = |((session, cause), count)| Unsent {
        session,
        cause,
        count,
    };
    counts.into_iter().map(one).collect()
}

/// Sessions that systems are told of in one turn, each with its cause. More are counted, and named nowhere.
const UNSENT_MAX: usize = 256;
