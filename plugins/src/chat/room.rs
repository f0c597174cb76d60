//! One room of the chat: its members' names, and what each is told. Lives on one shard, so names are unique and order is one.
//!
//! Never looks at commands: the homes of its members do, and tell it by words of their own.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use worldshard::prelude::*;

use super::{ChatRules, names};
use crate::lanes::said;

/// The service of one room.
pub(super) struct ChatRoom {
    rules: Arc<ChatRules>,
    members: BTreeMap<SessionId, Member>,
    /// Names that are taken, as they are compared.
    taken: BTreeMap<String, SessionId>,
    /// Who was let in and is about to be a member.
    coming: Option<(SessionId, Member)>,
    messages: u64,
}

#[derive(Clone)]
struct Member {
    name: String,
    /// It speaks lanes.
    lanes: bool,
}

/// What a client on lanes says with its wish to come in.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Wish {
    nick: Option<String>,
}

/// Whom something is told.
#[derive(Clone, Copy)]
enum To {
    All,
    AllBut(SessionId),
}

impl ChatRoom {
    pub(super) fn new(rules: Arc<ChatRules>) -> Self {
        Self {
            rules,
            members: BTreeMap::new(),
            taken: BTreeMap::new(),
            coming: None,
            messages: 0,
        }
    }

    fn holder(&self, name: &str) -> Option<SessionId> {
        self.taken.get(&names::folded(name)).copied()
    }

    /// Tells raw members a text and those on lanes a message of the service `chat`.
    fn tell(&self, room: &mut Room<'_>, to: To, raw: Option<String>, kind: &str, data: &Value) {
        let is_meant = |session: SessionId| match to {
            To::All => true,
            To::AllBut(one) => session != one,
        };
        let group = |lanes: bool| -> Vec<SessionId> {
            let of_lane = self.members.iter().filter(|(_, one)| one.lanes == lanes);
            let sessions = of_lane.map(|(session, _)| *session);
            sessions.filter(|session| is_meant(*session)).collect()
        };
        let (on_raw, on_lanes) = (group(false), group(true));
        if let Some(raw) = raw.filter(|_| !on_raw.is_empty()) {
            room.send(Audience::Group(on_raw), raw);
        }
        if !on_lanes.is_empty() {
            let text = said("chat", kind, Some(room.name()), data);
            room.send(Audience::Group(on_lanes), text);
        }
    }

    /// Tells one member what became of its wish.
    fn answer(
        &self,
        room: &mut Room<'_>,
        member: SessionId,
        raw: String,
        kind: &str,
        data: &Value,
    ) {
        let lanes = self.members.get(&member).is_some_and(|one| one.lanes);
        match lanes {
            true => {
                let text = said("chat", kind, Some(room.name()), data);
                room.send(Audience::One(member), text);
            }
            false => room.send(Audience::One(member), raw),
        }
    }

    fn say(&mut self, room: &mut Room<'_>, member: SessionId, text: &str) {
        let Some(one) = self.members.get(&member) else {
            return;
        };
        self.messages += 1;
        let time = u64::try_from(room.time().as_millis()).unwrap_or(u64::MAX);
        let data = json!({ "from": one.name, "msg": text, "id": self.messages, "time": time });
        let line = format!("{}: {}", one.name, names::on_a_line(text));
        let to = match self.rules.to_sender || one.lanes {
            true => To::All,
            false => To::AllBut(member),
        };
        self.tell(room, to, Some(line), "msg", &data);
    }

    fn call(&mut self, room: &mut Room<'_>, member: SessionId, name: &str) {
        let Some(before) = self.members.get(&member).map(|one| one.name.clone()) else {
            return;
        };
        if self.holder(name).is_some_and(|holder| holder != member) {
            let detail = format!("The nickname {name} is taken in this room.");
            let data = json!({ "code": ErrorCode::NotAllowed.as_str(), "msg": detail });
            return self.answer(room, member, format!("[Error] {detail}"), "error", &data);
        }
        self.taken.remove(&names::folded(&before));
        self.taken.insert(names::folded(name), member);
        if let Some(one) = self.members.get_mut(&member) {
            one.name = name.to_owned();
        }
        let data = json!({ "from": before, "name": name });
        let reply = format!("[System] Your nickname is now: {name}");
        self.answer(room, member, reply, "renamed", &data);
        if before != name {
            let notice = format!("[System] {before} is now {name}.");
            self.tell(room, To::AllBut(member), Some(notice), "renamed", &data);
        }
    }

    fn list(&self, room: &mut Room<'_>, member: SessionId) {
        let mut text = format!("[System] In {}:", room.name());
        for one in self.members.values().take(NAMES_LISTED_MAX) {
            text += &format!("\n  - {}", one.name);
        }
        let more = self.members.len().saturating_sub(NAMES_LISTED_MAX);
        if more > 0 {
            text += &format!("\n  and {more} more");
        }
        room.send(Audience::One(member), text);
    }

    /// Who asks to come in.
    fn read(&self, session: SessionId, request: &Payload) -> Result<Member, Cow<'static, str>> {
        let (nick, lanes) = match request {
            // Only what clients on lanes say is JSON.
            Payload::Text(text) if text.is_json() => {
                let wish = serde_json::from_str::<Option<Wish>>(text.as_str());
                let wish = wish.map_err(|error| format!("data: {error}"))?;
                (wish.unwrap_or_default().nick, true)
            }
            Payload::Text(text) => (Some(text.as_str().to_owned()), false),
            Payload::Binary(_) => (None, false),
        };
        let nick = nick.filter(|nick| !nick.is_empty());
        if let Some(nick) = &nick {
            names::check(nick, &self.rules.reserved)?;
        }
        let name = nick.unwrap_or_else(|| names::default(session));
        Ok(Member { name, lanes })
    }
}

impl Service for ChatRoom {
    fn init(&mut self, room: &mut Room<'_>) {
        if (self.rules.is_hidden)(room.name()) {
            room.set_listing(None);
        }
    }

    fn admit(
        &mut self,
        room: &mut Room<'_>,
        session: SessionId,
        request: &Payload,
    ) -> Result<(), Cow<'static, str>> {
        let member = self.read(session, request)?;
        if self.holder(&member.name).is_some() {
            let (nick, room) = (&member.name, room.name());
            return Err(format!("The nickname {nick} is taken in {room}.").into());
        }
        self.coming = Some((session, member));
        Ok(())
    }

    fn connect(&mut self, room: &mut Room<'_>, member: SessionId) {
        let coming = self.coming.take().filter(|(session, _)| *session == member);
        let one = coming.map(|(_, one)| one).unwrap_or_else(|| Member {
            name: names::default(member),
            lanes: false,
        });
        self.taken.insert(names::folded(&one.name), member);
        if !one.lanes {
            let reply = format!("[System] Joined room: {}", room.name());
            room.send(Audience::One(member), reply);
        }
        let (notice, data) = (
            format!("[System] {} has joined.", one.name),
            json!({ "name": one.name }),
        );
        self.members.insert(member, one);
        self.tell(room, To::AllBut(member), Some(notice), "joined", &data);
    }

    fn message(&mut self, room: &mut Room<'_>, member: SessionId, payload: &Payload) {
        let Payload::Text(text) = payload else {
            return;
        };
        // What a client on lanes says to the room by itself: as a chat, a text is for all.
        if text.is_json() {
            let said = serde_json::from_str::<String>(text.as_str());
            let said = said.map(|said| self.rules.admit(&said).map(Cow::into_owned));
            if let Ok(Ok(said)) = said {
                self.say(room, member, &said);
            }
            return;
        }
        let (word, rest) = text.as_str().split_once(' ').unwrap_or((text.as_str(), ""));
        match word {
            "say" => self.say(room, member, rest),
            "nick" => self.call(room, member, rest),
            "who" => self.list(room, member),
            // It asked again for what it has.
            "again" => {
                let reply = format!("[System] Joined room: {}", room.name());
                room.send(Audience::One(member), reply);
            }
            _ => {}
        }
    }

    fn disconnect(&mut self, room: &mut Room<'_>, member: SessionId) {
        let Some(one) = self.members.remove(&member) else {
            return;
        };
        self.taken.remove(&names::folded(&one.name));
        let (notice, data) = (
            format!("[System] {} has left.", one.name),
            json!({ "name": one.name }),
        );
        self.tell(room, To::All, Some(notice), "left", &data);
    }
}

/// Names of one answer to `/who`.
const NAMES_LISTED_MAX: usize = 100;
