//! An open WebSocket between the thread that reads it and those who write: frames, and how much of them is written.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use worldshard_transport::MessageKind;

use super::now;
use super::stream::{Stream, would_wait};
use crate::agent::Happened;
use crate::chance::Chance;
use crate::close;
use crate::frames::{Broken, Frames, Said};
use crate::message::Message;

pub(super) struct Wire {
    stream: Arc<Stream>,
    frames: Frames,
    /// Bytes written in all.
    written_bytes: u64,
    /// Where messages that are not written end, counted as above.
    ends: VecDeque<u64>,
    written_messages: u64,
    /// When the kernel last took nothing: it is not asked again at once, since asking waits a little.
    stalled: Option<Instant>,
}

impl Wire {
    pub(super) fn new(stream: Arc<Stream>, chance: Chance) -> Self {
        Self {
            stream,
            frames: Frames::opened(chance),
            written_bytes: 0,
            ends: VecDeque::new(),
            written_messages: 0,
            stalled: None,
        }
    }

    pub(super) fn send(&mut self, message: &Message) {
        match message {
            Message::Text(text) => self.frames.message(MessageKind::Text, text.as_bytes()),
            Message::Binary(bytes) => self.frames.message(MessageKind::Binary, bytes),
        }
        let end = self.written_bytes + self.frames.output().len() as u64;
        self.ends.push_back(end);
        self.flush();
    }

    pub(super) fn ping(&mut self) {
        self.frames.ping(b"");
        self.flush();
    }

    pub(super) fn close(&mut self, code: u16, reason: &str) {
        self.frames.close(code, reason);
        self.stalled = None;
        self.flush();
    }

    /// Says goodbye, if that was not done, and that no more comes. What is not written by now counts as not sent: it must
    /// not be heard after all, so nothing is said behind it either.
    pub(super) fn end(&mut self) {
        if self.frames.output().is_empty() {
            self.close(close::NORMAL, "client done");
        }
        self.frames.output().clear();
        self.ends.clear();
        self.stream.end();
    }

    /// Messages written so far.
    pub(super) fn written_messages(&self) -> u64 {
        self.written_messages
    }

    /// Whether something waits for the kernel.
    pub(super) fn is_stalled(&self) -> bool {
        self.stalled.is_some()
    }

    /// Writes what the kernel takes. An error is left to the thread that reads: it learns why, and what came before.
    pub(super) fn flush(&mut self) {
        if self
            .stalled
            .is_some_and(|at| now().saturating_duration_since(at) < STALL_WAIT)
        {
            return;
        }
        self.stalled = None;
        let output = self.frames.output();
        let mut written = 0;
        let outcome = loop {
            if written == output.len() {
                break self.stream.flush();
            }
            match self.stream.write(&output[written..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        output.drain(..written);
        if let Err(error) = outcome {
            if would_wait(&error) {
                self.stalled = Some(now());
            } else {
                output.clear();
                self.ends.clear();
            }
        }
        self.written_bytes += written as u64;
        while self
            .ends
            .front()
            .is_some_and(|end| *end <= self.written_bytes)
        {
            self.ends.pop_front();
            self.written_messages += 1;
        }
    }

    /// Takes bytes that came, and appends what they mean to `out`; whether nothing more will come.
    pub(super) fn hear(&mut self, bytes: &[u8], out: &mut Vec<Happened>) -> bool {
        self.frames.receive(bytes);
        loop {
            let happened = match self.frames.next() {
                Ok(Said::Nothing) => break,
                Ok(Said::Answered | Said::Opened) => continue,
                Ok(Said::Text(text)) => Happened::Heard(Message::Text(text.to_owned())),
                Ok(Said::Binary(bytes)) => {
                    Happened::Heard(Message::Binary(Bytes::copy_from_slice(bytes)))
                }
                Ok(Said::Pong(_)) => Happened::Pong,
                Ok(Said::Close { code, reason }) => Happened::Closed { code, reason },
                Err(Broken::Framing(failure)) => Happened::Broken(failure.to_string()),
                Err(Broken::Handshake(refusal)) => Happened::Broken(refusal.to_string()),
            };
            out.push(happened);
        }
        self.flush();
        self.frames.is_ended()
    }

    /// The server sends no more; what that means, if it comes as a surprise.
    pub(super) fn end_of_input(&mut self) -> Option<Happened> {
        self.frames.end_of_input().then(|| Happened::Closed {
            code: close::LOST,
            reason: String::new(),
        })
    }
}

/// How long a kernel that took nothing is not asked again.
pub(super) const STALL_WAIT: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests;
