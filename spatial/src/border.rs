//! Which shards must see a point: those whose territory is near. Never sends anything.

use crate::cells::CellGrid;
use crate::metric::reach_m;
use crate::{Bounds, CellMap, Point, ShardId};

/// The band in which one shard's neighbours see its entities, computed once per cell map.
///
/// Memory: four bytes a cell, and two for each pair of a cell and a shard near it.
#[derive(Clone, Debug)]
pub struct Border {
    grid: CellGrid,
    own: ShardId,
    width_m: f32,
    /// The candidates of cell `c` are `candidates[starts[c]..starts[c + 1]]`, ascending.
    starts: Vec<u32>,
    candidates: Vec<ShardId>,
    reaches: Vec<Bounds>,
    /// So far inside the own territory that no candidate is near.
    interior: Bounds,
}

impl Border {
    /// Prepares the border of `own`, `width_m` metres wide.
    ///
    /// # Panics
    ///
    /// When the map has no shard `own`, the width is negative or NaN, or there are 2^32 pairs of a
    /// cell and a shard near it: more than four thousand shards in sight of every one of 2^20 cells.
    #[must_use]
    pub fn new(map: &CellMap, own: ShardId, width_m: f32) -> Self {
        assert!(own.0 < map.shard_count(), "no shard {own} in the cell map");
        assert!(width_m >= 0.0, "border width is {width_m} m");
        let grid = map.grid().clone();
        let others = || map.shards().filter(|&shard| shard != own);

        let mut starts = vec![0_u32; grid.cell_count() + 1];
        for shard in others() {
            for_each_cell_near(&grid, &map.reach(shard), width_m, |cell| starts[cell] += 1);
        }
        let mut total = 0_u32;
        for start in &mut starts {
            total = total
                .checked_add(*start)
                .expect("fewer than 2^32 pairs of a cell and a shard near it");
            *start = total;
        }
        let mut candidates = vec![own; total as usize];
        // From the back, each list fills downwards until its start is in place.
        for shard in others().collect::<Vec<_>>().into_iter().rev() {
            for_each_cell_near(&grid, &map.reach(shard), width_m, |cell| {
                starts[cell] -= 1;
                candidates[starts[cell] as usize] = shard;
            });
        }
        Self {
            grid,
            own,
            width_m,
            starts,
            candidates,
            reaches: map.shards().map(|shard| map.reach(shard)).collect(),
            interior: shrunk(&map.reach(own), width_m),
        }
    }

    /// The shard whose border this is.
    #[must_use]
    pub fn own(&self) -> ShardId {
        self.own
    }

    /// The width, in metres.
    #[must_use]
    pub fn width_m(&self) -> f32 {
        self.width_m
    }

    /// Whether the point is in the own territory and further than the width from its edges: then it has
    /// no [`receivers`](Self::receivers). Cheaper to ask than they are.
    #[inline]
    #[must_use]
    pub fn is_interior(&self, point: Point) -> bool {
        self.grid.metric().contains(&self.interior, point)
    }

    /// The other shards within [`width_m`](Self::width_m) of the point as
    /// [`CellMap::distance_squared`] measures it, ascending.
    ///
    /// The point may lie anywhere, also in another shard's territory, which is then among them.
    pub fn receivers(&self, point: Point) -> impl Iterator<Item = ShardId> {
        let cell = self.grid.cell_of(point).0 as usize;
        let near = self.starts[cell] as usize..self.starts[cell + 1] as usize;
        let metric = self.grid.metric();
        let limit = self.width_m * self.width_m;
        self.candidates[near].iter().copied().filter(move |shard| {
            self.reaches[usize::from(shard.0)].distance_squared(point, metric) <= limit
        })
    }
}

/// The box without a band along its faces, in which a point may be within `width_m` of a box beside it.
fn shrunk(reach: &Bounds, width_m: f32) -> Bounds {
    let margin = reach_m(width_m);
    let min = reach.min.to_array().map(f64::from);
    let max = reach.max.to_array().map(f64::from);
    // Rounded inwards.
    Bounds::new(
        Point::from_array(min.map(|low| ((low + margin) as f32).next_up())),
        Point::from_array(max.map(|high| ((high - margin) as f32).next_down())),
    )
}

/// Visits every cell that may hold a point within `width_m` of the box.
fn for_each_cell_near(grid: &CellGrid, reach: &Bounds, width_m: f32, mut visit: impl FnMut(usize)) {
    let margin = reach_m(width_m);
    let (min, max) = (reach.min.to_array(), reach.max.to_array());
    let low = [0, 1, 2].map(|axis| grid.slice_of(axis, f64::from(min[axis]) - margin));
    let high = [0, 1, 2].map(|axis| grid.slice_of(axis, f64::from(max[axis]) + margin));
    for z in low[2]..=high[2] {
        for y in low[1]..=high[1] {
            for x in low[0]..=high[0] {
                visit(grid.index_of([x, y, z]).0 as usize);
            }
        }
    }
}

#[cfg(test)]
mod tests;
