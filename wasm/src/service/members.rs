//! The numbers by which a guest knows the members of its room: from 1 on, and none comes again.

use std::collections::BTreeMap;

use worldshard::Audience;
use worldshard_protocol::SessionId;

use crate::event::Audience as Meant;

/// The members of one room, by number and by session.
#[derive(Default)]
pub(crate) struct Members {
    last: u32,
    numbers: BTreeMap<SessionId, u32>,
    sessions: BTreeMap<u32, SessionId>,
}

impl Members {
    /// Gives a session its number; that which it has, if it has one.
    ///
    /// # Panics
    /// After 4 294 967 295 members of one room, which then begins again.
    pub(crate) fn enter(&mut self, session: SessionId) -> u32 {
        if let Some(number) = self.numbers.get(&session) {
            return *number;
        }
        let next = self.last.checked_add(1);
        self.last = next.expect("a room has no more numbers for members");
        self.numbers.insert(session, self.last);
        self.sessions.insert(self.last, session);
        self.last
    }

    /// The number that a session had.
    pub(crate) fn leave(&mut self, session: SessionId) -> Option<u32> {
        let number = self.numbers.remove(&session)?;
        self.sessions.remove(&number);
        Some(number)
    }

    pub(crate) fn number(&self, session: SessionId) -> Option<u32> {
        self.numbers.get(&session).copied()
    }

    pub(crate) fn session(&self, number: u32) -> Option<SessionId> {
        self.sessions.get(&number).copied()
    }

    /// All numbers, in the order in which members came.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        self.sessions.keys().copied().collect()
    }

    /// Whom a guest means. A number that is nobody's means nobody.
    pub(crate) fn audience(&self, meant: Meant) -> Audience {
        let sessions = |numbers: Vec<u32>| {
            let known = numbers.into_iter().filter_map(|one| self.session(one));
            known.collect::<Vec<_>>()
        };
        match meant {
            Meant::All => Audience::All,
            // To one, as what leaves at once.
            Meant::One(member) => match self.session(member) {
                Some(session) => Audience::One(session),
                None => Audience::Group(Vec::new()),
            },
            Meant::AllBut(member) => Audience::AllButGroup(sessions(vec![member])),
            Meant::Group(members) => Audience::Group(sessions(members)),
            Meant::AllButGroup(members) => Audience::AllButGroup(sessions(members)),
        }
    }
}
