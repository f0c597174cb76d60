//! A shard between two ticks as bytes, and back: nothing that a later tick depends on is left out.
//!
//! [`Shard::freeze`] copies what the next tick may change, as fast as memory can be copied; [`Frozen::encode`] makes one
//! `rkyv` archive of the copy, on any thread. [`Shard::restore`] takes an archive whose bytes were checksummed before. No
//! file, no thread.
//!
//! A restored shard that is told the same calls says the same, to the last bit. What its application keeps in resources is
//! not of the world, and not here.

mod archive;
mod codec;
mod contents;
mod freeze;
mod rest;
mod restore;

pub use archive::CHECKPOINT_LAYOUT;
pub(crate) use codec::codec_of;
pub use contents::{Contents, ContentsEntity};
pub use freeze::Frozen;
pub(crate) use freeze::{FrozenColumn, freeze_column};
pub use restore::RestoreError;
