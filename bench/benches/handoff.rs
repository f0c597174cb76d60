//! What one handoff costs, both ends: leaps across the border against leaps at home. `cargo bench --bench handoff`.

use std::time::Duration;

use worldshard::prelude::*;
use worldshard_bench::crowd::{Cost, Crowd};
use worldshard_bench::stopwatch::Spread;
use worldshard_client::protocol::ViewpointMode;

fn main() -> Result<()> {
    println!(
        "2 shards, all leap to the other side in every tick; µs of CPU per crossing over a leap at home,\n\
         median of {RUNS} (least to most)"
    );
    natives()?;
    avatars()
}

/// Entities that nobody looks through.
fn natives() -> Result<()> {
    let mut costs = Vec::new();
    for _ in 0..RUNS {
        costs.push(per_crossing(ENTITIES, Vec::new)?);
    }
    println!("{ENTITIES} entities without clients: {}", Spread::of(costs));
    Ok(())
}

/// Avatars only, each with its session's visible set.
fn avatars() -> Result<()> {
    let places = || {
        let column = |x: u16| {
            (0..CLIENTS / 2).map(move |y| Point::flat(f32::from(x), 200.0 + f32::from(y) * SPACE_M))
        };
        // Two columns that change places: what an avatar sees is as much before a leap as after.
        column(256).chain(column(768)).collect::<Vec<_>>()
    };
    let mut costs = Vec::new();
    for _ in 0..RUNS {
        costs.push(per_crossing(0, places)?);
    }
    println!(
        "{CLIENTS} avatars, {:.0} in sight of each: {}",
        2.0 * INTEREST_M / SPACE_M,
        Spread::of(costs)
    );
    Ok(())
}

fn per_crossing(entities: u64, places: impl Fn() -> Vec<Point>) -> Result<f64> {
    let run = |across| -> Result<Cost> {
        let recipe = leapers(entities, across).build()?;
        Crowd::new(2, ViewpointMode::Avatar, places()).run(&recipe, TICKS)
    };
    let (across, at_home) = (run(true)?, run(false)?);
    assert_eq!(at_home.handoffs, 0, "nobody leaves home");
    assert!(across.handoffs > 0, "everybody leaves home");
    let micros = |cost: &Cost| cost.phases.total().as_secs_f64() * 1e6;
    Ok((micros(&across) - micros(&at_home)) / across.handoffs as f64)
}

/// A world whose entities leap in every tick, far from the border: to the mirror image of their place in the other
/// half, or in their own.
fn leapers(entities: u64, across: bool) -> App {
    let mut app = App::new();
    app.world(WorldConfig {
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
    });
    app
}

const RUNS: usize = 5;
const TICKS: u64 = 50;
const ENTITIES: u64 = 10_000;
const CLIENTS: u16 = 1000;
/// Between two avatars of a column.
const SPACE_M: f32 = 1.2;
const INTEREST_M: f32 = 38.0;
/// Edge of each shard's half of the world.
const HALF_M: f32 = 1024.0;
