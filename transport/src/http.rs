//! The HTTP that stands before a WebSocket: request heads in, short answers out, one request a connection.
//!
//! Strict where proxies and servers read differently (doubled Host, bodies, bare line feeds, folded lines), so that
//! no second request hides in the first. Never reads a body.

mod fields;
mod request;
mod response;

pub(crate) use fields::{Fields, find_head, is_token_byte};
pub use request::{RequestHead, decode_path, parse_head};
pub use response::{Refusal, Response};

/// A request head is at most so many bytes; a longer one is refused with 431, before more of it is read.
pub const HEAD_BYTES_MAX: usize = 8192;

/// A request head has at most so many header lines; more are refused with 431.
pub const HEADERS_MAX: usize = 100;
