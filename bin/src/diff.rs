//! `worldshard diff`: where two kept worlds part.

use std::io::Write as _;

use worldshard::runtime::{Difference, first_difference};

use crate::cli::DiffArgs;
use crate::failure::Failure;
use crate::kept;

/// Prints the first difference; status 1 when there is one, as `cmp` has it.
pub(crate) fn run(args: &DiffArgs) -> Result<(), Failure> {
    let (one, _) = kept::recording(&args.one)?;
    let (other, _) = kept::recording(&args.other)?;
    match first_difference(&one, &other)? {
        None => {
            let _ = writeln!(
                std::io::stdout(),
                "no difference in the ticks that both have"
            );
            Ok(())
        }
        Some(difference) => Err(Failure::runtime(told(&difference))),
    }
}

fn told(difference: &Difference) -> String {
    let Difference {
        tick,
        shard,
        entity,
        component,
        one,
        other,
    } = difference;
    let place = format!("tick {tick}, shard {shard}, entity {entity}");
    let Some(component) = component else {
        return format!("{place}: only one of them has it");
    };
    let shown = |bytes: &Option<Vec<u8>>| match bytes {
        None => "absent".to_owned(),
        Some(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    format!(
        "{place}, component {component}: {} in one, {} in the other",
        shown(one),
        shown(other)
    )
}
