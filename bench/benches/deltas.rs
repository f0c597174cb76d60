//! What one client costs the world in a tick: interest and delta, all it sees moving. `cargo bench --bench deltas`.

use worldshard::prelude::*;
use worldshard::runtime::Phase;
use worldshard::worlds;
use worldshard_bench::crowd::{Crowd, WARM_UP_TICKS};
use worldshard_bench::stopwatch::Spread;
use worldshard_client::protocol::ViewpointMode;

fn main() -> Result<()> {
    println!(
        "flock of {ENTITIES}, {CLIENTS} cameras, one shard, all moves; µs of CPU per client-tick, median of {RUNS}\n\
         visible  bytes   observe               publish"
    );
    for visible in [64.0, 1000.0] {
        row(visible)?;
    }
    Ok(())
}

fn row(visible: f32) -> Result<()> {
    let radius_m = DENSITY_RADIUS_M * (visible / DENSITY).sqrt();
    let (mut observe, mut publish, mut bytes) = (Vec::new(), Vec::new(), 0.0);
    for _ in 0..RUNS {
        let setup = worlds::flock(ENTITIES).interest_radius_m(radius_m);
        let edge_m = setup.config.bounds.extent().x;
        // On a lattice whose rim is a radius inside the world's, so that each camera's area is full.
        let side = (CLIENTS as f32).sqrt().ceil();
        let place = |number: u16| {
            let (x, y) = (f32::from(number) % side, (f32::from(number) / side).floor());
            let along = |step: f32| radius_m + (edge_m - 2.0 * radius_m) * step / side;
            Point::flat(along(x), along(y))
        };
        let places = (0..CLIENTS).map(place).collect();
        let recipe = App::new().plugin(setup).shards(1).build()?;
        let cost = Crowd::new(1, ViewpointMode::Camera, places).run(&recipe, TICKS)?;
        let client_ticks = f64::from(CLIENTS) * cost.ticks as f64;
        for (phase, time) in cost.phases.iter() {
            let micros = time.as_secs_f64() * 1e6 / client_ticks;
            match phase {
                Phase::Observe => observe.push(micros),
                Phase::Publish => publish.push(micros),
                Phase::Apply | Phase::Simulate | Phase::Release | Phase::Receive | Phase::Index => {
                }
            }
        }
        bytes = cost.bytes as f64 / f64::from(CLIENTS) / (cost.ticks + WARM_UP_TICKS) as f64;
    }
    println!(
        "{visible:>7} {bytes:>6.0}   {:<20}  {}",
        Spread::of(observe).to_string(),
        Spread::of(publish)
    );
    Ok(())
}

const RUNS: usize = 3;
const TICKS: u64 = 20;
const ENTITIES: u64 = 10_000;
const CLIENTS: u16 = 1000;
/// A flock starts with so many in a circle of this radius.
const DENSITY: f32 = 9.0;
const DENSITY_RADIUS_M: f32 = 8.0;
