//! The first message on a connection: who the client is, and all it needs to read the rest.
//!
//! Never changes while the connection lives.

use serde::{Deserialize, Serialize};

use crate::error::{ErrorCode, WireError};
use crate::ext::ExtEnvelope;
use crate::json_text::JsonText;
use crate::user::UserId;

/// What the server says first: ext lane, service `sys`, type `authed`. Numbers are at most 2^53.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Greeting {
    /// The session's number: `SessionId::value`.
    pub session: u64,
    /// The layout of deltas and overviews, [`LAYOUT_VERSION`].
    pub layout: u32,
    /// The world's tick now.
    pub tick: u64,
    /// Ticks a second.
    pub tick_rate_hz: f64,
    /// How many shards the world has.
    pub shards: u16,
    /// The shard that holds this connection.
    pub home: u16,
    /// The world's name.
    pub world: String,
    /// How far the world reaches.
    pub space: SpaceInfo,
    /// Which part each shard owns, as boxes; a shard may have several.
    pub territories: Vec<TerritoryInfo>,
    /// What the server tells by default, and at most.
    pub interest: InterestInfo,
    /// Width of the band that neighbours see as ghosts, in metres.
    pub border_m: f32,
    /// The replicated components, by their index in deltas.
    pub components: Vec<ComponentInfo>,
    /// The client's avatar, once it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<u64>,
    /// On a connection that goes on with a session: the highest number of a command that was taken from the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_sequence: Option<u32>,
    /// What another connection resumes this session by, once; absent where none can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
    /// Whose session it is; absent when it is nobody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// The tenant whose world it is; absent where the server knows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Names this connection in traces: 32 lower-case hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// What the client said of itself when it connected, as it said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<JsonText>,
}

/// The world's extent, in metres.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SpaceInfo {
    /// The least corner.
    pub min: [f32; 3],
    /// The greatest corner.
    pub max: [f32; 3],
    /// How distances are measured, by name.
    pub metric: String,
    /// Edge of a cell.
    pub cell_edge_m: f32,
}

/// One box of one shard's territory, in metres.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct TerritoryInfo {
    /// The owner.
    pub shard: u16,
    /// The least corner.
    pub min: [f32; 3],
    /// The greatest corner.
    pub max: [f32; 3],
}

/// Limits of interest, in metres.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct InterestInfo {
    /// The default radius.
    pub radius_m: f32,
    /// How much farther an entity must be to leave than to enter.
    pub hysteresis_m: f32,
    /// A wish beyond it is refused.
    pub radius_max_m: f32,
}

/// One replicated component.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ComponentInfo {
    /// As in `Extra::component`.
    pub index: u16,
    /// Its registered name.
    pub name: String,
}

impl Greeting {
    /// The text of the ext-lane message.
    ///
    /// # Panics
    /// Never for finite numbers, which is what worlds are made of.
    #[must_use]
    pub fn to_text(&self) -> String {
        let data = serde_json::value::to_raw_value(self).expect("a greeting is plain JSON");
        let mut envelope = ExtEnvelope::new("sys", "authed");
        envelope.data = Some(std::borrow::Cow::Owned(data));
        envelope.to_text()
    }

    /// Reads a server's first message. Fields it does not know are skipped: newer servers may add some.
    ///
    /// # Errors
    /// `BAD_REQUEST` when it is no greeting; `UNSUPPORTED_VERSION` when its layout is not [`LAYOUT_VERSION`]: then
    /// no delta of that server may be read.
    pub fn parse(text: &str) -> Result<Self, WireError> {
        let envelope = ExtEnvelope::parse(text)?;
        if envelope.svc != "sys" || envelope.kind != "authed" {
            return Err(WireError::bad("type: not a greeting"));
        }
        let Layout { layout } = envelope.data_as()?;
        if layout != LAYOUT_VERSION {
            let detail = format!("layout: {layout}, not {LAYOUT_VERSION}");
            return Err(WireError::new(ErrorCode::UnsupportedVersion, detail));
        }
        envelope.data_as()
    }
}

/// Read before all else: another layout's greeting may have other fields.
#[derive(Deserialize)]
struct Layout {
    layout: u32,
}

/// Version of the layouts of deltas and overviews. A client that does not know it reads neither.
pub const LAYOUT_VERSION: u32 = 1;

#[cfg(test)]
mod tests;
