//! Both kinds of index: what a tick pays to rebuild one, and what questions cost. `cargo bench --bench index`.

use std::hint::black_box;

use worldshard_bench::stopwatch::measure;
use worldshard_spatial::{Bounds, Index, IndexKind, Metric, Point};

fn main() {
    println!(
        "plane, {NEIGHBOURS} within the radius; ms of CPU, median of {RUNS} (least to most)\n\
         kind  entries  cell edge   rebuild                 {QUERIES} x within          all neighbourhoods"
    );
    for entries in [10_000, 100_000] {
        for (kind, edge_radii) in [
            (IndexKind::Grid, 1.0),
            (IndexKind::Grid, 0.5),
            (IndexKind::Grid, 0.25),
            (IndexKind::Tree, 1.0),
        ] {
            row(kind, entries, edge_radii);
        }
    }
}

fn row(kind: IndexKind, entries: usize, edge_radii: f32) {
    let edge_m = (entries as f32 * std::f32::consts::PI / NEIGHBOURS as f32).sqrt() * RADIUS_M;
    let bounds = Bounds::new(Point::ORIGIN, Point::flat(edge_m, edge_m));
    let mut index = Index::new(kind, bounds, Metric::Plane, edge_radii * RADIUS_M)
        .expect("such a world can be indexed");
    let ids: Vec<u64> = (0..entries as u64).collect();
    let mut draws = Draws(1);
    // Everything moves between two rebuilds, so none finds its work done.
    let worlds: Vec<Vec<Point>> = (0..4)
        .map(|_| {
            let anywhere = || Point::flat(draws.next() * edge_m, draws.next() * edge_m);
            std::iter::repeat_with(anywhere).take(entries).collect()
        })
        .collect();
    let mut worlds = worlds.iter().cycle();
    let mut next = || worlds.next().expect("the worlds go round");
    index.rebuild(&ids, next());
    let rebuild = measure(RUNS, || index.rebuild(&ids, next()));
    let centres: Vec<Point> = (0..QUERIES)
        .map(|_| Point::flat(draws.next() * edge_m, draws.next() * edge_m))
        .collect();
    let within = measure(RUNS, || {
        for &centre in &centres {
            let mut sum = 0.0;
            index.within(centre, RADIUS_M, |_, distance_squared| {
                sum += distance_squared
            });
            black_box(sum);
        }
    });
    let neighbourhoods = measure(RUNS, || {
        index.neighbourhoods(
            RADIUS_M,
            |_| true,
            |_, near| {
                black_box(near.len());
            },
        );
    });
    println!(
        "{:<5} {entries:>7} {edge_radii:>6} radii   {:<22}  {:<22}  {}",
        format!("{kind:?}"),
        rebuild.times(1e3).to_string(),
        within.times(1e3).to_string(),
        neighbourhoods.times(1e3)
    );
}

/// Numbers from 0 to 1, the same on every run.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }
}

const NEIGHBOURS: usize = 50;
const RADIUS_M: f32 = 8.0;
const QUERIES: usize = 1000;
const RUNS: usize = 15;
