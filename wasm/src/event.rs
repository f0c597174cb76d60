//! What a guest is told and what it wants done. Plain data: who drives the guest does it.

use std::time::Duration;

/// One thing that a guest is told.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Event<'a> {
    /// The room begins. Comes first.
    Init,
    /// The room goes on from what another guest saved. Comes first, instead of [`Init`](Self::Init).
    Load {
        /// What [`Guest::save`](crate::Guest::save) gave.
        state: &'a [u8],
    },
    /// A session has become a member.
    Connect {
        /// Its number within the room.
        member: u32,
    },
    /// A member said something.
    Message {
        /// Who.
        member: u32,
        /// What. Who drives the guest bounds its length, as rooms do: a guest that has no memory for it dies of it.
        payload: PayloadRef<'a>,
    },
    /// A session is no member any more.
    Disconnect {
        /// Its number within the room.
        member: u32,
    },
    /// A timer is due.
    Timer {
        /// The name it was set by.
        name: &'a str,
    },
    /// A tick of the world has passed.
    Tick {
        /// Its number.
        number: u64,
    },
}

/// One thing that a guest wants done. Members that it names may be gone, or never have been.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Sends a message to members.
    Send {
        /// To whom.
        to: Audience,
        /// What.
        payload: Payload,
    },
    /// Sets a timer, in place of one of the same name.
    SetTimer {
        /// Its name; empty for guests of Stateroom, which have one timer.
        name: String,
        /// How long after this call it is due.
        after: Duration,
        /// Whether it is due again and again, as long after each time.
        repeats: bool,
    },
    /// Ends a timer, if there is one.
    CancelTimer {
        /// Its name.
        name: String,
    },
    /// Closes a member's connection, behind what it was sent.
    Kick {
        /// Who.
        member: u32,
        /// The close code, as the guest gave it.
        code: u16,
        /// The reason.
        reason: String,
    },
}

impl Effect {
    /// A message to all members.
    #[must_use]
    pub fn send_all(payload: impl Into<Payload>) -> Self {
        let to = Audience::All;
        let payload = payload.into();
        Self::Send { to, payload }
    }

    /// A message to one member.
    #[must_use]
    pub fn send_one(member: u32, payload: impl Into<Payload>) -> Self {
        let to = Audience::One(member);
        let payload = payload.into();
        Self::Send { to, payload }
    }

    /// Bytes that it counts for in [`Limits::effect_bytes_per_call_max`](crate::Limits::effect_bytes_per_call_max).
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Send { to, payload } => to.bytes() + payload.as_bytes().len(),
            Self::SetTimer { name, .. } | Self::CancelTimer { name } => name.len(),
            Self::Kick { reason, .. } => reason.len(),
        }
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

impl Audience {
    fn bytes(&self) -> usize {
        match self {
            Self::All | Self::One(_) | Self::AllBut(_) => 0,
            Self::Group(members) | Self::AllButGroup(members) => size_of_val(members.as_slice()),
        }
    }
}

/// What a guest sends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Payload {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Payload {
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

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(bytes.to_owned())
    }
}

/// What a guest is told that a member said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PayloadRef<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

impl<'a> PayloadRef<'a> {
    /// Its bytes, whatever its kind.
    #[must_use]
    pub fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}
