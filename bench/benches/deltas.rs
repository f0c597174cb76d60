//! What one client costs the world in a tick: interest (observe) and delta (publish), all it sees moving.
//! `cargo bench -p worldshard-bench --bench deltas`.

mod measure;

use criterion::{SamplingMode, Throughput};
use worldshard::runtime::Phase;
use worldshard_bench::scenes::{self, CAMERAS, Sight};
use worldshard_bench::stopwatch::{PhaseClock, busy};

fn main() {
    let mut criterion = measure::criterion(busy);
    for (name, visible, sight) in [
        ("radius-64", 64, Sight::Radius),
        ("radius-1000", 1000, Sight::Radius),
        ("box-64", 64, Sight::Box),
        ("nearest-64", 64, Sight::Nearest),
    ] {
        let clock = PhaseClock::default();
        let mut crowd = None;
        let mut group = criterion.benchmark_group(format!("deltas/{name}"));
        group
            .sampling_mode(SamplingMode::Flat)
            .sample_size(10)
            .throughput(Throughput::Elements(u64::from(CAMERAS)));
        for phase in [Phase::Observe, Phase::Publish] {
            group.bench_function(phase.as_str(), |bencher| {
                let crowd = crowd.get_or_insert_with(|| {
                    scenes::watched(CAMERAS, visible, sight)
                        .and_then(|scene| scene.crowd(clock.witness()))
                        .expect("a flock can be looked at")
                });
                bencher.iter_custom(|ticks| clock.ticks(crowd, &[phase], ticks));
            });
        }
        group.finish();
    }
    criterion.final_summary();
}
