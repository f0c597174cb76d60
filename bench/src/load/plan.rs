//! What a run is to do, checked before anything is opened.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use super::dialect::Dialect;
use super::tagged::TAG_BYTES;
use crate::open_files;

/// One run against one server.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the server is.
    pub target: Target,
    /// What the clients do.
    pub scenario: Scenario,
    /// Clients, the sender of a broadcast not counted.
    pub connections: usize,
    /// Bytes of a message's payload, at least [`Plan::PAYLOAD_BYTES_MIN`].
    pub payload_bytes: usize,
    /// Messages are text instead of binary.
    pub text: bool,
    /// Time under load that is not measured.
    pub warmup: Duration,
    /// Time that is measured.
    pub window: Duration,
    /// The server's process, whose CPU time and memory are measured.
    pub pid: Option<u32>,
    /// Connections that are being opened at a time, so that the server's backlog holds.
    pub batch: usize,
    /// When one send in a hundred left later than this after its time, the run is not valid.
    pub lag_max: Duration,
    /// Directions, masks and keys come from it.
    pub seed: u64,
}

/// What the clients do.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Scenario {
    /// Each client gets its own messages back.
    Echo(Pace),
    /// One more client sends to all.
    Broadcast {
        /// Messages a second.
        rate_hz: f64,
    },
    /// Each client sends to all.
    AllToAll {
        /// Messages a second of each.
        rate_hz: f64,
    },
    /// Each client sends to all in its room.
    Rooms {
        /// Messages a second of each.
        rate_hz: f64,
    },
    /// Each client has an avatar that it steers; every delta is checked, applied and acknowledged.
    World {
        /// How far each sees, in metres; as the world has it by default when absent.
        radius_m: Option<f32>,
        /// New directions a second of each.
        steer_hz: f64,
    },
    /// The same messages to the server as in a world; what comes back is only counted.
    Sink {
        /// Messages a second of each, beside the acknowledgements.
        steer_hz: f64,
    },
    /// Connections that say nothing.
    Idle,
    /// Connections that are opened, and closed when all are.
    Storm {
        /// Connections a second; as many as go when absent.
        rate_hz: Option<f64>,
    },
    /// As another scenario, first with all clients reading, then with some that do not.
    Stalled {
        /// What the others do.
        of: Stallable,
        /// So much of all clients, above 0 and below 1.
        share: f64,
    },
}

/// When a client that gets its messages back sends the next.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Pace {
    /// As soon as one of so many came back.
    InFlight(u32),
    /// So many a second of each client, whatever comes back.
    RateHz(f64),
}

/// What goes on while some do not read.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Stallable {
    /// As [`Scenario::Broadcast`].
    Broadcast {
        /// Messages a second.
        rate_hz: f64,
    },
    /// As [`Scenario::World`].
    World {
        /// How far each sees, in metres; as the world has it by default when absent.
        radius_m: Option<f32>,
        /// New directions a second of each.
        steer_hz: f64,
    },
}

/// Where the server is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The address to connect to.
    pub addr: SocketAddr,
    /// Host and port as they stand in the URL.
    pub host: String,
    /// Path and query, in which `{n}` stands for the client's number, and `{room}` for its room's.
    pub path: String,
    /// Clients of a room: those that follow each other.
    pub room_members: usize,
    /// The connections are encrypted.
    pub tls: bool,
    /// What the server wants beside messages.
    pub dialect: Dialect,
}

impl Target {
    /// Reads a URL of the form `ws://host:port/path`, or with `wss`; `remote` allows hosts beyond this machine.
    ///
    /// # Errors
    /// Names what is wrong with `--url`.
    pub fn parse(url: &str, remote: bool) -> Result<Self, PlanError> {
        let refuse = |detail: String| Err(PlanError::new("url", format!("{url}: {detail}")));
        let (tls, rest) = match (url.strip_prefix("ws://"), url.strip_prefix("wss://")) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => {
                return refuse("not of the form ws://host:port/path, or wss".to_owned());
            }
        };
        let (host, path) = match rest.find('/') {
            Some(at) => (&rest[..at], &rest[at..]),
            None => (rest, "/"),
        };
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !plain(host) || !plain(path) {
            return refuse("has characters that stand in no URL".to_owned());
        }
        let addr = match host.to_socket_addrs().map(|mut found| found.next()) {
            Ok(Some(addr)) => addr,
            Ok(None) => return refuse(format!("{host} has no address")),
            Err(error) => return refuse(format!("{error}; try ws://127.0.0.1:8080{path}")),
        };
        if !remote && !addr.ip().is_loopback() {
            return refuse(
                "not this machine; if that server may be loaded, say --allow-remote".to_owned(),
            );
        }
        Ok(Self {
            addr,
            host: host.to_owned(),
            path: path.to_owned(),
            room_members: 1,
            tls,
            dialect: Dialect::default(),
        })
    }
}

impl Scenario {
    /// The name on the command line and in reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Echo(_) => "echo",
            Self::Broadcast { .. } => "broadcast",
            Self::AllToAll { .. } => "all-to-all",
            Self::Rooms { .. } => "rooms",
            Self::World { .. } => "world",
            Self::Sink { .. } => "sink",
            Self::Idle => "idle",
            Self::Storm { .. } => "storm",
            Self::Stalled { .. } => "stalled",
        }
    }
}

impl Plan {
    /// A message holds its tag.
    pub const PAYLOAD_BYTES_MIN: usize = TAG_BYTES;

    /// Refuses what cannot be run, and raises this process's limit of open files if it must.
    ///
    /// # Errors
    /// Names the flag and the remedy.
    pub fn check(&self) -> Result<(), PlanError> {
        let refuse = |flag, detail: String| Err(PlanError::new(flag, detail));
        if self.connections == 0 || self.connections > CONNECTIONS_MAX {
            return refuse("connections", format!("1 to {CONNECTIONS_MAX}"));
        }
        if !(TAG_BYTES..=PAYLOAD_BYTES_MAX).contains(&self.payload_bytes) {
            return refuse("bytes", format!("{TAG_BYTES} to {PAYLOAD_BYTES_MAX}"));
        }
        if self.window.is_zero() || self.window > WINDOW_MAX || self.warmup > WINDOW_MAX {
            let most = WINDOW_MAX.as_secs();
            return refuse("seconds", format!("above 0, at most {most}, as --warmup"));
        }
        if self.batch == 0 {
            return refuse("batch", "at least 1".to_owned());
        }
        if self.target.room_members == 0 {
            return refuse("members", "at least 1".to_owned());
        }
        if let Scenario::Stalled { share, .. } = self.scenario
            && self.stalled() == 0
        {
            let percent = share * 100.0;
            let all = self.connections;
            let detail = format!("{percent} % of {all} is none; raise it or --connections");
            return refuse("stalled-percent", detail);
        }
        self.raise_open_files()
    }

    /// Clients that stop reading.
    pub(crate) fn stalled(&self) -> usize {
        let Scenario::Stalled { share, .. } = self.scenario else {
            return 0;
        };
        let stalled = (self.connections as f64 * share).round() as usize;
        stalled.min(self.connections.saturating_sub(1))
    }

    fn raise_open_files(&self) -> Result<(), PlanError> {
        open_files::raise_to_the_most();
        let wanted = (self.connections + OTHER_FILES) as u64;
        match open_files::most() {
            Some(most) if most < wanted => {
                let detail = format!(
                    "{} connections need {wanted} open files, {most} are allowed; raise that (ulimit -Hn {wanted}) \
                     or open fewer",
                    self.connections
                );
                Err(PlanError::new("connections", detail))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// A plan that cannot be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlanError {
    /// The flag, without dashes.
    pub flag: &'static str,
    /// What is wrong and what to do.
    pub detail: String,
}

impl PlanError {
    pub(crate) fn new(flag: &'static str, detail: impl Into<String>) -> Self {
        Self {
            flag,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--{}: {}", self.flag, self.detail)
    }
}

impl std::error::Error for PlanError {}

/// One address has no more ports for connections to one server.
const CONNECTIONS_MAX: usize = 60_000;

/// A message of a server may be as long as this; beyond, servers of all kinds refuse it.
const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// Longer runs are soak tests: a histogram of their latencies says nothing of any part of them.
const WINDOW_MAX: Duration = Duration::from_secs(3600);

/// Files open beside the connections: streams, epoll, a sender, what is read of a process.
const OTHER_FILES: usize = 32;

#[cfg(test)]
mod tests;
