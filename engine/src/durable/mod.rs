//! A world on disk: checkpoints of all shards, the journal of what was said to them, and how a world comes back.
//!
//! A **generation** is a checkpoint of every shard after one tick, and the journal that begins behind it. Journals of one
//! generation after another are one long list of calls, so an older generation leads to the same world as a newer one.
//! Sans-IO: files are behind [`Store`], which a driver makes of a directory and the simulator of memory. No thread, no clock.

mod codec;
mod error;
mod journal;
mod keeper;
mod manifest;
mod names;
mod recover;
mod replay;
mod retention;
mod settle;
mod store;
mod stuffing;

pub use error::DurableError;
pub use journal::{Chunk, Ending, read_journal, write_chunk};
pub use keeper::Keeper;
pub use manifest::Manifest;
pub use names::FileName;
pub use recover::{Loaded, Opening, Recovered, load, load_from, recover};
pub use replay::Replay;
pub use retention::{complete, outdated};
pub use settle::settle;
pub use store::Store;

pub use codec::{checkpoint_file, checkpoint_of};

#[cfg(test)]
mod tests;
