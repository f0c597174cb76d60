//! `simulate` without threads: the same digests as the real drivers, faults from a seed, and what the summary says.

use std::process::{Command, Output};

use crate::runtimes::runs_here;

const SMALL: [&str; 6] = ["simulate", "--entities", "300", "--ticks", "60", "--digest"];

fn simulate(args: &[&str]) -> (String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_worldshard"))
        .args(SMALL)
        .args(args)
        .output()
        .unwrap();
    let summary = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{args:?}: {summary}");
    (String::from_utf8(stdout).unwrap(), summary)
}

#[test]
fn a_simulation_has_the_digests_of_the_real_drivers() {
    for world in ["flock", "crowd", "swarm3d"] {
        let (one, summary) = simulate(&["--world", world]);
        assert!(
            summary.contains("runtime sim") && summary.contains("audit green"),
            "{summary}"
        );
        assert_eq!(one.lines().count(), 60);
        let (four, _) = simulate(&["--world", world, "--shards", "4", "--runtime", "sim"]);
        assert!(one == four, "{world}: 4 shards");
        for runtime in ["glommio", "portable"] {
            if runs_here(runtime.parse().unwrap(), 2) {
                let (two, _) = simulate(&["--world", world, "--shards", "2", "--runtime", runtime]);
                assert!(one == two, "{world}: {runtime}");
            }
        }
    }
}

#[test]
fn clients_change_the_world() {
    let (with, _) = simulate(&[]);
    let (without, _) = simulate(&["--clients", "0"]);
    assert!(with != without);
}

#[test]
fn faults_come_from_their_seed_and_are_named_in_the_summary() {
    let faulty = |seed| simulate(&["--shards", "4", "--faults", seed]);
    let (digests, summary) = faulty("7");
    assert!(digests == faulty("7").0);
    assert!(digests != faulty("8").0);
    for kind in [
        "late envelopes",
        "late letters",
        "stalled shards",
        "stalled clients",
        "disconnects",
        "lies",
        "handoffs",
        "enters",
        "leaves",
        "audit green",
        "checks: ",
        " visible",
    ] {
        assert!(summary.contains(kind), "{kind} is not in\n{summary}");
    }
}
