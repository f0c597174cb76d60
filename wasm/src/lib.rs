//! Hosts services of rooms that are WebAssembly guests: what they are told, what they want done, and the bounds they live in.
//!
//! A guest is sans-IO: time and seed are arguments. What rooms have to do with it is `service`, the thread that counts a
//! runaway's time is `epochs`; nothing else knows the engine or a thread. `docs/guests.md` has the ABIs to the byte.
//!
//! ```
//! use std::time::Duration;
//! use worldshard_wasm::{Effect, Event, Guest, GuestConfig, Host, Limits, Module, PayloadRef};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let bytes = wat::parse_str(r#"(module
//! #     (import "worldshard" "input_read" (func $read (param i32 i32 i32 i32) (result i32)))
//! #     (import "worldshard" "send_one" (func $send (param i32 i32 i32 i32)))
//! #     (memory (export "memory") 1)
//! #     (func (export "worldshard_abi_1"))
//! #     (func (export "room_message") (param $member i32) (param $kind i32) (param $len i32)
//! #         (drop (call $read (i32.const 0) (i32.const 0) (i32.const 0) (local.get $len)))
//! #         (call $send (local.get $member) (local.get $kind) (i32.const 0) (local.get $len))))"#)?;
//! let host = Host::new(Limits::default())?;
//! let echo = Module::new(&host, &bytes)?;
//! let mut guest = Guest::new(&echo, GuestConfig { room: "lobby".into(), ..GuestConfig::default() }, Duration::ZERO)?;
//!
//! let said = Event::Message { member: 7, payload: PayloadRef::Text("hello") };
//! let effects: Vec<Effect> = guest.call(said, Duration::from_secs(1))?.collect();
//! assert_eq!(effects, [Effect::send_one(7, "hello")]);
//! # Ok(())
//! # }
//! ```

mod service;

mod limits;

mod host;

mod epochs;

mod module;

mod guest;

mod event;

mod error;

mod sandbox;

mod chance;

mod memory;

mod abi;

pub use abi::{ABI_VERSION, Abi, STATEROOM_PROTOCOL, STATEROOM_VERSION};
pub use error::{ModuleError, Trap};
pub use event::{Audience, Effect, Event, Payload, PayloadRef};
pub use guest::{Guest, GuestConfig};
pub use host::Host;
pub use limits::Limits;
pub use module::Module;
pub use service::{EPOCH, GuestRoom, Guests};
