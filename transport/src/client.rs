//! What a client says: the request for a WebSocket, and masked frames. Keys and masks are arguments, from a random
//! source that the caller owns. What it hears goes through `reader`, with the role of a client.

use bytes::Bytes;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::frame::coding::Control;

use crate::frame::{MessageKind, close_payload, control_frame, data_opcode, frame};
use crate::http::{Fields, HEAD_BYTES_MAX, Refusal, find_head, is_token_byte};

/// The request that asks `host` (with its port, as in a URL) for a WebSocket at `path` (with its query).
///
/// # Panics
/// When `host` or `path` contains blanks, control characters or anything beyond ASCII, or `path` has no slash first.
pub fn client_request(host: &str, path: &str, key: &[u8; 16]) -> Bytes {
    client_request_offering(host, path, key, &[])
}

/// The same with subprotocols to choose from, the preferred one first.
///
/// # Panics
/// As [`client_request`], and when a subprotocol is not a token: one would become two, or a header of its own.
pub fn client_request_offering(
    host: &str,
    path: &str,
    key: &[u8; 16],
    protocols: &[&str],
) -> Bytes {
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(is_plain(host), "host {host:?} is not plain ASCII");
    assert!(
        is_plain(path) && path.starts_with('/'),
        "path {path:?} is not plain ASCII behind a slash"
    );
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n",
        base64_of_key(key)
    );
    if !protocols.is_empty() {
        // Not shown when refused: a subprotocol may be a credential.
        let are_tokens = protocols
            .iter()
            .all(|name| !name.is_empty() && name.bytes().all(is_token_byte));
        assert!(are_tokens, "a subprotocol is not a token");
        request.extend(["Sec-WebSocket-Protocol: ", &protocols.join(", "), "\r\n"]);
    }
    request.push_str("\r\n");
    Bytes::from(request)
}

/// What a server answered to a request for a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAnswer {
    /// Frames follow.
    Switched {
        /// Bytes of the answer.
        len: usize,
        /// The subprotocol that the server chose, one of those offered.
        protocol: Option<String>,
    },
    /// The server stays with HTTP.
    Refused {
        /// Its status, any but 101.
        status: u16,
        /// The answer's first line.
        line: String,
        /// Seconds after which another request is welcome, where the server says so.
        retry_after_s: Option<u64>,
        /// Bytes of the answer before its body.
        len: usize,
        /// Bytes of the body as the head announces them; what is not announced ends with the connection.
        body_len: Option<u64>,
    },
}

/// Checks the server's answer to [`client_request`] and says how long it is; `Ok(None)` when more bytes are needed.
///
/// # Errors
/// A [`Refusal`] with the server's status when that is not 101, or 502 when the answer does not switch protocols as
/// asked. A status line alone suffices for the server's own refusal.
pub fn parse_client_response(bytes: &[u8], key: &[u8; 16]) -> Result<Option<usize>, Refusal> {
    match parse_client_answer(bytes, key, &[])? {
        None => Ok(None),
        Some(ClientAnswer::Switched { len, .. }) => Ok(Some(len)),
        Some(ClientAnswer::Refused { status, line, .. }) => Err(Refusal {
            status,
            reason: format!("the server answered {line:?}").into(),
        }),
    }
}

/// Reads the server's answer to [`client_request_offering`]; `Ok(None)` when more bytes are needed.
///
/// # Errors
/// A [`Refusal`] with 502 when the answer is not HTTP, or switches protocols but not as asked.
pub fn parse_client_answer(
    bytes: &[u8],
    key: &[u8; 16],
    offered: &[&str],
) -> Result<Option<ClientAnswer>, Refusal> {
    let malformed = |refusal: Refusal| Refusal {
        status: 502,
        reason: format!("malformed answer: {}", refusal.reason).into(),
    };
    let Some(len) = find_head(bytes, HEAD_BYTES_MAX).map_err(malformed)? else {
        return Ok(None);
    };
    let (line, fields) = Fields::parse(&bytes[..len]).map_err(malformed)?;
    let line = String::from_utf8_lossy(line);
    let status = line
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .filter(|status| status.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|status| status.parse::<u16>().ok());
    match status {
        Some(101) => {}
        Some(status) => {
            let number = |name: &str| fields.first(name).and_then(|value| value.parse().ok());
            return Ok(Some(ClientAnswer::Refused {
                status,
                line: line.clone().into_owned(),
                retry_after_s: number("retry-after"),
                len,
                body_len: number("content-length"),
            }));
        }
        None => return Err(Refusal::new(502, "the answer is not HTTP/1.1")),
    }
    let accept = derive_accept_key(base64_of_key(key).as_bytes());
    let accepted = fields.lists("upgrade", "websocket")
        && fields.lists("connection", "upgrade")
        && fields
            .at_most_one("sec-websocket-accept", "more than one accept key")
            .map_err(malformed)?
            == Some(accept.as_str());
    if !accepted {
        return Err(Refusal::new(502, "the server did not accept this request"));
    }
    let protocol = fields
        .at_most_one("sec-websocket-protocol", "more than one subprotocol")
        .map_err(malformed)?;
    let is_offered = protocol.is_none_or(|chosen| offered.contains(&chosen));
    if !is_offered || fields.first("sec-websocket-extensions").is_some() {
        return Err(Refusal::new(502, "the server chose what was not offered"));
    }
    Ok(Some(ClientAnswer::Switched {
        len,
        protocol: protocol.map(str::to_owned),
    }))
}

/// A whole client message in one frame.
pub fn masked_frame(kind: MessageKind, payload: &[u8], mask: [u8; 4]) -> Bytes {
    frame(data_opcode(kind), payload, Some(mask))
}

/// A ping of a client.
///
/// # Panics
/// When `payload` is longer than [`crate::CONTROL_BYTES_MAX`].
pub fn masked_ping(payload: &[u8], mask: [u8; 4]) -> Bytes {
    control_frame(Control::Ping, payload, Some(mask))
}

/// A pong of a client; answers a ping with the same payload.
///
/// # Panics
/// When `payload` is longer than [`crate::CONTROL_BYTES_MAX`].
pub fn masked_pong(payload: &[u8], mask: [u8; 4]) -> Bytes {
    control_frame(Control::Pong, payload, Some(mask))
}

/// A close frame of a client; code and reason as for [`crate::close_frame`].
///
/// # Panics
/// When `code` may not stand on the wire.
pub fn masked_close(code: u16, reason: &str, mask: [u8; 4]) -> Bytes {
    control_frame(Control::Close, &close_payload(code, reason), Some(mask))
}

/// Sixteen bytes are five groups of three, and one byte more.
fn base64_of_key(key: &[u8; 16]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| char::from(DIGITS[(bits & 63) as usize]);
    let (groups, last) = key.as_chunks::<3>();
    let mut text = String::with_capacity(24);
    for [a, b, c] in groups {
        let bits = u32::from_be_bytes([0, *a, *b, *c]);
        text.extend([18, 12, 6, 0].map(|shift| digit(bits >> shift)));
    }
    let bits = u32::from(last[0]) << 4;
    text.extend([digit(bits >> 6), digit(bits), '=', '=']);
    text
}
