//! Requests that are about rooms: to begin one, or to come into one. They are answered where the room lives.
//!
//! Never knows which rooms there are: that is the hub's.

use std::borrow::Cow;
use std::time::Instant;

use worldshard_spatial::ShardId;
use worldshard_transport::{Refusal, RequestHead, Response};

use super::admission::forbidden;
use super::proving::Arriving;
use super::{Reactor, Slot};
use crate::app::{NEW_ROOM_PATH, Rooms};
use crate::hub::Hub;
use crate::identity::{Auth, Identity};
use crate::message::CloseReason;
use crate::policy::{Refused, TenantIndex};
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
        let kind = recipe.room_kind(&head.path);
        let is_to_be_named =
            head.path == NEW_ROOM_PATH && recipe.rooms.iter().any(Rooms::names_them);
        if kind.is_none() && !is_to_be_named {
            return false;
        }
        if let Err(response) = self.let_through(slot, head, now) {
            self.respond(slot, &response, true, now);
            return true;
        }
        let head = match self.process.recipe.room_kind(&head.path) {
            None => self.draw_name(head).map(Cow::Owned),
            Some(rooms) if rooms.names_them() => {
                let reason = "the server names these rooms: POST /new_room";
                Err(Refusal::new(405, reason))
            }
            Some(_) => Ok(Cow::Borrowed(head)),
        };
        let host = head.and_then(|head| {
            let tenant = self.process.policies.tenant_of(&head)?;
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

    /// Begins the room that a `POST` names, which lives here, for who shows what it would have to show to come into it.
    pub(super) fn begin_room(&mut self, slot: Slot, head: &RequestHead, now: Instant) {
        // Somebody may have been banned on the way from another shard.
        let claim = match self
            .check_address(slot, head)
            .and_then(|()| self.claim(head))
        {
            Ok(claim) => claim,
            Err(refusal) => return self.respond(slot, &refusal.response(), true, now),
        };
        let address = self.address(slot, head);
        let arriving = Arriving::to_begin_room(head).of(&claim, address);
        let options = self.process.recipe.options();
        let auth = options.auth.as_ref().unwrap_or(&Auth::None);
        if let Some(decider) = auth.decider() {
            return self.ask(slot, &decider.clone(), claim, arriving, now);
        }
        match auth.prove(claim, clock::since_1970()) {
            Ok(identity) => self.begin_room_for(slot, &identity, arriving.path(), now),
            Err(why) => self.unauthorized(slot, arriving.tenant, &why, now),
        }
    }

    /// The same for who was let in.
    pub(super) fn begin_room_for(
        &mut self,
        slot: Slot,
        identity: &Identity,
        path: &str,
        now: Instant,
    ) {
        let tenant = identity.tenant;
        if let Some(reason) = self.is_banned(identity) {
            self.process.policies.refused_to(tenant, Refused::Banned);
            return self.respond(slot, &forbidden(&reason).response(), true, now);
        }
        let create = |hub: &mut Hub| hub.create_room(tenant, path);
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
}
