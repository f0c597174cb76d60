//! `hostile`: each attack is one, the probe loses nothing by it, and the server holds no more than its limits allow.
//!
//! WORLDSHARD_FULL=1 runs each for a minute, and holds the probe's latest echoes against those in peace.

use std::process::Command;
use std::sync::Mutex;

use serde_json::Value;

use crate::server::{PROGRAM, full, on_each_runtime};

on_each_runtime!(an_attack_costs_the_server_what_its_limits_allow_and_the_probe_no_answer);

/// One at a time: each wants the processors for itself.
static ALONE: Mutex<()> = Mutex::new(());

fn an_attack_costs_the_server_what_its_limits_allow_and_the_probe_no_answer(runtime: &str) {
    let _alone = ALONE.lock();
    for attack in [
        "handshakes",
        "slowloris",
        "giants",
        "fragments",
        "pings",
        "idle",
    ] {
        // In a short run on a busy machine one late echo is one in a hundred: only that all come is held.
        let (seconds, p99_max) = match full() {
            true => ("60", "2"),
            false => ("1.5", "100000"),
        };
        let run = Command::new(PROGRAM)
            .args(["--log", "off", "hostile", "--json", "--attack", attack])
            .args([
                "--runtime",
                runtime,
                "--seconds",
                seconds,
                "--p99-max",
                p99_max,
            ])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&run.stdout);
        println!("{said}");
        let complaint = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{attack}: {complaint}{said}");
        let figures: Value = serde_json::from_str(&said).unwrap();
        let count = |of: &str, name: &str| figures[of][name].as_u64().unwrap();
        assert!(count("attacked", "count") > 100, "{said}");
        assert!(count("attackers", "accepted") > 0, "{said}");
        match attack {
            // Whoever claims too much is closed.
            "giants" | "fragments" => assert!(count("attackers", "ended") > 0, "{said}"),
            "pings" => {
                assert_eq!(count("attackers", "ended"), 0, "{said}");
                assert!(count("attackers", "sent_bytes") > 1 << 20, "{said}");
            }
            "idle" => assert_eq!(count("attackers", "ended"), 0, "{said}"),
            _ => {}
        }
    }
}
