//! What a user reads who mistyped, asked for help, or asked the doctor.

use std::process::{Command, Output};

use crate::server::Server;

fn worldshard(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_worldshard"))
        .args(args)
        .output()
        .unwrap()
}

/// Both streams, one after the other.
fn said(run: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr)
    )
}

#[test]
fn mistakes_on_the_command_line_name_the_flag() {
    let mistakes: [(&[&str], &str); 20] = [
        (&["serve", "--shards", "many"], "--shards"),
        (&["serve", "--shards", "1025"], "--shards"),
        (&["serve", "--world", "ocean"], "flock, crowd or swarm3d"),
        (&["serve", "--tick-rate", "0"], "--tick-rate"),
        (&["serve", "--coalesce", "-1"], "--coalesce"),
        (&["serve", "--coalesce", "soon"], "milliseconds nor tick"),
        (&["serve", "--interest-radius", "-1"], "--interest-radius"),
        (&["serve", "--runtime", "tokio"], "--runtime"),
        (&["serve", "--app", "chat"], "--app"),
        (&["serve", "--files", "/client="], "names no folder"),
        (&["serve", "--files", "no/such/folder"], "no/such/folder"),
        (&["simulate", "--ticks", "0"], "--ticks"),
        (&["simulate", "--faults", "many"], "--faults"),
        (&["simulate", "--check", "some"], "none, sample or all"),
        (&["simulate", "--crashes"], "--faults"),
        (
            &["simulate", "--faults", "1", "--without", "rain"],
            "slow-disks",
        ),
        (&["simulate", "--swarm", "1", "--ticks", "9"], "--swarm"),
        (
            &["simulate", "--check", "all", "--runtime", "portable"],
            "--check: only a simulation",
        ),
        (
            &["simulate", "--faults", "1", "--runtime", "portable"],
            "--faults: only a simulation",
        ),
        (&["serve", "--log", "a=b=c"], "--log"),
    ];
    for (args, named) in mistakes {
        let run = worldshard(args);
        assert_eq!(run.status.code(), Some(2), "{args:?}: {}", said(&run));
        assert!(said(&run).contains(named), "{args:?}: {}", said(&run));
    }
}

#[test]
fn an_address_that_is_none_is_refused_with_a_remedy() {
    let run = worldshard(&["serve", "--bind", "8080"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(
        said(&run).contains("--bind 8080: not an address with a port"),
        "{}",
        said(&run)
    );
}

#[test]
fn help_names_every_flag_and_gives_examples() {
    let flags = [
        "--shards",
        "--app",
        "--world",
        "--entities",
        "--tick-rate",
        "--coalesce",
        "--interest-radius",
        "--bind",
        "--runtime",
        "--seed",
        "--auth",
        "--auth-secret-file",
        "--auth-key",
        "--auth-audience",
        "--auth-skew",
        "--auth-deadline",
        "--auth-expired",
        "--sessions-per-user",
        "--on-exceed",
        "--protocol-version",
        "--port",
        "--heartbeat-interval",
        "--heartbeat-timeout",
        "--guest-config",
        "--guest-memory",
        "--guest-call",
        "--rooms",
        "--room-wait",
        "--log",
        "Examples:",
    ];
    let help = said(&worldshard(&["serve", "--help"]));
    for flag in flags {
        assert!(help.contains(flag), "{flag} is not in\n{help}");
    }
    let help = said(&worldshard(&["simulate", "--help"]));
    for flag in [
        "--world",
        "--entities",
        "--shards",
        "--ticks",
        "--seed",
        "--runtime",
        "--clients",
        "--faults",
        "--crashes",
        "--checkpoint-ticks",
        "--without",
        "--swarm",
        "--jobs",
        "--first",
        "--runs",
        "--check",
        "--digest",
        "Examples:",
    ] {
        assert!(help.contains(flag), "{flag} is not in\n{help}");
    }
    assert_eq!(worldshard(&[]).status.code(), Some(2));
}

#[cfg(target_os = "linux")]
/// The names in the list of commands that a help text has.
fn commands(help: &str) -> Vec<&str> {
    let list = help.split("Commands:\n").nth(1).unwrap();
    let lines = list.lines().take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty()).collect()
}

#[test]
fn the_line_on_admin_names_all_that_an_operator_can_ask() {
    let help = said(&worldshard(&["--help"]));
    let all = commands(&help);
    for command in ["serve", "check", "admin", "top", "doctor"] {
        assert!(all.contains(&command), "{command} is not in\n{help}");
    }
    let of_admin = said(&worldshard(&["admin", "--help"]));
    // It may go on in the next line, which begins further in.
    let line = help.split("\n  admin ").nth(1).unwrap();
    let line = line.split("\n  top ").next().unwrap();
    let asked = commands(&of_admin);
    assert!(asked.len() > 8, "{of_admin}");
    for command in asked.into_iter().filter(|name| *name != "help") {
        let mut words = line.split(|letter: char| letter == ',' || letter.is_whitespace());
        let is_named = words.any(|word| word == command);
        assert!(is_named, "{command} is not in {line}");
    }
    assert!(of_admin.contains(" ban --user "), "{of_admin}");
    let of_top = said(&worldshard(&["top", "--help"]));
    for word in ["--url", "--token-file", "--once", "q ends"] {
        assert!(of_top.contains(word), "{word} is not in\n{of_top}");
    }
}

#[test]
fn serve_has_a_shard_for_each_core_that_it_may_use() {
    // Every core that a container shows may be there; what counts is what the process may use. The program inherits
    // it from the thread that starts it.
    let all = rustix::thread::sched_getaffinity(None).unwrap();
    let usable = (0..rustix::thread::CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
    let mut allowed = rustix::thread::CpuSet::new();
    for (count, core) in (1..=2).zip(usable) {
        allowed.set(core);
        rustix::thread::sched_setaffinity(None, &allowed).unwrap();
        let server = Server::start("portable", &["--app", "echo", "--shards", "0"]);
        assert!(
            server.line().contains(&format!(" {count} shards,")),
            "{count} cores: {}",
            server.line()
        );
    }
}

#[test]
fn doctor_says_what_was_found_and_what_runs() {
    let run = worldshard(&["doctor"]);
    assert_eq!(run.status.code(), Some(0));
    let report = String::from_utf8(run.stdout).unwrap();
    assert!(
        report.contains("io_uring") && report.contains("open files"),
        "{report}"
    );
    let runtime = report.lines().last().unwrap();
    assert!(
        runtime.starts_with("runtime glommio: ") || runtime.starts_with("runtime portable: "),
        "{report}"
    );
}

#[test]
fn simulate_says_what_each_phase_cost_and_how_dense_the_world_is() {
    let densities = ["1", "3"].map(|shards| {
        let summary = said(&worldshard(&[
            "simulate",
            "--entities",
            "2000",
            "--ticks",
            "10",
            "--shards",
            shards,
        ]));
        let nanos = |row: &str| -> f64 {
            let row = summary.lines().find(|line| line.starts_with(row));
            let last = row.and_then(|row| row.split_whitespace().last());
            last.unwrap_or_else(|| panic!("{summary}")).parse().unwrap()
        };
        let phases = [
            "apply",
            "simulate ",
            "release",
            "receive",
            "index",
            "observe",
            "publish",
        ];
        let sum: f64 = phases.into_iter().map(nanos).sum();
        assert!((sum - nanos("all ")).abs() < 1.0, "{summary}");
        assert!(nanos("simulate ") > 0.0, "{summary}");
        let density = summary.lines().find(|line| line.contains("neighbours"));
        let density = density.and_then(|line| line.split_whitespace().next());
        density.unwrap_or_else(|| panic!("{summary}")).to_owned()
    });
    assert_eq!(densities[0], densities[1], "shards see other neighbours");
    assert!(densities[0].parse::<f64>().unwrap() > 1.0, "{densities:?}");
}
