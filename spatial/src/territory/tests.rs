use proptest::prelude::*;

use super::*;

fn grid(counts: [u32; 3], metric: Metric) -> CellGrid {
    let extent = Point::from_array(counts.map(|count| count as f32 * 10.0));
    CellGrid::new(Bounds::new(Point::ORIGIN, extent), 10.0, metric).unwrap()
}

fn cells(map: &CellMap) -> impl Iterator<Item = CellIndex> + use<> {
    (0..map.grid().cell_count() as u32).map(CellIndex)
}

fn weight_of(map: &CellMap, shard: ShardId, weights: &[u32]) -> u64 {
    cells(map)
        .filter(|&cell| map.owner_of_cell(cell) == shard)
        .map(|cell| u64::from(weights[cell.0 as usize]))
        .sum()
}

#[test]
fn one_shard_owns_the_world() {
    let map = CellMap::balanced(grid([4, 4, 1], Metric::Plane), 1, None).unwrap();
    assert_eq!(map.shards().collect::<Vec<_>>(), [ShardId(0)]);
    assert_eq!(map.territory(ShardId(0)), map.grid().bounds());
    assert_eq!(
        map.distance_squared(ShardId(0), Point::flat(-99.0, 500.0)),
        0.0
    );
    assert_eq!(map.version(), 1);
}

#[test]
fn a_square_world_is_cut_into_equal_squares() {
    let map = CellMap::balanced(grid([8, 8, 1], Metric::Plane), 4, None).unwrap();
    for shard in map.shards() {
        let extent = map.territory(shard).extent();
        assert_eq!((extent.x, extent.y), (40.0, 40.0));
    }
    assert_eq!(map.owner_of(Point::flat(39.9, 39.9)), ShardId(0));
    assert_eq!(map.owner_of(Point::flat(40.0, 40.0)), ShardId(3));
}

#[test]
fn odd_shards_share_by_area() {
    let map = CellMap::balanced(grid([9, 1, 1], Metric::Plane), 3, None).unwrap();
    for shard in map.shards() {
        assert_eq!(map.territory(shard).extent().x, 30.0);
    }
}

#[test]
fn weight_moves_the_cut() {
    let mut weights = vec![1; 10];
    weights[0] = 9;
    let map = CellMap::balanced(grid([10, 1, 1], Metric::Plane), 2, Some(&weights)).unwrap();
    assert_eq!(map.territory(ShardId(0)).extent().x, 10.0);
    assert_eq!(map.territory(ShardId(1)).extent().x, 90.0);
}

#[test]
fn an_empty_world_is_shared_by_area() {
    let map = CellMap::balanced(grid([8, 4, 1], Metric::Plane), 8, Some(&[0; 32])).unwrap();
    for shard in map.shards() {
        assert_eq!(weight_of(&map, shard, &[1; 32]), 4);
    }
}

#[test]
fn every_cell_may_have_a_shard_of_its_own() {
    for counts in [[3, 3, 1], [5, 7, 1], [1, 11, 1], [2, 3, 5]] {
        let grid = grid(counts, Metric::Solid);
        let shards = grid.cell_count() as u16;
        let map = CellMap::balanced(grid, shards, None).unwrap();
        let mut owners = cells(&map)
            .map(|cell| map.owner_of_cell(cell))
            .collect::<Vec<_>>();
        owners.sort_unstable();
        assert_eq!(owners, map.shards().collect::<Vec<_>>());
    }
}

#[test]
fn impossible_divisions_are_refused_by_name() {
    let refused = |shards, weights: Option<&[u32]>| {
        CellMap::balanced(grid([3, 3, 1], Metric::Plane), shards, weights)
            .unwrap_err()
            .to_string()
    };
    assert!(refused(0, None).contains("shards is 0"));
    assert!(refused(10, None).contains("shards is 10"));
    assert!(refused(2, Some(&[1; 8])).contains("weights has 8"));
}

#[test]
fn a_territory_at_the_rim_goes_on_outside_the_world() {
    let map = CellMap::balanced(grid([8, 8, 1], Metric::Plane), 2, None).unwrap();
    let outside = Point::flat(39.0, -500.0);
    assert_eq!(map.owner_of(outside), ShardId(0));
    assert_eq!(map.distance_squared(ShardId(0), outside), 0.0);
    assert_eq!(map.distance_squared(ShardId(1), outside), 1.0);
}

#[test]
fn shards_are_shown_by_number() {
    assert_eq!(ShardId(3).to_string(), "3");
    assert_eq!(format!("{:>3}", ShardId(3)), "  3");
}

prop_compose! {
    fn any_map()(
        metric in proptest::sample::select(vec![Metric::Plane, Metric::Flat, Metric::Solid]),
        counts in [1_u32..12, 1_u32..12, 1_u32..6],
        share in 0.0_f64..1.0,
        few in any::<bool>(),
        weights in proptest::option::of(proptest::collection::vec(
            prop_oneof![3 => Just(0_u32), 3 => 0_u32..20, 1 => Just(u32::MAX)], 12 * 12 * 6,
        )),
    ) -> CellMap {
        let grid = grid(counts, metric);
        let cells = grid.cell_count();
        let most = if few { cells.min(8) } else { cells };
        let shards = 1 + (share * most as f64) as u16;
        let weights = weights.map(|weights| weights[..cells].to_vec());
        CellMap::balanced(grid, shards.min(most as u16), weights.as_deref()).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn territories_are_boxes_that_tile_the_world(map in any_map()) {
        let mut cells_owned = vec![0; usize::from(map.shard_count())];
        for cell in cells(&map) {
            let centre = map.grid().cell_bounds(cell).centre();
            let owner = map.owner_of_cell(cell);
            cells_owned[usize::from(owner.0)] += 1;
            prop_assert_eq!(map.owner_of(centre), owner);
            for shard in map.shards() {
                let inside = map.grid().metric().contains(&map.territory(shard), centre);
                prop_assert_eq!(inside, shard == owner, "{} is in one territory", cell.0);
            }
        }
        prop_assert!(cells_owned.iter().all(|&owned| owned > 0));
    }

    #[test]
    fn distance_is_zero_for_the_owner_and_exact_for_all(
        map in any_map(),
        x in -200.0_f32..400.0, y in -200.0_f32..400.0, z in -200.0_f32..400.0,
        rounded in any::<bool>(),
    ) {
        let mut point = Point::new(x, y, z);
        if rounded {
            point = Point::from_array(point.to_array().map(|value| (value / 10.0).round() * 10.0));
        }
        let (metric, bounds) = (map.grid().metric(), map.grid().bounds());
        prop_assert_eq!(map.distance_squared(map.owner_of(point), point), 0.0);
        let inside = bounds.clamp(point);
        for shard in map.shards() {
            let distance = map.distance_squared(shard, inside);
            prop_assert_eq!(distance, map.territory(shard).distance_squared(inside, metric));
            // Outside the world: never nearer than from the world's edge, never farther than the box.
            let distance = map.distance_squared(shard, point);
            prop_assert!(distance <= map.territory(shard).distance_squared(point, metric));
        }
    }

    #[test]
    fn a_shard_is_never_farther_than_what_it_owns(
        map in any_map(),
        a in [-50.0_f32..150.0, -50.0_f32..150.0, -50.0_f32..150.0],
        b in [-50.0_f32..150.0, -50.0_f32..150.0, -50.0_f32..150.0],
    ) {
        let (a, b) = (Point::from_array(a), Point::from_array(b));
        let apart = map.grid().metric().distance_squared(a, b);
        prop_assert!(map.distance_squared(map.owner_of(a), b) <= apart);
        prop_assert!(map.distance_squared(map.owner_of(b), a) <= apart);
    }

    #[test]
    fn areas_are_balanced(width in 16_u32..40, depth in 16_u32..40, shards in 1_u16..17) {
        let grid = grid([width, depth, 1], Metric::Plane);
        let cells = grid.cell_count();
        let map = CellMap::balanced(grid, shards, None).unwrap();
        let fair = cells as f64 / f64::from(shards);
        for shard in map.shards() {
            let owned = weight_of(&map, shard, &vec![1; cells]) as f64;
            prop_assert!((0.7 * fair..=1.4 * fair).contains(&owned), "{owned} of a fair {fair}");
        }
    }

    #[test]
    fn crowds_are_balanced(weights in proptest::collection::vec(0_u32..100, 32 * 32), shards in 2_u16..9) {
        let map = CellMap::balanced(grid([32, 32, 1], Metric::Plane), shards, Some(&weights)).unwrap();
        let fair = weights.iter().map(|&weight| f64::from(weight)).sum::<f64>() / f64::from(shards);
        for shard in map.shards() {
            let owned = weight_of(&map, shard, &weights) as f64;
            prop_assert!((0.75 * fair..=1.3 * fair).contains(&owned), "{owned} of a fair {fair}");
        }
    }
}
