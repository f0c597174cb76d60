//! One room: its members, its timers, its service. Never decides when it is told: that is `hub::rooms`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use worldshard_protocol::{SessionId, Tick, UserId};

use super::letters::{Joining, Word};
use super::outside::{OutsideTray, RoomEnd, RoomSender};
use crate::app::RoomId;
use crate::policy::{Place, TenantIndex};
use crate::service::{ROOM_TIMERS_MAX, Service};

/// One room.
pub(crate) struct RoomEntry {
    pub(crate) id: RoomId,
    pub(crate) state: RoomState,
    pub(crate) service: Option<Box<dyn Service>>,
    /// Those who ask to come in and were not answered yet.
    pub(crate) coming: u32,
    /// When it ends, unless somebody comes.
    pub(crate) ends: Option<Tick>,
    /// When it is woken, as those know who wake it.
    pub(crate) alarm: Option<Tick>,
    pub(crate) panics: Panics,
    /// Among the rooms of its tenant. Held until it ends.
    pub(super) _place: Place,
}

/// What the service of a room reaches.
pub(crate) struct RoomState {
    pub(crate) tenant: TenantIndex,
    pub(crate) name: Arc<str>,
    pub(crate) hash: u64,
    /// Which room of its shard it is: none has the same ever again.
    pub(crate) number: u64,
    pub(crate) seed: u64,
    pub(crate) tick_interval: Duration,
    /// Whether members can reach other rooms too, so that they must be told which one speaks.
    pub(crate) is_joined: bool,
    /// Ascending by session.
    pub(crate) members: Vec<Member>,
    /// How many members each user has; those that are nobody's are not among them.
    users: BTreeMap<UserId, u32>,
    /// Members that are nobody's.
    nobodys: u32,
    /// Members that the service has sent away, to be done once it returns.
    pub(crate) partings: Vec<Parting>,
    /// What lists say of it; none when it is not listed.
    pub(crate) note: Option<Arc<str>>,
    /// Lists are to say something else of it.
    pub(crate) relist: bool,
    pub(crate) timers: BTreeMap<Box<str>, Timer>,
    /// Timers were set since the alarm was.
    pub(crate) timers_set: bool,
    /// How often chance was asked for.
    pub(crate) chances: u64,
    /// What it shares with the senders that this life of it gave away.
    pub(super) outside: Option<RoomEnd>,
}

/// A session in a room.
pub(crate) struct Member {
    pub(crate) session: SessionId,
    /// Which membership of it, as its home counts.
    pub(crate) number: u64,
    pub(crate) user: Option<Box<UserId>>,
}

/// A member that is none any more, because the service says so.
pub(crate) struct Parting {
    pub(crate) session: SessionId,
    /// Which membership of it.
    pub(crate) number: u64,
    /// For its home.
    pub(crate) word: Word,
}

/// One timer.
#[derive(Clone, Copy)]
pub(crate) struct Timer {
    pub(crate) due: Tick,
    /// Ticks until it is due again; none when it fires once.
    every: Option<u64>,
}

/// How often a room panicked lately.
#[derive(Clone, Copy, Default)]
pub(crate) struct Panics {
    count: u32,
    first: Tick,
}

impl RoomEntry {
    /// Members, and those who ask to be.
    pub(crate) fn population(&self) -> u32 {
        let members = u32::try_from(self.state.members.len()).unwrap_or(u32::MAX);
        members.saturating_add(self.coming)
    }

    /// When it has something to do by itself: a timer, or its end.
    pub(crate) fn next_due(&self) -> Option<Tick> {
        let timers = self.state.timers.values().map(|timer| timer.due);
        timers.chain(self.ends).min()
    }
}

impl RoomState {
    pub(crate) fn new(
        id: &RoomId,
        number: u64,
        is_joined: bool,
        seed: u64,
        tick_interval: Duration,
    ) -> Self {
        Self {
            tenant: id.tenant,
            name: Arc::clone(&id.name),
            hash: id.hash(),
            number,
            seed,
            tick_interval,
            is_joined,
            members: Vec::new(),
            users: BTreeMap::new(),
            nobodys: 0,
            partings: Vec::new(),
            note: Some(Arc::from("")),
            relist: true,
            timers: BTreeMap::new(),
            timers_set: false,
            chances: 0,
            outside: None,
        }
    }

    /// Something that brings things from any thread to this life of the room.
    pub(crate) fn sender(&mut self, tray: &Arc<OutsideTray>) -> RoomSender {
        let end = self.outside.get_or_insert_with(RoomEnd::new);
        RoomSender::new(Arc::clone(tray), self.number, end)
    }

    pub(crate) fn sessions(&self) -> impl ExactSizeIterator<Item = SessionId> + '_ {
        self.members.iter().map(|member| member.session)
    }

    fn find(&self, session: SessionId) -> Result<usize, usize> {
        self.members
            .binary_search_by_key(&session, |one| one.session)
    }

    pub(crate) fn member(&self, session: SessionId) -> Option<&Member> {
        self.find(session).ok().map(|at| &self.members[at])
    }

    pub(crate) fn is_member(&self, session: SessionId) -> bool {
        self.find(session).is_ok()
    }

    /// Whether somebody would be one user more than `max` in it, who each count once. Those that are nobody's count one
    /// each; 0 for no limit.
    pub(crate) fn is_one_too_many(&self, joining: &Joining, max: u32) -> bool {
        let counts_already = match &joining.user {
            Some(user) => self.users.contains_key(user),
            None => self.is_member(joining.session),
        };
        let users = u32::try_from(self.users.len()).unwrap_or(u32::MAX);
        max > 0 && !counts_already && users.saturating_add(self.nobodys) >= max
    }

    /// Takes in a member. One that was a member before is so by its newer number.
    pub(crate) fn enter(&mut self, member: Member) {
        self.relist = true;
        self.count(&member, true);
        match self.find(member.session) {
            Ok(at) => {
                let before = std::mem::replace(&mut self.members[at], member);
                self.count(&before, false);
            }
            Err(at) => self.members.insert(at, member),
        }
    }

    /// Counts whose member it is.
    fn count(&mut self, member: &Member, comes: bool) {
        let count = match member.user.as_deref() {
            Some(user) => self.users.entry(user.clone()).or_default(),
            None => &mut self.nobodys,
        };
        *count = if comes { *count + 1 } else { *count - 1 };
        if let Some(user) = member.user.as_deref().filter(|_| *count == 0) {
            self.users.remove(user);
        }
    }

    /// Takes out a member, if it is one by this number.
    pub(crate) fn leave(&mut self, session: SessionId, number: u64) -> Option<Member> {
        let at = self.find(session).ok()?;
        let is_it = number == self.members[at].number;
        self.relist |= is_it;
        let member = is_it.then(|| self.members.remove(at))?;
        self.count(&member, false);
        Some(member)
    }

    /// Has a member sent away once the service returns; of who is none, nothing comes.
    pub(crate) fn send_away(&mut self, session: SessionId, word: Word) {
        if let Some(number) = self.member(session).map(|member| member.number) {
            self.partings.push(Parting {
                session,
                number,
                word,
            });
        }
    }

    /// What lists say.
    pub(crate) fn listed(&self) -> Option<(u32, Arc<str>)> {
        let members = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        self.note.clone().map(|note| (members, note))
    }

    pub(crate) fn set_timer(
        &mut self,
        name: &str,
        now: Tick,
        after: Duration,
        again: bool,
    ) -> bool {
        if self.timers.len() >= ROOM_TIMERS_MAX && !self.timers.contains_key(name) {
            tracing::warn!(room = &*self.name, timer = name, "too many timers: not set");
            return false;
        }
        let ticks = ticks_of(after, self.tick_interval);
        let timer = Timer {
            due: Tick(now.0.saturating_add(ticks)),
            every: again.then_some(ticks),
        };
        self.timers.insert(name.into(), timer);
        self.timers_set = true;
        true
    }

    /// The names of the timers that are due. Those that fire once are gone, the others are due again.
    pub(crate) fn take_due(&mut self, now: Tick) -> Vec<Box<str>> {
        let due = self.timers.iter().filter(|(_, timer)| timer.due <= now);
        let mut names: Vec<_> = due.map(|(name, timer)| (timer.due, name.clone())).collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name).collect()
    }

    /// Takes note that a timer fires now; false when it is not due any more.
    pub(crate) fn fire(&mut self, name: &str, now: Tick) -> bool {
        let Some(timer) = self.timers.get_mut(name).filter(|one| one.due <= now) else {
            return false;
        };
        let Some(every) = timer.every else {
            self.timers.remove(name);
            return true;
        };
        // By its own count, so that it does not drift; what was slept through is left out.
        let missed = now.0.saturating_sub(timer.due.0) / every;
        timer.due = Tick(timer.due.0 + (missed + 1) * every);
        true
    }
}

impl Panics {
    /// Counts one; true when the room has had its share.
    pub(crate) fn count(&mut self, now: Tick, rest: u64) -> bool {
        if self.count == 0 || now.0.saturating_sub(self.first.0) > rest {
            *self = Self {
                count: 0,
                first: now,
            };
        }
        self.count += 1;
        self.count >= PANICS_MAX
    }
}

/// So many ticks are at least as long; one at least.
pub(crate) fn ticks_of(length: Duration, tick_interval: Duration) -> u64 {
    let ticks = length.as_nanos().div_ceil(tick_interval.as_nanos().max(1));
    u64::try_from(ticks).unwrap_or(u64::MAX).max(1)
}

/// A room that panics so often within a minute is closed.
const PANICS_MAX: u32 = 4;
