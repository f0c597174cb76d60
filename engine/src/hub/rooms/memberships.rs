//! Which rooms the sessions of a home are in, as the home knows it. Never runs a room: that is its host's.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use worldshard_protocol::SessionId;
use worldshard_spatial::ShardId;
use worldshard_transport::close_code;

use super::denial::{Denial, USER_ROOMS};
use super::directory::ListedRoom;
use super::letters::{Joining, RoomCall, RoomLetter, RoomMail, Word};
use crate::app::{NAME_RULE, RoomId, is_name};
use crate::hub::desk::Desk;
use crate::letter::Letter;
use crate::message::Payload;
use crate::policy::{RoomClaim, TenantIndex};

/// What became of a membership of a session that is homed on this shard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Membership {
    /// Whose.
    pub session: SessionId,
    /// Of which kind the room is.
    pub kind: Arc<str>,
    /// The room's name.
    pub name: Arc<str>,
    /// What happened.
    pub change: MembershipChange,
}

/// What happened to a membership.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MembershipChange {
    /// The session is a member: it was let in, or asked again.
    Joined,
    /// It was not let in, for this reason.
    Refused(Cow<'static, str>),
    /// It is no member any more, for this reason. Not told of a session that has ended.
    Left(Cow<'static, str>),
}

/// The memberships of a home's sessions.
#[derive(Default)]
pub(crate) struct Memberships {
    /// In the order in which they joined; the last is the active one.
    of: BTreeMap<SessionId, Vec<Seat>>,
    last_number: u64,
    /// For rooms that live on this shard.
    pub(crate) own_calls: Vec<(RoomId, RoomCall)>,
    news: Vec<Membership>,
    shown: Vec<Membership>,
}

/// One session in one room, or about to be.
struct Seat {
    room: RoomId,
    number: u64,
    is_in: bool,
    /// The connection came for this room alone.
    by_path: bool,
    /// It is one of its user's rooms; none when the session is nobody's. Held until the seat is no more.
    _claim: Option<Box<RoomClaim>>,
    /// The numbers of its client's wishes to be in it that were not answered yet.
    joins: Vec<Option<u32>>,
    /// The same of its questions who is in it.
    asks: Vec<Option<u32>>,
}

impl Memberships {
    /// Whether something waits for the hub's next turn.
    pub(crate) fn wait(&self) -> bool {
        !self.own_calls.is_empty() || !self.news.is_empty()
    }

    /// What systems see from now on is what became known until now.
    pub(crate) fn show(&mut self) {
        self.shown = std::mem::take(&mut self.news);
    }

    /// Until the next turn they see nothing.
    pub(crate) fn hide(&mut self) {
        self.shown.clear();
    }

    pub(crate) fn shown(&self) -> &[Membership] {
        &self.shown
    }

    /// Whether a session is in any room, or was promised to be.
    pub(crate) fn has_any(&self, session: SessionId) -> bool {
        !self.of.is_empty() && self.of.contains_key(&session)
    }

    /// The rooms that a session is in, in the order in which it joined; the last is the active one.
    pub(crate) fn rooms(&self, session: SessionId) -> impl Iterator<Item = &RoomId> {
        let seats = self.of.get(&session).into_iter().flatten();
        seats.filter(|seat| seat.is_in).map(|seat| &seat.room)
    }

    /// The room that a session's connection came for.
    pub(crate) fn by_path(&self, session: SessionId) -> Option<&RoomId> {
        match self.place(session) {
            Place::PathRoom(room) => Some(room),
            Place::Nowhere | Place::Rooms => None,
        }
    }

    /// Where a session is.
    pub(crate) fn place(&self, session: SessionId) -> Place<'_> {
        let Some(seats) = self.of.get(&session) else {
            return Place::Nowhere;
        };
        let by_path = seats.iter().find(|seat| seat.by_path);
        by_path.map_or(Place::Rooms, |seat| Place::PathRoom(&seat.room))
    }

    /// Whether the session is in the room, or was promised to be.
    pub(crate) fn has(&self, session: SessionId, room: &RoomId) -> bool {
        let seats = self.of.get(&session);
        seats.is_some_and(|seats| seats.iter().any(|seat| seat.room == *room))
    }

    /// Another connection goes on with a session: what the one before asked for is not answered to it.
    pub(crate) fn forget_wishes(&mut self, session: SessionId) {
        for seat in self.of.get_mut(&session).into_iter().flatten() {
            seat.joins.clear();
            seat.asks.clear();
        }
    }

    fn seat(&mut self, session: SessionId, is_it: impl Fn(&Seat) -> bool) -> Option<&mut Seat> {
        let seats = self.of.get_mut(&session)?;
        seats.iter_mut().find(|seat| is_it(seat))
    }

    fn take_seat(&mut self, session: SessionId, is_it: impl Fn(&Seat) -> bool) -> Option<Seat> {
        let seats = self.of.get_mut(&session)?;
        let at = seats.iter().position(is_it)?;
        let seat = seats.remove(at);
        if seats.is_empty() {
            self.of.remove(&session);
        }
        Some(seat)
    }
}

/// Where a session is, or was promised to be.
pub(crate) enum Place<'a> {
    Nowhere,
    /// In the room that its connection came for, and perhaps in others.
    PathRoom(&'a RoomId),
    /// In rooms that it joined.
    Rooms,
}

/// How a session came to ask for a room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// By the path of its connection.
    Path,
    /// A system or another room wants it to.
    System,
    /// Its client asks, with this number.
    Client(Option<u32>),
}

impl Desk {
    /// Has a session join a room. Of a session that is no more, nothing comes.
    pub(crate) fn join_room(
        &mut self,
        session: SessionId,
        room: RoomId,
        request: Payload,
        wish: Wish,
    ) {
        let Some(entry) = self.sessions.get(&session).filter(|one| !one.is_gone()) else {
            return;
        };
        let user = entry.identity.as_ref().and_then(|one| one.user.clone());
        let joins = match wish {
            Wish::Client(seq) => vec![seq],
            Wish::Path | Wish::System => Vec::new(),
        };
        if !is_name(&room.name) {
            return self.refuse_room(session, &room, Denial::new(400, NAME_RULE), &joins);
        }
        // Most sessions are in one room.
        let one = || Vec::with_capacity(1);
        let seats = self.memberships.of.entry(session).or_insert_with(one);
        if let Some(at) = seats.iter().position(|seat| seat.room == room) {
            let mut seat = seats.remove(at);
            let is_in = seat.is_in;
            let kept = joins.iter().all(|seq| keep_wish(&mut seat.joins, *seq));
            seats.push(seat);
            if is_in {
                self.tell_joined(session, &room);
            } else if !kept {
                self.tell_refused(session, &room, &Denial::new(503, TOO_MANY_WISHES), &joins);
            }
            return;
        }
        let rooms_max = self.recipe.options.limits.rooms_per_session_max as usize;
        if seats.len() >= rooms_max {
            let reason = format!("a session is in at most {rooms_max} rooms");
            return self.refuse_room(session, &room, Denial::new(503, reason), &joins);
        }
        let rules = self.commons.policies.rules();
        let tenant = rules.tenant(room.tenant);
        let rooms_max = tenant.limits.rooms_per_user_max;
        let claim = match &user {
            Some(user) => tenant
                .usage
                .take_room_of_user(user, session, &room, rooms_max)
                .map(Some),
            None => (rooms_max == 0 || seats.len() < rooms_max as usize).then_some(None),
        };
        let Some(claim) = claim else {
            if seats.is_empty() {
                self.memberships.of.remove(&session);
            }
            return self.refuse_room(session, &room, Denial::exhausted(USER_ROOMS), &joins);
        };
        let number = self.memberships.last_number + 1;
        self.memberships.last_number = number;
        seats.push(Seat {
            room: room.clone(),
            number,
            is_in: false,
            by_path: wish == Wish::Path,
            _claim: claim.map(Box::new),
            joins,
            asks: Vec::new(),
        });
        let joining = Joining {
            session,
            number,
            user,
            request,
        };
        self.call_room(room, RoomCall::Join(joining));
    }

    /// Has a session leave a room, as its client asks with this number or a system wants it; false when it was not in it.
    pub(crate) fn leave_room(
        &mut self,
        session: SessionId,
        room: &RoomId,
        seq: Option<u32>,
    ) -> bool {
        let is_it = |seat: &Seat| seat.room == *room;
        let Some(seat) = self.memberships.take_seat(session, is_it) else {
            return false;
        };
        let number = seat.number;
        self.log_room(session, room, "left", "left");
        self.refuse_wishes(session, &seat, &Denial::new(403, "left"));
        self.call_room(seat.room, RoomCall::Leave { session, number });
        self.tell_left(session, room, "left".into(), seq);
        true
    }

    /// Asks who is in a room that the session is in, or was promised to be; false when too many such questions wait.
    pub(crate) fn ask_members(
        &mut self,
        session: SessionId,
        room: RoomId,
        seq: Option<u32>,
    ) -> bool {
        let seat = self.memberships.seat(session, |seat| seat.room == room);
        let kept = seat.is_some_and(|seat| keep_wish(&mut seat.asks, seq));
        if kept {
            self.call_room(room, RoomCall::ListMembers { session, seq });
        }
        kept
    }

    /// A session has ended: the room that its connection came for is told, it is not.
    pub(crate) fn leave_path_room(&mut self, session: SessionId) {
        if let Some(seat) = self.memberships.take_seat(session, |seat| seat.by_path) {
            let number = seat.number;
            self.call_room(seat.room, RoomCall::Leave { session, number });
        }
    }

    /// The same of all its rooms.
    pub(crate) fn leave_rooms(&mut self, session: SessionId) {
        for seat in self.memberships.of.remove(&session).unwrap_or_default() {
            let number = seat.number;
            self.call_room(seat.room, RoomCall::Leave { session, number });
        }
    }

    /// Says something to a room as one of its members; false when the session is none.
    pub(crate) fn say_in_room(
        &mut self,
        session: SessionId,
        room: &RoomId,
        payload: Payload,
    ) -> bool {
        let is_in = self.memberships.has(session, room);
        if is_in {
            self.call_room(room.clone(), RoomCall::Say { session, payload });
        }
        is_in
    }

    /// Brings a call to the shard that the room lives on.
    pub(crate) fn call_room(&mut self, room: RoomId, call: RoomCall) {
        let host = room.host(self.commons.shard_count());
        if host == self.own {
            return self.memberships.own_calls.push((room, call));
        }
        // What was said before may be what the room is to answer.
        self.flush_posts();
        let letter = RoomLetter::Call { room, call };
        self.output.letters.push((host, self.room_mail(letter)));
    }

    /// The room of a tenant, of the kind with this label.
    pub(crate) fn room_named(&self, tenant: TenantIndex, kind: &str, name: &str) -> Option<RoomId> {
        let kind = self.recipe.kind_named(kind)?;
        let name = name.into();
        Some(RoomId { tenant, kind, name })
    }

    /// The first `max` rooms of the tenant that systems speak of, of a kind that are listed, by name, from behind `after`.
    pub(crate) fn list_rooms(
        &self,
        kind: &str,
        after: Option<&str>,
        max: usize,
    ) -> Vec<ListedRoom> {
        let kind = self.recipe.kind_named(kind);
        let directory = &self.commons.directory;
        kind.map_or(Vec::new(), |kind| {
            directory.list((self.spoken_of, kind), after, max)
        })
    }

    /// Tells the home of a session what becomes of a membership of it, behind what it was sent before.
    pub(crate) fn say_word(&mut self, room: &RoomId, session: SessionId, number: u64, word: Word) {
        let home = ShardId(session.home());
        if home == self.own {
            return self.take_word(room, session, number, word);
        }
        self.flush_posts();
        let letter = RoomLetter::Word {
            room: room.clone(),
            session,
            number,
            word,
        };
        self.output.letters.push((home, self.room_mail(letter)));
    }

    fn room_mail(&self, letter: RoomLetter) -> Letter {
        Letter::Room {
            tick: self.tells_of,
            mail: RoomMail(letter),
        }
    }

    /// Takes what the host of a room says of a membership.
    pub(crate) fn take_word(&mut self, room: &RoomId, session: SessionId, number: u64, word: Word) {
        let is_it = |seat: &Seat| seat.number == number && seat.room == *room;
        match word {
            Word::Joined => {
                if let Some(seat) = self.memberships.seat(session, is_it) {
                    seat.is_in = true;
                    self.log_room(session, room, "joined", "");
                    self.tell_joined(session, room);
                }
            }
            Word::Refused(denial) => self.end_membership(session, room, is_it, denial, |reason| {
                (close_code::POLICY, format!("no room: {reason}").into())
            }),
            Word::Ended(reason) => {
                let denial = Denial::new(403, reason);
                self.end_membership(session, room, is_it, denial, |reason| {
                    (close_code::NORMAL, reason)
                });
            }
            Word::Failed => {
                let denial = Denial::new(503, FAILED);
                self.end_membership(session, room, is_it, denial, |reason| {
                    (close_code::INTERNAL, reason)
                });
            }
            Word::Moved { to, request } => {
                if let Some(seat) = self.memberships.take_seat(session, is_it) {
                    self.log_room(session, room, "left", "moved");
                    self.refuse_wishes(session, &seat, &Denial::new(403, "moved"));
                    self.tell_left(session, room, "moved".into(), None);
                    // The room that it leaves is none of its user's any more.
                    drop(seat);
                    self.join_room(session, to, request, Wish::System);
                }
            }
            Word::Members { members, seq } => {
                let seat = self.memberships.seat(session, is_it);
                // What waits no more was answered otherwise, or asked over a connection before.
                if seat.is_some_and(|seat| take_wish(&mut seat.asks, seq)) {
                    self.tell_members(session, room, &members, seq);
                }
            }
        }
    }

    /// A membership is over, or never began. A connection that came for this room alone is closed as `close` says.
    fn end_membership(
        &mut self,
        session: SessionId,
        room: &RoomId,
        is_it: impl Fn(&Seat) -> bool,
        denial: Denial,
        close: impl FnOnce(Cow<'static, str>) -> (u16, Cow<'static, str>),
    ) {
        let Some(seat) = self.memberships.take_seat(session, is_it) else {
            return;
        };
        let what = if seat.is_in { "left" } else { "refused" };
        self.log_room(session, room, what, &denial.reason);
        if seat.by_path {
            self.refuse_wishes(session, &seat, &denial);
            let (code, reason) = close(denial.reason);
            self.close(session, code, reason);
        } else if seat.is_in {
            self.refuse_wishes(session, &seat, &denial);
            self.tell_left(session, room, denial.reason, None);
        } else {
            self.tell_refused(session, room, &denial, &seat.asks);
            self.refuse_room(session, room, denial, &seat.joins);
        }
    }

    /// Takes note that a wish of a session was not granted.
    pub(crate) fn refuse_room(
        &mut self,
        session: SessionId,
        room: &RoomId,
        denial: Denial,
        joins: &[Option<u32>],
    ) {
        match joins {
            [] => self.tell_refused(session, room, &denial, &[None]),
            joins => self.tell_refused(session, room, &denial, joins),
        }
        let reason = denial.reason;
        self.note_membership(session, room, MembershipChange::Refused(reason));
    }

    fn tell_joined(&mut self, session: SessionId, room: &RoomId) {
        let seat = self.memberships.seat(session, |seat| seat.room == *room);
        let Some(seat) = seat else {
            return;
        };
        let (mut joins, by_path) = (std::mem::take(&mut seat.joins), seat.by_path);
        if joins.is_empty() && !by_path {
            joins.push(None);
        }
        for seq in joins {
            self.say_joined(session, room, seq);
        }
        self.note_membership(session, room, MembershipChange::Joined);
    }

    /// A membership ends before its client's wishes were answered.
    fn refuse_wishes(&mut self, session: SessionId, seat: &Seat, denial: &Denial) {
        self.tell_refused(session, &seat.room, denial, &seat.joins);
        self.tell_refused(session, &seat.room, denial, &seat.asks);
    }

    fn tell_left(
        &mut self,
        session: SessionId,
        room: &RoomId,
        reason: Cow<'static, str>,
        seq: Option<u32>,
    ) {
        self.say_left(session, room, &reason, seq);
        self.note_membership(session, room, MembershipChange::Left(reason));
    }

    fn note_membership(&mut self, session: SessionId, room: &RoomId, change: MembershipChange) {
        self.memberships.news.push(Membership {
            session,
            kind: self.recipe.kind_label(room),
            name: Arc::clone(&room.name),
            change,
        });
    }
}

/// Keeps the number of a wish that waits, unless too many do.
fn keep_wish(wishes: &mut Vec<Option<u32>>, seq: Option<u32>) -> bool {
    let waits = wishes.contains(&seq);
    let fits = wishes.len() < WISHES_MAX;
    if fits && !waits {
        wishes.push(seq);
    }
    fits || waits
}

/// It waits no more; false when it did not.
fn take_wish(wishes: &mut Vec<Option<u32>>, seq: Option<u32>) -> bool {
    let at = wishes.iter().position(|one| *one == seq);
    at.map(|at| wishes.remove(at)).is_some()
}

/// What is told of a room that failed.
const FAILED: Cow<'static, str> = Cow::Borrowed("the room failed");

/// Wishes of one kind that wait for one room; one more is refused.
const WISHES_MAX: usize = 64;

pub(super) const TOO_MANY_WISHES: &str = "too many wishes wait for its answer";
