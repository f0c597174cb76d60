//! The part of a hub that systems can reach: its sessions, its output, what waits to be posted.
//!
//! Never touches the world: what it wants said there, it keeps for the hub.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use worldshard_protocol::{SessionId, Tick};
use worldshard_shard::AreaMessage;
use worldshard_spatial::ShardId;
use worldshard_transport::close_code;

use crate::app::{AppRecipe, Framing};
use crate::hub::application::Acks;
use crate::hub::blocks::Blocks;
use crate::hub::commons::Commons;
use crate::hub::convoy::Convoy;
use crate::hub::detached::DetachedSessions;
use crate::hub::fanout::Post;
use crate::hub::person::{Environments, NotOpened};
use crate::hub::requests::OpenRequests;
use crate::hub::rooms::{Memberships, OutsideTray};
use crate::hub::session::{Connection, Egress, Session, Standing, State};
use crate::hub::status::HubStats;
use crate::hub::unsent::UnsentMessages;
use crate::hub::{Opening, Output};
use crate::identity::{Identity, TraceId};
use crate::letter::{Delivery, Letter};
use crate::message::CloseReason;
use crate::policy::{Refused, Rules, TenantIndex};

/// The sessions of a home and everything on its way to them or to other hubs.
pub(crate) struct Desk {
    pub(crate) own: ShardId,
    pub(crate) commons: Commons,
    pub(crate) tick: Tick,
    /// The newest tick that the output may tell of.
    pub(crate) tells_of: Tick,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    pub(crate) output: Output,
    /// What this turn has for other hubs, by receiver.
    pub(crate) posts: Vec<Vec<Post>>,
    /// Messages for areas, for the hub to say in the world.
    pub(crate) areas: Vec<AreaMessage>,
    pub(crate) areas_said: u32,
    pub(crate) stats: HubStats,
    pub(crate) messages_queue_bytes_max: usize,
    pub(crate) lossy_queue_bytes_max: usize,
    /// Bytes of messages that wait in all queues.
    pub(crate) queued_bytes: usize,
    /// What the tick has for sessions, by home; empty between ticks.
    pub(crate) deliveries: Vec<Delivery>,
    /// For deltas, many of which are held by a tick.
    pub(crate) states: Blocks,
    /// For messages.
    pub(crate) blocks: Blocks,
    pub(crate) convoy: Convoy,
    /// More for one session are not gathered.
    pub(crate) convoy_bytes_max: usize,
    /// Changes whenever a session opens or ceases to be open.
    pub(crate) membership: u64,
    /// Sessions that wait for another connection.
    pub(crate) detached: DetachedSessions,
    pub(crate) requests: OpenRequests,
    pub(crate) acks: Acks,
    pub(crate) unsent: UnsentMessages,
    /// What other threads bring into rooms.
    pub(crate) outside: Arc<OutsideTray>,
    pub(crate) connected: u64,
    pub(crate) environments: Environments,
    pub(crate) recipe: Arc<AppRecipe>,
    /// What clients may do.
    pub(crate) rules: Arc<Rules>,
    /// Whose message is taken now, and of which tenant it is.
    pub(crate) speaker: Option<(SessionId, TenantIndex)>,
    pub(crate) memberships: Memberships,
    /// What services count.
    pub(crate) room_totals: BTreeMap<&'static str, u64>,
    /// The tenant whose users and rooms a system means by their names.
    pub(crate) spoken_of: TenantIndex,
    last_session: u64,
}

impl Desk {
    pub(crate) fn new(own: ShardId, recipe: &Arc<AppRecipe>, commons: Commons) -> Self {
        let shards = usize::from(commons.shard_count());
        Self {
            own,
            tick: Tick(0),
            tells_of: Tick(0),
            sessions: BTreeMap::new(),
            output: Output::default(),
            posts: (0..shards).map(|_| Vec::new()).collect(),
            areas: Vec::new(),
            areas_said: 0,
            stats: HubStats::default(),
            messages_queue_bytes_max: recipe.options.limits.messages_queue_bytes_max,
            lossy_queue_bytes_max: recipe.options.limits.lossy_bytes_max(),
            queued_bytes: 0,
            deliveries: (0..shards).map(|_| Delivery::new(Tick(0))).collect(),
            states: Blocks::for_states(),
            blocks: Blocks::for_messages(),
            convoy: Convoy::default(),
            convoy_bytes_max: recipe.options.limits.coalesce_bytes_max(),
            membership: 0,
            detached: DetachedSessions::new(recipe, &commons),
            requests: OpenRequests::new(recipe),
            acks: Acks::default(),
            unsent: UnsentMessages::default(),
            outside: Arc::new(OutsideTray::new()),
            connected: 0,
            environments: Environments::default(),
            recipe: Arc::clone(recipe),
            rules: commons.policies.rules(),
            speaker: None,
            memberships: Memberships::default(),
            room_totals: BTreeMap::new(),
            spoken_of: 0,
            last_session: commons.sessions_before,
            commons,
        }
    }

    /// What is said from now on may come from what systems saw of this tick.
    pub(crate) fn may_tell_of(&mut self, tick: Tick) {
        self.tells_of = self.tells_of.max(tick);
    }

    /// Opens a session, and names those that give way to it.
    ///
    /// # Errors
    /// Its tenant or its user has as many sessions as allowed.
    pub(crate) fn open(
        &mut self,
        opening: Opening,
        identity: Identity,
        trace: Option<TraceId>,
    ) -> Result<(SessionId, Vec<SessionId>), NotOpened> {
        let session = SessionId::new(self.own.0, self.last_session + 1);
        let rules = self.commons.policies.rules();
        let tenant = rules.tenant(identity.tenant);
        let place = tenant.usage.take_session(tenant.limits.sessions_max);
        let place = place.ok_or(NotOpened::TenantFull).inspect_err(|_| {
            tenant.usage.refused(Refused::Capacity);
        })?;
        let displaced = match &identity.user {
            Some(user) => {
                let seats = &self.commons.seats;
                let taken = seats.take(identity.tenant, user, session, &tenant.policy);
                taken.inspect_err(|_| tenant.usage.refused(Refused::Sessions))?
            }
            None => Vec::new(),
        };
        tenant.usage.opened();
        self.last_session += 1;
        self.environments.enter(identity.environment);
        let lanes = opening.framing == Framing::Lanes;
        let entry = Session {
            path: opening.path.into(),
            framing: opening.framing,
            moment: self.commons.moments.take(),
            opened: self.tick,
            trace,
            connection: Connection::Open,
            egress: Egress::default(),
            standing: lanes.then(|| Box::new(Standing::new())),
            identity: (!identity.is_nobodys()).then(|| Box::new(identity)),
            place: Some(place),
            address: None,
        };
        let known = self.sessions.insert(session, entry);
        assert!(known.is_none(), "session {session} opened twice");
        self.membership += 1;
        self.connected += 1;
        self.stats.opened += 1;
        self.commons.census.set(self.own, self.connected);
        Ok((session, displaced))
    }

    /// Takes note of the end of a connection; gives the reason to tell, or `None` when it was known.
    pub(crate) fn closed(
        &mut self,
        session: SessionId,
        reason: CloseReason,
    ) -> Option<CloseReason> {
        let entry = self.sessions.get_mut(&session)?;
        if matches!(entry.connection, Connection::Detached) {
            return None;
        }
        let reason = match std::mem::replace(&mut entry.connection, Connection::Gone) {
            Connection::Open => reason,
            Connection::Closing(code, reason) => CloseReason::Server { code, reason },
            Connection::Detached | Connection::Gone => return None,
        };
        let egress = std::mem::take(&mut entry.egress);
        self.queued_bytes -= egress.reliable_bytes;
        self.membership += 1;
        self.connected -= 1;
        self.stats.end(&reason);
        self.log_closed(session, &reason);
        self.commons.census.set(self.own, self.connected);
        self.leave_seat(session);
        self.forget_answers(session);
        self.forget_if_done(session);
        Some(reason)
    }

    /// Drops a session whose connection is gone and of whose viewpoint nothing is left.
    pub(crate) fn forget_if_done(&mut self, session: SessionId) {
        let done = self.sessions.get(&session).is_some_and(|entry| {
            let out = |standing: &Standing| standing.state == State::Out;
            entry.is_gone() && entry.standing.as_deref().is_none_or(out)
        });
        if done {
            self.sessions.remove(&session);
        }
    }

    /// Closes a connection of this home, behind what it was sent. Closing it again changes nothing.
    pub(crate) fn close(&mut self, session: SessionId, code: u16, reason: Cow<'static, str>) {
        self.catch_up(session);
        let Some(entry) = self.sessions.get_mut(&session) else {
            return;
        };
        let code = if close_code::may_be_sent(code) {
            code
        } else {
            close_code::NORMAL
        };
        if matches!(entry.connection, Connection::Detached) {
            return self
                .detached
                .end(session, CloseReason::Server { code, reason });
        }
        if !entry.is_open() {
            return;
        }
        entry.connection = Connection::Closing(code, reason.clone());
        self.membership += 1;
        self.output.closes.push((session, code, reason));
    }

    /// Closes a connection wherever its home is, in order with what was sent before.
    pub(crate) fn close_anywhere(
        &mut self,
        session: SessionId,
        code: u16,
        reason: Cow<'static, str>,
    ) {
        let home = ShardId(session.home());
        if home == self.own {
            self.close(session, code, reason);
        } else if home.0 < self.commons.shard_count() {
            self.flush_posts();
            let letter = Letter::Close {
                session,
                code,
                reason,
            };
            self.output.letters.push((home, letter));
        }
    }

    pub(crate) fn close_all(&mut self, code: u16, reason: &'static str) {
        let sessions: Vec<_> = self
            .sessions_open()
            .chain(self.detached.sessions())
            .collect();
        for session in sessions {
            self.close(session, code, Cow::Borrowed(reason));
        }
    }

    pub(crate) fn sessions_open(&self) -> impl Iterator<Item = SessionId> {
        let open = self.sessions.iter().filter(|(_, entry)| entry.is_open());
        open.map(|(session, _)| *session)
    }

    pub(crate) fn path(&self, session: SessionId) -> Option<&str> {
        let entry = self.sessions.get(&session)?;
        (!entry.is_gone()).then_some(&*entry.path)
    }

    pub(crate) fn framing(&self, session: SessionId) -> Option<Framing> {
        let entry = self.sessions.get(&session)?;
        (!entry.is_gone()).then_some(entry.framing)
    }

    pub(crate) fn framing_if_open(&self, session: SessionId) -> Option<Framing> {
        let entry = self.sessions.get(&session)?;
        entry.is_open().then_some(entry.framing)
    }

    /// A session's relation to the world, connected or not.
    pub(crate) fn standing(&mut self, session: SessionId) -> Option<&mut Standing> {
        self.sessions.get_mut(&session)?.standing.as_deref_mut()
    }

    pub(crate) fn connected(&self) -> u64 {
        self.connected
    }
}
