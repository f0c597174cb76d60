//! The fixed grid of cells, the unit of ownership. Never knows who owns a cell: that is `CellMap`.
//!
//! Invariant: cells are half-open and tile the world. `cell_of` and `cell_bounds` agree to the last
//! bit, because both are decided by the same `f32` lines between cells.

use crate::{Bounds, Metric, Point, SpaceError};

/// The most cells an ownership grid may have, a number; beyond it a world is refused at start.
pub const CELLS_MAX: usize = 1 << 20;

/// As the field is called that sets the edge of cells.
const CELL_EDGE: &str = "cell_edge_m";

/// The number of a cell: row-major, x fastest, then y, then z.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellIndex(pub u32);

/// Equal squares or cubes over the bounds of the world.
///
/// The last cell of an axis ends at the bounds and may be narrower. On an axis that does not count
/// there is one cell, as wide as the world.
#[derive(Clone, Debug)]
pub struct CellGrid {
    bounds: Bounds,
    edge_m: f32,
    metric: Metric,
    counts: [u32; 3],
    cells_per_m: f64,
    /// For each axis the first coordinate of every slice of cells, then the end of the world.
    lines: [Vec<f32>; 3],
}

impl CellGrid {
    /// Cuts `bounds` into cells of `edge_m` metres.
    ///
    /// # Errors
    ///
    /// Refuses lengths that are not finite, bounds without extent, an edge that `f32` cannot
    /// resolve at the rim of the world, and more than [`CELLS_MAX`] cells.
    pub fn new(bounds: Bounds, edge_m: f32, metric: Metric) -> Result<Self, SpaceError> {
        check_world(&bounds, CELL_EDGE, edge_m, metric)?;
        let limit_m = edge_limit_m(&bounds, metric);
        if edge_m < limit_m {
            let field = CELL_EDGE;
            return Err(SpaceError::EdgeTooShort {
                field,
                edge_m,
                limit_m,
            });
        }
        let wanted = cells_per_axis(&bounds, edge_m, metric);
        let cells = wanted.iter().product::<f64>();
        if cells > CELLS_MAX as f64 {
            return Err(SpaceError::CellsTooMany { cells });
        }
        let lines = [0, 1, 2].map(|axis| {
            let (min, max) = (bounds.min.to_array()[axis], bounds.max.to_array()[axis]);
            lines(min, max, edge_m, wanted[axis] as u32)
        });
        Ok(Self {
            bounds,
            edge_m,
            metric,
            counts: [0, 1, 2].map(|axis| lines[axis].len() as u32 - 1),
            cells_per_m: 1.0 / f64::from(edge_m),
            lines,
        })
    }

    /// The world the cells tile.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// The length of a cell's edge, in metres.
    #[must_use]
    pub fn edge_m(&self) -> f32 {
        self.edge_m
    }

    /// Which axes are cut.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The number of cells along x, y and z; 1 on an axis that does not count.
    #[must_use]
    pub fn counts(&self) -> [u32; 3] {
        self.counts
    }

    /// The number of cells.
    #[must_use]
    pub fn cell_count(&self) -> usize {
        self.counts.iter().map(|&count| count as usize).product()
    }

    /// The cell a point stands in. A point outside the bounds belongs to the nearest cell per axis.
    #[must_use]
    pub fn cell_of(&self, point: Point) -> CellIndex {
        let position = point.to_array();
        self.index_of([0, 1, 2].map(|axis| self.slice_of(axis, f64::from(position[axis]))))
    }

    /// The box of a cell. It contains its lower faces; the upper ones belong to the next cells.
    ///
    /// # Panics
    ///
    /// When there is no such cell.
    #[must_use]
    pub fn cell_bounds(&self, cell: CellIndex) -> Bounds {
        let low = self.position_of(cell);
        self.box_bounds(low, low.map(|slice| slice + 1))
    }

    /// The number of the cell at `position` along x, y and z.
    pub(crate) fn index_of(&self, position: [u32; 3]) -> CellIndex {
        let [width, depth, _] = self.counts;
        CellIndex((position[2] * depth + position[1]) * width + position[0])
    }

    /// Where a cell lies along x, y and z.
    pub(crate) fn position_of(&self, cell: CellIndex) -> [u32; 3] {
        assert!(
            (cell.0 as usize) < self.cell_count(),
            "{cell:?} is outside a grid of {} cells",
            self.cell_count()
        );
        let [width, depth, _] = self.counts;
        [
            cell.0 % width,
            cell.0 / width % depth,
            cell.0 / width / depth,
        ]
    }

    /// The box of the cells from `low` up to but without `high`.
    pub(crate) fn box_bounds(&self, low: [u32; 3], high: [u32; 3]) -> Bounds {
        let corner = |slices: [u32; 3]| {
            Point::from_array([0, 1, 2].map(|axis| self.lines[axis][slices[axis] as usize]))
        };
        Bounds::new(corner(low), corner(high))
    }

    /// Which slice of cells along `axis` holds `coordinate`. Never decreases with the coordinate.
    pub(crate) fn slice_of(&self, axis: usize, coordinate: f64) -> u32 {
        let lines = &self.lines[axis];
        let last = lines.len() - 2;
        let from_min = coordinate - f64::from(lines[0]);
        // The cast saturates: below the bounds is slice 0, beyond them the last.
        let mut slice = ((from_min * self.cells_per_m) as usize).min(last);
        // The lines are rounded to `f32`, the product is not: it may be off by one.
        while slice > 0 && coordinate < f64::from(lines[slice]) {
            slice -= 1;
        }
        while slice < last && coordinate >= f64::from(lines[slice + 1]) {
            slice += 1;
        }
        slice as u32
    }
}

/// Where the slices of cells of an axis begin, and where the last one ends.
fn lines(min: f32, max: f32, edge_m: f32, count: u32) -> Vec<f32> {
    let mut lines = vec![min];
    for slice in 1..count {
        let line = (f64::from(min) + f64::from(slice) * f64::from(edge_m)) as f32;
        // Rounding may put the last line on the bounds: its cell would be empty.
        if line < max {
            lines.push(line);
        }
    }
    lines.push(max);
    lines
}

/// Refuses lengths that are not finite, bounds without extent and an edge that is not positive.
pub(crate) fn check_world(
    bounds: &Bounds,
    edge_field: &'static str,
    edge_m: f32,
    metric: Metric,
) -> Result<(), SpaceError> {
    let (min, max) = (bounds.min.to_array(), bounds.max.to_array());
    for axis in 0..3 {
        for (field, value) in [
            (["bounds.min.x", "bounds.min.y", "bounds.min.z"], min),
            (["bounds.max.x", "bounds.max.y", "bounds.max.z"], max),
        ] {
            if !value[axis].is_finite() {
                return Err(SpaceError::NotFinite {
                    field: field[axis],
                    value: value[axis],
                });
            }
        }
        if max[axis] < min[axis] || (metric.axes()[axis] && max[axis] == min[axis]) {
            return Err(SpaceError::BoundsEmpty {
                axis: ['x', 'y', 'z'][axis],
                min: min[axis],
                max: max[axis],
            });
        }
    }
    if !edge_m.is_finite() {
        return Err(SpaceError::NotFinite {
            field: edge_field,
            value: edge_m,
        });
    }
    if edge_m <= 0.0 {
        return Err(SpaceError::EdgeTooShort {
            field: edge_field,
            edge_m,
            limit_m: 0.0,
        });
    }
    Ok(())
}

/// How many cells of `edge_m` cover the bounds along x, y and z; 1 on an axis that does not count.
pub(crate) fn cells_per_axis(bounds: &Bounds, edge_m: f32, metric: Metric) -> [f64; 3] {
    let (min, max) = (bounds.min.to_array(), bounds.max.to_array());
    [0, 1, 2].map(|axis| {
        if !metric.axes()[axis] {
            return 1.0;
        }
        let edges = (f64::from(max[axis]) - f64::from(min[axis])) / f64::from(edge_m);
        // An edge such as 0.7 is not exact in `f32`: its error must not add a sliver of a cell.
        (edges * (1.0 - f64::from(f32::EPSILON))).ceil().max(1.0)
    })
}

/// Below this, two lines between cells could round to the same `f32`, in metres.
fn edge_limit_m(bounds: &Bounds, metric: Metric) -> f32 {
    let (min, max) = (metric.project(bounds.min), metric.project(bounds.max));
    let farthest = [min, max]
        .iter()
        .flat_map(|corner| corner.to_array())
        .fold(0.0_f32, |farthest, value| farthest.max(value.abs()));
    farthest * 2.0 * f32::EPSILON
}

#[cfg(test)]
mod tests;
