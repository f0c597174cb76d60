//! Which axes count for interest and territory. Never stores a point.

use crate::{Bounds, Point};

/// The axes over which distances are measured; the others are carried along and never compared.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Metric {
    /// A 2-D world: x and y count.
    Plane,
    /// A 3-D world on the ground: x and z count, y (height) is carried.
    Flat,
    /// A 3-D world in which all axes count.
    Solid,
}

impl Metric {
    /// The squared distance between two points over the counted axes, in square metres.
    ///
    /// Everything that asks "how far" uses this very sequence of float operations, so that two
    /// places never disagree about a point on a circle's rim.
    #[inline]
    #[must_use]
    pub fn distance_squared(self, a: Point, b: Point) -> f32 {
        let (x, y, z) = (a.x - b.x, a.y - b.y, a.z - b.z);
        match self {
            Metric::Plane => x * x + y * y,
            Metric::Flat => x * x + z * z,
            Metric::Solid => x * x + y * y + z * z,
        }
    }

    /// Whether x, y and z count.
    #[must_use]
    pub const fn axes(self) -> [bool; 3] {
        match self {
            Metric::Plane => [true, true, false],
            Metric::Flat => [true, false, true],
            Metric::Solid => [true, true, true],
        }
    }

    /// The point with its uncounted coordinates set to zero.
    #[must_use]
    pub fn project(self, point: Point) -> Point {
        match self {
            Metric::Plane => Point::new(point.x, point.y, 0.0),
            Metric::Flat => Point::new(point.x, 0.0, point.z),
            Metric::Solid => point,
        }
    }

    /// Whether the point is inside the box or on a face, on the counted axes.
    #[inline]
    #[must_use]
    pub fn contains(self, area: &Bounds, point: Point) -> bool {
        let x = area.min.x <= point.x && point.x <= area.max.x;
        let y = area.min.y <= point.y && point.y <= area.max.y;
        let z = area.min.z <= point.z && point.z <= area.max.z;
        match self {
            Metric::Plane => x && y,
            Metric::Flat => x && z,
            Metric::Solid => x && y && z,
        }
    }
}

/// How far apart along one axis two points can be whose squared distance, in rounded `f32`, is at
/// most `radius_m²`: a little more than the radius, in metres.
///
/// Whoever looks only into the cells that a circle touches must widen the circle to this.
pub(crate) fn reach_m(radius_m: f32) -> f64 {
    f64::from(radius_m) * (1.0 + REACH_SLACK) + REACH_SLACK_M
}

/// Covers the relative rounding of one subtraction and two squares.
const REACH_SLACK: f64 = 4.0 * f32::EPSILON as f64;

/// Covers squares that vanish: below this many metres, `x * x` may be 0 in `f32`.
const REACH_SLACK_M: f64 = 1e-20;

#[cfg(test)]
mod tests;
