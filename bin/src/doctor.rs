//! `worldshard doctor`: what this machine allows, as the engine probes it at start.

use std::fmt::Write as _;
use std::io::Write as _;

use worldshard::Runtime;
use worldshard::runtime::probe::{Probe, choose};

use crate::failure::Failure;

/// Prints every fact with its remedy, and what would run.
pub(crate) fn run() -> Result<(), Failure> {
    let mut text = String::new();
    for fact in Probe::run().facts {
        let verdict = if fact.ok { "ok" } else { "NO" };
        writeln!(text, "{verdict}  {:<24} {}", fact.name, fact.found)
            .expect("a string takes anything");
        if !fact.remedy.is_empty() {
            writeln!(text, "    {:<24} remedy: {}", "", fact.remedy)
                .expect("a string takes anything");
        }
    }
    let chosen = choose(Runtime::Auto, 0);
    if let Ok((runtime, reason)) = &chosen {
        writeln!(text, "runtime {}: {reason}", runtime.name()).expect("a string takes anything");
    }
    // A reader that has gone, such as `head`, is no failure of the machine.
    let _ = std::io::stdout().write_all(text.as_bytes());
    chosen.map(|_| ()).map_err(Failure::from)
}
