//! What other threads bring into rooms: senders that a room gives away, and what lies between them and their room.
//!
//! Never runs a service, and never keeps a shard waiting: who waits for a place is the sender.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::message::Payload;
use crate::tray::Tray;

/// Brings things into a room from any thread: see [`Room::outside`](crate::Room::outside). A clone brings them into the same.
///
/// It is of one life of its room: when that ends, or begins again after a panic, nothing of it arrives any more.
#[derive(Clone)]
pub struct RoomSender {
    tray: Arc<OutsideTray>,
    room: u64,
    outlet: Arc<Outlet>,
}

/// Why something was not brought into a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotSent {
    /// [`ROOM_OUTSIDE_BYTES_MAX`] wait for the room already.
    Full,
    /// The room is no more, or has begun again since it gave the sender away.
    Gone,
}

/// Where what is brought lies until the hub runs.
pub(crate) type OutsideTray = Tray<Outside>;

/// One thing for a room.
pub(crate) struct Outside {
    pub(super) room: u64,
    pub(super) parcel: Parcel,
}

/// Of which life of the room it is, and what.
pub(super) struct Parcel {
    outlet: Arc<Outlet>,
    pub(super) payload: Payload,
}

/// What one life of a room and its senders share.
struct Outlet {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    waiting_bytes: usize,
    is_over: bool,
}

/// The room's own end. With it the life of a room ends, and senders are told.
pub(crate) struct RoomEnd(Arc<Outlet>);

impl RoomSender {
    pub(super) fn new(tray: Arc<OutsideTray>, room: u64, end: &RoomEnd) -> Self {
        let outlet = Arc::clone(&end.0);
        Self { tray, room, outlet }
    }

    /// Has [`Service::outside`](crate::Service::outside) called with it soon, in the order of sending.
    ///
    /// # Errors
    /// When the room has too much to do, or is no more.
    pub fn send(&self, payload: impl Into<Payload>) -> Result<(), NotSent> {
        let payload = payload.into();
        let state = self.outlet.lock();
        self.put(state, payload)
    }

    /// The same, but where too much waits it waits too, which no thread of a shard may.
    ///
    /// # Errors
    /// When the room is no more, before or meanwhile.
    pub fn send_waiting(&self, payload: impl Into<Payload>) -> Result<(), NotSent> {
        let payload = payload.into();
        let mut state = self.outlet.lock();
        while !state.is_over && !state.has_place_for(&payload) {
            let waited = self.outlet.freed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        self.put(state, payload)
    }

    /// Whether what is sent would still arrive.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.outlet.lock().is_over
    }

    fn put(&self, mut state: MutexGuard<'_, State>, payload: Payload) -> Result<(), NotSent> {
        if state.is_over {
            return Err(NotSent::Gone);
        }
        if !state.has_place_for(&payload) {
            return Err(NotSent::Full);
        }
        state.waiting_bytes += weight(&payload);
        // Under the lock, so that what two threads send arrives in the order in which they had it.
        let outlet = Arc::clone(&self.outlet);
        let parcel = Parcel { outlet, payload };
        let room = self.room;
        self.tray.put(Outside { room, parcel });
        Ok(())
    }
}

impl RoomEnd {
    pub(super) fn new() -> Self {
        Self(Arc::new(Outlet {
            state: Mutex::default(),
            freed: Condvar::new(),
        }))
    }

    /// Whether it is of this life.
    pub(super) fn is_of(&self, parcel: &Parcel) -> bool {
        Arc::ptr_eq(&self.0, &parcel.outlet)
    }
}

impl Drop for RoomEnd {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.freed.notify_all();
    }
}

impl Parcel {
    /// It waits no more, so another one may.
    pub(super) fn taken(&self) {
        let mut state = self.outlet.lock();
        state.waiting_bytes -= weight(&self.payload);
        self.outlet.freed.notify_all();
    }
}

impl Outlet {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in it can be half done: each change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_place_for(&self, payload: &Payload) -> bool {
        // One that is longer than all may be comes alone.
        self.waiting_bytes == 0
            || self.waiting_bytes.saturating_add(weight(payload)) <= ROOM_OUTSIDE_BYTES_MAX
    }
}

fn weight(payload: &Payload) -> usize {
    payload.bytes().len().saturating_add(OVERHEAD_BYTES)
}

impl fmt::Debug for RoomSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoomSender")
            .field("room", &self.room)
            .field("is_open", &self.is_open())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "too much waits for the room",
            Self::Gone => "the room is no more",
        })
    }
}

impl std::error::Error for NotSent {}

/// Bytes that wait for one room from outside, each thing with 64 more: as much as a turn of its shard may bring. One more
/// is refused, or waits.
pub const ROOM_OUTSIDE_BYTES_MAX: usize = 64 * 1024;

const OVERHEAD_BYTES: usize = 64;
