//! Requests that are about rooms: to begin one, or to come into one. They are answered where the room lives.
//!
//! Never knows which rooms there are: that is the hub's.

use std::borrow::Cow;
use std::time::Instant;

use worldshard_spatial::ShardId;
use worldshard_transport::{Refusal, RequestHead, Response};

use super::admission::forbidden;
use super::{Reactor, Slot};
use crate::app::{NEW_ROOM_PATH, Rooms};
use crate::hub::{Hub, unproven};
use crate::message::CloseReason;
use crate::policy::TenantIndex;
use crate::runtime::{clock, secret};

impl Reactor {
    /// Where the room lives that an upgrade or a `POST` names; none when it names none.
    pub(super) fn room_host(
        &self,
        tenant: TenantIndex,
        head: &RequestHead,
    ) -> Option<Result<ShardId, Refusal>> {
        let id = self.process.recipe.room_of(tenant, &head.path)?;
        Some(id.map(|id| id.host(self.process.shards)))
    }

    /// Answers a `POST` that begins a room, here or where the room is to live; false when it is no such request.
    pub(super) fn answers_new_room(
        &mut self,
        slot: Slot,
        head: &RequestHead,
        leftover: &[u8],
        now: Instant,
    ) -> bool {
        if head.method != "POST" {
            return false;
        }
        let recipe = &self.process.recipe;
        let named_here = recipe.rooms.iter().any(Rooms::names_them);
        let head = match recipe.room_kind(&head.path) {
            None if named_here && head.path == NEW_ROOM_PATH => {
                self.draw_name(head).map(Cow::Owned)
            }
            None => return false,
            Some(rooms) if rooms.names_them() => {
                let reason = "the server names these rooms: POST /new_room";
                Err(Refusal::new(405, reason))
            }
            Some(_) => Ok(Cow::Borrowed(head)),
        };
        let host = head.and_then(|head| {
            let tenant = self.may_begin_rooms(slot, &head)?;
            let host = self.room_host(tenant, &head).transpose()?;
            Ok((head, host))
        });
        match host {
            Err(refusal) => self.respond(slot, &refusal.response(), true, now),
            Ok((head, Some(host))) if host != self.own => {
                self.hand_over(slot, host, &head, leftover, now);
            }
            Ok((head, _)) => self.begin_room(slot, &head, now),
        }
        true
    }

    /// Begins the room that a `POST` names, which lives here.
    pub(super) fn begin_room(&mut self, slot: Slot, head: &RequestHead, now: Instant) {
        let tenant = match self.process.policies.tenant_of(head) {
            Ok(tenant) => tenant,
            Err(refusal) => return self.respond(slot, &refusal.response(), true, now),
        };
        let create = |hub: &mut Hub| hub.create_room(tenant, &head.path);
        let created = self.hub.call("new room", create);
        let response = match created {
            None => return self.finish(slot, CloseReason::Lost),
            Some(Err(refusal)) => refusal.response(),
            Some(Ok(name)) => {
                self.unheard = true;
                self.spoken.raw = true;
                Response::text(201, format!("{name}\n"))
            }
        };
        self.respond(slot, &response, true, now);
    }

    /// The request as if its client had known the name of its new room.
    fn draw_name(&mut self, head: &RequestHead) -> Result<RequestHead, Refusal> {
        let tenant = self.process.policies.tenant_of(head)?;
        let no_chance = |_| Refusal::new(503, "the system has no randomness");
        let random = secret::fresh().map_err(no_chance)?;
        let path = self
            .hub
            .call("name", |hub| hub.path_of_new_room(tenant, random));
        let no_name = || Refusal::new(404, "no room is named here");
        let mut head = head.clone();
        head.path = path.flatten().ok_or_else(no_name)?;
        Ok(head)
    }

    /// Whoever must show a credential to connect must show one to begin a room. Says whose room it is to be.
    fn may_begin_rooms(&self, slot: Slot, head: &RequestHead) -> Result<TenantIndex, Refusal> {
        self.check_address(slot, head)?;
        let auth = self.process.recipe.options().auth.as_ref();
        let Some(auth) = auth.filter(|auth| auth.asks()) else {
            return self.process.policies.tenant_of(head);
        };
        let proven = auth.prove(self.claim(head)?, clock::since_1970());
        let identity = proven.map_err(|why| unproven(&why))?;
        match self.is_banned(&identity) {
            Some(reason) => Err(forbidden(&reason)),
            None => Ok(identity.tenant),
        }
    }
}
