//! The worlds that come with the engine, made with nothing but what users have.
//!
//! Owns their names, sizes and defaults. Never knows how many shards run them: neighbours come from the view, chance
//! from the entity, so every number of shards lives the same world.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::prelude::{App, Bounds, Component, IndexKind, Metric, Plugin, Point, WorldConfig};

mod motion;

mod boids;

mod crowd;
mod flock;
mod swarm3d;

/// A world by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WorldName {
    /// Birds in a plane.
    Flock,
    /// Walkers who gather where things happen, so that territories become uneven.
    Crowd,
    /// Groups of birds in a cube of air.
    Swarm3d,
}

/// A world of a certain size: a plugin that registers its components, entities and systems.
///
/// The fields may be changed before it is added; `entities` only together with the bounds, which were sized for it.
#[derive(Clone, Debug)]
pub struct WorldSetup {
    /// Which world.
    pub name: WorldName,
    /// Entities of tick 0; avatars come on top.
    pub entities: u64,
    /// Space, time and reaches.
    pub config: WorldConfig,
}

/// A world sized for `entities`, at 20 ticks a second.
#[must_use]
pub fn world(name: WorldName, entities: u64, seed: u64) -> WorldSetup {
    let mut config = match name {
        WorldName::Flock => flock::config(entities),
        WorldName::Crowd => crowd::config(entities),
        WorldName::Swarm3d => swarm3d::config(entities),
    };
    config.seed = seed;
    WorldSetup {
        name,
        entities,
        config,
    }
}

/// [`world`] of birds in a plane, with seed 0.
#[must_use]
pub fn flock(entities: u64) -> WorldSetup {
    world(WorldName::Flock, entities, 0)
}

/// [`world`] of walkers, with seed 0.
#[must_use]
pub fn crowd(entities: u64) -> WorldSetup {
    world(WorldName::Crowd, entities, 0)
}

/// [`world`] of birds in a cube, with seed 0.
#[must_use]
pub fn swarm3d(entities: u64) -> WorldSetup {
    world(WorldName::Swarm3d, entities, 0)
}

impl WorldSetup {
    /// Sets how far sessions see, in metres: by default, and at most. The border grows with it.
    #[must_use]
    pub fn interest_radius_m(mut self, radius_m: f32) -> Self {
        self.config.interest_radius_m = radius_m;
        self.config.interest_radius_max_m = radius_m;
        self
    }

    /// Sets the world time between two ticks.
    #[must_use]
    pub fn tick_interval(mut self, interval: Duration) -> Self {
        self.config.tick_interval = interval;
        self
    }
}

impl Plugin for WorldSetup {
    fn build(&self, app: &mut App) {
        app.world(self.config.clone())
            .world_name(self.name.to_string());
        match self.name {
            WorldName::Flock => flock::build(self, app),
            WorldName::Crowd => crowd::build(self, app),
            WorldName::Swarm3d => swarm3d::build(self, app),
        }
    }
}

impl WorldName {
    /// Every world.
    pub const ALL: [WorldName; 3] = [Self::Flock, Self::Crowd, Self::Swarm3d];

    /// The name as it stands on the command line and in the greeting.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flock => "flock",
            Self::Crowd => "crowd",
            Self::Swarm3d => "swarm3d",
        }
    }
}

impl fmt::Display for WorldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for WorldName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|world| world.as_str() == name);
        found.ok_or_else(|| format!("no world is named {name:?}: flock, crowd or swarm3d"))
    }
}

/// How an entity moves, in metres per second. Neighbours see it.
#[derive(Component, Copy, Clone, Debug, Default, PartialEq)]
struct Velocity(Point);

/// The part all three worlds share of their configuration: a cube or square with one corner at the origin.
fn config_of(metric: Metric, edge_m: f32, reaches: Reaches) -> WorldConfig {
    let far = match metric {
        Metric::Plane => Point::flat(edge_m, edge_m),
        Metric::Flat => Point::new(edge_m, 0.0, edge_m),
        Metric::Solid => Point::new(edge_m, edge_m, edge_m),
    };
    WorldConfig {
        bounds: Bounds::new(Point::ORIGIN, far),
        metric,
        // Territories need cells to choose from, few enough to keep the map small.
        cell_edge_m: reaches.cell_edge_m.max(edge_m / CELLS_PER_EDGE_MAX),
        index: IndexKind::Grid,
        index_edge_m: reaches.perception_m.max(edge_m / INDEX_CELLS_PER_EDGE_MAX),
        interest_radius_m: reaches.interest_m,
        interest_radius_max_m: reaches.interest_max_m,
        interest_hysteresis_m: reaches.hysteresis_m,
        perception_radius_m: reaches.perception_m,
        handoff_hysteresis_m: reaches.hysteresis_m,
        avatar_speed_max_m_s: reaches.avatar_speed_m_s,
        ..WorldConfig::default()
    }
}

/// Lengths that differ between the worlds, in metres; the speed in metres per second.
struct Reaches {
    perception_m: f32,
    interest_m: f32,
    interest_max_m: f32,
    hysteresis_m: f32,
    cell_edge_m: f32,
    avatar_speed_m_s: f32,
}

/// Beyond, cells grow instead: 64³ is a quarter of the most that a cell map holds.
const CELLS_PER_EDGE_MAX: f32 = 64.0;

/// Beyond, index cells grow instead.
const INDEX_CELLS_PER_EDGE_MAX: f32 = 256.0;

/// What an entity of a demo world is, for the page's colours.
const KIND_NATIVE: u8 = 0;
/// Entities that a client steers.
const KIND_AVATAR: u8 = 1;

#[cfg(test)]
mod tests;
