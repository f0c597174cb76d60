//! `worldshard bench` whole: small, short, without peers, and nothing left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::server::{PROGRAM, eventually};

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = format!("worldshard-bench-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(folder))
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Engine and floor, few connections.
fn bench(folder: &Folder, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["bench", "--quick", "--peers", "no", "--log", "off"]);
    command.args(["--only", "portable,floor", "--connections", "20"]);
    command.arg("--out").arg(&folder.0).args(args);
    command
}

fn run(folder: &Folder, args: &[&str]) -> Output {
    bench(folder, args).output().unwrap()
}

fn said(run: &Output) -> String {
    let (stdout, stderr) = (&run.stdout, &run.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(stdout),
        String::from_utf8_lossy(stderr)
    )
}

#[test]
fn a_short_comparison_ends_with_a_table_json_and_a_page() {
    let folder = Folder::new("short");
    let rows = ["--scenarios", "echo-1,world,all-tick", "--seconds", "0.5"];
    let first = run(&folder, &rows);
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    let table = String::from_utf8(first.stdout).unwrap();
    for part in [
        "echo-1: ",
        "world: ",
        "all-tick: ",
        "portable",
        "floor",
        "by the floor's",
    ] {
        assert!(table.contains(part), "{part:?} is not in\n{table}");
    }
    let outcome: Value = serde_json::from_str(&folder.text("bench.json")).unwrap();
    let rows = outcome["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    for cell in rows.iter().flat_map(|row| row["cells"].as_array().unwrap()) {
        assert_eq!(cell["missing"], Value::Null, "{cell}");
        let run = &cell["runs"][0];
        assert!(run["figure"].as_f64().unwrap() > 0.0, "{cell}");
        assert!(run["load"]["delivered"].as_u64().unwrap() > 0, "{cell}");
    }
    let latencies = rows[0]["cells"][0]["runs"][0]["load"]["latency_histogram"].as_array();
    assert!(!latencies.unwrap().is_empty());
    let page = folder.text("bench.html");
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
}

#[test]
fn a_run_that_the_earlier_one_did_not_expect_ends_with_one_and_names_the_row() {
    let folder = Folder::new("against");
    let rows = ["--scenarios", "handshake"];
    let first = run(&folder, &rows);
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    let mut outcome: Value = serde_json::from_str(&folder.text("bench.json")).unwrap();
    for (low, high, status) in [(0.0, 1e9, 0), (0.0, 1e-9, 1)] {
        for cell in outcome["rows"][0]["cells"].as_array_mut().unwrap() {
            cell["interval"] = serde_json::json!({ "low": low, "high": high });
        }
        let earlier = folder.0.join("earlier.json");
        fs::write(&earlier, outcome.to_string()).unwrap();
        let args = [&rows[..], &["--against", earlier.to_str().unwrap()]].concat();
        let second = run(&folder, &args);
        assert_eq!(second.status.code(), Some(status), "{}", said(&second));
        assert_eq!(said(&second).contains("handshake portable: "), status == 1);
    }
}

#[test]
fn what_cannot_be_measured_is_refused_before_anything_runs() {
    let folder = Folder::new("refused");
    for (args, part) in [
        (
            ["--only", "nobody"],
            "nobody: not known; there are portable, glommio, floor",
        ),
        (["--scenarios", "nothing"], "there are broadcast-64, "),
        (["--against", "no-such-file"], "--against no-such-file: "),
    ] {
        let mut command = Command::new(PROGRAM);
        command
            .args(["bench", "--peers", "no"])
            .arg("--out")
            .arg(&folder.0);
        let refused = command.args(args).output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(said(&refused).contains(part), "{}", said(&refused));
    }
}

#[test]
fn a_comparison_that_is_interrupted_leaves_no_server_and_no_load_behind() {
    let folder = Folder::new("interrupted");
    let mut command = bench(&folder, &["--scenarios", "broadcast-64", "--seconds", "60"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut bench = command.spawn().unwrap();
    let mut children = Vec::new();
    eventually("a server and a load run", || {
        children = children_of(&bench);
        children.len() == 2
    });
    kill_process(Pid::from_child(&bench), Signal::INT).unwrap();
    assert_eq!(bench.wait().unwrap().code(), Some(1));
    for child in children {
        assert!(
            !Path::new(&format!("/proc/{child}")).exists(),
            "{child} lives"
        );
    }
    assert!(!folder.0.join("bench.json").exists());
}

/// Processes whose parent it is.
fn children_of(process: &Child) -> Vec<u32> {
    let parent = process.id().to_string();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let is_child = |number: &u32| {
        let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        // The name, in parentheses, may hold anything; then come the state and the parent.
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        fields.split(' ').nth(1) == Some(&parent)
    };
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(is_child).collect()
}
