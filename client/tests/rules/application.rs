//! What an application heard and said, of all its sessions. Never knows what a client was told, but at the end.

use std::collections::BTreeMap;

use super::{Kind, Pushed, Said, User, hold};

#[derive(Debug, Default)]
pub(crate) struct Application {
    sessions: BTreeMap<u64, Session>,
    /// Messages and requests heard, by client and life.
    heard: BTreeMap<(u32, u32), [u32; 2]>,
}

#[derive(Debug)]
struct Session {
    standing: Standing,
    /// The client and its life that spoke last.
    speaker: Option<(u32, u32)>,
    /// What was pushed to it.
    pushed: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    Open,
    Closed,
    /// Of a process that ended; the next one may open it again.
    Lost,
}

impl Application {
    /// A session opened; what it is to be told first.
    pub(crate) fn opened(&mut self, session: u64) -> Pushed {
        let known = self.sessions.get(&session);
        let is_new = known.is_none_or(|one| one.standing == Standing::Lost);
        hold("sessions", is_new, || format!("{session} opened twice"));
        let entry = self.sessions.entry(session).or_insert(Session {
            standing: Standing::Open,
            speaker: None,
            pushed: 0,
        });
        entry.standing = Standing::Open;
        self.push(session)
    }

    pub(crate) fn closed(&mut self, session: u64) {
        self.open(session, "closed").standing = Standing::Closed;
    }

    /// What is to be told next.
    pub(crate) fn push(&mut self, session: u64) -> Pushed {
        let entry = self.open(session, "told something");
        let number = entry.pushed;
        entry.pushed += 1;
        Pushed { session, number }
    }

    /// A message or a request of a session was heard.
    pub(crate) fn heard(&mut self, session: u64, kind: Kind, said: &Said) {
        let entry = self.open(session, "heard");
        hold("rule 3", said.session == Some(session), || {
            format!("session {session} says {said:?}")
        });
        let speaker = (said.client, said.life);
        if entry.speaker != Some(speaker) {
            let before = entry.speaker;
            let follows =
                before.is_none_or(|(client, life)| client == said.client && life < said.life);
            hold("rule 3", follows, || format!("{said:?} after {before:?}"));
            hold("rule 4", kind == Kind::Message && said.number == 0, || {
                format!("the first of a life is the {kind:?} {said:?}")
            });
            entry.speaker = Some(speaker);
        }
        let heard = &mut self.heard.entry(speaker).or_default()[kind as usize];
        hold("order", *heard == said.number, || {
            format!("number {heard} is missed by the {kind:?} {said:?}")
        });
        *heard += 1;
    }

    /// The process ended, and all that it knew: the next one may find a session in the world that this one saw closed.
    pub(crate) fn lost(&mut self) {
        for session in self.sessions.values_mut() {
            session.standing = Standing::Lost;
        }
    }

    pub(crate) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Whether no session is open.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut all = self.sessions.values();
        all.all(|session| session.standing != Standing::Open)
    }

    /// Nothing more comes: what was heard fits what a client was told.
    pub(crate) fn finish(&self, user: &User) {
        hold("sessions", self.is_quiet(), || "one is open".to_owned());
        for unsent in user.unsent() {
            let heard = self.heard.get(&(user.client(), unsent.life));
            let heard = heard.is_some_and(|heard| heard[unsent.kind as usize] > unsent.number);
            hold("status", !heard, || {
                format!("{unsent:?} of client {} was heard", user.client())
            });
        }
    }

    fn open(&mut self, session: u64, what: &str) -> &mut Session {
        let entry = self.sessions.get_mut(&session);
        let entry = entry.filter(|entry| entry.standing == Standing::Open);
        hold("sessions", entry.is_some(), || {
            format!("{session} is {what} and is not open")
        });
        entry.expect("it is open")
    }
}
