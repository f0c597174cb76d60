//! Parses a request head. Decides nothing about upgrades: that is `upgrade`.

#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing
    )
)]

use std::borrow::Cow;
use std::fmt;

use super::fields::{Fields, find_head, is_token_byte};
use super::{HEAD_BYTES_MAX, Refusal};

/// The head of a request that is well formed, has no body and names its host.
///
/// `Debug` leaves out the values of query and headers: credentials may be among them.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestHead {
    /// As sent; methods are case-sensitive.
    pub method: String,
    /// The path as sent, percent signs and all; begins with a slash.
    pub path: String,
    /// What stands behind the question mark, as sent.
    pub query: Option<String>,
    version: Version,
    fields: Fields,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

/// Parses a head from the front of `bytes` and says how long it is; `Ok(None)` when more bytes are needed.
///
/// # Errors
/// A [`Refusal`] as soon as the bytes cannot become a head of at most [`HEAD_BYTES_MAX`] bytes that we take.
pub fn parse_head(bytes: &[u8]) -> Result<Option<(RequestHead, usize)>, Refusal> {
    if bytes.first().is_some_and(|byte| !is_token_byte(*byte)) {
        return Err(Refusal::new(400, "request does not begin with a method"));
    }
    let Some(len) = find_head(bytes, HEAD_BYTES_MAX)? else {
        return Ok(None);
    };
    let (line, fields) = Fields::parse(bytes.get(..len).unwrap_or(bytes))?;
    let (method, target, version) = parse_request_line(line)?;
    check_host(version, &fields)?;
    check_no_body(&fields)?;
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    let head = RequestHead {
        method: method.to_owned(),
        path: path.to_owned(),
        query,
        version,
        fields,
    };
    Ok(Some((head, len)))
}

impl RequestHead {
    /// The first value of a header, without surrounding blanks; `name` in any case. Bytes that are not UTF-8 are
    /// replaced by U+FFFD.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.fields.first(name)
    }

    /// All values of a header, in order, as [`header`](Self::header) has the first.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.fields.all(name)
    }

    /// The first value of `key` in the query, percent signs and pluses decoded; empty when it has no equals sign.
    /// Bytes that are not UTF-8 are replaced by U+FFFD.
    pub fn query_value(&self, key: &str) -> Option<Cow<'_, str>> {
        self.query_values(key).next()
    }

    /// All values of `key` in the query, in order, as [`query_value`](Self::query_value) has the first.
    pub fn query_values<'a>(&'a self, key: &str) -> impl Iterator<Item = Cow<'a, str>> {
        let of_key = move |(name, _): &(&str, &str)| decode(name) == key;
        self.query_pairs()
            .filter(of_key)
            .map(|(_, value)| decode(value))
    }

    /// The keys of the query, in order, decoded as their values are.
    pub fn query_keys(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.query_pairs().map(|(name, _)| decode(name))
    }

    fn query_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.query.iter().flat_map(|query| query.split('&'));
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// The WebSocket subprotocols offered, in order; what is not a token is none.
    pub fn offered_protocols(&self) -> impl Iterator<Item = &str> {
        let lines = self.fields.all("sec-websocket-protocol");
        let offered = lines.flat_map(|line| line.split(',')).map(str::trim);
        offered.filter(|one| !one.is_empty() && one.bytes().all(is_token_byte))
    }

    /// Whether the request wants to be a WebSocket, well formed or not: one for `upgrade`, not for a route.
    pub fn is_upgrade(&self) -> bool {
        self.fields.lists("upgrade", "websocket")
            || self.fields.first("sec-websocket-key").is_some()
    }

    pub(crate) fn is_http11(&self) -> bool {
        self.version == Version::Http11
    }

    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }
}

impl fmt::Debug for RequestHead {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query: Vec<&str> = self.query_pairs().map(|(name, _)| name).collect();
        out.debug_struct("RequestHead")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &query)
            .field("headers", &self.fields.names())
            .finish_non_exhaustive()
    }
}

fn parse_request_line(line: &[u8]) -> Result<(&str, &str, Version), Refusal> {
    let malformed = Refusal::new(400, "malformed request line");
    let Ok(line) = std::str::from_utf8(line) else {
        return Err(malformed);
    };
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(malformed);
    };
    if !method.bytes().all(is_token_byte) {
        return Err(malformed);
    }
    if !target.starts_with('/') {
        return Err(Refusal::new(400, "request target is not a path"));
    }
    if target
        .bytes()
        .any(|byte| !byte.is_ascii_graphic() || byte == b'#')
    {
        return Err(Refusal::new(400, "bad character in request target"));
    }
    let version = match version {
        "HTTP/1.1" => Version::Http11,
        "HTTP/1.0" => Version::Http10,
        _ if version.starts_with("HTTP/") => {
            return Err(Refusal::new(505, "only HTTP/1.1 is spoken here"));
        }
        _ => return Err(malformed),
    };
    Ok((method, target, version))
}

fn check_host(version: Version, fields: &Fields) -> Result<(), Refusal> {
    let host = fields.at_most_one("host", "more than one Host")?;
    match (host, version) {
        (None, Version::Http10) => Ok(()),
        (None, Version::Http11) => Err(Refusal::new(400, "no Host")),
        (Some(host), _) if !host.is_empty() && host.bytes().all(is_host_byte) => Ok(()),
        (Some(_), _) => Err(Refusal::new(400, "malformed Host")),
    }
}

/// Names, addresses (IPv6 in brackets) and a port; nothing that another parser might split at.
fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=%:[]".contains(&byte)
}

fn check_no_body(fields: &Fields) -> Result<(), Refusal> {
    if fields.first("transfer-encoding").is_some() {
        return Err(Refusal::new(400, "request bodies are not taken"));
    }
    match fields.at_most_one("content-length", "more than one Content-Length")? {
        None | Some("0") => Ok(()),
        Some(length) if !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(Refusal::new(413, "request bodies are not taken"))
        }
        Some(_) => Err(Refusal::new(400, "malformed Content-Length")),
    }
}

/// A part of a path, percent signs decoded: `%41` is `A`. One without two hexadecimal digits stands for itself; bytes that
/// are not UTF-8 are replaced by U+FFFD.
#[must_use]
pub fn decode_path(part: &str) -> Cow<'_, str> {
    unescape(part, b'+')
}

/// The same for a query, where `+` is a blank.
fn decode(text: &str) -> Cow<'_, str> {
    unescape(text, b' ')
}

fn unescape(text: &str, plus: u8) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = match (byte, after) {
            (b'%', [high, low, after @ ..]) => hex_byte(*high, *low).map(|byte| (byte, after)),
            _ => None,
        };
        let plain = if byte == b'+' { plus } else { byte };
        let (byte, after) = escaped.unwrap_or((plain, after));
        decoded.push(byte);
        rest = after;
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(high)?.checked_mul(16)?.checked_add(digit(low)?)?;
    u8::try_from(value).ok()
}
