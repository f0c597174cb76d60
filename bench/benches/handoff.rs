//! What one handoff costs, both ends, index and visible set included: leaps across the border less leaps at home.
//! `cargo bench -p worldshard-bench --bench handoff`.

mod measure;

use std::time::Duration;

use criterion::{SamplingMode, Throughput};
use worldshard::prelude::Result;
use worldshard::runtime::Phase;
use worldshard_bench::crowd::{Crowd, Witness};
use worldshard_bench::scenes::{self, AVATARS, NATIVES};
use worldshard_bench::stopwatch::{PhaseClock, busy};

/// In one more tick.
fn handoffs(crowd: &mut Crowd) -> u64 {
    let count = |crowd: &Crowd| -> u64 {
        crowd
            .hubs()
            .map(|hub| hub.shard().stats().handoffs_out)
            .sum()
    };
    let before = count(crowd);
    crowd.tick(&mut |_, _| {});
    count(crowd) - before
}

type Scene = fn(bool, Witness) -> Result<Crowd>;

fn main() {
    let mut criterion = measure::criterion(busy);
    let mut group = criterion.benchmark_group("handoff");
    group.sampling_mode(SamplingMode::Flat);
    for (name, scene, leapers) in [
        ("natives", scenes::leaping_natives as Scene, NATIVES),
        ("avatars", scenes::leaping_avatars, u64::from(AVATARS)),
    ] {
        let clock = PhaseClock::default();
        let build = |across| scene(across, clock.witness()).expect("leapers have a world");
        let mut pair = None;
        group.throughput(Throughput::Elements(leapers));
        group.bench_function(name, |bencher| {
            let (across, at_home) = pair.get_or_insert_with(|| (build(true), build(false)));
            bencher.iter_custom(|ticks| {
                let (mut away, mut home) = (Duration::ZERO, Duration::ZERO);
                // Tick by tick beside each other, so that what disturbs one disturbs the other.
                for _ in 0..ticks {
                    away += clock.ticks(across, &Phase::ALL, 1);
                    home += clock.ticks(at_home, &Phase::ALL, 1);
                }
                away.saturating_sub(home)
            });
            assert_eq!(handoffs(across), leapers, "everybody leaves home");
            assert_eq!(handoffs(at_home), 0, "nobody leaves home");
        });
    }
    group.finish();
    criterion.final_summary();
}
