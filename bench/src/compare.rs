//! The engine, a floor and the servers of others side by side: each in a process of its own, run after run in turn.
//!
//! Starts and ends programs; prints nothing.

mod contenders;
mod rows;

mod rounds;

mod interval;
mod outcome;

pub(crate) mod child;
mod machine;
pub mod peers;

pub use child::{Ended, stopped_by_signals};
pub use contenders::{CONTENDERS, Contender};
pub use interval::{Interval, Spread};
pub use machine::Machine;
pub use outcome::{Cell, Outcome, RowOutcome, Run, SCHEMA, Settings};
pub use rounds::{Plan, Step};
pub use rows::{App, Figure, ROWS, Row};
