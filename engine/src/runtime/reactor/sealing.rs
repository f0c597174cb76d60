//! What encrypted connections do otherwise than plain ones: how they are read, written and ended, and how many handshakes
//! a turn may cost. Never decides what plaintext means: that is `input`.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::time::Instant;

use bytes::Bytes;
use worldshard_transport::Refusal;

use super::connection::{Connection, Phase};
use super::output::{SLICES_PER_WRITE, WRITES_PER_TURN};
use super::tls::{Scratch, Tls};
use super::{Reactor, Slot};
use crate::message::CloseReason;
use crate::runtime::socket;

/// What the encrypted connections of a shard share.
#[derive(Default)]
pub(super) struct Sealing {
    /// Steps of handshakes that this turn has left.
    steps_left: usize,
    /// Connections whose handshake waits for a turn that has one left, first come first served.
    waiting: VecDeque<Slot>,
    scratch: Scratch,
}

/// What an encrypted connection has to write.
enum Sealed {
    Ciphertext,
    Nothing,
    /// Not before its handshake is complete.
    NotYet,
    /// Its keys are worn out.
    Never,
}

impl Reactor {
    /// The TLS of a connection just accepted, if this server speaks it.
    pub(super) fn begin_tls(&self) -> Option<Box<Tls>> {
        let certificates = self.process.certificates.as_ref()?;
        Some(Box::new(Tls::new(certificates.config())))
    }

    /// Goes on with handshakes that wait, as many as a turn may have.
    pub(super) fn go_on_with_handshakes(&mut self, now: Instant) {
        let Some(tls) = &self.process.recipe.options().tls else {
            return;
        };
        self.sealing.steps_left = tls.turn_handshake_steps_max;
        while self.sealing.steps_left > 0
            && let Some(slot) = self.sealing.waiting.pop_front()
        {
            self.unseal_waiting(slot, now);
        }
    }

    /// Goes on with ciphertext that waits, if any does.
    pub(super) fn unseal_waiting(&mut self, slot: Slot, now: Instant) {
        let tls = self.slots.find(slot).and_then(|one| one.tls.as_ref());
        if tls.is_some_and(|tls| tls.waits()) {
            self.unseal(slot, &mut [], now);
        }
    }

    /// The peer said `bytes` of ciphertext.
    pub(super) fn unseal(&mut self, slot: Slot, bytes: &mut [u8], now: Instant) {
        let Some(connection) = self.slots.find_mut(slot) else {
            return;
        };
        let Some(tls) = &mut connection.tls else {
            return;
        };
        if matches!(connection.phase, Phase::Closing { .. }) {
            return;
        }
        if tls.is_plain_request(bytes) {
            connection.tls = None;
            let refusal = Refusal::new(400, "this port speaks TLS: ask by https or wss");
            return self.end_with(slot, refusal.response().encode(), now);
        }
        let Sealing {
            steps_left,
            waiting,
            scratch,
        } = &mut self.sealing;
        let (waited, handshakes) = (tls.waits(), tls.is_handshaking());
        if handshakes && *steps_left == 0 {
            tls.keep(bytes);
            if !waited {
                waiting.push_back(slot);
            }
            return;
        }
        let outgoing = tls.outgoing_bytes();
        let received = tls.receive(bytes, scratch);
        let answers = tls.outgoing_bytes() > outgoing;
        if waited && !tls.waits() {
            self.changed.push(slot);
        }
        if answers {
            *steps_left -= usize::from(handshakes);
            self.want_write(slot);
        }
        if let Err(error) = received {
            tracing::debug!(shard = self.own.0, %error, "a connection breaks TLS");
            self.end_session(slot, CloseReason::Lost);
            // Only the alert is written.
            return self.end_with(slot, Bytes::new(), now);
        }
        let mut plaintext = std::mem::take(&mut self.sealing.scratch.plaintext);
        if !plaintext.is_empty() {
            self.received(slot, &mut plaintext, now);
        }
        self.sealing.scratch.plaintext = plaintext;
        self.after_plaintext(slot, now);
    }

    /// What comes when all plaintext that was there is done with: ciphertext in a turn of its own, or the end.
    pub(super) fn after_plaintext(&mut self, slot: Slot, now: Instant) {
        let Some(connection) = self.slots.find(slot) else {
            return;
        };
        let Some(tls) = connection.tls.as_ref() else {
            return;
        };
        // With some held it comes back here.
        if connection.is_paused() {
            return;
        }
        if tls.waits() {
            self.wait_for_turn(slot);
        } else if tls.peer_ended() {
            self.eof(slot, now);
        }
    }

    /// Writes an encrypted connection. Plaintext counts as written when the kernel has taken all that was made of it.
    pub(super) fn write_sealed(&mut self, slot: Slot, now: Instant) {
        for _ in 0..WRITES_PER_TURN {
            let Some(connection) = self.slots.find_mut(slot) else {
                return;
            };
            let scratch = &mut self.sealing.scratch;
            let ends = connection.is_to_end();
            match connection.seal_next(scratch, ends) {
                Sealed::Ciphertext => {}
                Sealed::Nothing => return self.all_written(slot, now),
                Sealed::NotYet => return self.unblocked(slot),
                Sealed::Never => return self.finish(slot, CloseReason::Lost),
            }
            self.writes += 1;
            match connection.pass_on(scratch) {
                Ok(plaintext_bytes) => {
                    self.took(slot, plaintext_bytes, now);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return self.blocked(slot, now);
                }
                Err(_) => return self.finish(slot, CloseReason::Lost),
            }
        }
        self.write_more_later(slot);
    }
}

impl Sealing {
    /// Whether handshakes wait for the next turn.
    pub(super) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Says to the peer of a connection that ends that nothing follows, if all that was to be said before is said.
    pub(super) fn say_goodbye(&mut self, connection: &mut Connection) {
        let tls = connection.tls.as_ref();
        let all_said = tls.is_some_and(|tls| tls.outgoing_bytes() == 0);
        if all_said
            && connection.queued_bytes() == 0
            && let Sealed::Ciphertext = connection.seal_next(&mut self.scratch, true)
        {
            // Who is gone already does not hear it.
            let _ = connection.pass_on(&self.scratch);
        }
    }
}

impl Connection {
    /// Makes ciphertext of what is to be written next, unless some is outgoing; behind the last of it comes the word that
    /// nothing follows, if it `ends`.
    fn seal_next(&mut self, scratch: &mut Scratch, ends: bool) -> Sealed {
        let Some(tls) = &self.tls else {
            return Sealed::Nothing;
        };
        if tls.outgoing_bytes() > 0 {
            return Sealed::Ciphertext;
        }
        if tls.has_ended() {
            return Sealed::Nothing;
        }
        if tls.is_handshaking() {
            return Sealed::NotYet;
        }
        self.gather(&mut scratch.plaintext);
        let bytes = scratch.plaintext.len();
        let ends = ends && bytes == self.queued_bytes();
        if bytes == 0 && !ends {
            return Sealed::Nothing;
        }
        match self.tls.as_mut().map(|tls| tls.seal(scratch, ends)) {
            Some(Ok(())) => Sealed::Ciphertext,
            Some(Err(_)) | None => Sealed::Never,
        }
    }

    /// Copies what is to be written next.
    fn gather(&self, plaintext: &mut Vec<u8>) {
        plaintext.clear();
        let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE];
        let filled = self.slices(&mut slices);
        for slice in &slices[..filled] {
            let room = SEALED_BYTES_MAX - plaintext.len();
            plaintext.extend_from_slice(&slice[..slice.len().min(room)]);
        }
    }

    /// Gives the kernel ciphertext, as [`Tls::pass_on`].
    fn pass_on(&mut self, scratch: &Scratch) -> io::Result<usize> {
        let Connection { tls, socket, .. } = self;
        match tls {
            Some(tls) => tls.pass_on(scratch, |bytes| {
                socket::send(socket, &[IoSlice::new(bytes)])
            }),
            None => Ok(0),
        }
    }

    /// Whether its last bytes are queued, and its output ends behind them.
    fn is_to_end(&self) -> bool {
        match self.phase {
            Phase::Closing { ended_output, .. } => !ended_output,
            Phase::Head { .. } | Phase::Proving(_) | Phase::Open { .. } => false,
        }
    }
}

/// Plaintext that is sealed at once. As much ciphertext may wait in our memory for one who reads slowly, beside what it was
/// made of.
const SEALED_BYTES_MAX: usize = 64 * 1024;
