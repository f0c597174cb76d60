//! Lays out answers to plain requests and refusals. One answer a connection: each says `Connection: close`.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

/// A request that is not taken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status to answer with.
    pub status: u16,
    /// For the body of the answer and the log.
    pub reason: Cow<'static, str>,
}

/// An answer to a plain request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Such as 200.
    pub status: u16,
    /// With its character set.
    pub content_type: &'static str,
    /// Beside connection, type and length, which are written by themselves; 204 and 304 have no type and no length. Control characters become blanks.
    pub headers: Vec<(&'static str, String)>,
    /// Sent as it is.
    pub body: Bytes,
}

impl Refusal {
    /// A refusal with a fixed reason.
    pub const fn new(status: u16, reason: &'static str) -> Refusal {
        Refusal {
            status,
            reason: Cow::Borrowed(reason),
        }
    }

    /// The answer that tells the client.
    pub fn response(&self) -> Response {
        let mut response = Response::text(self.status, format!("{}\n", self.reason));
        match self.status {
            405 => response.headers.push(("Allow", "GET".to_owned())),
            426 => response.headers.extend([
                ("Upgrade", "websocket".to_owned()),
                ("Sec-WebSocket-Version", "13".to_owned()),
            ]),
            _ => {}
        }
        response
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Response {
        refusal.response()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({})", self.reason, self.status)
    }
}

impl std::error::Error for Refusal {}

impl Response {
    /// An answer of any type.
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Response {
        Response {
            status,
            content_type,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// An answer of plain text.
    pub fn text(status: u16, body: impl Into<Bytes>) -> Response {
        Response::new(status, "text/plain; charset=utf-8", body)
    }

    /// An answer of JSON, already laid out.
    pub fn json(status: u16, body: impl Into<Bytes>) -> Response {
        Response::new(status, "application/json", body)
    }

    /// Head and body in one buffer.
    pub fn encode(&self) -> Bytes {
        let mut bytes = self.head();
        bytes.extend_from_slice(&self.body);
        bytes.into()
    }

    /// The head alone, with the length of the body it leaves out: the answer to HEAD.
    pub fn encode_head_only(&self) -> Bytes {
        self.head().into()
    }

    fn head(&self) -> Vec<u8> {
        let upgrade = self.headers.iter().any(|(name, _)| *name == "Upgrade");
        let connection = if upgrade { "close, Upgrade" } else { "close" };
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, status_text(self.status));
        // These have no body, and a length would be taken for that of another answer (RFC 9110, 8.6).
        if !matches!(self.status, 204 | 304) {
            let length = self.body.len().to_string();
            head.extend(["Content-Type: ", self.content_type, "\r\n"]);
            head.extend(["Content-Length: ", &length, "\r\n"]);
        }
        head.extend(["Connection: ", connection, "\r\n"]);
        for (name, value) in &self.headers {
            // A value made of what a client sent must not begin a line of its own.
            let value = value.replace(|letter: char| letter.is_control(), " ");
            head.extend([*name, ": ", &value, "\r\n"]);
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

fn status_text(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        410 => "Gone",
        413 => "Content Too Large",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Unnamed",
    }
}
