//! Plugins for worldshard, each written only against what users of `worldshard` have.
//!
//! ```no_run
//! use worldshard::prelude::*;
//! use worldshard_plugins::ChatPlugin;
//!
//! fn main() -> Result<()> {
//!     App::new()
//!         .plugin(WebSocketPlugin::bind("127.0.0.1:8080"))
//!         .plugin(ChatPlugin::new())
//!         .run()
//! }
//! ```

mod chat;
mod gateway;
mod heartbeat;
mod lobby;
mod presence;
mod rate_limit;
mod snapshot;
mod spatial;

mod alarms;
mod lanes;

pub use chat::ChatPlugin;
pub use gateway::GatewayPlugin;
pub use heartbeat::HeartbeatPlugin;
pub use lobby::LobbyPlugin;
pub use presence::PresencePlugin;
pub use rate_limit::{RateLimitAction, RateLimitCounts, RateLimitPlugin};
pub use snapshot::{SnapshotBoard, SnapshotPlugin};
pub use spatial::SpatialPlugin;
