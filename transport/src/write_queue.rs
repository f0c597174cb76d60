//! Bytes that wait for one connection, in frames. Never writes: its owner does, and says how far it came.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

/// Frames in the order in which they are to leave; a frame partially written stays first.
///
/// Has no bound of its own: its owner reads [`WriteQueue::len_bytes`] and sheds, conflates or closes.
#[derive(Debug, Default)]
pub struct WriteQueue {
    frames: VecDeque<Bytes>,
    first_written: usize,
    len_bytes: usize,
}

impl WriteQueue {
    /// An empty queue, without memory.
    pub fn new() -> WriteQueue {
        WriteQueue::default()
    }

    /// Appends one frame; an empty one is dropped, since no write would ever complete it.
    pub fn push(&mut self, frame: Bytes) {
        if !frame.is_empty() {
            self.len_bytes += frame.len();
            self.frames.push_back(frame);
        }
    }

    /// Bytes still to write.
    pub fn len_bytes(&self) -> usize {
        self.len_bytes
    }

    /// Frames not completely written.
    pub fn len_frames(&self) -> usize {
        self.frames.len()
    }

    /// Whether all is written.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Fills `out` with what is to be written next, in order, and says how many slices it filled.
    pub fn slices<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        let mut written = self.first_written;
        let mut filled = 0;
        for (slot, frame) in out.iter_mut().zip(&self.frames) {
            *slot = IoSlice::new(&frame[written..]);
            written = 0;
            filled += 1;
        }
        filled
    }

    /// All that is to be written, when it is one frame or the rest of one.
    pub fn only(&self) -> Option<&[u8]> {
        let one = self.frames.front().filter(|_| self.frames.len() == 1)?;
        Some(&one[self.first_written..])
    }

    /// Replaces each frame by an equal one, in memory that suits its waiting.
    pub fn replace(&mut self, mut equal: impl FnMut(Bytes) -> Bytes) {
        for frame in &mut self.frames {
            let len = frame.len();
            *frame = equal(std::mem::take(frame));
            assert_eq!(frame.len(), len, "a frame was replaced by another");
        }
    }

    /// Gives back the memory of an empty queue: nothing is expected soon.
    pub fn rest(&mut self) {
        if self.frames.is_empty() {
            self.frames = VecDeque::new();
        }
    }

    /// Takes note that the kernel took `written` bytes; returns how many frames that completed.
    ///
    /// # Panics
    /// When `written` is more than [`WriteQueue::len_bytes`].
    pub fn advance(&mut self, written: usize) -> usize {
        assert!(
            written <= self.len_bytes,
            "{written} bytes written of {}",
            self.len_bytes
        );
        self.len_bytes -= written;
        let mut left = self.first_written + written;
        let mut completed = 0;
        while let Some(first) = self.frames.front()
            && first.len() <= left
        {
            left -= first.len();
            self.frames.pop_front();
            completed += 1;
        }
        self.first_written = left;
        if self.frames.is_empty() && self.frames.capacity() > SLOTS_KEPT {
            self.frames = VecDeque::new();
        }
        completed
    }
}

/// Places for frames that an empty queue keeps until [`WriteQueue::rest`]: frames of a usual turn cost no allocation.
const SLOTS_KEPT: usize = 64;
