//! The section `gateway`: where clients come in, and when they are let go. The keys, ranges and defaults are wsPrism's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::number::{Count, Within};

/// Where clients come in, and when they are let go. A time that is not said here and not in `limits` is wsPrism's where
/// there are `tenants`, else that of `limits`
#[derive(Serialize, Deserialize, JsonSchema, Clone, PartialEq, Debug, Default)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Gateway {
    /// Where to listen, `host:port`; port 0 takes any free one. Not said: 0.0.0.0:8080 with `tenants`, else 127.0.0.1:8080
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) listen: Option<String>,
    /// Silence after which a client is asked whether it is there. Not said: `limits.ping_interval_ms`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ping_interval_ms: Option<Within<5_000, 120_000>>,
    /// Silence after which a client is not there; longer than `ping_interval_ms`. Not said: 60000 with `tenants`, else
    /// `limits.silence_max_ms`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idle_timeout_ms: Option<Within<10_000, 600_000>>,
    /// Time without a byte taken while bytes wait; then the client is cut off. Not said: 1500 with `tenants`, else
    /// `limits.stall_max_ms`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) writer_send_timeout_ms: Option<Within<50, 60_000>>,
    /// Time for all clients to go when the server stops. Not said: `limits.drain_max_ms`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) drain_grace_ms: Option<Within<0, 600_000>>,
    /// How many handshakes are taken on
    pub(crate) handshake_limit: HandshakeLimit,
}

/// How many handshakes are taken on; who is too fast is answered 429
#[derive(Serialize, Deserialize, JsonSchema, Clone, PartialEq, Debug)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HandshakeLimit {
    /// Whether there is a limit
    pub(crate) enabled: bool,
    /// In a second, of all addresses together
    pub(crate) global_rps: Count<1>,
    /// At once, of all addresses together
    pub(crate) global_burst: Count<1>,
    /// In a second, of one IPv4 address or one /64 of IPv6
    pub(crate) per_ip_rps: Count<1>,
    /// At once, of one
    pub(crate) per_ip_burst: Count<1>,
    /// Addresses that are remembered; with more, those are forgotten that were quiet longest
    pub(crate) max_ip_entries: Count<1>,
}

impl Default for HandshakeLimit {
    fn default() -> Self {
        Self {
            enabled: false,
            global_rps: Count::of(100),
            global_burst: Count::of(200),
            per_ip_rps: Count::of(10),
            per_ip_burst: Count::of(50),
            max_ip_entries: Count::of(50_000),
        }
    }
}

impl HandshakeLimit {
    pub(crate) fn options(&self) -> Option<worldshard::policy::HandshakeLimit> {
        self.enabled.then_some(worldshard::policy::HandshakeLimit {
            global_per_second: self.global_rps.count(),
            global_burst: self.global_burst.count(),
            per_ip_per_second: self.per_ip_rps.count(),
            per_ip_burst: self.per_ip_burst.count(),
            ip_entries_max: self.max_ip_entries.count(),
        })
    }
}
