//! Territories and distances to them, from the cells alone: the checkers' own geometry.
//!
//! The operations on `f32` are those that the rules of ownership name, so that a point on a line is judged alike.

use std::collections::BTreeMap;

use worldshard_shard::WorldConfig;
use worldshard_spatial::{CellIndex, CellMap, Metric, Point, ShardId};

/// Which ground each shard owns: one box each, without end where the world ends.
pub(super) struct Ground {
    metric: Metric,
    boxes: BTreeMap<ShardId, ([f32; 3], [f32; 3])>,
    stray_squared: f32,
    border_squared: f32,
}

impl Ground {
    /// Walks over all cells.
    pub(super) fn of(config: &WorldConfig, cell_map: &CellMap) -> Self {
        let grid = cell_map.grid();
        let mut boxes = BTreeMap::new();
        for cell in (0..grid.cell_count() as u32).map(CellIndex) {
            let bounds = grid.cell_bounds(cell);
            let (min, max) = (bounds.min.to_array(), bounds.max.to_array());
            let (low, high) = boxes
                .entry(cell_map.owner_of_cell(cell))
                .or_insert((min, max));
            for axis in 0..3 {
                low[axis] = f32::min(low[axis], min[axis]);
                high[axis] = f32::max(high[axis], max[axis]);
            }
        }
        let world = (config.bounds.min.to_array(), config.bounds.max.to_array());
        for (low, high) in boxes.values_mut() {
            for axis in 0..3 {
                if low[axis] <= world.0[axis] {
                    low[axis] = f32::NEG_INFINITY;
                }
                if high[axis] >= world.1[axis] {
                    high[axis] = f32::INFINITY;
                }
            }
        }
        let sees_m = config.interest_radius_max_m + config.interest_hysteresis_m;
        let border_m = f32::max(sees_m, config.perception_radius_m) + config.handoff_hysteresis_m;
        Self {
            metric: config.metric,
            boxes,
            stray_squared: config.handoff_hysteresis_m * config.handoff_hysteresis_m,
            border_squared: border_m * border_m,
        }
    }

    /// How far a point is from a shard's ground, in square metres.
    pub(super) fn distance_squared(&self, shard: ShardId, at: Point) -> f32 {
        let Some((low, high)) = self.boxes.get(&shard) else {
            return f32::INFINITY;
        };
        let at = at.to_array();
        let [x, y, z] = [0, 1, 2].map(|axis| {
            if at[axis] < low[axis] {
                at[axis] - low[axis]
            } else if at[axis] > high[axis] {
                at[axis] - high[axis]
            } else {
                0.0
            }
        });
        squared(self.metric, [x, y, z])
    }

    /// Whether an entity at this point may not stay with this owner.
    pub(super) fn strays(&self, owner: ShardId, at: Point) -> bool {
        self.distance_squared(owner, at) > self.stray_squared
    }

    /// Whether a shard must see what stands at this point.
    pub(super) fn in_sight(&self, shard: ShardId, at: Point) -> bool {
        self.distance_squared(shard, at) <= self.border_squared
    }
}

/// The sum of squares over the axes that count.
pub(super) fn squared(metric: Metric, [x, y, z]: [f32; 3]) -> f32 {
    match metric {
        Metric::Plane => x * x + y * y,
        Metric::Flat => x * x + z * z,
        Metric::Solid => x * x + y * y + z * z,
    }
}
