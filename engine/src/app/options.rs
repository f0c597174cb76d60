//! How a server runs: where it listens, on how many shards, within which bounds. Never what the world is.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use worldshard_protocol::SHARDS_MAX;
use worldshard_transport::OriginPolicy;

use super::admin::AdminOptions;
use super::tls::TlsOptions;
use crate::error::{Error, Result};
use crate::identity::{Auth, OnExceed, SKEW_MAX, VERSION_BYTES_MAX};
use crate::policy::{self, Ban, HandshakeLimit, TenantOptions};

/// How a server runs.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Where to listen, `host:port`; nothing is served without.
    pub bind: Option<String>,
    /// How many shards; 0 for one per usable core.
    pub shards: u16,
    /// Which driver runs them.
    pub runtime: Runtime,
    /// Which web pages may connect.
    pub origins: OriginPolicy,
    /// What clients must show to be let in. Not said: nothing, but then the server listens for this machine alone.
    pub auth: Option<Auth>,
    /// What becomes of a user's session beyond `sessions_per_user`.
    pub on_exceed: OnExceed,
    /// Those who share the server, each apart from the others; a client names its own. None: all are of one tenant, `default`, whose
    /// clients may say everything.
    pub tenants: Vec<TenantOptions>,
    /// How many handshakes are taken on; without, all.
    pub handshakes: Option<HandshakeLimit>,
    /// Who may not come.
    pub bans: Vec<Ban>,
    /// The proxies before the server, which say in `X-Forwarded-For` for whom they connect. Nobody else is believed.
    pub proxies: Vec<IpAddr>,
    /// The version of the application's protocol: a client whose query has another `v`, or none, is answered
    /// 400. Not said: nobody is asked.
    pub protocol_version: Option<String>,
    /// Bounds of what clients can make the server hold and do.
    pub limits: ServerLimits,
    /// Where the world is kept; without, it ends with the process.
    pub data: Option<DataOptions>,
    /// How connections are encrypted; without, they are not.
    pub tls: Option<TlsOptions>,
    /// Whether `/metrics` is answered where clients connect, to whoever asks; the admin listener always answers it.
    pub public_metrics: bool,
    /// Where operators look and command; without, nowhere.
    pub admin: Option<AdminOptions>,
}

/// Where and how a world is kept.
#[derive(Clone, Debug)]
pub struct DataOptions {
    /// The folder, which is made if need be. One process at a time.
    pub folder: PathBuf,
    /// What a crash may lose.
    pub durability: Durability,
    /// World time between two checkpoints; rounded to ticks, at least one.
    pub checkpoint_every: Duration,
    /// Checkpoints that are kept, with the journals behind them; at least 1. Any tick since the oldest can be had again.
    pub checkpoints_kept: usize,
    /// Whether a journal that breaks off in its middle is followed as far as it goes, and the rest is lost.
    pub accept_loss: bool,
    /// A file that gets a line `TICK HEX` for every tick before any client is told of it.
    pub digest_file: Option<PathBuf>,
    /// For the manifest: what is needed to make the same application again.
    pub launch: BTreeMap<String, String>,
}

impl DataOptions {
    /// In `folder`, so that nothing is lost that a client was told.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            durability: Durability::Tick,
            checkpoint_every: Duration::from_secs(10),
            checkpoints_kept: 3,
            accept_loss: false,
            digest_file: None,
            launch: BTreeMap::new(),
        }
    }
}

/// What a crash of the process or the machine may lose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Durability {
    /// Everything.
    None,
    /// What happened since the last checkpoint.
    Checkpoint,
    /// Nothing that a client was told.
    #[default]
    Tick,
}

impl FromStr for Durability {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "checkpoint" => Ok(Self::Checkpoint),
            "tick" => Ok(Self::Tick),
            _ => Err("none, checkpoint or tick".to_owned()),
        }
    }
}

/// Which driver runs the shards.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Runtime {
    /// Glommio where io_uring is allowed, else the portable one.
    #[default]
    Auto,
    /// Glommio, or an error that names why not.
    Glommio,
    /// Readiness polling, on any system.
    Portable,
}

/// How long a message to many may wait to share a write with others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coalesce {
    /// So long after the last such write, at most a second; the first after a pause leaves at once. 0 is not at all.
    Within(Duration),
    /// Until the end of the tick.
    Tick,
}

impl FromStr for Coalesce {
    type Err = String;

    /// Milliseconds, or `tick`.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if text == "tick" {
            return Ok(Self::Tick);
        }
        let ms: f64 = text
            .parse()
            .map_err(|_| "neither milliseconds nor tick".to_owned())?;
        if !(0.0..=COALESCE_MAX.as_secs_f64() * 1e3).contains(&ms) {
            return Err("between 0 and 1000 ms, or tick".to_owned());
        }
        Ok(Self::Within(Duration::from_secs_f64(ms / 1e3)))
    }
}

/// Bounds of a server. Each names what happens when it is reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerLimits {
    /// Open connections of the process; one more is answered 503.
    pub connections_max: u32,
    /// Bytes of one message from a client; a longer one closes the connection with 1009.
    pub message_bytes_max: usize,
    /// Bytes of messages that wait for one client, [`FRAME_OVERHEAD_BYTES`](crate::hub::FRAME_OVERHEAD_BYTES) a frame
    /// included; beyond, the client is closed with 1013. States do not count: they wait for credits.
    pub messages_queue_bytes_max: usize,
    /// Bytes of messages that wait for one client, counted as above, beyond which a message that may be lost is dropped for
    /// it; a larger one than `messages_queue_bytes_max` is as large as that.
    pub lossy_queue_bytes_max: usize,
    /// Letters that wait in the mailbox of a shard; beyond, the sender keeps them and stops reading sockets.
    pub service_letters_max: usize,
    /// Time for a request head to be complete; then it is answered 408.
    pub head_deadline: Duration,
    /// Time for a client that must show a credential to do so, from the upgrade on; then it is closed with 1008.
    pub auth_deadline: Duration,
    /// Clients of a shard that wait for whoever decides whether they are let in ([`Auth::Decided`]); one more is answered 503,
    /// or closed with 1008 where its upgrade was answered.
    pub decisions_max: usize,
    /// Sessions of one user, over all shards; of one more, [`ServerOptions::on_exceed`] decides. 0 for no limit. Where tenants
    /// are named, their policies say this.
    pub sessions_per_user: u32,
    /// Time without the kernel taking a byte while bytes wait, or without a byte from a client that has not
    /// acknowledged the last state it was sent; then the connection is cut.
    pub stall_max: Duration,
    /// Silence after which a ping is sent.
    pub ping_interval: Duration,
    /// Silence after which a connection is cut, unless the peer does not read, which is `stall_max`'s matter; longer
    /// than `ping_interval`, so that the peer was asked.
    pub silence_max: Duration,
    /// Time for the peer to answer a close; then the connection is cut.
    pub close_deadline: Duration,
    /// How long a session on lanes that stands in the world waits for another connection when its own breaks without a
    /// close, in time of the world; then it is closed. 0: it is closed at once.
    pub resume_grace: Duration,
    /// Sessions of one shard that wait for another connection; one more is closed at once.
    pub detached_max: usize,
    /// Time for a request of a client to be answered, in time of the world; then it is rejected with `TIMEOUT`.
    pub request_max: Duration,
    /// Requests of one session that have no answer yet; one more is rejected with `RESOURCE_EXHAUSTED`.
    pub requests_open_max: usize,
    /// Rooms of the whole process; of one more, whoever asks for it is answered 503.
    pub rooms_max: u32,
    /// Rooms that one session is in; one more is refused.
    pub rooms_per_session_max: u32,
    /// Bytes of all files of a folder that [`App::files`](crate::App::files) serves: they lie in memory. With more the
    /// server does not start; one that runs goes on with those of before.
    pub files_bytes_max: usize,
    /// Time for all connections to end when the server stops; then they are cut.
    pub drain_max: Duration,
    /// Of it, so long sessions on lanes go on after they were told that the end comes, and are closed then; nobody waits
    /// for it where none speaks lanes. Requests without an answer may make it longer, up to half of `drain_max`.
    pub drain_notice: Duration,
    /// How long a message to many may wait to share a write with others. A message to one never waits, and takes along
    /// what waits before it.
    pub coalesce_max: Coalesce,
    /// Bytes read from one connection in a turn; then it goes to the back of the queue. At most a mebibyte is read.
    pub turn_bytes_max: usize,
    /// Frames taken from one connection in a turn, 16 pings and pongs at most among them; then it goes to the back of the
    /// queue. A message in fragments is as many frames.
    pub turn_frames_max: usize,
    /// Ticks made up for without a pause after a delay; the rest is given up and counted as lag.
    pub catch_up_ticks_max: u32,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            bind: None,
            shards: 0,
            runtime: Runtime::Auto,
            origins: OriginPolicy::SameHost,
            auth: None,
            on_exceed: OnExceed::Deny,
            tenants: Vec::new(),
            handshakes: None,
            bans: Vec::new(),
            proxies: Vec::new(),
            protocol_version: None,
            limits: ServerLimits::default(),
            data: None,
            tls: None,
            public_metrics: false,
            admin: None,
        }
    }
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections_max: 65_536,
            message_bytes_max: 256 * 1024,
            messages_queue_bytes_max: 1024 * 1024,
            lossy_queue_bytes_max: 64 * 1024,
            service_letters_max: 4096,
            head_deadline: Duration::from_secs(5),
            auth_deadline: Duration::from_secs(3),
            decisions_max: 1024,
            sessions_per_user: 0,
            stall_max: Duration::from_secs(120),
            ping_interval: Duration::from_secs(20),
            silence_max: Duration::from_secs(35),
            close_deadline: Duration::from_secs(2),
            resume_grace: Duration::ZERO,
            detached_max: 4096,
            request_max: Duration::from_secs(30),
            requests_open_max: 64,
            rooms_max: 100_000,
            rooms_per_session_max: 64,
            files_bytes_max: 256 * 1024 * 1024,
            drain_max: Duration::from_secs(2),
            drain_notice: Duration::from_millis(200),
            coalesce_max: Coalesce::Within(Duration::from_millis(2)),
            turn_bytes_max: 64 * 1024,
            turn_frames_max: 64,
            catch_up_ticks_max: 5,
        }
    }
}

impl ServerLimits {
    /// Bytes that wait for one client beyond which it is not sent what may be lost.
    pub(crate) fn lossy_bytes_max(&self) -> usize {
        self.lossy_queue_bytes_max
            .min(self.messages_queue_bytes_max)
    }

    /// Bytes that wait for one session to share a write; beyond, they do not wait for more.
    pub(crate) fn coalesce_bytes_max(&self) -> usize {
        COALESCE_BYTES_MAX.min(self.messages_queue_bytes_max / 4)
    }
}

impl ServerOptions {
    /// Refuses values that contradict each other.
    ///
    /// # Errors
    /// Names the option and what it may be.
    pub fn validate(&self) -> Result<()> {
        let limits = &self.limits;
        let refuse = |name, detail: String| Err(Error::Option { name, detail });
        if self.shards > SHARDS_MAX {
            let detail = format!("{} shards; at most {SHARDS_MAX}", self.shards);
            return refuse("shards", detail);
        }
        for (name, count) in [
            ("message_bytes_max", limits.message_bytes_max),
            ("service_letters_max", limits.service_letters_max),
            ("turn_bytes_max", limits.turn_bytes_max),
            ("turn_frames_max", limits.turn_frames_max),
        ] {
            if count == 0 {
                return refuse(name, "0; at least 1".to_owned());
            }
        }
        self.validate_identity()?;
        policy::validate(self)?;
        if let Some(tls) = &self.tls
            && tls.turn_handshake_steps_max == 0
        {
            return refuse("turn_handshake_steps_max", "0; at least 1".to_owned());
        }
        if limits.silence_max <= limits.ping_interval {
            let detail = format!(
                "{:?}; longer than ping_interval, {:?}, or nobody has the time to answer",
                limits.silence_max, limits.ping_interval
            );
            return refuse("silence_max", detail);
        }
        if let Coalesce::Within(wait) = limits.coalesce_max
            && wait > COALESCE_MAX
        {
            return refuse(
                "coalesce_max",
                format!("{wait:?}; at most {COALESCE_MAX:?}"),
            );
        }
        let echo_bytes = limits.message_bytes_max.saturating_add(ECHO_OVERHEAD_BYTES);
        if limits.messages_queue_bytes_max < echo_bytes {
            let detail = format!(
                "{}; at least message_bytes_max and {ECHO_OVERHEAD_BYTES} more, or the echo of one message closes its client",
                limits.messages_queue_bytes_max
            );
            return refuse("messages_queue_bytes_max", detail);
        }
        Ok(())
    }

    fn validate_identity(&self) -> Result<()> {
        let refuse = |name, detail: String| Err(Error::Option { name, detail });
        if let Some(version) = &self.protocol_version
            && !(1..=VERSION_BYTES_MAX).contains(&version.len())
        {
            let detail = format!("{} bytes; 1 to {VERSION_BYTES_MAX}", version.len());
            return refuse("protocol_version", detail);
        }
        let Some(Auth::Tokens(policy)) = &self.auth else {
            return Ok(());
        };
        if policy.keys.is_empty() {
            return refuse("auth_key", "none; at least one".to_owned());
        }
        if policy.skew > SKEW_MAX {
            return refuse(
                "auth_skew",
                format!("{:?}; at most {SKEW_MAX:?}", policy.skew),
            );
        }
        Ok(())
    }
}

/// Longer, and messages to many would be late for everyone.
const COALESCE_MAX: Duration = Duration::from_secs(1);

/// One write of so many bytes costs the kernel little more per byte than a longer one.
const COALESCE_BYTES_MAX: usize = 64 * 1024;

/// What an echo adds to a message in the queue: the header and the accounting of a frame.
const ECHO_OVERHEAD_BYTES: usize =
    worldshard_transport::HEADER_BYTES_MAX + crate::hub::FRAME_OVERHEAD_BYTES;
