use proptest::prelude::*;

use super::*;

fn grid(extent: [f32; 3], edge_m: f32, metric: Metric) -> CellGrid {
    CellGrid::new(
        Bounds::new(Point::ORIGIN, Point::from_array(extent)),
        edge_m,
        metric,
    )
    .unwrap()
}

#[test]
fn cells_are_numbered_x_first_then_y_then_z() {
    let solid = grid([3.0, 2.0, 2.0], 1.0, Metric::Solid);
    assert_eq!(solid.counts(), [3, 2, 2]);
    assert_eq!(solid.cell_of(Point::new(1.5, 0.5, 0.5)), CellIndex(1));
    assert_eq!(solid.cell_of(Point::new(0.5, 1.5, 0.5)), CellIndex(3));
    assert_eq!(solid.cell_of(Point::new(0.5, 0.5, 1.5)), CellIndex(6));
    assert_eq!(solid.cell_count(), 12);
}

#[test]
fn uncounted_axes_have_one_cell_as_wide_as_the_world() {
    assert_eq!(
        grid([4.0, 4.0, 4.0], 1.0, Metric::Plane).counts(),
        [4, 4, 1]
    );
    let flat = grid([4.0, 4.0, 4.0], 1.0, Metric::Flat);
    assert_eq!(flat.counts(), [4, 1, 4]);
    let cell = flat.cell_bounds(flat.cell_of(Point::new(1.5, 99.0, 2.5)));
    assert_eq!(cell.min, Point::new(1.0, 0.0, 2.0));
    assert_eq!(cell.max, Point::new(2.0, 4.0, 3.0));
}

#[test]
fn points_outside_belong_to_the_nearest_cell() {
    let plane = grid([4.0, 4.0, 0.0], 1.0, Metric::Plane);
    for (point, cell) in [
        (Point::flat(-9.0, -9.0), 0),
        (Point::flat(9.0, 0.5), 3),
        (Point::flat(4.0, 4.0), 15),
        (Point::flat(f32::INFINITY, f32::NEG_INFINITY), 3),
        (Point::flat(f32::NAN, f32::NAN), 0),
    ] {
        assert_eq!(plane.cell_of(point), CellIndex(cell), "{point:?}");
    }
}

#[test]
fn an_inexact_edge_adds_no_sliver_and_a_remainder_makes_a_narrow_cell() {
    assert_eq!(
        grid([70.0, 30.0, 0.0], 0.7, Metric::Plane).counts(),
        [100, 43, 1]
    );
    let narrow = grid([10.0, 1.0, 0.0], 4.0, Metric::Plane);
    assert_eq!(narrow.counts(), [3, 1, 1]);
    assert_eq!(narrow.cell_bounds(CellIndex(2)).min.x, 8.0);
    assert_eq!(narrow.cell_bounds(CellIndex(2)).max.x, 10.0);
}

#[test]
fn impossible_grids_are_refused_by_name() {
    let refused = |min: [f32; 3], max: [f32; 3], edge_m| {
        let bounds = Bounds::new(Point::from_array(min), Point::from_array(max));
        CellGrid::new(bounds, edge_m, Metric::Plane)
            .unwrap_err()
            .to_string()
    };
    let side = [1000.0, 1000.0, 0.0];
    assert!(refused([0.0; 3], [f32::NAN, 1.0, 0.0], 1.0).contains("bounds.max.x is NaN"));
    assert!(refused([0.0, f32::INFINITY, 0.0], side, 1.0).contains("bounds.min.y is inf"));
    assert!(refused([0.0; 3], [1.0, 0.0, 0.0], 1.0).contains("bounds.y is 0 m to 0 m"));
    assert!(refused([0.0, 0.0, 1.0], side, 1.0).contains("bounds.z is 1 m to 0 m"));
    assert!(refused([0.0; 3], side, f32::INFINITY).contains("cell_edge_m is inf"));
    assert!(refused([0.0; 3], side, 0.0).contains("cell_edge_m is 0 m"));
    assert!(refused([0.0; 3], side, -1.0).contains("cell_edge_m is -1 m"));
    let many = refused([0.0; 3], side, 0.5);
    assert!(
        many.contains("4000000") && many.contains("1048576"),
        "{many}"
    );
    let rim = refused([1e7, 1e7, 0.0], [1.0001e7, 1.0001e7, 0.0], 1.0);
    assert!(rim.contains("cell_edge_m is 1 m"), "{rim}");
}

#[test]
fn a_grid_of_the_most_cells_is_allowed() {
    let side = (CELLS_MAX as f32).sqrt();
    let most = grid([side, side, 0.0], 1.0, Metric::Plane);
    assert_eq!(most.cell_count(), CELLS_MAX);
}

prop_compose! {
    fn any_grid()(
        metric in proptest::sample::select(vec![Metric::Plane, Metric::Flat, Metric::Solid]),
        min in [-100.0_f32..100.0, -100.0_f32..100.0, -100.0_f32..100.0],
        cells in [0.2_f32..9.0, 0.2_f32..9.0, 0.2_f32..9.0],
        edge in 0.1_f32..10.0,
        offset in prop_oneof![Just(0.0_f32), Just(1e5)],
    ) -> CellGrid {
        let min = Point::from_array(min) + Point::new(offset, offset, offset);
        CellGrid::new(Bounds::new(min, min + Point::from_array(cells) * edge), edge, metric)
            .expect("all edges are far above what f32 resolves here")
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cells_tile_the_world_to_the_last_bit(grid in any_grid()) {
        for cell in (0..grid.cell_count() as u32).map(CellIndex) {
            let area = grid.cell_bounds(cell);
            let position = grid.position_of(cell);
            prop_assert_eq!(grid.index_of(position), cell);
            prop_assert_eq!(grid.cell_of(area.min), cell, "the lower corner is the cell's own");
            for axis in 0..3 {
                let (low, high) = (area.min.to_array()[axis], area.max.to_array()[axis]);
                if !grid.metric().axes()[axis] {
                    continue;
                }
                prop_assert!(low < high);
                let mut last = area.min.to_array();
                last[axis] = high.next_down();
                prop_assert_eq!(grid.cell_of(Point::from_array(last)), cell);
                if position[axis] + 1 < grid.counts()[axis] {
                    let mut next = position;
                    next[axis] += 1;
                    let next = grid.cell_bounds(grid.index_of(next));
                    prop_assert_eq!(next.min.to_array()[axis], high, "no gap and no overlap");
                } else {
                    prop_assert_eq!(grid.bounds().max.to_array()[axis], high);
                }
            }
        }
    }

    #[test]
    fn a_point_in_the_world_is_in_its_cell(grid in any_grid(), share in [0.0_f32..=1.0, 0.0_f32..=1.0, 0.0_f32..=1.0]) {
        let (min, extent) = (grid.bounds().min, grid.bounds().extent());
        let point = grid.bounds().clamp(
            min + Point::new(extent.x * share[0], extent.y * share[1], extent.z * share[2]),
        );
        prop_assert!(grid.cell_bounds(grid.cell_of(point)).contains(point));
    }
}
