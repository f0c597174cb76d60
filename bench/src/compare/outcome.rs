//! What a comparison came to: the JSON of `worldshard bench`, field by field, and what another run must agree with.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::interval::{Interval, Spread};
use super::machine::Machine;
use super::rows::{Figure, Row};

/// The version of [`Outcome`] as JSON.
pub const SCHEMA: u32 = 1;

/// One comparison.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Version of the command.
    pub version: String,
    /// Where.
    pub machine: Machine,
    /// How.
    pub settings: Settings,
    /// What.
    pub rows: Vec<RowOutcome>,
}

/// How it was measured.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// How often each was measured.
    pub rounds: u32,
    /// Time under load before a window.
    pub warmup_s: f64,
    /// How long each window was.
    pub window_s: f64,
    /// Connections of every row at most, if it was to be fewer than rows say.
    pub connections_max: Option<u32>,
    /// The processors of servers and of the load, if each had one of its own.
    pub processors: Option<(usize, usize)>,
    /// Runs that were repeated because something else was busy.
    pub repeated: u32,
}

/// One row.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RowOutcome {
    /// Its name on the command line.
    pub name: String,
    /// What happened.
    pub title: String,
    /// Of all figures.
    pub unit: String,
    /// Those that were measured, and those that could not be.
    pub cells: Vec<Cell>,
}

/// One server in one row.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Cell {
    /// Its name on the command line.
    pub contender: String,
    /// What it is.
    pub title: String,
    /// Why it was not measured, or not to the end.
    pub missing: Option<String>,
    /// Its rounds.
    pub runs: Vec<Run>,
    /// Of the rounds' figures.
    pub figure: Option<Spread>,
    /// Of the rounds' ratios to the floor.
    pub ratio: Option<Spread>,
    /// Where the median of `ratio` is expected in another run; of `figure`, where there is no ratio to speak of.
    pub interval: Option<Interval>,
}

/// One round of one server.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Run {
    /// From 1.
    pub round: u32,
    /// What counts of it.
    pub figure: f64,
    /// The same by the floor's of the same round.
    pub ratio: Option<f64>,
    /// Why it is doubtful, though counted.
    pub doubts: Vec<String>,
    /// The whole report of `worldshard load`, with the histogram of latencies.
    pub load: Value,
}

impl RowOutcome {
    /// Puts the rounds together: ratios first, then what all rounds come to.
    pub(crate) fn of(row: &Row, mut cells: Vec<Cell>) -> Self {
        let floor: Vec<(u32, f64)> = cells
            .iter()
            .filter(|cell| cell.contender == FLOOR)
            .flat_map(|cell| cell.runs.iter().map(|run| (run.round, run.figure)))
            .collect();
        for cell in &mut cells {
            for run in &mut cell.runs {
                let floor = floor.iter().find(|(round, _)| *round == run.round);
                run.ratio = floor.and_then(|(_, floor)| (*floor > 0.0).then(|| run.figure / floor));
            }
            cell.settle(row.figure);
        }
        Self {
            name: row.name.to_owned(),
            title: row.title.to_owned(),
            unit: row.figure.unit().to_owned(),
            cells,
        }
    }
}

impl Cell {
    fn settle(&mut self, figure: Figure) {
        self.figure = Spread::of(self.runs.iter().map(|run| run.figure).collect());
        self.ratio = Spread::of(self.runs.iter().filter_map(|run| run.ratio).collect());
        if figure == Figure::PerConnection {
            // The floor's memory is next to nothing, so by it any other is a random multiple.
            self.ratio = None;
        }
        let compared = self.ratio.or(self.figure);
        self.interval = compared.map(Interval::around);
    }

    /// What [`Cell::interval`] speaks of.
    #[must_use]
    pub fn compared(&self) -> Option<f64> {
        self.ratio.or(self.figure).map(|spread| spread.median)
    }

    /// Rounds that are counted though doubtful.
    #[must_use]
    pub fn doubtful(&self) -> usize {
        self.runs
            .iter()
            .filter(|run| !run.doubts.is_empty())
            .count()
    }
}

impl Outcome {
    /// What of `self` falls outside the intervals that an earlier run states, in words; and how many were compared.
    #[must_use]
    pub fn outside(&self, earlier: &Self) -> (usize, Vec<String>) {
        let mut compared = 0;
        let mut outside = Vec::new();
        for row in &self.rows {
            let before = earlier.rows.iter().find(|before| before.name == row.name);
            let Some(before) = before else { continue };
            for cell in row.cells.iter().filter(|cell| cell.contender != FLOOR) {
                let mut cells = before.cells.iter();
                let before = cells.find(|before| before.contender == cell.contender);
                let (Some(median), Some(before)) = (cell.compared(), before) else {
                    continue;
                };
                // One of both without a floor beside it is another quantity.
                if before.ratio.is_some() != cell.ratio.is_some() {
                    continue;
                }
                let Some(interval) = before.interval else {
                    continue;
                };
                compared += 1;
                if !interval.holds(median) {
                    let Interval { low, high } = interval;
                    let (row, name) = (&row.name, &cell.contender);
                    outside.push(format!(
                        "{row} {name}: {median:.2} is not within {low:.2} to {high:.2}"
                    ));
                }
            }
        }
        (compared, outside)
    }
}

/// The name of what all others are divided by.
pub(crate) const FLOOR: &str = "floor";

#[cfg(test)]
mod tests;
