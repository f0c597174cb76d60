//! What waits to be written to each session, by class, and what follows when it is written or too much.
//!
//! Never writes: it hands frames to the driver and is told how far it came.

use std::borrow::Cow;

use bytes::Bytes;
use worldshard_protocol::{ErrorCode, SessionId, error_envelope};
use worldshard_shard::Acknowledgement;
use worldshard_spatial::ShardId;
use worldshard_transport::{MessageKind, close_code, data_frame, frame_is_text};

use crate::app::Framing;
use crate::hub::FrameClass;
use crate::hub::desk::Desk;
use crate::hub::session::{Queued, Standing};
use crate::hub::traffic::Traffic;
use crate::letter::DeltaFrame;
use crate::unsent::UnsentCause;

impl Desk {
    /// Queues a message; says why not. Past the bound of its queue the client is closed with 1013.
    pub(crate) fn push_reliable(
        &mut self,
        session: SessionId,
        frame: Bytes,
    ) -> Option<UnsentCause> {
        self.catch_up(session);
        let (is_text, bytes) = (frame_is_text(&frame), frame.len() as u64);
        match self.push_messages(session, frame, 1, FrameClass::Reliable) {
            Ok(framing) => self.stats.lanes_out.count(framing, is_text, 1, bytes),
            Err(cause) => return Some(cause),
        }
        None
    }

    /// Queues so many messages, laid out one behind the other, with the same consequence. The caller counts them.
    pub(crate) fn push_messages(
        &mut self,
        session: SessionId,
        frames: Bytes,
        count: u32,
        class: FrameClass,
    ) -> Result<Framing, UnsentCause> {
        let Some(entry) = self.sessions.get_mut(&session) else {
            return Err(UnsentCause::NoSession);
        };
        if let Some(cause) = entry.connection.takes_nothing() {
            return Err(cause);
        }
        let overhead = FRAME_OVERHEAD_BYTES.saturating_mul(count as usize);
        let bytes = frames.len().saturating_add(overhead);
        if entry.egress.reliable_bytes.saturating_add(bytes) > self.messages_queue_bytes_max {
            self.stats.closed_slow += 1;
            let reason = Cow::Borrowed("too slow: the message queue is full");
            self.close(session, close_code::TRY_AGAIN, reason);
            return Err(UnsentCause::QueueFull);
        }
        let framing = entry.framing;
        entry.egress.reliable_bytes += bytes;
        self.queued_bytes += bytes;
        entry.egress.queued.push_back(Queued::Reliable(bytes));
        self.output.frames.push((session, frames, class));
        Ok(framing)
    }

    /// Whether so many bytes of messages wait for a session that what may be lost is not sent to it.
    pub(crate) fn has_too_much_waiting(&mut self, session: SessionId) -> bool {
        // What was said before goes before, and counts.
        self.catch_up(session);
        let entry = self.sessions.get(&session);
        entry.is_some_and(|entry| entry.egress.reliable_bytes > self.lossy_queue_bytes_max)
    }

    /// Queues a delta whose turn it is.
    pub(crate) fn push_delta(&mut self, delta: DeltaFrame) {
        let DeltaFrame {
            session,
            sequence,
            frame,
            shared,
        } = delta;
        self.push_state(session, Queued::Delta(sequence), frame, shared);
    }

    /// Deltas of this viewpoint and of earlier ones that the kernel has not taken.
    pub(crate) fn deltas_unread(&self, session: SessionId) -> usize {
        let is_delta = |queued: &&Queued| matches!(queued, Queued::Delta(_));
        let entry = self.sessions.get(&session);
        entry.map_or(0, |entry| {
            entry.egress.queued.iter().filter(is_delta).count()
        })
    }

    /// Queues one shard's overview.
    pub(crate) fn push_overview(&mut self, session: SessionId, source: ShardId, frame: Bytes) {
        self.push_state(session, Queued::Overview(source), frame, None);
    }

    /// With a shared part, `frame` is what comes before it, and the end follows it.
    fn push_state(
        &mut self,
        session: SessionId,
        queued: Queued,
        frame: Bytes,
        shared: Option<(Bytes, Bytes)>,
    ) {
        self.catch_up(session);
        let Some(entry) = self.sessions.get_mut(&session) else {
            return;
        };
        if !entry.is_open() {
            return;
        }
        entry.egress.queued.push_back(queued);
        let mut bytes = frame.len();
        let mut give = |part, class| self.output.frames.push((session, part, class));
        if let Some((shared, end)) = shared {
            bytes += shared.len() + end.len();
            // Only the end completes the frame.
            give(frame, FrameClass::Part);
            give(shared, FrameClass::Part);
            give(end, FrameClass::State);
        } else {
            give(frame, FrameClass::State);
        }
        let traffic = &mut self.stats.lanes_out;
        traffic.count(Framing::Lanes, false, 1, bytes as u64);
    }

    /// All that was given to connections.
    pub(crate) fn traffic_out(&self) -> Traffic {
        let mut traffic = self.stats.lanes_out;
        self.convoy.count_given(&mut traffic);
        traffic
    }

    /// Takes so many of the queue's entries off it.
    pub(crate) fn written(&mut self, session: SessionId, frames: u32) -> Written {
        let mut written = Written::default();
        let Some(entry) = self.sessions.get_mut(&session) else {
            return written;
        };
        let mut standing = entry.standing.as_deref_mut();
        let mut last_delta = None;
        for _ in 0..frames {
            match entry.egress.queued.pop_front() {
                Some(Queued::Reliable(bytes)) => {
                    entry.egress.reliable_bytes -= bytes;
                    self.queued_bytes -= bytes;
                }
                Some(Queued::Delta(sequence)) => last_delta = Some(sequence),
                Some(Queued::Overview(source)) => {
                    let follows = |one: &mut &mut Standing| one.overview.written(source);
                    if standing.as_mut().is_some_and(follows) {
                        written.overviews.push(source);
                    }
                }
                None => {
                    tracing::error!(%session, "the driver wrote more frames than it was given");
                    break;
                }
            }
        }
        entry.egress.queued.shrink_to(QUEUE_SLOTS_KEPT);
        if let (Some(standing), Some(delta_sequence)) = (standing, last_delta)
            && !standing.acks
        {
            standing.deltas.acknowledged = delta_sequence;
            written.acknowledgement = Some(Acknowledgement {
                session,
                delta_sequence,
            });
        }
        written
    }

    /// Tells a client why its message was refused.
    pub(crate) fn refuse(
        &mut self,
        session: SessionId,
        code: ErrorCode,
        detail: &str,
        seq: Option<u32>,
    ) {
        self.stats.refuse(code);
        let text = error_envelope(code, detail, seq);
        self.push_reliable(session, data_frame(MessageKind::Text, text.as_bytes()));
    }

    /// The fullest message queue, in bytes. Where nothing waits, no session is looked at.
    pub(crate) fn queue_bytes_largest(&self) -> usize {
        if self.queued_bytes == 0 {
            return 0;
        }
        let bytes = self.sessions.values().map(|one| one.egress.reliable_bytes);
        bytes.max().unwrap_or(0)
    }
}

/// What follows from frames being written.
#[derive(Default)]
pub(crate) struct Written {
    /// The credits that a client without acknowledgements earned by it.
    pub(crate) acknowledgement: Option<Acknowledgement>,
    /// Shards whose overview has become newer meanwhile.
    pub(crate) overviews: Vec<ShardId>,
}

/// What a queued frame counts for beyond its bytes, so that empty messages fill a queue too.
pub const FRAME_OVERHEAD_BYTES: usize = 64;

/// A queue that was long gives its memory back down to so many entries.
const QUEUE_SLOTS_KEPT: usize = 32;
