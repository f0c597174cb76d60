//! Where things are: points, the grid of cells, territories, the border and the index.
//!
//! Pure geometry. Nothing here waits, reads a clock or knows an entity by more than its number.
//! Lengths are metres.

mod point;

mod metric;

mod error;

mod cells;

mod territory;

mod border;

mod index;

pub use border::Border;
pub use cells::{CELLS_MAX, CellGrid, CellIndex};
pub use error::SpaceError;
pub use index::{INDEX_CELLS_MAX, Index, IndexKind, Near};
pub use metric::Metric;
pub use point::{Bounds, Point};
pub use territory::{CellMap, ShardId};
