//! How it travels: bytes, frames and messages, both ends of a WebSocket connection, and the HTTP head before it.
//!
//! Sans-IO: bytes go in and come out as arguments. Never a socket, a clock, a thread, a channel or randomness.
//!
//! A connection begins with [`parse_head`] and [`upgrade`] (or [`client_request`] and [`parse_client_response`] on
//! the other end), then each direction is a [`Reader`] of what the peer says and a [`WriteQueue`] of frames for it.

mod client;
pub mod close_code;
mod frame;
mod http;
mod mask;
mod reader;
mod upgrade;
mod utf8;
mod write_queue;

pub use client::{
    ClientAnswer, client_request, client_request_offering, masked_close, masked_frame, masked_ping,
    masked_pong, parse_client_answer, parse_client_response,
};
pub use frame::{
    CONTROL_BYTES_MAX, FrameHeadBytes, HEADER_BYTES_MAX, MessageKind, close_frame, data_frame,
    data_header, frame_is_text, ping_frame, pong_frame, write_header,
};
pub use http::{
    HEAD_BYTES_MAX, HEADERS_MAX, Refusal, RequestHead, Response, decode_path, parse_head,
};
pub use reader::{Event, Failure, Limits, Reader, Role, Step};
pub use upgrade::{OriginPolicy, upgrade, upgrade_speaking};
pub use write_queue::WriteQueue;
