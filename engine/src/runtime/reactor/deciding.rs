//! Connections that wait for somebody to decide whether they are let in, who answers later and from any thread.
//!
//! Decides nothing, and waits for nobody: a verdict lies on a tray until the shard comes by. Nothing here is logged,
//! because credentials pass through.

use std::cell::Cell;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use socket2::SockRef;
use worldshard_protocol::ErrorCode;
use worldshard_transport::{Limits, Reader, Refusal, Role};

use super::connection::{Connection, Phase};
use super::proving::{Arriving, Proving};
use super::{Reactor, Slot};
use crate::identity::{
    Applicant, Ballot, Claim, Decider, Entry, EntryToken, Identity, Unproven, Verdict,
};
use crate::runtime::bell::Bell;
use crate::tray::Tray;

/// The verdicts that a shard waits for.
pub(super) struct Deciding {
    tray: Arc<Tray<Decided>>,
    /// Connections that wait.
    open: Rc<Cell<usize>>,
    last: u64,
    taken: Vec<Decided>,
}

/// Somebody was asked. Dropped with its connection or its wait, it wants no answer any more.
pub(super) struct Asked {
    id: u64,
    wanted: Arc<AtomicBool>,
    open: Rc<Cell<usize>>,
}

/// A verdict and whose it is.
struct Decided {
    slot: Slot,
    id: u64,
    verdict: Verdict,
}

/// What a token leaves its verdict by.
struct Way {
    slot: Slot,
    id: u64,
    wanted: Arc<AtomicBool>,
    tray: Arc<Tray<Decided>>,
}

impl Deciding {
    /// Of the shard that `bell` wakes.
    pub(super) fn new(bell: &Arc<Bell>) -> Self {
        let tray = Arc::new(Tray::new());
        let bell = Arc::clone(bell);
        tray.on_put(move || bell.ring());
        Self {
            tray,
            open: Rc::default(),
            last: 0,
            taken: Vec::new(),
        }
    }

    fn begin(&mut self, slot: Slot) -> (Asked, EntryToken) {
        self.last += 1;
        self.open.set(self.open.get() + 1);
        let wanted = Arc::new(AtomicBool::new(true));
        let asked = Asked {
            id: self.last,
            wanted: Arc::clone(&wanted),
            open: Rc::clone(&self.open),
        };
        let tray = Arc::clone(&self.tray);
        let id = self.last;
        let way = Way {
            slot,
            id,
            wanted,
            tray,
        };
        (asked, EntryToken::new(Box::new(way)))
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.wanted.store(false, Ordering::Relaxed);
        self.open.set(self.open.get() - 1);
    }
}

impl Ballot for Way {
    fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    fn leave(self: Box<Self>, verdict: Verdict) {
        let Self { slot, id, tray, .. } = *self;
        tray.put(Decided { slot, id, verdict });
    }
}

impl Proving {
    /// So much of what the client says is read before it is let in, so that its end is noticed.
    pub(super) fn held_bytes_max(&self) -> usize {
        match self.asked {
            Some(_) => HELD_BYTES_MAX,
            None => 0,
        }
    }
}

impl Reactor {
    /// Asks whoever decides. An upgrade that shows a credential in `Authorization` is answered when that is decided, any
    /// other at once.
    pub(super) fn ask(
        &mut self,
        slot: Slot,
        decider: &Decider,
        mut claim: Claim,
        mut arriving: Arriving,
        now: Instant,
    ) {
        if !claim.is_in_header() {
            self.answer_upgrade(slot, &mut arriving);
        }
        let limits = &self.process.recipe.options().limits;
        let until = now + limits.auth_deadline;
        if self.deciding.open.get() >= limits.decisions_max {
            return self.refuse_late(slot, &arriving, ErrorCode::ResourceExhausted, FULL, now);
        }
        let (asked, token) = self.deciding.begin(slot);
        let Some(connection) = self.slots.find_mut(slot) else {
            return;
        };
        let applicant = Applicant {
            credential: claim.credential.take(),
            user: claim.user.clone(),
            tenant: arriving.tenant.clone(),
            environment: claim.environment,
            connect: claim.connect.clone(),
            path: arriving.path.clone(),
            address: address_of(connection),
            trace: arriving.trace,
            token,
        };
        connection.phase = Phase::Proving(Box::new(Proving {
            // Reads nothing: what is said meanwhile is held.
            reader: Reader::new(Role::Server, Limits::default()),
            until,
            arriving,
            claim,
            asked: Some(asked),
        }));
        self.set_alarm(slot);
        if catch_unwind(AssertUnwindSafe(|| decider.ask(applicant))).is_err() {
            tracing::error!(
                shard = self.own.0,
                "whoever decides who is let in panicked; the client is not"
            );
        }
    }

    /// Keeps what a client says before it is let in.
    pub(super) fn hold(&mut self, slot: Slot, bytes: &[u8]) {
        if let Some(connection) = self.slots.find_mut(slot) {
            connection.held.extend_from_slice(bytes);
        }
    }

    /// Lets in or turns away whom it was decided on.
    pub(super) fn hear_decisions(&mut self, now: Instant) {
        if !self.deciding.tray.waits() {
            return;
        }
        let mut taken = std::mem::take(&mut self.deciding.taken);
        self.deciding.tray.take(&mut taken);
        for decided in taken.drain(..) {
            self.decided(decided, now);
        }
        self.deciding.taken = taken;
    }

    fn decided(&mut self, decided: Decided, now: Instant) {
        let Decided { slot, id, verdict } = decided;
        let Some(connection) = self.slots.find_mut(slot) else {
            return;
        };
        let is_it = |proving: &Proving| proving.asked.as_ref().is_some_and(|one| one.id == id);
        if !matches!(&connection.phase, Phase::Proving(proving) if is_it(proving)) {
            return;
        }
        // Until it is told what became of it, which is now.
        let between = Phase::Closing {
            ended_output: false,
            until: now,
        };
        let Phase::Proving(proving) = std::mem::replace(&mut connection.phase, between) else {
            return;
        };
        let Proving {
            arriving, claim, ..
        } = *proving;
        let identity = match verdict {
            Verdict::Allow(entry) => self.identity(claim, entry),
            Verdict::Deny(why) => Err(Unproven::Denied(why)),
        };
        match identity {
            Ok(identity) => self.enter(slot, identity, arriving, now),
            Err(why) if arriving.is_answered() => {
                let lanes = arriving.speaks_lanes();
                self.turn_away(slot, lanes, ErrorCode::AuthFailed, &why.to_string(), now);
            }
            Err(why) => self.unauthorized(slot, &why, now),
        }
        // What was held is heard, and what waits in the kernel read.
        self.waiting.push_back(slot);
        self.changed.push(slot);
    }

    /// Who comes in, as whoever decides says.
    fn identity(&self, claim: Claim, entry: Entry) -> Result<Identity, Unproven> {
        let rules = self.process.policies.rules();
        let place = |id: &str| rules.tenants.iter().position(|one| &*one.id == id);
        let tenant = match &entry.tenant {
            None => 0,
            Some(id) => place(id)
                .and_then(|place| u16::try_from(place).ok())
                .ok_or_else(|| Unproven::Denied("its tenant is not known".to_owned()))?,
        };
        Ok(Identity {
            tenant,
            user: entry.user,
            environment: claim.environment,
            connect: entry.connect.or(claim.connect),
            expires: entry.expires,
        })
    }

    /// Nobody has decided in time.
    pub(super) fn waited_too_long(&mut self, slot: Slot, now: Instant) {
        let Some(connection) = self.slots.find_mut(slot) else {
            return;
        };
        let between = Phase::Closing {
            ended_output: false,
            until: now,
        };
        let Phase::Proving(proving) = std::mem::replace(&mut connection.phase, between) else {
            return;
        };
        let deadline = self.process.recipe.options().limits.auth_deadline;
        let detail = format!("no decision within {} s", deadline.as_secs_f64());
        self.refuse_late(slot, &proving.arriving, ErrorCode::Timeout, &detail, now);
    }

    /// Turns away who cannot be decided on: by the answer to its upgrade, unless it has that.
    fn refuse_late(
        &mut self,
        slot: Slot,
        arriving: &Arriving,
        code: ErrorCode,
        detail: &str,
        now: Instant,
    ) {
        if arriving.is_answered() {
            return self.turn_away(slot, arriving.speaks_lanes(), code, detail, now);
        }
        let refusal = Refusal {
            status: 503,
            reason: format!("{code}: {detail}").into(),
        };
        self.respond(slot, &refusal.response(), true, now);
    }
}

fn address_of(connection: &Connection) -> Option<IpAddr> {
    let address = SockRef::from(&connection.socket).peer_addr().ok()?;
    Some(address.as_socket()?.ip().to_canonical())
}

/// Bytes of a client that are kept until it is let in; beyond, it is not read before.
const HELD_BYTES_MAX: usize = 16 * 1024;

const FULL: &str = "too many wait to be let in";
