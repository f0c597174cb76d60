//! Last phase: tells each session what changed since the delta it was sent last.
//!
//! Copies records that `release` laid out once; never serialises for one client.

use bytes::Bytes;
use worldshard_protocol::delta::{DELTA_FULL, DELTA_ROOT_BYTES, DeltaLists};
use worldshard_protocol::world::OPCODE_S2C_DELTA;
use worldshard_protocol::{
    DeltaHead, DeltaWriter, Dot, Extra, HotHeader, Overview, Tick, WORLD_SVC, delta_bytes,
};

use crate::published::{DeltaOut, FRAME_HEADROOM, SHARED_AT};
use crate::roster::Roster;
use crate::shard::Shard;
use crate::slots::{SLOTS_PER_WORD, Word, slots_of};
use crate::view::Rows;
use crate::viewer::Viewer;

/// Builds a delta for every session that was looked at and has something to hear.
pub(crate) fn publish(shard: &mut Shard, tick: Tick) {
    let sights = std::mem::take(&mut shard.sights);
    let mut news = std::mem::take(&mut shard.news);
    let (mut words, mut gone) = (0, 0);
    let mut looked_at = sights.sessions.iter().peekable();
    for viewer in shard.viewers.values_mut() {
        let Some(sight) = looked_at.next_if(|sight| sight.session == viewer.session) else {
            viewer.credits.starved_ticks += 1;
            shard.stats.deltas_starved += 1;
            continue;
        };
        let seen = &sights.words[words..sight.words_end];
        let unknown = &sights.gone[gone..sight.gone_end];
        (words, gone) = (sight.words_end, sight.gone_end);
        if !sight.same {
            news.gather(viewer, seen, unknown, &shard.roster, shard.view.rows());
        }
        let shares = sight.same || looked_at.peek().is_some_and(|next| next.same);
        shard.stats.enters += news.entered.len() as u64;
        shard.stats.leaves += news.left.len() as u64;
        let whole = viewer.full || viewer.built.is_none();
        let told = viewer.inputs.client_sequence == viewer.inputs.client_sequence_told;
        if whole || !news.is_empty() || !told {
            let buffer = shard.published.spare.pop().unwrap_or_default();
            let delta = news.write(viewer, whole, shares, tick, &shard.roster, buffer);
            shard.stats.deltas += 1;
            shard.stats.delta_bytes += delta.message_bytes() as u64;
            shard.published.deltas.push(delta);
        }
        viewer.visible.replace(seen, shard.roster.edition());
        viewer.built = Some(tick);
    }
    assert!(
        looked_at.next().is_none(),
        "shard {}: a session was looked at and is gone",
        shard.own
    );
    shard.sights = sights;
    shard.news = news;
}

/// What one session has to hear, and those after it that have the same to hear. Kept between sessions for its memory.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Slots of the roster, ascending.
    entered: Vec<u32>,
    /// Which slots of a word; words ascend.
    changed: Vec<(u32, u64)>,
    changed_count: usize,
    /// Ascending.
    left: Vec<u64>,
    extras: Vec<Extra>,
    blob: Vec<u8>,
    /// All of it, laid out for several sessions.
    shared: Option<(Bytes, DeltaLists)>,
}

impl News {
    fn is_empty(&self) -> bool {
        self.entered.is_empty()
            && self.changed.is_empty()
            && self.left.is_empty()
            && self.extras.is_empty()
    }

    /// Compares what a viewer knew with what it sees: by ids, as slots ascend with them.
    fn gather(
        &mut self,
        viewer: &Viewer,
        words: &[Word],
        gone: &[u64],
        roster: &Roster,
        rows: &Rows,
    ) {
        self.entered.clear();
        self.changed.clear();
        self.changed_count = 0;
        self.left.clear();
        self.extras.clear();
        self.blob.clear();
        self.shared = None;
        let since = viewer.built.unwrap_or_default();
        // Who gets everything anew knows nothing.
        let known_mask = if viewer.full { 0 } else { u64::MAX };
        let ids = roster.ids_of(roster.edition());
        let extras = rows.has_extras();
        for &Word {
            number,
            seen,
            known,
        } in words
        {
            let known = known & known_mask;
            if seen != known {
                self.entered.extend(slots_of(number, seen & !known));
                let left = slots_of(number, known & !seen);
                self.left.extend(left.map(|slot| ids[slot as usize]));
            }
            let changed = roster.changed(number, seen & known, since);
            if changed != 0 {
                self.changed_count += changed.count_ones() as usize;
                self.changed.push((number, changed));
            }
            if extras {
                for slot in slots_of(number, seen) {
                    let is_known = known >> (slot % u64::BITS) & 1 != 0;
                    self.add_extras(slot, is_known.then_some(since), roster, rows);
                }
            }
        }
        if !viewer.full && !gone.is_empty() {
            self.left.extend(gone);
            self.left.sort_unstable();
        }
    }

    /// Those that changed after `since`, or all.
    fn add_extras(&mut self, slot: u32, since: Option<Tick>, roster: &Roster, rows: &Rows) {
        let row = roster.row(slot);
        if since.is_some_and(|since| rows.told[row].extra_changed_tick <= since) {
            return;
        }
        for (component, value) in rows.extras(row) {
            let (length, offset) = match value {
                Some(value) => {
                    let start = u32::try_from(self.blob.len()).expect("a delta is far below 4 GiB");
                    self.blob.extend_from_slice(value);
                    let length = u16::try_from(value.len());
                    (length.expect("a laid out component fits its length"), start)
                }
                None if since.is_some() => (0, Extra::REMOVED),
                // Who does not know the entity was never told of it.
                None => continue,
            };
            self.extras.push(Extra {
                id: rows.ids[row],
                component,
                length,
                offset,
            });
        }
    }

    /// Lays a delta out in a buffer that may have been used before. What several sessions have to hear is laid out once, if
    /// that is worth a piece of its own.
    fn write(
        &mut self,
        viewer: &mut Viewer,
        whole: bool,
        shares: bool,
        tick: Tick,
        roster: &Roster,
        mut buffer: Vec<u8>,
    ) -> DeltaOut {
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
            self.changed_count,
            self.left.len(),
            self.extras.len(),
            self.blob.len(),
        );
        let shares = shares && bytes >= SHARED_BYTES_MIN;
        let own_bytes = if shares { DELTA_ROOT_BYTES } else { bytes };
        buffer.clear();
        buffer.reserve(SHARED_AT + own_bytes);
        buffer.resize(FRAME_HEADROOM, 0);
        HotHeader {
            svc: WORLD_SVC,
            opcode: OPCODE_S2C_DELTA,
            seq: Some(sequence),
            delta_ack: None,
            ack: false,
        }
        .write(&mut buffer);
        debug_assert_eq!(buffer.len(), SHARED_AT);
        let (shared, lists) = if shares {
            let (shared, lists) = match self.shared.take() {
                Some(shared) => shared,
                None => {
                    let mut shared = Vec::with_capacity(bytes - DELTA_ROOT_BYTES);
                    let lists = self.lay_out(roster, &mut shared);
                    (Bytes::from(shared), lists)
                }
            };
            self.shared = Some((shared.clone(), lists));
            (Some(shared), lists)
        } else {
            (None, self.lay_out(roster, &mut buffer))
        };
        lists.write_root(&head, &mut buffer);
        DeltaOut {
            session: viewer.session,
            sequence,
            tick,
            buffer,
            shared,
        }
    }

    /// Appends all of it but its root.
    fn lay_out(&self, roster: &Roster, out: &mut Vec<u8>) -> DeltaLists {
        let records = roster.records();
        let mut writer = DeltaWriter::new(out);
        for &slot in &self.entered {
            writer.entered(&records[slot as usize]);
        }
        for &(number, slots) in &self.changed {
            if slots == u64::MAX {
                let first = number as usize * SLOTS_PER_WORD;
                writer.changed_run(&records[first..first + SLOTS_PER_WORD]);
                continue;
            }
            for slot in slots_of(number, slots) {
                writer.changed(&records[slot as usize]);
            }
        }
        writer.finish(&self.left, &self.extras, &self.blob)
    }
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

/// Shorter deltas are copied for each client: cheaper than to write them in pieces.
const SHARED_BYTES_MIN: usize = 2048;
