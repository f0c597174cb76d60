//! Measures every contender in every row, round after round: A B C in one row after another, then all of it again. So a moment
//! of the machine meets all contenders of a row alike, and the rounds of a row lie minutes apart, as those of another run do.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::Value;

use super::child::{Child, Ended, Place, usable_processors};
use super::contenders::{Contender, Delta, Programs, Start};
use super::machine::Machine;
use super::outcome::{Cell, Outcome, RowOutcome, Run, SCHEMA, Settings};
use super::peers::Built;
use super::rows::Row;
use crate::clock;

/// A comparison that is to be made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The `worldshard` command: server, floor and load in one.
    pub program: PathBuf,
    /// The servers of others, or why there are none.
    pub peers: Result<Built, String>,
    /// What is measured.
    pub rows: Vec<&'static Row>,
    /// Who is measured.
    pub contenders: Vec<&'static Contender>,
    /// Measure peers in rows that leave them out unless asked.
    pub peers_everywhere: bool,
    /// How often each is measured.
    pub rounds: u32,
    /// Time under load before a window.
    pub warmup: Duration,
    /// How long a window is.
    pub window: Duration,
    /// Connections of every row at most; without, as many as it says.
    pub connections_max: Option<u32>,
    /// Where the complaints of the programs are kept.
    pub logs: PathBuf,
}

/// How far a comparison is, for whoever waits.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What is measured now.
    pub row: &'static str,
    /// Who.
    pub contender: &'static str,
    /// From 1.
    pub round: u32,
    /// Runs that are over.
    pub done: usize,
    /// Runs in all.
    pub all: usize,
    /// How long the rest will take, by how long the others took.
    pub left: Duration,
    /// It is measured again, because the first time something was not as it should be.
    pub again: bool,
}

impl Plan {
    /// Whether that contender is measured in that row.
    fn has(&self, row: &Row, contender: &Contender) -> bool {
        !contender.is_peer() || row.peers || self.peers_everywhere
    }

    /// How many runs there are, repeated ones not counted.
    #[must_use]
    pub fn runs(&self) -> usize {
        let each = |row: &&Row| {
            let measured = self
                .contenders
                .iter()
                .filter(|contender| self.has(row, contender));
            measured.count()
        };
        self.rows.iter().map(each).sum::<usize>() * self.rounds as usize
    }

    fn begun(&self, row: &'static Row) -> Measured {
        let contenders = self.contenders.iter();
        let measured = contenders.filter(|contender| self.has(row, contender));
        Measured {
            row,
            cells: measured
                .map(|contender| (*contender, empty(contender)))
                .collect(),
            delta: None,
        }
    }

    /// How long all of it may take.
    #[must_use]
    pub fn takes(&self) -> Duration {
        self.takes_each() * u32::try_from(self.runs()).unwrap_or(u32::MAX)
    }

    fn takes_each(&self) -> Duration {
        self.warmup + self.window + AROUND
    }

    /// Makes it.
    ///
    /// # Errors
    /// The user stopped it, or not one run gave a figure.
    pub fn run(&self, stop: &AtomicBool, say: &mut dyn FnMut(Step)) -> Result<Outcome, Ended> {
        std::fs::create_dir_all(&self.logs)?;
        let machine = Machine::here();
        let processors = match usable_processors()[..] {
            [first, second, ..] => Some((first, second)),
            [] | [_] => None,
        };
        let mut rounds = Rounds {
            plan: self,
            programs: Programs {
                own: self.program.clone(),
                peers: self.peers.clone(),
            },
            processors,
            stop,
            say,
            began: clock::now(),
            done: 0,
            repeated: 0,
        };
        let mut rows: Vec<Measured> = self.rows.iter().map(|row| self.begun(row)).collect();
        for round in 1..=self.rounds {
            for row in &mut rows {
                rounds.round_of(row, round)?;
            }
        }
        let rows = rows.into_iter().map(Measured::outcome).collect();
        let outcome = Outcome {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine,
            settings: Settings {
                rounds: self.rounds,
                warmup_s: self.warmup.as_secs_f64(),
                window_s: self.window.as_secs_f64(),
                connections_max: self.connections_max,
                processors,
                repeated: rounds.repeated,
            },
            rows,
        };
        let mut cells = outcome.rows.iter().flat_map(|row| &row.cells);
        if cells.any(|cell| !cell.runs.is_empty()) {
            return Ok(outcome);
        }
        let why = outcome
            .rows
            .iter()
            .flat_map(|row| &row.cells)
            .find_map(|cell| cell.missing.clone());
        Err(Ended::Failed(format!(
            "not one run gave a figure; the first: {}",
            why.unwrap_or_default()
        )))
    }
}

/// What is known of a row so far.
struct Measured {
    row: &'static Row,
    cells: Vec<(&'static Contender, Cell)>,
    /// What the engine's clients were sent in it: the floor sends as much.
    delta: Option<Delta>,
}

impl Measured {
    fn outcome(self) -> RowOutcome {
        let cells = self.cells.into_iter().map(|(_, cell)| cell);
        RowOutcome::of(self.row, cells.collect())
    }
}

struct Rounds<'a> {
    plan: &'a Plan,
    programs: Programs,
    processors: Option<(usize, usize)>,
    stop: &'a AtomicBool,
    say: &'a mut dyn FnMut(Step),
    began: Duration,
    done: usize,
    repeated: u32,
}

impl Rounds<'_> {
    /// One round of each contender of a row.
    fn round_of(&mut self, measured: &mut Measured, round: u32) -> Result<(), Ended> {
        let Measured { row, cells, delta } = measured;
        for (contender, cell) in cells {
            if cell.missing.is_none() {
                self.round(row, contender, round, delta, cell)?;
            }
            self.done += 1;
        }
        Ok(())
    }

    /// One round of one server; why it could not be is kept in the cell, and it is not tried again.
    fn round(
        &mut self,
        row: &'static Row,
        contender: &Contender,
        round: u32,
        delta: &mut Option<Delta>,
        cell: &mut Cell,
    ) -> Result<(), Ended> {
        let start = match contender.start(row.app, &self.programs, *delta) {
            Ok(start) => start,
            Err(why) => {
                cell.missing = Some(why);
                return Ok(());
            }
        };
        let mut again = false;
        loop {
            let step = self.step(row, contender, round, again);
            (self.say)(step);
            let (figure, mut doubts, load) = match self.measure(row, contender, &start) {
                Ok(measured) => measured,
                Err(Ended::Failed(why)) => {
                    cell.missing = Some(why);
                    return Ok(());
                }
                Err(Ended::Interrupted) => return Err(Ended::Interrupted),
            };
            let others = load["generator"]["others_cpu_cores"].as_f64();
            if others.is_some_and(|others| others > OTHERS_MAX) {
                doubts.push(format!(
                    "something else used more than {OTHERS_MAX} of a core"
                ));
            }
            if !doubts.is_empty()
                && !did_wrong(&load)
                && !again
                && (self.repeated as usize) < self.plan.runs() / REPEATS_SHARE
            {
                self.repeated += 1;
                again = true;
                continue;
            }
            if let Some(bytes) = load["world"]["bytes_per_client_tick"].as_f64()
                && bytes > 0.0
                && !contender.is_peer()
            {
                delta.get_or_insert(Delta { bytes });
            }
            cell.runs.push(Run {
                round,
                figure,
                ratio: None,
                doubts,
                load,
            });
            return Ok(());
        }
    }

    fn step(&self, row: &'static Row, contender: &Contender, round: u32, again: bool) -> Step {
        let all = self.plan.runs();
        let each = match u32::try_from(self.done) {
            Ok(done) if done > 0 => (clock::now() - self.began) / done,
            _ => self.plan.takes_each(),
        };
        Step {
            row: row.name,
            contender: contender.name,
            round,
            done: self.done,
            all,
            left: each * u32::try_from(all - self.done).unwrap_or(u32::MAX),
            again,
        }
    }

    /// A server and a load, started for this and ended after it.
    fn measure(
        &self,
        row: &Row,
        contender: &Contender,
        start: &Start,
    ) -> Result<(f64, Vec<String>, Value), Ended> {
        let (server_on, load_on) = self.processors.unzip();
        let server_log = self.plan.logs.join(format!("{}.log", contender.name));
        let load_log = self.plan.logs.join("load.log");
        let place = |processor, log| Place {
            processor,
            log: Some(log),
            folder: None,
        };
        let mut server = Child::start(&start.program, &start.words, place(server_on, &server_log))?;
        let (addr, path) = server
            .ready(self.stop)
            .map_err(|why| explained(why, &server_log))?;
        let url = format!("ws://{addr}{}{}", path.trim_end_matches('/'), start.path);
        let words = self.load_words(row, contender, start, &url, server.id());
        let mut load = Child::start(&self.programs.own, &words, place(load_on, &load_log))?;
        let within = (self.plan.warmup + self.plan.window) * 2 + AROUND_MAX;
        let (status, said) = load.output(within, self.stop)?;
        let Ok(report) = serde_json::from_str::<Value>(&said) else {
            let complaint =
                complaint(&load_log).unwrap_or_else(|| format!("load ended with {status}"));
            return Err(Ended::Failed(complaint));
        };
        let Some(figure) = report[row.figure.field()].as_f64() else {
            return Err(Ended::Failed(format!(
                "no figure: {}",
                doubts(&report).join("; ")
            )));
        };
        Ok((figure, doubts(&report), report))
    }

    fn load_words(
        &self,
        row: &Row,
        contender: &Contender,
        start: &Start,
        url: &str,
        pid: u32,
    ) -> Vec<String> {
        let mut words: Vec<String> = vec!["load".to_owned()];
        let mut fewer = false;
        for word in row.load.split(' ') {
            // The floor has no world: of what it sends, bytes are counted.
            let word = if word == "world" && contender.is_floor() {
                "sink"
            } else {
                word
            };
            let limit = self.plan.connections_max.filter(|_| fewer);
            fewer = word == "--connections";
            match (limit, word.parse::<u32>()) {
                (Some(limit), Ok(wanted)) => words.push(wanted.min(limit).to_string()),
                (Some(_) | None, _) => words.push(word.to_owned()),
            }
        }
        let seconds = |time: Duration| time.as_secs_f64().to_string();
        let mut add = |flag: &str, value: String| words.extend([flag.to_owned(), value]);
        add("--url", url.to_owned());
        add("--pid", pid.to_string());
        add("--warmup", seconds(self.plan.warmup));
        add("--seconds", seconds(self.plan.window));
        add("--log", "warn".to_owned());
        add("--json", "-".to_owned());
        words.extend(start.speaks.words(payload_bytes(row)));
        words
    }
}

fn empty(contender: &Contender) -> Cell {
    Cell {
        contender: contender.name.to_owned(),
        title: contender.title.to_owned(),
        missing: None,
        runs: Vec::new(),
        figure: None,
        ratio: None,
        interval: None,
    }
}

/// What the load itself has against a run's figures.
fn doubts(report: &Value) -> Vec<String> {
    let reasons = report["why_invalid"].as_array().into_iter().flatten();
    reasons
        .filter_map(|reason| reason.as_str().map(str::to_owned))
        .collect()
}

/// Whether it was the server, which would do so again.
fn did_wrong(report: &Value) -> bool {
    let faults = ["lost", "repeated", "corrupted", "refused", "closed"];
    faults
        .iter()
        .any(|fault| report["faults"][fault].as_u64() != Some(0))
}

/// Of the messages that clients send in a row; 0 in rows without any.
fn payload_bytes(row: &Row) -> usize {
    let mut words = row.load.split(' ').skip_while(|word| *word != "--bytes");
    words
        .nth(1)
        .and_then(|bytes| bytes.parse().ok())
        .unwrap_or(0)
}

/// In the server's own words, if it had any.
fn explained(why: Ended, log: &Path) -> Ended {
    match why {
        Ended::Failed(why) => Ended::Failed(complaint(log).unwrap_or(why)),
        Ended::Interrupted => Ended::Interrupted,
    }
}

/// What it was refused for, or else its last words.
fn complaint(log: &Path) -> Option<String> {
    let text = std::fs::read_to_string(log).ok()?;
    let mut lines = text.lines().rev().filter(|line| !line.trim().is_empty());
    let refused = text.lines().find(|line| line.starts_with("error: "));
    Some(
        refused
            .or(lines.next())?
            .trim_start_matches("worldshard: ")
            .to_owned(),
    )
}

/// Starting, connecting and ending, per run, as it is on the machine this was written on.
const AROUND: Duration = Duration::from_millis(700);

/// Beyond, a load hangs.
const AROUND_MAX: Duration = Duration::from_secs(60);

/// Of a core that something else used: above, a run is repeated, or doubted.
const OTHERS_MAX: f64 = 0.1;

/// One run in so many may be repeated; then the machine is not quiet, and says so.
const REPEATS_SHARE: usize = 10;
