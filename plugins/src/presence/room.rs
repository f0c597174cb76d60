//! How all sessions are, and what each is told of it. Lives on one shard, so all are told the same in the same order.

use std::collections::BTreeMap;
use std::fmt::Write;

use worldshard::prelude::*;

/// The service of the one room of presence.
#[derive(Default)]
pub(super) struct PresenceRoom(BTreeMap<SessionId, Presence>);

#[derive(Clone, Copy)]
struct Presence {
    /// As it says.
    said: Status,
    /// It says nothing.
    is_idle: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Online,
    Away,
    Busy,
}

impl Status {
    fn read(text: &str) -> Option<Self> {
        let all = [Self::Online, Self::Away, Self::Busy];
        all.into_iter().find(|status| status.as_str() == text)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Away => "away",
            Self::Busy => "busy",
        }
    }
}

impl Presence {
    /// What others are told.
    fn shown(self) -> Status {
        if self.said == Status::Online && self.is_idle {
            return Status::Away;
        }
        self.said
    }
}

impl Service for PresenceRoom {
    fn init(&mut self, room: &mut Room<'_>) {
        room.set_listing(None);
    }

    fn connect(&mut self, room: &mut Room<'_>, member: SessionId) {
        // Some lines a message: it is to be no larger than others.
        let others: Vec<_> = self.0.iter().collect();
        for some in others.chunks(LINES_MAX) {
            let mut text = String::new();
            for (session, presence) in some {
                let status = presence.shown().as_str();
                let end = if text.is_empty() { "" } else { "\n" };
                write!(text, "{end}{session} {status}").expect("a string takes all");
            }
            room.send(Audience::One(member), text);
        }
        let presence = Presence {
            said: Status::Online,
            is_idle: false,
        };
        self.0.insert(member, presence);
        room.send(
            Audience::All,
            format!("{member} {}", Status::Online.as_str()),
        );
    }

    fn message(&mut self, room: &mut Room<'_>, member: SessionId, payload: &Payload) {
        let Some(presence) = self.0.get_mut(&member) else {
            return;
        };
        let before = presence.shown();
        match payload.as_text().unwrap_or_default() {
            "idle" => presence.is_idle = true,
            "back" => presence.is_idle = false,
            text => {
                let Some(status) = Status::read(text) else {
                    return;
                };
                presence.said = status;
            }
        }
        let shown = presence.shown();
        if shown != before {
            room.send(Audience::All, format!("{member} {}", shown.as_str()));
        }
    }

    fn disconnect(&mut self, room: &mut Room<'_>, member: SessionId) {
        if self.0.remove(&member).is_some() {
            room.send(Audience::All, format!("{member} offline"));
        }
    }
}

/// Lines of one message to who comes.
const LINES_MAX: usize = 256;
