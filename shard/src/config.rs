//! What a world is: its space, its time, its reaches and its limits. Checked once, at start.
//!
//! Owns every bound of a shard, with unit and consequence. Never changes after start.

use std::fmt;
use std::time::Duration;

use worldshard_spatial::{Bounds, CellGrid, Index, IndexKind, Metric, Point, SpaceError};

/// A world, the same on every shard.
#[derive(Clone, Debug, PartialEq)]
pub struct WorldConfig {
    /// From it comes every random number of the world.
    pub seed: u64,
    /// World time between two ticks.
    pub tick_interval: Duration,
    /// Where entities and cameras may be; positions beyond are clamped.
    pub bounds: Bounds,
    /// Which axes count for distances and territories.
    pub metric: Metric,
    /// Edge of a cell, the unit of ownership.
    pub cell_edge_m: f32,
    /// Which index answers neighbour queries.
    pub index: IndexKind,
    /// Edge of the index's own cells: from half to the whole of the radius that is asked most.
    pub index_edge_m: f32,
    /// Interest of a session that asks for none of its own.
    pub interest_radius_m: f32,
    /// The furthest any interest may reach; a wish beyond is refused.
    pub interest_radius_max_m: f32,
    /// How far beyond its interest a session goes on seeing what it saw.
    pub interest_hysteresis_m: f32,
    /// How far systems look from an entity they simulate.
    pub perception_radius_m: f32,
    /// How far beyond its owner's territory an entity may stand before it is handed over.
    pub handoff_hysteresis_m: f32,
    /// The furthest a Move command may carry an avatar, in metres per second of world time.
    pub avatar_speed_max_m_s: f32,
    /// Bounds on what clients can make a shard hold and do.
    pub limits: Limits,
}

/// Bounds of one shard. Each names what happens when it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Commands of one session applied in one tick; the rest wait for the next.
    pub commands_per_tick_max: u32,
    /// Commands of one session that wait; beyond, a gap in their sequence is given up.
    pub commands_pending_max: usize,
    /// Deltas a session may have unacknowledged; beyond, none is built for it. With more that wait to be read, a join is
    /// refused.
    pub credits_max: u32,
    /// Sessions heard of in one tick whose viewpoint is not here; beyond, the oldest is forgotten.
    pub undelivered_sessions_max: usize,
    /// `k` of a k-nearest interest; a wish beyond is refused.
    pub nearest_max: u16,
    /// Viewpoints on one shard; a join beyond is refused.
    pub viewers_max: usize,
    /// Area messages of one shard that wait for the next tick; one more is refused.
    pub area_messages_max: usize,
    /// Entities in one overview frame; beyond, a fixed share of all is shown.
    pub overview_entities_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            commands_per_tick_max: 32,
            commands_pending_max: 1024,
            credits_max: 16,
            undelivered_sessions_max: 4096,
            nearest_max: 1024,
            viewers_max: 65_536,
            area_messages_max: 4096,
            overview_entities_max: 20_000,
        }
    }
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            tick_interval: Duration::from_millis(50),
            bounds: Bounds {
                min: Point::ORIGIN,
                max: Point::flat(1024.0, 1024.0),
            },
            metric: Metric::Plane,
            cell_edge_m: 32.0,
            index: IndexKind::Grid,
            index_edge_m: 16.0,
            interest_radius_m: 60.0,
            interest_radius_max_m: 120.0,
            interest_hysteresis_m: 4.0,
            perception_radius_m: 16.0,
            handoff_hysteresis_m: 2.0,
            avatar_speed_max_m_s: 40.0,
            limits: Limits::default(),
        }
    }
}

impl WorldConfig {
    /// Refuses values that contradict each other or that no world can have.
    ///
    /// # Errors
    /// Names the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let positive = |field, value: f32| {
            check(
                field,
                value,
                value.is_finite() && value > 0.0,
                "a finite number above 0",
            )
        };
        let not_negative = |field, value: f32| {
            check(
                field,
                value,
                value.is_finite() && value >= 0.0,
                "a finite number, 0 or more",
            )
        };
        positive("interest_radius_m", self.interest_radius_m)?;
        positive("interest_radius_max_m", self.interest_radius_max_m)?;
        not_negative("interest_hysteresis_m", self.interest_hysteresis_m)?;
        not_negative("perception_radius_m", self.perception_radius_m)?;
        not_negative("handoff_hysteresis_m", self.handoff_hysteresis_m)?;
        positive("avatar_speed_max_m_s", self.avatar_speed_max_m_s)?;
        check(
            "interest_radius_m",
            self.interest_radius_m,
            self.interest_radius_m <= self.interest_radius_max_m,
            "at most interest_radius_max_m",
        )?;
        let interval_s = self.tick_interval.as_secs_f32();
        check(
            "tick_interval",
            interval_s,
            (0.001..=10.0).contains(&interval_s),
            "between 1 ms and 10 s",
        )?;
        check(
            "limits.credits_max",
            self.limits.credits_max as f32,
            self.limits.credits_max >= 2,
            "at least 2",
        )?;
        self.grid()?;
        // Refused here, by its name, rather than by each shard when it begins.
        Index::new(self.index, self.bounds, self.metric, self.index_edge_m)?;
        Ok(())
    }

    /// Width of the band along a territory's edge that neighbours must see as ghosts.
    #[must_use]
    pub fn border_width_m(&self) -> f32 {
        let interest_m = self.interest_radius_max_m + self.interest_hysteresis_m;
        interest_m.max(self.perception_radius_m) + self.handoff_hysteresis_m
    }

    /// The grid of cells.
    ///
    /// # Errors
    /// When the bounds or the edge make no grid.
    pub fn grid(&self) -> Result<CellGrid, ConfigError> {
        CellGrid::new(self.bounds, self.cell_edge_m, self.metric).map_err(ConfigError::Space)
    }

    /// Seconds of world time in one tick.
    #[must_use]
    pub fn dt(&self) -> f32 {
        self.tick_interval.as_secs_f32()
    }
}

fn check(
    field: &'static str,
    value: f32,
    holds: bool,
    allowed: &'static str,
) -> Result<(), ConfigError> {
    if holds {
        return Ok(());
    }
    Err(ConfigError::Field {
        field,
        value,
        allowed,
    })
}

/// Why a world cannot start.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigError {
    /// The space cannot be cut.
    Space(SpaceError),
    /// A field has a value it may not have.
    Field {
        /// The field's name.
        field: &'static str,
        /// What it was.
        value: f32,
        /// What it may be.
        allowed: &'static str,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Space(error) => error.fmt(f),
            Self::Field {
                field,
                value,
                allowed,
            } => write!(f, "{field} is {value}; it must be {allowed}"),
        }
    }
}

impl std::error::Error for ConfigError {}

impl From<SpaceError> for ConfigError {
    fn from(error: SpaceError) -> Self {
        Self::Space(error)
    }
}
