//! The rooms that live on this shard: who is in them, when their services are told what, how they begin and end.
//!
//! Never looks at what members say, and never keeps a panic of a service from its members: the room begins again.

mod names;
mod room;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use worldshard_protocol::{SessionId, Tick};
use worldshard_spatial::ShardId;
use worldshard_transport::{Refusal, close_code};

pub(crate) use room::RoomState;
use room::{RoomEntry, ticks_of};

use crate::app::{AppRecipe, Creation, NAME_RULE, RoomId, Rooms, WhenEmpty, is_name};
use crate::hub::Hub;
use crate::hub::desk::Desk;
use crate::message::Payload;
use crate::panic::panic_text;
use crate::service::{Room, Service};

/// The rooms of one shard.
#[derive(Default)]
pub(crate) struct RoomDesk {
    rooms: BTreeMap<u64, RoomEntry>,
    last_room: u64,
    by_id: BTreeMap<RoomId, u64>,
    /// Where the sessions of this home are, members or about to be.
    of: BTreeMap<SessionId, u64>,
    /// What services have yet to be told, in order.
    inbox: Vec<(u64, RoomEvent)>,
    /// When rooms have something to do by themselves: one for each, so that timers which are set anew leave nothing. One
    /// that has nothing to do by then is left alone.
    alarms: BTreeSet<(Tick, u64)>,
    /// Rooms that failed too often, and until when nobody comes in.
    failed: BTreeMap<RoomId, Tick>,
    panics: u64,
    last_panic: Option<String>,
}

/// One thing for the service of a room.
enum RoomEvent {
    Init,
    Connect(SessionId),
    Message(SessionId, Payload),
    Disconnect(SessionId),
}

/// The rooms of a shard in numbers.
#[derive(Clone, Copy, Default)]
pub(crate) struct RoomCounts {
    pub(crate) rooms: usize,
    pub(crate) failed: usize,
    pub(crate) panics: u64,
}

/// What services are run with.
struct Turn<'a> {
    recipe: &'a AppRecipe,
    desk: &'a mut Desk,
}

impl Hub {
    /// Whether a room that `path` names takes another member; what its client is answered if not. A path that names none
    /// is not refused.
    ///
    /// # Errors
    /// No such room and none begins by itself, a name that no room may have, too many members or rooms, a room that failed.
    pub fn admits(&self, path: &str) -> Result<(), Refusal> {
        let Some(id) = self.recipe.room_of(path).transpose()? else {
            return Ok(());
        };
        self.rooms.admits(&id, &self.recipe, &self.desk)
    }

    /// The path of a room that is to begin, of the kind that the server names; `random` are 16 bytes that nobody can guess.
    pub(crate) fn path_of_new_room(&self, random: [u8; 16]) -> Option<String> {
        let rooms = self.recipe.rooms.iter().find(|rooms| rooms.names_them())?;
        let name = names::make(rooms.creation, &self.desk.commons, random)?;
        Some(format!("{}{name}", rooms.prefix))
    }

    /// Begins the room that `path` names, and says its name.
    ///
    /// # Errors
    /// 404 when the path names none, 409 when there is one, 503 when there are too many, or it failed.
    pub fn create_room(&mut self, path: &str) -> Result<Arc<str>, Refusal> {
        let no_room = || Refusal::new(404, "no room is reached at this path");
        let id = self.recipe.room_of(path).ok_or_else(no_room)??;
        if self.rooms.by_id.contains_key(&id) {
            return Err(match self.recipe.rooms_of(&id).names_them() {
                true => Refusal::new(503, "the name that was drawn is taken: ask again"),
                false => Refusal::new(409, "there is such a room already"),
            });
        }
        self.rooms.may_begin(&id, &self.recipe, &self.desk)?;
        let name = Arc::clone(&id.name);
        let room = self.rooms.begin(id, &self.recipe, &self.desk)?;
        self.rooms
            .wait_for_members(room, &self.recipe, &self.desk, true);
        Ok(name)
    }

    /// A session that opened comes into the room of its path, if that names one.
    pub(crate) fn enter_room(&mut self, session: SessionId) {
        let path = self.desk.path(session).unwrap_or_default();
        let Some(id) = self.recipe.room_of(path) else {
            return;
        };
        let joined = id.and_then(|id| self.rooms.join(id, session, &self.recipe, &self.desk));
        // Between request and session something may have changed.
        if let Err(refusal) = joined {
            let reason = format!("no room: {}", refusal.reason).into();
            self.desk.close(session, close_code::POLICY, reason);
        }
    }

    /// A session has ended.
    pub(crate) fn leave_room(&mut self, session: SessionId) {
        if let Some(room) = self.rooms.of.remove(&session) {
            let event = RoomEvent::Disconnect(session);
            self.rooms.inbox.push((room, event));
        }
    }

    /// Gives a message to the service of the session's room; gives it back when it is in none.
    pub(crate) fn tell_room(&mut self, session: SessionId, payload: Payload) -> Option<Payload> {
        if self.rooms.of.is_empty() {
            return Some(payload);
        }
        let Some(&room) = self.rooms.of.get(&session) else {
            return Some(payload);
        };
        let event = RoomEvent::Message(session, payload);
        self.rooms.inbox.push((room, event));
        None
    }

    /// Tells services what was said, and when a tick has passed.
    pub(crate) fn run_rooms(&mut self, ticked: bool) {
        let recipe = Arc::clone(&self.recipe);
        let mut turn = Turn {
            recipe: &recipe,
            desk: &mut self.desk,
        };
        self.rooms.run_inbox(&mut turn);
        if ticked {
            self.rooms.run_alarms(&mut turn);
            self.rooms.run_ticks(&mut turn);
        }
        if let Some(text) = self.rooms.last_panic.take() {
            self.blame.tell(text);
        }
    }

    pub(crate) fn room_counts(&self) -> RoomCounts {
        RoomCounts {
            rooms: self.rooms.rooms.len(),
            failed: self.rooms.failed.len(),
            panics: self.rooms.panics,
        }
    }
}

impl RoomDesk {
    /// Whether services have something to be told before the next tick.
    pub(crate) fn is_told(&self) -> bool {
        !self.inbox.is_empty()
    }

    fn admits(&self, id: &RoomId, recipe: &AppRecipe, desk: &Desk) -> Result<(), Refusal> {
        let rooms = recipe.rooms_of(id);
        let Some(entry) = self.by_id.get(id).and_then(|room| self.rooms.get(room)) else {
            self.may_begin(id, recipe, desk)?;
            let begins = rooms.creation == Creation::Implicit;
            return match begins {
                true => Ok(()),
                false => Err(Refusal::new(404, "there is no such room")),
            };
        };
        if entry.population >= rooms.members_max {
            let reason = format!("the room is full: {} members", rooms.members_max).into();
            return Err(Refusal {
                status: 503,
                reason,
            });
        }
        Ok(())
    }

    fn may_begin(&self, id: &RoomId, recipe: &AppRecipe, desk: &Desk) -> Result<(), Refusal> {
        if self.failed.get(id).is_some_and(|until| *until > desk.tick) {
            let reason = "the room failed again and again; come back in a minute";
            return Err(Refusal::new(503, reason));
        }
        let rooms_max = recipe.options.limits.rooms_max;
        if desk.commons.rooms.total() >= u64::from(rooms_max) {
            return Err(too_many(rooms_max));
        }
        Ok(())
    }

    fn begin(&mut self, id: RoomId, recipe: &AppRecipe, desk: &Desk) -> Result<u64, Refusal> {
        let rooms_max = recipe.options.limits.rooms_max;
        if !desk.commons.rooms.take(rooms_max.into()) {
            return Err(too_many(rooms_max));
        }
        let config = &recipe.world.config;
        let entry = RoomEntry {
            state: RoomState::new(&id, config.seed, config.tick_interval),
            id: id.clone(),
            service: None,
            population: 0,
            ends: None,
            alarm: None,
            panics: room::Panics::default(),
        };
        self.last_room += 1;
        self.rooms.insert(self.last_room, entry);
        self.by_id.insert(id, self.last_room);
        self.inbox.push((self.last_room, RoomEvent::Init));
        Ok(self.last_room)
    }

    fn join(
        &mut self,
        id: RoomId,
        session: SessionId,
        recipe: &AppRecipe,
        desk: &Desk,
    ) -> Result<(), Refusal> {
        self.admits(&id, recipe, desk)?;
        let room = match self.by_id.get(&id) {
            Some(room) => *room,
            None => self.begin(id, recipe, desk)?,
        };
        let entry = self.rooms.get_mut(&room).expect("rooms have ids");
        entry.population += 1;
        entry.ends = None;
        self.of.insert(session, room);
        self.inbox.push((room, RoomEvent::Connect(session)));
        Ok(())
    }

    fn run_inbox(&mut self, turn: &mut Turn<'_>) {
        let mut inbox = std::mem::take(&mut self.inbox);
        for (room, event) in inbox.drain(..) {
            let Some(entry) = self.rooms.get_mut(&room) else {
                continue;
            };
            match &event {
                RoomEvent::Connect(session) => {
                    entry.state.enter(*session);
                }
                // Nobody is told of a member that it was not told of before.
                RoomEvent::Disconnect(session) => {
                    entry.population -= 1;
                    if !entry.state.leave(*session) {
                        continue;
                    }
                }
                RoomEvent::Message(session, _) => {
                    if entry.state.members.binary_search(session).is_err() {
                        continue;
                    }
                }
                RoomEvent::Init => {}
            }
            self.tell(room, turn, |service, room| match &event {
                RoomEvent::Init => {}
                RoomEvent::Connect(session) => service.connect(room, *session),
                RoomEvent::Message(session, payload) => service.message(room, *session, payload),
                RoomEvent::Disconnect(session) => service.disconnect(room, *session),
            });
            if matches!(event, RoomEvent::Disconnect(_)) {
                self.wait_for_members(room, turn.recipe, turn.desk, false);
            }
        }
        self.inbox = inbox;
    }

    /// Has a room without members end when its kind says so.
    fn wait_for_members(&mut self, room: u64, recipe: &AppRecipe, desk: &Desk, created: bool) {
        let Some(entry) = self.rooms.get_mut(&room).filter(|one| one.population == 0) else {
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
        if let Some(entry) = self.rooms.remove(&room) {
            self.by_id.remove(&entry.id);
            entry.alarm.map(|alarm| self.alarms.remove(&(alarm, room)));
            desk.commons.rooms.give_back();
        }
    }

    fn run_alarms(&mut self, turn: &mut Turn<'_>) {
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

    fn run_ticks(&mut self, turn: &mut Turn<'_>) {
        let with_members = self.rooms.iter().filter(|(_, one)| one.population > 0);
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
            entry.service = None;
            entry.state.timers.clear();
            if entry.panics.count(now, rest) {
                return self.fail(room, Tick(now.0.saturating_add(rest)), turn.desk);
            }
            let members = entry.state.members.clone();
            result = guarded(entry, turn, |service, room| {
                for member in members {
                    service.connect(room, member);
                }
            });
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
        // Those too that it was not told of yet.
        for (session, _) in self.of.extract_if(.., |_, of| *of == room) {
            let reason = Cow::Borrowed("the room failed");
            desk.close_anywhere(session, close_code::INTERNAL, reason);
        }
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

fn too_many(rooms_max: u32) -> Refusal {
    Refusal {
        status: 503,
        reason: format!("there are {rooms_max} rooms; no other begins").into(),
    }
}

impl AppRecipe {
    /// The shard on which the room lives that a path names, of so many; none when it names none. Whoever connects to the
    /// path has its home there.
    #[must_use]
    pub fn room_host(&self, path: &str, shards: u16) -> Option<ShardId> {
        let id = self.room_of(path)?.ok()?;
        Some(id.host(shards))
    }

    /// Of which kind a room is.
    pub(crate) fn rooms_of(&self, id: &RoomId) -> &Rooms {
        &self.rooms[usize::from(id.kind)]
    }

    /// The room that a path names; an error when no room may have the name. None when it names none.
    pub(crate) fn room_of(&self, path: &str) -> Option<Result<RoomId, Refusal>> {
        let mut kinds = self.rooms.iter().zip(0..);
        let (name, kind) = kinds.find_map(|(rooms, kind)| Some((rooms.name_of(path)?, kind)))?;
        if !is_name(&name) {
            return Some(Err(Refusal::new(400, NAME_RULE)));
        }
        let name = Arc::from(&*name);
        Some(Ok(RoomId { kind, name }))
    }
}

/// For so long a room that was created waits for somebody, and one that failed for people to look at it.
const A_MINUTE: Duration = Duration::from_secs(60);

/// Failed rooms that are remembered; one more may begin again at once.
const FAILED_MAX: usize = 1024;
