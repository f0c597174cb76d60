//! wsPrism's built-in services: rooms that clients join, a chat in them, and an echo on the hot lane.
//!
//! All on lanes. Who may say what, and how fast, is its tenant's policy.

use serde::Deserialize;
use serde_json::{Value, json};
use worldshard::prelude::*;

use crate::lanes;

/// What clients of a wsPrism gateway find: rooms that they join by the service `room`, and two services beside it.
///
/// | a client says | what happens |
/// |---|---|
/// | `chat:send`, `data` `{"msg":"hi"}`, with a `room` or for its active one | every member, itself included, hears `chat:msg`, `data` `{"from":"anna","msg":"hi"}`, with the `room`; who is no member is told `NOT_ALLOWED` |
/// | hot lane, service 1, any opcode | every member of its active room, itself included, hears the same message, with opcode and `seq`; without a room itself alone. It is dropped for who is slow |
///
/// `from` is the user, or the number of the session where it is nobody's. What clients say to a room by the service `app`
/// goes to all its members too.
#[derive(Clone, Copy, Debug, Default)]
pub struct GatewayPlugin;

impl Plugin for GatewayPlugin {
    fn build(&self, app: &mut App) {
        app.rooms(Rooms::named(KIND, |_| PassOn).joinable())
            .ext_service("chat", chat)
            .hot_service(ECHO, "echo", echo);
    }
}

struct PassOn;

impl Service for PassOn {
    fn message(&mut self, room: &mut Room<'_>, _: SessionId, payload: &Payload) {
        room.send(Audience::All, payload.clone());
    }
}

/// What `chat:send` says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    msg: String,
}

fn chat(cx: &mut Context<'_>, session: SessionId, said: &ExtSaid) -> Result<(), Refusal> {
    if said.kind != "send" {
        let detail = format!("type: the service chat takes no {:?}", said.kind);
        return Err(Refusal::bad(detail));
    }
    let sent: Sent = serde_json::from_str(said.data.as_str())
        .map_err(|error| Refusal::bad(format!("data: {error}")))?;
    if sent.msg.len() > MSG_BYTES_MAX {
        let detail = format!(
            "data.msg: {} bytes; at most {MSG_BYTES_MAX}",
            sent.msg.len()
        );
        return Err(Refusal {
            code: ErrorCode::PayloadTooLarge,
            detail: detail.into(),
        });
    }
    let wanted = said.room.as_deref();
    let rooms = cx.rooms_of(session).filter(|(kind, _)| *kind == KIND);
    let room = rooms.filter(|(_, name)| wanted.is_none_or(|wanted| wanted == *name));
    let Some(room) = room.last().map(|(_, name)| name.to_owned()) else {
        return Err(Refusal::not_allowed("room: the session is no member of it"));
    };
    let from = match cx.user(session) {
        Some(user) => Value::from(user.as_str()),
        None => Value::from(session.value()),
    };
    let data = json!({ "from": from, "msg": sent.msg });
    let text = lanes::said("chat", "msg", Some(&room), &data);
    cx.send(members(room), text);
    Ok(())
}

fn echo(cx: &mut Context<'_>, session: SessionId, said: &HotSaid) -> Result<(), Refusal> {
    let rooms = cx.rooms_of(session).filter(|(kind, _)| *kind == KIND);
    let audience = match rooms.last() {
        Some((_, name)) => members(name.to_owned()),
        None => Audience::One(session),
    };
    cx.send_hot_lossy(audience, ECHO, said.opcode, said.seq, said.payload.clone());
    Ok(())
}

fn members(room: String) -> Audience {
    Audience::Room {
        kind: KIND.into(),
        name: room,
    }
}

/// What the rooms are called by systems.
const KIND: &str = "gateway";

/// The service of the hot lane.
const ECHO: u8 = 1;

/// A text of the chat is at most so long, so that what members hear fits into a message of the ext lane, however it is
/// escaped.
const MSG_BYTES_MAX: usize = 8 * 1024;
