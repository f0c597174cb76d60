//! What is posted: the JSON of each event. Never decides which is.

use std::fmt::Write as _;

use data_encoding::BASE64;
use serde::Serialize;
use worldshard::identity::Applicant;
use worldshard::prelude::*;

/// One thing that happened to a session.
pub(crate) struct Happened {
    pub(crate) session: SessionId,
    /// Counts what is posted of its session, from 0 on.
    pub(crate) number: u64,
    pub(crate) who: Who,
    pub(crate) what: What,
}

/// Whose a session is, and where it is.
#[derive(Clone)]
pub(crate) struct Who {
    pub(crate) tenant: String,
    pub(crate) user: Option<String>,
    pub(crate) path: String,
}

/// What happened.
pub(crate) enum What {
    Connect {
        environment: Option<Environment>,
        /// JSON.
        connect: Option<String>,
    },
    Message(Said),
    /// Said to the service that the hook is.
    Service {
        service: String,
        kind: String,
        room: Option<String>,
        seq: Option<u32>,
        /// JSON.
        data: String,
    },
    Disconnect {
        code: u16,
        reason: String,
    },
}

/// The content of a message.
pub(crate) enum Said {
    Text(String),
    /// JSON.
    Data(String),
    Binary(Vec<u8>),
}

impl What {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::Message(_) => "message",
            Self::Service { .. } => "service",
            Self::Disconnect { .. } => "disconnect",
        }
    }

    /// About as many bytes as it takes.
    pub(crate) fn bytes(&self) -> usize {
        BYTES_EACH
            + match self {
                Self::Connect { connect, .. } => connect.as_ref().map_or(0, String::len),
                Self::Message(Said::Text(text) | Said::Data(text)) => text.len(),
                Self::Message(Said::Binary(bytes)) => bytes.len(),
                Self::Service { data, .. } => data.len(),
                Self::Disconnect { reason, .. } => reason.len(),
            }
    }
}

impl Said {
    pub(crate) fn of(payload: &Payload) -> Self {
        match payload {
            Payload::Text(text) if text.is_json() => Self::Data(text.as_str().to_owned()),
            Payload::Text(text) => Self::Text(text.as_str().to_owned()),
            Payload::Binary(bytes) => Self::Binary(bytes.to_vec()),
        }
    }
}

impl Happened {
    /// The body that says so.
    pub(crate) fn body(&self, id: &str) -> Vec<u8> {
        let mut body = Body::new(self.what.name(), id);
        body.field("session", &self.session.value());
        body.field("number", &self.number);
        body.field("tenant", &self.who.tenant);
        body.field("user", &self.who.user);
        body.field("path", &self.who.path);
        match &self.what {
            What::Connect {
                environment,
                connect,
            } => {
                body.field("environment", environment);
                body.json("connect", connect.as_deref());
            }
            What::Message(Said::Text(text)) => body.field("text", text),
            What::Message(Said::Data(data)) => body.json("data", Some(data)),
            What::Message(Said::Binary(bytes)) => body.field("base64", &BASE64.encode(bytes)),
            What::Service {
                service,
                kind,
                room,
                seq,
                data,
            } => {
                body.field("service", service);
                body.field("type", kind);
                body.field("room", room);
                body.field("seq", seq);
                body.json("data", Some(data));
            }
            What::Disconnect { code, reason } => {
                body.field("code", code);
                body.field("reason", reason);
            }
        }
        body.end()
    }
}

/// The body that asks whether somebody is let in. It holds the credential.
pub(crate) fn asks(applicant: &Applicant, id: &str) -> Vec<u8> {
    let mut body = Body::new("auth", id);
    body.field("credential", &applicant.credential());
    body.field("user", &applicant.user.as_ref().map(UserId::as_str));
    body.field("tenant", &applicant.tenant);
    body.field("path", &applicant.path);
    body.field("address", &applicant.address);
    body.field("environment", &applicant.environment);
    body.json(
        "connect",
        applicant.connect.as_ref().map(|one| one.as_str()),
    );
    if applicant.begins_room {
        body.field("begins_room", &true);
    }
    body.end()
}

/// An object of JSON in the making. What clients said in JSON stands in it as they said it.
struct Body(String);

impl Body {
    fn new(event: &str, id: &str) -> Self {
        let mut body = Self(format!("{{\"v\":{VERSION}"));
        body.field("event", &event);
        body.field("id", &id);
        body
    }

    fn field(&mut self, name: &str, value: &impl Serialize) {
        let value = serde_json::to_string(value).expect("what happened is plain JSON");
        self.json(name, Some(&value));
    }

    fn json(&mut self, name: &str, value: Option<&str>) {
        let value = value.unwrap_or("null");
        write!(self.0, ",\"{name}\":{value}").expect("a string takes all");
    }

    fn end(mut self) -> Vec<u8> {
        self.0.push('}');
        self.0.into_bytes()
    }
}

/// Of what is posted.
const VERSION: u8 = 1;

/// What an event takes beside what it says.
const BYTES_EACH: usize = 256;
