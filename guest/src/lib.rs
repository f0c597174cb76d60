//! What a service of a room is written against that is compiled to WebAssembly, for `wasm32-unknown-unknown`.
//!
//! ```
//! use worldshard_guest::{Audience, Payload, Room, Service};
//!
//! #[derive(Default)]
//! struct Counter(u64);
//!
//! impl Service for Counter {
//!     fn message(&mut self, room: &mut Room<'_>, _: u32, payload: &Payload) {
//!         if payload.as_text() == Some("increment") {
//!             self.0 += 1;
//!             room.send(Audience::All, format!("new value: {}", self.0));
//!         }
//!     }
//! }
//!
//! worldshard_guest::service!(Counter);
//! ```
//!
//! The crate is a `cdylib`. Compiled for another target, the macro exports nothing, and a service is tested in a [`Rehearsal`].
//! `docs/guests.md` has the ABI below.

mod service;

mod room;

mod rehearsal;

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod exports;

#[cfg(target_arch = "wasm32")]
mod imports;

pub use rehearsal::{Done, Rehearsal};
pub use room::{Audience, Host, Payload, Room};
pub use service::Service;
