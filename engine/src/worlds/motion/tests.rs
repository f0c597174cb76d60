//! Motion against the functions it stands in for, and against what it promises.

use super::*;

const BOX: Bounds = Bounds::new(Point::new(-10.0, 0.0, 5.0), Point::new(90.0, 50.0, 25.0));

#[test]
fn heading_is_the_direction_in_256ths_of_a_turn() {
    for step in 0..4096 {
        let angle = step as f32 / 4096.0 * std::f32::consts::TAU;
        let velocity = Point::new(3.0 * angle.cos(), 3.0 * angle.sin(), 100.0);
        let exact = angle / std::f32::consts::TAU * 256.0;
        let off = (f32::from(heading(velocity, 0)) - exact).rem_euclid(256.0);
        assert!(off.min(256.0 - off) < 0.8, "{off} off at {exact}");
    }
}

#[test]
fn heading_of_something_at_rest_stays() {
    assert_eq!(heading(Point::ORIGIN, 77), 77);
    assert_eq!(heading(Point::new(0.0, 0.0, 4.0), 77), 77);
    assert_eq!(heading(Point::new(f32::NAN, 0.0, 0.0), 77), 77);
}

#[test]
fn whoever_reaches_the_edge_turns_back() {
    let (position, velocity) = advance(
        Point::new(89.0, 10.0, 10.0),
        Point::new(4.0, 1.0, 0.0),
        0.5,
        &BOX,
    );
    assert_eq!(position, Point::new(90.0, 10.5, 10.0));
    assert_eq!(velocity, Point::new(-4.0, 1.0, 0.0));
}

#[test]
fn the_edge_pushes_inwards_and_only_near_it() {
    let middle = BOX.centre();
    assert_eq!(inwards(middle, &BOX, Metric::Solid, 5.0), Point::ORIGIN);
    let corner = inwards(BOX.max, &BOX, Metric::Solid, 5.0);
    assert_eq!(corner, Point::new(-1.0, -1.0, -1.0));
    let low = inwards(Point::new(-7.5, 25.0, 5.0), &BOX, Metric::Plane, 5.0);
    assert_eq!(low, Point::new(0.5, 0.0, 0.0));
}

#[test]
fn an_avatar_moves_as_steered_on_the_axes_that_count() {
    let full = steered(&Steering(Point::new(0.0, 2.0, 7.0)), Metric::Plane, 5.0);
    assert_eq!(full, Point::flat(0.0, 5.0));
    let half = steered(&Steering(Point::flat(0.5, 0.0)), Metric::Plane, 5.0);
    assert_eq!(half, Point::flat(2.5, 0.0));
}

#[test]
fn gusts_have_no_preferred_direction() {
    let mut sum = Point::ORIGIN;
    for tick in 0..4096 {
        let gust = gust(
            &mut Chance::new(7, EntityId(1), Tick(tick), "gust"),
            Metric::Plane,
        );
        assert!(gust.x.abs() <= 1.0 && gust.y.abs() <= 1.0 && gust.z == 0.0);
        sum += gust;
    }
    assert!(sum.length() * (1.0 / 4096.0) < 0.05, "{sum:?}");
}

#[test]
fn a_wanderer_crosses_the_world_without_a_jump() {
    let wanderer = Wanderer::new(7, 3, 60.0, 0.05);
    let far = |axis: fn(Point) -> f32| {
        let positions = (0..3000).map(|tick| axis(wanderer.at(Tick(tick), &BOX)));
        positions.clone().fold(f32::MIN, f32::max) - positions.fold(f32::MAX, f32::min)
    };
    assert!(
        far(|point| point.x) > 99.0 && far(|point| point.y) > 49.0 && far(|point| point.z) > 19.0
    );
    for tick in 0..3000 {
        let (here, next) = (
            wanderer.at(Tick(tick), &BOX),
            wanderer.at(Tick(tick + 1), &BOX),
        );
        assert!(BOX.contains(here), "{here:?}");
        assert!(
            (next - here).length() < 1.0,
            "jumped from {here:?} to {next:?}"
        );
    }
}
