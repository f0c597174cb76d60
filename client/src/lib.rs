//! A client of worldshard: what it says, what it hears and what it sees of a world.
//!
//! [`Client`] is sans-IO: bytes in, events and bytes out. [`Connection`] drives one over a blocking socket. Both read
//! no clock. Used by tests, load generators and bots.

mod event;

mod masks;

mod client;

mod connection;

pub use client::{AckPolicy, Client, Framing};
pub use connection::{Connection, READ_BYTES, WRITE_WAIT};
pub use event::{ClientError, Event, LOST, Refused};
pub use worldshard_protocol as protocol;
pub use worldshard_transport as transport;
