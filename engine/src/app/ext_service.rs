//! Who answers a service of the ext lane. Never runs a handler: that is `hub::said`.

use worldshard_protocol::SessionId;
use worldshard_shard::Refusal;

use crate::context::Context;
use crate::message::Text;

/// A message of the ext lane to a service of the application.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExtSaid {
    /// What is said: the envelope's `type`.
    pub kind: String,
    /// The room that it is about, if it names one.
    pub room: Option<String>,
    /// The client's number for it, to answer with. A refusal has it by itself.
    pub seq: Option<u32>,
    /// The service's own JSON; `null` when there is none.
    pub data: Text,
}

/// Answers what a client says to a service. A refusal is told to the client as an error.
pub(crate) type ExtService =
    Box<dyn Fn(&mut Context<'_>, SessionId, &ExtSaid) -> Result<(), Refusal> + Send + Sync>;

/// Services that every server has.
pub(crate) const RESERVED: [&str; 4] = ["app", "sys", "world", "room"];
