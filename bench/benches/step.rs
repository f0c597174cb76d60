//! A world's tick without clients, by phase, per entity. `cargo bench -p worldshard-bench --bench step`.

mod measure;

use criterion::{Criterion, SamplingMode, Throughput};
use worldshard::prelude::*;
use worldshard::runtime::Phase;
use worldshard::worlds::{WorldName, WorldSetup, world};
use worldshard_bench::crowd::Crowd;
use worldshard_bench::scenes;
use worldshard_bench::stopwatch::{PhaseClock, busy};

use measure::CpuTime;

fn main() -> Result<()> {
    let mut criterion = measure::criterion(busy);
    for name in WorldName::ALL {
        phases(&mut criterion, name.as_str(), world(name, ENTITIES, 0))?;
    }
    for (name, neighbours) in [("flock-12", 12.0), ("flock-50", 50.0)] {
        phases(
            &mut criterion,
            name,
            scenes::flock_of_density(ENTITIES, neighbours),
        )?;
    }
    criterion.final_summary();
    Ok(())
}

fn phases(criterion: &mut Criterion<CpuTime>, name: &str, setup: WorldSetup) -> Result<()> {
    let clock = PhaseClock::default();
    let recipe = App::new().plugin(setup).shards(1).build()?;
    let mut crowd = None;
    let mut group = criterion.benchmark_group(format!("step/{name}"));
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .throughput(Throughput::Elements(ENTITIES));
    for (part, phases) in [
        ("simulate", &[Phase::Simulate][..]),
        ("release", &[Phase::Release]),
        ("index", &[Phase::Index]),
        ("all", &Phase::ALL),
    ] {
        group.bench_function(part, |bencher| {
            let crowd = crowd.get_or_insert_with(|| {
                Crowd::new(recipe.clone(), Vec::new(), clock.witness())
                    .expect("a world that ships can be built")
            });
            bencher.iter_custom(|ticks| clock.ticks(crowd, phases, ticks));
        });
    }
    group.finish();
    Ok(())
}

const ENTITIES: u64 = 100_000;
