//! What a server is to be: one file, the environment and the flags, as one value. Parsed strictly; never runs anything.

pub(crate) mod bans;
mod flags;
pub(crate) mod gateway;
pub(crate) mod keys;
pub(crate) mod layers;
pub(crate) mod limits;
pub(crate) mod number;
pub(crate) mod outside;
mod read;
pub(crate) mod reload;
pub(crate) mod rules;
pub(crate) mod security;
pub(crate) mod server;
mod services;
pub(crate) mod tenants;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use worldshard::{OriginPolicy, ServerLimits, ServerOptions};

pub(crate) use layers::Layers;
pub(crate) use services::check_services;

use bans::Ban;
use gateway::Gateway;
use limits::Limits;
use number::{Ms, Size, Within};
use outside::{Admin, Hook};
use security::{Auth, Tls};
use server::{Data, Server, World};
use tenants::Tenant;

/// A server: what it serves, to whom, and within which bounds
#[derive(Serialize, Deserialize, JsonSchema, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Which form the file has
    pub(crate) version: Within<1, 1>,
    /// What is served, and by what
    #[serde(default)]
    pub(crate) server: Server,
    /// The world, where one is served
    #[serde(default)]
    pub(crate) world: World,
    /// Where clients come in, and when they are let go
    #[serde(default)]
    pub(crate) gateway: Gateway,
    /// Those who share the server, each apart from the others; not said, all are of one, whose clients may say everything
    #[serde(
        default,
        deserialize_with = "said",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Vec<Tenant>")]
    pub(crate) tenants: Option<Vec<Tenant>>,
    /// Who may not come
    #[serde(default)]
    pub(crate) bans: Vec<Ban>,
    /// Bounds of the server as a whole
    #[serde(default)]
    pub(crate) limits: Limits,
    /// Whom the server lets in
    #[serde(default)]
    pub(crate) auth: Auth,
    /// How connections are encrypted
    #[serde(default)]
    pub(crate) tls: Tls,
    /// Where and how a world is kept
    #[serde(default)]
    pub(crate) data: Data,
    /// A listener of its own for operators; not said, none
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) admin: Option<Admin>,
    /// The operator's own service, which is asked and told; not said, none
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hook: Option<Hook>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            version: Within::of(1),
            server: Server::default(),
            world: World::default(),
            gateway: Gateway::default(),
            tenants: None,
            bans: Vec::new(),
            limits: Limits::default(),
            auth: Auth::default(),
            tls: Tls::default(),
            data: Data::default(),
            admin: None,
            hook: None,
        }
    }
}

impl Config {
    /// Where to listen.
    pub(crate) fn listen(&self) -> &str {
        let not_said = match self.tenants {
            Some(_) => "0.0.0.0:8080",
            None => "127.0.0.1:8080",
        };
        self.gateway.listen.as_deref().unwrap_or(not_said)
    }

    /// The bounds, with those that follow from others.
    pub(crate) fn limits(&self) -> ServerLimits {
        let (gateway, limits) = (&self.gateway, &self.limits);
        let of_wsprism = |ms| self.tenants.is_some().then(|| Duration::from_millis(ms));
        let default = ServerLimits::default();
        let frames = self.tenants.iter().flatten();
        let frames = frames.map(|tenant| tenant.limits.max_frame_bytes.size());
        let message_bytes_max = match limits.message_bytes_max {
            Some(bytes) => bytes.size(),
            None => frames.fold(default.message_bytes_max, usize::max),
        };
        let twice = message_bytes_max.saturating_mul(2);
        let queue = limits.messages_queue_bytes_max.map(Size::size);
        let time =
            |said: Option<Ms<1>>,
             of_gateway: Option<Duration>,
             other: Option<Duration>,
             default| { said.map(Ms::ms).or(of_gateway).or(other).unwrap_or(default) };
        let idle = gateway.idle_timeout_ms.map(Within::ms);
        let stall = gateway.writer_send_timeout_ms.map(Within::ms);
        let ping = gateway.ping_interval_ms.map(Within::ms);
        let drain = gateway.drain_grace_ms.map(Within::ms);
        ServerLimits {
            connections_max: limits.connections_max.count(),
            message_bytes_max,
            messages_queue_bytes_max: queue.unwrap_or(twice.max(default.messages_queue_bytes_max)),
            lossy_queue_bytes_max: limits.lossy_queue_bytes_max.size(),
            service_letters_max: limits.service_letters_max.size(),
            head_deadline: limits.head_deadline_ms.ms(),
            auth_deadline: self.auth.deadline_ms.ms(),
            sessions_per_user: self.auth.sessions_per_user.count(),
            stall_max: time(
                limits.stall_max_ms,
                stall,
                of_wsprism(1500),
                default.stall_max,
            ),
            ping_interval: time(limits.ping_interval_ms, ping, None, default.ping_interval),
            silence_max: time(
                limits.silence_max_ms,
                idle,
                of_wsprism(60_000),
                default.silence_max,
            ),
            close_deadline: limits.close_deadline_ms.ms(),
            resume_grace: limits.resume_grace_ms.ms(),
            detached_max: limits.detached_max.size(),
            decisions_max: limits.decisions_max.size(),
            request_max: limits.request_max_ms.ms(),
            requests_open_max: limits.requests_open_max.size(),
            rooms_max: limits.rooms_max.count(),
            rooms_per_session_max: limits.rooms_per_session_max.count(),
            files_bytes_max: limits.files_bytes_max.size(),
            drain_max: limits
                .drain_max_ms
                .map(Ms::ms)
                .or(drain)
                .unwrap_or(default.drain_max),
            drain_notice: limits.drain_notice_ms.ms(),
            coalesce_max: self.server.coalesce.0,
            turn_bytes_max: limits.turn_bytes_max.size(),
            turn_frames_max: limits.turn_frames_max.size(),
            catch_up_ticks_max: limits.catch_up_ticks_max.count(),
        }
    }

    /// Says all but whom to let in, which is in files of its own.
    pub(crate) fn apply(&self, options: &mut ServerOptions) {
        options.bind = Some(self.listen().to_owned());
        options.runtime = self.server.runtime.into();
        options.origins = match self.server.origins.first().map(String::as_str) {
            Some(server::ANY) => OriginPolicy::Any,
            Some(server::SAME_HOST) => OriginPolicy::SameHost,
            _ => OriginPolicy::List(self.server.origins.clone()),
        };
        options.on_exceed = self.auth.on_exceed.into();
        options
            .protocol_version
            .clone_from(&self.server.protocol_version);
        options.tenants = self.tenants.iter().flatten().map(Tenant::options).collect();
        options.public_metrics = self.server.public_metrics;
        options.handshakes = self.gateway.handshake_limit.options();
        let bans = self.bans.iter().map(Ban::options);
        options.bans = bans.map(|ban| ban.expect("it was checked")).collect();
        options.limits = self.limits();
        options.tls = self.tls.options(self.data.folder.as_ref());
    }

    /// The same with all that follows from other values said: the times of `gateway` stand in `limits`, whose ranges are wider.
    pub(crate) fn settled(&self) -> Self {
        let limits = self.limits();
        let mut settled = self.clone();
        settled.gateway = Gateway {
            listen: Some(self.listen().to_owned()),
            handshake_limit: self.gateway.handshake_limit.clone(),
            ..Gateway::default()
        };
        let size = |bytes: usize| Some(Size::unchecked(bytes as u64));
        settled.limits.message_bytes_max = size(limits.message_bytes_max);
        settled.limits.messages_queue_bytes_max = size(limits.messages_queue_bytes_max);
        settled.limits.stall_max_ms = Some(Ms::of_duration(limits.stall_max));
        settled.limits.ping_interval_ms = Some(Ms::of_duration(limits.ping_interval));
        settled.limits.silence_max_ms = Some(Ms::of_duration(limits.silence_max));
        settled.limits.drain_max_ms = Some(Ms::of_duration(limits.drain_max));
        settled
    }

    /// As a file that can be read back.
    pub(crate) fn yaml(&self) -> String {
        serde_saphyr::to_string(&self.settled()).expect("a configuration is plain data")
    }
}

/// Reads what stands behind a key. Nothing is no value: whoever has taken all tenants out of a list did not leave it out, and
/// would let everybody say everything.
fn said<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<Tenant>>, D::Error> {
    Vec::deserialize(from).map(Some)
}

/// The file that is named, or the one in the working directory, if there is one.
pub(crate) fn file(named: Option<&Path>) -> Option<PathBuf> {
    let here = Path::new(FILE);
    let found = named.or_else(|| here.is_file().then_some(here))?;
    Some(found.to_owned())
}

/// The file that is read when none is named.
pub(crate) const FILE: &str = "worldshard.yaml";
