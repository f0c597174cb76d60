//! A comparison for readers: a table for a terminal, a page for a browser. Never measures.

mod page;
mod plot;
mod table;

pub use page::page;
pub use table::table;

#[cfg(test)]
mod tests;

use crate::compare::{Cell, Run, Spread};

/// Digits as many as say something.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let Some((whole, rest)) = text.split_at_checked(text.len().saturating_sub(3)) else {
        return text;
    };
    if digits > 0 || whole.trim_start_matches('-').is_empty() {
        return text;
    }
    format!("{whole} {rest}")
}

fn spread(spread: Spread) -> String {
    let Spread {
        least,
        median,
        most,
    } = spread;
    format!("{} ({} to {})", number(median), number(least), number(most))
}

/// The p99 of the latencies of a round, in milliseconds.
fn p99_ms(run: &Run) -> Option<f64> {
    run.load["latency_us"]["p99"].as_f64().map(|us| us / 1e3)
}

/// The median of all rounds' p99, in milliseconds.
fn median_p99_ms(cell: &Cell) -> Option<f64> {
    let all: Vec<f64> = cell.runs.iter().filter_map(p99_ms).collect();
    Spread::of(all).map(|all| all.median)
}

/// Why rounds of a cell are doubtful, each reason once.
fn doubts(cell: &Cell) -> Vec<&str> {
    let mut doubts: Vec<&str> = cell
        .runs
        .iter()
        .flat_map(|run| &run.doubts)
        .map(String::as_str)
        .collect();
    doubts.sort_unstable();
    doubts.dedup();
    doubts
}
