//! `worldshard bench`: the engine beside a floor and its peers, as a table, JSON and a page.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use worldshard_bench::compare::peers::{self, Built};
use worldshard_bench::compare::{
    CONTENDERS, Contender, Ended, Outcome, Plan, ROWS, Row, SCHEMA, Step, stopped_by_signals,
};
use worldshard_bench::report;

use crate::failure::Failure;
use args::{BenchArgs, PeersWanted};

pub(crate) mod args;

/// Measures, prints the table, writes the files; compares with an earlier run if asked.
pub(crate) fn run(args: &BenchArgs) -> Result<(), Failure> {
    // What cannot be read or written is known before the run, not after it.
    let earlier = args.against.as_deref().map(read).transpose()?;
    let out = &args.out;
    std::fs::create_dir_all(out)
        .map_err(|error| Failure::usage(format!("--out {}: {error}", out.display())))?;
    let stop = stopped_by_signals()
        .map_err(|error| Failure::runtime(format!("preparing for signals: {error}")))?;
    let plan = plan(args, &stop)?;
    let minutes = plan.takes().as_secs_f64() / 60.0;
    eprintln!("bench: {} runs, about {minutes:.0} minutes", plan.runs());
    let mut progress = Progress::new();
    let outcome = plan.run(&stop, &mut |step| progress.say(step));
    progress.end();
    let outcome = outcome.map_err(failure)?;
    // A reader that has gone, such as `head`, is no failure of the run.
    let _ = std::io::stdout().write_all(report::table(&outcome).as_bytes());
    let json = serde_json::to_string(&outcome).expect("an outcome is plain JSON");
    write(&out.join("bench.json"), &json)?;
    write(&out.join("bench.html"), &report::page(&outcome))?;
    earlier.map_or(Ok(()), |earlier| agree(&outcome, &earlier))
}

fn plan(args: &BenchArgs, stop: &AtomicBool) -> Result<Plan, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::runtime(format!("this command's own file: {error}")))?;
    let folder = match args.peers {
        PeersWanted::No => Err("not asked for".to_owned()),
        PeersWanted::Yes | PeersWanted::Auto => peers_folder(),
    };
    let with_peers = folder.is_ok() && !args.quick;
    let contenders = contenders(args, with_peers)?;
    let wanted: Vec<&str> = contenders
        .iter()
        .filter(|contender| contender.is_peer())
        .map(|contender| contender.name)
        .collect();
    let built = match folder {
        Ok(_) if wanted.is_empty() => Err("not asked for".to_owned()),
        Ok(folder) => {
            eprintln!("bench: building {}", wanted.join(", "));
            Ok(peers::build(&folder, &wanted, stop).map_err(failure)?)
        }
        Err(why) if args.peers == PeersWanted::Yes => {
            return Err(Failure::usage(format!("--peers yes: {why}")));
        }
        Err(why) => {
            eprintln!("bench: without peers: {why}");
            Err(why)
        }
    };
    put_together(args, program, contenders, built)
}

fn put_together(
    args: &BenchArgs,
    program: PathBuf,
    contenders: Vec<&'static Contender>,
    peers: Result<Built, String>,
) -> Result<Plan, Failure> {
    let quick = |quick: f64, usual: f64| if args.quick { quick } else { usual };
    Ok(Plan {
        program,
        peers,
        rows: rows(args)?,
        contenders,
        peers_everywhere: !args.scenarios.is_empty(),
        rounds: args.runs.unwrap_or(if args.quick { 1 } else { 4 }),
        warmup: Duration::from_secs_f64(args.warmup.unwrap_or(quick(0.2, 0.3))),
        window: Duration::from_secs_f64(args.seconds.unwrap_or(quick(1.0, 1.2))),
        connections_max: args.connections,
        logs: args.out.join("logs"),
    })
}

/// The peers' sources around the current folder; they are not a part of the command.
fn peers_folder() -> Result<PathBuf, String> {
    let here = std::env::current_dir().map_err(|error| error.to_string())?;
    peers::folder(&here).ok_or_else(|| {
        "their sources, bench/peers, are not in or above this folder; run it in a checkout"
            .to_owned()
    })
}

fn contenders(args: &BenchArgs, with_peers: bool) -> Result<Vec<&'static Contender>, Failure> {
    if args.only.is_empty() {
        let all = CONTENDERS.iter();
        let usual = |one: &&Contender| !one.is_peer() || (with_peers && one.is_usual());
        return Ok(all.filter(usual).collect());
    }
    let known: Vec<&str> = CONTENDERS.iter().map(|one| one.name).collect();
    check_names("only", &args.only, &known)?;
    let named = |one: &&Contender| args.only.iter().any(|name| name == one.name);
    Ok(CONTENDERS.iter().filter(named).collect())
}

fn rows(args: &BenchArgs) -> Result<Vec<&'static Row>, Failure> {
    if args.scenarios.is_empty() {
        return Ok(ROWS.iter().collect());
    }
    let known: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
    check_names("scenarios", &args.scenarios, &known)?;
    let named = |row: &&Row| args.scenarios.iter().any(|name| name == row.name);
    Ok(ROWS.iter().filter(named).collect())
}

fn check_names(flag: &str, names: &[String], known: &[&str]) -> Result<(), Failure> {
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let known = known.join(", ");
            Err(Failure::usage(format!(
                "--{flag} {name}: not known; there are {known}"
            )))
        }
    }
}

fn read(path: &Path) -> Result<Outcome, Failure> {
    let refuse = |why: String| Failure::usage(format!("--against {}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    let outcome: Outcome = serde_json::from_str(&text)
        .map_err(|error| refuse(format!("not a bench.json of this command: {error}")))?;
    if outcome.schema == SCHEMA {
        return Ok(outcome);
    }
    Err(refuse(format!(
        "its schema is {}, not {SCHEMA}",
        outcome.schema
    )))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error| Failure::runtime(format!("{}: {error}", path.display()));
    std::fs::write(path, text).map_err(failed)?;
    eprintln!("bench: {} is written", path.display());
    Ok(())
}

/// # Errors
/// Names what is outside the intervals that the earlier run stated.
fn agree(outcome: &Outcome, earlier: &Outcome) -> Result<(), Failure> {
    if outcome.settings.connections_max != earlier.settings.connections_max {
        return Err(Failure::runtime(
            "--against: that run had another --connections",
        ));
    }
    let (compared, outside) = outcome.outside(earlier);
    if compared == 0 {
        return Err(Failure::runtime(
            "--against: nothing was measured in both runs",
        ));
    }
    if outside.is_empty() {
        eprintln!("bench: all {compared} medians are where the earlier run expects them");
        return Ok(());
    }
    Err(Failure::runtime(format!(
        "{} of {compared} medians are not where the earlier run expects them:\n  {}",
        outside.len(),
        outside.join("\n  ")
    )))
}

fn failure(ended: Ended) -> Failure {
    match ended {
        Ended::Interrupted => Failure::runtime("interrupted; nothing was written"),
        Ended::Failed(why) => Failure::runtime(why),
    }
}

/// A line that is written over on a terminal; elsewhere a line for each row and round.
struct Progress {
    terminal: bool,
    last: Option<(&'static str, u32)>,
}

impl Progress {
    fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            last: None,
        }
    }

    fn say(&mut self, step: Step) {
        let Step {
            row,
            contender,
            round,
            done,
            all,
            left,
            again,
        } = step;
        let minutes = left.as_secs_f64() / 60.0;
        let again = if again { ", again" } else { "" };
        if self.terminal {
            let at = done + 1;
            eprint!(
                "\r\x1b[K[{at}/{all}] {row} {contender}, round {round}{again}, {minutes:.1} minutes left"
            );
        } else if self.last != Some((row, round)) {
            eprintln!(
                "bench: {done} of {all} runs done; {row}, round {round}; {minutes:.1} minutes left"
            );
        }
        self.last = Some((row, round));
    }

    fn end(&self) {
        if self.terminal && self.last.is_some() {
            eprintln!();
        }
    }
}
