//! The flags of `worldshard load`, their defaults, units and limits.

use clap::{Args, ValueEnum};

use crate::cli::{frequency, positive, seconds};

#[derive(Args, Debug)]
pub(crate) struct LoadArgs {
    /// The server and its path: /ws of an application, /world of a world. By wss any certificate is taken
    #[arg(
        long,
        value_name = "ws://HOST:PORT/PATH",
        default_value = "ws://127.0.0.1:8080/ws",
        help_heading = "Server"
    )]
    pub(crate) url: String,

    /// What each client says first, in hexadecimal; nnnn stands for its number, as {n} does in the URL
    #[arg(long, value_name = "HEX", help_heading = "Server")]
    pub(crate) hello: Option<String>,

    /// What the server wants before each message, in hexadecimal
    #[arg(long, value_name = "HEX", help_heading = "Server")]
    pub(crate) before_sent: Option<String>,

    /// What the server puts before each message, in hexadecimal; what comes without it is not heard
    #[arg(long, value_name = "HEX", help_heading = "Server")]
    pub(crate) before_received: Option<String>,

    /// The server's process, to measure what it spends and holds
    #[arg(long, value_name = "PID", help_heading = "Server")]
    pub(crate) pid: Option<u32>,

    /// Load a server on another machine; only one that may be loaded
    #[arg(long, help_heading = "Server")]
    pub(crate) allow_remote: bool,

    /// What the clients do
    #[arg(long, value_enum, help_heading = "Load")]
    pub(crate) scenario: ScenarioName,

    /// Clients; a broadcast has one more, which sends
    #[arg(long, value_name = "N", default_value_t = 100, help_heading = "Load")]
    pub(crate) connections: usize,

    /// Clients of a room, whose number stands for {room} in the URL
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Load")]
    pub(crate) members: usize,

    /// Payload of a message, at least 16
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = 64,
        help_heading = "Load"
    )]
    pub(crate) bytes: usize,

    /// Messages a second: of the sender of a broadcast, of each client else; connections a second in a storm.
    /// Without it: broadcast, all-to-all and rooms 20, echo as --in-flight says, storm as fast as it goes
    #[arg(long, value_name = "HZ", value_parser = frequency, allow_negative_numbers = true, help_heading = "Load")]
    pub(crate) rate: Option<f64>,

    /// Echo: messages on their way on each connection; each that comes back brings the next
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000), conflicts_with = "rate", help_heading = "Load")]
    pub(crate) in_flight: u32,

    /// World: how far each client sees, in metres; without it the server's default
    #[arg(long, value_name = "M", value_parser = crate::cli::metres, allow_negative_numbers = true, help_heading = "Load")]
    pub(crate) radius: Option<f32>,

    /// World, sink: how often each client steers, a second
    #[arg(long, value_name = "HZ", default_value = "4", value_parser = frequency, allow_negative_numbers = true, help_heading = "Load")]
    pub(crate) steer_rate: f64,

    /// Stalled: how many of the clients stop reading
    #[arg(long, value_name = "PERCENT", default_value = "1", value_parser = percent, allow_negative_numbers = true, help_heading = "Load")]
    pub(crate) stalled_percent: f64,

    /// Stalled: what goes on meanwhile
    #[arg(long, value_enum, default_value_t = StallableName::Broadcast, help_heading = "Load")]
    pub(crate) of: StallableName,

    /// Send texts instead of binary messages
    #[arg(long, help_heading = "Load")]
    pub(crate) text: bool,

    /// Connections that are being opened at a time
    #[arg(long, value_name = "N", default_value_t = 64, help_heading = "Load")]
    pub(crate) batch: usize,

    /// Directions and keys come from it
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Load")]
    pub(crate) seed: u64,

    /// Time under load that is not measured
    #[arg(long, value_name = "S", default_value = "2", value_parser = seconds, allow_negative_numbers = true, help_heading = "Measurement")]
    pub(crate) warmup: f64,

    /// Time that is measured
    #[arg(long, value_name = "S", default_value = "10", value_parser = positive, allow_negative_numbers = true, help_heading = "Measurement")]
    pub(crate) seconds: f64,

    /// When one send in a hundred leaves later than this behind its time, the run is not valid
    #[arg(long, value_name = "MS", default_value = "5", value_parser = positive, allow_negative_numbers = true, help_heading = "Measurement")]
    pub(crate) lag_max: f64,

    /// Run on this core only; the server should have another
    #[arg(long, value_name = "CPU", help_heading = "Measurement")]
    pub(crate) pin: Option<usize>,

    /// Where the report goes as JSON: a file, or - for stdout, then the table goes to stderr
    #[arg(long, value_name = "FILE|-", help_heading = "Measurement")]
    pub(crate) json: Option<String>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ScenarioName {
    /// Each client gets its own messages back
    Echo,
    /// One sends, all hear it
    Broadcast,
    /// All send, all hear it
    AllToAll,
    /// All send, all in their room hear it; their path has {room} in it
    Rooms,
    /// Each steers an avatar; every delta is checked and applied
    World,
    /// The messages of a world's clients; what comes back is only counted
    Sink,
    /// Connections that say nothing
    Idle,
    /// Connections are opened, then closed
    Storm,
    /// As --of says, first with all reading, then with some that do not
    Stalled,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StallableName {
    Broadcast,
    World,
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(percent) if percent > 0.0 && percent < 100.0 => Ok(percent),
        _ => Err("above 0 and below 100".to_owned()),
    }
}

pub(crate) const EXAMPLES: &str = "\
Examples:
  worldshard serve --app broadcast --shards 1 &
  worldshard load --scenario broadcast --connections 1000 --rate 30 --pid $!
  worldshard load --scenario rooms --url 'ws://127.0.0.1:8080/ws/{room}' --members 5
  worldshard load --scenario echo --connections 100 --bytes 32 --in-flight 16 --json echo.json
  worldshard load --scenario world --url ws://127.0.0.1:8080/world --connections 1000 --radius 12 --pid 4711

Latency counts from the time at which a message was due, not from when it left. Every message is checked.

Exit status: 0 when all went well, 1 when the run is not valid or the server lost, doubled or changed a message, 2 when
the command line cannot be.";
