//! Lobbies: groups that wait until they are full, and then play together.
//!
//! What a lobby is, its service knows, on the shard of its room; here sessions are only brought there, at their homes.

mod room;

use std::collections::BTreeMap;
use std::sync::Arc;

use worldshard::prelude::*;

use room::LobbyRoom;

/// Lobbies, by the text command `/lobby`.
///
/// | a client writes | what happens |
/// |---|---|
/// | `/lobby create <name> [max] [private]` | it is in a new lobby, and owns it; `private` keeps it from lists |
/// | `/lobby join <name>` | it is in the lobby, unless that is full or was ready |
/// | `/lobby leave` | it is not any more; of an owner that leaves, the member that came next is the owner |
/// | `/lobby list [after]` | the lobbies that are not private, by name, a page of them |
/// | `/lobby info <name>` | members, owner, whether it is ready; of a private one only its members are told |
/// | `/lobby transfer <member>` | the member is the owner, if the owner wants it |
/// | `/lobby kick <member>` | the member is not in it any more, if the owner wants it |
///
/// Members are named by the numbers of their sessions. A session is in one lobby at a time.
///
/// A lobby that is full is ready: each member is told so once, and from then on nobody comes in, also when somebody leaves.
/// With [`matches`](Self::matches) all of them are moved to a room for their match, and the lobby ends.
#[derive(Clone, Debug)]
pub struct LobbyPlugin {
    members_default: u32,
    members_max: u32,
    lobbies_listed_max: usize,
    matches: Option<Arc<str>>,
}

impl LobbyPlugin {
    /// Lobbies of 4 unless their owner says another number, of 64 at most; those that are ready stay where they are.
    #[must_use]
    pub fn new() -> Self {
        Self {
            members_default: 4,
            members_max: 64,
            lobbies_listed_max: 50,
            matches: None,
        }
    }

    /// How many a lobby waits for whose owner says no number.
    #[must_use]
    pub fn members_default(mut self, members: u32) -> Self {
        self.members_default = members;
        self
    }

    /// How many an owner may say.
    #[must_use]
    pub fn members_max(mut self, members: u32) -> Self {
        self.members_max = members;
        self
    }

    /// Lobbies of one page of `/lobby list`.
    #[must_use]
    pub fn lobbies_listed_max(mut self, lobbies: usize) -> Self {
        self.lobbies_listed_max = lobbies.max(1);
        self
    }

    /// Where those play whose lobby is ready: a room of this kind, `Rooms::named` of the application's, under a name that no
    /// room had before. Members are told the name and moved there; each comes with the request
    /// `{"lobby":<name>,"members":<how many>}`. Whom the room does not let in is told so.
    #[must_use]
    pub fn matches(mut self, kind: &str) -> Self {
        self.matches = Some(kind.into());
        self
    }
}

impl Default for LobbyPlugin {
    fn default() -> Self {
        Self::new()
    }
}

impl Plugin for LobbyPlugin {
    fn build(&self, app: &mut App) {
        if !(2..=self.members_max).contains(&self.members_default) {
            let (default, max) = (self.members_default, self.members_max);
            let detail = format!("a lobby of {default} is not one of 2 to {max}");
            app.mistake("LobbyPlugin", detail);
        }
        let matches = self.matches.clone();
        let rooms = Rooms::named(KIND, move |_| LobbyRoom::new(matches.clone()));
        let plugin = self.clone();
        app.resource(Guests::default)
            .rooms(rooms.members_max(u32::MAX))
            .text_command(
                "/lobby",
                move |cx: &mut Context<'_>, session, rest: &str| {
                    obey(cx, session, rest, &plugin);
                },
            )
            .system(Update, follow);
        if let Some(matches) = self.matches.clone() {
            app.system(Update, move |cx: &mut Context<'_>| {
                follow_to_matches(cx, &matches)
            });
        }
    }
}

/// Which lobby each session of a home is in, or was promised.
#[derive(Default)]
struct Guests {
    of: BTreeMap<SessionId, Arc<str>>,
    /// Lobbies that were asked for here.
    created: u64,
}

fn obey(cx: &mut Context<'_>, session: SessionId, rest: &str, plugin: &LobbyPlugin) {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let done = match *words {
        ["create", name, ref rest @ ..] => create(cx, session, name, rest, plugin),
        ["join", name] => join(cx, session, name, "join", "Leave your current lobby first."),
        ["leave"] => leave(cx, session),
        ["list"] => list(cx, session, None, plugin),
        ["list", after] => list(cx, session, Some(after), plugin),
        ["info", name] => info(cx, session, name),
        ["transfer", member] => ask(cx, session, format!("transfer {member}")),
        ["kick", member] => ask(cx, session, format!("kick {member}")),
        _ => Err(USAGE.to_owned()),
    };
    if let Err(detail) = done {
        reply(cx, session, detail);
    }
}

fn create(
    cx: &mut Context<'_>,
    session: SessionId,
    name: &str,
    rest: &[&str],
    plugin: &LobbyPlugin,
) -> Result<(), String> {
    let (max, is_private) = match *rest {
        [] => (None, false),
        ["private"] => (None, true),
        [max] => (Some(max), false),
        [max, "private"] => (Some(max), true),
        _ => return Err(USAGE.to_owned()),
    };
    let max = match max {
        None => plugin.members_default,
        Some(max) => {
            let allowed = 2..=plugin.members_max;
            let max = max.parse().ok().filter(|max| allowed.contains(max));
            max.ok_or_else(|| format!("A lobby is of 2 to {}.", plugin.members_max))?
        }
    };
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(format!(
            "A lobby's name has at most {NAME_CHARS_MAX} characters."
        ));
    }
    let mut guests = cx.resource_mut::<Guests>();
    guests.created += 1;
    let request = format!("create {max} {} {}", u8::from(is_private), guests.created);
    drop(guests);
    join(
        cx,
        session,
        name,
        request,
        "Leave your current lobby before creating one.",
    )
}

fn join(
    cx: &mut Context<'_>,
    session: SessionId,
    name: &str,
    request: impl Into<Payload>,
    busy: &str,
) -> Result<(), String> {
    let mut guests = cx.resource_mut::<Guests>();
    if guests.of.contains_key(&session) {
        return Err(busy.to_owned());
    }
    guests.of.insert(session, name.into());
    drop(guests);
    cx.join(session, KIND, name, request);
    Ok(())
}

fn leave(cx: &mut Context<'_>, session: SessionId) -> Result<(), String> {
    let name = cx.resource_mut::<Guests>().of.remove(&session);
    let name = name.ok_or(NO_LOBBY)?;
    cx.leave(session, KIND, &name);
    reply(cx, session, format!("Left '{name}'."));
    Ok(())
}

/// Has the lobby of a session do something for it.
fn ask(cx: &mut Context<'_>, session: SessionId, what: String) -> Result<(), String> {
    let name = cx.resource::<Guests>().of.get(&session).cloned();
    let name = name.ok_or(NO_LOBBY)?;
    cx.tell_room(session, KIND, &name, what);
    Ok(())
}

fn list(
    cx: &mut Context<'_>,
    session: SessionId,
    after: Option<&str>,
    plugin: &LobbyPlugin,
) -> Result<(), String> {
    let lobbies_max = plugin.lobbies_listed_max;
    let mut lobbies = cx.list_rooms(KIND, after, lobbies_max + 1);
    let goes_on = lobbies.len() > lobbies_max;
    lobbies.truncate(lobbies_max);
    let mut text = "Public lobbies:".to_owned();
    for lobby in &lobbies {
        text += &format!("\n  {}", line(lobby));
    }
    match lobbies.last() {
        None => text += "\n  (none)",
        Some(last) if goes_on => text += &format!("\n  More: /lobby list {}", last.name),
        Some(_) => {}
    }
    reply(cx, session, text);
    Ok(())
}

/// A lobby as lists have it: its note is how many it waits for, its owner, and whether it was ready.
fn line(lobby: &ListedRoom) -> String {
    let mut note = lobby.note.split(' ');
    let (max, owner) = (
        note.next().unwrap_or_default(),
        note.next().unwrap_or_default(),
    );
    let ready = note
        .next()
        .map_or(String::new(), |ready| format!("  {ready}"));
    let (name, members) = (&lobby.name, lobby.members);
    format!("{name} ({members}/{max})  owner:{owner}{ready}")
}

fn info(cx: &mut Context<'_>, session: SessionId, name: &str) -> Result<(), String> {
    let is_in = cx
        .resource::<Guests>()
        .of
        .get(&session)
        .is_some_and(|of| **of == *name);
    if is_in {
        return ask(cx, session, "info".to_owned());
    }
    let lobby = listed(cx, name).ok_or_else(|| format!("'{name}' not found."))?;
    let text = line(&lobby);
    reply(cx, session, text);
    Ok(())
}

/// The lobby of this name, if it is listed.
fn listed(cx: &Context<'_>, name: &str) -> Option<ListedRoom> {
    // What a name begins with comes before it, and little between them.
    let last = name.chars().next_back()?;
    let mut after = name[..name.len() - last.len_utf8()].to_owned();
    loop {
        let page = cx.list_rooms(KIND, Some(&after), PAGE);
        if let Some(lobby) = page.iter().find(|lobby| *lobby.name >= *name) {
            return (*lobby.name == *name).then(|| lobby.clone());
        }
        after = page.last()?.name.to_string();
    }
}

/// Tells clients what became of what they asked for, and forgets who is gone.
fn follow(cx: &mut Context<'_>) {
    let of_lobbies = cx.memberships().filter(|one| &*one.kind == KIND);
    for Membership {
        session,
        name,
        change,
        ..
    } in of_lobbies
    {
        let text = match change {
            MembershipChange::Joined => String::new(),
            MembershipChange::Refused(reason) => reason.into_owned(),
            MembershipChange::Left(reason) => match &*reason {
                // Of which it was told, by this or by its lobby.
                "left" | "moved" => String::new(),
                reason => format!("You are not in '{name}' any more: {reason}."),
            },
        };
        // It may have left since, and may be on its way back.
        let is_there = cx.may_tell_room(session, KIND, &name);
        let mut guests = cx.resource_mut::<Guests>();
        if is_there {
            guests.of.insert(session, name);
        } else if guests.of.get(&session) == Some(&name) {
            guests.of.remove(&session);
        }
        drop(guests);
        if !text.is_empty() {
            reply(cx, session, text);
        }
    }
    let closed = cx.closed();
    let mut guests = cx.resource_mut::<Guests>();
    for (session, _) in closed {
        guests.of.remove(&session);
    }
}

/// Tells those whom their match did not let in.
fn follow_to_matches(cx: &mut Context<'_>, matches: &str) {
    for one in cx.memberships().filter(|one| &*one.kind == matches) {
        if let MembershipChange::Refused(reason) = one.change {
            let text = format!("You are not let into '{}': {reason}", one.name);
            reply(cx, one.session, text);
        }
    }
}

fn reply(cx: &mut Context<'_>, session: SessionId, text: impl AsRef<str>) {
    let text = format!("[Lobby] {}", text.as_ref());
    cx.send(Audience::One(session), text);
}

/// What lobbies are called among kinds of rooms.
const KIND: &str = "lobby";

const NO_LOBBY: &str = "You are in no lobby.";

const USAGE: &str = "Say /lobby create <name> [max] [private], join <name>, leave, list [after], info <name>, \
                     transfer <member> or kick <member>.";

const NAME_CHARS_MAX: usize = 32;

/// Lobbies that are looked through at a time.
const PAGE: usize = 64;
