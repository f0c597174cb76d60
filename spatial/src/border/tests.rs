use proptest::prelude::*;

use super::*;
use crate::{CellGrid, Metric};

fn map(counts: [u32; 3], metric: Metric, shards: u16) -> CellMap {
    let extent = Point::from_array(counts.map(|count| count as f32 * 10.0));
    let grid = CellGrid::new(Bounds::new(Point::ORIGIN, extent), 10.0, metric).unwrap();
    let shards = shards.min(grid.cell_count() as u16);
    CellMap::balanced(grid, shards, None).unwrap()
}

fn receivers(border: &Border, point: Point) -> Vec<u16> {
    border.receivers(point).map(|shard| shard.0).collect()
}

#[test]
fn the_interior_has_no_candidates_at_all() {
    let border = Border::new(&map([16, 16, 1], Metric::Plane, 4), ShardId(0), 15.0);
    assert!(receivers(&border, Point::flat(30.0, 30.0)).is_empty());
    let cell = border.grid.cell_of(Point::flat(30.0, 30.0)).0 as usize;
    assert_eq!(border.starts[cell], border.starts[cell + 1]);
    assert!(border.is_interior(Point::flat(30.0, 30.0)));
    // The territory ends at 80; beyond the rim of the world it goes on.
    assert!(border.is_interior(Point::flat(-7e9, 64.9)));
    assert!(!border.is_interior(Point::flat(30.0, 65.0)));
}

#[test]
fn a_shard_alone_has_nothing_but_interior() {
    let border = Border::new(&map([16, 16, 1], Metric::Plane, 1), ShardId(0), 15.0);
    for at in [0.0, 80.0, 160.0, -1e30, 1e30] {
        assert!(border.is_interior(Point::flat(at, -at)), "{at}");
    }
}

#[test]
fn a_corner_is_seen_by_neighbours_on_the_diagonal() {
    let border = Border::new(&map([8, 8, 1], Metric::Plane, 4), ShardId(0), 10.0);
    assert_eq!(receivers(&border, Point::flat(35.0, 35.0)), [1, 2, 3]);
    // Within the width of each side, but not of the corner.
    assert_eq!(receivers(&border, Point::flat(32.0, 32.0)), [1, 2]);
    assert_eq!(receivers(&border, Point::flat(30.0, 1.0)).len(), 1);
    assert!(receivers(&border, Point::flat(29.9, 1.0)).is_empty());
}

#[test]
fn a_wide_border_reaches_beyond_the_neighbour() {
    let map = map([8, 1, 1], Metric::Plane, 8);
    let border = Border::new(&map, ShardId(3), 24.0);
    assert_eq!(receivers(&border, Point::flat(35.0, 5.0)), [1, 2, 4, 5]);
    assert_eq!(receivers(&border, Point::flat(34.0, 5.0)), [0, 1, 2, 4, 5]);
    assert_eq!(border.own(), ShardId(3));
    assert_eq!(border.width_m(), 24.0);
}

#[test]
fn a_stray_is_seen_by_the_shard_it_stands_in() {
    let map = map([8, 1, 1], Metric::Plane, 2);
    let border = Border::new(&map, ShardId(0), 0.0);
    assert_eq!(receivers(&border, Point::flat(70.0, 5.0)), [1]);
    assert_eq!(receivers(&border, Point::flat(7e9, -5e9)), [1]);
    // A border without width is still the line itself.
    assert_eq!(receivers(&border, Point::flat(40.0, 5.0)), [1]);
    assert!(receivers(&border, Point::flat(39.9, 5.0)).is_empty());
}

#[test]
fn a_point_that_is_not_finite_panics_nobody() {
    let border = Border::new(&map([8, 8, 1], Metric::Plane, 4), ShardId(0), 10.0);
    assert!(receivers(&border, Point::flat(f32::NAN, f32::NAN)).is_empty());
    assert!(receivers(&border, Point::flat(f32::INFINITY, 0.0)).is_empty());
}

/// Inside and outside the world; on lines between cells and between them.
fn coordinate() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => (-6_i8..24).prop_map(|halves| f32::from(halves) * 5.0),
        4 => -50.0_f32..150.0,
        1 => -1e5_f32..1e5,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn receivers_are_all_others_whose_territory_is_near(
        metric in proptest::sample::select(vec![Metric::Plane, Metric::Flat, Metric::Solid]),
        counts in [1_u32..10, 1_u32..10, 1_u32..5],
        shards in 1_u16..20,
        own in any::<u16>(),
        width_m in prop_oneof![
            (0_u8..12).prop_map(|halves| f32::from(halves) * 5.0),
            0.0_f32..30.0,
            Just(1e9_f32),
        ],
        points in proptest::collection::vec([coordinate(), coordinate(), coordinate()], 1..40),
    ) {
        let map = map(counts, metric, shards);
        let own = ShardId(own % map.shard_count());
        let border = Border::new(&map, own, width_m);
        for point in points.into_iter().map(Point::from_array) {
            let near = map.shards()
                .filter(|&shard| shard != own)
                .filter(|&shard| map.distance_squared(shard, point) <= width_m * width_m)
                .collect::<Vec<_>>();
            prop_assert_eq!(border.receivers(point).collect::<Vec<_>>(), &near[..], "{:?}", point);
            if border.is_interior(point) {
                prop_assert!(near.is_empty(), "{:?} is near {:?}", point, near);
                prop_assert_eq!(map.owner_of(point), own);
            }
        }
    }
}
