//! Plugins for worldshard, each written only against what users of `worldshard` have.
//!
//! ```no_run
//! use worldshard::prelude::*;
//! use worldshard_plugins::{HeartbeatPlugin, RateLimitPlugin};
//!
//! fn main() -> Result<()> {
//!     App::new()
//!         .plugin(WebSocketPlugin::bind("127.0.0.1:8080"))
//!         .plugin(HeartbeatPlugin::new())
//!         .plugin(RateLimitPlugin::new())
//!         .run()
//! }
//! ```

mod heartbeat;
mod rate_limit;

mod alarms;

pub use heartbeat::HeartbeatPlugin;
pub use rate_limit::{RateLimitAction, RateLimitCounts, RateLimitPlugin};
