//! `worldshard load` against the engine's own servers, the floor, and servers that do wrong.

use std::process::{Command, Output};

use serde_json::Value;

use worldshard_bench::load::Report;

use crate::server::{PROGRAM, Server, limited, on_each_runtime};
use crate::wrong_server::{self, Wrong};

on_each_runtime!(
    every_scenario_of_messages_ends_with_a_valid_report,
    a_world_is_steered_checked_and_measured,
    a_load_by_tls_is_a_load
);

/// A report, and what was said beside it.
struct Run {
    report: Value,
    output: Output,
}

impl Run {
    /// Loads a server; the generator may be as late as a busy machine makes it.
    fn of(server: &Server, path: &str, args: &[&str]) -> Self {
        let scheme = match server.line().contains("https://") {
            true => "wss",
            false => "ws",
        };
        let url = format!("{scheme}://{}{path}", server.addr());
        let pid = server.pid().to_string();
        let lag: &[&str] = match args.contains(&"--lag-max") {
            true => &[],
            false => &["--lag-max", "5000"],
        };
        let output = Command::new(PROGRAM)
            .args(["load", "--url", &url, "--pid", &pid, "--json", "-"])
            .args(["--warmup", "0.1", "--seconds", "0.4"])
            .args(args)
            .args(lag)
            .output()
            .unwrap();
        Self::read(output)
    }

    fn read(output: Output) -> Self {
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {output:?}"));
        let whole: Report = serde_json::from_value(report.clone()).unwrap();
        assert_eq!(whole.schema, 1);
        Self { report, output }
    }

    /// The same, and nothing was wrong.
    fn valid(server: &Server, path: &str, args: &[&str]) -> Self {
        let run = Self::of(server, path, args);
        assert_eq!(run.output.status.code(), Some(0), "{:?}", run.output);
        assert_eq!(run.report["valid"], true, "{}", run.report);
        run
    }

    /// The same for a load without a rate: on a machine with other work either end may be the limit.
    fn sound(server: &Server, path: &str, args: &[&str]) -> Self {
        let run = Self::of(server, path, args);
        let doubts = run.report["why_invalid"].as_array().unwrap();
        let only_limit = |why: &Value| why.as_str().unwrap().contains("was the limit");
        assert!(doubts.iter().all(only_limit), "{}", run.report);
        run
    }

    fn number(&self, pointer: &str) -> f64 {
        let value = self.report.pointer(pointer).and_then(Value::as_f64);
        value.unwrap_or_else(|| panic!("{pointer} is no number in {}", self.report))
    }
}

fn every_scenario_of_messages_ends_with_a_valid_report(runtime: &str) {
    let echo = Server::start(runtime, &["--app", "echo", "--shards", "2"]);
    let run = Run::sound(&echo, "/ws", &["--scenario", "echo", "--in-flight", "4"]);
    assert!(run.number("/delivered") > 100.0);
    assert!(run.number("/cpu_us_per_message") > 0.0);
    assert!(run.number("/latency_us/p50") <= run.number("/latency_us/max"));
    let run = Run::valid(
        &echo,
        "/ws",
        &["--scenario", "echo", "--rate", "20", "--text"],
    );
    assert_eq!(run.number("/offered/messages_per_s"), 2000.0);
    let run = Run::valid(
        &echo,
        "/ws",
        &["--scenario", "storm", "--connections", "60"],
    );
    assert!(run.number("/storm/handshakes_per_s") > 0.0);
    assert!(run.number("/cpu_us_per_handshake") >= 0.0);
    let run = Run::valid(&echo, "/ws", &["--scenario", "idle"]);
    assert!(run.number("/server/rss_bytes_after") > 0.0);
    echo.end();

    let all = Server::start(runtime, &["--app", "broadcast", "--shards", "2"]);
    let run = Run::valid(&all, "/ws", &["--scenario", "broadcast", "--bytes", "1024"]);
    assert_eq!(run.number("/payload_bytes"), 1024.0);
    assert!(run.number("/delivered") >= 100.0);
    Run::valid(
        &all,
        "/ws",
        &["--scenario", "all-to-all", "--connections", "20"],
    );
    // The last room is not full.
    let in_rooms = ["--scenario", "rooms", "--connections", "23"];
    let whole = Run::of(&all, "/ws", &in_rooms);
    let faults = whole.number("/faults/corrupted");
    assert!(faults > 0.0, "what everybody hears is of other rooms");
    let stalled = ["--scenario", "stalled", "--stalled-percent", "10"];
    let run = Run::valid(&all, "/ws", &stalled);
    assert_eq!(run.number("/stalled/connections"), 10.0);
    assert!(run.number("/stalled/quiet_latency_us/p50") > 0.0);
    all.end();

    let rooms = Server::start(runtime, &["--app", "rooms", "--shards", "2"]);
    let run = Run::valid(&rooms, "/ws/{room}", &in_rooms);
    let heard_by_each = run.number("/delivered") / run.number("/sent");
    assert!(
        (heard_by_each - 109.0 / 23.0).abs() < 0.2,
        "{heard_by_each}"
    );
    rooms.end();
}

fn a_world_is_steered_checked_and_measured(runtime: &str) {
    let server = Server::start(runtime, &["--entities", "500", "--shards", "2"]);
    let args = [
        "--scenario",
        "world",
        "--connections",
        "20",
        "--radius",
        "12",
    ];
    let run = Run::valid(&server, "/world", &args);
    assert!(run.number("/world/visible_mean") > 1.0);
    assert!(run.number("/world/bytes_per_client_tick") > 64.0);
    assert!(run.number("/latency_us/count") > 0.0, "nothing was steered");
    assert!(run.number("/world/lateness_us/count") > 0.0);
    assert!(run.number("/cpu_us_per_client_tick") > 0.0);
    let of_world = [
        "--scenario",
        "stalled",
        "--of",
        "world",
        "--stalled-percent",
        "20",
    ];
    let run = Run::valid(&server, "/world", &[&of_world, &args[2..]].concat());
    assert_eq!(run.number("/stalled/connections"), 4.0);
    assert!(run.number("/stalled/quiet_lateness_us/count") > 0.0);
    server.end();
}

fn a_load_by_tls_is_a_load(runtime: &str) {
    let folder = format!("worldshard-load-tls-{runtime}-{}", std::process::id());
    let folder = std::env::temp_dir().join(folder);
    let tls = ["--shards", "2", "--tls-dev", folder.to_str().unwrap()];
    let echo = Server::start(runtime, &[&["--app", "echo"][..], &tls].concat());
    let args = [
        "--scenario",
        "echo",
        "--bytes",
        "40000",
        "--connections",
        "20",
    ];
    let run = Run::sound(&echo, "/ws", &args);
    assert!(run.number("/delivered") > 20.0);
    let args = ["--scenario", "storm", "--connections", "60"];
    let run = Run::valid(&echo, "/ws", &args);
    assert!(run.number("/cpu_us_per_handshake") >= 0.0);
    Run::valid(&echo, "/ws", &["--scenario", "idle"]);
    echo.end();
    let world = Server::start(runtime, &[&["--entities", "500"][..], &tls].concat());
    let args = ["--scenario", "world", "--connections", "20"];
    let run = Run::sound(&world, "/world", &args);
    assert!(run.number("/world/visible_mean") > 1.0, "{}", run.report);
    world.end();
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_server_that_does_wrong_is_found_out() {
    let wrongs = [
        (Wrong::Loses, "/faults/lost"),
        (Wrong::Repeats, "/faults/repeated"),
        (Wrong::ChangesAByte, "/faults/corrupted"),
        (Wrong::ChangesTheKind, "/faults/corrupted"),
        (Wrong::CutsShort, "/faults/corrupted"),
        (Wrong::Closes, "/faults/closed"),
        (Wrong::BreaksTheFraming, "/faults/corrupted"),
    ];
    for (wrong, fault) in wrongs {
        let output = wrong_server::with(wrong, |addr| {
            let url = format!("ws://{addr}/");
            Command::new(PROGRAM)
                .args(["load", "--url", &url, "--scenario", "echo", "--rate", "50"])
                .args(["--connections", "1", "--warmup", "0", "--seconds", "0.2"])
                .args(["--lag-max", "5000", "--json", "-"])
                .output()
                .unwrap()
        });
        let run = Run::read(output);
        assert_eq!(run.output.status.code(), Some(1), "{:?}", run.output);
        assert_eq!(run.report["valid"], false, "{wrong:?}: {}", run.report);
        assert_eq!(run.number(fault), 1.0, "{wrong:?}: {}", run.report);
        let said = String::from_utf8_lossy(&run.output.stderr);
        assert!(
            said.contains("the server did not do as it should"),
            "{said}"
        );
    }
}

#[test]
fn a_load_that_leaves_late_is_not_valid_and_nothing_else_is_wrong() {
    let floor = Server::floor(&["--scenario", "broadcast"]);
    let args = [
        "--scenario",
        "broadcast",
        "--connections",
        "5",
        "--lag-max",
        "0.000001",
    ];
    let run = Run::of(&floor, "/", &args);
    assert_eq!(run.output.status.code(), Some(1), "{:?}", run.output);
    let why = run.report["why_invalid"].as_array().unwrap();
    assert!(
        why.len() == 1 && why[0].as_str().unwrap().contains("--lag-max"),
        "{why:?}"
    );
    floor.end();
}

#[test]
fn limits_of_open_files_that_a_process_may_raise_are_raised() {
    let floor = Server::floor_by(limited("-S -n 64"), &["--scenario", "handshake"]);
    let url = format!("ws://{}/", floor.addr());
    let run = limited("-S -n 64")
        .args(["load", "--url", &url, "--scenario", "storm"])
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    floor.end();
}

#[test]
fn what_the_machine_or_the_server_refuses_is_said_with_a_remedy() {
    let floor = Server::floor(&["--scenario", "echo"]);
    let url = format!("ws://{}/", floor.addr());
    let said = |mut command: Command, args: &[&str]| {
        let run = command
            .arg("load")
            .args(["--url", &url])
            .args(args)
            .output()
            .unwrap();
        let words = String::from_utf8_lossy(&run.stderr).into_owned();
        (run.status.code(), words)
    };
    let many = ["--scenario", "echo", "--connections", "100"];
    let (status, words) = said(limited("-n 64"), &many);
    assert!(
        status == Some(2) && words.contains("--connections: 100"),
        "{words}"
    );
    assert!(words.contains("ulimit -Hn 132"), "{words}");
    let no_process = ["--scenario", "echo", "--pid", "4194304"];
    let (status, words) = said(Command::new(PROGRAM), &no_process);
    assert!(
        status == Some(1) && words.contains("--pid 4194304"),
        "{words}"
    );
    floor.end();
    let (status, words) = said(Command::new(PROGRAM), &many);
    assert!(
        status == Some(1) && words.contains("nobody listens there"),
        "{words}"
    );
}

#[test]
fn the_floor_echoes_broadcasts_sends_ticks_and_ends_by_an_interrupt() {
    let floor = Server::floor(&["--scenario", "echo"]);
    Run::sound(&floor, "/", &["--scenario", "echo", "--bytes", "60000"]);
    Run::valid(&floor, "/", &["--scenario", "storm"]);
    floor.end();
    for args in [&[][..], &["--write-per-tick", "10"]] {
        let floor = Server::floor(&[&["--scenario", "broadcast"], args].concat());
        let all = ["--scenario", "all-to-all", "--connections", "20"];
        Run::valid(&floor, "/", &all);
        floor.end();
    }
    let floor = Server::floor(&["--scenario", "world", "--bytes", "700"]);
    let run = Run::valid(&floor, "/", &["--scenario", "sink"]);
    assert_eq!(run.number("/world/bytes_per_client_tick"), 700.0);
    floor.end();
}

#[test]
fn flags_that_cannot_be_are_refused_with_a_remedy() {
    let mistakes: [(&[&str], &str); 10] = [
        (&[], "--scenario"),
        (&["--scenario", "rest"], "all-to-all"),
        (&["--url", "http://127.0.0.1:1/"], "--url"),
        (&["--url", "ws://192.0.2.1:80/"], "--allow-remote"),
        (&["--bytes", "8"], "--bytes: 16 to"),
        (&["--connections", "0"], "--connections"),
        (&["--rate", "-1"], "--rate"),
        (&["--rate", "5", "--in-flight", "2"], "--in-flight"),
        (&["--pin", "4095"], "--pin 4095: not a core"),
        (&["--json", "/"], "--json /"),
    ];
    for (args, named) in mistakes {
        let scenario: &[&str] = match args {
            [] | ["--scenario", ..] => &[],
            _ => &["--scenario", "echo"],
        };
        let run = Command::new(PROGRAM)
            .arg("load")
            .args(scenario)
            .args(args)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(named), "{args:?}: {said}");
    }
}
