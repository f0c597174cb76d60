//! The fixed-size records of a delta: a position record, and the head of a replicated component.
//!
//! Owns their layout; never decides which entities a client is told of.

use rkyv::{Archive, Deserialize, Serialize};

/// What every client learns of an entity: where it is, which way it faces, what it is.
///
/// Its archived layout is [`RECORD_BYTES`] bytes, unaligned, little-endian, in field order.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, PartialEq, Debug, Default)]
pub struct Record {
    /// The entity, at most `EntityId::MAX`.
    pub id: u64,
    /// Metres; finite.
    pub x: f32,
    /// Metres; finite.
    pub y: f32,
    /// Metres; finite, zero in a plane.
    pub z: f32,
    /// What it is, as the world defines it.
    pub kind: u8,
    /// Direction in 256ths of a turn, from +x towards +y.
    pub heading: u8,
    /// Zero; readers ignore it.
    pub spare: u16,
}

impl Record {
    /// Lays the record out once; the bytes are those of the archived record.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        bytes[0..8].copy_from_slice(&self.id.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.x.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.y.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.z.to_le_bytes());
        bytes[20] = self.kind;
        bytes[21] = self.heading;
        bytes[22..24].copy_from_slice(&self.spare.to_le_bytes());
        bytes
    }

    /// Reads what [`Record::to_bytes`] wrote. Any bytes are a record; [`Record::is_valid`] judges it.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; RECORD_BYTES]) -> Self {
        let word = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        let (low, high) = (u32::from_le_bytes(word(0)), u32::from_le_bytes(word(4)));
        Self {
            id: u64::from(high) << 32 | u64::from(low),
            x: f32::from_le_bytes(word(8)),
            y: f32::from_le_bytes(word(12)),
            z: f32::from_le_bytes(word(16)),
            kind: bytes[20],
            heading: bytes[21],
            spare: u16::from_le_bytes([bytes[22], bytes[23]]),
        }
    }

    /// Where the entity is, in metres.
    #[must_use]
    pub fn position(&self) -> [f32; 3] {
        [self.x, self.y, self.z]
    }

    /// Whether the position is finite and the id exact in JavaScript: readers refuse any other.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.id <= crate::EntityId::MAX.0 && self.position().iter().all(|axis| axis.is_finite())
    }
}

impl From<&ArchivedRecord> for Record {
    fn from(archived: &ArchivedRecord) -> Self {
        Self {
            id: archived.id.to_native(),
            x: archived.x.to_native(),
            y: archived.y.to_native(),
            z: archived.z.to_native(),
            kind: archived.kind,
            heading: archived.heading,
            spare: archived.spare.to_native(),
        }
    }
}

/// The head of one replicated component of one entity; its bytes are in the delta's blob.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Extra {
    /// The entity; it is in the visible set after this delta.
    pub id: u64,
    /// Index of the component in the greeting's table.
    pub component: u16,
    /// Bytes of the value.
    pub length: u16,
    /// Where the value starts in the blob, or [`Extra::REMOVED`].
    pub offset: u32,
}

impl Extra {
    /// As `offset`, with length zero: the entity no longer has the component.
    pub const REMOVED: u32 = u32::MAX;

    /// Lays the head out; the bytes are those of the archived head.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; EXTRA_BYTES] {
        let mut bytes = [0; EXTRA_BYTES];
        bytes[0..8].copy_from_slice(&self.id.to_le_bytes());
        bytes[8..10].copy_from_slice(&self.component.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.length.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.offset.to_le_bytes());
        bytes
    }
}

impl From<&ArchivedExtra> for Extra {
    fn from(archived: &ArchivedExtra) -> Self {
        Self {
            id: archived.id.to_native(),
            component: archived.component.to_native(),
            length: archived.length.to_native(),
            offset: archived.offset.to_native(),
        }
    }
}

/// Bytes of one position record on the wire.
pub const RECORD_BYTES: usize = 24;

/// Bytes of one component head on the wire.
pub const EXTRA_BYTES: usize = 16;

const _: () = assert!(size_of::<ArchivedRecord>() == RECORD_BYTES);
const _: () = assert!(align_of::<ArchivedRecord>() == 1);
const _: () = assert!(size_of::<ArchivedExtra>() == EXTRA_BYTES);

#[cfg(test)]
mod tests;
