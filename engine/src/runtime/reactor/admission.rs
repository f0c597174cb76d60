//! Who may not come at all, or not now: too many handshakes, bans, kicks. Asked before anything else is done for somebody.
//!
//! Keeps no count and no list: those are `policy`'s.

use std::net::IpAddr;
use std::time::Instant;

use bytes::Bytes;
use worldshard_protocol::ErrorCode;
use worldshard_transport::{Refusal, RequestHead, Response};

use super::connection::Phase;
use super::{Reactor, Slot};
use crate::hub::banned_text;
use crate::policy::Refused;
use crate::runtime::acceptor::TLS_REFUSAL;
use crate::runtime::{clock, socket};

impl Reactor {
    /// Where a request comes from: its peer, or whom a proxy that is believed names.
    pub(super) fn address(&self, slot: Slot, head: &RequestHead) -> Option<IpAddr> {
        let peer = self.peer(slot)?;
        Some(named_by(&self.process.recipe.options().proxies, peer, head))
    }

    fn peer(&self, slot: Slot) -> Option<IpAddr> {
        let connection = self.slots.find(slot)?;
        socket::peer(&connection.socket)
    }

    /// Whether an upgrade is looked at, by where it comes from and how fast.
    ///
    /// # Errors
    /// The answer to who is too fast, or banned.
    pub(super) fn let_through(
        &self,
        slot: Slot,
        head: &RequestHead,
        now: Instant,
    ) -> Result<(), Response> {
        let Some(address) = self.address(slot, head) else {
            return Ok(());
        };
        let policies = &self.process.policies;
        if let Err(fast) = policies.take_handshake(address, now) {
            policies.refused(
                head,
                match fast.is_address {
                    true => Refused::AddressRate,
                    false => Refused::GlobalRate,
                },
            );
            let mut response = Response::text(429, "too many handshakes");
            let wait = fast.seconds().to_string();
            response.headers.push(("Retry-After", wait));
            return Err(response);
        }
        self.check_address(slot, head)
            .map_err(|refusal| refusal.response())
    }

    /// Whether a request comes from where it may.
    ///
    /// # Errors
    /// 403 with the reason.
    pub(super) fn check_address(&self, slot: Slot, head: &RequestHead) -> Result<(), Refusal> {
        let policies = &self.process.policies;
        if policies.bans.edition() == 0 {
            return Ok(());
        }
        let address = self.address(slot, head);
        let banned = |address| policies.bans.of_address(address, clock::since_1970());
        let Some(reason) = address.and_then(banned) else {
            return Ok(());
        };
        policies.refused(head, Refused::Banned);
        Err(forbidden(&reason))
    }

    /// Does not begin TLS with an address that could not have a request answered afterwards. Of a proxy that is believed
    /// nobody knows yet for whom it connects.
    pub(super) fn refuse_fast_tls(&mut self, slot: Slot, now: Instant) {
        if self.process.certificates.is_none() {
            return;
        }
        let proxies = &self.process.recipe.options().proxies;
        let peer = self.peer(slot).filter(|peer| !proxies.contains(peer));
        let is_fast = |peer| self.process.policies.is_too_fast(peer, now);
        if peer.is_some_and(is_fast)
            && let Some(connection) = self.slots.find_mut(slot)
        {
            connection.tls = None;
            self.end_with(slot, Bytes::from_static(&TLS_REFUSAL), now);
        }
    }

    /// Closes whom a new ban is for: sessions, and those who have yet to prove who they are.
    pub(super) fn end_banned(&mut self, now: Instant) {
        let edition = self.process.policies.bans.edition();
        if std::mem::replace(&mut self.bans_seen, edition) == edition {
            return;
        }
        let today = clock::since_1970();
        self.unheard = true;
        self.hub.call("bans", |hub| hub.end_banned(today));
        for slot in self.slots.all() {
            let phase = self.slots.find(slot).map(|connection| &connection.phase);
            let Some(Phase::Proving(proving)) = phase else {
                continue;
            };
            let bans = &self.process.policies.bans;
            let address = proving.arriving.address();
            if let Some(reason) = address.and_then(|address| bans.of_address(address, today))
                && let Some(proving) = self.stop_proving(slot, now)
            {
                if proving.arriving.begins_room {
                    self.respond(slot, &forbidden(&reason).response(), true, now);
                    continue;
                }
                let (code, why) = (ErrorCode::NotAllowed, banned_text(&reason));
                self.turn_away(slot, proving.arriving, code, &why, now);
            }
        }
    }
}

/// The answer to somebody who is banned for this reason.
pub(super) fn forbidden(reason: &str) -> Refusal {
    Refusal {
        status: 403,
        reason: banned_text(reason).into(),
    }
}

/// Whom a peer connects for. One of these proxies says so in `X-Forwarded-For`, where each adds its own peer at the end:
/// the last one that is no proxy. What stands before that its client may have made up.
fn named_by(proxies: &[IpAddr], peer: IpAddr, head: &RequestHead) -> IpAddr {
    if !proxies.contains(&peer) {
        return peer;
    }
    let lines: Vec<&str> = head.headers("x-forwarded-for").collect();
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    let mut last = peer;
    for hop in hops {
        let Ok(address) = hop.trim().parse::<IpAddr>() else {
            return last;
        };
        last = address.to_canonical();
        if !proxies.contains(&last) {
            return last;
        }
    }
    last
}
