//! A client of worldshard: what it says, what it hears and what it sees of a world.
//!
//! [`Client`] is sans-IO: bytes in, events and bytes out. [`Connection`] drives one over a blocking socket. Both read
//! no clock. Used by tests, load generators and bots.

mod chance;
mod close;

mod message;

mod app;
mod lanes;

mod signal;
mod url;

mod options;

mod agent;

mod link;

mod handlers;
mod prediction;

#[cfg(not(target_arch = "wasm32"))]
mod event;

#[cfg(not(target_arch = "wasm32"))]
mod frames;

#[cfg(not(target_arch = "wasm32"))]
mod client;

#[cfg(not(target_arch = "wasm32"))]
mod connection;

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(not(target_arch = "wasm32"))]
use native as rim;

#[cfg(target_arch = "wasm32")]
mod web;
#[cfg(target_arch = "wasm32")]
use web as rim;

pub use agent::{
    Action, Agent, Cause, Happened, Live, Report, SendError, State, Target, Unsent, Why,
};
pub use app::{AppData, AppKind};
#[cfg(not(target_arch = "wasm32"))]
pub use client::Client;
pub use close::LOST;
#[cfg(not(target_arch = "wasm32"))]
pub use connection::{Connection, READ_BYTES, WRITE_WAIT};
#[cfg(not(target_arch = "wasm32"))]
pub use event::{ClientError, Event};
pub use handlers::{Handled, Handlers};
pub use lanes::{AckPolicy, Framing, Heard, LaneError, Lanes, Refused};
pub use link::{Link, Renew};
pub use message::{Message, Payload, PayloadError};
#[cfg(all(feature = "tls", not(target_arch = "wasm32")))]
pub use native::tls::Trust;
pub use options::{
    AgentLimits, Credential, CredentialPlace, Environment, Identity, Options, OptionsError,
    Patience, Reconnect,
};
pub use prediction::Prediction;
pub use signal::{
    MessageId, MessageSignal, MessageStatus, RequestId, RequestSignal, RequestStatus,
};
pub use url::{Url, UrlError};
pub use worldshard_protocol as protocol;
#[cfg(not(target_arch = "wasm32"))]
pub use worldshard_transport as transport;
