//! Canonical bytes of a viewer between two ticks. Never decides when one is written.

use worldshard_protocol::{EntityId, SessionId, Tick};
use worldshard_spatial::Point;

use super::{Credits, Inputs, Letters, Undelivered, Viewer, Viewpoint};
use crate::checkpoint::codec_of;
use crate::command::Interest;
use crate::component::Codec;
use crate::roster::Roster;
use crate::slots::Visible;

impl Viewer {
    /// Appends it as it stands between two ticks.
    ///
    /// # Panics
    /// When its avatar is not born: between ticks there is no such viewer.
    pub(crate) fn encode(&self, roster: &Roster, out: &mut Vec<u8>) {
        let Self {
            session,
            viewpoint,
            interest,
            full,
            visible,
            built,
            sent,
            credits,
            inputs,
            generation,
        } = self;
        session.encode(out);
        match viewpoint {
            Viewpoint::Avatar(entity) => (0u8, *entity).encode(out),
            Viewpoint::Camera(at) => (1u8, *at).encode(out),
            Viewpoint::Birth(..) => panic!("{session:?} waits for a birth between two ticks"),
        }
        interest.encode(out);
        full.encode(out);
        visible.ids(roster).encode(out);
        built.encode(out);
        sent.encode(out);
        credits.encode(out);
        inputs.encode(out);
        generation.encode(out);
    }

    /// Takes one off the front; `None` when the bytes are not one.
    pub(crate) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self {
            session: SessionId::decode(bytes)?,
            viewpoint: match u8::decode(bytes)? {
                0 => Viewpoint::Avatar(EntityId::decode(bytes)?),
                1 => Viewpoint::Camera(Point::decode(bytes)?),
                _ => return None,
            },
            interest: Interest::decode(bytes)?,
            full: bool::decode(bytes)?,
            visible: Visible::of(Vec::decode(bytes)?),
            built: Option::<Tick>::decode(bytes)?,
            sent: Option::<Tick>::decode(bytes)?,
            credits: Credits::decode(bytes)?,
            inputs: Inputs::decode(bytes)?,
            generation: u32::decode(bytes)?,
        })
    }
}

codec_of!(Credits {
    sequence,
    in_flight,
    window,
    window_max,
    starved_ticks,
});
codec_of!(Inputs {
    done,
    pending,
    client_sequence,
    client_sequence_told,
    skipped,
});
codec_of!(Letters {
    commands,
    acknowledged,
});
codec_of!(Undelivered {
    waiting,
    arrivals,
    forgotten,
});
