//! Everything an application usually names, for `use worldshard::prelude::*`.

pub use crate::app::{
    App, Creation, ExtSaid, FixedUpdate, Framing, HotSaid, Last, Owned, Plugin, Rooms, Runtime,
    Screened, ServerOptions, Shutdown, Stage, Startup, System, Update, WebSocketPlugin, WhenEmpty,
};
pub use crate::audience::Audience;
pub use crate::context::Context;
pub use crate::emit::Emit;
pub use crate::error::{Error, Result};
pub use crate::hub::{ListedRoom, Membership, MembershipChange, NotSent, RoomSender};
pub use crate::identity::{Auth, Environment, UserId};
pub use crate::message::{CloseReason, Event, Message, Payload, Text};
pub use crate::page::{MessagesPagePlugin, PagePlugin};
pub use crate::request::{Request, RequestToken, Requests};
pub use crate::runtime::Running;
pub use crate::service::{Room, Service};
pub use crate::unsent::{Unsent, UnsentCause};
pub use bytes::Bytes;
pub use worldshard_macros::Emit;
pub use worldshard_protocol::{EntityId, ErrorCode, ExtEnvelope, SessionId, Tick};
pub use worldshard_shard::{
    Appearance, Around, Chance, Component, Crossing, Draft, Genesis, Near, Neighbour, Position,
    Rank, Refusal, Space, Steering, Step, Subject, View, Visibility, WorldConfig, Zone,
};
pub use worldshard_spatial::{Bounds, CellGrid, IndexKind, Metric, Point, ShardId};
pub use worldshard_transport::{RequestHead, Response};
