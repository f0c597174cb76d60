//! `worldshard hostile`: what a well-behaved client notices of an attack on a server that is started for it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use worldshard_bench::compare::{Ended, stopped_by_signals};
use worldshard_bench::hostile::{self, Attack, Figures, Plan, Times};

use crate::cli::{RuntimeName, positive};
use crate::failure::Failure;

#[derive(Args, Debug)]
pub(crate) struct HostileArgs {
    /// What attackers do: handshakes, slowloris, giants, fragments, pings, idle
    #[arg(long, value_name = "NAME")]
    attack: String,

    /// How long they do it; the server is watched in peace for a third of that before
    #[arg(long, value_name = "S", default_value = "60", value_parser = positive, allow_negative_numbers = true)]
    seconds: f64,

    /// What drives the server
    #[arg(long, value_enum, default_value_t = RuntimeName::Auto)]
    runtime: RuntimeName,

    /// How many times later than in peace 99 in a hundred echoes may come
    #[arg(long, value_name = "TIMES", default_value = "2", value_parser = positive, allow_negative_numbers = true)]
    p99_max: f64,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,

    /// Only attack, a server of this machine that runs already
    #[arg(long, value_name = "ADDR", hide = true)]
    against: Option<SocketAddr>,
}

/// Runs it and prints what came of it.
pub(crate) fn run(args: &HostileArgs) -> Result<(), Failure> {
    let attack: Attack = args
        .attack
        .parse()
        .map_err(|why| Failure::usage(format!("--attack {}: {why}", args.attack)))?;
    let length = Duration::from_secs_f64(args.seconds);
    if let Some(server) = args.against {
        return attack_only(attack, server, length);
    }
    let failed = |error: std::io::Error| Failure::runtime(error.to_string());
    let plan = Plan {
        program: std::env::current_exe().map_err(failed)?,
        attack,
        name: args.attack.clone(),
        length,
        runtime: worldshard::Runtime::from(args.runtime).to_string(),
    };
    let stop = stopped_by_signals().map_err(failed)?;
    let figures = hostile::run(&plan, &stop).map_err(|ended| match ended {
        Ended::Interrupted => Failure::runtime("interrupted"),
        Ended::Failed(why) => Failure::runtime(why),
    })?;
    let text = match args.json {
        true => serde_json::to_string_pretty(&figures).expect("figures are plain JSON") + "\n",
        false => table(&figures),
    };
    // A reader that has gone, such as `head`, is no failure of the run.
    let _ = std::io::stdout().write_all(text.as_bytes());
    if !figures.is_within_memory() {
        return Err(Failure::runtime("the server held more than it may"));
    }
    let ratio = figures.p99_ratio();
    match ratio <= args.p99_max {
        true => Ok(()),
        false => Err(Failure::runtime(format!(
            "99 in a hundred echoes came {ratio:.1} times later than in peace"
        ))),
    }
}

fn attack_only(attack: Attack, server: SocketAddr, length: Duration) -> Result<(), Failure> {
    if !server.ip().is_loopback() {
        return Err(Failure::usage("--against: only a server of this machine"));
    }
    let attacked = hostile::attack(attack, server, length);
    let attacked = attacked.map_err(|error| Failure::runtime(format!("attacking: {error}")))?;
    let line = serde_json::to_string(&attacked).expect("counts are plain JSON");
    let _ = writeln!(std::io::stdout(), "{line}");
    Ok(())
}

fn table(figures: &Figures) -> String {
    let times = |name: &str, times: &Times| {
        let Times {
            count,
            p50_us,
            p99_us,
            max_us,
        } = times;
        format!("{name:>9}: {count} echoes, p50 {p50_us} us, p99 {p99_us} us, latest {max_us} us\n")
    };
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let [before, most, after] = figures.resident_bytes.map(mib);
    let attackers = &figures.attackers;
    let place = match figures.processors {
        Some((server, attacker)) => {
            format!("server on processor {server}, the others on {attacker}")
        }
        None => "all on one processor".to_owned(),
    };
    [
        format!("{} against {}, {place}\n", figures.attack, figures.runtime),
        times("quiet", &figures.quiet),
        times("attacked", &figures.attacked),
        format!("    later: p99 {:.2} times\n", figures.p99_ratio()),
        format!(
            "attackers: {} accepted, {} ended by the server, {} at once, {:.1} MiB sent\n",
            attackers.accepted,
            attackers.ended,
            attackers.at_once,
            mib(attackers.sent_bytes),
        ),
        format!(
            "   memory: {before:.1} MiB before, {most:.1} at most, {after:.1} after; {:.1} allowed\n",
            mib(figures.resident_bytes_max)
        ),
    ]
    .concat()
}
