use std::collections::BTreeSet;

use worldshard::prelude::*;

use super::SpatialPlugin;
use super::grid::Grid;

/// A number from 0 to 1.
fn draw(state: &mut u64) -> f64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

#[test]
fn who_is_near_is_exact_on_both_sides_of_every_cell() {
    for counts in [[true, true, false], [true; 3], [true, false, true]] {
        for seed in 0..20 {
            let mut state = seed;
            let mut grid = Grid::new(100.0, counts);
            let sessions: Vec<_> = (1..60).map(|n| SessionId::new(0, n)).collect();
            for _ in 0..4 {
                for session in &sessions {
                    // Whole and half radii, where cells and reaches end.
                    let at = [(); 3].map(|()| (draw(&mut state) * 17.0).floor() * 50.0 - 400.0);
                    grid.set(*session, at);
                }
                for one in &sessions {
                    let at = grid.at(*one).unwrap();
                    let is_near = |other: &&SessionId| {
                        let of = grid.at(**other).unwrap();
                        let axes = (0..3).filter(|axis| counts[*axis]);
                        let square: f64 = axes.map(|axis| (at[axis] - of[axis]).powi(2)).sum();
                        *other != one && square <= 100.0 * 100.0
                    };
                    let expected: BTreeSet<_> = sessions.iter().filter(is_near).copied().collect();
                    assert_eq!(grid.near(*one), expected, "seed {seed}, {counts:?}");
                }
            }
        }
    }
}

#[test]
fn only_numbers_within_the_bounds_are_a_position() {
    let plane = SpatialPlugin::in_2d().bounds(-10.0, 10.0).rules;
    assert_eq!(plane.read(" 1.5   -10 "), Ok([1.5, -10.0, 0.0]));
    assert_eq!(plane.shown(plane.read("-0 1e1").unwrap()), "0 10");
    for no in [
        "",
        "1",
        "1 2 3",
        "NaN 1",
        "1 inf",
        "1 -infinity",
        "x y",
        "1,2",
        "1e999 0",
    ] {
        assert_eq!(
            plane.read(no),
            Err("BAD_REQUEST: say /move <x> <y>".to_owned()),
            "{no:?}"
        );
    }
    assert_eq!(
        plane.read("0 10.001"),
        Err("NOT_ALLOWED: outside -10 to 10".to_owned())
    );
    let space = SpatialPlugin::in_3d().rules;
    assert_eq!(space.read("1 2 3"), Ok([1.0, 2.0, 3.0]));
    assert!(space.read("1 2").is_err());
}
