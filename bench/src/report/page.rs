//! The page: one file without anything from elsewhere, for light and dark.

use std::fmt::Write as _;

use serde_json::Value;

use super::plot::{self, Bar, Line};
use super::{doubts, median_p99_ms, number, spread, table};
use crate::compare::{Cell, Outcome, RowOutcome, Run};

/// All of an outcome but its raw rounds.
#[must_use]
pub fn page(outcome: &Outcome) -> String {
    let mut body = String::new();
    for row in &outcome.rows {
        write_row(row, &mut body).expect("a string takes anything");
    }
    let all = table(outcome);
    let facts = all.rsplit("\n\n").next().unwrap_or_default();
    let facts = escaped(facts.trim_end()).replace('\n', "<br>\n");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>worldshard bench</title>\n\
         <style>{STYLE}</style>\n<h1>worldshard beside its peers</h1>\n<p>{facts}</p>\n\
         <p>Bars: medians of the rounds; the line at their ends: least to most. {EXPLAINED}</p>\n{body}</html>\n"
    )
}

fn write_row(row: &RowOutcome, body: &mut String) -> std::fmt::Result {
    let (name, title, unit) = (escaped(&row.name), escaped(&row.title), escaped(&row.unit));
    writeln!(
        body,
        "<h2 id=\"{name}\">{title}</h2>\n<p>{unit}; less is better</p>"
    )?;
    let bars: Vec<Bar<'_>> = row.cells.iter().filter_map(bar).collect();
    if !bars.is_empty() {
        writeln!(body, "{}", plot::bars(&bars))?;
    }
    write_cells(row, body)?;
    let lines: Vec<Line<'_>> = row.cells.iter().filter_map(line).collect();
    if !lines.is_empty() {
        writeln!(
            body,
            "<p>latency by percentile, of the median round</p>\n{}",
            plot::latencies(&lines)
        )?;
    }
    Ok(())
}

fn bar(cell: &Cell) -> Option<Bar<'_>> {
    let value = cell.figure?;
    let mut note = number(value.median);
    if let Some(ratio) = cell.ratio {
        note = format!("{note}   × {}", number(ratio.median));
    }
    if cell.doubtful() > 0 {
        note.push_str(" *");
    }
    let class = match cell.contender.as_str() {
        "floor" => "floor",
        "portable" | "glommio" => "own",
        _ => "peer",
    };
    Some(Bar {
        name: &cell.contender,
        value,
        class,
        note,
    })
}

fn write_cells(row: &RowOutcome, body: &mut String) -> std::fmt::Result {
    writeln!(
        body,
        "<table><tr><th>server<th>{}<th>by the floor's<th>expected<th>p99 ms<th>rounds",
        escaped(&row.unit)
    )?;
    for cell in &row.cells {
        let title = escaped(&cell.title);
        let Some(figure) = cell.figure else {
            let why = escaped(cell.missing.as_deref().unwrap_or("not measured"));
            writeln!(body, "<tr><td>{title}<td colspan=\"5\">n/a: {why}")?;
            continue;
        };
        let ratio = cell.ratio.map(spread).unwrap_or_default();
        let expected = cell.interval.map(|interval| {
            let (low, high) = (number(interval.low), number(interval.high));
            format!("{low} to {high}")
        });
        let mut rounds = cell.runs.len().to_string();
        if cell.doubtful() > 0 {
            let why = escaped(&doubts(cell).join("; "));
            write!(rounds, ", {} doubtful*: {why}", cell.doubtful())?;
        }
        if let Some(why) = &cell.missing {
            write!(rounds, ", then {}", escaped(why))?;
        }
        let (figure, expected) = (spread(figure), expected.unwrap_or_default());
        let p99 = median_p99_ms(cell).map(number).unwrap_or_default();
        writeln!(
            body,
            "<tr><td>{title}<td>{figure}<td>{ratio}<td>{expected}<td>{p99}<td>{rounds}"
        )?;
    }
    writeln!(body, "</table>")
}

/// Of the round whose figure is the median.
fn line(cell: &Cell) -> Option<Line<'_>> {
    let median = cell.figure?.median;
    let run = cell
        .runs
        .iter()
        .find(|run| run.figure.total_cmp(&median).is_eq())?;
    let points = points(run);
    (!points.is_empty()).then_some(Line {
        name: &cell.contender,
        points,
    })
}

/// From the histogram, or without one from the percentiles.
fn points(run: &Run) -> Vec<(f64, f64)> {
    let latencies = &run.load["latency_us"];
    let buckets: Vec<(f64, f64)> = run.load["latency_histogram"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|bucket| Some((bucket[0].as_f64()?, bucket[1].as_f64()?)))
        .collect();
    let all: f64 = buckets.iter().map(|(_, count)| count).sum();
    if all > 0.0 {
        let mut before = 0.0;
        let share = |&(us, count): &(f64, f64)| {
            before += count;
            (before / all, us / 1e3)
        };
        return buckets.iter().map(share).collect();
    }
    let at = |share: f64, name: &str| Some((share, latencies[name].as_f64()? / 1e3));
    let named = [
        at(0.5, "p50"),
        at(0.9, "p90"),
        at(0.99, "p99"),
        at(0.999, "p99_9"),
    ];
    match latencies {
        Value::Object(_) => named.into_iter().flatten().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Vec::new()
        }
    }
}

/// Text that is not to be taken for marks.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

const EXPLAINED: &str = "A server's processor time is that of its process, user and system, over the window. Each \
    round is divided by the floor's of the same round: the floor only reads and sends, so it stands for the kernel. \
    Expected is where the median of another run on the same machine should fall: least to most of the rounds, both \
    moved outwards by as much as they are apart, at least by a tenth of the median. A star: something was not as it \
    should be.";

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #fbfbf9; --faint: #d5d7d3; --own: #2f6fb2; --floor: #8d918c;
  --peer: #c3895a; --light: 40%; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #dfe1dd; --paper: #191b1d; --faint: #3a3d40; --own: #6fa8e0; --floor: #7b807b; --peer: #b98257;
    --light: 66%; }
}
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 68rem;
  margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-top: 1px solid var(--faint); padding-top: 1rem; }
svg { max-width: 100%; height: auto; display: block; margin: .5rem 0; font-size: 12px; fill: var(--ink); }
svg text { dominant-baseline: middle; white-space: pre; }
svg .name { text-anchor: end; }
svg .under { text-anchor: middle; }
.own { fill: var(--own); } .floor { fill: var(--floor); } .peer { fill: var(--peer); }
.spread { stroke: var(--ink); stroke-width: 2; } .grid { stroke: var(--faint); }
.line { fill: none; stroke: hsl(var(--hue) 60% var(--light)); stroke-width: 1.8; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; display: block;
  overflow-x: auto; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--faint); vertical-align: top; }
td:nth-child(n+2):nth-child(-n+5):not([colspan]) { white-space: nowrap; }
";
