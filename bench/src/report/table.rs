//! The table for a terminal.

use std::fmt::Write as _;

use super::{doubts, median_p99_ms, number, spread};
use crate::compare::{Cell, Outcome, RowOutcome};

/// All rows, the machine, and how to read them.
#[must_use]
pub fn table(outcome: &Outcome) -> String {
    let mut text = String::new();
    for row in &outcome.rows {
        write_row(row, &mut text).expect("a string takes anything");
    }
    write_machine(outcome, &mut text).expect("a string takes anything");
    text
}

fn write_row(row: &RowOutcome, text: &mut String) -> std::fmt::Result {
    writeln!(text, "{}: {}", row.name, row.title)?;
    let unit = &row.unit;
    writeln!(
        text,
        "  {:<18} {unit:<32} {:<24} {:<16} p99 ms",
        "", "by the floor's", "expected"
    )?;
    for cell in &row.cells {
        write_cell(cell, text)?;
    }
    for cell in row.cells.iter().filter(|cell| cell.doubtful() > 0) {
        let (name, doubtful, runs) = (&cell.contender, cell.doubtful(), cell.runs.len());
        writeln!(
            text,
            "  * {name}: {doubtful} of {runs} rounds: {}",
            doubts(cell).join("; ")
        )?;
    }
    writeln!(text)
}

fn write_cell(cell: &Cell, text: &mut String) -> std::fmt::Result {
    let mark = if cell.doubtful() > 0 { "*" } else { "" };
    let name = format!("{}{mark}", cell.contender);
    let Some(figure) = cell.figure else {
        let why = cell.missing.as_deref().unwrap_or("not measured");
        return writeln!(text, "  {name:<18} n/a: {why}");
    };
    let figure = spread(figure);
    let ratio = cell.ratio.map(spread).unwrap_or_default();
    let expected = cell.interval.map(|interval| {
        let (low, high) = (number(interval.low), number(interval.high));
        format!("{low} to {high}")
    });
    let expected = expected.unwrap_or_default();
    let p99 = median_p99_ms(cell).map(number).unwrap_or_default();
    let line = format!("  {name:<18} {figure:<32} {ratio:<24} {expected:<16} {p99}");
    writeln!(text, "{}", line.trim_end())?;
    match &cell.missing {
        Some(why) => writeln!(text, "  {:<18} then: {why}", ""),
        None => Ok(()),
    }
}

fn write_machine(outcome: &Outcome, text: &mut String) -> std::fmt::Result {
    let (machine, settings) = (&outcome.machine, &outcome.settings);
    let gib = machine.memory_bytes as f64 / f64::from(1 << 30);
    let kind = if machine.is_virtual { " (virtual)" } else { "" };
    let (processor, cores) = (&machine.processor, machine.cores);
    writeln!(
        text,
        "{processor}{kind}, {cores} cores, {gib:.0} GiB, {}",
        machine.kernel
    )?;
    writeln!(
        text,
        "governor {}, load before {:.2}",
        machine.governor, machine.load_before
    )?;
    let pinned = match settings.processors {
        Some((server, load)) => format!("servers on processor {server}, load on {load}"),
        None => "one processor for all: figures are doubtful".to_owned(),
    };
    if let Some(most) = settings.connections_max {
        writeln!(
            text,
            "at most {most} connections, whatever the rows say: no figures to quote"
        )?;
    }
    let (rounds, window) = (settings.rounds, settings.window_s);
    writeln!(
        text,
        "{rounds} rounds in turn, {window} s each after {} s of warming up, {} repeated; {pinned}",
        settings.warmup_s, settings.repeated
    )?;
    writeln!(
        text,
        "median (least to most) of the rounds; expected: where another run's median should fall"
    )
}
