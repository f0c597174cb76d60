//! A sharded, thread-per-core simulation engine: applications, sessions, routing, limits, and the drivers.
//!
//! ```no_run
//! use worldshard::prelude::*;
//!
//! fn main() -> Result<()> {
//!     App::new()
//!         .plugin(WebSocketPlugin::bind("127.0.0.1:8080"))
//!         .system(Update, echo)
//!         .run()
//! }
//!
//! fn echo(cx: &mut Context) {
//!     for message in cx.messages() {
//!         cx.send(Audience::One(message.session), message.payload.clone());
//!     }
//! }
//! ```

// So that derives find `::worldshard` inside this crate too.
extern crate self as worldshard;

pub mod prelude;

pub mod app;
mod audience;
mod context;
mod emit;
mod error;
mod message;
mod request;
mod service;
mod unsent;

mod files;

pub mod hub;
mod letter;

pub mod identity;

pub mod policy;

mod frame;
mod lockstep;
mod panic;
mod sync;
mod tray;

pub mod durable;

pub mod runtime;

pub mod sim;

pub mod worlds;

mod page;

pub use app::{
    AdminOptions, App, AppRecipe, BIND_VARIABLE, CertificateSource, Coalesce, Creation,
    DataOptions, Durability, ExtSaid, Framing, HotSaid, LogControl, Rooms, Runtime, Screened,
    ServerLimits, ServerOptions, TlsOptions, WhenEmpty,
};
pub use audience::Audience;
pub use context::Context;
pub use emit::Emit;
pub use error::{Error, Result};
pub use hub::{
    Commons, FrameClass, Hub, ListedRoom, Membership, MembershipChange, NotSent, Opening, Output,
    ROOM_OUTSIDE_BYTES_MAX, RoomSender,
};
pub use identity::{
    Applicant, Auth, Decide, Decider, Entry, EntryToken, Environment, OnExceed, OnExpiry, Secret,
    TokenPolicy, UserId,
};
pub use letter::{Delivery, DeltaFrame, Letter, Subscribers};
pub use message::{CloseReason, Event, Message, Payload, Text};
pub use page::{MessagesPagePlugin, PagePlugin, TourPagePlugin};
pub use request::{Request, RequestToken, Requests};
pub use runtime::Running;
pub use service::{ROOM_TIMERS_MAX, ROOM_TOTALS_MAX, Room, Service};
pub use unsent::{Unsent, UnsentCause};
pub use worldshard_macros::Emit;
pub use worldshard_shard::{Codec, Component, Envelope, Visibility};
pub use worldshard_transport::OriginPolicy;

/// What derived code names; not for users.
#[doc(hidden)]
pub mod __private {
    pub use crate::audience::Audience;
    pub use crate::emit::{Emit, json_payload};
    pub use crate::message::Payload;
    pub use worldshard_shard::__private::{Codec, Component};
}
