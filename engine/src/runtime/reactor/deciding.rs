//! Connections that wait for somebody to decide whether they are let in, or may begin a room, who answers later and from any
//! thread.
//!
//! Decides nothing, and waits for nobody: a verdict lies on a tray until the shard comes by. Nothing here is logged,
//! because credentials pass through.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use worldshard_protocol::ErrorCode;
use worldshard_transport::{Limits, Reader, Refusal, Role};

use super::connection::Phase;
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
        if !claim.is_in_header() && !arriving.begins_room {
            self.answer_upgrade(slot, &mut arriving);
        }
        let limits = &self.process.recipe.options().limits;
        let until = now + limits.auth_deadline;
        if self.deciding.open.get() >= limits.decisions_max {
            return self.refuse_late(slot, arriving, ErrorCode::ResourceExhausted, FULL, now);
        }
        let (asked, token) = self.deciding.begin(slot);
        let Some(connection) = self.slots.find_mut(slot) else {
            return;
        };
        let applicant = Applicant {
            credential: claim.credential.take(),
            user: claim.user.clone(),
            tenant: Some(claim.tenant.id.to_string()),
            environment: claim.environment,
            connect: claim.connect.clone(),
            path: arriving.path.clone(),
            address: arriving.address(),
            trace: arriving.trace,
            begins_room: arriving.begins_room,
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
        let Some(proving) = self.stop_proving(slot, now) else {
            return;
        };
        let Proving {
            arriving, claim, ..
        } = proving;
        let identity = match verdict {
            Verdict::Allow(entry) => as_whom(claim, entry),
            Verdict::Deny(why) => Err(Unproven::Denied(why)),
        };
        match identity {
            Ok(identity) if arriving.begins_room => {
                self.begin_room_for(slot, &identity, arriving.path(), now);
            }
            Ok(identity) => self.enter(slot, identity, arriving, now),
            Err(why) if arriving.is_answered() => {
                self.turn_away(slot, arriving, ErrorCode::AuthFailed, &why.to_string(), now);
            }
            Err(why) => self.unauthorized(slot, arriving.tenant, &why, now),
        }
        // What was held is heard, and what waits in the kernel read.
        self.wait_for_turn(slot);
        self.changed.push(slot);
    }

    /// Turns away who cannot be decided on: by the answer to its upgrade, unless it has that.
    pub(super) fn refuse_late(
        &mut self,
        slot: Slot,
        arriving: Arriving,
        code: ErrorCode,
        detail: &str,
        now: Instant,
    ) {
        if arriving.is_answered() {
            return self.turn_away(slot, arriving, code, detail, now);
        }
        let refusal = Refusal {
            status: 503,
            reason: format!("{code}: {detail}").into(),
        };
        self.respond(slot, &refusal.response(), true, now);
    }
}

/// Who comes in, as whoever decides says: for the tenant that its request names, and no other.
fn as_whom(claim: Claim, entry: Entry) -> Result<Identity, Unproven> {
    if entry.tenant.is_some_and(|id| id != *claim.tenant.id) {
        return Err(Unproven::OtherTenant);
    }
    Ok(Identity {
        tenant: claim.tenant.index,
        user: entry.user,
        environment: claim.environment,
        connect: entry.connect.or(claim.connect),
        expires: entry.expires,
    })
}

/// Bytes of a client that are kept until it is let in; beyond, it is not read before.
const HELD_BYTES_MAX: usize = 16 * 1024;

const FULL: &str = "too many wait to be let in";
