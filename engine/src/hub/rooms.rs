//! Rooms, as drivers, sessions and other shards reach them, and which room a path or a kind and name mean.
//!
//! Never looks at what members say, and never runs a service: that is `room_desk`.

mod denial;
mod directory;
mod lanes;
mod letters;
mod memberships;
mod names;
mod outside;
mod room;
mod room_desk;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use worldshard_protocol::{SessionId, Tick};
use worldshard_spatial::ShardId;
use worldshard_transport::{Refusal, close_code};

pub use directory::ListedRoom;
pub use letters::RoomMail;
pub use memberships::{Membership, MembershipChange};
pub use outside::{NotSent, ROOM_OUTSIDE_BYTES_MAX, RoomSender};

pub(crate) use directory::Directory;
pub(crate) use lanes::ROOM_SVC_NAME;
pub(crate) use letters::{RoomCall, RoomLetter, Word};
pub(crate) use memberships::{Memberships, Place, Wish};
pub(crate) use outside::OutsideTray;
pub(crate) use room::RoomState;
pub(crate) use room_desk::RoomDesk;

use crate::app::{AppRecipe, NAME_RULE, RoomId, Rooms, is_name};
use crate::hub::Hub;
use crate::message::Payload;
use crate::policy::TenantIndex;
use room_desk::Turn;

/// The rooms of a shard in numbers.
#[derive(Clone, Copy, Default)]
pub(crate) struct RoomCounts {
    pub(crate) rooms: usize,
    pub(crate) failed: usize,
    pub(crate) panics: u64,
}

impl Hub {
    /// Whether a room of a tenant that `path` names takes another member; what its client is answered if not. A path that names none
    /// is not refused.
    ///
    /// # Errors
    /// No such room and none begins by itself, a name that no room may have, too many members or rooms, a room that failed.
    pub fn admits(&self, tenant: u16, path: &str) -> Result<(), Refusal> {
        let Some(id) = self.recipe.room_of(tenant, path).transpose()? else {
            return Ok(());
        };
        Ok(self.rooms.admits(&id, &self.recipe, &self.desk)?)
    }

    /// The path of a room that is to begin, of the kind that the server names; `random` are 16 bytes that nobody can guess.
    pub(crate) fn path_of_new_room(&self, tenant: u16, random: [u8; 16]) -> Option<String> {
        let rules = self.desk.commons.policies.rules();
        let made = &rules.tenant(tenant).usage.names;
        let rooms = self.recipe.rooms.iter().find(|rooms| rooms.names_them())?;
        let name = names::make(rooms.creation, made, random)?;
        Some(format!("{}{name}", rooms.prefix.as_ref()?))
    }

    /// Begins the room of a tenant that `path` names, and says its name.
    ///
    /// # Errors
    /// 404 when the path names none, 409 when there is one, 503 when there are too many, or it failed.
    pub fn create_room(&mut self, tenant: u16, path: &str) -> Result<Arc<str>, Refusal> {
        let no_room = || Refusal::new(404, "no room is reached at this path");
        let id = self.recipe.room_of(tenant, path).ok_or_else(no_room)??;
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
        match self.recipe.room_of(self.desk.tenant(session), path) {
            None => {}
            Some(Ok(room)) => {
                let nothing = Payload::from("");
                self.desk.join_room(session, room, nothing, Wish::Path);
                self.take_own_calls();
            }
            // Between request and session something may have changed.
            Some(Err(refusal)) => {
                let reason = format!("no room: {}", refusal.reason).into();
                self.desk.close(session, close_code::POLICY, reason);
            }
        }
    }

    /// Takes what another shard says of a room.
    pub(crate) fn take_room_mail(&mut self, from: ShardId, tick: Tick, RoomMail(letter): RoomMail) {
        self.desk.may_tell_of(tick);
        match letter {
            RoomLetter::Call { room, call } => {
                self.rooms
                    .take_call(from, room, call, &self.recipe, &mut self.desk);
            }
            RoomLetter::Word {
                room,
                session,
                number,
                word,
            } => self.desk.take_word(&room, session, number, word),
        }
    }

    /// Takes what this shard's sessions and systems have for rooms that live on it.
    fn take_own_calls(&mut self) {
        let own = self.desk.own;
        for (room, call) in std::mem::take(&mut self.desk.memberships.own_calls) {
            self.rooms
                .take_call(own, room, call, &self.recipe, &mut self.desk);
        }
    }

    /// Takes what other threads brought for rooms.
    fn take_outside(&mut self) {
        if !self.desk.outside.waits() {
            return;
        }
        if self.desk.commons.shard_count() > 1 {
            // Whoever brought it may stand on a shard that is a tick ahead.
            let tick = self.desk.tick.next();
            self.desk.may_tell_of(tick);
        }
        self.rooms.take_outside(&self.desk.outside);
    }

    /// Tells services what was said, and when a tick has passed.
    pub(crate) fn run_rooms(&mut self, ticked: bool) {
        self.take_own_calls();
        self.take_outside();
        let recipe = Arc::clone(&self.recipe);
        let mut turn = Turn {
            recipe: &recipe,
            desk: &mut self.desk,
        };
        self.rooms.run_inbox(&mut turn);
        if ticked {
            self.rooms.run_alarms(&mut turn);
            self.rooms.run_ticks(&mut turn);
            // Whom they sent away.
            self.rooms.run_inbox(&mut turn);
        }
        if let Some(text) = self.rooms.last_panic.take() {
            self.blame.tell(text);
        }
    }

    /// As `Context::list_rooms`.
    #[must_use]
    pub fn list_rooms(&self, kind: &str, after: Option<&str>, max: usize) -> Vec<ListedRoom> {
        self.desk.list_rooms(kind, after, max)
    }

    pub(crate) fn room_counts(&self) -> RoomCounts {
        RoomCounts {
            rooms: self.rooms.rooms.len(),
            failed: self.rooms.failed.len(),
            panics: self.rooms.panics,
        }
    }
}

impl AppRecipe {
    /// The shard on which the room of a tenant lives that a path names, of so many; none when it names none. Whoever connects to the
    /// path has its home there.
    #[must_use]
    pub fn room_host(&self, tenant: u16, path: &str, shards: u16) -> Option<ShardId> {
        let id = self.room_of(tenant, path)?.ok()?;
        Some(id.host(shards))
    }

    /// What a room's kind is called.
    pub(crate) fn kind_label(&self, room: &RoomId) -> Arc<str> {
        Arc::clone(&self.rooms_of(room).label)
    }

    /// The kind that is called so.
    pub(crate) fn kind_named(&self, label: &str) -> Option<u16> {
        let mut kinds = self.rooms.iter().zip(0..);
        kinds.find_map(|(rooms, kind)| (&*rooms.label == label).then_some(kind))
    }

    /// The kind whose rooms clients join by themselves.
    pub(crate) fn joinable_kind(&self) -> Option<u16> {
        let mut kinds = self.rooms.iter().zip(0..);
        kinds.find_map(|(rooms, kind)| rooms.joinable.then_some(kind))
    }

    /// Of which kind a room is.
    pub(crate) fn rooms_of(&self, id: &RoomId) -> &Rooms {
        &self.rooms[usize::from(id.kind)]
    }

    /// The room of a tenant that a path names; an error when no room may have the name. None when it names none.
    pub(crate) fn room_of(
        &self,
        tenant: TenantIndex,
        path: &str,
    ) -> Option<Result<RoomId, Refusal>> {
        let mut kinds = self.rooms.iter().zip(0..);
        let (name, kind) = kinds.find_map(|(rooms, kind)| Some((rooms.name_of(path)?, kind)))?;
        if !is_name(&name) {
            return Some(Err(Refusal::new(400, NAME_RULE)));
        }
        let name = Arc::from(&*name);
        Some(Ok(RoomId { tenant, kind, name }))
    }
}
