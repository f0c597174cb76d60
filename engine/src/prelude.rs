//! Everything an application usually names, for `use worldshard::prelude::*`.

pub use crate::app::{
    App, FixedUpdate, Last, Owned, Plugin, Runtime, ServerOptions, Shutdown, Stage, Startup,
    System, Update, WebSocketPlugin,
};
pub use crate::audience::Audience;
pub use crate::context::Context;
pub use crate::error::{Error, Result};
pub use crate::message::{CloseReason, Event, Message, Payload, Text};
pub use crate::page::PagePlugin;
pub use crate::runtime::Running;
pub use bytes::Bytes;
pub use worldshard_protocol::{EntityId, SessionId, Tick};
pub use worldshard_shard::{
    Appearance, Component, Draft, Genesis, Position, Refusal, Steering, Step, Subject, View,
    Visibility, WorldConfig,
};
pub use worldshard_spatial::{Bounds, IndexKind, Metric, Point, ShardId};
pub use worldshard_transport::{RequestHead, Response};
