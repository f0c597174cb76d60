//! Last phase: tells each session what changed since the delta it was sent last.
//!
//! Copies records that `release` laid out once; never serialises for one client.

use bytes::Bytes;
use worldshard_protocol::delta::DELTA_FULL;
use worldshard_protocol::hot::HOT_HEADER_BYTES_MAX;
use worldshard_protocol::world::OPCODE_S2C_DELTA;
use worldshard_protocol::{
    DeltaHead, Dot, EntityId, Extra, HotHeader, Overview, RECORD_BYTES, Tick, WORLD_SVC,
    delta_bytes, write_delta,
};

use crate::published::{DeltaOut, FRAME_HEADROOM};
use crate::shard::Shard;
use crate::view::View;
use crate::viewer::Viewer;

/// Builds a delta for every session that was looked at and has something to hear.
pub(crate) fn publish(shard: &mut Shard, tick: Tick) {
    let sights = std::mem::take(&mut shard.sights);
    let mut news = News::default();
    let mut start = 0;
    for &(session, end) in &sights.sessions {
        let viewer = shard
            .viewers
            .get_mut(&session)
            .expect("observe looked through it in this tick");
        let seen = &sights.seen[start..end];
        start = end;
        news.gather(viewer, seen, &shard.view);
        shard.stats.enters += news.entered.len() as u64;
        shard.stats.leaves += news.left.len() as u64;
        let whole = viewer.full || viewer.built.is_none();
        let told = viewer.inputs.client_sequence == viewer.inputs.client_sequence_told;
        if whole || !news.is_empty() || !told {
            let delta = news.write(viewer, whole, tick, &shard.view);
            shard.stats.deltas += 1;
            shard.stats.delta_bytes += (delta.buffer.len() - FRAME_HEADROOM) as u64;
            shard.published.deltas.push(delta);
        }
        viewer.visible.clear();
        viewer
            .visible
            .extend(seen.iter().map(|&(entity, _)| entity));
        viewer.built = Some(tick);
    }
    shard.sights = sights;
    for viewer in shard.viewers.values_mut() {
        if viewer.built != Some(tick) {
            viewer.credits.starved_ticks += 1;
            shard.stats.deltas_starved += 1;
        }
    }
}

/// What one session has to hear. Kept between sessions for its memory.
#[derive(Debug, Default)]
struct News {
    /// Ranks in the view, ascending by entity; so too `changed`.
    entered: Vec<u32>,
    changed: Vec<u32>,
    left: Vec<u64>,
    extras: Vec<Extra>,
    blob: Vec<u8>,
}

impl News {
    fn is_empty(&self) -> bool {
        self.entered.is_empty()
            && self.changed.is_empty()
            && self.left.is_empty()
            && self.extras.is_empty()
    }

    /// Walks the old visible set and the new one side by side: both ascend.
    fn gather(&mut self, viewer: &Viewer, seen: &[(EntityId, u32)], view: &View) {
        self.entered.clear();
        self.changed.clear();
        self.left.clear();
        self.extras.clear();
        self.blob.clear();
        let since = viewer.built.unwrap_or_default();
        let old: &[EntityId] = if viewer.full { &[] } else { &viewer.visible };
        let mut old = old.iter().copied().peekable();
        for &(entity, rank) in seen {
            while let Some(gone) = old.next_if(|&before| before < entity) {
                self.left.push(gone.0);
            }
            if old.next_if_eq(&entity).is_none() {
                self.entered.push(rank);
                self.add_extras(entity, rank, view);
                continue;
            }
            if view.changed_tick(rank) > since {
                self.changed.push(rank);
            }
            if view.extra_changed_tick(rank) > since {
                self.add_extras(entity, rank, view);
            }
        }
        self.left.extend(old.map(|gone| gone.0));
    }

    fn add_extras(&mut self, entity: EntityId, rank: u32, view: &View) {
        for (component, value) in view.extras(rank) {
            let offset = u32::try_from(self.blob.len()).expect("a delta is far below 4 GiB");
            let length = u16::try_from(value.len()).expect("a laid out component fits its length");
            self.blob.extend_from_slice(value);
            self.extras.push(Extra {
                id: entity.0,
                component,
                length,
                offset,
            });
        }
    }

    fn write(&self, viewer: &mut Viewer, whole: bool, tick: Tick, view: &View) -> DeltaOut {
        let sequence = viewer.credits.spend(tick);
        viewer.inputs.client_sequence_told = viewer.inputs.client_sequence;
        let head = DeltaHead {
            tick: tick.0,
            base_tick: if whole {
                0
            } else {
                viewer.sent.unwrap_or_default().0
            },
            command_sequence: viewer.inputs.client_sequence,
            flags: if whole { DELTA_FULL } else { 0 },
        };
        viewer.sent = Some(tick);
        let bytes = delta_bytes(
            self.entered.len(),
            self.changed.len(),
            self.left.len(),
            self.extras.len(),
            self.blob.len(),
        );
        let mut buffer = Vec::with_capacity(FRAME_HEADROOM + HOT_HEADER_BYTES_MAX + bytes);
        buffer.resize(FRAME_HEADROOM, 0);
        HotHeader {
            svc: WORLD_SVC,
            opcode: OPCODE_S2C_DELTA,
            seq: Some(sequence),
            delta_ack: None,
        }
        .write(&mut buffer);
        write_delta(
            &head,
            records(&self.entered, view),
            records(&self.changed, view),
            &self.left,
            &self.extras,
            &self.blob,
            &mut buffer,
        );
        DeltaOut {
            session: viewer.session,
            sequence,
            tick,
            buffer,
        }
    }
}

fn records<'v>(ranks: &'v [u32], view: &'v View) -> impl Iterator<Item = &'v [u8; RECORD_BYTES]> {
    ranks.iter().map(|&rank| view.record(rank))
}

/// The archive of one shard's overview: everything it owns, or a fixed share of it when that is too much.
pub(crate) fn overview(shard: &Shard, ghosts: bool) -> Bytes {
    let view = &shard.view;
    let total = shard.world.len();
    // Thinned by id, so that what is shown goes on being shown from frame to frame.
    let share = total
        .div_ceil(shard.recipe.config.limits.overview_entities_max)
        .max(1) as u64;
    let mut overview = Overview {
        tick: shard.tick().0,
        shard: shard.own.0,
        total: total as u32,
        dots: Vec::new(),
        ghosts: Vec::new(),
    };
    for rank in 0..view.len() as u32 {
        let owned = view.is_owned(rank);
        let id = view.id(rank);
        if (!owned && !ghosts) || !id.0.is_multiple_of(share) {
            continue;
        }
        let at = view.position(rank);
        let kind = view.record(rank)[KIND_OFFSET];
        let dot = Dot {
            id: id.0,
            x: at.x,
            y: at.y,
            z: at.z,
            owner: view.owner(rank).0,
            kind,
            spare: 0,
        };
        if owned {
            overview.dots.push(dot);
        } else {
            overview.ghosts.push(dot);
        }
    }
    let mut archive = Vec::new();
    overview.write(&mut archive);
    archive.into()
}

const KIND_OFFSET: usize = 20;
