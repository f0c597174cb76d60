//! Who answers a service of the hot lane. Never runs a handler: that is `hub::said`.

use bytes::Bytes;
use worldshard_protocol::{APP_SVC, SessionId, WORLD_SVC};
use worldshard_shard::Refusal;

use crate::context::Context;

/// A message of the hot lane to a service of the application.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HotSaid {
    /// What is said, as the service defines it.
    pub opcode: u8,
    /// The client's number for it, to answer with. A refusal has it by itself.
    pub seq: Option<u32>,
    /// The service's own bytes.
    pub payload: Bytes,
}

/// Answers what a client says to a service. A refusal is told to the client as an error, unless its tenant wants none.
pub(crate) type HotService =
    Box<dyn Fn(&mut Context<'_>, SessionId, &HotSaid) -> Result<(), Refusal> + Send + Sync>;

/// Services that every server has.
pub(crate) const HOT_RESERVED: [u8; 2] = [WORLD_SVC, APP_SVC];
