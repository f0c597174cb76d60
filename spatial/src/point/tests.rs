use proptest::prelude::*;

use super::*;

const UNIT: Bounds = Bounds::new(Point::ORIGIN, Point::new(1.0, 2.0, 3.0));

#[test]
fn arithmetic_is_by_coordinate() {
    let (a, b) = (Point::new(1.0, 2.0, 3.0), Point::new(10.0, 20.0, 30.0));
    assert_eq!(a + b, Point::new(11.0, 22.0, 33.0));
    assert_eq!(b - a, Point::new(9.0, 18.0, 27.0));
    assert_eq!(a * 2.0, Point::new(2.0, 4.0, 6.0));
    assert_eq!(-a, Point::new(-1.0, -2.0, -3.0));
    assert_eq!(a.dot(b), 140.0);
    let mut sum = a;
    sum += b;
    assert_eq!(sum, a + b);
    assert_eq!(Point::from_array(a.to_array()), a);
    assert_eq!(Point::flat(1.0, 2.0), Point::new(1.0, 2.0, 0.0));
}

#[test]
fn length_is_clamped_and_direction_kept() {
    let point = Point::new(3.0, 4.0, 0.0);
    assert_eq!(point.length(), 5.0);
    assert_eq!(point.length_squared(), 25.0);
    assert_eq!(point.clamp_length(5.0), point);
    assert_eq!(point.clamp_length(2.5), Point::new(1.5, 2.0, 0.0));
    assert_eq!(Point::ORIGIN.clamp_length(1.0), Point::ORIGIN);
}

#[test]
fn a_vector_without_direction_normalizes_to_zero() {
    assert_eq!(
        Point::new(0.0, 0.0, -7.0).normalized_or_zero(),
        Point::new(0.0, 0.0, -1.0)
    );
    for lost in [0.0, f32::NAN, f32::INFINITY, f32::from_bits(1)] {
        let point = Point::new(lost, 0.0, 0.0);
        assert_eq!(point.normalized_or_zero(), Point::ORIGIN, "{lost}");
    }
}

#[test]
fn only_finite_points_are_finite() {
    assert!(Point::new(f32::MAX, f32::MIN, 0.0).is_finite());
    for axis in 0..3 {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut coordinates = [0.0; 3];
            coordinates[axis] = value;
            assert!(!Point::from_array(coordinates).is_finite());
        }
    }
}

#[test]
fn bounds_contain_their_faces() {
    assert!(UNIT.contains(UNIT.min) && UNIT.contains(UNIT.max) && UNIT.contains(UNIT.centre()));
    assert!(!UNIT.contains(Point::new(0.5, 0.5, 3.1)));
    assert!(!UNIT.contains(Point::new(f32::NAN, 0.5, 0.5)));
    assert_eq!(UNIT.extent(), Point::new(1.0, 2.0, 3.0));
    assert_eq!(UNIT.centre(), Point::new(0.5, 1.0, 1.5));
    assert_eq!(UNIT.expanded(1.0).min, Point::new(-1.0, -1.0, -1.0));
    assert_eq!(UNIT.expanded(1.0).max, Point::new(2.0, 3.0, 4.0));
}

#[test]
fn clamping_never_panics_and_never_leaves_nan() {
    assert_eq!(
        UNIT.clamp(Point::new(-1.0, 1.0, 9.0)),
        Point::new(0.0, 1.0, 3.0)
    );
    let nan = Point::new(f32::NAN, f32::NAN, f32::NAN);
    assert_eq!(UNIT.clamp(nan), UNIT.min);
    let inverted = Bounds::new(UNIT.max, UNIT.min);
    assert!(inverted.clamp(UNIT.centre()).is_finite());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_box_is_never_farther_than_a_point_in_it(
        at in [-1e3_f32..1e3, -1e3_f32..1e3, -1e3_f32..1e3],
        share in [0.0_f32..=1.0, 0.0_f32..=1.0, 0.0_f32..=1.0],
    ) {
        let at = Point::from_array(at);
        let inside = Point::new(share[0] * 1.0, share[1] * 2.0, share[2] * 3.0);
        for metric in [Metric::Plane, Metric::Flat, Metric::Solid] {
            let distance = UNIT.distance_squared(at, metric);
            prop_assert!(distance <= metric.distance_squared(at, inside));
            prop_assert_eq!(distance == 0.0, metric.contains(&UNIT, at));
        }
    }
}
