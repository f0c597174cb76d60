//! A point in the world and a box of points. Never decides which axes count: that is `Metric`.

use std::ops::{Add, AddAssign, Mul, Neg, Sub};

use crate::Metric;

/// A position or a displacement, in metres.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct Point {
    /// Metres along the first axis.
    pub x: f32,
    /// Metres along the second axis.
    pub y: f32,
    /// Metres along the third axis.
    pub z: f32,
}

/// An axis-aligned box that contains its faces.
///
/// A box whose `min` exceeds its `max` on some axis contains nothing.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Bounds {
    /// The corner with the smallest coordinates.
    pub min: Point,
    /// The corner with the largest coordinates.
    pub max: Point,
}

impl Point {
    /// The point all of whose coordinates are zero.
    pub const ORIGIN: Point = Point::new(0.0, 0.0, 0.0);

    /// The point at `x`, `y`, `z` metres.
    #[must_use]
    pub const fn new(x: f32, y: f32, z: f32) -> Self {
        Self { x, y, z }
    }

    /// The point at `x`, `y` metres in the plane `z = 0`.
    #[must_use]
    pub const fn flat(x: f32, y: f32) -> Self {
        Self::new(x, y, 0.0)
    }

    /// The coordinates in the order x, y, z.
    #[must_use]
    pub const fn to_array(self) -> [f32; 3] {
        [self.x, self.y, self.z]
    }

    /// The point whose coordinates are `[x, y, z]`.
    #[must_use]
    pub const fn from_array([x, y, z]: [f32; 3]) -> Self {
        Self::new(x, y, z)
    }

    /// Whether no coordinate is infinite or NaN.
    #[must_use]
    pub fn is_finite(self) -> bool {
        self.x.is_finite() && self.y.is_finite() && self.z.is_finite()
    }

    /// The scalar product over all three axes.
    #[must_use]
    pub fn dot(self, other: Point) -> f32 {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    /// The distance from the origin, in metres.
    #[must_use]
    pub fn length(self) -> f32 {
        self.length_squared().sqrt()
    }

    /// The square of [`length`](Self::length), in square metres.
    #[must_use]
    pub fn length_squared(self) -> f32 {
        self.dot(self)
    }

    /// The same direction, at most `max_m` metres long; up to the rounding of one division.
    #[must_use]
    pub fn clamp_length(self, max_m: f32) -> Self {
        let length = self.length();
        if length > max_m {
            self * (max_m / length)
        } else {
            self
        }
    }

    /// The same direction, one metre long; the origin when there is no direction to keep.
    #[must_use]
    pub fn normalized_or_zero(self) -> Self {
        let inverse = self.length().recip();
        if inverse.is_finite() && inverse > 0.0 {
            self * inverse
        } else {
            Self::ORIGIN
        }
    }
}

impl Bounds {
    /// The box between two corners.
    #[must_use]
    pub const fn new(min: Point, max: Point) -> Self {
        Self { min, max }
    }

    /// Whether the point is inside or on a face, on all three axes.
    #[must_use]
    pub fn contains(&self, point: Point) -> bool {
        Metric::Solid.contains(self, point)
    }

    /// The point of the box nearest to `point`. A NaN coordinate becomes the box's smallest one.
    #[must_use]
    pub fn clamp(&self, point: Point) -> Point {
        // `f32::clamp` panics on an inverted box, which any caller can build.
        Point::new(
            point.x.max(self.min.x).min(self.max.x),
            point.y.max(self.min.y).min(self.max.y),
            point.z.max(self.min.z).min(self.max.z),
        )
    }

    /// The lengths of the sides, in metres.
    #[must_use]
    pub fn extent(&self) -> Point {
        self.max - self.min
    }

    /// The middle of the box.
    #[must_use]
    pub fn centre(&self) -> Point {
        // Halving first keeps boxes wider than half of `f32` finite.
        self.min * 0.5 + self.max * 0.5
    }

    /// The squared distance from `point` to the box under `metric`, in square metres; 0 inside.
    ///
    /// Never more than `metric.distance_squared(point, q)` for any `q` in the box, rounding included.
    #[must_use]
    pub fn distance_squared(&self, point: Point, metric: Metric) -> f32 {
        metric.distance_squared(point, self.clamp(point))
    }

    /// The box with every face moved outwards by `margin_m` metres (inwards when negative).
    #[must_use]
    pub fn expanded(&self, margin_m: f32) -> Self {
        let margin = Point::new(margin_m, margin_m, margin_m);
        Self::new(self.min - margin, self.max + margin)
    }
}

impl Add for Point {
    type Output = Point;

    fn add(self, other: Point) -> Point {
        Point::new(self.x + other.x, self.y + other.y, self.z + other.z)
    }
}

impl AddAssign for Point {
    fn add_assign(&mut self, other: Point) {
        *self = *self + other;
    }
}

impl Sub for Point {
    type Output = Point;

    fn sub(self, other: Point) -> Point {
        Point::new(self.x - other.x, self.y - other.y, self.z - other.z)
    }
}

impl Mul<f32> for Point {
    type Output = Point;

    fn mul(self, factor: f32) -> Point {
        Point::new(self.x * factor, self.y * factor, self.z * factor)
    }
}

impl Neg for Point {
    type Output = Point;

    fn neg(self) -> Point {
        Point::new(-self.x, -self.y, -self.z)
    }
}

#[cfg(test)]
mod tests;
