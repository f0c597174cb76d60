//! Sessions whose connection broke: they stand in the world as before and wait for another one, for a while.
//!
//! Decides who waits, who is resumed and whose time is over. Never knows a socket. Nothing is said to who waits: messages
//! for it are dropped, and of the world it is told anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use worldshard_protocol::{EntityId, SessionId, Tick};
use worldshard_shard::{CommandBody, ViewerStats};
use worldshard_spatial::ShardId;
use worldshard_transport::Refusal;

use crate::app::{AppRecipe, Framing};
use crate::hub::desk::Desk;
use crate::hub::person::Visitor;
use crate::hub::session::{Connection, Egress, Resumption, Session, Standing, State, Subscription};
use crate::hub::token::Token;
use crate::hub::{Commons, Hub};
use crate::message::{CloseReason, Event};

/// The sessions of a home that wait for another connection.
pub(crate) struct DetachedSessions {
    /// For how many ticks; none when nobody waits.
    grace_ticks: Option<u64>,
    /// One more is closed at once.
    max: usize,
    waiting: BTreeMap<SessionId, Waiting>,
}

/// What becomes of a session that waits.
struct Waiting {
    until: Tick,
    /// What is told of its end.
    reason: CloseReason,
    /// Somebody closed it meanwhile.
    ended: bool,
}

/// A session of a process before, whose viewpoint came back from disk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Returning {
    /// Which one.
    pub session: SessionId,
    /// The shard that has its viewpoint.
    pub owner: ShardId,
    /// The home's number of its last command.
    pub sequence: u32,
    /// The client's number of its last command.
    pub client_sequence: u32,
    /// How often it was resumed.
    pub generation: u32,
    /// Its avatar.
    pub avatar: Option<EntityId>,
}

impl Returning {
    /// What a home must know of a viewpoint that waits for no command.
    #[must_use]
    pub fn of(session: SessionId, owner: ShardId, viewer: &ViewerStats) -> Self {
        Self {
            session,
            owner,
            sequence: viewer.commands_done,
            client_sequence: viewer.client_sequence,
            generation: viewer.generation,
            avatar: viewer.avatar,
        }
    }
}

impl DetachedSessions {
    pub(crate) fn new(recipe: &Arc<AppRecipe>, commons: &Commons) -> Self {
        let limits = &recipe.options.limits;
        let interval = recipe.world.config.tick_interval;
        let ticks = limits
            .resume_grace
            .as_nanos()
            .div_ceil(interval.as_nanos().max(1));
        let ticks = u64::try_from(ticks).unwrap_or(u64::MAX);
        Self {
            grace_ticks: (ticks > 0 && commons.key.is_some()).then_some(ticks),
            max: limits.detached_max,
            waiting: BTreeMap::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn max(&self) -> usize {
        self.max
    }

    pub(crate) fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.waiting.keys().copied()
    }

    /// Lets a session wait no longer.
    pub(crate) fn end(&mut self, session: SessionId, reason: CloseReason) {
        if let Some(waiting) = self.waiting.get_mut(&session)
            && !waiting.ended
        {
            waiting.reason = reason;
            waiting.ended = true;
        }
    }

    fn insert(&mut self, session: SessionId, now: Tick, reason: CloseReason) {
        let grace_ticks = self.grace_ticks.unwrap_or_default();
        let waiting = Waiting {
            until: Tick(now.0.saturating_add(grace_ticks)),
            reason,
            ended: false,
        };
        self.waiting.insert(session, waiting);
    }

    fn take_ended(&mut self, now: Tick) -> Vec<(SessionId, CloseReason)> {
        let is_over = |_: &SessionId, one: &mut Waiting| one.ended || one.until <= now;
        let over = self.waiting.extract_if(.., is_over);
        over.map(|(session, one)| (session, one.reason)).collect()
    }
}

impl Desk {
    /// Lets a session wait whose connection broke; false when it is to be closed.
    pub(crate) fn detach(&mut self, session: SessionId, reason: &CloseReason) -> bool {
        let broke = matches!(reason, CloseReason::Lost | CloseReason::Timeout);
        let has_room = self.detached.len() < self.detached.max;
        if !broke || !has_room || self.detached.grace_ticks.is_none() {
            return false;
        }
        let Some(entry) = self.sessions.get_mut(&session) else {
            return false;
        };
        let stands = entry.standing.as_deref().is_some_and(|standing| {
            matches!(standing.state, State::In | State::Joining { leave: false })
        });
        if !entry.is_open() || !stands || !self.keep_seat(session) {
            return false;
        }
        self.detached.insert(session, self.tick, reason.clone());
        self.disconnect(session);
        self.log_detached(session);
        true
    }

    /// Whether a session waits for another connection.
    pub(crate) fn is_detached(&self, session: SessionId) -> bool {
        let entry = self.sessions.get(&session);
        entry.is_some_and(|entry| matches!(entry.connection, Connection::Detached))
    }

    /// Drops what was on its way to an open session, which has no connection any more.
    fn disconnect(&mut self, session: SessionId) {
        let Some(entry) = self.sessions.get_mut(&session) else {
            return;
        };
        entry.connection = Connection::Detached;
        let place = entry.egress.place;
        let egress = std::mem::replace(
            &mut entry.egress,
            Egress {
                place,
                ..Egress::default()
            },
        );
        self.queued_bytes -= egress.reliable_bytes;
        self.output.frames.retain(|(of, ..)| *of != session);
        self.forget_answers(session);
        self.memberships.forget_wishes(session);
        self.membership += 1;
        self.connected -= 1;
        self.commons.census.set(self.own, self.connected);
    }

    /// Gives a session that waits another connection, to which nothing was said yet.
    fn connect(&mut self, session: SessionId) {
        // What waits for it among others was said to the connection before: dropped, as the rest was.
        self.catch_up(session);
        self.detached.waiting.remove(&session);
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.connection = Connection::Open;
        }
        self.membership += 1;
        self.connected += 1;
        self.stats.resumed += 1;
        self.commons.census.set(self.own, self.connected);
    }

    /// The standing of a session that a connection at `path` may go on with.
    fn resumable(&mut self, token: &Token, path: &str) -> Option<&mut Standing> {
        let ended = self.detached.waiting.get(&token.session);
        if ended.is_some_and(|waiting| waiting.ended) {
            return None;
        }
        let entry = self.sessions.get_mut(&token.session)?;
        let connected = matches!(entry.connection, Connection::Open | Connection::Detached);
        // The path of a session that came back from disk is not known.
        if !connected || !(entry.path.is_empty() || *entry.path == *path) {
            return None;
        }
        let standing = entry.standing.as_deref_mut()?;
        // A process before may have resumed it later than it could keep: a later token was signed all the same.
        if token.generation < standing.resumption.generation {
            return None;
        }
        entry.path = path.into();
        Some(standing)
    }
}

impl Hub {
    /// The token by which another connection goes on with a session; none where none can.
    pub(crate) fn token(&self, session: SessionId) -> Option<String> {
        self.desk.detached.grace_ticks?;
        let entry = self.desk.sessions.get(&session)?;
        let generation = entry.standing.as_deref()?.resumption.generation;
        let identity = entry.identity.as_deref();
        let of = identity.and_then(|one| Some((one.user.clone()?, one.expires)));
        let is_named = self.desk.commons.policies.rules().named;
        let tenant = is_named.then(|| self.desk.tenant_id(session));
        let key = self.desk.commons.key.as_deref()?;
        Some(key.sign(&Token {
            session,
            generation,
            tenant,
            of,
        }))
    }

    /// The home of the session that a token is for.
    ///
    /// # Errors
    /// 401 when nobody signed it, 410 when nothing can be resumed.
    pub fn home_of(&self, token: &str) -> Result<ShardId, Refusal> {
        let home = ShardId(self.read(token)?.session.home());
        let exists = home.0 < self.desk.commons.shard_count();
        exists.then_some(home).ok_or(NO_SESSION)
    }

    /// Lets a connection go on with the session of a token. What was given to the session's connection before, if it
    /// still has one, is void, and the driver is to close that one. The greeting is the first frame, with another token.
    ///
    /// # Errors
    /// 401 when nobody signed the token; 410 when it was used before or its session is no more, or has another path.
    pub fn resume(&mut self, token: &str, path: &str) -> Result<SessionId, Refusal> {
        self.resume_as(token, path, &Visitor::default())
    }

    /// The same for a connection of which this is known.
    ///
    /// # Errors
    /// As [`resume`](Self::resume); 401 too when the visitor proved to be another user than the session's or is of another
    /// tenant, and when the session's time is over; 503 when its tenant has as many sessions as allowed without one that
    /// came back from disk.
    pub fn resume_as(
        &mut self,
        token: &str,
        path: &str,
        visitor: &Visitor,
    ) -> Result<SessionId, Refusal> {
        let token = self.read(token)?;
        let session = token.session;
        let generation = token.generation.checked_add(1).ok_or(NO_SESSION)?;
        self.desk.resumable(&token, path).ok_or(NO_SESSION)?;
        match self.desk.recognise(&token, visitor) {
            Ok(displaced) => self.displace(displaced),
            Err(refusal) => {
                // Its time may be over.
                self.end_detached();
                return Err(refusal);
            }
        }
        let standing = self.desk.standing(session).ok_or(NO_SESSION)?;
        let resumption = &mut standing.resumption;
        resumption.generation = generation;
        resumption.repeated = resumption.taken;
        standing.deltas.forget();
        if !self.desk.is_detached(session) {
            self.unsubscribe(session);
            self.desk.disconnect(session);
        }
        if let Some(standing) = self.desk.standing(session) {
            standing.overview = Subscription::default();
        }
        self.desk.connect(session);
        if let Some(entry) = self.desk.sessions.get_mut(&session) {
            // One that came back from disk has none yet.
            entry.trace = entry.trace.or(visitor.trace);
        }
        self.desk.log_resumed(session, visitor.trace);
        self.refresh_if_resumed(session);
        self.greet(session, visitor.trace);
        Ok(session)
    }

    fn read(&self, token: &str) -> Result<Token, Refusal> {
        let key = self.desk.commons.key.as_deref();
        let key = key.filter(|_| self.desk.detached.grace_ticks.is_some());
        key.ok_or(NO_SESSION)?.read(token).ok_or(FORGED)
    }

    /// Has the viewpoint of a resumed session tell everything anew, unless it began after that. A viewpoint to come is asked
    /// when it is there.
    pub(crate) fn refresh_if_resumed(&mut self, session: SessionId) {
        let Some(standing) = self.desk.standing(session) else {
            return;
        };
        let resumption = &mut standing.resumption;
        let generation = resumption.generation;
        if standing.state == State::In && generation != resumption.told {
            resumption.told = generation;
            resumption.refreshing = true;
            self.send_command(session, 0, CommandBody::Refresh { generation });
        }
    }

    /// Takes in sessions of a process before, whose viewpoints are in the world: they wait for a connection from now on.
    /// Systems hear of them as of any that opened.
    ///
    /// # Panics
    /// When one of them is known, or of another home.
    pub fn expect(&mut self, returning: &[Returning]) {
        for one in returning {
            assert_eq!(one.session.home(), self.desk.own.0, "of another home");
            let mut standing = Standing::new();
            standing.state = State::In;
            standing.owner = one.owner;
            standing.sequence = one.sequence;
            standing.entity = one.avatar;
            standing.resumption = Resumption {
                generation: one.generation,
                told: one.generation,
                taken: one.client_sequence,
                ..Resumption::default()
            };
            let entry = Session {
                path: "".into(),
                framing: Framing::Lanes,
                moment: self.desk.commons.moments.take(),
                opened: self.desk.tick,
                trace: None,
                connection: Connection::Detached,
                egress: Egress::default(),
                standing: Some(Box::new(standing)),
                identity: None,
                place: None,
                address: None,
            };
            let known = self.desk.sessions.insert(one.session, entry);
            assert!(known.is_none(), "session {} came back twice", one.session);
            self.desk.stats.opened += 1;
            let now = self.desk.tick;
            self.desk
                .detached
                .insert(one.session, now, CloseReason::Lost);
            self.events.push(Event::Opened(one.session));
        }
    }

    /// Closes the sessions that have waited long enough, or that somebody closed.
    pub(crate) fn end_detached(&mut self) {
        if self.desk.detached.waiting.is_empty() {
            return;
        }
        for (session, reason) in self.desk.detached.take_ended(self.desk.tick) {
            if let Some(entry) = self.desk.sessions.get_mut(&session) {
                entry.connection = Connection::Gone;
            }
            self.desk.membership += 1;
            self.desk.stats.end(&reason);
            self.desk.log_closed(session, &reason);
            self.desk.leave_seat(session);
            self.events.push(Event::Closed(session, reason));
            self.hear_end(session);
            self.leave_world(session);
            self.desk.forget_if_done(session);
        }
    }
}

const FORGED: Refusal = Refusal::new(401, "the resume token is not one of this server");
pub(crate) const NO_SESSION: Refusal = Refusal::new(410, "there is no session to resume");
