//! Plots as SVG, drawn in the colours that the page around them has.

use std::fmt::Write as _;

use super::page::escaped;
use crate::compare::Spread;

/// One bar.
pub(super) struct Bar<'a> {
    pub(super) name: &'a str,
    pub(super) value: Spread,
    pub(super) class: &'static str,
    pub(super) note: String,
}

/// Medians as bars, least to most as a line across each end.
pub(super) fn bars(bars: &[Bar<'_>]) -> String {
    let most = bars
        .iter()
        .map(|bar| bar.value.most)
        .fold(f64::MIN_POSITIVE, f64::max);
    let x = |value: f64| NAME_PX + value.max(0.0) / most * BARS_PX;
    let height = bars.len() as f64 * BAR_PX;
    let mut svg = open(NAME_PX + BARS_PX + NOTE_PX, height);
    for (at, bar) in bars.iter().enumerate() {
        let top = at as f64 * BAR_PX;
        let middle = top + BAR_PX / 2.0;
        let Spread {
            least,
            median,
            most,
        } = bar.value;
        let (name, note, class) = (escaped(bar.name), escaped(&bar.note), bar.class);
        let (from, length) = (top + 3.0, x(median) - NAME_PX);
        let (high, right) = (BAR_PX - 6.0, NAME_PX - 8.0);
        let (begin, end) = (x(least), x(most));
        let beside = end + 8.0;
        write!(
            svg,
            "<text x=\"{right:.1}\" y=\"{middle:.1}\" class=\"name\">{name}</text>\
             <rect x=\"{NAME_PX}\" y=\"{from:.1}\" width=\"{length:.1}\" height=\"{high:.1}\" class=\"{class}\"/>\
             <path d=\"M{begin:.1} {middle:.1}H{end:.1}\" class=\"spread\"/>\
             <text x=\"{beside:.1}\" y=\"{middle:.1}\">{note}</text>"
        )
        .expect("a string takes anything");
    }
    svg + "</svg>"
}

/// One line of latencies.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    /// Share of all that are at most so many milliseconds, rising.
    pub(super) points: Vec<(f64, f64)>,
}

/// Latency by percentile, both in powers of ten: the tail is what matters.
pub(super) fn latencies(lines: &[Line<'_>]) -> String {
    let all = || {
        lines
            .iter()
            .flat_map(|line| &line.points)
            .map(|(_, ms)| ms.max(LEAST_MS))
    };
    let low = all().fold(f64::MAX, f64::min).log10().floor();
    let high = all().fold(LEAST_MS, f64::max).log10().ceil().max(low + 1.0);
    let x = |share: f64| AXIS_PX + nines(share) / NINES_MAX * PLOT_PX;
    let y = |ms: f64| TOP_PX + (high - ms.max(LEAST_MS).log10()) / (high - low) * PLOT_HIGH_PX;
    let mut svg = open(AXIS_PX + PLOT_PX + LEGEND_PX, PLOT_HIGH_PX + TOP_PX + 24.0);
    let mut draw =
        |text: std::fmt::Arguments<'_>| svg.write_fmt(text).expect("a string takes anything");
    for power in low as i32..=high as i32 {
        let ms = 10_f64.powi(power);
        let at = y(ms);
        draw(format_args!(
            "<path d=\"M{AXIS_PX} {at:.1}h{PLOT_PX}\" class=\"grid\"/>"
        ));
        let left = AXIS_PX - 6.0;
        draw(format_args!(
            "<text x=\"{left}\" y=\"{at:.1}\" class=\"name\">{ms} ms</text>"
        ));
    }
    let bottom = TOP_PX + PLOT_HIGH_PX;
    for (share, label) in [
        (0.0, "0"),
        (0.5, "50"),
        (0.9, "90"),
        (0.99, "99"),
        (0.999, "99.9"),
    ] {
        let at = x(share);
        draw(format_args!(
            "<path d=\"M{at:.1} {TOP_PX}v{PLOT_HIGH_PX}\" class=\"grid\"/>"
        ));
        let under = bottom + 14.0;
        draw(format_args!(
            "<text x=\"{at:.1}\" y=\"{under}\" class=\"under\">{label} %</text>"
        ));
    }
    for (at, line) in lines.iter().enumerate() {
        let hue = at * 360 / lines.len().max(1);
        let (from, right) = (TOP_PX + 10.0 + at as f64 * 16.0, AXIS_PX + PLOT_PX + 12.0);
        draw(format_args!("<path d=\"M"));
        for (share, ms) in &line.points {
            draw(format_args!("{:.1} {:.1} ", x(*share), y(*ms)));
        }
        let name = escaped(line.name);
        draw(format_args!("\" style=\"--hue:{hue}\" class=\"line\"/>"));
        draw(format_args!(
            "<path d=\"M{right} {from}h18\" style=\"--hue:{hue}\" class=\"line\"/>"
        ));
        let text = right + 24.0;
        draw(format_args!(
            "<text x=\"{text}\" y=\"{from}\">{name}</text>"
        ));
    }
    svg + "</svg>"
}

/// 0 for none, 1 for 90 %, 2 for 99 %, and so on.
fn nines(share: f64) -> f64 {
    -(1.0 - share).max(10_f64.powf(-NINES_MAX)).log10()
}

fn open(width: f64, height: f64) -> String {
    format!(
        "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">"
    )
}

const NAME_PX: f64 = 150.0;
const BARS_PX: f64 = 480.0;
const NOTE_PX: f64 = 190.0;
const BAR_PX: f64 = 22.0;

const AXIS_PX: f64 = 80.0;
const PLOT_PX: f64 = 520.0;
const PLOT_HIGH_PX: f64 = 200.0;
const TOP_PX: f64 = 10.0;
const LEGEND_PX: f64 = 220.0;

/// Percentiles beyond have too few samples in runs so short.
const NINES_MAX: f64 = 3.5;

/// Shorter than this nothing is told apart.
const LEAST_MS: f64 = 0.01;
