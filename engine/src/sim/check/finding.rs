//! What a checker found: where, when, of what, and what differed. Never says why.

use std::fmt;

use worldshard_protocol::{EntityId, SessionId, Tick};
use worldshard_spatial::ShardId;

/// A fact that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whose rule.
    pub checker: &'static str,
    /// After which tick.
    pub tick: Tick,
    /// What it is about.
    pub subject: Subject,
    /// What differed.
    pub detail: String,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// All shards together.
    World,
    /// One shard.
    Shard(ShardId),
    /// One entity.
    Entity(EntityId),
    /// One session.
    Session(SessionId),
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            checker,
            tick,
            subject,
            detail,
        } = self;
        write!(out, "{checker}: tick {tick}, {subject}: {detail}")
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::World => write!(out, "the world"),
            Self::Shard(shard) => write!(out, "shard {shard}"),
            Self::Entity(entity) => write!(out, "entity {entity}"),
            Self::Session(session) => write!(out, "session {session}"),
        }
    }
}

impl std::error::Error for Finding {}
