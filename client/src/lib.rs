//! A client of worldshard: what it says, what it hears and what it sees of a world. For native programs and, compiled to
//! wasm32, for pages; no runtime, no executor.
//!
//! # Guide
//!
//! A [`Link`] keeps itself connected. It is polled, from a game's loop or with a wait, and tells in order what happened:
//!
//! ```no_run
//! use std::time::Duration;
//! use worldshard_client::protocol::{InterestWish, ViewpointMode};
//! use worldshard_client::{Link, Options, Report};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut link = Link::new(Options::new("ws://127.0.0.1:8080/world")?)?;
//! loop {
//!     match link.wait(Duration::from_millis(100)) {
//!         Some(Report::Live(live)) if !live.resumed => {
//!             link.join(ViewpointMode::Avatar, None, InterestWish::Default)?;
//!         }
//!         Some(Report::Joined { .. }) => {
//!             link.steer([1.0, 0.0, 0.0])?;
//!         }
//!         Some(Report::Delta(_)) => println!("{} entities in sight", link.view().len()),
//!         Some(Report::Dead { cause, .. }) => return Err(format!("{cause:?}").into()),
//!         Some(_) | None => {}
//!     }
//! }
//! # }
//! ```
//!
//! **Life.** Each attempt begins with `Connecting`, goes on to `Opened` and `Live` as far as it comes, and ends with one of
//! `Disconnected`, `ClosedByServer`, `ClosedBySelf`. The last report of all is `Dead`. After a drop the client connects
//! again, at once and then along a curve with jitter ([`Reconnect`]); after a close by the server only where
//! [`Reconnect::on_close`] says so. A session that can be resumed is, and commands that were lost are said again;
//! `Live::resumed` tells. [`Agent`] has the five rules by which all of this is told.
//!
//! **Saying.** [`Link::send`] and [`Link::request`] return signals whose status can be looked at any time; the end of a
//! request, and a message that failed, are reports too. Before the first `Live` is taken everything said fails, so the place
//! for what must be said on each session is where `Live` is handled. [`Link::say`] and its short forms are for the world.
//!
//! **Who.** [`Identity`] holds user and credential. One that is refused ends the client, unless
//! [`Link::renewing`] has another one; it is asked once, not in a loop.
//!
//! **Seeing.** [`Agent::view`] is the visible set, [`Agent::position_at`] draws it smoothly between two deltas, and
//! [`Prediction`] runs the client's own avatar ahead of the server. [`Handlers`] calls typed functions for the
//! application's messages, in the order in which they came.
//!
//! **TLS** for `wss` needs the feature `tls`: rustls, with the roots of browsers, given ones, or one pinned certificate.
//! A page has that of its browser.
//!
//! # Layers
//!
//! [`Agent`] is the life of a client without socket and clock; [`Lanes`] is what is said and heard, message by message.
//! [`Client`] is one connection of our own, bytes in, events and bytes out, and [`Connection`] drives it over a blocking
//! socket: both are for load generators and tests, which want no second connection.

// So that the checker of the rules, which tests of other crates include too, finds its types.
#[cfg(test)]
extern crate self as worldshard_client;

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
