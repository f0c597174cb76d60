//! How connections end: the close protocol and its deadlines. Each session's end is told once.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use worldshard_protocol::{ErrorCode, error_envelope};
use worldshard_transport::{MessageKind, Refusal, close_code, close_frame, data_frame, ping_frame};

use super::connection::{Connection, Phase};
use super::{Reactor, Slot};
use crate::message::CloseReason;
use crate::runtime::socket;

impl Reactor {
    /// The peer says no more.
    pub(crate) fn eof(&mut self, slot: Slot, now: Instant) {
        let Some(connection) = self.slots.find_mut(slot) else {
            return;
        };
        connection.peer_ended = true;
        self.changed.push(slot);
        match connection.phase {
            Phase::Head { .. } | Phase::Proving(_) | Phase::Open { .. } => {
                self.finish(slot, CloseReason::Lost);
            }
            Phase::Closing { ended_output, .. } if ended_output => {
                self.finish(slot, CloseReason::Lost);
            }
            // What waits is still written: half-closing behind a request is allowed.
            Phase::Closing { .. } => self.writable(slot, now),
        }
    }

    /// The connection broke.
    pub(crate) fn broken(&mut self, slot: Slot) {
        self.finish(slot, CloseReason::Lost);
    }

    /// Says a close frame behind what waits, and ends the session.
    pub(super) fn close(
        &mut self,
        slot: Slot,
        code: u16,
        text: &str,
        told: CloseReason,
        now: Instant,
    ) {
        self.end_session(slot, told);
        self.end_with(slot, close_frame(code, text), now);
    }

    /// Queues the last bytes of a connection. The peer may read them for so long as it reads.
    pub(super) fn end_with(&mut self, slot: Slot, bytes: Bytes, now: Instant) {
        let until = now + self.process.recipe.options().limits.close_deadline;
        let Some(connection) = self.slots.find_mut(slot) else {
            return;
        };
        connection.push_own(bytes);
        connection.held = BytesMut::new();
        connection.forget_parked();
        connection.meter = None;
        connection.phase = Phase::Closing {
            ended_output: false,
            until,
        };
        self.changed.push(slot);
        self.want_write(slot);
        self.set_alarm(slot);
        // The turn that is to write it may be over.
        self.unheard = true;
    }

    /// Behind the last byte: half-closes, and waits for the peer to do the same.
    pub(super) fn end_output_if_closing(&mut self, slot: Slot, now: Instant) {
        let close_deadline = self.process.recipe.options().limits.close_deadline;
        let Some(connection) = self.slots.find_mut(slot) else {
            return;
        };
        let Phase::Closing {
            ended_output,
            until,
        } = &mut connection.phase
        else {
            return;
        };
        if *ended_output {
            return;
        }
        *ended_output = true;
        *until = now + close_deadline;
        socket::end_output(&connection.socket);
        if connection.peer_ended {
            self.finish(slot, CloseReason::Lost);
        } else {
            self.set_alarm(slot);
        }
    }

    /// Ends the connection; a session that is still open learns `told`.
    pub(super) fn finish(&mut self, slot: Slot, told: CloseReason) {
        if let Some(mut connection) = self.let_go(slot, told) {
            self.process.liveness.connection_ended();
            self.sealing.say_goodbye(&mut connection);
        }
    }

    /// The same, but for the connection itself.
    pub(super) fn let_go(&mut self, slot: Slot, told: CloseReason) -> Option<Box<Connection>> {
        self.end_session(slot, told);
        let mut connection = self.slots.remove(slot)?;
        connection.forget_parked();
        self.alarms.clear(slot, &mut connection);
        self.late -= usize::from(connection.late);
        self.process.liveness.connection_gone(self.own);
        Some(connection)
    }

    /// Does what is due on connections whose alarm rings, up to a bound; the rest comes in the next turn, which is at once.
    pub(super) fn ring_alarms(&mut self, now: Instant) {
        for _ in 0..ALARMS_PER_TURN {
            let Some(slot) = self.alarms.due(now) else {
                return;
            };
            let limits = &self.process.recipe.options().limits;
            let connection = self
                .slots
                .find_mut(slot)
                .expect("alarms end with their connection");
            if connection.due(limits) > now {
                // It has shown life since the alarm was set.
                self.set_alarm(slot);
                continue;
            }
            match &connection.phase {
                Phase::Head { .. } => {
                    let refusal = Refusal::new(408, "the request head took too long");
                    connection.push_own(refusal.response().encode());
                    self.writable(slot, now);
                    self.finish(slot, CloseReason::Timeout);
                }
                Phase::Proving(_) => self.ran_out_of_time(slot, now),
                Phase::Open {
                    expires: Some(at), ..
                } if *at <= now => self.expire(slot),
                Phase::Open { .. }
                    if connection
                        .parked
                        .as_ref()
                        .is_some_and(|one| one.until <= now) =>
                {
                    self.unpark(slot, now);
                }
                Phase::Open { .. }
                    if connection.blocked.is_none() && connection.unanswered_ping().is_none() =>
                {
                    connection.rest();
                    connection.pinged = Some(now);
                    connection.push_own(ping_frame(b""));
                    self.want_write(slot);
                    self.set_alarm(slot);
                }
                Phase::Open { session, .. }
                    if connection.blocked.is_none() && !connection.reads_not =>
                {
                    let session = *session;
                    let behind = self.hub.call("behind", |hub| hub.is_behind(session));
                    connection.reads_not = behind == Some(true);
                    if connection.reads_not {
                        self.set_alarm(slot);
                    } else {
                        self.give_up_on(slot, now);
                    }
                }
                Phase::Open { .. } | Phase::Closing { .. } => {
                    self.reset(slot, CloseReason::Timeout);
                }
            }
        }
    }

    /// Nothing was heard of a peer that takes what it is told: it is told why it is left. The session does not wait for that.
    fn give_up_on(&mut self, slot: Slot, now: Instant) {
        let silence_max = self.process.recipe.options().limits.silence_max;
        let Some(connection) = self.slots.find_mut(slot) else {
            return;
        };
        let detail = format!("nothing was heard for {} s", silence_max.as_secs_f64());
        if let Phase::Open { lanes: true, .. } = connection.phase {
            let envelope = error_envelope(ErrorCode::Timeout, &detail, None);
            connection.push_own(data_frame(MessageKind::Text, envelope.as_bytes()));
        }
        let reason = format!("{}: {detail}", ErrorCode::Timeout);
        self.close(slot, close_code::POLICY, &reason, CloseReason::Timeout, now);
    }

    fn reset(&mut self, slot: Slot, told: CloseReason) {
        if let Some(connection) = self.slots.find(slot) {
            socket::reset_on_close(&connection.socket);
        }
        self.finish(slot, told);
    }

    /// Tells the hub that a session's connection is gone, once.
    pub(super) fn end_session(&mut self, slot: Slot, told: CloseReason) {
        let session = self
            .slots
            .find(slot)
            .and_then(|connection| connection.session());
        if let Some(session) = session
            && self.sessions.remove(&session).is_some()
        {
            self.unheard = true;
            self.hub.call("closed", |hub| hub.closed(session, told));
        }
    }
}

/// Connections whose alarms ring in one turn, so that ticks and the others wait for no more than these: who came together is
/// due together. Most write something, and some close: 14 us each.
const ALARMS_PER_TURN: usize = 8;
