//! What a session wants of the world: admitted wishes on their way to the shard that owns its viewpoint.
//!
//! Owns their types and the admission of an interest. Never applies one: that is `phases::apply`.

use std::borrow::Cow;

use bytes::Bytes;
use worldshard_protocol::{ErrorCode, InterestWish, SessionId, ViewpointMode};
use worldshard_spatial::Point;

use crate::config::WorldConfig;

/// An admitted wish of one session.
#[derive(Clone, Debug)]
pub struct Command {
    /// Whose.
    pub session: SessionId,
    /// Given by the home: 1, 2, 3, … per session, in the order in which they were read.
    pub sequence: u32,
    /// The client's own number for it, echoed when the world contains it; 0 for none.
    pub client_sequence: u32,
    /// What.
    pub body: CommandBody,
}

/// What a command asks for.
#[derive(Clone, Debug)]
pub enum CommandBody {
    /// A viewpoint in the world.
    Join(Join),
    /// No viewpoint any more; an avatar is removed.
    Leave,
    /// Direction in which the avatar is to move; length at most 1.
    Steer(Point),
    /// Where the avatar is to be.
    Move(Point),
    /// Where the camera is to be.
    Look(Point),
    /// What the session wants to see from now on.
    Interest(Interest),
    /// For the handler that the application registered for this opcode.
    Custom {
        /// At least 64.
        opcode: u8,
        /// As the client sent it.
        payload: Bytes,
    },
    /// All over again: the client knows nothing any more, and deltas are numbered from 1. Given by the home, never by a
    /// client.
    Refresh {
        /// Which resumption of the session it is for, from 1.
        generation: u32,
    },
    /// Nothing any more: a tick panicked with what it was. Its place in the sequence stays, and its client is told. Never
    /// given by a client.
    Dropped,
}

impl CommandBody {
    /// Drops what it asks for, because a tick panics with it; whether there was something to drop. What a session's standing
    /// hangs on stays: its home waits for what comes of a join, a leave or a refresh.
    pub fn drop_wish(&mut self) -> bool {
        match self {
            Self::Steer(_)
            | Self::Move(_)
            | Self::Look(_)
            | Self::Interest(_)
            | Self::Custom { .. } => {
                *self = Self::Dropped;
                true
            }
            Self::Join(_) | Self::Leave | Self::Refresh { .. } | Self::Dropped => false,
        }
    }
}

/// A viewpoint that is wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Join {
    /// Avatar or camera.
    pub mode: ViewpointMode,
    /// Where; inside the world.
    pub at: Point,
    /// What to see.
    pub interest: Interest,
    /// Whether every update is a whole snapshot.
    pub full: bool,
    /// The author of the avatar's birth: the same for any number of shards when a script wrote it.
    pub author: u64,
    /// How often its session was resumed before.
    pub generation: u32,
}

/// What a session wants to see around its viewpoint. Never reaches beyond `interest_radius_max_m`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Interest {
    /// Everything within this many metres.
    Radius(f32),
    /// Everything in the box with these half edges, in metres.
    Box(Point),
    /// The `k` nearest within a radius.
    Nearest {
        /// How many at most.
        k: u16,
        /// Metres.
        radius_m: f32,
    },
    /// What the application's predicate accepts within a radius.
    Custom {
        /// Index of the predicate.
        predicate: u8,
        /// Metres.
        radius_m: f32,
    },
}

impl Interest {
    /// Checks a client's wish against the world's bounds.
    ///
    /// # Errors
    /// Names the field and its limit.
    pub fn admit(
        wish: &InterestWish,
        config: &WorldConfig,
        predicates: usize,
    ) -> Result<Self, Refusal> {
        let interest = match *wish {
            InterestWish::Default => Self::Radius(config.interest_radius_m),
            InterestWish::Radius(radius_m) => Self::Radius(radius_m),
            InterestWish::Box { half: [x, y, z] } => Self::Box(Point::new(x, y, z)),
            InterestWish::Nearest { k, radius } => Self::Nearest {
                k,
                radius_m: radius,
            },
            InterestWish::Custom { predicate, radius } => Self::Custom {
                predicate,
                radius_m: radius,
            },
        };
        if let Self::Nearest { k, .. } = interest
            && !(1..=config.limits.nearest_max).contains(&k)
        {
            return Err(Refusal::bad(format!(
                "interest.k is {k}; it must be between 1 and {}",
                config.limits.nearest_max
            )));
        }
        if let Self::Custom { predicate, .. } = interest
            && usize::from(predicate) >= predicates
        {
            return Err(Refusal::bad(format!(
                "interest.predicate is {predicate}; this world has {predicates}"
            )));
        }
        if let Self::Box(half) = interest
            && !(half.x >= 0.0 && half.y >= 0.0 && half.z >= 0.0)
        {
            return Err(Refusal::bad("interest.half has a negative edge".to_owned()));
        }
        let reach_m = interest.reach_m(config);
        let radius_max_m = config.interest_radius_max_m;
        if reach_m > 0.0 && reach_m <= radius_max_m {
            return Ok(interest);
        }
        Err(Refusal::not_allowed(format!(
            "interest reaches {reach_m} m; it must be above 0 and at most {radius_max_m} m"
        )))
    }

    /// The furthest point it covers, in metres.
    #[must_use]
    pub fn reach_m(&self, config: &WorldConfig) -> f32 {
        match *self {
            Self::Radius(radius_m)
            | Self::Nearest { radius_m, .. }
            | Self::Custom { radius_m, .. } => radius_m,
            Self::Box(half) => config.metric.project(half).length(),
        }
    }
}

/// A wish that was not granted, and why. It goes back to the client with a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The kind, for programs.
    pub code: ErrorCode,
    /// What was wrong, and the limit, for people.
    pub detail: Cow<'static, str>,
}

impl Refusal {
    /// A value that no world or this world does not allow.
    #[must_use]
    pub fn bad(detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: ErrorCode::BadRequest,
            detail: detail.into(),
        }
    }

    /// A wish that is well formed and not granted.
    #[must_use]
    pub fn not_allowed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: ErrorCode::NotAllowed,
            detail: detail.into(),
        }
    }
}

/// A session's word that it has every delta up to a number. Gives its owner permission to build more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Whose.
    pub session: SessionId,
    /// The last delta it has.
    pub delta_sequence: u32,
}
