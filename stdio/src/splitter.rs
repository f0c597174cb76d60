//! Makes lines of what a process writes, of at most so many bytes. Never looks into them.

/// A line that is not complete yet.
pub(crate) struct Splitter {
    line: Vec<u8>,
    bytes_max: usize,
    /// The line is longer than it may be: the rest of it is passed over.
    is_too_long: bool,
}

/// A line, without its end.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Line<'a> {
    Whole(&'a [u8]),
    /// It had more bytes than it may have: here is its beginning.
    TooLong(&'a [u8]),
}

impl Splitter {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            line: Vec::new(),
            bytes_max,
            is_too_long: false,
        }
    }

    /// Takes what was written, and gives each line that it ends. An empty line is none.
    pub(crate) fn take(&mut self, bytes: &[u8], mut give: impl FnMut(Line<'_>)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (part, ends) = match part.strip_suffix(b"\n") {
                Some(part) => (part, true),
                None => (part, false),
            };
            let room = self.bytes_max - self.line.len();
            self.is_too_long |= part.len() > room;
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            if ends {
                self.end(&mut give);
            }
        }
    }

    fn end(&mut self, give: &mut impl FnMut(Line<'_>)) {
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        if self.is_too_long {
            give(Line::TooLong(line));
        } else if !line.is_empty() {
            give(Line::Whole(line));
        }
        self.line.clear();
        self.line.shrink_to(KEPT_BYTES);
        self.is_too_long = false;
    }
}

/// Memory that is kept for the next line.
const KEPT_BYTES: usize = 4096;

#[cfg(test)]
mod tests;
