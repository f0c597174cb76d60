//! The rooms that live on this shard: who is let in, when their services are told what, how they begin and end.
//!
//! Never keeps a panic of a service from its members: the room begins again.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use worldshard_protocol::Tick;
use worldshard_spatial::ShardId;

use super::denial::{Denial, ROOM_USERS, TENANT_ROOMS};
use super::letters::{Joining, RoomCall, Word};
use super::outside::{OutsideTray, Parcel};
use super::room::{Member, Panics, Parting, RoomEntry, RoomState, ticks_of};
use crate::app::{AppRecipe, Creation, RoomId, WhenEmpty};
use crate::audience::Audience;
use crate::hub::desk::Desk;
use crate::panic::panic_text;
use crate::service::{Room, Service};

/// The rooms of one shard.
#[derive(Default)]
pub(crate) struct RoomDesk {
    pub(super) rooms: BTreeMap<u64, RoomEntry>,
    last_room: u64,
    pub(super) by_id: BTreeMap<RoomId, u64>,
    /// What services have yet to be told, in order.
    inbox: VecDeque<(u64, RoomEvent)>,
    /// When rooms have something to do by themselves: one for each, so that timers which are set anew leave nothing. One
    /// that has nothing to do by then is left alone.
    pub(super) alarms: BTreeSet<(Tick, u64)>,
    /// Rooms that failed too often, and until when nobody comes in.
    pub(super) failed: BTreeMap<RoomId, Tick>,
    pub(super) panics: u64,
    pub(super) last_panic: Option<String>,
}

/// One thing for a room.
enum RoomEvent {
    Init,
    Call(RoomCall),
    Part(Parting),
    Outside(Parcel),
}

/// What services are run with.
pub(super) struct Turn<'a> {
    pub(super) recipe: &'a AppRecipe,
    pub(super) desk: &'a mut Desk,
}

impl RoomDesk {
    /// Whether services have something to be told before the next tick.
    pub(crate) fn is_told(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// A room that lives here.
    pub(crate) fn find(&self, id: &RoomId) -> Option<&RoomEntry> {
        self.rooms.get(self.by_id.get(id)?)
    }

    pub(super) fn admits(
        &self,
        id: &RoomId,
        recipe: &AppRecipe,
        desk: &Desk,
    ) -> Result<(), Denial> {
        let rooms = recipe.rooms_of(id);
        let Some(entry) = self.by_id.get(id).and_then(|room| self.rooms.get(room)) else {
            return self.begins(id, recipe, desk);
        };
        if entry.population() >= rooms.members_max {
            return Err(Denial::new(503, full(rooms.members_max)));
        }
        Ok(())
    }

    /// Whether a room that is not there begins when somebody comes.
    fn begins(&self, id: &RoomId, recipe: &AppRecipe, desk: &Desk) -> Result<(), Denial> {
        self.may_begin(id, recipe, desk)?;
        match recipe.rooms_of(id).creation == Creation::Implicit {
            true => Ok(()),
            false => Err(Denial::new(404, "there is no such room")),
        }
    }

    pub(super) fn may_begin(
        &self,
        id: &RoomId,
        recipe: &AppRecipe,
        desk: &Desk,
    ) -> Result<(), Denial> {
        if self.failed.get(id).is_some_and(|until| *until > desk.tick) {
            let reason = "the room failed again and again; come back in a minute";
            return Err(Denial::new(503, reason));
        }
        let rooms_max = recipe.options.limits.rooms_max;
        if desk.commons.rooms.total() >= u64::from(rooms_max) {
            return Err(too_many(rooms_max));
        }
        let rules = desk.commons.policies.rules();
        let tenant = rules.tenant(id.tenant);
        match tenant.usage.has_rooms(tenant.limits.rooms_max) {
            true => Err(Denial::exhausted(TENANT_ROOMS)),
            false => Ok(()),
        }
    }

    pub(super) fn begin(
        &mut self,
        id: RoomId,
        recipe: &AppRecipe,
        desk: &Desk,
    ) -> Result<u64, Denial> {
        let rules = desk.commons.policies.rules();
        let tenant = rules.tenant(id.tenant);
        let place = tenant.usage.take_room(tenant.limits.rooms_max);
        let place = place.ok_or_else(|| Denial::exhausted(TENANT_ROOMS))?;
        let rooms_max = recipe.options.limits.rooms_max;
        if !desk.commons.rooms.take(rooms_max.into()) {
            return Err(too_many(rooms_max));
        }
        let config = &recipe.world.config;
        let is_joined = recipe.rooms_of(&id).prefix.is_none();
        let entry = RoomEntry {
            state: RoomState::new(
                &id,
                self.last_room + 1,
                is_joined,
                config.seed,
                config.tick_interval,
            ),
            id: id.clone(),
            service: None,
            coming: 0,
            ends: None,
            alarm: None,
            panics: Panics::default(),
            _place: place,
        };
        self.last_room += 1;
        self.rooms.insert(self.last_room, entry);
        self.by_id.insert(id, self.last_room);
        self.inbox.push_back((self.last_room, RoomEvent::Init));
        Ok(self.last_room)
    }

    /// Takes a call for a room that lives here.
    pub(super) fn take_call(
        &mut self,
        from: ShardId,
        id: RoomId,
        call: RoomCall,
        recipe: &AppRecipe,
        desk: &mut Desk,
    ) {
        let known = self.by_id.get(&id).copied();
        let RoomCall::Join(joining) = call else {
            // One that is no more has no members to be told.
            if let Some(room) = known {
                self.inbox.push_back((room, RoomEvent::Call(call)));
            }
            return;
        };
        debug_assert_eq!(from.0, joining.session.home(), "homes speak for their own");
        // Whether it is full turns out when it is this one's turn: who was before may have left by then.
        let begun = match known {
            Some(room) => Ok(room),
            None => {
                let begins = self.begins(&id, recipe, desk);
                begins.and_then(|()| self.begin(id.clone(), recipe, desk))
            }
        };
        match begun {
            Err(denial) => {
                let (session, number) = (joining.session, joining.number);
                desk.say_word(&id, session, number, Word::Refused(denial));
            }
            Ok(room) => {
                let entry = self.rooms.get_mut(&room).expect("rooms have ids");
                entry.coming += 1;
                let join = RoomEvent::Call(RoomCall::Join(joining));
                self.inbox.push_back((room, join));
            }
        }
    }

    /// Takes what other threads brought.
    pub(super) fn take_outside(&mut self, tray: &OutsideTray) {
        let mut brought = Vec::new();
        tray.take(&mut brought);
        let events = brought
            .into_iter()
            .map(|one| (one.room, RoomEvent::Outside(one.parcel)));
        self.inbox.extend(events);
    }

    pub(super) fn run_inbox(&mut self, turn: &mut Turn<'_>) {
        while let Some((room, event)) = self.inbox.pop_front() {
            match event {
                RoomEvent::Init => self.tell(room, turn, |_, _| {}),
                RoomEvent::Call(call) => self.run_call(room, call, turn),
                RoomEvent::Part(parting) => self.part(room, parting, turn),
                RoomEvent::Outside(parcel) => self.bring(room, &parcel, turn),
            }
        }
    }

    fn run_call(&mut self, room: u64, call: RoomCall, turn: &mut Turn<'_>) {
        if let RoomCall::Join(joining) = call {
            return self.let_in(room, joining, turn);
        }
        let Some(entry) = self.rooms.get_mut(&room) else {
            return;
        };
        match call {
            RoomCall::Join(_) => {}
            RoomCall::Leave { session, number } => {
                // Nobody is told of a member that it was not told of before.
                if entry.state.leave(session, number).is_some() {
                    self.tell(room, turn, |service, room| {
                        service.disconnect(room, session);
                    });
                    self.wait_for_members(room, turn.recipe, turn.desk, false);
                }
            }
            RoomCall::Say { session, payload } => {
                if entry.state.is_member(session) {
                    self.tell(room, turn, |service, room| {
                        service.message(room, session, &payload);
                    });
                }
            }
            RoomCall::Publish { payload } => {
                let state = &mut entry.state;
                let desk = &mut *turn.desk;
                Room { state, desk }.send(Audience::All, payload);
            }
            RoomCall::ListMembers { session, seq } => {
                if let Some(member) = entry.state.member(session) {
                    let number = member.number;
                    let all = entry.state.members.iter();
                    let members = all.map(|one| (one.session, one.user.as_deref().cloned()));
                    let members = members.collect();
                    let word = Word::Members { members, seq };
                    turn.desk.say_word(&entry.id, session, number, word);
                }
            }
        }
    }

    /// Asks the service of a room whether a session may come in.
    fn let_in(&mut self, room: u64, joining: Joining, turn: &mut Turn<'_>) {
        let (session, number) = (joining.session, joining.number);
        let Some(entry) = self.rooms.get(&room) else {
            return;
        };
        let id = entry.id.clone();
        let members_max = turn.recipe.rooms_of(&id).members_max;
        // None where the service panics over it.
        let mut verdict = None;
        if entry.state.members.len() >= members_max as usize {
            verdict = Some(Err(Denial::new(503, full(members_max))));
        } else if entry
            .state
            .is_one_too_many(&joining, users_max(&id, turn.desk))
        {
            verdict = Some(Err(Denial::exhausted(ROOM_USERS)));
        } else {
            self.tell(room, turn, |service, room| {
                let admitted = service.admit(room, session, &joining.request);
                verdict = Some(admitted.map_err(|reason| Denial::new(403, reason)));
            });
        }
        // A room that failed over it is none any more.
        let entry = self.rooms.get_mut(&room).ok_or(Word::Failed);
        let entry = entry.and_then(|entry| {
            entry.coming -= 1;
            match verdict {
                None => Err(Word::Failed),
                Some(Err(denial)) => Err(Word::Refused(denial)),
                Some(Ok(())) => Ok(entry),
            }
        });
        match entry {
            Err(word) => {
                turn.desk.say_word(&id, session, number, word);
                // Who is not let in makes it wait neither longer nor shorter.
                let waits = |entry: &RoomEntry| entry.ends.is_some();
                if !self.rooms.get(&room).is_some_and(waits) {
                    self.wait_for_members(room, turn.recipe, turn.desk, false);
                }
            }
            Ok(entry) => {
                entry.ends = None;
                entry.state.enter(Member {
                    session,
                    number,
                    user: joining.user.map(Box::new),
                });
                turn.desk.say_word(&id, session, number, Word::Joined);
                self.tell(room, turn, |service, room| service.connect(room, session));
            }
        }
    }

    /// Something came from another thread, for this life of the room or one before.
    fn bring(&mut self, room: u64, parcel: &Parcel, turn: &mut Turn<'_>) {
        parcel.taken();
        let Some(entry) = self.rooms.get(&room) else {
            return;
        };
        let end = entry.state.outside.as_ref();
        if end.is_some_and(|end| end.is_of(parcel)) {
            let payload = &parcel.payload;
            self.tell(room, turn, |service, room| service.outside(room, payload));
        }
    }

    /// A service has sent a member away.
    fn part(&mut self, room: u64, parting: Parting, turn: &mut Turn<'_>) {
        let Parting {
            session,
            number,
            word,
        } = parting;
        let Some(entry) = self.rooms.get_mut(&room) else {
            return;
        };
        if entry.state.leave(session, number).is_some() {
            turn.desk.say_word(&entry.id, session, number, word);
            self.tell(room, turn, |service, room| {
                service.disconnect(room, session);
            });
            self.wait_for_members(room, turn.recipe, turn.desk, false);
        }
    }

    /// Has a room without members end when its kind says so.
    pub(super) fn wait_for_members(
        &mut self,
        room: u64,
        recipe: &AppRecipe,
        desk: &Desk,
        created: bool,
    ) {
        let Some(entry) = self
            .rooms
            .get_mut(&room)
            .filter(|one| one.population() == 0)
        else {
            return;
        };
        let length = match recipe.rooms_of(&entry.id).when_empty {
            WhenEmpty::Keep => return,
            WhenEmpty::End if created => A_MINUTE,
            WhenEmpty::End => return self.end(room, desk),
            WhenEmpty::EndAfter(length) => length,
        };
        let ticks = ticks_of(length, recipe.world.config.tick_interval);
        let ends = Tick(desk.tick.0.saturating_add(ticks));
        entry.ends = Some(ends);
        self.set_alarm(room);
    }

    /// Wakes a room when it next has something to do.
    fn set_alarm(&mut self, room: u64) {
        let Some(entry) = self.rooms.get_mut(&room) else {
            return;
        };
        entry.state.timers_set = false;
        let due = entry.next_due();
        let before = std::mem::replace(&mut entry.alarm, due);
        if due != before {
            self.alarms.extend(due.map(|due| (due, room)));
            before.map(|before| self.alarms.remove(&(before, room)));
        }
    }

    fn end(&mut self, room: u64, desk: &Desk) {
        if let Some(mut entry) = self.rooms.remove(&room) {
            drop_guarded(&mut entry);
            self.by_id.remove(&entry.id);
            desk.commons.directory.set(desk.own, &entry.id, None);
            entry.alarm.map(|alarm| self.alarms.remove(&(alarm, room)));
            desk.commons.rooms.give_back();
        }
    }

    pub(super) fn run_alarms(&mut self, turn: &mut Turn<'_>) {
        let now = turn.desk.tick;
        while let Some(&(due, room)) = self.alarms.first()
            && due <= now
        {
            self.alarms.pop_first();
            let Some(entry) = self.rooms.get_mut(&room) else {
                continue;
            };
            entry.alarm = None;
            if entry.ends.is_some_and(|ends| ends <= now) {
                self.end(room, turn.desk);
                continue;
            }
            for name in entry.state.take_due(now) {
                let fires = |entry: &mut RoomEntry| entry.state.fire(&name, now);
                // One before it may have cancelled it.
                if self.rooms.get_mut(&room).is_some_and(fires) {
                    self.tell(room, turn, |service, room| service.timer(room, &name));
                }
            }
            self.set_alarm(room);
        }
        self.failed.retain(|_, until| *until > now);
    }

    pub(super) fn run_ticks(&mut self, turn: &mut Turn<'_>) {
        let with_members = self.rooms.iter().filter(|(_, one)| one.population() > 0);
        let rooms: Vec<u64> = with_members.map(|(room, _)| *room).collect();
        for room in rooms {
            self.tell(room, turn, |service, room| service.tick(room));
        }
    }

    /// Calls the service of a room, which is made if there is none. One that panics is made anew, and told of its members.
    fn tell(
        &mut self,
        room: u64,
        turn: &mut Turn<'_>,
        call: impl FnOnce(&mut dyn Service, &mut Room<'_>),
    ) {
        let Some(entry) = self.rooms.get_mut(&room) else {
            return;
        };
        let mut result = guarded(entry, turn, |service, room| call(service, room));
        while let Err(text) = result {
            self.panics += 1;
            let now = turn.desk.tick;
            let rest = ticks_of(A_MINUTE, turn.recipe.world.config.tick_interval);
            let name = &*entry.id.name;
            tracing::error!(room = name, panic = text, "a room panicked");
            self.last_panic = Some(format!("room {name}: {text}"));
            drop_guarded(entry);
            entry.state.timers.clear();
            entry.state.partings.clear();
            entry.state.outside = None;
            if entry.panics.count(now, rest) {
                return self.fail(room, Tick(now.0.saturating_add(rest)), turn.desk);
            }
            let members: Vec<_> = entry.state.sessions().collect();
            result = guarded(entry, turn, |service, room| {
                for member in members {
                    service.connect(room, member);
                }
            });
        }
        // Before anything else that those may have said.
        for parting in entry.state.partings.drain(..).rev() {
            self.inbox.push_front((room, RoomEvent::Part(parting)));
        }
        if std::mem::take(&mut entry.state.relist) {
            let listed = entry.state.listed();
            let directory = &turn.desk.commons.directory;
            directory.set(turn.desk.own, &entry.id, listed);
        }
        if entry.state.timers_set {
            self.set_alarm(room);
        }
    }

    /// Ends a room that does nothing but panic, and its members' connections.
    fn fail(&mut self, room: u64, until: Tick, desk: &mut Desk) {
        let Some(entry) = self.rooms.get(&room) else {
            return;
        };
        let id = entry.id.clone();
        tracing::error!(
            room = &*id.name,
            "a room failed again and again: it is closed"
        );
        for member in &entry.state.members {
            desk.say_word(&id, member.session, member.number, Word::Failed);
        }
        // Those too who have asked to come in and were not answered.
        self.inbox.retain(|(of, event)| {
            if *of != room {
                return true;
            }
            if let RoomEvent::Call(RoomCall::Join(joining)) = event {
                let (session, number) = (joining.session, joining.number);
                desk.say_word(&id, session, number, Word::Failed);
            }
            false
        });
        self.end(room, desk);
        if self.failed.len() < FAILED_MAX {
            self.failed.insert(id, until);
        }
    }
}

/// Runs a service, so that its panic is its room's; says with what words.
fn guarded(
    entry: &mut RoomEntry,
    turn: &mut Turn<'_>,
    call: impl FnOnce(&mut dyn Service, &mut Room<'_>),
) -> Result<(), String> {
    let RoomEntry {
        id, state, service, ..
    } = entry;
    let make = &turn.recipe.rooms_of(id).make;
    let mut room = Room {
        state,
        desk: turn.desk,
    };
    let run = || {
        if service.is_none() {
            let mut made = make(&id.name);
            made.init(&mut room);
            *service = Some(made);
        }
        if let Some(service) = service {
            call(&mut **service, &mut room);
        }
    };
    // What a room reaches is changed only between the calls of its service.
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| panic_text(&*panic).to_owned())
}

/// Drops the service of a room, whose panic is no more than a word in the log: it has nothing left to lose.
fn drop_guarded(entry: &mut RoomEntry) {
    let service = entry.service.take();
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(service))) {
        let text = panic_text(&*panic);
        tracing::error!(
            room = &*entry.id.name,
            panic = text,
            "a room panicked as it ended"
        );
    }
}

fn full(members_max: u32) -> Cow<'static, str> {
    format!("the room is full: {members_max} members").into()
}

/// Users in this room, as its tenant allows; 0 for no limit.
fn users_max(id: &RoomId, desk: &Desk) -> u32 {
    let rules = desk.commons.policies.rules();
    rules.tenant(id.tenant).limits.users_per_room_max
}

fn too_many(rooms_max: u32) -> Denial {
    Denial::new(503, format!("there are {rooms_max} rooms; no other begins"))
}

/// For so long a room that was created waits for somebody, and one that failed for people to look at it.
const A_MINUTE: Duration = Duration::from_secs(60);

/// Failed rooms that are remembered; one more may begin again at once.
const FAILED_MAX: usize = 1024;
