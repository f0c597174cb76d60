//! The load generator: many clients of one server in one thread, and what the server spent on them.
//!
//! Opens no connection beyond this machine unless it is allowed to. Prints nothing: [`run`] returns a [`Report`].

mod dialect;
mod plan;
mod report;

mod run;
mod runner;

mod outcome;

mod echo;
mod fanout;
mod idle;
mod sink;
mod spoken;
mod storm;
mod world;

mod flat_view;

mod counts;
mod schedule;
mod tagged;

mod fleet;
mod process;
mod socket;
mod tls;

pub use dialect::Dialect;
pub use plan::{Pace, Plan, PlanError, Scenario, Stallable, Target};
pub use process::Usage;
pub use report::{
    FaultsReport, GeneratorReport, Latencies, Offered, Report, SCHEMA, ServerReport, StalledReport,
    StormReport, WorldReport,
};
pub use run::run;
pub use runner::Failed;
