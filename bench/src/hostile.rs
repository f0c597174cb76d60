//! What a well-behaved client notices of an attack, and what the server holds for the attackers: a server, an attacker and
//! a probe, each a process of its own.
//!
//! Opens no connection beyond this machine. Prints nothing: [`run`] returns a [`Figures`].

mod attack;
mod probe;
mod run;

pub use attack::{Attack, Attacked, attack};
pub use probe::Times;
pub use run::{Figures, Plan, run};
