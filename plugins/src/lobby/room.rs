//! One lobby: who is in it, whose it is, when it is ready. Lives on one shard, so the last place is taken once.
//!
//! Never looks at commands: the homes of its members do, and tell it by words of their own.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::json;
use worldshard::prelude::*;

/// The service of one lobby.
pub(super) struct LobbyRoom {
    /// Of which kind the rooms of matches are.
    matches: Option<Arc<str>>,
    /// As its owner wanted it; none before there is one.
    terms: Option<Terms>,
    /// In the order in which they came; the first is the owner unless said.
    members: Vec<SessionId>,
    owner: Option<SessionId>,
    stage: Stage,
}

#[derive(Clone)]
struct Terms {
    max: usize,
    is_private: bool,
    /// Names the lobby, together with its first owner's session, whatever others are called.
    number: u64,
    creator: SessionId,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It waits for members.
    Open,
    /// It was full, and its members are here.
    Ready,
    /// Its members are on their way to their match.
    Over,
}

impl LobbyRoom {
    pub(super) fn new(matches: Option<Arc<str>>) -> Self {
        Self {
            matches,
            terms: None,
            members: Vec::new(),
            owner: None,
            stage: Stage::Open,
        }
    }

    fn max(&self) -> usize {
        self.terms.as_ref().map_or(0, |terms| terms.max)
    }

    fn tell(&self, room: &mut Room<'_>, audience: Audience, text: &str) {
        room.send(audience, format!("[Lobby] {text}"));
    }

    /// What lists say: how many it waits for, whose it is, and whether it was ready.
    fn list(&self, room: &mut Room<'_>) {
        let is_private = self.terms.as_ref().is_none_or(|terms| terms.is_private);
        let note = self.owner.filter(|_| !is_private).map(|owner| {
            let ready = match self.stage {
                Stage::Open => "",
                Stage::Ready | Stage::Over => " ready",
            };
            format!("{} {owner}{ready}", self.max())
        });
        room.set_listing(note);
    }

    fn own(&mut self, room: &mut Room<'_>, owner: SessionId) {
        self.owner = Some(owner);
        let text = format!("{owner} owns '{}' now.", room.name());
        self.tell(room, Audience::All, &text);
    }

    /// It is full: all are told, once, and nobody comes in any more.
    fn begin(&mut self, room: &mut Room<'_>) {
        self.stage = Stage::Ready;
        let name = room.name().to_owned();
        self.tell(room, Audience::All, &format!("'{name}' is ready."));
        let (Some(kind), Some(terms)) = (self.matches.clone(), self.terms.clone()) else {
            return;
        };
        self.stage = Stage::Over;
        // Sessions are numbered once, and their lobbies by their homes: no other match is called so.
        let of_match = format!("{name}-{}-{}", terms.creator, terms.number);
        let text = format!("'{name}' plays in {kind} '{of_match}'.");
        self.tell(room, Audience::All, &text);
        let request = json!({ "lobby": name, "members": self.members.len() }).to_string();
        let request = Text::json(request).expect("it was made as JSON");
        for member in &self.members {
            room.move_to(*member, &kind, &of_match, request.clone());
        }
    }

    fn info(&self, room: &mut Room<'_>, member: SessionId) {
        let mut text = format!("{} ({}/{})", room.name(), self.members.len(), self.max());
        text += match self.stage {
            Stage::Open => "  open",
            Stage::Ready | Stage::Over => "  ready",
        };
        if self.terms.as_ref().is_some_and(|terms| terms.is_private) {
            text += "  private";
        }
        for one in &self.members {
            let owns = Some(*one) == self.owner;
            text += &format!("\n  {one}{}", if owns { "  owner" } else { "" });
        }
        self.tell(room, Audience::One(member), &text);
    }

    /// The member that an owner means; otherwise the member is told why not.
    fn meant(&self, room: &mut Room<'_>, by: SessionId, whom: &str) -> Option<SessionId> {
        if self.owner != Some(by) {
            self.tell(room, Audience::One(by), "Only the owner may do that.");
            return None;
        }
        let member = self.members.iter().find(|one| one.to_string() == whom);
        let other = member.copied().filter(|one| *one != by);
        if other.is_none() {
            let detail = match member {
                Some(_) => "That is you.".to_owned(),
                None => format!("{whom} is not in your lobby."),
            };
            self.tell(room, Audience::One(by), &detail);
        }
        other
    }
}

/// What a session asks for that wants to create a lobby.
fn terms(creator: SessionId, request: &str) -> Option<Terms> {
    let mut words = request.strip_prefix("create ")?.split(' ');
    let mut next = || words.next()?.parse::<u64>().ok();
    Some(Terms {
        max: usize::try_from(next()?).ok()?,
        is_private: next()? == 1,
        number: next()?,
        creator,
    })
}

impl Service for LobbyRoom {
    fn init(&mut self, room: &mut Room<'_>) {
        // Until somebody is in it.
        room.set_listing(None);
    }

    fn admit(
        &mut self,
        room: &mut Room<'_>,
        session: SessionId,
        request: &Payload,
    ) -> Result<(), Cow<'static, str>> {
        let name = room.name();
        let wish = request.as_text().and_then(|text| terms(session, text));
        match (wish, &self.terms) {
            (Some(_), Some(_)) => Err(format!("'{name}' already exists.").into()),
            (None, None) => Err(format!("'{name}' not found.").into()),
            (Some(wish), None) => {
                self.terms = Some(wish);
                Ok(())
            }
            (None, Some(_)) if self.stage != Stage::Open => {
                Err(format!("'{name}' is ready and takes nobody any more.").into())
            }
            (None, Some(terms)) if self.members.len() >= terms.max => {
                Err(format!("'{name}' is full.").into())
            }
            (None, Some(_)) => Ok(()),
        }
    }

    fn connect(&mut self, room: &mut Room<'_>, member: SessionId) {
        self.members.push(member);
        let (name, max) = (room.name().to_owned(), self.max());
        let count = self.members.len();
        let creates = self.owner.is_none();
        if creates {
            self.owner = Some(member);
        }
        let what = if creates {
            "Created and joined"
        } else {
            "Joined"
        };
        let text = format!("{what} '{name}' ({count}/{max}).");
        self.tell(room, Audience::One(member), &text);
        let text = format!("{member} joined '{name}' ({count}/{max}).");
        self.tell(room, Audience::AllBut(member), &text);
        if count == max {
            self.begin(room);
        }
        self.list(room);
    }

    fn message(&mut self, room: &mut Room<'_>, member: SessionId, payload: &Payload) {
        let text = payload.as_text().unwrap_or_default();
        let (word, whom) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "info" => self.info(room, member),
            "transfer" => {
                if let Some(to) = self.meant(room, member, whom) {
                    self.own(room, to);
                    self.list(room);
                }
            }
            "kick" => {
                if let Some(other) = self.meant(room, member, whom) {
                    room.remove(other, "the owner does not want you");
                }
            }
            _ => {}
        }
    }

    fn disconnect(&mut self, room: &mut Room<'_>, member: SessionId) {
        self.members.retain(|one| *one != member);
        if self.stage != Stage::Over {
            let (name, count, max) = (room.name().to_owned(), self.members.len(), self.max());
            let text = format!("{member} left '{name}' ({count}/{max}).");
            self.tell(room, Audience::All, &text);
        }
        if self.owner == Some(member) {
            self.owner = None;
            let next = self.members.first().copied();
            if let Some(next) = next.filter(|_| self.stage != Stage::Over) {
                self.own(room, next);
            }
        }
        self.list(room);
    }
}
