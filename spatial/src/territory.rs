//! Which shard owns which cell. Never knows what stands there, and never changes once built.
//!
//! Invariant: every territory is one box of cells, and the territories tile the grid.

use std::fmt;

use crate::{Bounds, CellGrid, CellIndex, Metric, Point, SpaceError};

/// The number of a shard, from 0.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

/// The division of a grid's cells among shards, by bisection, so that every territory is one box.
#[derive(Clone, Debug)]
pub struct CellMap {
    grid: CellGrid,
    version: u32,
    owners: Vec<ShardId>,
    territories: Vec<Bounds>,
    reaches: Vec<Bounds>,
}

impl CellMap {
    /// Divides the grid among `shards` so that each owns about the same weight: the sum over its
    /// cells of `weights`, for instance entities, or the number of its cells when there are none.
    ///
    /// # Errors
    ///
    /// Refuses no shards, more shards than cells, and weights that do not match the cells.
    pub fn balanced(
        grid: CellGrid,
        shards: u16,
        weights: Option<&[u32]>,
    ) -> Result<Self, SpaceError> {
        let cells = grid.cell_count();
        if shards == 0 || usize::from(shards) > cells {
            return Err(SpaceError::ShardsOutOfRange { shards, cells });
        }
        if let Some(weights) = weights
            && weights.len() != cells
        {
            return Err(SpaceError::WeightsLength {
                weights: weights.len(),
                cells,
            });
        }
        let mut boxes = Vec::with_capacity(usize::from(shards));
        let whole = CellBox {
            low: [0; 3],
            high: grid.counts(),
        };
        bisect(&grid, weights, whole, u32::from(shards), &mut boxes);
        assert_eq!(boxes.len(), usize::from(shards), "one box for each shard");

        let mut owners = vec![ShardId::default(); cells];
        for (shard, cell_box) in (0..shards).zip(&boxes) {
            cell_box.for_each_cell(&grid, |cell| owners[cell.0 as usize] = ShardId(shard));
        }
        Ok(Self {
            territories: boxes.iter().map(|one| one.bounds(&grid)).collect(),
            reaches: boxes.iter().map(|one| one.reach(&grid)).collect(),
            grid,
            version: 1,
            owners,
        })
    }

    /// The cells that are divided.
    #[must_use]
    pub fn grid(&self) -> &CellGrid {
        &self.grid
    }

    /// The number of this division of the world, from 1.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The number of shards.
    #[must_use]
    pub fn shard_count(&self) -> u16 {
        self.territories.len() as u16
    }

    /// All shards, ascending.
    pub fn shards(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.shard_count()).map(ShardId)
    }

    /// The shard that owns the cell a point stands in; outside the world, the nearest cell.
    #[must_use]
    pub fn owner_of(&self, point: Point) -> ShardId {
        self.owner_of_cell(self.grid.cell_of(point))
    }

    /// The shard that owns a cell.
    ///
    /// # Panics
    ///
    /// When there is no such cell.
    #[must_use]
    pub fn owner_of_cell(&self, cell: CellIndex) -> ShardId {
        self.owners[cell.0 as usize]
    }

    /// The box of all cells a shard owns, within the bounds of the world.
    ///
    /// # Panics
    ///
    /// When there is no such shard.
    #[must_use]
    pub fn territory(&self, shard: ShardId) -> Bounds {
        self.territories[usize::from(shard.0)]
    }

    /// The squared distance from a point to the nearest place whose owner is `shard`, in square
    /// metres; 0 for a point it owns.
    ///
    /// Inside the world this is the distance to [`territory`](Self::territory). Outside it, a
    /// territory at the rim goes on for ever, just as its cells own whatever lies beyond them. It is
    /// never more than the distance, rounding included, to any point the shard owns.
    ///
    /// # Panics
    ///
    /// When there is no such shard.
    #[must_use]
    pub fn distance_squared(&self, shard: ShardId, point: Point) -> f32 {
        self.reach(shard)
            .distance_squared(point, self.grid.metric())
    }

    /// All places whose owner is `shard`, also beyond the rim of the world.
    pub(crate) fn reach(&self, shard: ShardId) -> Bounds {
        self.reaches[usize::from(shard.0)]
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, out)
    }
}

/// The cells from `low` up to but without `high`.
#[derive(Copy, Clone)]
struct CellBox {
    low: [u32; 3],
    high: [u32; 3],
}

impl CellBox {
    fn length(&self, axis: usize) -> u32 {
        self.high[axis] - self.low[axis]
    }

    fn cell_count(&self) -> u32 {
        self.length(0) * self.length(1) * self.length(2)
    }

    fn for_each_cell(&self, grid: &CellGrid, mut visit: impl FnMut(CellIndex)) {
        for z in self.low[2]..self.high[2] {
            for y in self.low[1]..self.high[1] {
                for x in self.low[0]..self.high[0] {
                    visit(grid.index_of([x, y, z]));
                }
            }
        }
    }

    /// Cuts the box before `slice`, which counts from the start of the grid.
    fn cut(self, axis: usize, slice: u32) -> (CellBox, CellBox) {
        let (mut left, mut right) = (self, self);
        left.high[axis] = slice;
        right.low[axis] = slice;
        (left, right)
    }

    fn bounds(&self, grid: &CellGrid) -> Bounds {
        grid.box_bounds(self.low, self.high)
    }

    fn reach(&self, grid: &CellGrid) -> Bounds {
        let bounds = self.bounds(grid);
        let (mut min, mut max) = (bounds.min.to_array(), bounds.max.to_array());
        for axis in 0..3 {
            if self.low[axis] == 0 {
                min[axis] = f32::NEG_INFINITY;
            }
            if self.high[axis] == grid.counts()[axis] {
                max[axis] = f32::INFINITY;
            }
        }
        Bounds::new(Point::from_array(min), Point::from_array(max))
    }
}

/// Appends one box for each of `shards`, which together tile `whole`.
fn bisect(
    grid: &CellGrid,
    weights: Option<&[u32]>,
    whole: CellBox,
    shards: u32,
    boxes: &mut Vec<CellBox>,
) {
    assert!(
        shards >= 1 && shards <= whole.cell_count(),
        "{shards} shards cannot share {} cells",
        whole.cell_count()
    );
    if shards == 1 {
        boxes.push(whole);
        return;
    }
    let axis = longest_axis(grid.metric(), &whole);
    let slices = whole.length(axis);
    let cells_per_slice = whole.cell_count() / slices;
    // Some way to share always fits: one slice on the left, full of shards, if nothing else.
    let (left_shards, slices_left_min, slices_left_max) = (1..=shards / 2)
        .rev()
        .flat_map(|fewer| [fewer, shards - fewer])
        .map(|left| {
            let right = shards - left;
            (
                left,
                left.div_ceil(cells_per_slice),
                slices.saturating_sub(right.div_ceil(cells_per_slice)),
            )
        })
        .find(|(_, min, max)| min <= max)
        .expect("no more shards than cells, so a whole number of slices can be filled");

    let weight_per_slice = slice_weights(grid, weights, &whole, axis);
    let total = weight_per_slice.iter().sum::<u64>();
    let mut weight_left = 0_u64;
    let mut best = None;
    for (slice, weight) in (1..).zip(&weight_per_slice) {
        weight_left += weight;
        if slice < slices_left_min || slice > slices_left_max {
            continue;
        }
        // Where weight says nothing, as in an empty region, equal area decides.
        let unfairness = (
            (u128::from(weight_left) * u128::from(shards))
                .abs_diff(u128::from(total) * u128::from(left_shards)),
            (u64::from(slice) * u64::from(shards))
                .abs_diff(u64::from(slices) * u64::from(left_shards)),
        );
        if best.is_none_or(|(least, _)| unfairness < least) {
            best = Some((unfairness, slice));
        }
    }
    let (_, slice) = best.expect("the feasible range of slices is not empty");
    let (left, right) = whole.cut(axis, whole.low[axis] + slice);
    bisect(grid, weights, left, left_shards, boxes);
    bisect(grid, weights, right, shards - left_shards, boxes);
}

fn longest_axis(metric: Metric, whole: &CellBox) -> usize {
    let counted = (0..3).filter(|&axis| metric.axes()[axis]);
    // Of equals the first, so that a square world is always cut the same way.
    counted
        .rev()
        .max_by_key(|&axis| whole.length(axis))
        .expect("every metric counts an axis")
}

fn slice_weights(
    grid: &CellGrid,
    weights: Option<&[u32]>,
    whole: &CellBox,
    axis: usize,
) -> Vec<u64> {
    let slices = whole.length(axis) as usize;
    let Some(weights) = weights else {
        return vec![1; slices];
    };
    let mut sums = vec![0; slices];
    whole.for_each_cell(grid, |cell| {
        let slice = grid.position_of(cell)[axis] - whole.low[axis];
        sums[slice as usize] += u64::from(weights[cell.0 as usize]);
    });
    sums
}

#[cfg(test)]
mod tests;
