//! Why a world's geometry is refused. Only construction can fail; questions about space cannot.

use std::fmt;

use crate::{CELLS_MAX, INDEX_CELLS_MAX};

/// A geometry that cannot be built. The text names the field, its value and the limit.
#[derive(Clone, Debug, PartialEq)]
pub enum SpaceError {
    /// A coordinate or length is infinite or NaN.
    NotFinite {
        /// What was given.
        field: &'static str,
        /// Its value.
        value: f32,
    },
    /// The bounds are inverted, or have no extent on an axis that counts.
    BoundsEmpty {
        /// The axis.
        axis: char,
        /// The smaller end, in metres.
        min: f32,
        /// The larger end, in metres.
        max: f32,
    },
    /// The cell edge is not longer than the limit: zero, or below what `f32` resolves at the rim.
    EdgeTooShort {
        /// Of which grid, by the field that sets it.
        field: &'static str,
        /// The edge, in metres.
        edge_m: f32,
        /// The edge must be at least this long and more than zero, in metres.
        limit_m: f32,
    },
    /// The ownership grid would have more than [`CELLS_MAX`] cells.
    CellsTooMany {
        /// How many it would have.
        cells: f64,
    },
    /// The index would number more than [`INDEX_CELLS_MAX`] cells.
    IndexCellsTooMany {
        /// How many it would number.
        cells: f64,
    },
    /// No shard at all, or more shards than cells: each must own at least one.
    ShardsOutOfRange {
        /// How many were asked for.
        shards: u16,
        /// How many cells there are.
        cells: usize,
    },
    /// The weights do not match the cells one to one.
    WeightsLength {
        /// How many weights were given.
        weights: usize,
        /// How many cells there are.
        cells: usize,
    },
}

impl fmt::Display for SpaceError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite { field, value } => write!(out, "{field} is {value}: must be finite"),
            Self::BoundsEmpty { axis, min, max } => write!(
                out,
                "bounds.{axis} is {min} m to {max} m: max must exceed min on an axis that counts and never be below it"
            ),
            Self::EdgeTooShort {
                field,
                edge_m,
                limit_m,
            } => write!(
                out,
                "{field} is {edge_m} m: must be more than 0 and at least {limit_m} m"
            ),
            Self::CellsTooMany { cells } => write!(
                out,
                "cell_edge_m makes {cells} cells: at most {CELLS_MAX}; choose longer edges or a smaller world"
            ),
            Self::IndexCellsTooMany { cells } => write!(
                out,
                "index_edge_m makes {cells} cells: at most {INDEX_CELLS_MAX}; choose longer edges or a smaller world"
            ),
            Self::ShardsOutOfRange { shards, cells } => write!(
                out,
                "shards is {shards}: at least 1 and at most the number of cells, {cells}"
            ),
            Self::WeightsLength { weights, cells } => write!(
                out,
                "weights has {weights} entries: must be one for each of the {cells} cells"
            ),
        }
    }
}

impl std::error::Error for SpaceError {}
