//! Chat: rooms with names, what is said in them, and who says it under which name.
//!
//! What must be one is in the room's service, on the shard of the room; here sessions are only brought there, at their homes.

mod names;
mod room;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use worldshard::prelude::*;

use room::ChatRoom;

/// Chat in rooms that clients name.
///
/// | a client on a raw path writes | what happens |
/// |---|---|
/// | `/nick <name>` | it is called so in the room that it joined last, and asks for that name in those that it joins after |
/// | `/join <room>` | it is in the room, and the room is its active one; others are told, once, however often it joins |
/// | `/leave [room]` | it is in the room no more; without a name, the active one |
/// | `/list [after]` | the rooms that are not hidden, by name, a page of them |
/// | `/who` | who is in the active room |
/// | any other text | everybody in the active room is told `<name>: <text>`; without a room, every session |
///
/// Who names itself nothing is `User <session>`. A name is unique in its room, whatever its case.
///
/// Clients on lanes join by the service `room`, with `{"nick":…}` as `data` if they like, and are members of the same rooms.
/// They say `chat:send` with `{"msg":…}` and the room, or for the one joined last without; its members hear `chat/msg` with
/// `{"from":…,"msg":…,"id":…,"time":…}`: `id` counts the messages of the room, `time` is the world's in milliseconds. Of who
/// comes, goes and is called anew they hear `chat/joined`, `chat/left` and `chat/renamed`. `chat:nick` with `{"name":…}` is
/// `/nick`. Who is no member is refused with NOT_ALLOWED.
///
/// Line ends and other control characters in what raw clients are told are blanks, so that nobody forges a line of the server's.
#[derive(Clone)]
pub struct ChatPlugin {
    rules: Arc<ChatRules>,
    joinable: bool,
    members_max: u32,
}

/// What may be said, and who is told.
#[derive(Clone)]
struct ChatRules {
    to_sender: bool,
    text_chars_max: usize,
    reserved: Vec<String>,
    is_hidden: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    rooms_listed_max: usize,
}

impl ChatPlugin {
    /// Texts of at most 2000 characters, told to their sender too; no room is hidden.
    #[must_use]
    pub fn new() -> Self {
        let reserved = names::RESERVED.map(String::from).to_vec();
        Self {
            rules: Arc::new(ChatRules {
                to_sender: true,
                text_chars_max: 2000,
                reserved,
                is_hidden: Arc::new(|_| false),
                rooms_listed_max: 50,
            }),
            joinable: true,
            members_max: 10_000,
        }
    }

    fn rules(mut self, change: impl FnOnce(&mut ChatRules)) -> Self {
        change(Arc::make_mut(&mut self.rules));
        self
    }

    /// Whether who says something on a raw path is told it too: true unless said. On lanes it always is, since it learns the
    /// message's number so.
    #[must_use]
    pub fn to_sender(self, to_sender: bool) -> Self {
        self.rules(|rules| rules.to_sender = to_sender)
    }

    /// Longer texts are refused.
    #[must_use]
    pub fn text_chars_max(self, chars: usize) -> Self {
        self.rules(|rules| rules.text_chars_max = chars)
    }

    /// Another name that nobody may have, in any case of its letters.
    #[must_use]
    pub fn reserve(self, name: &str) -> Self {
        self.rules(|rules| rules.reserved.push(names::folded(name)))
    }

    /// Which rooms no list names, by their names. Who knows the name may join.
    #[must_use]
    pub fn hidden(self, is_hidden: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.rules(|rules| rules.is_hidden = Arc::new(is_hidden))
    }

    /// Rooms of one page of `/list`.
    #[must_use]
    pub fn rooms_listed_max(self, rooms: usize) -> Self {
        self.rules(|rules| rules.rooms_listed_max = rooms.max(1))
    }

    /// Members of one room; one more is refused.
    #[must_use]
    pub fn members_max(mut self, members: u32) -> Self {
        self.members_max = members;
        self
    }

    /// Whether clients on lanes join by themselves; only one kind of rooms of an application may be so.
    #[must_use]
    pub fn joinable(mut self, joinable: bool) -> Self {
        self.joinable = joinable;
        self
    }
}

impl Default for ChatPlugin {
    fn default() -> Self {
        Self::new()
    }
}

impl Plugin for ChatPlugin {
    fn build(&self, app: &mut App) {
        let rules = Arc::clone(&self.rules);
        let rooms = Rooms::named(KIND, move |_| ChatRoom::new(Arc::clone(&rules)));
        let rooms = rooms.members_max(self.members_max);
        app.resource(Talkers::default).rooms(match self.joinable {
            true => rooms.joinable(),
            false => rooms,
        });
        let [for_nick, for_list, for_lines, for_lanes] = [(); 4].map(|()| Arc::clone(&self.rules));
        app.text_command("/nick", move |cx: &mut Context<'_>, session, name: &str| {
            call(cx, session, name, &for_nick);
        })
        .text_command("/join", join)
        .text_command("/leave", leave)
        .text_command("/who", who)
        .text_command(
            "/list",
            move |cx: &mut Context<'_>, session, after: &str| {
                list(cx, session, after, for_list.rooms_listed_max);
            },
        )
        .text_lines(move |cx: &mut Context<'_>, session, text: &str| {
            say(cx, session, text, &for_lines);
        })
        .ext_service(
            "chat",
            move |cx: &mut Context<'_>, session, said: &ExtSaid| {
                hear(cx, session, said, &for_lanes)
            },
        )
        .system(Update, follow);
    }
}

/// The clients of a home that have said something to the chat.
#[derive(Default)]
struct Talkers(BTreeMap<SessionId, Talker>);

/// One client.
#[derive(Default)]
struct Talker {
    nick: Option<String>,
    /// The rooms that it is in or was promised, in the order in which it asked; the last is the active one.
    rooms: Vec<Arc<str>>,
}

impl Talkers {
    fn of(&mut self, session: SessionId) -> &mut Talker {
        self.0.entry(session).or_default()
    }

    fn active(&self, session: SessionId) -> Option<Arc<str>> {
        self.0.get(&session)?.rooms.last().cloned()
    }
}

impl Talker {
    /// Lets a room be the active one; whether it was one of its rooms.
    fn enter(&mut self, name: &str) -> bool {
        let was_in = self.leave(name);
        self.rooms.push(name.into());
        was_in
    }

    /// Keeps or forgets a room; one that another plugin brought it to is its active one.
    fn settle(&mut self, name: &Arc<str>, is_there: bool) {
        if !is_there {
            self.leave(name);
        } else if !self.rooms.contains(name) {
            self.rooms.push(Arc::clone(name));
        }
    }

    fn leave(&mut self, name: &str) -> bool {
        let before = self.rooms.len();
        self.rooms.retain(|room| **room != *name);
        self.rooms.len() < before
    }
}

fn call(cx: &mut Context<'_>, session: SessionId, name: &str, rules: &ChatRules) {
    if let Err(mistake) = names::check(name, &rules.reserved) {
        return error(cx, session, mistake);
    }
    let mut talkers = cx.resource_mut::<Talkers>();
    talkers.of(session).nick = Some(name.to_owned());
    let active = talkers.active(session);
    drop(talkers);
    // Whether it is free there, the room says.
    if !tell_room(cx, session, active, format!("nick {name}")) {
        reply(
            cx,
            session,
            format!("[System] Your nickname is now: {name}"),
        );
    }
}

fn join(cx: &mut Context<'_>, session: SessionId, name: &str) {
    if name.is_empty() {
        return error(cx, session, "Say which room: /join <room>");
    }
    let mut talkers = cx.resource_mut::<Talkers>();
    let talker = talkers.of(session);
    let was_in = talker.enter(name);
    let nick = talker.nick.clone().unwrap_or_default();
    drop(talkers);
    cx.join(session, KIND, name, nick);
    if was_in {
        // Of an old member the service is not told that it came again.
        cx.tell_room(session, KIND, name, "again");
    }
}

fn leave(cx: &mut Context<'_>, session: SessionId, name: &str) {
    let active = cx.resource::<Talkers>().active(session);
    let name = match (name, active) {
        ("", Some(active)) => active,
        ("", None) => return error(cx, session, "You are in no room."),
        (name, _) => name.into(),
    };
    cx.resource_mut::<Talkers>().of(session).leave(&name);
    match cx.leave(session, KIND, &name) {
        true => reply(cx, session, format!("[System] Left room: {name}")),
        false => error(cx, session, "You are not in that room."),
    }
}

fn who(cx: &mut Context<'_>, session: SessionId, _: &str) {
    let active = cx.resource::<Talkers>().active(session);
    if !tell_room(cx, session, active, "who") {
        error(cx, session, "You are in no room.");
    }
}

fn list(cx: &mut Context<'_>, session: SessionId, after: &str, rooms_max: usize) {
    let after = Some(after).filter(|after| !after.is_empty());
    let mut rooms = cx.list_rooms(KIND, after, rooms_max + 1);
    let goes_on = rooms.len() > rooms_max;
    rooms.truncate(rooms_max);
    let mut text = "[System] Active Rooms:".to_owned();
    for room in &rooms {
        text += &format!("\n  - {} ({} users)", room.name, room.members);
    }
    match rooms.last() {
        None => text += "\n  No active rooms right now.",
        Some(last) if goes_on => text += &format!("\n  More: /list {}", last.name),
        Some(_) => {}
    }
    reply(cx, session, text);
}

fn say(cx: &mut Context<'_>, session: SessionId, text: &str, rules: &ChatRules) {
    let text = match rules.admit(text) {
        Ok(text) if text.is_empty() => return,
        Ok(text) => text,
        Err(mistake) => return error(cx, session, mistake),
    };
    let active = cx.resource::<Talkers>().active(session);
    if tell_room(cx, session, active, format!("say {text}")) {
        return;
    }
    let talkers = cx.resource::<Talkers>();
    let nick = talkers.0.get(&session).and_then(|one| one.nick.clone());
    drop(talkers);
    let name = nick.unwrap_or_else(|| names::default(session));
    let audience = match rules.to_sender {
        true => Audience::All,
        false => Audience::AllBut(session),
    };
    cx.send(
        audience,
        format!("{name}: {text}", text = names::on_a_line(&text)),
    );
}

impl ChatRules {
    /// What is said, if it is not too long.
    fn admit<'a>(&self, text: &'a str) -> Result<Cow<'a, str>, String> {
        let text = text.trim();
        let chars_max = self.text_chars_max;
        if text.chars().nth(chars_max).is_some() {
            return Err(format!(
                "That text is too long: at most {chars_max} characters."
            ));
        }
        Ok(Cow::Borrowed(text))
    }
}

/// What `chat:send` and `chat:nick` say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    msg: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Called {
    name: String,
}

/// What clients on lanes say.
fn hear(
    cx: &mut Context<'_>,
    session: SessionId,
    said: &ExtSaid,
    rules: &ChatRules,
) -> Result<(), Refusal> {
    let word = match &*said.kind {
        "send" => {
            let sent: Sent = read(said)?;
            let text = rules.admit(&sent.msg);
            let text = text.map_err(too_large)?;
            format!("say {text}")
        }
        "nick" => {
            let called: Called = read(said)?;
            let name = called.name.trim();
            let checked = names::check(name, &rules.reserved);
            checked.map_err(Refusal::bad)?;
            format!("nick {name}")
        }
        kind => {
            let detail = format!("type: the service chat takes no {kind:?}");
            return Err(Refusal::bad(detail));
        }
    };
    let room = match said.room.as_deref() {
        Some(room) => Some(room.into()),
        None => active_on_lanes(cx, session),
    };
    match tell_room(cx, session, room, word) {
        true => Ok(()),
        false => {
            let detail = "room: the session is no member of it";
            Err(Refusal::not_allowed(detail))
        }
    }
}

fn read<T: for<'a> Deserialize<'a>>(said: &ExtSaid) -> Result<T, Refusal> {
    let read = serde_json::from_str(said.data.as_str());
    read.map_err(|error| Refusal::bad(format!("data: {error}")))
}

fn too_large(detail: String) -> Refusal {
    Refusal {
        code: ErrorCode::PayloadTooLarge,
        detail: detail.into(),
    }
}

fn active_on_lanes(cx: &Context<'_>, session: SessionId) -> Option<Arc<str>> {
    let rooms = cx.rooms_of(session).filter(|(kind, _)| *kind == KIND);
    rooms.last().map(|(_, name)| name.into())
}

fn tell_room(
    cx: &mut Context<'_>,
    session: SessionId,
    room: Option<Arc<str>>,
    word: impl Into<Payload>,
) -> bool {
    room.is_some_and(|room| cx.tell_room(session, KIND, &room, word))
}

/// Keeps up with what became of memberships, and forgets who is gone.
fn follow(cx: &mut Context<'_>) {
    let of_chat = cx.memberships().filter(|one| &*one.kind == KIND);
    for Membership {
        session,
        name,
        change,
        ..
    } in of_chat
    {
        // On lanes the server tells of each by itself, and keeps which room is the active one.
        if cx.framing(session) != Some(Framing::Raw) {
            continue;
        }
        // It may have left since, and may be on its way back.
        let is_there = cx.may_tell_room(session, KIND, &name);
        cx.resource_mut::<Talkers>()
            .of(session)
            .settle(&name, is_there);
        match change {
            MembershipChange::Joined => {}
            MembershipChange::Refused(reason) => error(cx, session, reason),
            // Of which it was told.
            MembershipChange::Left(reason) if reason == "left" => {}
            MembershipChange::Left(reason) => {
                reply(
                    cx,
                    session,
                    format!("[System] Left room: {name} ({reason})"),
                );
            }
        }
    }
    let closed = cx.closed();
    let mut talkers = cx.resource_mut::<Talkers>();
    for (session, _) in closed {
        talkers.0.remove(&session);
    }
}

fn reply(cx: &mut Context<'_>, session: SessionId, text: String) {
    cx.send(Audience::One(session), text);
}

fn error(cx: &mut Context<'_>, session: SessionId, detail: impl AsRef<str>) {
    reply(cx, session, format!("[Error] {}", detail.as_ref()));
}

/// What the rooms of the chat are called among kinds of rooms.
const KIND: &str = "chat";
