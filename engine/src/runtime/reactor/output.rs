//! What the shard says: the hub's output to connections and neighbours, and the writes themselves.
//!
//! One write per connection and turn, whatever was queued in it; more only while the kernel takes everything.

use std::io::{self, ErrorKind, IoSlice};
use std::time::Instant;

use bytes::Bytes;

use super::{Reactor, Slot};
use crate::hub::FrameClass;
use crate::message::CloseReason;
use crate::runtime::process::Mail;
use crate::runtime::socket;

impl Reactor {
    /// Takes the hub's output: frames first, then closes, then letters.
    pub(super) fn deliver(&mut self, now: Instant) {
        let mut output = std::mem::take(&mut self.output);
        let told = self.hub.call("output", |hub| {
            std::mem::swap(hub.output(), &mut output);
            hub.tells_of()
        });
        let tick = told.unwrap_or_default();
        for (session, frame, class) in output.frames.drain(..) {
            if let Some(slot) = self.sessions.get(&session).copied() {
                self.give_when_committed(slot, frame, class, tick, now);
            } else if self.in_process.frame(session, frame, class) {
                self.hub.call("written", |hub| hub.written(session, 1));
            }
        }
        for (session, code, reason) in output.closes.drain(..) {
            if let Some(slot) = self.sessions.get(&session).copied() {
                self.close_when_committed(slot, code, reason, tick, now);
            }
        }
        for (to, letter) in output.letters.drain(..) {
            let from = self.own;
            self.send(to, Mail::Letter { from, letter });
        }
        self.output = output;
    }

    /// Queues a frame of the hub's.
    pub(super) fn give(&mut self, slot: Slot, frame: Bytes, class: FrameClass, now: Instant) {
        if let Some(connection) = self.slots.find_mut(slot) {
            connection.push_frame(frame, class);
        }
        match class {
            FrameClass::Part => {}
            FrameClass::Fanout => self.may_wait(slot, now),
            FrameClass::State | FrameClass::Reliable => self.want_write(slot),
        }
    }

    /// The socket takes bytes again.
    pub(crate) fn writable(&mut self, slot: Slot, now: Instant) {
        self.write_one(slot, None, now);
    }

    /// Puts the connection on the list of those to write.
    pub(super) fn want_write(&mut self, slot: Slot) {
        if let Some(connection) = self.slots.find_mut(slot)
            && !connection.to_write
        {
            connection.to_write = true;
            self.to_write.push(slot);
        }
    }

    /// Writes what this turn queued.
    pub(super) fn write(&mut self, now: Instant) {
        let mut list = std::mem::take(&mut self.to_write);
        self.batch.submit(&list, &self.slots);
        for (at, slot) in list.drain(..).enumerate() {
            let submitted = self.batch.take(at);
            if let Some(connection) = self.slots.find_mut(slot) {
                connection.to_write = false;
                // Who is blocked is written when its socket says so.
                if connection.blocked.is_none() {
                    self.write_one(slot, submitted, now);
                }
            }
        }
        // A close may have put connections on the list meanwhile: they are written in the next turn.
        list.append(&mut self.to_write);
        self.to_write = list;
    }

    /// Writes, beginning with what became of a write that was submitted already.
    fn write_one(&mut self, slot: Slot, mut submitted: Option<io::Result<usize>>, now: Instant) {
        for _ in 0..WRITES_PER_TURN {
            let Some(connection) = self.slots.find(slot) else {
                return;
            };
            if connection.tls.is_some() {
                return self.write_sealed(slot, now);
            }
            let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE];
            let filled = connection.slices(&mut slices);
            if filled == 0 {
                return self.all_written(slot, now);
            }
            self.writes += 1;
            let write = || socket::send(&connection.socket, &slices[..filled]);
            match submitted.take().unwrap_or_else(write) {
                Ok(bytes) => {
                    if self.took(slot, bytes, now) {
                        return self.all_written(slot, now);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return self.blocked(slot, now);
                }
                Err(_) => return self.finish(slot, CloseReason::Lost),
            }
        }
        self.write_more_later(slot);
    }

    /// It takes everything: the others come first, then it goes on.
    pub(super) fn write_more_later(&mut self, slot: Slot) {
        self.unblocked(slot);
        self.want_write(slot);
        self.unheard = true;
    }

    /// Takes note of written bytes; true when nothing is left.
    pub(super) fn took(&mut self, slot: Slot, bytes: usize, now: Instant) -> bool {
        let Some(connection) = self.slots.find_mut(slot) else {
            return false;
        };
        let frames = connection.took(bytes);
        connection.made_progress(now, self.process.recipe.options().limits.close_deadline);
        let done = connection.queued_bytes() == 0;
        if let (Some(session), 1..) = (connection.session(), frames) {
            self.hub.call("written", |hub| hub.written(session, frames));
        }
        done
    }

    pub(super) fn all_written(&mut self, slot: Slot, now: Instant) {
        self.unblocked(slot);
        self.end_output_if_closing(slot, now);
    }

    /// The kernel takes no more: reading pauses, and the stall begins unless it has begun.
    pub(super) fn blocked(&mut self, slot: Slot, now: Instant) {
        let Some(connection) = self.slots.find_mut(slot) else {
            return;
        };
        if connection.blocked.is_none() {
            connection.blocked = Some(now);
            connection.keep_queue();
            self.changed.push(slot);
        }
        self.set_alarm(slot);
    }

    pub(super) fn unblocked(&mut self, slot: Slot) {
        let Some(connection) = self.slots.find_mut(slot) else {
            return;
        };
        if connection.blocked.take().is_some() {
            self.changed.push(slot);
            self.wait_for_turn(slot);
            self.set_alarm(slot);
        }
    }
}

/// Frames that one write gathers.
pub(super) const SLICES_PER_WRITE: usize = 64;

/// Writes of one connection in a turn, while the kernel takes everything; then it goes to the back of the queue.
pub(super) const WRITES_PER_TURN: usize = 8;
