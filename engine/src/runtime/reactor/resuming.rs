//! How a connection goes on with a session: where its request carries the token, and what becomes of the connection before.
//!
//! Never judges a token: that is the hub's. Nothing here is logged, because a token is a secret.

use std::time::Instant;

use worldshard_transport::{RequestHead, close_frame};

use super::proving::Arriving;
use super::{Reactor, Slot};
use crate::app::Framing;
use crate::hub::Hub;
use crate::identity::Claim;
use crate::message::CloseReason;

/// What a request carries to go on with a session.
pub(super) struct Offer {
    pub(super) token: String,
    /// The subprotocol that it is in, for the answer.
    pub(super) protocol: Option<String>,
}

impl Offer {
    /// The offer of a request for a path of this framing: a subprotocol, or else a value of the query.
    pub(super) fn of(head: &RequestHead, framing: Framing) -> Option<Self> {
        if framing != Framing::Lanes {
            return None;
        }
        let mut protocols = head.offered_protocols();
        let offered = protocols.find_map(|protocol| {
            let token = protocol.strip_prefix(PROTOCOL_PREFIX)?;
            Some(Self {
                token: token.to_owned(),
                protocol: Some(protocol.to_owned()),
            })
        });
        offered.or_else(|| {
            Some(Self {
                token: head.query_value(QUERY_KEY)?.into_owned(),
                protocol: None,
            })
        })
    }
}

impl Reactor {
    /// Lets a connection go on with the session of an offer, or tells why it cannot.
    pub(super) fn go_on(
        &mut self,
        slot: Slot,
        offer: &Offer,
        claim: Claim,
        mut arriving: Arriving,
        now: Instant,
    ) {
        let tenant = claim.tenant.index;
        let visitor = match self.visitor(claim, &arriving) {
            Ok(visitor) => visitor,
            Err(why) => return self.unauthorized(slot, tenant, &why, now),
        };
        let resume = |hub: &mut Hub| hub.resume_as(&offer.token, arriving.path(), &visitor);
        let session = match self.hub.call("resume", resume) {
            Some(Ok(session)) => session,
            Some(Err(refusal)) => return self.respond(slot, &refusal.response(), true, now),
            None => return self.finish(slot, CloseReason::Lost),
        };
        if let Some(before) = self.sessions.remove(&session) {
            // The session goes on: only its connection ends.
            self.end_with(before, close_frame(REPLACED, REPLACED_REASON), now);
        }
        self.answer_upgrade(slot, &mut arriving);
        let address = arriving.address();
        self.hub
            .call("address", |hub| hub.set_address(session, address));
        // Only who speaks lanes is resumed.
        self.seat(slot, session, Framing::Lanes, now);
    }
}

/// The subprotocol that carries a token begins so.
const PROTOCOL_PREFIX: &str = "worldshard.resume.";

/// The value of the query that carries one.
const QUERY_KEY: &str = "resume";

/// Closes the connection whose session goes on over another one.
const REPLACED: u16 = 4001;
const REPLACED_REASON: &str = "the session goes on over another connection";
