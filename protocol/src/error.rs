//! Error codes of both lanes and the envelope that tells a client.
//!
//! Never decides whether a connection closes: that is the engine's policy.

use std::borrow::Cow;
use std::fmt;

/// Why a message was refused; the names are wsPrism's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ErrorCode {
    /// The message is malformed: the detail names the field.
    BadRequest,
    /// The credential is missing, wrong or expired.
    AuthFailed,
    /// More messages or bytes than the rate limit admits.
    RateLimited,
    /// Larger than the limit for its kind.
    PayloadTooLarge,
    /// Well formed, but this session may not do it, or the value is outside its limits.
    NotAllowed,
    /// A bounded table or queue is full.
    ResourceExhausted,
    /// The protocol or layout version is not spoken here.
    UnsupportedVersion,
    /// The server's own fault.
    Internal,
    /// The user has as many sessions as allowed.
    TooManySessions,
    /// The client took too long.
    Timeout,
}

impl ErrorCode {
    /// Every code, in the order of `docs/wire.md`.
    pub const ALL: [ErrorCode; 10] = [
        Self::BadRequest,
        Self::AuthFailed,
        Self::RateLimited,
        Self::PayloadTooLarge,
        Self::NotAllowed,
        Self::ResourceExhausted,
        Self::UnsupportedVersion,
        Self::Internal,
        Self::TooManySessions,
        Self::Timeout,
    ];

    /// The code as it stands in an error envelope.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::AuthFailed => "AUTH_FAILED",
            Self::RateLimited => "RATE_LIMITED",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::NotAllowed => "NOT_ALLOWED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::UnsupportedVersion => "UNSUPPORTED_VERSION",
            Self::Internal => "INTERNAL",
            Self::TooManySessions => "TOO_MANY_SESSIONS",
            Self::Timeout => "TIMEOUT",
        }
    }

    /// Reads what [`ErrorCode::as_str`] wrote.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }
}

/// A refused message: a code for programs, a detail that names the field for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WireError {
    /// What kind of refusal it is.
    pub code: ErrorCode,
    /// The field and what is wrong with it; at most a line.
    pub detail: Cow<'static, str>,
}

impl WireError {
    /// A refusal with `code`; `detail` names the field.
    pub fn new(code: ErrorCode, detail: impl Into<Cow<'static, str>>) -> Self {
        let detail = detail.into();
        Self { code, detail }
    }

    pub(crate) fn bad(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::BadRequest, detail)
    }

    /// The envelope that tells the client; `seq` is that of the refused message.
    #[must_use]
    pub fn to_envelope(&self, seq: Option<u32>) -> String {
        error_envelope(self.code, &self.detail, seq)
    }
}

/// The text of an error envelope: `{"v":1,"svc":"sys","type":"error",…,"data":{"code":…,"msg":…}}`.
#[must_use]
pub fn error_envelope(code: ErrorCode, detail: &str, seq: Option<u32>) -> String {
    let seq = seq.map_or(String::new(), |seq| format!(r#""seq":{seq},"#));
    let msg = serde_json::Value::from(detail);
    let code = code.as_str();
    format!(r#"{{"v":1,"svc":"sys","type":"error",{seq}"data":{{"code":"{code}","msg":{msg}}}}}"#)
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl std::error::Error for WireError {}

#[cfg(test)]
mod tests;
