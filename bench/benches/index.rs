//! Both kinds of index: what a tick pays to rebuild one, and what questions cost.
//! `cargo bench -p worldshard-bench --bench index`.

mod measure;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, SamplingMode, Throughput};
use worldshard_bench::draws::Draws;
use worldshard_bench::stopwatch::busy;
use worldshard_spatial::{Bounds, Index, IndexKind, Metric, Point};

use measure::CpuTime;

fn main() {
    let mut criterion = measure::criterion(busy);
    for entries in [10_000, 100_000] {
        for (name, kind, edge_radii) in [
            ("grid", IndexKind::Grid, 1.0),
            ("grid-half", IndexKind::Grid, 0.5),
            ("grid-quarter", IndexKind::Grid, 0.25),
            ("tree", IndexKind::Tree, 1.0),
        ] {
            let world = Scatter::new(entries);
            let mut index = Index::new(kind, world.bounds, Metric::Plane, edge_radii * RADIUS_M)
                .expect("such a world can be indexed");
            compare(
                &mut criterion,
                &format!("index/{entries}/{name}"),
                &world,
                &mut index,
            );
        }
    }
    criterion.final_summary();
}

fn compare(criterion: &mut Criterion<CpuTime>, name: &str, world: &Scatter, index: &mut Index) {
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(world.ids.len() as u64));
    // Everything moves between two rebuilds, so none finds its work done.
    let mut moments = world.moments.iter().cycle();
    group.bench_function("rebuild", |bencher| {
        bencher.iter(|| {
            let points = moments.next().expect("moments go round");
            index.rebuild(&world.ids, points);
        });
    });
    index.rebuild(&world.ids, &world.moments[0]);
    group.bench_function("neighbourhoods", |bencher| {
        bencher.iter(|| {
            index.neighbourhoods(
                RADIUS_M,
                |_| true,
                |_, near| {
                    black_box(near.len());
                },
            );
        });
    });
    group.throughput(Throughput::Elements(QUERIES as u64));
    group.bench_function("within", |bencher| {
        bencher.iter(|| {
            for &centre in &world.centres {
                let mut sum = 0.0;
                index.within(centre, RADIUS_M, |_, distance_squared| {
                    sum += distance_squared
                });
                black_box(sum);
            }
        });
    });
    group.bench_function("nearest", |bencher| {
        bencher.iter_batched_ref(
            Vec::new,
            |found| {
                for &centre in &world.centres {
                    index.nearest(centre, NEAREST, RADIUS_M, found);
                    black_box(&mut *found);
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// Points anywhere in a square, so dense that [`NEIGHBOURS`] are within the radius.
struct Scatter {
    bounds: Bounds,
    ids: Vec<u64>,
    /// Several worlds of the same points, all moved.
    moments: Vec<Vec<Point>>,
    centres: Vec<Point>,
}

impl Scatter {
    fn new(entries: usize) -> Self {
        let edge_m = (entries as f32 * std::f32::consts::PI / NEIGHBOURS).sqrt() * RADIUS_M;
        let mut draws = Draws::new(1);
        let mut anywhere = |count| -> Vec<Point> {
            (0..count)
                .map(|_| Point::flat(draws.unit() * edge_m, draws.unit() * edge_m))
                .collect()
        };
        Self {
            bounds: Bounds::new(Point::ORIGIN, Point::flat(edge_m, edge_m)),
            ids: (0..entries as u64).collect(),
            moments: (0..4).map(|_| anywhere(entries)).collect(),
            centres: anywhere(QUERIES),
        }
    }
}

const NEIGHBOURS: f32 = 50.0;
const RADIUS_M: f32 = 8.0;
const QUERIES: usize = 1000;
const NEAREST: usize = 16;
