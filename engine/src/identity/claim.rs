//! What a client shows and says of itself: where it stands in a request, or in the first message.
//!
//! Believes nothing of it: that is `auth`. Never shows a credential.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use worldshard_protocol::{ExtEnvelope, JsonText, UserId};
use worldshard_transport::{Refusal, RequestHead};

use super::CONNECT_BYTES_MAX;
use super::auth::{Environment, Unproven};
use crate::policy::TenantIndex;

/// What a client shows and says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Claim {
    pub(crate) tenant: ClaimedTenant,
    pub(crate) credential: Option<Credential>,
    pub(crate) user: Option<UserId>,
    pub(crate) environment: Option<Environment>,
    pub(crate) connect: Option<JsonText>,
}

/// Whose client it says it is: which of those who share the server, and its id.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct ClaimedTenant {
    pub(crate) index: TenantIndex,
    pub(crate) id: Arc<str>,
}

/// A secret or a token, and where it stood.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credential {
    text: Box<str>,
    place: Place,
}

/// Where a credential can stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// `Authorization: Bearer`.
    Header,
    /// A subprotocol.
    Protocol,
    /// The query, as `token`.
    Query,
    /// The query, as `ticket`.
    Ticket,
    /// The first message.
    Message,
}

/// The data of the first message.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct AuthData<'a> {
    token: Option<String>,
    user: Option<String>,
    #[serde(borrow, default)]
    connect: Option<&'a RawValue>,
    env: Option<String>,
}

impl Claim {
    /// What a request says.
    ///
    /// # Errors
    /// 400 for more than one credential, and for a value that cannot be.
    pub(crate) fn of(head: &RequestHead) -> Result<Self, Refusal> {
        let in_header = head.headers("authorization").filter_map(bearer);
        let in_protocol = head
            .offered_protocols()
            .filter_map(|one| one.strip_prefix(PROTOCOL_PREFIX));
        let in_query = head.query_values("token");
        let tickets = head.query_values("ticket");
        let mut shown = in_header
            .map(|text| Credential::new(text, Place::Header))
            .chain(in_protocol.map(|text| Credential::new(text, Place::Protocol)))
            .chain(in_query.map(|text| Credential::new(&text, Place::Query)))
            .chain(tickets.map(|text| Credential::new(&text, Place::Ticket)));
        let credential = shown.next();
        if shown.next().is_some() {
            return Err(Refusal::new(400, "more than one credential"));
        }
        let user = head.query_value("user");
        let user = user.map(|name| UserId::new(&name)).transpose();
        let connect = head.query_value("connect");
        let connect = connect.map(|text| JsonText::parse(&text, CONNECT_BYTES_MAX));
        Ok(Self {
            tenant: ClaimedTenant::default(),
            credential,
            user: user.map_err(|why| refusal("user", &why))?,
            environment: environment(head)?,
            connect: said(
                connect
                    .transpose()
                    .map_err(|why| refusal("connect", &why))?,
            ),
        })
    }

    /// The same of a client of this tenant.
    pub(crate) fn in_tenant(self, index: TenantIndex, id: &Arc<str>) -> Self {
        let id = Arc::clone(id);
        let tenant = ClaimedTenant { index, id };
        Self { tenant, ..self }
    }

    /// The same with what the first message says, which counts for more.
    pub(crate) fn then_said(self, text: &str) -> Result<Self, Unproven> {
        let wrong = |why| move |()| Unproven::FirstMessage(why);
        let envelope = ExtEnvelope::parse(text).map_err(drop);
        let envelope = envelope.map_err(wrong("it is no envelope"))?;
        if envelope.svc != "sys" || envelope.kind != "auth" {
            return Err(Unproven::FirstMessage("it is another one"));
        }
        // Not by the envelope's own means: what it says of mistakes may quote them.
        let data = envelope.data.as_ref().map_or("null", |data| data.get());
        let data: Option<AuthData<'_>> = serde_json::from_str(data)
            .map_err(drop)
            .map_err(wrong("its data is not as it should be"))?;
        let data = data.unwrap_or_default();
        let user = data.user.map(|name| UserId::new(&name)).transpose();
        let env = data.env.map(|name| name.parse::<Environment>());
        let connect = data
            .connect
            .map(|raw| JsonText::parse(raw.get(), CONNECT_BYTES_MAX));
        let connect = connect.transpose().map_err(drop);
        Ok(Self {
            tenant: self.tenant,
            credential: data
                .token
                .map(|text| Credential::new(&text, Place::Message)),
            user: user
                .map_err(drop)
                .map_err(wrong("its user is no user's name"))?
                .or(self.user),
            environment: env
                .transpose()
                .map_err(drop)
                .map_err(wrong("its env is neither native nor browser"))?
                .or(self.environment),
            connect: said(connect.map_err(wrong("its connect is too long or too deep"))?)
                .or(self.connect),
        })
    }

    /// Whether it is refused before the upgrade: a program reads the answer to that, a browser does not.
    pub(crate) fn is_in_header(&self) -> bool {
        let place = self.credential.as_ref().map(|one| one.place);
        place == Some(Place::Header)
    }
}

impl Credential {
    fn new(text: &str, place: Place) -> Self {
        Self {
            text: text.into(),
            place,
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is the ticket by which wsPrism's clients are let in while they are developed.
    pub(crate) fn is_dev_ticket(&self) -> bool {
        self.place == Place::Ticket && *self.text == *DEV_TICKET
    }
}

/// The subprotocol that the answer to an upgrade names: ours where it was offered, else the one that carries the token of
/// a resumption, else the one that carries a credential. A browser takes no answer that names none of those it offered.
pub(crate) fn answered_protocol<'a>(
    head: &'a RequestHead,
    resuming: Option<&'a str>,
) -> Option<&'a str> {
    let ours = || head.offered_protocols().find(|one| *one == PROTOCOL);
    let credential = || {
        head.offered_protocols()
            .find(|one| one.starts_with(PROTOCOL_PREFIX))
    };
    ours().or(resuming).or_else(credential)
}

/// The credential of an `Authorization` of this scheme.
fn bearer(line: &str) -> Option<&str> {
    let (scheme, credential) = line.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then_some(credential.trim_matches(' '))
}

/// What a client runs in: as we ask for it, or as bevy_simplenet's clients say it.
fn environment(head: &RequestHead) -> Result<Option<Environment>, Refusal> {
    if let Some(name) = head.query_value("env") {
        let named: Environment = name.parse().map_err(|why| refusal("env", &why))?;
        return Ok(Some(named));
    }
    Ok(match head.query_value("t").as_deref() {
        Some("0") => Some(Environment::Native),
        Some("1") => Some(Environment::Browser),
        Some(_) | None => None,
    })
}

/// Nothing was said.
fn said(connect: Option<JsonText>) -> Option<JsonText> {
    connect.filter(|text| text.as_str() != "null")
}

fn refusal(name: &str, why: &impl fmt::Display) -> Refusal {
    Refusal {
        status: 400,
        reason: format!("{name}: {why}").into(),
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({:?}, ..)", self.place)
    }
}

/// This ticket, and the user that it stands for where nobody is asked.
pub(crate) const DEV_TICKET: &str = "dev";

/// The subprotocol of this engine.
const PROTOCOL: &str = "worldshard.1";

/// The subprotocol that carries a credential begins so.
const PROTOCOL_PREFIX: &str = "worldshard.auth.";

#[cfg(test)]
mod tests;
