//! Streams of chance: stable, independent, in their ranges.

use std::collections::BTreeSet;

use proptest::prelude::*;
use worldshard_protocol::{EntityId, Tick};
use worldshard_spatial::Metric;

use super::Chance;

fn chance() -> Chance {
    Chance::new(42, EntityId(7), Tick(3), "gust")
}

#[test]
fn streams_are_the_same_for_ever() {
    let mut chance = chance();
    let draws: Vec<u64> = (0..3).map(|_| chance.next_u64()).collect();
    assert_eq!(draws, GOLDEN);
}

#[test]
fn every_part_of_the_key_makes_another_stream() {
    let streams = [
        chance(),
        Chance::new(43, EntityId(7), Tick(3), "gust"),
        Chance::new(42, EntityId(8), Tick(3), "gust"),
        Chance::new(42, EntityId(7), Tick(4), "gust"),
        Chance::new(42, EntityId(7), Tick(3), "gusts"),
        Chance::new(42, EntityId(3), Tick(7), "gust"),
        Chance::new(7, EntityId(42), Tick(3), "gust"),
    ];
    let count = 100 * streams.len();
    let draws: BTreeSet<u64> = streams
        .into_iter()
        .flat_map(|mut stream| std::iter::repeat_with(move || stream.next_u64()).take(100))
        .collect();
    assert_eq!(draws.len(), count);
}

#[test]
fn neighbouring_keys_are_not_correlated() {
    // Ones in the xor of the first draws of neighbours: 32 ± 0.04 is one standard deviation.
    let first = |entity, tick| Chance::new(1, EntityId(entity), Tick(tick), "a").next_u64();
    let count = 10_000;
    let ones: u64 = (0..count)
        .map(|n| u64::from((first(n, 5) ^ first(n + 1, 5)).count_ones()))
        .sum();
    assert!((ones as f64 / count as f64 - 32.0).abs() < 0.3, "{ones}");
    let ones: u64 = (0..count)
        .map(|n| u64::from((first(5, n) ^ first(5, n + 1)).count_ones()))
        .sum();
    assert!((ones as f64 / count as f64 - 32.0).abs() < 0.3, "{ones}");
}

#[test]
fn fractions_fill_the_unit_interval_evenly() {
    let mut chance = chance();
    let mut counts = [0u32; 10];
    for _ in 0..10_000 {
        let x = chance.next_f32();
        assert!((0.0..1.0).contains(&x));
        counts[(x * 10.0) as usize] += 1;
    }
    assert!(
        counts.iter().all(|count| (850..1150).contains(count)),
        "{counts:?}"
    );
}

proptest! {
    #[test]
    fn ranges_hold_their_numbers(start in -1e6..1e6f32, width in 0.0..1e6f32, seed in any::<u64>()) {
        let end = start + width;
        let mut chance = Chance::new(seed, EntityId(1), Tick(1), "range");
        for _ in 0..20 {
            let x = chance.range(start, end);
            prop_assert!(start <= x && (x < end || start == end), "{} in {}..{}", x, start, end);
        }
    }

    #[test]
    fn directions_have_length_one_on_the_counted_axes(seed in any::<u64>()) {
        for metric in [Metric::Plane, Metric::Flat, Metric::Solid] {
            let direction = Chance::new(seed, EntityId(1), Tick(1), "way").unit_vector(metric);
            prop_assert!((direction.length() - 1.0).abs() < 1e-6);
            prop_assert_eq!(metric.project(direction), direction);
        }
    }
}

#[test]
fn directions_favour_no_side() {
    let mut chance = chance();
    let count = 10_000;
    let mut octants = [0u32; 8];
    for _ in 0..count {
        let way = chance.unit_vector(Metric::Solid);
        let octant = [way.x, way.y, way.z].map(|axis| usize::from(axis > 0.0));
        octants[octant[0] + 2 * octant[1] + 4 * octant[2]] += 1;
    }
    assert!(
        octants.iter().all(|n| (1100..1400).contains(n)),
        "{octants:?}"
    );
}

const GOLDEN: [u64; 3] = [
    4_026_919_452_887_469_395,
    5_754_612_974_295_539_535,
    3_170_643_607_200_950_990,
];
