//! The small applications of `serve --app`: what comes back of a message at `/ws`, a gateway, and a tour of the examples.

mod gateway;
mod tour;

pub(crate) use gateway::gateway;
pub(crate) use tour::{space, tour};

use worldshard::prelude::{Audience, Context, Payload, Room, Rooms, Service, SessionId};

/// Returns each message to its sender.
pub(crate) fn echo(cx: &mut Context<'_>) {
    for message in cx.messages() {
        cx.send(Audience::One(message.session), message.payload.clone());
    }
}

/// Sends each message to all, its sender included.
pub(crate) fn broadcast(cx: &mut Context<'_>) {
    for message in cx.messages() {
        cx.send(Audience::All, message.payload.clone());
    }
}

/// Rooms that send each message to all their members.
pub(crate) fn rooms() -> Rooms {
    Rooms::at("/ws/{room}", |_| PassOn).default_room("lobby")
}

struct PassOn;

impl Service for PassOn {
    fn message(&mut self, room: &mut Room<'_>, _: SessionId, payload: &Payload) {
        room.send(Audience::All, payload.clone());
    }
}
