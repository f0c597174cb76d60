//! The command line: flags, their defaults, units and limits. Never does what they ask for.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worldshard::sim::FaultKind;
use worldshard::sim::check::Check;
use worldshard::worlds::WorldName;
use worldshard::{Coalesce, Durability, Runtime};

use crate::config::server::UnknownServices;
use crate::hook::HookArgs;
use crate::identity::IdentityArgs;
use crate::keys::{KeygenArgs, TokenArgs};
use crate::logging::LogFormat;

/// A sharded, thread-per-core world: simulates it, serves it, and measures it.
#[derive(Parser, Debug)]
#[command(version, subcommand_required = true, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// What to log to stderr: error, warn, info, debug, trace, or a filter such as worldshard=debug.
    /// Without it the variable RUST_LOG decides, without that info
    #[arg(long, global = true, value_name = "LEVEL", help_heading = "Log")]
    pub(crate) log: Option<String>,

    /// How to write it
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t = LogFormat::Pretty,
        help_heading = "Log"
    )]
    pub(crate) log_format: LogFormat,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run a world, or a small application, and serve it over WebSocket until ctrl-c
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Box<ServeArgs>),
    /// Run a world as fast as it can, without a network, and say what it cost and whether it held
    #[command(after_help = SIMULATE_EXAMPLES)]
    Simulate(SimulateArgs),
    /// Go to any tick of a world that was served with --data, and look at it
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay(ReplayArgs),
    /// Name the first tick, shard, entity and component in which two kept worlds differ
    Diff(DiffArgs),
    /// Say whether serve would take a configuration, and if not, where it is wrong
    Check(crate::check::CheckArgs),
    /// Put many clients on a server, check all they hear, and say what the server spent on them
    #[cfg(target_os = "linux")]
    #[command(after_help = crate::load::args::EXAMPLES)]
    Load(crate::load::args::LoadArgs),
    /// Serve what only the kernel's own work stands behind: the floor that other servers are held against
    #[cfg(target_os = "linux")]
    #[command(after_help = crate::floor::args::EXAMPLES)]
    Floor(crate::floor::args::FloorArgs),
    /// Measure the engine beside that floor and the servers of others, and write a report
    #[cfg(target_os = "linux")]
    #[command(after_help = crate::bench::args::EXAMPLES)]
    Bench(crate::bench::args::BenchArgs),
    /// Attack a server of its own, and say what a well-behaved client notices and what the server holds for it
    #[cfg(target_os = "linux")]
    Hostile(crate::hostile::HostileArgs),
    /// Build the service of a project, serve it, and build it again when a file changes: rooms go on with what is new
    #[cfg(feature = "wasm")]
    #[command(after_help = crate::project::EXAMPLES)]
    Dev(crate::dev::DevArgs),
    /// Build a project into its folder dist/, which serve takes
    #[cfg(feature = "wasm")]
    #[command(after_help = crate::project::EXAMPLES)]
    Build(crate::build::BuildArgs),
    /// Ask a server that runs, as its operator: list, kick, ban, unban, bans, broadcast, inspect, drain, log-level, status
    #[command(after_help = crate::admin::EXAMPLES)]
    Admin(crate::admin::AdminArgs),
    /// Watch a server that runs: its shards, clients and tenants, second by second
    #[command(after_help = crate::top::EXAMPLES)]
    Top(crate::top::TopArgs),
    /// Say what this machine allows, what runs because of it, and how to change that
    Doctor,
    /// Make a pair of keys: one makes tokens that let users in, the other tells a server which are good
    #[command(after_help = crate::keys::EXAMPLES)]
    Keygen(KeygenArgs),
    /// Make a token that lets a user in for a while
    #[command(after_help = crate::keys::EXAMPLES)]
    Token(TokenArgs),
}

#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    #[cfg(feature = "wasm")]
    #[command(flatten)]
    pub(crate) guests: crate::guests::GuestArgs,

    /// A file that says all of this and more; docs/configuration.md has its keys. A variable goes before the file, a flag
    /// before both. Without, worldshard.yaml, if there is one in the working directory
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    pub(crate) config: Option<PathBuf>,

    /// Print what holds, as such a file, and serve nothing
    #[arg(long, help_heading = "Server")]
    pub(crate) print_config: bool,

    /// What becomes of an allowlist of the file that names a service which the application does not have
    #[arg(long, value_enum, default_value = "refuse", help_heading = "Server")]
    pub(crate) unknown_services: UnknownServices,

    /// Where to listen; port 0 takes any free one
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:8080",
        help_heading = "Server"
    )]
    pub(crate) bind: String,

    /// Listen on this port of 127.0.0.1
    #[arg(
        short,
        long,
        value_name = "PORT",
        conflicts_with = "bind",
        help_heading = "Server"
    )]
    pub(crate) port: Option<u16>,

    /// Seconds of silence of a client after which it is asked whether it is there
    #[arg(short = 'i', long, value_name = "S", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Server")]
    pub(crate) heartbeat_interval: u16,

    /// Seconds of silence after which it is not; more than until it is asked
    #[arg(short = 't', long, value_name = "S", default_value_t = 35, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Server")]
    pub(crate) heartbeat_timeout: u16,

    /// What to serve
    #[arg(long, value_enum, default_value_t = AppName::World, help_heading = "Server")]
    pub(crate) app: AppName,

    /// Shards, each with a thread of its own; 0 for as many as a kept world has, else one per usable core, and for a
    /// world at least two.
    /// More shards than cores run unpinned
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1024), help_heading = "Server")]
    pub(crate) shards: u16,

    /// What drives the threads: glommio needs io_uring; auto takes it where it is allowed
    #[arg(long, value_enum, default_value_t = RuntimeName::Auto, help_heading = "Server")]
    pub(crate) runtime: RuntimeName,

    /// How long a message to many may wait to share a write with others, in milliseconds, or until the end of the tick.
    /// The first after a pause leaves at once, and so does a message to one; 0 lets none wait
    #[arg(long, value_name = "MS|tick", default_value = "2", value_parser = coalesce, allow_negative_numbers = true, help_heading = "Server")]
    pub(crate) coalesce: Coalesce,

    /// Seconds, of the world's time, for which a client of a world whose connection breaks stands in it as before, so that
    /// it can come back with the token of its greeting; 0 lets it leave at once. With --data also after a restart
    #[arg(long, value_name = "S", default_value = "15", value_parser = grace, allow_negative_numbers = true, help_heading = "Server")]
    pub(crate) resume_grace: Duration,

    /// Serve the files of a folder below a path, or at / when only a folder is named, in place of the page that is there.
    /// What changes in it is served within a second. May be given several times
    #[arg(long, value_name = "[PATH=]DIR", value_parser = served_folder, help_heading = "Server")]
    pub(crate) files: Vec<(String, PathBuf)>,

    #[command(flatten)]
    pub(crate) identity: IdentityArgs,

    #[command(flatten)]
    pub(crate) admin: crate::admin_flags::AdminFlags,

    #[command(flatten)]
    pub(crate) hook: HookArgs,

    #[command(flatten)]
    pub(crate) tls: TlsArgs,

    #[command(flatten)]
    pub(crate) world: WorldArgs,

    /// Ticks of the world a second, 0.1 to 1000
    #[arg(long, value_name = "HZ", default_value = "20", value_parser = tick_rate, allow_negative_numbers = true, help_heading = "World")]
    pub(crate) tick_rate: f64,

    /// How far a client sees, in metres, and the most it may ask for. The default depends on the world: flock 32
    /// of at most 40, crowd 24 of 30, swarm3d 20 of 24. The border between shards is a little wider
    #[arg(long, value_name = "M", value_parser = metres, allow_negative_numbers = true, help_heading = "World")]
    pub(crate) interest_radius: Option<f32>,

    #[command(flatten)]
    pub(crate) data: DataArgs,
}

impl ServeArgs {
    /// Where to listen, by whichever flag.
    pub(crate) fn address(&self) -> String {
        match self.port {
            Some(port) => format!("127.0.0.1:{port}"),
            None => self.bind.clone(),
        }
    }
}

/// How connections are encrypted.
#[derive(Args, Debug)]
pub(crate) struct TlsArgs {
    /// Speak https and wss only, and show this certificate: PEM, with those of its issuers behind it. SIGHUP reads it
    /// and its key again, for new connections
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        help_heading = "Encryption"
    )]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The private key of that certificate, PEM
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_cert",
        help_heading = "Encryption"
    )]
    pub(crate) tls_key: Option<PathBuf>,

    /// Speak https and wss only, by a certificate for development that nobody vouches for. It is made once and kept in
    /// this folder: if not said, in that of --data, else in .worldshard. Clients may know it by its fingerprint
    #[arg(long, value_name = "DIR", conflicts_with_all = ["tls_cert", "tls_key"], help_heading = "Encryption")]
    pub(crate) tls_dev: Option<Option<PathBuf>>,
}

/// Where and how a world is kept.
#[derive(Args, Debug)]
pub(crate) struct DataArgs {
    /// With --app world, keep the world in this folder: the next start goes on where this one ended, however it ended.
    /// Without, the world ends with the process
    #[arg(long, value_name = "DIR", help_heading = "Data")]
    pub(crate) data: Option<PathBuf>,

    /// What a crash may lose: none keeps nothing, so everything; checkpoint what happened since the last one; tick
    /// nothing that a client was told
    #[arg(long, value_name = "LEVEL", default_value = "tick", value_parser = durability, help_heading = "Data")]
    pub(crate) durability: Durability,

    /// Seconds of world time between two checkpoints
    #[arg(long, value_name = "S", default_value_t = 10.0, value_parser = checkpoint_seconds, allow_negative_numbers = true, help_heading = "Data")]
    pub(crate) checkpoint_every: f64,

    /// Checkpoints to keep, with what happened since the oldest: as far back as replay can go
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Data")]
    pub(crate) checkpoints_kept: u32,

    /// With --data, open a world whose journal is damaged in its middle, and lose what clients were told after that
    #[arg(long, help_heading = "Data")]
    pub(crate) accept_loss: bool,

    /// With --data, append a line TICK HEX to this file for each tick, before any client is told of it: the digest of all entities
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub(crate) digest: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct ReplayArgs {
    /// The folder that the world was kept in. It is only read
    #[arg(long, value_name = "DIR", help_heading = "Recording")]
    pub(crate) data: PathBuf,

    /// The tick to go to; without, the last one
    #[arg(long, value_name = "TICK", help_heading = "Recording")]
    pub(crate) to: Option<u64>,

    /// Serve the world as it was after that tick, to look at, until ctrl-c
    #[arg(long, help_heading = "Recording")]
    pub(crate) serve: bool,

    /// Where to serve it; port 0 takes any free one
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:8080",
        requires = "serve",
        help_heading = "Recording"
    )]
    pub(crate) bind: String,

    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
}

#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    /// The folder of a kept world
    #[arg(value_name = "RUN_A")]
    pub(crate) one: PathBuf,

    /// The folder of another
    #[arg(value_name = "RUN_B")]
    pub(crate) other: PathBuf,
}

/// Which world, as `serve` and `simulate` both ask.
#[derive(Args, Clone, Debug)]
pub(crate) struct WorldArgs {
    /// The world: flock (birds in a plane), crowd (walkers who gather), swarm3d (birds in the air)
    #[arg(long, value_name = "NAME", default_value = "flock", value_parser = world_name, help_heading = "World")]
    pub(crate) world: WorldName,

    /// Entities at the start; the world's size follows
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u64).range(0..=ENTITIES_MAX), help_heading = "World")]
    pub(crate) entities: u64,

    /// Every random number of the world comes from it
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "World")]
    pub(crate) seed: u64,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct SimulateArgs {
    #[command(flatten)]
    pub(crate) world: WorldArgs,

    /// Shards; the world's digest does not depend on their number
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Run")]
    pub(crate) shards: u16,

    /// How many ticks to run
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Run")]
    pub(crate) ticks: u64,

    /// What drives the shards: sim in one thread and virtual time, or a real driver with a thread for each
    #[arg(long, value_enum, default_value_t = DriverName::Sim, help_heading = "Run")]
    pub(crate) runtime: DriverName,

    /// Clients that join, walk, look, stall and leave, by a script that comes from the seed
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(0..=CLIENTS_MAX), help_heading = "Run")]
    pub(crate) clients: u32,

    /// Let everything go wrong, in an order that comes from this seed: letters and envelopes are late, shards and
    /// clients stall, connections break, clients lie. The clients then speak for themselves. Only with --runtime sim
    #[arg(long, value_name = "SEED", help_heading = "Run")]
    pub(crate) faults: Option<u64>,

    /// Keep the world on a disk of memory, and let the process, any shard and that disk fail too, at any moment. What
    /// clients were told must come back
    #[arg(long, requires = "faults", help_heading = "Run")]
    pub(crate) crashes: bool,

    /// Ticks between two checkpoints of a world that is kept
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..), requires = "crashes", help_heading = "Run")]
    pub(crate) checkpoint_ticks: u64,

    /// Leave out these kinds of faults: late-envelopes, late-letters, shard-stalls, clock-jumps, client-stalls, disconnects, lies,
    /// process-crashes, shard-crashes, torn-tails, damaged-checkpoints, damaged-journals, full-disks, slow-disks
    #[arg(long, value_name = "KIND,…", value_delimiter = ',', value_parser = fault_kind, requires = "faults", help_heading = "Run")]
    pub(crate) without: Vec<FaultKind>,

    /// How much is checked against brute force over all shards and clients: nothing, some ticks, or every tick. What
    /// that takes counts in no figure but memory. Only with --runtime sim [default: sample]
    #[arg(long, value_name = "none|sample|all", value_parser = check, help_heading = "Run")]
    pub(crate) check: Option<Check>,

    /// Print a line `TICK HEX` to stdout for every tick: the digest of all entities
    #[arg(long, help_heading = "Run")]
    pub(crate) digest: bool,

    /// Run one small world after another for so many seconds, each another one, with all faults and crashes. Prints the
    /// line that runs a failure again, and the smallest run that still fails
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Swarm",
        conflicts_with_all = ["world", "entities", "seed", "shards", "ticks", "clients", "faults", "check", "digest", "runtime"])]
    pub(crate) swarm: Option<u64>,

    /// Threads of a swarm; 0 for one per usable core
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1024), requires = "swarm", help_heading = "Swarm")]
    pub(crate) jobs: u16,

    /// The number of a swarm's first run: all that a run is follows from its number
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        requires = "swarm",
        help_heading = "Swarm"
    )]
    pub(crate) first: u64,

    /// End a swarm after so many runs, if its time is not up before
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true, requires = "swarm", help_heading = "Swarm")]
    pub(crate) runs: u64,
}

#[derive(ValueEnum, Serialize, Deserialize, JsonSchema, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AppName {
    /// The world at /world, its page at /
    World,
    /// Each message at /ws back to its sender; a page to send some at /
    Echo,
    /// Each message at /ws to everyone; a page to send some at /
    Broadcast,
    /// Each message at /ws/ROOM to everyone in that room, /ws is one too; a page to send some at /
    Rooms,
    /// Rooms, a chat in them and an echo for clients on lanes, at /v1/ws
    Gateway,
    /// The small examples together: echo, chat, lobbies, rooms, places; a page at / that tries them
    Tour,
    /// Places with a height, by /move x y z; a page that shows them at /
    Space,
}

#[derive(ValueEnum, Serialize, Deserialize, JsonSchema, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RuntimeName {
    Auto,
    Glommio,
    Portable,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DriverName {
    Sim,
    Glommio,
    Portable,
}

impl From<RuntimeName> for Runtime {
    fn from(name: RuntimeName) -> Self {
        match name {
            RuntimeName::Auto => Self::Auto,
            RuntimeName::Glommio => Self::Glommio,
            RuntimeName::Portable => Self::Portable,
        }
    }
}

impl DriverName {
    /// The driver with threads; none when the world is simulated.
    pub(crate) fn real(self) -> Option<Runtime> {
        match self {
            Self::Sim => None,
            Self::Glommio => Some(Runtime::Glommio),
            Self::Portable => Some(Runtime::Portable),
        }
    }
}

fn tick_rate(text: &str) -> Result<f64, String> {
    let hz: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if !(0.1..=1000.0).contains(&hz) {
        return Err("between 0.1 and 1000 ticks a second".to_owned());
    }
    Ok(hz)
}

fn durability(text: &str) -> Result<Durability, String> {
    text.parse()
}

fn checkpoint_seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.001..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("between 0.001 s and a day, 86400 s".to_owned()),
    }
}

/// A path below which a folder is served, and the folder.
fn served_folder(text: &str) -> Result<(String, PathBuf), String> {
    let (path, folder) = match text.split_once('=') {
        Some((path, folder)) if path.starts_with('/') => (path, folder),
        _ => ("/", text),
    };
    match folder {
        "" => Err("names no folder".to_owned()),
        _ => Ok((path.to_owned(), folder.into())),
    }
}

fn grace(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("between 0 and a day, 86400 s".to_owned()),
    }
}

fn coalesce(text: &str) -> Result<Coalesce, String> {
    text.parse()
}

pub(crate) fn metres(text: &str) -> Result<f32, String> {
    let metres: f32 = text.parse().map_err(|_| "not a number".to_owned())?;
    if metres.is_finite() && metres > 0.0 {
        return Ok(metres);
    }
    Err("a length above 0, in metres".to_owned())
}

/// How often a second.
#[cfg(target_os = "linux")]
pub(crate) fn frequency(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(hz) if (0.001..=1e7).contains(&hz) => Ok(hz),
        _ => Err("between 0.001 and 10000000 a second".to_owned()),
    }
}

/// A time above 0.
#[cfg(target_os = "linux")]
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    match seconds(text)? {
        0.0 => Err("above 0".to_owned()),
        time => Ok(time),
    }
}

/// A time that may be 0.
#[cfg(target_os = "linux")]
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(time) if (0.0..=TIME_MAX).contains(&time) => Ok(time),
        _ => Err(format!("between 0 and {TIME_MAX}")),
    }
}

fn check(text: &str) -> Result<Check, String> {
    text.parse()
}

fn fault_kind(text: &str) -> Result<FaultKind, String> {
    text.parse()
}

fn world_name(text: &str) -> Result<WorldName, String> {
    text.parse()
}

/// Beyond, one machine's memory is not enough: at some hundred bytes each.
const ENTITIES_MAX: u64 = 100_000_000;

/// Beyond, the clients of one process are a load test, not a part of the world.
const CLIENTS_MAX: i64 = 100_000;

/// Beyond, a time on the command line is a slip.
#[cfg(target_os = "linux")]
const TIME_MAX: f64 = 100_000.0;

const EXAMPLES: &str = "\
Examples:
  worldshard serve                                  a flock at http://127.0.0.1:8080/
  worldshard simulate --entities 100000             what a tick of it costs
  worldshard doctor                                 why io_uring is or is not used here

Exit status: 0 when all went well, 1 when something failed, 2 when the command line cannot be.";

const SERVE_EXAMPLES: &str = "\
Examples:
  worldshard serve --world crowd --entities 20000 --shards 4
  worldshard serve --tick-rate 30 --interest-radius 60
  worldshard serve --bind 0.0.0.0:8080 --auth token --auth-key game.pub --sessions-per-user 1
  worldshard serve --app echo --bind 127.0.0.1:9000
  worldshard serve counter.wasm -p 9000             a WebAssembly module in each room, at /ws/{room}
  worldshard serve --app broadcast --coalesce tick  everyone's messages in one write a tick for each client
  worldshard serve --files static --files /client=pkg  files of two folders, in place of the page
  worldshard serve --data world                     goes on where it ended, also after kill -9
  worldshard serve --tls-dev                        at https, for development
  worldshard serve --config worldshard.yaml         what the file says

One line on stdout says when it serves and where. Ctrl-c tells every client and ends; a second one ends at once.";

const REPLAY_EXAMPLES: &str = "\
Examples:
  worldshard serve --data world --checkpoints-kept 100     keep a thousand seconds
  worldshard replay --data world                           the last tick: its number and its digest
  worldshard replay --data world --to 4000 --serve         the world as it was, in the browser

Exit status 1 when the tick is not kept; the message says which are.";

const SIMULATE_EXAMPLES: &str = "\
Examples:
  worldshard simulate --world swarm3d --entities 10000 --shards 8
  worldshard simulate --entities 10000 --shards 2 --runtime glommio
  worldshard simulate --entities 500 --shards 4 --ticks 200 --faults 7 --check all
  worldshard simulate --entities 100 --shards 4 --ticks 200 --faults 7 --crashes --check all
  worldshard simulate --swarm 600
  worldshard simulate --entities 10000 --digest > one; worldshard simulate --entities 10000 --shards 4 --digest |
      cmp - one

The summary goes to stderr. Exit status 1 when an entity was lost or doubled, or a check found a difference; then one
line runs the same again.";
