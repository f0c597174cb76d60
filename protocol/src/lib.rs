//! What is said: ids, records, deltas, the messages of both lanes, error codes.
//!
//! Types and their bytes only. Never reads a clock, a socket or a channel, and compiles on wasm32.
//! `docs/wire.md` is the specification; `golden/` holds its bytes.

pub mod ids;

pub mod error;

pub mod record;

pub mod delta;
pub mod digest;
pub mod view;

pub mod overview;

pub mod hot;
pub mod world;

pub mod app;

pub mod ext;
pub mod greeting;
pub mod json_text;
pub mod user;

pub use delta::{
    ArchivedDelta, Delta, DeltaError, DeltaHead, DeltaWriter, delta_bytes, read_delta, write_delta,
};
pub use error::{ErrorCode, WireError, error_envelope};
pub use ext::ExtEnvelope;
pub use greeting::{Greeting, LAYOUT_VERSION};
pub use hot::{APP_SVC, HotHeader, WORLD_SVC};
pub use ids::{EntityId, SHARDS_MAX, SessionId, Tick};
pub use json_text::JsonText;
pub use overview::{ArchivedOverview, Dot, Overview, read_overview};
pub use record::{Extra, RECORD_BYTES, Record};
pub use user::UserId;
pub use view::{Applied, Seen, View, ViewError};
pub use world::{ClientMessage, InterestWish, ViewpointMode};
