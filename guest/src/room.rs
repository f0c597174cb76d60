//! What a service may do with its room. Never does it: that is its host's.

use std::time::Duration;

/// A room, as its service has it while it is told something.
pub struct Room<'a> {
    host: &'a mut dyn Host,
}

impl<'a> Room<'a> {
    /// A room of a host.
    pub fn new(host: &'a mut dyn Host) -> Self {
        Self { host }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        self.host.name()
    }

    /// Its settings, in whatever form its server was given them.
    #[must_use]
    pub fn config(&self) -> Vec<u8> {
        self.host.config()
    }

    /// The room's time: it stands still while the service is told something.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.host.time()
    }

    /// Any 64 bits, other ones at each call. They are not for secrets.
    pub fn random(&mut self) -> u64 {
        self.host.random()
    }

    /// Sends a message to members. Who is none gets nothing.
    pub fn send(&mut self, to: Audience, payload: impl Into<Payload>) {
        self.host.send(to, payload.into());
    }

    /// Has [`Service::timer`](crate::Service::timer) called once, after a time. A timer of the same name is replaced.
    pub fn set_timer(&mut self, name: &str, after: Duration) {
        self.host.set_timer(name, after, false);
    }

    /// As [`set_timer`](Self::set_timer), again and again until it is cancelled or replaced.
    pub fn set_interval(&mut self, name: &str, every: Duration) {
        self.host.set_timer(name, every, true);
    }

    /// A timer that is cancelled never fires.
    pub fn cancel_timer(&mut self, name: &str) {
        self.host.cancel_timer(name);
    }

    /// Closes the connection of a member, behind what it was sent.
    pub fn kick(&mut self, member: u32, code: u16, reason: &str) {
        self.host.kick(member, code, reason);
    }

    /// A line for the server's log.
    pub fn log(&mut self, line: &str) {
        self.host.log(line);
    }
}

/// Which members of the room a message is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Audience {
    /// All of them.
    All,
    /// One.
    One(u32),
    /// All but one.
    AllBut(u32),
    /// The listed.
    Group(Vec<u32>),
    /// All but the listed.
    AllButGroup(Vec<u32>),
}

/// What a member said, or is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Payload {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Payload {
    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Its bytes, whatever its kind.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(bytes.to_owned())
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}

/// What carries out what a service wants: a server, or a [`Rehearsal`](crate::Rehearsal).
#[expect(
    missing_docs,
    reason = "each is what the room's function of the same name says"
)]
pub trait Host {
    fn name(&self) -> String;
    fn config(&self) -> Vec<u8>;
    fn time(&self) -> Duration;
    fn random(&mut self) -> u64;
    fn send(&mut self, to: Audience, payload: Payload);
    fn set_timer(&mut self, name: &str, after: Duration, repeats: bool);
    fn cancel_timer(&mut self, name: &str);
    fn kick(&mut self, member: u32, code: u16, reason: &str);
    fn log(&mut self, line: &str);
}
