//! The flags of `worldshard bench`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::{positive, seconds};

#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    /// One round of a second each, without peers: to see that all works, not to quote
    #[arg(long, help_heading = "What")]
    pub(crate) quick: bool,

    /// Measure these only, of portable, glommio, floor, fastwebsockets, stateroom, tungstenite, tungstenite-batch, ecson,
    /// simplenet, ws, colyseus. Without it all but tungstenite-batch
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        help_heading = "What"
    )]
    pub(crate) only: Vec<String>,

    /// Only these, and peers in all of them: broadcast-64, broadcast-1k, all, all-tick, echo-1, echo-16, handshake, idle,
    /// world, crowd. Without it peers are left out of some, to save time
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        help_heading = "What"
    )]
    pub(crate) scenarios: Vec<String>,

    /// Build and measure the servers of others; auto: when run in a checkout, which has their sources
    #[arg(long, value_enum, default_value_t = PeersWanted::Auto, help_heading = "What")]
    pub(crate) peers: PeersWanted,

    /// At most so many connections in each scenario: for machines that cannot open more. Other figures then
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=100_000), help_heading = "What")]
    pub(crate) connections: Option<u32>,

    /// Rounds: how often each is measured [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = "How")]
    pub(crate) runs: Option<u32>,

    /// Time that is measured, of each run [default: 1.2]
    #[arg(long, value_name = "S", value_parser = positive, help_heading = "How")]
    pub(crate) seconds: Option<f64>,

    /// Time under load before that [default: 0.3]
    #[arg(long, value_name = "S", value_parser = seconds, help_heading = "How")]
    pub(crate) warmup: Option<f64>,

    /// Where bench.json, bench.html and what the servers complained of go
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "bench-results",
        help_heading = "Result"
    )]
    pub(crate) out: PathBuf,

    /// A bench.json of an earlier run: exit status 1 when a median is not where that run expects it
    #[arg(long, value_name = "FILE", help_heading = "Result")]
    pub(crate) against: Option<PathBuf>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PeersWanted {
    Auto,
    Yes,
    No,
}

pub(crate) const EXAMPLES: &str = "\
Examples:
  worldshard bench --quick
  worldshard bench --out monday
  worldshard bench --out tuesday --against monday/bench.json
  worldshard bench --only portable,floor,ws --scenarios broadcast-64,idle --seconds 6 --runs 5

Each server runs alone, on a processor of its own, in turn with the others; the load on another. What counts is the
processor time that a server needs per unit of work, by that of the floor: a program that only reads and sends.

Exit status: 0 when all went well, 1 when nothing could be measured or --against disagrees, 2 when the command line cannot
be.";
