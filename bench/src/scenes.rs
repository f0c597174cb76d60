//! The worlds that in-process benches measure and count: who is in them, who looks, who leaps.

use std::sync::Arc;
use std::time::Duration;

use worldshard::prelude::*;
use worldshard::worlds::WorldSetup;
use worldshard::{AppRecipe, worlds};
use worldshard_client::protocol::{InterestWish, ViewpointMode};

use crate::crowd::{Crowd, Join, Witness};

/// A world and who joins it.
pub struct Scene {
    /// Its world, and on how many shards.
    pub recipe: Arc<AppRecipe>,
    /// Its clients.
    pub joins: Vec<Join>,
}

impl Scene {
    /// On this thread.
    ///
    /// # Errors
    /// When the world cannot be built.
    pub fn crowd(&self, witness: Witness) -> Result<Crowd> {
        Crowd::new(Arc::clone(&self.recipe), self.joins.clone(), witness)
    }
}

/// A flock of [`WATCHED`] on one shard under so many cameras, about `visible` in sight of each.
///
/// # Errors
/// When the world cannot be built.
pub fn watched(cameras: u16, visible: u16, sight: Sight) -> Result<Scene> {
    let radius_m = DENSITY_RADIUS_M * (f32::from(visible) / DENSITY).sqrt();
    let mut setup = worlds::flock(WATCHED).interest_radius_m(radius_m);
    // The half-diagonal of a box that holds as many.
    setup.config.interest_radius_max_m = 1.3 * radius_m;
    let interest = match sight {
        Sight::Radius => InterestWish::Default,
        Sight::Box => {
            let half_m = 0.5 * (std::f32::consts::PI * radius_m * radius_m).sqrt();
            InterestWish::Box {
                half: [half_m, half_m, 0.0],
            }
        }
        Sight::Nearest => InterestWish::Nearest {
            k: visible,
            radius: 1.2 * radius_m,
        },
    };
    let edge_m = setup.config.bounds.extent().x;
    // On a lattice whose rim is a radius inside the world's, so that each camera's area is full.
    let side = f32::from(cameras).sqrt().ceil();
    let join = |number: u16| {
        let (x, y) = (f32::from(number) % side, (f32::from(number) / side).floor());
        let along = |step: f32| radius_m + (edge_m - 2.0 * radius_m) * step / side;
        Join {
            mode: ViewpointMode::Camera,
            at: Point::flat(along(x), along(y)),
            interest,
        }
    };
    let recipe = App::new().plugin(setup).shards(1).build()?;
    let joins = (0..cameras).map(join).collect();
    Ok(Scene { recipe, joins })
}

/// A flock in which a bird begins with so many neighbours: as it ships, but in a larger or smaller square.
#[must_use]
pub fn flock_of_density(entities: u64, neighbours: f32) -> WorldSetup {
    let mut setup = worlds::flock(entities);
    let edge_m = setup.config.bounds.extent().x * (DENSITY / neighbours).sqrt();
    setup.config.bounds = Bounds::new(Point::ORIGIN, Point::flat(edge_m, edge_m));
    setup
}

/// How the cameras of [`watched`] look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// All within a radius.
    Radius,
    /// All in a box of the same area.
    Box,
    /// The nearest so many.
    Nearest,
}

/// [`NATIVES`] entities on two shards that leap in every tick, far from the border: to the mirror image of their place
/// in the other half, or in their own.
///
/// # Errors
/// When the world cannot be built.
pub fn leaping_natives(across: bool) -> Result<Scene> {
    let (recipe, joins) = (leapers(NATIVES, across)?, Vec::new());
    Ok(Scene { recipe, joins })
}

/// [`AVATARS`] avatars on two shards that leap in every tick as natives do, each with its session's visible set of
/// about [`AVATARS_IN_SIGHT`].
///
/// # Errors
/// When the world cannot be built.
pub fn leaping_avatars(across: bool) -> Result<Scene> {
    // A column in each half, and in the order of homes: all begin in the same tick, so a column stays together, and what
    // an avatar sees leaps with it.
    let join = |number: u16| Join {
        mode: ViewpointMode::Avatar,
        at: Point::flat(
            [0.25 * HALF_M, 1.75 * HALF_M][usize::from(number % 2)],
            200.0 + f32::from(number / 2) * SPACE_M,
        ),
        interest: InterestWish::Default,
    };
    let joins = (0..AVATARS).map(join).collect();
    let recipe = leapers(0, across)?;
    Ok(Scene { recipe, joins })
}

fn leapers(entities: u64, across: bool) -> Result<Arc<AppRecipe>> {
    App::new()
        .world(WorldConfig {
            bounds: Bounds::new(Point::ORIGIN, Point::flat(2.0 * HALF_M, HALF_M)),
            tick_interval: Duration::from_millis(50),
            interest_radius_m: INTEREST_M,
            interest_radius_max_m: INTEREST_M,
            perception_radius_m: 4.0,
            index_edge_m: 8.0,
            ..WorldConfig::default()
        })
        .shards(2)
        .populate(entities, |genesis, entity| {
            let mut chance = genesis.chance(entity, "birth");
            let x = chance.range(0.25 * HALF_M, 0.75 * HALF_M);
            let half = if entity.0.is_multiple_of(2) {
                0.0
            } else {
                HALF_M
            };
            Draft::at(Point::flat(x + half, chance.range(0.0, HALF_M)))
        })
        .avatar(|_, at| Draft::at(at))
        .system(FixedUpdate, move |step: &mut Step<'_>| {
            for position in step.query::<&mut Position>().iter() {
                let x = position.0.x;
                position.0.x = match (across, x < HALF_M) {
                    (true, _) => 2.0 * HALF_M - x,
                    (false, true) => HALF_M - x,
                    (false, false) => 3.0 * HALF_M - x,
                };
            }
        })
        .build()
}

/// Entities of a flock that is looked at.
pub const WATCHED: u64 = 10_000;
/// Clients that look at it where their cost is measured.
pub const CAMERAS: u16 = 1000;
/// A flock starts with so many in a circle of this radius.
const DENSITY: f32 = 9.0;
const DENSITY_RADIUS_M: f32 = 8.0;

/// Entities that leap and that nobody looks through.
pub const NATIVES: u64 = 10_000;
/// Avatars that leap.
pub const AVATARS: u16 = 1000;
/// How many of the others each of them sees.
pub const AVATARS_IN_SIGHT: u16 = 63;
/// Between two avatars of a column.
const SPACE_M: f32 = 1.2;
const INTEREST_M: f32 = 38.0;
/// Edge of each shard's half of the world.
const HALF_M: f32 = 1024.0;
