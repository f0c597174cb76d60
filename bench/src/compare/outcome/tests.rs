use serde_json::Value;

use super::*;
use crate::compare::rows::ROWS;

fn cell(contender: &str, figures: &[f64]) -> Cell {
    let run = |(at, &figure): (usize, &f64)| Run {
        round: at as u32 + 1,
        figure,
        ratio: None,
        doubts: Vec::new(),
        load: Value::Null,
    };
    Cell {
        contender: contender.to_owned(),
        title: contender.to_owned(),
        missing: None,
        runs: figures.iter().enumerate().map(run).collect(),
        figure: None,
        ratio: None,
        interval: None,
    }
}

fn row(name: &str, cells: Vec<Cell>) -> RowOutcome {
    let row = ROWS.iter().find(|row| row.name == name).unwrap();
    RowOutcome::of(row, cells)
}

fn outcome(rows: Vec<RowOutcome>) -> Outcome {
    Outcome {
        schema: SCHEMA,
        version: "0".to_owned(),
        machine: Machine::here(),
        settings: Settings {
            rounds: 3,
            warmup_s: 1.0,
            window_s: 1.0,
            connections_max: None,
            processors: None,
            repeated: 0,
        },
        rows,
    }
}

#[test]
fn each_round_is_divided_by_the_floor_of_the_same_round() {
    let cells = vec![
        cell("portable", &[4.0, 9.0, 8.0]),
        cell(FLOOR, &[4.0, 6.0, 8.0]),
    ];
    let row = row("echo-1", cells);
    let ratio = row.cells[0].ratio.unwrap();
    assert_eq!((ratio.least, ratio.median, ratio.most), (1.0, 1.0, 1.5));
    assert_eq!(row.cells[0].figure.unwrap().median, 8.0);
    assert_eq!(row.cells[1].ratio.unwrap().median, 1.0);
}

#[test]
fn a_round_without_a_floor_has_no_ratio_but_a_figure() {
    let row = row(
        "echo-1",
        vec![cell("portable", &[4.0, 6.0]), cell(FLOOR, &[2.0])],
    );
    assert_eq!(row.cells[0].runs[1].ratio, None);
    let ratio = row.cells[0].ratio.unwrap();
    assert_eq!((ratio.least, ratio.most), (2.0, 2.0));
    assert_eq!(row.cells[0].figure.unwrap().most, 6.0);
}

#[test]
fn memory_is_compared_in_bytes_and_all_else_by_the_floor() {
    let cells = || {
        vec![
            cell("portable", &[900.0, 910.0, 920.0]),
            cell(FLOOR, &[1.0, 200.0, 7.0]),
        ]
    };
    let idle = row("idle", cells());
    assert_eq!(idle.cells[0].ratio, None);
    assert_eq!(idle.cells[0].compared(), Some(910.0));
    assert!(idle.cells[0].interval.unwrap().holds(960.0));
    assert!(row("echo-1", cells()).cells[0].ratio.is_some());
}

#[test]
fn a_second_run_agrees_when_its_ratios_do_however_fast_the_machine_was() {
    let floor = |figure: f64| cell(FLOOR, &[figure, figure, figure]);
    let first = outcome(vec![row(
        "echo-1",
        vec![cell("portable", &[4.4, 4.5, 4.6]), floor(4.0)],
    )]);
    let twice = outcome(vec![row(
        "echo-1",
        vec![cell("portable", &[8.8, 9.0, 9.2]), floor(8.0)],
    )]);
    assert_eq!(twice.outside(&first), (1, Vec::new()));
    let slower = outcome(vec![row(
        "echo-1",
        vec![cell("portable", &[6.0, 6.1, 6.2]), floor(4.0)],
    )]);
    let (compared, outside) = slower.outside(&first);
    assert_eq!((compared, outside.len()), (1, 1));
    assert!(
        outside[0].starts_with("echo-1 portable: 1.5"),
        "{outside:?}"
    );
}

#[test]
fn what_only_one_run_measured_is_not_compared() {
    let floor = || cell(FLOOR, &[4.0]);
    let first = outcome(vec![row("echo-1", vec![cell("portable", &[4.0]), floor()])]);
    let other = outcome(vec![row("echo-1", vec![cell("glommio", &[9.0]), floor()])]);
    assert_eq!(other.outside(&first), (0, Vec::new()));
    let without_floor = outcome(vec![row("echo-1", vec![cell("portable", &[99.0])])]);
    assert_eq!(without_floor.outside(&first), (0, Vec::new()));
}
