//! Decides whether a request becomes a WebSocket, and lays out the answer that says so. Negotiates nothing: extensions are
//! declined by silence, and so are subprotocols but the one that the caller takes.

use bytes::Bytes;
use tungstenite::handshake::derive_accept_key;

use crate::http::{Refusal, RequestHead};

/// Which web pages may connect. Programs send no Origin and are let in by any policy: tokens are for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginPolicy {
    /// Pages of any origin.
    Any,
    /// Pages that this host served: the Origin's host and port are those of the Host header.
    SameHost,
    /// Pages of these origins, each written as browsers do: `https://play.example.org`.
    List(Vec<String>),
}

/// Checks a WebSocket request and gives the answer that switches protocols; frames follow behind it.
///
/// # Errors
/// A [`Refusal`]: 405 for another method than GET, 426 for another version than 13 or no upgrade at all, 403 for an
/// origin that `origins` does not name, 400 for everything malformed.
pub fn upgrade(head: &RequestHead, origins: &OriginPolicy) -> Result<Bytes, Refusal> {
    upgrade_speaking(head, origins, None)
}

/// The same with an answer that takes one of the subprotocols offered, as [`RequestHead::offered_protocols`] has it.
///
/// # Errors
/// As [`upgrade`].
///
/// # Panics
/// When `protocol` was not offered: no client may be given what it did not ask for.
pub fn upgrade_speaking(
    head: &RequestHead,
    origins: &OriginPolicy,
    protocol: Option<&str>,
) -> Result<Bytes, Refusal> {
    let fields = head.fields();
    if head.method != "GET" {
        return Err(Refusal::new(405, "a WebSocket begins with GET"));
    }
    if !head.is_http11() {
        return Err(Refusal::new(400, "a WebSocket begins with HTTP/1.1"));
    }
    if !fields.lists("upgrade", "websocket") {
        return Err(Refusal::new(426, "this path speaks WebSocket"));
    }
    if !fields.lists("connection", "upgrade") {
        return Err(Refusal::new(400, "Connection does not list upgrade"));
    }
    let version = fields.at_most_one("sec-websocket-version", "more than one WebSocket version")?;
    if version != Some("13") {
        return Err(Refusal::new(426, "only WebSocket version 13 is spoken"));
    }
    let key = fields.at_most_one("sec-websocket-key", "more than one WebSocket key")?;
    let Some(key) = key.filter(|key| is_key(key)) else {
        return Err(Refusal::new(400, "no well-formed WebSocket key"));
    };
    check_origin(head, origins)?;
    let mut answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n",
        derive_accept_key(key.as_bytes())
    );
    if let Some(protocol) = protocol {
        let offered = head.offered_protocols().any(|offered| offered == protocol);
        assert!(offered, "a subprotocol that was not offered");
        answer.extend(["Sec-WebSocket-Protocol: ", protocol, "\r\n"]);
    }
    answer.push_str("\r\n");
    Ok(Bytes::from(answer))
}

/// Sixteen bytes in base64: 22 digits, of which the last holds two bits, and two signs of padding.
fn is_key(key: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    key.len() == 24
        && key.ends_with("==")
        && key.bytes().take(22).all(is_digit)
        && b"AQgw".contains(&key.as_bytes()[21])
}

fn check_origin(head: &RequestHead, origins: &OriginPolicy) -> Result<(), Refusal> {
    let Some(origin) = head
        .fields()
        .at_most_one("origin", "more than one Origin")?
    else {
        return Ok(());
    };
    let allowed = match origins {
        OriginPolicy::Any => true,
        OriginPolicy::SameHost => head
            .header("host")
            .is_some_and(|host| is_same_host(origin, host)),
        OriginPolicy::List(list) => origin != "null" && list.iter().any(|one| one == origin),
    };
    if allowed {
        Ok(())
    } else {
        Err(Refusal::new(403, "pages of this origin may not connect"))
    }
}

/// Whether a page of `origin` came from `host`; the port that a scheme implies may be left out of either.
fn is_same_host(origin: &str, host: &str) -> bool {
    let (authority, implied_port) = if let Some(authority) = origin.strip_prefix("http://") {
        (authority, ":80")
    } else if let Some(authority) = origin.strip_prefix("https://") {
        (authority, ":443")
    } else {
        return false;
    };
    let without_port = |text: &str| {
        text.strip_suffix(implied_port)
            .unwrap_or(text)
            .to_ascii_lowercase()
    };
    without_port(authority) == without_port(host)
}
