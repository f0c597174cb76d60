//! What a run came to: the JSON of `worldshard load --json`, field by field.
//!
//! Fields may be added within a [`SCHEMA`]; none is renamed, removed or given another meaning.

use serde::{Deserialize, Serialize};

/// The version of [`Report`] as JSON.
pub const SCHEMA: u32 = 1;

/// One run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The scenario's name on the command line.
    pub scenario: String,
    /// Clients, the sender of a broadcast not counted.
    pub connections: u64,
    /// Payload of each message; 0 where the scenario has messages of its own.
    pub payload_bytes: u64,
    /// Time under load before the window.
    pub warmup_s: f64,
    /// How long the window was.
    pub seconds: f64,
    /// What the clients did to the server.
    pub offered: Offered,
    /// Messages sent in the window.
    pub sent: u64,
    /// Messages that reached clients in the window, however many shared a write. In a world: deltas.
    pub delivered: u64,
    /// The same per second.
    pub delivered_per_s: f64,
    /// The server's CPU time per delivered message.
    pub cpu_us_per_message: Option<f64>,
    /// The server's CPU time per delta, or per frame of a sink.
    pub cpu_us_per_client_tick: Option<f64>,
    /// The server's CPU time per connection accepted and upgraded.
    pub cpu_us_per_handshake: Option<f64>,
    /// What the server's memory grew by per connection that says nothing.
    pub bytes_per_connection: Option<f64>,
    /// From the time a message was due to be sent, in microseconds: echo, broadcast, all-to-all until it was read;
    /// world until a delta shows what was steered; storm until the upgrade was answered.
    pub latency_us: Option<Latencies>,
    /// The same whole: at most so many microseconds and more than those before, and how many of them.
    #[serde(default)]
    pub latency_histogram: Vec<(f64, u64)>,
    /// Nothing without a process to measure.
    pub server: Option<ServerReport>,
    /// The load generator itself.
    pub generator: GeneratorReport,
    /// What only a world or a sink has.
    pub world: Option<WorldReport>,
    /// What only a storm has.
    pub storm: Option<StormReport>,
    /// What only a run with clients that do not read has. The figures above are those of the others, meanwhile.
    pub stalled: Option<StalledReport>,
    /// What the server did wrong in the whole run, warm-up included.
    pub faults: FaultsReport,
    /// Whether the figures may be used.
    pub valid: bool,
    /// Why not.
    pub why_invalid: Vec<String>,
}

/// What the clients did to the server.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Offered {
    /// Messages a second of all clients together, sent at times fixed beforehand; `None`: each answer brings the next.
    pub messages_per_s: Option<f64>,
    /// Messages on their way per client, where each answer brings the next.
    pub in_flight: Option<u32>,
    /// Connections a second; `None`: as many as went, or none in the window.
    pub connections_per_s: Option<f64>,
}

/// A distribution, in microseconds.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Latencies {
    /// How many were measured.
    pub count: u64,
    /// The arithmetic mean.
    pub mean: f64,
    /// Half are at most this.
    pub p50: f64,
    /// Nine in ten are at most this.
    pub p90: f64,
    /// 99 in 100 are at most this.
    pub p99: f64,
    /// 999 in 1 000 are at most this.
    pub p99_9: f64,
    /// The longest.
    pub max: f64,
}

/// The server's process.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ServerReport {
    /// Its number.
    pub pid: u32,
    /// User and system time in the window.
    pub cpu_s: f64,
    /// The same as a share of one core.
    pub cpu_cores: f64,
    /// Resident memory before the first connection.
    pub rss_bytes_before: u64,
    /// Resident memory at the end of the window.
    pub rss_bytes_after: u64,
    /// As `rss_bytes_before`, pages shared with other processes by the share; 0 where the system does not say.
    pub pss_bytes_before: u64,
    /// As `rss_bytes_after`, pages shared with other processes by the share; 0 where the system does not say.
    pub pss_bytes_after: u64,
}

/// The load generator.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct GeneratorReport {
    /// User and system time in the window.
    pub cpu_s: f64,
    /// The same as a share of one core; it has one thread.
    pub cpu_cores: f64,
    /// How long after its time each send left; `None` where sends have no times.
    pub lag_us: Option<Latencies>,
    /// CPU time of all but server and generator in the window, in cores; `None` without a process to measure.
    pub others_cpu_cores: Option<f64>,
}

/// What only a world or a sink has; for a sink only the bytes.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct WorldReport {
    /// Entities that a client saw, on average over all deltas.
    pub visible_mean: f64,
    /// Bytes of a delta on the wire, frame header included, on average.
    pub bytes_per_client_tick: f64,
    /// Deltas that were due, at one per client and tick, and stood for by a later one.
    pub starved_ticks: u64,
    /// Ticks of the world per second.
    pub ticks_per_s: f64,
    /// How long after the earliest of the same second deltas were read, each behind its own tick, in microseconds.
    pub lateness_us: Option<Latencies>,
}

/// What only a storm has.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct StormReport {
    /// Connections accepted and upgraded per second.
    pub handshakes_per_s: f64,
    /// The server's CPU time per connection closed, by a close frame and its answer.
    pub cpu_us_per_close: Option<f64>,
}

/// What only a run with clients that do not read has.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StalledReport {
    /// Clients that did not read.
    pub connections: u64,
    /// Of those, closed by the server meanwhile.
    pub closed: u64,
    /// What the server's memory grew by, from the end of the quiet window to the end of the other, per such client.
    pub bytes_per_stalled: Option<f64>,
    /// Latencies of the same clients while all read.
    pub quiet_latency_us: Option<Latencies>,
    /// In a world: lateness of deltas while all read.
    pub quiet_lateness_us: Option<Latencies>,
    /// CPU time per delivered message while all read.
    pub quiet_cpu_us_per_message: Option<f64>,
}

/// What the server did wrong.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct FaultsReport {
    /// Messages that never came, or came after a later one of the same sender.
    pub lost: u64,
    /// Messages that came twice or too late.
    pub repeated: u64,
    /// Messages with other bytes than were sent, deltas that are malformed or do not fit, broken frames.
    pub corrupted: u64,
    /// Messages of clients that the server refused.
    pub refused: u64,
    /// Connections that the server refused or ended.
    pub closed: u64,
    /// The first few, in words.
    pub examples: Vec<String>,
}

impl FaultsReport {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lost + self.repeated + self.corrupted + self.refused + self.closed == 0
    }

    /// Keeps the words of the first few.
    pub(crate) fn tell(&mut self, example: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(example());
        }
    }
}

/// More of the same does not explain more.
const EXAMPLES_MAX: usize = 5;

mod table;
