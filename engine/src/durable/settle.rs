//! Brings the files of a world that came back to an end, and writes the generation that a new process goes on behind.
//!
//! Never decides which world that is.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;

use worldshard_protocol::Tick;
use worldshard_shard::{Call, Shard};
use worldshard_spatial::ShardId;

use super::codec::checkpoint_file;
use super::error::DurableError;
use super::journal::{Chunk, read_journal, write_chunk};
use super::names::FileName;
use super::recover::{files, generation};
use super::store::Store;

/// Makes all shards, as they are after `tick`, a generation; their archives. The journal before it ends with that tick, for
/// every shard, and whatever leads beyond goes: the next process must not write behind it. After a crash in here the same
/// world comes back.
///
/// # Errors
/// What the store says.
pub fn settle<'a>(
    store: &dyn Store,
    shards: impl IntoIterator<Item = &'a Shard>,
    tick: Tick,
) -> Result<Vec<Arc<Vec<u8>>>, DurableError> {
    let files = files(store)?;
    let before = files.iter().filter_map(generation);
    if let Some(last) = before.filter(|of| *of < tick).max() {
        end_journal(store, last, tick)?;
    }
    for name in files {
        let beyond = match name {
            FileName::Manifest => false,
            FileName::Checkpoint(of, _) => of > tick,
            FileName::Journal(of) => of >= tick,
        };
        if beyond {
            let removed = store.remove(&name.to_string());
            removed.map_err(refused("removing", name))?;
        }
    }
    let mut archives = Vec::new();
    for shard in shards {
        let archive = shard.freeze().encode();
        let name = FileName::Checkpoint(tick, shard.own());
        let written = store.write(&name.to_string(), &checkpoint_file(&archive));
        written.map_err(refused("writing", name))?;
        archives.push(Arc::new(archive));
    }
    Ok(archives)
}

/// What was told of a later tick goes, and every shard that has not done the second half of this one does it.
fn end_journal(store: &dyn Store, last: Tick, tick: Tick) -> Result<(), DurableError> {
    let name = FileName::Journal(last);
    let bytes = match store.read(&name.to_string()) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused("reading", name)(error)),
    };
    let (chunks, _) = read_journal(&bytes);
    let mut ended = Vec::new();
    let mut open: BTreeMap<ShardId, bool> = BTreeMap::new();
    for chunk in chunks.iter().filter(|chunk| chunk.tick <= tick) {
        write_chunk(chunk, &mut ended);
        let last = chunk.calls.last();
        let is_open = matches!(last, Some(Call::Advance(of)) if *of == tick);
        open.insert(chunk.shard, is_open);
    }
    for (shard, _) in open.into_iter().filter(|(_, open)| *open) {
        let calls = vec![Call::Absorb(tick, Vec::new())];
        write_chunk(&Chunk { shard, tick, calls }, &mut ended);
    }
    // Written anew even where nothing differs: what a process wrote last may not have reached the disk.
    let written = store.write(&name.to_string(), &ended);
    written.map_err(refused("writing", name))
}

fn refused(doing: &'static str, name: FileName) -> impl Fn(std::io::Error) -> DurableError {
    move |source| DurableError::Io {
        what: format!("{doing} {name}"),
        source,
    }
}
