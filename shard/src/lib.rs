//! What happens: one shard's world and the two halves of its tick.
//!
//! Sans-IO: commands and envelopes in, envelopes and deltas out. Never waits, sends, reads a clock, draws
//! from the system's randomness or iterates a hash map. `docs/architecture.md` has the life of a tick.

mod shard;

mod phases;

mod calls;
mod quarantine;

mod config;
mod recipe;

mod command;
mod letter;
mod published;
mod viewer;

mod component;
mod migration;
mod registry;

mod checkpoint;

mod draft;
mod world;

mod layout;

mod around;
mod column;
mod ghost;
mod view;

mod roster;
mod slots;

mod step;

mod timers;
mod zone;

mod chance;

mod resources;

mod audit;
mod digest;
mod stats;

#[cfg(test)]
mod samples;

pub use around::Around;
pub use audit::{Audit, AuditFailure, Tally};
pub use calls::{Call, Keep};
pub use chance::Chance;
pub use checkpoint::{CHECKPOINT_LAYOUT, Contents, ContentsEntity, Frozen, RestoreError};
pub use command::{Acknowledgement, Command, CommandBody, Interest, Join, Refusal};
pub use component::{Appearance, Codec, Component, Position, Steering, Visibility};
pub use config::{ConfigError, Limits, WorldConfig};
pub use digest::entity_digest;
pub use draft::Draft;
pub use letter::{AreaMessage, Envelope};
pub use phases::Phase;
pub use published::{DeltaOut, FRAME_HEADROOM, Notice, Published, SHARED_AT};
pub use quarantine::SystemName;
pub use recipe::{
    AvatarDraft, CommandHandler, EntityDraft, Genesis, NamedSystem, Population, Predicate, Recipe,
    ResourceMaker, Script, ScriptedCommand, Subject, System,
};
pub use registry::{
    COMPONENTS_MAX, DecodeError, REPLICATED_BYTES_MAX, Registry, RegistryError, replicated_parts,
};
pub use resources::Resources;
pub use shard::Shard;
pub use stats::{ShardStats, ViewerStats};
pub use step::{SPAWNS_PER_SPAWNER_MAX, Space, Step};
pub use timers::{TIMERS_MAX, Timers};
pub use view::{Neighbour, View};
pub use world::{Rank, World};
pub use worldshard_macros::Component;
pub use worldshard_spatial::Near;
pub use zone::{Crossing, Zone, ZoneOf};

/// What derived code names; not for users.
#[doc(hidden)]
pub mod __private {
    pub use crate::component::{Codec, Component};
}
