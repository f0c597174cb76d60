//! `worldshard load`: clients of one server, and what it spent on them.

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use worldshard_bench::load::{
    self, Dialect, Failed, Pace, Plan, Report, Scenario, Stallable, Target,
};

use crate::cores;
use crate::failure::Failure;
use args::{LoadArgs, ScenarioName, StallableName};

pub(crate) mod args;

/// Runs the load and prints what it came to.
pub(crate) fn run(args: &LoadArgs) -> Result<(), Failure> {
    let plan = plan(args)?;
    if let Some(core) = args.pin {
        cores::pin(core)?;
    }
    // What cannot be written is known before the run, not after it.
    let mut json = open_json(args)?;
    let report = load::run(&plan, &mut |line| eprintln!("load: {line}"));
    let report = report.map_err(|error| match error {
        Failed::Plan(error) => Failure::usage(error.to_string()),
        Failed::Server(_) | Failed::System(_) => Failure::runtime(error.to_string()),
    })?;
    if let Some(json) = &mut json {
        write_json(json, &report)?;
    }
    let to_stdout = args.json.as_deref() == Some("-");
    if to_stdout {
        eprint!("{}", report.table());
    } else {
        // A reader that has gone, such as `head`, is no failure of the run.
        let _ = std::io::stdout().write_all(report.table().as_bytes());
    }
    if report.valid {
        return Ok(());
    }
    let why = report.why_invalid.join("; ");
    Err(Failure::runtime(format!("the run is not valid: {why}")))
}

fn plan(args: &LoadArgs) -> Result<Plan, Failure> {
    let usage = |error: load::PlanError| Failure::usage(error.to_string());
    let mut target = Target::parse(&args.url, args.allow_remote).map_err(usage)?;
    let (sent, received) = (args.before_sent.as_deref(), args.before_received.as_deref());
    target.room_members = args.members;
    target.dialect = Dialect::parse(args.hello.as_deref(), sent, received).map_err(usage)?;
    Ok(Plan {
        target,
        scenario: scenario(args),
        connections: args.connections,
        payload_bytes: args.bytes,
        text: args.text,
        warmup: Duration::from_secs_f64(args.warmup),
        window: Duration::from_secs_f64(args.seconds),
        pid: args.pid,
        batch: args.batch,
        lag_max: Duration::from_secs_f64(args.lag_max / 1e3),
        seed: args.seed,
    })
}

fn scenario(args: &LoadArgs) -> Scenario {
    let rate_hz = args.rate;
    let (radius_m, steer_hz) = (args.radius, args.steer_rate);
    let fanout_hz = rate_hz.unwrap_or(FANOUT_HZ);
    match args.scenario {
        ScenarioName::Echo => Scenario::Echo(match rate_hz {
            Some(rate_hz) => Pace::RateHz(rate_hz),
            None => Pace::InFlight(args.in_flight),
        }),
        ScenarioName::Broadcast => Scenario::Broadcast { rate_hz: fanout_hz },
        ScenarioName::AllToAll => Scenario::AllToAll { rate_hz: fanout_hz },
        ScenarioName::Rooms => Scenario::Rooms { rate_hz: fanout_hz },
        ScenarioName::World => Scenario::World { radius_m, steer_hz },
        ScenarioName::Sink => Scenario::Sink { steer_hz },
        ScenarioName::Idle => Scenario::Idle,
        ScenarioName::Storm => Scenario::Storm { rate_hz },
        ScenarioName::Stalled => Scenario::Stalled {
            of: match args.of {
                StallableName::Broadcast => Stallable::Broadcast { rate_hz: fanout_hz },
                StallableName::World => Stallable::World { radius_m, steer_hz },
            },
            share: args.stalled_percent / 100.0,
        },
    }
}

fn open_json(args: &LoadArgs) -> Result<Option<Box<dyn std::io::Write>>, Failure> {
    Ok(match args.json.as_deref() {
        None => None,
        Some("-") => Some(Box::new(std::io::stdout())),
        Some(path) => {
            let file = fs::File::create(path);
            let file = file.map_err(|error| {
                Failure::usage(format!("--json {path}: {error}; choose another file, or -"))
            })?;
            Some(Box::new(file))
        }
    })
}

fn write_json(out: &mut dyn std::io::Write, report: &Report) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(report).expect("a report is plain JSON");
    writeln!(out, "{text}").map_err(|error| Failure::runtime(format!("--json: {error}")))
}

/// Messages a second of a sender, unless it was said.
const FANOUT_HZ: f64 = 20.0;
