//! The section `limits`: every bound of the engine, by its name there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::number::{Count, Ms, Size};

/// Bounds of the server as a whole. The four times that `gateway` has too may be said in one of both places
#[derive(Serialize, Deserialize, JsonSchema, Clone, PartialEq, Debug)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Open connections; one more is answered 503
    pub(crate) connections_max: Count<1>,
    /// Bytes of one message from a client; a longer one closes the connection with 1009. Not said: 262144, or as much as a
    /// tenant's `max_frame_bytes` wants
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message_bytes_max: Option<Size<1>>,
    /// Bytes of messages that wait for one client; beyond, it is closed with 1013. Not said: 1048576, or twice
    /// `message_bytes_max` where that is more
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) messages_queue_bytes_max: Option<Size<1>>,
    /// Bytes of messages that wait for one client, beyond which a message that may be lost is dropped for it
    pub(crate) lossy_queue_bytes_max: Size<0>,
    /// Letters that wait in the mailbox of a shard; beyond, the sender keeps them and stops reading sockets
    pub(crate) service_letters_max: Size<1>,
    /// Time for a request head to be complete; then it is answered 408
    pub(crate) head_deadline_ms: Ms<1>,
    /// Time without a byte taken while bytes wait, or without a byte of a client that owes an acknowledgement; then it is
    /// cut off. Not said: `gateway.writer_send_timeout_ms`, else 120000
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stall_max_ms: Option<Ms<1>>,
    /// Silence after which a client is asked whether it is there. Not said: `gateway.ping_interval_ms`, else 20000
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ping_interval_ms: Option<Ms<1>>,
    /// Silence after which it is not; longer than that. Not said: `gateway.idle_timeout_ms`, else 35000
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) silence_max_ms: Option<Ms<1>>,
    /// Time for a client to answer a close; then it is cut off
    pub(crate) close_deadline_ms: Ms<1>,
    /// How long a session of a world waits for another connection when its own breaks, in time of the world; 0 for not at all
    pub(crate) resume_grace_ms: Ms<0>,
    /// Sessions of one shard that wait so; one more is closed at once
    pub(crate) detached_max: Size<0>,
    /// Clients of one shard that wait for the hook to decide on them; one more is turned away
    pub(crate) decisions_max: Size<0>,
    /// Time for a request of a client to be answered, in time of the world; then it is rejected with TIMEOUT
    pub(crate) request_max_ms: Ms<1>,
    /// Requests of one session that have no answer yet; one more is rejected
    pub(crate) requests_open_max: Size<0>,
    /// Rooms of the whole process; of one more, whoever asks for it is answered 503
    pub(crate) rooms_max: Count<0>,
    /// Rooms that one session is in; one more is refused
    pub(crate) rooms_per_session_max: Count<0>,
    /// Bytes of all files of a served folder, which lie in memory
    pub(crate) files_bytes_max: Size<0>,
    /// Time for all connections to end when the server stops. Not said: `gateway.drain_grace_ms`, else 2000
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) drain_max_ms: Option<Ms<0>>,
    /// Of it, so long sessions on lanes go on after they were told that the end comes
    pub(crate) drain_notice_ms: Ms<0>,
    /// Bytes read from one connection in a turn; then it goes to the back of the queue. At most a mebibyte is read
    pub(crate) turn_bytes_max: Size<1>,
    /// Frames taken from one connection in a turn, 16 pings and pongs at most among them; then it goes to the back of the
    /// queue. A message in fragments is as many frames
    pub(crate) turn_frames_max: Size<1>,
    /// Ticks made up for without a pause after a delay; the rest is given up and counted as lag
    pub(crate) catch_up_ticks_max: Count<0>,
}

impl Default for Limits {
    /// The engine's, but that sessions of a world wait for their clients.
    fn default() -> Self {
        Self {
            connections_max: Count::of(65_536),
            message_bytes_max: None,
            messages_queue_bytes_max: None,
            lossy_queue_bytes_max: Size::of(64 << 10),
            service_letters_max: Size::of(4096),
            head_deadline_ms: Ms::of(5000),
            stall_max_ms: None,
            ping_interval_ms: None,
            silence_max_ms: None,
            close_deadline_ms: Ms::of(2000),
            resume_grace_ms: Ms::of(15_000),
            detached_max: Size::of(4096),
            decisions_max: Size::of(1024),
            request_max_ms: Ms::of(30_000),
            requests_open_max: Size::of(64),
            rooms_max: Count::of(100_000),
            rooms_per_session_max: Count::of(64),
            files_bytes_max: Size::of(256 << 20),
            drain_max_ms: None,
            drain_notice_ms: Ms::of(200),
            turn_bytes_max: Size::of(64 << 10),
            turn_frames_max: Size::of(64),
            catch_up_ticks_max: Count::of(5),
        }
    }
}
