//! Finds the end of an HTTP head and splits its header lines. Knows no header's meaning.

#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing
    )
)]

use super::{HEADERS_MAX, Refusal};

/// The header lines of one head, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    lines: Vec<(String, String)>,
}

/// Finds the length of the head at the front of `bytes`, its empty line included; `None` when it has not ended.
///
/// Refuses at the first byte that no head contains: an empty line at its front, control characters, and CR or LF by
/// themselves. So a head found has a first line, and an empty line behind it.
pub(crate) fn find_head(bytes: &[u8], bytes_max: usize) -> Result<Option<usize>, Refusal> {
    let (mut line_start, mut last) = (0, None);
    for (len, &byte) in (1_usize..).zip(bytes.iter().take(bytes_max)) {
        match (last.replace(byte), byte) {
            (Some(b'\r'), b'\n') if len == 2 => {
                return Err(Refusal::new(400, "head begins with an empty line"));
            }
            (Some(b'\r'), b'\n') if len.checked_sub(2) == Some(line_start) => {
                return Ok(Some(len));
            }
            (Some(b'\r'), b'\n') => line_start = len,
            (Some(b'\r'), _) | (_, b'\n') => {
                return Err(Refusal::new(400, "line does not end with CR LF"));
            }
            (_, b'\r' | b'\t') => {}
            (_, 0..0x20 | 0x7f) => return Err(Refusal::new(400, "control character in head")),
            _ => {}
        }
    }
    if bytes.len() >= bytes_max {
        return Err(Refusal::new(431, "head is too long"));
    }
    Ok(None)
}

/// Splits off the first line of a head, without its line end; all of it where none ends.
pub(crate) fn first_line(head: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = head.splitn(2, |byte| *byte == b'\r');
    let line = parts.next().unwrap_or_default();
    let rest = parts.next().unwrap_or_default();
    (line, rest.strip_prefix(b"\n").unwrap_or(rest))
}

impl Fields {
    /// Parses the lines behind the first one, up to the empty line; returns them with that first line.
    pub(crate) fn parse(head: &[u8]) -> Result<(&[u8], Fields), Refusal> {
        let (start_line, mut rest) = first_line(head);
        let mut lines = Vec::new();
        loop {
            let (line, after) = first_line(rest);
            if line.is_empty() {
                return Ok((start_line, Fields { lines }));
            }
            if lines.len() == HEADERS_MAX {
                return Err(Refusal::new(431, "too many headers"));
            }
            lines.push(parse_line(line)?);
            rest = after;
        }
    }

    /// All values of a header, in order; `name` in any case.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.lines
            .iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The first value of a header.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        let line = self
            .lines
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name));
        line.map(|(_, value)| value.as_str())
    }

    /// The value of a header that may stand there once at most.
    pub(crate) fn at_most_one(
        &self,
        name: &str,
        doubled: &'static str,
    ) -> Result<Option<&str>, Refusal> {
        let mut values = self
            .lines
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str());
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(_) => Err(Refusal::new(400, doubled)),
        }
    }

    /// Whether a header that is a list of tokens, over all its lines, contains `token` in any case.
    pub(crate) fn lists(&self, name: &str, token: &str) -> bool {
        self.all(name)
            .flat_map(|value| value.split(','))
            .any(|item| trim(item).eq_ignore_ascii_case(token))
    }
}

fn parse_line(line: &[u8]) -> Result<(String, String), Refusal> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Refusal::new(400, "folded header line"));
    }
    let mut parts = line.splitn(2, |byte| *byte == b':');
    let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
        return Err(Refusal::new(400, "header line without a colon"));
    };
    if name.is_empty() || !name.iter().copied().all(is_token_byte) {
        return Err(Refusal::new(400, "header name is not a token"));
    }
    // Bytes beyond ASCII mean nothing to us; replaced, they equal no value we compare with.
    let value = String::from_utf8_lossy(value);
    let name = String::from_utf8_lossy(name);
    Ok((name.into_owned(), trim(&value).to_owned()))
}

/// Whether `byte` may stand in a method or a header's name (RFC 9110 `tchar`).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn trim(value: &str) -> &str {
    value.trim_matches([' ', '\t'])
}
