use proptest::prelude::*;

use super::*;

const A: Point = Point::new(1.0, 2.0, 3.0);
const B: Point = Point::new(2.0, 4.0, 8.0);

#[test]
fn only_counted_axes_are_measured() {
    assert_eq!(Metric::Plane.distance_squared(A, B), 5.0);
    assert_eq!(Metric::Flat.distance_squared(A, B), 26.0);
    assert_eq!(Metric::Solid.distance_squared(A, B), 30.0);
}

#[test]
fn projection_zeroes_exactly_the_uncounted_axes() {
    for metric in [Metric::Plane, Metric::Flat, Metric::Solid] {
        let projected = metric.project(A).to_array();
        let expected = [0, 1, 2].map(|axis| {
            if metric.axes()[axis] {
                A.to_array()[axis]
            } else {
                0.0
            }
        });
        assert_eq!(projected, expected, "{metric:?}");
    }
}

#[test]
fn a_box_contains_its_faces_on_counted_axes() {
    let area = Bounds::new(A, B);
    let above = Point::new(1.0, 9.0, 8.0);
    assert!(Metric::Flat.contains(&area, above));
    assert!(!Metric::Plane.contains(&area, above));
    assert!(!Metric::Solid.contains(&area, above));
    assert!(Metric::Plane.contains(&area, Point::new(2.0, 4.0, -1.0)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_hit_lies_beyond_the_reach(from in any::<f32>(), step in -1.001_f32..1.001, radius in any::<f32>()) {
        let radius_m = radius.abs();
        let (a, b) = (Point::flat(from, 0.0), Point::flat(from + step * radius_m, 0.0));
        let hit = Metric::Plane.distance_squared(a, b) <= (radius_m * radius_m).min(f32::MAX);
        let apart = (f64::from(a.x) - f64::from(b.x)).abs();
        prop_assert!(!hit || apart <= reach_m(radius_m), "{apart} apart, radius {radius_m}");
    }
}
