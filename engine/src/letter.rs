//! What hubs say to each other outside the tick: commands, acknowledgements, finished frames, posts.
//!
//! Owns the types. Letters of one sender arrive in the order in which it sent them; between senders there is none.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use worldshard_protocol::{SessionId, Tick};
use worldshard_shard::{Acknowledgement, Command, Notice};

use crate::hub::{Post, RoomMail};
use crate::unsent::Unsent;

/// One thing said by a hub to another.
pub enum Letter {
    /// To the owner of a viewpoint: what its session wants.
    Command(Command),
    /// To the owner of a viewpoint: its session has deltas.
    Acknowledgement(Acknowledgement),
    /// To a home: what a tick of an owner has for its sessions.
    Delivery(Delivery),
    /// To a home: messages of services, in the order in which they were sent.
    Posts {
        /// The newest tick that they may tell of.
        tick: Tick,
        /// In order.
        posts: Vec<Post>,
    },
    /// To whom a post came from: what of it was not sent.
    Unsent(Vec<Unsent>),
    /// To a home: close a connection.
    Close {
        /// Whose.
        session: SessionId,
        /// As in RFC 6455.
        code: u16,
        /// For the client.
        reason: Cow<'static, str>,
    },
    /// To a home: a session of its has given way to a newer one of the same user.
    Displaced(SessionId),
    /// To all: how many subscribers of the overview the sender is home of now.
    Subscribers(Subscribers),
    /// To a home with subscribers: the sender's part of the overview.
    Overview {
        /// The tick that it shows.
        tick: Tick,
        /// Whether it has the ghosts too.
        ghosts: bool,
        /// The complete frame, shared by all subscribers.
        frame: Bytes,
    },
    /// To the host of a room, or from it to the home of a member.
    Room {
        /// The newest tick that it may tell of.
        tick: Tick,
        /// What is said.
        mail: RoomMail,
    },
    /// A driver's own letter, such as a connection that moves. The driver takes it out; a hub drops it.
    Driver(Box<dyn Any + Send>),
}

/// What one tick of an owner has for the sessions of one home.
#[derive(Debug)]
pub struct Delivery {
    /// The tick.
    pub tick: Tick,
    /// In the order in which things happened; they come before the deltas.
    pub notices: Vec<(SessionId, Notice)>,
    /// At most one per session.
    pub deltas: Vec<DeltaFrame>,
    /// Area messages: complete frames, in order.
    pub area: Vec<(SessionId, Bytes)>,
}

/// A delta, ready to be written.
#[derive(Clone, Debug)]
pub struct DeltaFrame {
    /// For whom.
    pub session: SessionId,
    /// Its number since the session joined; the first is 1.
    pub sequence: u32,
    /// The complete frame; with a shared part, what comes before that.
    pub frame: Bytes,
    /// What others are sent too, and the end of the frame.
    pub shared: Option<(Bytes, Bytes)>,
}

/// How many subscribers of the overview a home has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Subscribers {
    /// Without ghosts.
    pub plain: u32,
    /// With ghosts.
    pub ghosts: u32,
}

impl Delivery {
    pub(crate) fn new(tick: Tick) -> Self {
        Self {
            tick,
            notices: Vec::new(),
            deltas: Vec::new(),
            area: Vec::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.notices.is_empty() && self.deltas.is_empty() && self.area.is_empty()
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(command) => f.debug_tuple("Command").field(command).finish(),
            Self::Acknowledgement(one) => f.debug_tuple("Acknowledgement").field(one).finish(),
            Self::Delivery(delivery) => f.debug_tuple("Delivery").field(delivery).finish(),
            Self::Posts { posts, .. } => f.debug_tuple("Posts").field(posts).finish(),
            Self::Displaced(session) => write!(f, "Displaced({session})"),
            Self::Unsent(list) => f.debug_tuple("Unsent").field(list).finish(),
            Self::Close { session, code, .. } => write!(f, "Close({session}, {code})"),
            Self::Subscribers(counts) => f.debug_tuple("Subscribers").field(counts).finish(),
            Self::Overview { ghosts, frame, .. } => {
                write!(f, "Overview({ghosts}, {} B)", frame.len())
            }
            Self::Room { mail, .. } => f.debug_tuple("Room").field(mail).finish(),
            Self::Driver(_) => f.write_str("Driver(..)"),
        }
    }
}
