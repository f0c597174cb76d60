//! How a client introduces itself: the address, the subprotocols and the first message of a connection.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde_json::value::RawValue;
use worldshard_protocol::ExtEnvelope;

use crate::options::Options;
use crate::url::Url;

/// Where to connect.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// The server and what to ask it for.
    pub url: Url,
    /// Subprotocols to offer. They may be secrets.
    pub protocols: Vec<String>,
}

/// What to ask for, with a resume token or with what the options say of the client.
pub(super) fn target(options: &Options, resume: Option<&str>) -> Target {
    let mut url = options.url.clone();
    if let Some(version) = &options.version {
        url = url.with_query("v", version);
    }
    let mut protocols = Vec::new();
    let identity = &options.identity;
    if let Some(token) = resume {
        protocols.push(format!("worldshard.resume.{token}"));
    } else if !identity.says_nothing() && !identity.is_said_in_message() {
        url = url.with_query("env", options.environment.name());
        if let Some(user) = &identity.user {
            url = url.with_query("user", user);
        }
        if let Some(connect) = &identity.connect {
            url = url.with_query("connect", connect);
        }
        if let Some(credential) = &identity.credential {
            // The first is what the server takes, so that it does not say the other aloud.
            protocols.push("worldshard.1".to_owned());
            protocols.push(format!("worldshard.auth.{}", credential.text()));
        }
    }
    Target { url, protocols }
}

/// The first message, where there is something for it to say.
pub(super) fn proof(options: &Options) -> Option<String> {
    #[derive(Serialize)]
    struct Proof<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        token: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        connect: Option<&'a RawValue>,
        env: &'static str,
    }
    let identity = &options.identity;
    if !identity.is_said_in_message() {
        return None;
    }
    let connect = identity
        .connect
        .as_deref()
        .map(|json| serde_json::from_str(json).expect("options were checked"));
    let proof = Proof {
        token: identity.credential.as_ref().map(|one| one.text()),
        user: identity.user.as_deref(),
        connect,
        env: options.environment.name(),
    };
    let data = serde_json::value::to_raw_value(&proof).expect("a proof is plain JSON");
    let mut envelope = ExtEnvelope::new("sys", "auth");
    envelope.data = Some(Cow::Owned(data));
    Some(envelope.to_text())
}

/// Without the subprotocols: they may be secrets.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} subprotocols", self.url, self.protocols.len())
    }
}
