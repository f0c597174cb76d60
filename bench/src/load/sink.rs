//! Clients that say to a server what the clients of a world say, and count what comes back without looking at it.
//!
//! With it a program that only sends bytes is measured under a world's load.

use std::time::Duration;

use worldshard_client::protocol::ClientMessage;
use worldshard_client::transport::{HEADER_BYTES_MAX, MessageKind, data_header};

use super::counts::Counts;
use super::fleet::{Actor, Heard};
use super::plan::Plan;
use super::report::{Report, WorldReport};
use super::run::Driven;
use super::runner::Window;
use super::schedule::{Due, Schedule};
use super::spoken::speak;

/// All clients.
pub(crate) struct Sink {
    counts: Counts,
    schedule: Schedule,
    /// Frames that each has got.
    frames: Vec<u32>,
    acknowledged: Vec<u32>,
    wire_bytes: u64,
    open: usize,
}

impl Sink {
    pub(crate) fn new(plan: &Plan, steer_hz: f64) -> Self {
        Self {
            counts: Counts::new(),
            schedule: Schedule::new(plan.connections, steer_hz),
            frames: vec![0; plan.connections],
            acknowledged: vec![0; plan.connections],
            wire_bytes: 0,
            open: 0,
        }
    }
}

/// Bytes of a message of the server in one frame, header included.
pub(crate) fn wire_bytes(payload_bytes: usize) -> u64 {
    const { assert!(HEADER_BYTES_MAX <= 10) };
    (payload_bytes + data_header(MessageKind::Binary, payload_bytes).len()) as u64
}

impl Actor for Sink {
    fn counts(&mut self) -> &mut Counts {
        &mut self.counts
    }

    fn opened(&mut self, _who: usize, _out: &mut Vec<u8>) {
        self.open += 1;
    }

    fn heard(&mut self, who: usize, message: Heard<'_>, _out: &mut Vec<u8>, _now: Duration) {
        self.frames[who] += 1;
        self.counts.came(message.payload.len());
        if self.counts.counting {
            self.wire_bytes += wire_bytes(message.payload.len());
        }
    }

    fn rested(&mut self, who: usize, out: &mut Vec<u8>, _now: Duration) {
        if self.acknowledged[who] != self.frames[who] {
            self.acknowledged[who] = self.frames[who];
            speak(&ClientMessage::Ack, None, Some(self.frames[who]), out);
        }
    }
}

impl Driven for Sink {
    fn schedule(&mut self) -> Option<&mut Schedule> {
        Some(&mut self.schedule)
    }

    fn say(&mut self, due: Due, out: &mut Vec<u8>) {
        let message = ClientMessage::Steer {
            direction: [1.0, 0.0, 0.0],
        };
        speak(&message, Some(due.number + 1), None, out);
    }

    fn is_ready(&self) -> bool {
        self.open == self.frames.len()
    }

    fn missing(&self) -> u64 {
        0
    }

    fn window_began(&mut self) {
        self.wire_bytes = 0;
    }

    fn report(&mut self, window: &Window, report: &mut Report) {
        let frames = self.counts.delivered.max(1) as f64;
        report.world = Some(WorldReport {
            bytes_per_client_tick: self.wire_bytes as f64 / frames,
            ticks_per_s: frames / self.frames.len() as f64 / window.length.as_secs_f64(),
            ..WorldReport::default()
        });
    }
}
