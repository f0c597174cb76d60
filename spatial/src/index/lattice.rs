//! The global numbering of index cells. Never knows which cells are occupied.
//!
//! The number depends on the world, the edge and the point alone, so every shard numbers alike.

use crate::cells::{cells_per_axis, check_world};
use crate::{Bounds, Metric, Point, SpaceError};

/// The most cells an index may number; beyond it a world is refused at start.
pub const INDEX_CELLS_MAX: u64 = 1 << 62;

/// A grid over the world that is only ever counted, never stored.
#[derive(Copy, Clone, Debug)]
pub(super) struct Lattice {
    min: [f64; 3],
    cells_per_m: f64,
    /// The number of the last slice of cells along x, y and z; 0 on an axis that does not count.
    last: [u32; 3],
}

impl Lattice {
    pub(super) fn new(bounds: Bounds, edge_m: f32, metric: Metric) -> Result<Self, SpaceError> {
        check_world(&bounds, "index_edge_m", edge_m, metric)?;
        let counts = cells_per_axis(&bounds, edge_m, metric);
        let cells = counts.iter().product::<f64>();
        let axis_fits = counts.iter().all(|&count| count <= f64::from(u32::MAX));
        if cells > INDEX_CELLS_MAX as f64 || !axis_fits {
            return Err(SpaceError::IndexCellsTooMany { cells });
        }
        Ok(Self {
            min: bounds.min.to_array().map(f64::from),
            cells_per_m: 1.0 / f64::from(edge_m),
            last: counts.map(|count| count as u32 - 1),
        })
    }

    /// The cell of a point along x, y and z.
    #[inline]
    pub(super) fn position_of(&self, point: Point) -> [u32; 3] {
        self.position_of_exact(point.to_array().map(f64::from))
    }

    /// As [`position_of`](Self::position_of), and never decreasing in any coordinate, whatever its
    /// size: a box of coordinates therefore maps to a box of cells.
    #[inline]
    pub(super) fn position_of_exact(&self, coordinates: [f64; 3]) -> [u32; 3] {
        [0, 1, 2].map(|axis| {
            // The cast saturates: what lies outside the world counts to its outermost cells.
            let slice = (coordinates[axis] - self.min[axis]) * self.cells_per_m;
            (slice as u32).min(self.last[axis])
        })
    }

    /// The number of the cell at a position: row-major, x fastest, then y, then z.
    #[inline]
    pub(super) fn key(&self, position: [u32; 3]) -> u64 {
        let [width, depth] = [self.last[0], self.last[1]].map(|last| u64::from(last) + 1);
        (u64::from(position[2]) * depth + u64::from(position[1])) * width + u64::from(position[0])
    }
}
