//! The files of `deploy/`: that the dashboard asks for nothing that a server does not show, and that what the unit and the
//! image start is a command line that can be.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::operators::{TokenFile, scrape, start};
use crate::server::{PROGRAM, eventually};

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// The names of metrics in an expression.
fn metrics(expression: &str) -> impl Iterator<Item = &str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = expression.split(move |letter| !is_part(letter));
    words.filter(|word| word.starts_with("worldshard_"))
}

#[test]
fn every_metric_of_the_dashboard_is_shown_by_a_server_with_the_labels_it_is_grouped_by() {
    let dashboard: Value = serde_json::from_str(&file("grafana-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut asked = BTreeSet::new();
    let token = TokenFile::new("deploy");
    let args = ["--shards", "2", "--entities", "100"];
    let server = start("portable", &token, &["--log", "off"], &args);
    eventually("both shards show their numbers", || {
        scrape(&server).sum("worldshard_shards") == 2.0
            && scrape(&server)
                .series
                .keys()
                .any(|(_, labels)| labels.get("shard").is_some_and(|shard| shard == "1"))
    });
    let shown = scrape(&server);
    for panel in panels {
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            let legend = target["legendFormat"].as_str().unwrap();
            assert!(metrics(expression).count() > 0, "{expression}");
            for metric in metrics(expression) {
                let of_metric = |(name, _): &&(String, _)| name == metric;
                let series = shown.series.keys().find(of_metric);
                let (_, labels) = series.unwrap_or_else(|| panic!("no {metric}: {expression}"));
                asked.insert(metric.to_owned());
                let wanted = legend
                    .split("{{")
                    .skip(1)
                    .map(|rest| rest.split("}}").next().unwrap());
                // The scraper adds the instance.
                for label in wanted.filter(|label| *label != "instance") {
                    assert!(
                        labels.contains_key(label),
                        "{metric} has no {label}: {expression}"
                    );
                }
            }
        }
    }
    assert!(
        asked.len() > 40,
        "only {} metrics are asked for",
        asked.len()
    );
}

/// Whether the command can be, as far as it says so before it serves: the flags of another server that refuses to start.
fn is_known(flags: &[&str]) {
    let mut command = Command::new(PROGRAM);
    command.args(flags).arg("--help");
    let done = command.output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{flags:?}");
    let help = String::from_utf8(done.stdout).unwrap();
    let long = flags.iter().filter(|flag| flag.starts_with("--"));
    for flag in long {
        assert!(help.contains(*flag), "{flag} is no flag of serve");
    }
}

#[test]
fn what_the_unit_and_the_image_start_are_flags_that_are() {
    let unit = file("worldshard.service");
    let starts = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let words: Vec<&str> = starts.unwrap().split(' ').collect();
    assert_eq!(words[0], "/usr/local/bin/worldshard");
    let flags: Vec<&str> = words[1..]
        .iter()
        .copied()
        .filter(|word| !word.starts_with('$') || word.contains('/'))
        .collect();
    is_known(&flags);
    let image = file("Containerfile");
    let starts = image.lines().find_map(|line| line.strip_prefix("CMD "));
    let words: Vec<String> = serde_json::from_str(starts.unwrap()).unwrap();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    is_known(&words);
}

/// No image is built here: what can be wrong without that is held against the files that it is built from.
#[test]
fn what_the_image_is_built_from_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let image = file("Containerfile");
    let workspace = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let version = workspace
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "));
    let version = version.unwrap().trim_matches('"');
    let compiler = format!("FROM rust:{version}-");
    assert!(image.contains(&compiler), "no {compiler}");
    let copied = image.lines().filter_map(|line| line.strip_prefix("COPY "));
    let from_here = copied.filter(|rest| !rest.starts_with("--from"));
    let mut all = 0;
    for rest in from_here {
        let (sources, _) = rest.rsplit_once(' ').unwrap();
        for source in sources.split(' ') {
            assert!(root.join(source).exists(), "{source} is not there");
            all += 1;
        }
    }
    assert!(all > 0, "nothing is copied");
    // What is left out is not what the build needs.
    let ignored = fs::read_to_string(root.join(".containerignore")).unwrap();
    let members = workspace.split("members = [").nth(1).unwrap();
    let members = members.split(']').next().unwrap().split(',');
    let members = members.map(|one| one.trim().trim_matches('"'));
    for needed in members.filter(|one| !one.is_empty()).chain(["Cargo.lock"]) {
        let is_left_out = ignored.lines().any(|line| line.trim_matches('/') == needed);
        assert!(!is_left_out, "{needed} is left out");
        assert!(root.join(needed).exists(), "{needed} is not there");
    }
    assert!(image.contains("--locked -p worldshard-bin"), "{image}");
    assert!(image.contains("ENTRYPOINT [\"/usr/local/bin/worldshard\"]"));
}

#[test]
fn systemd_takes_the_unit_where_there_is_a_systemd() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/worldshard.service");
    let verify = Command::new("systemd-analyze")
        .arg("verify")
        .arg(&unit)
        .output();
    let Ok(done) = verify else {
        return crate::runtimes::tell(
            "NOT RUN: systemd-analyze verify, which is not on this machine",
        );
    };
    let said = String::from_utf8_lossy(&done.stderr);
    // The program is where it is installed, which is not here.
    let others: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("worldshard.service") && !line.contains("is not executable"))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}
