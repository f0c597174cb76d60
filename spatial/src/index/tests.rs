//! Both kinds of index against brute force, over worlds and crowds of every scale.

use proptest::prelude::*;

use super::*;

const METRICS: [Metric; 3] = [Metric::Plane, Metric::Flat, Metric::Solid];
const KINDS: [IndexKind; 2] = [IndexKind::Grid, IndexKind::Tree];

/// A crowd, a world that need not contain it, and a question.
#[derive(Clone, Debug)]
struct Case {
    metric: Metric,
    bounds: Bounds,
    cell_edge_m: f32,
    ids: Vec<u64>,
    points: Vec<Point>,
    centre: Point,
    radius_m: f32,
    k: usize,
}

impl Case {
    fn index(&self, kind: IndexKind) -> Index {
        let mut index = self.empty(kind);
        index.rebuild(&self.ids, &self.points);
        index
    }

    fn empty(&self, kind: IndexKind) -> Index {
        Index::new(kind, self.bounds, self.metric, self.cell_edge_m).unwrap()
    }

    fn area(&self) -> Bounds {
        Bounds::new(self.centre, self.centre).expanded(self.radius_m)
    }

    /// Ids and distances, by id, of what is within the radius: the definition, word for word.
    fn near(&self) -> Vec<(u64, f32)> {
        let mut near = self
            .ids
            .iter()
            .zip(&self.points)
            .map(|(&id, &point)| (id, self.metric.distance_squared(self.centre, point)))
            .filter(|(_, distance)| distance.is_finite())
            .filter(|&(_, distance)| distance <= self.radius_m * self.radius_m)
            .collect::<Vec<_>>();
        near.sort_by_key(|&(id, _)| id);
        near
    }

    fn nearest(&self) -> Vec<(f32, u64)> {
        let mut near = self
            .near()
            .into_iter()
            .map(|(id, distance)| (distance, id))
            .collect::<Vec<_>>();
        near.sort_by(|a, b| a.partial_cmp(b).unwrap());
        near.truncate(self.k);
        near
    }
}

/// A coordinate in units of the scale: on lines between cells, between them, and far outside.
fn coordinate() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => (-40_i16..=40).prop_map(|halves| f32::from(halves) * 0.5),
        4 => -12.0_f32..12.0,
        1 => -1e6_f32..1e6,
        1 => -1e-6_f32..1e-6,
    ]
}

fn point() -> impl Strategy<Value = Point> {
    [coordinate(), coordinate(), coordinate()].prop_map(Point::from_array)
}

fn case() -> impl Strategy<Value = Case> {
    let crowd = prop_oneof![
        4 => proptest::collection::vec(point(), 0..60),
        1 => proptest::collection::vec(point(), 200..600),
    ];
    let world = (
        proptest::sample::select(METRICS.to_vec()),
        // Six thousand cells along an axis of one world, a single one in another.
        prop_oneof![Just(1.0_f32), Just(0.003), Just(0.7), Just(25.0)],
        prop_oneof![
            Just(1.0_f32),
            Just(1e-25),
            Just(1e-9),
            Just(1e9),
            Just(3e13)
        ],
    );
    let radius = prop_oneof![
        Just(0.0_f32),
        (0_u8..30).prop_map(|halves| f32::from(halves) * 0.5),
        0.0_f32..3.0,
        0.0_f32..50.0,
        Just(3e6),
    ];
    (
        crowd,
        world,
        point(),
        radius,
        0_usize..12,
        any::<u64>(),
        any::<bool>(),
    )
        .prop_map(
            |(crowd, (metric, edge, scale), centre, radius, k, salt, from_crowd)| Case {
                metric,
                bounds: Bounds::new(
                    Point::new(-10.0, -10.0, -10.0) * scale,
                    Point::new(10.0, 10.0, 10.0) * scale,
                ),
                cell_edge_m: edge * scale,
                // Odd multipliers permute: unique, and neither ascending nor descending.
                ids: (0..crowd.len() as u64)
                    .map(|id| (id ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15))
                    .collect(),
                centre: if from_crowd && !crowd.is_empty() {
                    crowd[0] * scale
                } else {
                    centre * scale
                },
                points: crowd.into_iter().map(|point| point * scale).collect(),
                radius_m: radius * scale,
                k,
            },
        )
}

fn assert_ascending(ranks: &[u32]) {
    assert!(
        ranks.windows(2).all(|pair| pair[0] < pair[1]),
        "ranks must ascend: {ranks:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn within_finds_what_brute_force_finds(case in case()) {
        for kind in KINDS {
            let index = case.index(kind);
            let mut ranks = Vec::new();
            let mut found = Vec::new();
            index.within(case.centre, case.radius_m, |rank, distance| {
                ranks.push(rank);
                found.push((index.id(rank), distance));
            });
            assert_ascending(&ranks);
            found.sort_by_key(|&(id, _)| id);
            prop_assert_eq!(found, case.near(), "{:?}", kind);
        }
    }

    #[test]
    fn runs_near_hold_what_within_finds(case in case()) {
        for kind in KINDS {
            let index = case.index(kind);
            let mut ranks = Vec::new();
            index.runs_near(case.centre, case.radius_m, |run| ranks.extend(run));
            assert_ascending(&ranks);
            index.within(case.centre, case.radius_m, |rank, _| {
                assert!(ranks.binary_search(&rank).is_ok(), "{kind:?}: {rank} is in no run");
            });
        }
    }

    #[test]
    fn neighbourhoods_are_what_within_finds_around_each(case in case(), salt in any::<u32>()) {
        for kind in KINDS {
            let index = case.index(kind);
            let wanted = |rank: u32| !(rank ^ salt).is_multiple_of(4);
            let mut visited = Vec::new();
            index.neighbourhoods(case.radius_m, wanted, |rank, near| {
                visited.push(rank);
                let mut expected = Vec::new();
                index.within(index.point(rank), case.radius_m, |rank, distance_squared| {
                    expected.push(Near { rank, distance_squared });
                });
                expected.retain(|near| near.rank != rank);
                assert_eq!(near, expected, "{kind:?} around {rank}");
            });
            let all = (0..index.len() as u32).filter(|&rank| wanted(rank));
            prop_assert!(visited.into_iter().eq(all), "{:?}", kind);
        }
    }

    #[test]
    fn pairs_are_what_neighbourhoods_find_each_once(case in case(), salt in any::<u32>()) {
        for kind in KINDS {
            let index = case.index(kind);
            let wanted = |rank: u32| (rank ^ salt).is_multiple_of(4);
            let mut found = vec![Vec::new(); index.len()];
            let mut before = None;
            index.pairs(case.radius_m, wanted, |rank, near| {
                assert!(before.replace(rank) < Some(rank), "ranks ascend");
                found[rank as usize].extend_from_slice(near);
                for &Near { rank: other, distance_squared } in near {
                    assert!(other > rank, "{other} is the higher one of a pair");
                    found[other as usize].push(Near { rank, distance_squared });
                }
            });
            index.neighbourhoods(case.radius_m, wanted, |rank, near| {
                assert_eq!(found[rank as usize], near, "{kind:?} around {rank}");
            });
        }
    }

    #[test]
    fn within_box_finds_what_brute_force_finds(case in case()) {
        let area = case.area();
        let counts = |point: Point| {
            (0..3).all(|axis| {
                let [at, min, max] = [point, area.min, area.max].map(|p| p.to_array()[axis]);
                !case.metric.axes()[axis] || (min <= at && at <= max)
            })
        };
        let mut expected = case.ids.iter().zip(&case.points)
            .filter(|&(_, &point)| counts(point))
            .map(|(&id, _)| id)
            .collect::<Vec<_>>();
        expected.sort_unstable();
        for kind in KINDS {
            let index = case.index(kind);
            let mut ranks = Vec::new();
            index.within_box(area, |rank| ranks.push(rank));
            assert_ascending(&ranks);
            let mut found = ranks.iter().map(|&rank| index.id(rank)).collect::<Vec<_>>();
            found.sort_unstable();
            prop_assert_eq!(&found, &expected, "{:?}", kind);
        }
    }

    #[test]
    fn nearest_finds_what_brute_force_finds(case in case()) {
        for kind in KINDS {
            let index = case.index(kind);
            let mut found = vec![(0.0, 0); 3];
            index.nearest(case.centre, case.k, case.radius_m, &mut found);
            let found = found.iter()
                .map(|&(distance, rank)| (distance, index.id(rank)))
                .collect::<Vec<_>>();
            prop_assert_eq!(found, case.nearest(), "{:?}", kind);
        }
    }

    #[test]
    fn order_is_the_same_for_any_subset_and_kind(
        case in case(),
        mask in proptest::collection::vec(any::<bool>(), 600),
    ) {
        let whole = case.index(IndexKind::Grid);
        let kept = whole.ids().iter()
            .filter(|&id| mask[case.ids.iter().position(|own| own == id).unwrap()])
            .copied()
            .collect::<Vec<_>>();
        // The subset is given backwards: the order of the input must not matter either.
        let (ids, points): (Vec<u64>, Vec<Point>) = case.ids.iter().zip(&case.points).zip(&mask)
            .filter(|&(_, &keep)| keep)
            .map(|((&id, &point), _)| (id, point))
            .rev()
            .unzip();
        for kind in KINDS {
            let mut part = case.empty(kind);
            part.rebuild(&ids, &points);
            prop_assert_eq!(part.ids(), &kept[..], "{:?}", kind);
            for (rank, &input) in part.order().iter().enumerate() {
                prop_assert_eq!(part.id(rank as u32), ids[input as usize]);
                prop_assert_eq!(part.point(rank as u32), points[input as usize]);
            }
        }
    }

    #[test]
    fn order_is_by_global_cell_and_then_id(case in case()) {
        let index = case.index(IndexKind::Grid);
        let lattice = Lattice::new(case.bounds, case.cell_edge_m, case.metric).unwrap();
        let keys = index.points().iter().zip(index.ids())
            .map(|(&point, &id)| (lattice.key(lattice.position_of(point)), id))
            .collect::<Vec<_>>();
        prop_assert!(keys.is_sorted());
        prop_assert_eq!(keys.len(), case.ids.len());
    }

    #[test]
    fn rebuilding_leaves_nothing_of_the_tick_before(before in case(), after in case()) {
        for kind in KINDS {
            let mut index = after.empty(kind);
            index.rebuild(&before.ids, &before.points);
            index.rebuild(&after.ids, &after.points);
            let fresh = after.index(kind);
            prop_assert_eq!(index.ids(), fresh.ids());
            prop_assert_eq!(index.order(), fresh.order());
            let hits = |index: &Index| {
                let mut hits = Vec::new();
                index.within(after.centre, after.radius_m, |rank, _| hits.push(rank));
                hits
            };
            prop_assert_eq!(hits(&index), hits(&fresh));
        }
    }
}

#[test]
fn cases_exercise_stored_and_sparse_windows_and_find_something() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let (mut stored, mut sparse, mut hits) = (0, 0, 0);
    for _ in 0..200 {
        let case = case().new_tree(&mut runner).unwrap().current();
        match case.index(IndexKind::Grid).grid.stores_window() {
            true => stored += 1,
            false => sparse += 1,
        }
        hits += usize::from(case.near().len() > 1 && case.near().len() < case.ids.len());
    }
    assert!(stored > 20, "{stored} of 200 windows are stored");
    assert!(sparse > 20, "{sparse} of 200 windows are sparse");
    assert!(hits > 20, "{hits} of 200 questions have a telling answer");
}

fn world() -> Bounds {
    Bounds::new(Point::flat(-50.0, -50.0), Point::flat(50.0, 50.0))
}

#[test]
fn an_index_never_filled_finds_nothing() {
    for kind in KINDS {
        let index = Index::new(kind, world(), Metric::Plane, 5.0).unwrap();
        assert!(index.is_empty());
        assert_eq!(index.kind(), kind);
        index.within(Point::ORIGIN, f32::INFINITY, |_, _| panic!("found"));
        index.within_box(world(), |_| panic!("found"));
        let mut out = vec![(1.0, 1)];
        index.nearest(Point::ORIGIN, 3, 10.0, &mut out);
        assert!(out.is_empty());
    }
}

#[test]
fn points_that_are_not_finite_are_kept_in_the_order_and_near_nothing() {
    let ids = [4, 3, 2, 1];
    let points = [
        Point::flat(f32::NAN, 0.0),
        Point::flat(f32::INFINITY, 0.0),
        Point::flat(0.0, f32::NEG_INFINITY),
        Point::flat(1.0, 1.0),
    ];
    for kind in KINDS {
        let mut index = Index::new(kind, world(), Metric::Plane, 5.0).unwrap();
        index.rebuild(&ids, &points);
        assert_eq!(index.len(), 4);
        let mut near = Vec::new();
        index.within(Point::ORIGIN, f32::INFINITY, |rank, _| {
            near.push(index.id(rank))
        });
        let everywhere = Point::flat(f32::INFINITY, f32::INFINITY);
        index.within_box(Bounds::new(-everywhere, everywhere), |rank| {
            near.push(index.id(rank))
        });
        let mut out = Vec::new();
        index.nearest(Point::ORIGIN, 4, f32::INFINITY, &mut out);
        near.extend(out.iter().map(|&(_, rank)| index.id(rank)));
        assert_eq!(near, [1, 1, 1]);
    }
}

#[test]
fn questions_without_sense_find_nothing() {
    for kind in KINDS {
        let mut index = Index::new(kind, world(), Metric::Plane, 5.0).unwrap();
        index.rebuild(&[1, 2], &[Point::ORIGIN, Point::flat(1.0, 0.0)]);
        let nan = Point::flat(f32::NAN, 0.0);
        let far = Point::flat(f32::INFINITY, 0.0);
        for (centre, radius_m) in [
            (Point::ORIGIN, -1.0),
            (Point::ORIGIN, f32::NAN),
            (nan, 1.0),
            (far, f32::INFINITY),
        ] {
            index.within(centre, radius_m, |_, _| panic!("{centre:?} {radius_m}"));
            let mut out = Vec::new();
            index.nearest(centre, 1, radius_m, &mut out);
            assert!(out.is_empty());
        }
        let (low, high) = (Point::flat(-2.0, -2.0), Point::flat(2.0, 2.0));
        index.within_box(Bounds::new(high, low), |_| panic!("inverted"));
        index.within_box(Bounds::new(nan, high), |_| panic!("NaN"));
        let mut found = 0;
        index.within_box(Bounds::new(low, high), |_| found += 1);
        assert_eq!(found, 2);
    }
}

#[test]
fn a_world_of_more_cells_than_can_be_stored_is_indexed() {
    let rim = Point::new(1e7, 1e7, 1e7);
    for kind in KINDS {
        let mut index = Index::new(kind, Bounds::new(-rim, rim), Metric::Solid, 32.0).unwrap();
        let ids = (0..1000).collect::<Vec<_>>();
        let points = ids
            .iter()
            .map(|&id| (rim * (2.0 / 999.0)) * id as f32 - rim)
            .collect::<Vec<_>>();
        index.rebuild(&ids, &points);
        let mut found = Vec::new();
        index.within(points[500], 40_000.0, |rank, _| found.push(index.id(rank)));
        assert_eq!(found, [499, 500, 501]);
        let mut out = Vec::new();
        index.nearest(rim, 2, f32::INFINITY, &mut out);
        let found = out
            .iter()
            .map(|&(_, rank)| index.id(rank))
            .collect::<Vec<_>>();
        assert_eq!(found, [999, 998]);
    }
}

#[test]
fn worlds_beyond_the_limits_are_refused_by_name() {
    let refused = |bounds, edge_m| {
        Index::new(IndexKind::Grid, bounds, Metric::Plane, edge_m)
            .unwrap_err()
            .to_string()
    };
    let huge = Point::flat(1e30, 1e30);
    assert!(refused(Bounds::new(-huge, huge), 1.0).contains("index_edge_m makes"));
    assert!(refused(world(), 0.0).contains("index_edge_m is 0 m"));
    assert!(refused(world(), f32::NAN).contains("index_edge_m is NaN"));
    assert!(refused(Bounds::new(Point::ORIGIN, Point::ORIGIN), 1.0).contains("bounds.x"));
}
