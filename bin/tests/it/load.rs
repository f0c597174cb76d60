//! `worldshard load` against the engine's own servers, the floor, and servers that do wrong.

use std::process::{Command, Output};

use serde_json::Value;

use crate::server::{PROGRAM, Server, on_each_runtime};

on_each_runtime!(
    every_scenario_of_messages_ends_with_a_valid_report,
    a_world_is_steered_checked_and_measured
);

/// A report, and what was said beside it.
struct Run {
    report: Value,
    output: Output,
}

impl Run {
    /// Loads a server; the generator may be as late as a busy machine makes it.
    fn of(server: &Server, path: &str, args: &[&str]) -> Self {
        let url = format!("ws://{}{path}", server.addr());
        let pid = server.pid().to_string();
        let output = Command::new(PROGRAM)
            .args(["load", "--url", &url, "--pid", &pid, "--json", "-"])
            .args(["--warmup", "0.1", "--seconds", "0.4", "--lag-max", "5000"])
            .args(args)
            .output()
            .unwrap();
        let report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {output:?}"));
        Self { report, output }
    }

    /// The same, and nothing was wrong.
    fn valid(server: &Server, path: &str, args: &[&str]) -> Self {
        let run = Self::of(server, path, args);
        assert_eq!(run.output.status.code(), Some(0), "{:?}", run.output);
        assert_eq!(run.report["valid"], true, "{}", run.report);
        assert_eq!(run.report["schema"], 1);
        run
    }

    fn number(&self, pointer: &str) -> f64 {
        let value = self.report.pointer(pointer).and_then(Value::as_f64);
        value.unwrap_or_else(|| panic!("{pointer} is no number in {}", self.report))
    }
}

fn every_scenario_of_messages_ends_with_a_valid_report(runtime: &str) {
    let echo = Server::start(runtime, &["--app", "echo", "--shards", "2"]);
    let run = Run::valid(&echo, "/ws", &["--scenario", "echo", "--in-flight", "4"]);
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
    let stalled = ["--scenario", "stalled", "--stalled-percent", "10"];
    let run = Run::valid(&all, "/ws", &stalled);
    assert_eq!(run.number("/stalled/connections"), 10.0);
    assert!(run.number("/stalled/quiet_latency_us/p50") > 0.0);
    all.end();
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
    server.end();
}

#[test]
fn the_floor_echoes_broadcasts_sends_ticks_and_ends_by_an_interrupt() {
    let floor = Server::floor(&["--scenario", "echo"]);
    Run::valid(&floor, "/", &["--scenario", "echo", "--bytes", "60000"]);
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
