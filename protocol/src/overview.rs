//! The whole-world picture of one shard: where everything is, who owns it.
//!
//! Encoded once per shard and shared by all subscribers. It is not interest and claims no exactness.

use std::fmt;

use rkyv::{Archive, Deserialize, Serialize};

use crate::EntityId;
use crate::delta::{follow_each_other, span};

/// One shard's part of the overview.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Debug, Default)]
pub struct Overview {
    /// The tick shown.
    pub tick: u64,
    /// The shard that laid it out.
    pub shard: u16,
    /// Entities on the shard; `dots` may hold fewer.
    pub total: u32,
    /// Entities of the shard.
    pub dots: Vec<Dot>,
    /// Ghosts that the shard holds; empty unless asked for.
    pub ghosts: Vec<Dot>,
}

/// One entity of the overview; its archived layout is [`DOT_BYTES`] bytes, in field order.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, PartialEq, Debug, Default)]
pub struct Dot {
    /// The entity, at most `EntityId::MAX`.
    pub id: u64,
    /// Metres; finite.
    pub x: f32,
    /// Metres; finite.
    pub y: f32,
    /// Metres; finite.
    pub z: f32,
    /// The shard that owns it.
    pub owner: u16,
    /// What it is, as the world defines it.
    pub kind: u8,
    /// Zero; readers ignore it.
    pub spare: u8,
}

impl Overview {
    /// Appends the archived overview to `out`, which may already hold headers.
    pub fn write(&self, out: &mut Vec<u8>) {
        let bytes = rkyv::to_bytes::<rkyv::rancor::Error>(self);
        out.extend_from_slice(&bytes.expect("an overview holds plain values only"));
    }
}

/// Reads an overview in place: exact size, finite positions, exact numbers.
///
/// # Errors
/// Names the first promise that the bytes break.
pub fn read_overview(bytes: &[u8]) -> Result<&ArchivedOverview, OverviewError> {
    let overview = rkyv::access::<ArchivedOverview, rkyv::rancor::Failure>(bytes)
        .map_err(|_| OverviewError::Layout)?;
    let lists = [span(&overview.dots), span(&overview.ghosts)];
    if !follow_each_other(bytes, &lists, OVERVIEW_ROOT_BYTES) {
        return Err(OverviewError::Size);
    }
    let tick = overview.tick.to_native();
    if tick > EntityId::MAX.0 {
        return Err(OverviewError::Id(tick));
    }
    for dot in overview.dots.iter().chain(overview.ghosts.iter()) {
        let id = dot.id.to_native();
        if id > EntityId::MAX.0 {
            return Err(OverviewError::Id(id));
        }
        if ![dot.x, dot.y, dot.z]
            .iter()
            .all(|axis| axis.to_native().is_finite())
        {
            return Err(OverviewError::Position(id));
        }
    }
    Ok(overview)
}

/// The promise that refused bytes break.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OverviewError {
    /// No archive of this layout: too short, or a list lies outside.
    Layout,
    /// The lists do not follow each other and fill the bytes exactly.
    Size,
    /// An id, or the tick, beyond `EntityId::MAX`.
    Id(u64),
    /// The position of this entity is not finite.
    Position(u64),
}

impl fmt::Display for OverviewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout => write!(f, "not an overview of this layout"),
            Self::Size => write!(f, "the lists do not fill the overview"),
            Self::Id(id) => write!(f, "id {id} is beyond 2^53"),
            Self::Position(id) => write!(f, "the position of {id} is not finite"),
        }
    }
}

impl std::error::Error for OverviewError {}

/// Bytes of one dot on the wire.
pub const DOT_BYTES: usize = 24;

/// Bytes of an overview's fixed part, which stands at its end.
pub const OVERVIEW_ROOT_BYTES: usize = 30;

const _: () = assert!(size_of::<ArchivedDot>() == DOT_BYTES);
const _: () = assert!(size_of::<ArchivedOverview>() == OVERVIEW_ROOT_BYTES);

#[cfg(test)]
mod tests;
