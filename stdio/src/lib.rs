//! Rooms whose rules are a program of any language: a process for each room, which reads what happens from its standard input,
//! a line of JSON each, and writes what is to be done to its standard output. `docs/stdio.md` has the lines.
//!
//! ```no_run
//! use worldshard::prelude::*;
//! use worldshard_stdio::Program;
//!
//! fn main() -> Result<()> {
//!     let program = Program::new("python3").arg("room.py");
//!     App::new()
//!         .plugin(WebSocketPlugin::bind("127.0.0.1:8080"))
//!         .rooms(Rooms::at("/ws/{room}", program.service()))
//!         .run()
//! }
//! ```
//!
//! A program that ends, or does not read, has its room begin again, with a process of its own, as a service that panics.
//! Nothing that it does or does not do holds up a shard: a thread beside each process reads and writes.

#![cfg(unix)]

mod program;

mod service;

mod line;

mod child;
mod pending;
mod splitter;

pub use program::Program;
pub use service::ProgramRoom;
