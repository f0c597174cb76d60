//! Finds the end of an HTTP head and splits its header lines. Knows no header's meaning.

#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing
    )
)]

use std::ops::Range;

use super::{HEADERS_MAX, Refusal};

/// The header lines of one head, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    /// Names and values one behind the other: one piece of memory for all of them.
    text: String,
    lines: Vec<Line>,
}

/// Where in the text a header's name and value are.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    name: Range<usize>,
    value: Range<usize>,
}

/// Finds the length of the head at the front of `bytes`, its empty line included; `None` when it has not ended.
///
/// Refuses at the first byte that no head contains: an empty line at its front, control characters, and CR or LF by
/// themselves. So a head found has a first line, and an empty line behind it.
pub(crate) fn find_head(bytes: &[u8], bytes_max: usize) -> Result<Option<usize>, Refusal> {
    let window = bytes.get(..bytes_max).unwrap_or(bytes);
    let (mut rest, mut begins, mut line_is_empty) = (window, true, true);
    while let Some(skipped) = rest.iter().position(|byte| is_control(*byte)) {
        line_is_empty &= skipped == 0;
        rest = match rest.get(skipped..).unwrap_or_default() {
            [b'\r', b'\n', ..] if begins && line_is_empty => {
                return Err(Refusal::new(400, "head begins with an empty line"));
            }
            [b'\r', b'\n', behind @ ..] if line_is_empty => {
                return Ok(Some(window.len().saturating_sub(behind.len())));
            }
            [b'\r', b'\n', after @ ..] => {
                (begins, line_is_empty) = (false, true);
                after
            }
            [b'\t', after @ ..] => {
                line_is_empty = false;
                after
            }
            // Whether it is well followed is not known yet.
            [b'\r'] => break,
            [b'\r' | b'\n', ..] => {
                return Err(Refusal::new(400, "line does not end with CR LF"));
            }
            _ => return Err(Refusal::new(400, "control character in head")),
        };
    }
    if bytes.len() >= bytes_max {
        return Err(Refusal::new(431, "head is too long"));
    }
    Ok(None)
}

/// Splits off the first line of a head, without its line end; all of it where none ends.
pub(crate) fn first_line(head: &[u8]) -> (&[u8], &[u8]) {
    let (line, rest) = split_once(head, b'\r').unwrap_or((head, &[]));
    (line, rest.strip_prefix(b"\n").unwrap_or(rest))
}

impl Fields {
    /// Parses the lines behind the first one, up to the empty line; returns them with that first line.
    pub(crate) fn parse(head: &[u8]) -> Result<(&[u8], Fields), Refusal> {
        let (start_line, mut rest) = first_line(head);
        let mut fields = Fields {
            text: String::with_capacity(rest.len()),
            lines: Vec::with_capacity(HEADERS_USUAL),
        };
        loop {
            let (line, after) = first_line(rest);
            if line.is_empty() {
                return Ok((start_line, fields));
            }
            if fields.lines.len() == HEADERS_MAX {
                return Err(Refusal::new(431, "too many headers"));
            }
            let (name, value) = parse_line(line)?;
            let line = Line {
                name: fields.append(name),
                value: fields.append(value),
            };
            fields.lines.push(line);
            rest = after;
        }
    }

    /// Keeps a text. Bytes beyond ASCII mean nothing to us; replaced, they equal no value we compare with.
    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let begin = self.text.len();
        match std::str::from_utf8(bytes) {
            Ok(text) => self.text.push_str(text),
            Err(_) => self.text.push_str(&String::from_utf8_lossy(bytes)),
        }
        begin..self.text.len()
    }

    /// All values of a header, in order; `name` in any case.
    pub(crate) fn all<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.lines
            .iter()
            .filter(move |line| self.text(&line.name).eq_ignore_ascii_case(name))
            .map(move |line| self.text(&line.value))
    }

    /// The names of all lines, in order, as sent.
    pub(crate) fn names(&self) -> Vec<&str> {
        let names = self.lines.iter().map(|line| self.text(&line.name));
        names.collect()
    }

    fn text(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// The first value of a header.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The value of a header that may stand there once at most.
    pub(crate) fn at_most_one(
        &self,
        name: &str,
        doubled: &'static str,
    ) -> Result<Option<&str>, Refusal> {
        let mut values = self.all(name);
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(_) => Err(Refusal::new(400, doubled)),
        }
    }

    /// Whether a header that is a list of tokens, over all its lines, contains `token` in any case.
    pub(crate) fn lists(&self, name: &str, token: &str) -> bool {
        self.all(name)
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .any(|item| trim(item).eq_ignore_ascii_case(token.as_bytes()))
    }
}

fn parse_line(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Refusal::new(400, "folded header line"));
    }
    let Some((name, value)) = split_once(line, b':') else {
        return Err(Refusal::new(400, "header line without a colon"));
    };
    if name.is_empty() || !name.iter().copied().all(is_token_byte) {
        return Err(Refusal::new(400, "header name is not a token"));
    }
    Ok((name, trim(value)))
}

/// What stands before the first such byte, and what behind it.
fn split_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = bytes.iter().position(|byte| *byte == at)?;
    let (before, rest) = bytes.split_at_checked(position)?;
    Some((before, rest.get(1..)?))
}

/// Whether `byte` may stand in a method or a header's name (RFC 9110 `tchar`).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

fn is_control(byte: u8) -> bool {
    matches!(byte, 0..0x20 | 0x7f)
}

/// Without the blanks around it.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Browsers send a dozen or so.
const HEADERS_USUAL: usize = 12;

#[cfg(test)]
mod tests;
