//! Tells the operator's own service what happens to sessions, by HTTP, and asks it whom to let in. `docs/hook.md` has the
//! requests and their answers.
//!
//! ```no_run
//! use worldshard::prelude::*;
//! use worldshard_hook::{HookOptions, HookPlugin};
//!
//! fn main() -> Result<()> {
//!     let secret = std::fs::read("hook.secret").expect("the secret is there");
//!     let hook = HookPlugin::new(HookOptions::new("http://127.0.0.1:9000/hook", secret));
//!     App::new()
//!         .plugin((WebSocketPlugin::bind("127.0.0.1:8080"), hook))
//!         .run()
//! }
//! ```
//!
//! Nothing that the service does or does not do holds up a shard: threads beside them post, and what waits for them is
//! bounded.

mod authorities;
mod options;

mod plugin;

mod decider;
mod event;
mod reply;

mod delivery;
mod pool;
mod queue;

mod backoff;
mod breaker;
mod post;
mod sign;

mod clock;
mod status;

pub use authorities::certificates;
pub use options::{HookEvents, HookOptions, OnError};
pub use plugin::HookPlugin;
pub use sign::{SIGNATURE_HEADER, signature};
pub use status::{BreakerState, HookStatus, HookWatch};
