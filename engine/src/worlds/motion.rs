//! Small pieces of motion: where something faces, how it stays inside, where a wandering point is.
//!
//! Additions, multiplications, divisions and square roots only, which every machine rounds alike.

use worldshard_shard::Chance;

use crate::prelude::{Bounds, EntityId, Metric, Point, Steering, Tick};

/// Direction of `velocity` in 256ths of a turn, from +x towards +y; `before` when it has none.
pub(super) fn heading(velocity: Point, before: u8) -> u8 {
    let (x, y) = (velocity.x, velocity.y);
    let length = x.abs() + y.abs();
    if length.is_nan() || length == 0.0 {
        return before;
    }
    // An eighth of a turn from the nearer axis, by a polynomial of the ratio: within a quarter of a 256th.
    let (small, large) = (x.abs().min(y.abs()), x.abs().max(y.abs()));
    let ratio = small / large;
    let eighth = ratio * (0.125 + 0.0434 * (1.0 - ratio));
    let from_x = if y.abs() > x.abs() {
        0.25 - eighth
    } else {
        eighth
    };
    let half = if x < 0.0 { 0.5 - from_x } else { from_x };
    let turn = if y < 0.0 { 1.0 - half } else { half };
    // The cast cannot exceed 256, whose low byte is the same direction as 0.
    ((turn * 256.0 + 0.5) as u32 & 0xff) as u8
}

/// Position and velocity after `dt` seconds; at the world's edge the velocity turns back inwards.
pub(super) fn advance(
    position: Point,
    velocity: Point,
    dt: f32,
    bounds: &Bounds,
) -> (Point, Point) {
    let wanted = position + velocity * dt;
    let inside = bounds.clamp(wanted);
    let turn = |velocity: f32, wanted: f32, inside: f32| {
        if wanted == inside {
            velocity
        } else {
            -velocity
        }
    };
    let velocity = Point::new(
        turn(velocity.x, wanted.x, inside.x),
        turn(velocity.y, wanted.y, inside.y),
        turn(velocity.z, wanted.z, inside.z),
    );
    (inside, velocity)
}

/// How much an entity at `position` is pushed inwards: 0 beyond `margin_m` from the edge, 1 at it, per counted axis.
pub(super) fn inwards(position: Point, bounds: &Bounds, metric: Metric, margin_m: f32) -> Point {
    let [at, min, max] = [position, bounds.min, bounds.max].map(Point::to_array);
    let push = |axis: usize| {
        let into_low = min[axis] + margin_m - at[axis];
        let into_high = at[axis] - max[axis] + margin_m;
        // Nearly everyone is far from the edge: no division then.
        if !metric.axes()[axis] || (into_low <= 0.0 && into_high <= 0.0) {
            return 0.0;
        }
        (into_low / margin_m).clamp(0.0, 1.0) - (into_high / margin_m).clamp(0.0, 1.0)
    };
    Point::from_array([0, 1, 2].map(push))
}

/// The velocity that a client wants for its avatar, at `speed_m_s` when it steers with full strength.
pub(super) fn steered(steering: &Steering, metric: Metric, speed_m_s: f32) -> Point {
    metric.project(steering.0).clamp_length(1.0) * speed_m_s
}

/// A point of the box, evenly spread.
pub(super) fn anywhere(chance: &mut Chance, bounds: &Bounds) -> Point {
    let Bounds { min, max } = *bounds;
    Point::new(
        chance.range(min.x, max.x),
        chance.range(min.y, max.y),
        chance.range(min.z, max.z),
    )
}

/// A direction of random length up to 1, cheaply: one draw.
pub(super) fn gust(chance: &mut Chance, metric: Metric) -> Point {
    let bits = chance.next_u64();
    let axis = |shift: u32| ((bits >> shift) & 0xffff) as f32 / 32_768.0 - 1.0;
    metric.project(Point::new(axis(0), axis(16), axis(32)))
}

/// A point that wanders through the world for ever: to and fro on each axis, each at its own pace.
///
/// Where it is depends on seed, number and tick alone, so all shards agree without a word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanderer {
    period_ticks: [u64; 3],
    phase_ticks: [u64; 3],
}

impl Wanderer {
    /// The wanderer with this number. It crosses the world and comes back in about `period_s` seconds.
    pub(super) fn new(seed: u64, number: u64, period_s: f32, dt: f32) -> Self {
        let mut chance = Chance::new(seed, EntityId(number), Tick(0), "wanderer");
        let mut period_ticks = [0; 3];
        let mut phase_ticks = [0; 3];
        for axis in 0..3 {
            let period = (chance.range(0.7, 1.3) * period_s / dt).max(2.0) as u64;
            period_ticks[axis] = period;
            phase_ticks[axis] = chance.next_u64() % period;
        }
        Self {
            period_ticks,
            phase_ticks,
        }
    }

    /// Where it is at a tick; on the middle of the axes that do not count.
    pub(super) fn at(&self, tick: Tick, bounds: &Bounds) -> Point {
        let along = |axis: usize| {
            let (period, phase) = (self.period_ticks[axis], self.phase_ticks[axis]);
            let part = ((tick.0 + phase) % period) as f32 / period as f32;
            let to_and_fro = 1.0 - (2.0 * part - 1.0).abs();
            // Slow at the ends, fast between.
            to_and_fro * to_and_fro * (3.0 - 2.0 * to_and_fro)
        };
        let (min, extent) = (bounds.min, bounds.extent());
        Point::new(
            min.x + extent.x * along(0),
            min.y + extent.y * along(1),
            min.z + extent.z * along(2),
        )
    }
}

#[cfg(test)]
mod tests;
