//! Canonical bytes of what a shard keeps beside its entities: viewers, waiting commands, books, counters.
//!
//! Field by field, in the order of the types. Never decides what a shard keeps.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use worldshard_protocol::{SessionId, ViewpointMode};
use worldshard_spatial::{Point, ShardId};

use crate::audit::Tally;
use crate::command::{Acknowledgement, Command, CommandBody, Interest, Join};
use crate::component::Codec;
use crate::letter::AreaMessage;
use crate::stats::ShardStats;
use crate::zone::{Crossing, Zone};

/// Writes and reads a struct field by field, in the order that is given. All its fields must be named.
macro_rules! codec_of {
    ($type:ty { $($field:ident),* $(,)? }) => {
        impl $crate::component::Codec for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                let Self { $($field),* } = self;
                $($crate::component::Codec::encode($field, out);)*
            }

            fn decode(bytes: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: $crate::component::Codec::decode(bytes)?),* })
            }
        }
    };
}

pub(crate) use codec_of;

impl<T: Codec> Codec for VecDeque<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_all(self.len(), self.iter(), out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Vec::decode(bytes).map(Self::from)
    }
}

impl<K: Codec + Ord, V: Codec> Codec for BTreeMap<K, V> {
    fn encode(&self, out: &mut Vec<u8>) {
        length(self.len(), out);
        for (key, value) in self {
            key.encode(out);
            value.encode(out);
        }
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let pairs: Vec<(K, V)> = Vec::decode(bytes)?;
        let count = pairs.len();
        let map: Self = pairs.into_iter().collect();
        (map.len() == count).then_some(map)
    }
}

impl Codec for Bytes {
    fn encode(&self, out: &mut Vec<u8>) {
        length(self.len(), out);
        out.extend_from_slice(self);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Vec::<u8>::decode(bytes).map(Self::from)
    }
}

fn encode_all<'a, T: Codec + 'a>(
    count: usize,
    items: impl Iterator<Item = &'a T>,
    out: &mut Vec<u8>,
) {
    length(count, out);
    items.for_each(|item| item.encode(out));
}

fn length(count: usize, out: &mut Vec<u8>) {
    u32::try_from(count)
        .expect("a shard keeps fewer than 2^32 of anything")
        .encode(out);
}

impl Codec for SessionId {
    fn encode(&self, out: &mut Vec<u8>) {
        self.value().encode(out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Self::from_value(u64::decode(bytes)?)
    }
}

impl Codec for ShardId {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        u16::decode(bytes).map(Self)
    }
}

impl Codec for ViewpointMode {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Avatar => 0,
            Self::Camera => 1,
        });
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        match u8::decode(bytes)? {
            0 => Some(Self::Avatar),
            1 => Some(Self::Camera),
            _ => None,
        }
    }
}

impl Codec for Interest {
    fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Radius(radius_m) => (0u8, radius_m).encode(out),
            Self::Box(half) => (1u8, half).encode(out),
            Self::Nearest { k, radius_m } => (2u8, k, radius_m).encode(out),
            Self::Custom {
                predicate,
                radius_m,
            } => (3u8, predicate, radius_m).encode(out),
        }
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Some(match u8::decode(bytes)? {
            0 => Self::Radius(f32::decode(bytes)?),
            1 => Self::Box(Point::decode(bytes)?),
            2 => Self::Nearest {
                k: u16::decode(bytes)?,
                radius_m: f32::decode(bytes)?,
            },
            3 => Self::Custom {
                predicate: u8::decode(bytes)?,
                radius_m: f32::decode(bytes)?,
            },
            _ => return None,
        })
    }
}

impl Codec for CommandBody {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Join(join) => {
                out.push(0);
                join.encode(out);
            }
            Self::Leave => out.push(1),
            Self::Steer(direction) => (2u8, *direction).encode(out),
            Self::Move(to) => (3u8, *to).encode(out),
            Self::Look(at) => (4u8, *at).encode(out),
            Self::Interest(interest) => {
                out.push(5);
                interest.encode(out);
            }
            Self::Custom { opcode, payload } => {
                (6u8, *opcode).encode(out);
                payload.encode(out);
            }
            Self::Refresh { generation } => (7u8, *generation).encode(out),
            Self::Dropped => out.push(8),
        }
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Some(match u8::decode(bytes)? {
            0 => Self::Join(Join::decode(bytes)?),
            1 => Self::Leave,
            2 => Self::Steer(Point::decode(bytes)?),
            3 => Self::Move(Point::decode(bytes)?),
            4 => Self::Look(Point::decode(bytes)?),
            5 => Self::Interest(Interest::decode(bytes)?),
            6 => Self::Custom {
                opcode: u8::decode(bytes)?,
                payload: Bytes::decode(bytes)?,
            },
            7 => Self::Refresh {
                generation: u32::decode(bytes)?,
            },
            8 => Self::Dropped,
            _ => return None,
        })
    }
}

codec_of!(Join {
    mode,
    at,
    interest,
    full,
    author,
    generation
});
codec_of!(Command {
    session,
    sequence,
    client_sequence,
    body
});
codec_of!(Acknowledgement {
    session,
    delta_sequence
});
codec_of!(AreaMessage {
    centre,
    radius_m,
    except,
    order,
    payload
});
codec_of!(Tally { count, sum });
codec_of!(Crossing { entity, from, to });
codec_of!(ShardStats {
    entities,
    ghosts,
    viewers,
    credits_out,
    commands_pending,
    undelivered_sessions,
    undelivered_forgotten,
    handoffs_out,
    handoffs_in,
    ghosts_sent,
    births,
    removals,
    records_changed,
    extras_too_long,
    positions_refused,
    joins,
    commands_applied,
    commands_scripted,
    commands_refused,
    interests_failed,
    deltas,
    delta_bytes,
    deltas_starved,
    enters,
    leaves,
    candidates,
    timers_fired,
    timers_dropped,
    spawns_refused,
});

impl Codec for Zone {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        u64::decode(bytes).map(Self)
    }
}
