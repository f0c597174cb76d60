//! Zones: parts of the world that mean something to its rules, and who went from one to another.
//!
//! Never a reason for ownership: that is by cell, and zones are the same on any number of shards.

use std::sync::Arc;

use worldshard_protocol::EntityId;
use worldshard_spatial::Point;

/// A zone, by a number of the application's choice.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zone(pub u64);

/// An entity that ended a tick in another zone than the one before.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Crossing {
    /// Who.
    pub entity: EntityId,
    /// The zone it came from.
    pub from: Zone,
    /// The zone it is in.
    pub to: Zone,
}

/// Says which zone a point is in: a pure function.
pub type ZoneOf = Arc<dyn Fn(Point) -> Zone + Send + Sync>;

/// What an entity crossed on its way from one point to another.
pub(crate) fn crossing(
    zone_of: &ZoneOf,
    entity: EntityId,
    before: Point,
    at: Point,
) -> Option<Crossing> {
    let (from, to) = (zone_of(before), zone_of(at));
    (from != to).then_some(Crossing { entity, from, to })
}
