//! The flocking rule, one urge at a time.

use super::*;
use crate::prelude::{EntityId, Tick};

const RULES: Rules = Rules {
    perception_m: 8.0,
    separation_m: 4.0,
    speed_min_m_s: 3.0,
    speed_max_m_s: 8.0,
    acceleration_max_m_s2: 12.0,
    separation_m_s2: 10.0,
    alignment_per_s: 1.0,
    cohesion_per_s2: 0.1,
    gust_m_s2: 0.0,
    margin_m: 10.0,
};

const SPACE: (&Bounds, Metric) = (
    &Bounds::new(Point::ORIGIN, Point::new(100.0, 100.0, 100.0)),
    Metric::Solid,
);

/// The urge of a bird in the middle that flies along x and sees one neighbour.
fn urge(offset: Point, velocity: Point) -> Point {
    let mut seen = Seen::default();
    seen.see(offset, offset.length_squared(), velocity, &RULES);
    let mut chance = Chance::new(7, EntityId(1), Tick(1), "gust");
    RULES.urge(
        (SPACE.0.centre(), Point::new(5.0, 0.0, 0.0)),
        &seen,
        &mut chance,
        SPACE,
    )
}

#[test]
fn a_bird_keeps_away_from_one_too_near_and_nears_one_far_off() {
    let same = Point::new(5.0, 0.0, 0.0);
    assert!(urge(Point::new(0.0, 1.0, 0.0), same).y < -1.0);
    assert!(urge(Point::new(0.0, 7.0, 0.0), same).y > 0.0);
}

#[test]
fn a_bird_flies_as_its_neighbours_do() {
    let turned = urge(Point::new(4.5, 0.0, 0.0), Point::new(0.0, 0.0, 6.0));
    assert!(turned.z > 0.0 && turned.x < 0.0, "{turned:?}");
}

#[test]
fn two_birds_at_one_point_do_not_divide_by_nothing() {
    assert!(urge(Point::ORIGIN, Point::ORIGIN).is_finite());
}

#[test]
fn speed_and_turns_keep_their_limits() {
    let dt = 0.05;
    let pushed = RULES.turn(Point::new(5.0, 0.0, 0.0), Point::new(0.0, 1e6, 0.0), dt);
    assert!((pushed - Point::new(5.0, 12.0 * dt, 0.0)).length() < 1e-4);
    let fast = RULES.turn(Point::new(50.0, 0.0, 0.0), Point::ORIGIN, dt);
    assert!((fast.length() - 8.0).abs() < 1e-4);
    let slow = RULES.turn(Point::new(0.0, 0.1, 0.0), Point::ORIGIN, dt);
    assert!((slow.length() - 3.0).abs() < 1e-4);
}
