use serde_json::json;

use super::*;
use crate::compare::{Cell, Machine, Outcome, RowOutcome, Run, SCHEMA, Settings};
use crate::compare::{Figure, Interval};

fn cell(contender: &str, figure: Option<f64>) -> Cell {
    let run = |figure| Run {
        round: 1,
        figure,
        ratio: Some(1.25),
        doubts: vec!["a <loud> neighbour".to_owned()],
        load: json!({
            "latency_us": { "p50": 100.0, "p90": 200.0, "p99": 1_234.0, "p99_9": 2_000.0 },
            "latency_histogram": [[100.0, 5], [200.0, 4], [2_000.0, 1]],
        }),
    };
    let spread = |value| Spread::of(vec![value]).unwrap();
    Cell {
        contender: contender.to_owned(),
        title: format!("{contender}, a server"),
        missing: figure.is_none().then(|| "it has no <world>".to_owned()),
        runs: figure.map(run).into_iter().collect(),
        figure: figure.map(spread),
        ratio: figure.map(|_| spread(1.25)),
        interval: figure.map(|_| Interval::around(spread(1.25))),
    }
}

fn outcome() -> Outcome {
    Outcome {
        schema: SCHEMA,
        version: "0".to_owned(),
        machine: Machine::here(),
        settings: Settings {
            rounds: 1,
            warmup_s: 0.5,
            window_s: 2.0,
            connections_max: Some(20),
            processors: Some((0, 1)),
            repeated: 0,
        },
        rows: vec![RowOutcome {
            name: "echo-1".to_owned(),
            title: "100 echo & wait".to_owned(),
            unit: Figure::PerMessage.unit().to_owned(),
            cells: vec![cell("portable", Some(5.0)), cell("colyseus", None)],
        }],
    }
}

#[test]
fn numbers_have_the_digits_that_say_something() {
    let all = [0.1234, 4.5, 12.34, 567.8, 12_345.6, -1_234.5].map(number);
    assert_eq!(all, ["0.12", "4.50", "12.3", "568", "12 346", "-1 234"]);
}

#[test]
fn the_table_has_figures_ratios_reasons_and_doubts() {
    let text = table(&outcome());
    for part in [
        "echo-1: 100 echo & wait",
        "portable*",
        "5.00 (5.00 to 5.00)",
        "1.25 (1.25 to 1.25)",
        "1.12 to 1.38",
        "1.23",
        "n/a: it has no <world>",
        "at most 20 connections",
        "* portable: 1 of 1 rounds: a <loud> neighbour",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn the_page_is_whole_and_takes_nothing_from_elsewhere() {
    let html = page(&outcome());
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
    assert_eq!(html.matches("<svg ").count(), 2, "{html}");
    assert_eq!(html.matches("</svg>").count(), 2);
    assert!(html.contains("it has no &lt;world&gt;") && html.contains("100 echo &amp; wait"));
    assert!(!html.contains("<world>") && !html.contains("NaN"));
    for foreign in ["http:", "https:", "src=", "href=", "@import", "url("] {
        assert!(!html.contains(foreign), "{foreign}");
    }
}
