//! What one handoff costs, both ends, index and visible set included: leaps across the border less leaps at home.
//! `cargo bench -p worldshard-bench --bench handoff`.

mod measure;

use std::time::Duration;

use criterion::{Bencher, Criterion, SamplingMode, Throughput};
use worldshard::prelude::Result;
use worldshard::runtime::Phase;
use worldshard_bench::crowd::Crowd;
use worldshard_bench::scenes::{self, AVATARS, NATIVES, Scene};
use worldshard_bench::stopwatch::{PhaseClock, busy};
use worldshard_bench::threads;

use measure::CpuTime;

fn main() -> Result<()> {
    let mut criterion = measure::criterion(busy);
    let scenes = |of: fn(bool) -> Result<Scene>| -> Result<Pair> {
        Ok(Pair {
            across: of(true)?,
            at_home: of(false)?,
        })
    };
    compare(
        &mut criterion,
        "natives",
        &scenes(scenes::leaping_natives)?,
        NATIVES,
    );
    compare(
        &mut criterion,
        "avatars",
        &scenes(scenes::leaping_avatars)?,
        u64::from(AVATARS),
    );
    criterion.final_summary();
    Ok(())
}

/// The same world twice: with and without crossings.
struct Pair {
    across: Scene,
    at_home: Scene,
}

fn compare(criterion: &mut Criterion<CpuTime>, name: &str, pair: &Pair, leapers: u64) {
    let mut group = criterion.benchmark_group(format!("handoff/{name}"));
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.throughput(Throughput::Elements(leapers));
    group.bench_function("one-thread", |bencher| {
        on_one_thread(bencher, pair, leapers)
    });
    group.bench_function("two-threads", |bencher| {
        bencher.iter_custom(|ticks| {
            let run = |scene| threads::ticks(scene, ticks).expect("two shards can be run");
            run(&pair.across).saturating_sub(run(&pair.at_home))
        });
    });
    group.finish();
}

/// Both shards in one core's caches.
fn on_one_thread(bencher: &mut Bencher<'_, CpuTime>, pair: &Pair, leapers: u64) {
    let clock = PhaseClock::default();
    let crowd = |scene: &Scene| scene.crowd(clock.witness()).expect("leapers have a world");
    let (mut across, mut at_home) = (crowd(&pair.across), crowd(&pair.at_home));
    bencher.iter_custom(|ticks| {
        let (mut away, mut home) = (Duration::ZERO, Duration::ZERO);
        // Tick by tick beside each other, so that what disturbs one disturbs the other.
        for _ in 0..ticks {
            away += clock.ticks(&mut across, &Phase::ALL, 1);
            home += clock.ticks(&mut at_home, &Phase::ALL, 1);
        }
        away.saturating_sub(home)
    });
    assert_eq!(handoffs(&mut across), leapers, "everybody leaves home");
    assert_eq!(handoffs(&mut at_home), 0, "nobody leaves home");
}

/// In one more tick.
fn handoffs(crowd: &mut Crowd) -> u64 {
    let count = |crowd: &Crowd| -> u64 {
        let shards = crowd.hubs().map(|hub| hub.shard());
        shards.map(|shard| shard.stats().handoffs_out).sum()
    };
    let before = count(crowd);
    crowd.tick(&mut |_, _| {});
    count(crowd) - before
}
