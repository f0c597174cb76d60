//! One delta: what a client is told changed since the last one it was sent.
//!
//! Owns its layout, the writer and the validated reader. Never decides what is visible.

use std::fmt;

use rkyv::{Archive, Deserialize, Serialize};

use crate::EntityId;
use crate::record::{ArchivedRecord, EXTRA_BYTES, Extra, RECORD_BYTES, Record};

/// A delta in memory. Servers lay deltas out with a [`DeltaWriter`]; this type states the layout.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Debug, Default)]
pub struct Delta {
    /// The tick whose state this is.
    pub tick: u64,
    /// Tick of the delta sent to this client before this one; 0 in a full delta.
    pub base_tick: u64,
    /// The client's last command that the state contains, not counting its join; 0 before the first.
    pub command_sequence: u32,
    /// [`DELTA_FULL`] or 0.
    pub flags: u8,
    /// Zero; readers ignore them.
    pub spare: [u8; 3],
    /// Entities that came into the visible set, ascending by id.
    pub entered: Vec<Record>,
    /// Entities of the set whose record changed, ascending by id.
    pub changed: Vec<Record>,
    /// Entities that left the set, ascending.
    pub left: Vec<u64>,
    /// Components that changed, ascending by (id, component).
    pub extras: Vec<Extra>,
    /// The bytes that `extras` point into.
    pub blob: Vec<u8>,
}

/// The fixed fields of a delta, for [`DeltaWriter::finish`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DeltaHead {
    /// The tick whose state this is.
    pub tick: u64,
    /// Tick of the delta sent to this client before this one; 0 in a full delta.
    pub base_tick: u64,
    /// The client's last command that the state contains, not counting its join; 0 before the first.
    pub command_sequence: u32,
    /// [`DELTA_FULL`] or 0.
    pub flags: u8,
}

/// Appends a delta to `out` from records already laid out: what a [`DeltaWriter`] writes of these lists.
///
/// # Panics
/// When the delta would not fit the 2 GiB that a relative pointer spans.
pub fn write_delta<'r>(
    head: &DeltaHead,
    entered: impl IntoIterator<Item = &'r [u8; RECORD_BYTES]>,
    changed: impl IntoIterator<Item = &'r [u8; RECORD_BYTES]>,
    left: &[u64],
    extras: &[Extra],
    blob: &[u8],
    out: &mut Vec<u8>,
) {
    let mut writer = DeltaWriter::new(out);
    for record in entered {
        writer.entered(record);
    }
    for record in changed {
        writer.changed(record);
    }
    let lists = writer.finish(left, extras, blob);
    lists.write_root(head, out);
}

/// Lays out one delta: the bytes `rkyv::to_bytes` would make of the same [`Delta`], without serialiser or
/// allocation beyond the buffer. Records come first, all that entered before all that changed; at the end the root.
///
/// The buffer may already hold headers: the pointers inside are relative. The caller keeps what
/// [`read_delta`] checks: ascending lists without common ids, extras inside the blob.
#[derive(Debug)]
pub struct DeltaWriter<'b> {
    out: &'b mut Vec<u8>,
    entered_at: usize,
    entered_count: usize,
}

impl<'b> DeltaWriter<'b> {
    /// Begins a delta at the end of `out`.
    pub fn new(out: &'b mut Vec<u8>) -> Self {
        let entered_at = out.len();
        Self {
            out,
            entered_at,
            entered_count: 0,
        }
    }

    /// Adds an entity that came into the set.
    #[inline]
    pub fn entered(&mut self, record: &[u8; RECORD_BYTES]) {
        self.out.extend_from_slice(record);
        self.entered_count += 1;
    }

    /// Adds an entity of the set that changed.
    #[inline]
    pub fn changed(&mut self, record: &[u8; RECORD_BYTES]) {
        self.out.extend_from_slice(record);
    }

    /// Adds many that changed, in one go.
    pub fn changed_run(&mut self, records: &[[u8; RECORD_BYTES]]) {
        self.out.extend_from_slice(records.as_flattened());
    }

    /// Ends the lists; their root is to follow.
    pub fn finish(self, left: &[u64], extras: &[Extra], blob: &[u8]) -> DeltaLists {
        let Self {
            out,
            entered_at,
            entered_count,
        } = self;
        let changed_count = (out.len() - entered_at) / RECORD_BYTES - entered_count;
        left.iter()
            .for_each(|id| out.extend_from_slice(&id.to_le_bytes()));
        extras
            .iter()
            .for_each(|extra| out.extend_from_slice(&extra.to_bytes()));
        out.extend_from_slice(blob);
        DeltaLists {
            entered: entered_count,
            changed: changed_count,
            left: left.len(),
            extras: extras.len(),
            blob: blob.len(),
        }
    }
}

/// How many of each a delta's lists have, which follow each other in this order; `blob` in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DeltaLists {
    /// Records.
    pub entered: usize,
    /// Records.
    pub changed: usize,
    /// Ids.
    pub left: usize,
    /// Components.
    pub extras: usize,
    /// Bytes.
    pub blob: usize,
}

impl DeltaLists {
    /// Appends what stands behind lists like these and makes a delta of them. Only this differs between clients that
    /// are told the same.
    ///
    /// # Panics
    /// When the delta would not fit the 2 GiB that a relative pointer spans.
    pub fn write_root(&self, head: &DeltaHead, out: &mut Vec<u8>) {
        let lists = [
            (self.entered, RECORD_BYTES),
            (self.changed, RECORD_BYTES),
            (self.left, size_of::<u64>()),
            (self.extras, EXTRA_BYTES),
            (self.blob, 1),
        ];
        let mut back: usize = lists.iter().map(|(count, bytes)| count * bytes).sum();
        assert!(
            back <= DELTA_BYTES_MAX,
            "a delta of {back} bytes exceeds a relative pointer"
        );
        let root_at = out.len();
        out.extend_from_slice(&head.tick.to_le_bytes());
        out.extend_from_slice(&head.base_tick.to_le_bytes());
        out.extend_from_slice(&head.command_sequence.to_le_bytes());
        out.extend_from_slice(&[head.flags, 0, 0, 0]);
        // An archived vector: where its items start, relative to this field, and how many they are. All fit.
        for (count, bytes) in lists {
            let items_at = -((back + out.len() - root_at) as i32);
            out.extend_from_slice(&items_at.to_le_bytes());
            out.extend_from_slice(&(count as u32).to_le_bytes());
            back -= count * bytes;
        }
        debug_assert_eq!(out.len() - root_at, DELTA_ROOT_BYTES);
    }
}

/// The exact size of a delta whose lists have these lengths, `blob` in bytes.
#[must_use]
pub fn delta_bytes(
    entered: usize,
    changed: usize,
    left: usize,
    extras: usize,
    blob: usize,
) -> usize {
    (entered + changed) * RECORD_BYTES + left * 8 + extras * EXTRA_BYTES + blob + DELTA_ROOT_BYTES
}

/// Reads a delta in place. What it returns keeps all that the layout promises: exact size, finite
/// positions, exact ids, ascending lists without a common id, extras inside the blob.
///
/// # Errors
/// Names the first promise that the bytes break.
pub fn read_delta(bytes: &[u8]) -> Result<&ArchivedDelta, DeltaError> {
    let delta = rkyv::access::<ArchivedDelta, rkyv::rancor::Failure>(bytes)
        .map_err(|_| DeltaError::Layout)?;
    check_contiguous(bytes, delta)?;
    check_head(delta)?;
    check_records("entered", &delta.entered)?;
    check_records("changed", &delta.changed)?;
    check_ids("left", left_ids(delta))?;
    check_disjoint(ids(&delta.entered), ids(&delta.changed))?;
    check_disjoint(ids(&delta.entered), left_ids(delta))?;
    check_disjoint(ids(&delta.changed), left_ids(delta))?;
    check_extras(delta)?;
    Ok(delta)
}

impl ArchivedDelta {
    /// Whether this delta replaces the visible set instead of changing it.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.flags & DELTA_FULL != 0
    }
}

/// rkyv would let lists leave gaps between them; then bytes could hide in a delta.
fn check_contiguous(bytes: &[u8], delta: &ArchivedDelta) -> Result<(), DeltaError> {
    let lists = [
        span(&delta.entered),
        span(&delta.changed),
        span(&delta.left),
        span(&delta.extras),
        span(&delta.blob),
    ];
    follow_each_other(bytes, &lists, DELTA_ROOT_BYTES)
        .then_some(())
        .ok_or(DeltaError::Size)
}

/// Where a list starts and how long it is, in bytes.
pub(crate) fn span<T>(list: &[T]) -> (usize, usize) {
    (list.as_ptr().addr(), size_of_val(list))
}

/// Whether the lists fill all of `bytes` before the root, in order.
pub(crate) fn follow_each_other(bytes: &[u8], lists: &[(usize, usize)], root: usize) -> bool {
    let mut end = bytes.as_ptr().addr();
    for &(start, length) in lists {
        if start != end {
            return false;
        }
        end += length;
    }
    end + root == bytes.as_ptr().addr() + bytes.len()
}

fn check_head(delta: &ArchivedDelta) -> Result<(), DeltaError> {
    if delta.flags & !DELTA_FULL != 0 {
        return Err(DeltaError::Flags(delta.flags));
    }
    let (tick, base_tick) = (delta.tick.to_native(), delta.base_tick.to_native());
    let exact = tick <= EntityId::MAX.0;
    let consistent = if delta.is_full() {
        base_tick == 0 && delta.changed.is_empty() && delta.left.is_empty()
    } else {
        base_tick < tick
    };
    (exact && consistent).then_some(()).ok_or(DeltaError::Head)
}

fn check_records(list: &'static str, records: &[ArchivedRecord]) -> Result<(), DeltaError> {
    check_ids(list, ids(records))?;
    match records
        .iter()
        .find(|record| !Record::from(*record).is_valid())
    {
        Some(record) => Err(DeltaError::Position(record.id.to_native())),
        None => Ok(()),
    }
}

fn check_ids(list: &'static str, ids: impl Iterator<Item = u64>) -> Result<(), DeltaError> {
    let mut least = 0;
    for id in ids {
        if id > EntityId::MAX.0 {
            return Err(DeltaError::Id(id));
        }
        if id < least {
            return Err(DeltaError::Order { list, id });
        }
        least = id + 1;
    }
    Ok(())
}

/// Both are ascending: one walk finds a common id.
fn check_disjoint(
    one: impl Iterator<Item = u64>,
    other: impl Iterator<Item = u64>,
) -> Result<(), DeltaError> {
    let mut other = other.peekable();
    for id in one {
        while other.next_if(|&another| another < id).is_some() {}
        if other.peek() == Some(&id) {
            return Err(DeltaError::Twice(id));
        }
    }
    Ok(())
}

fn check_extras(delta: &ArchivedDelta) -> Result<(), DeltaError> {
    let mut last = None;
    for extra in delta.extras.iter().map(Extra::from) {
        if extra.id > EntityId::MAX.0 {
            return Err(DeltaError::Id(extra.id));
        }
        let key = Some((extra.id, extra.component));
        if key <= last {
            return Err(DeltaError::Order {
                list: "extras",
                id: extra.id,
            });
        }
        last = key;
        let end = u64::from(extra.offset) + u64::from(extra.length);
        let removed = extra.offset == Extra::REMOVED && extra.length == 0 && !delta.is_full();
        if end > delta.blob.len() as u64 && !removed {
            return Err(DeltaError::Extra(extra.id));
        }
    }
    Ok(())
}

fn ids(records: &[ArchivedRecord]) -> impl Iterator<Item = u64> {
    records.iter().map(|record| record.id.to_native())
}

fn left_ids(delta: &ArchivedDelta) -> impl Iterator<Item = u64> {
    delta.left.iter().map(|id| id.to_native())
}

/// The promise that refused bytes break.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeltaError {
    /// No archive of this layout: too short, or a list lies outside.
    Layout,
    /// The lists do not follow each other and fill the bytes exactly.
    Size,
    /// A flag that this layout version does not know.
    Flags(u8),
    /// Tick, base tick and the full flag contradict each other.
    Head,
    /// An id beyond `EntityId::MAX`.
    Id(u64),
    /// The record of this entity has a position that is not finite.
    Position(u64),
    /// The list is not ascending at this id, or has it twice.
    Order {
        /// The list's name.
        list: &'static str,
        /// The first id out of order.
        id: u64,
    },
    /// The id is in two lists.
    Twice(u64),
    /// A component of this entity lies outside the blob.
    Extra(u64),
}

impl fmt::Display for DeltaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout => write!(f, "not a delta of this layout"),
            Self::Size => write!(f, "the lists do not fill the delta"),
            Self::Flags(flags) => write!(f, "unknown delta flags {flags:#04x}"),
            Self::Head => write!(f, "tick, base tick and flags contradict each other"),
            Self::Id(id) => write!(f, "id {id} is beyond 2^53"),
            Self::Position(id) => write!(f, "the position of {id} is not finite"),
            Self::Order { list, id } => write!(f, "{list} is not ascending at {id}"),
            Self::Twice(id) => write!(f, "{id} is in two lists"),
            Self::Extra(id) => write!(f, "a component of {id} lies outside the blob"),
        }
    }
}

impl std::error::Error for DeltaError {}

/// Flag: this delta holds the whole visible set and replaces what the client knows.
pub const DELTA_FULL: u8 = 0x01;

/// Bytes of a delta's fixed part, which stands at its end.
pub const DELTA_ROOT_BYTES: usize = 64;

/// No delta is larger: a relative pointer spans no more. Beyond, [`DeltaWriter::finish`] panics.
pub const DELTA_BYTES_MAX: usize = i32::MAX as usize - DELTA_ROOT_BYTES;

const _: () = assert!(size_of::<ArchivedDelta>() == DELTA_ROOT_BYTES);

#[cfg(test)]
mod tests;
