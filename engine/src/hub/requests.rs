//! The requests of a home's sessions that have no answer yet, and what becomes of each: one answer, or none when its
//! connection is gone.
//!
//! Never knows what a request asks for: that is for systems. What systems answer, on whatever thread, lies on a tray until
//! the home takes it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;
use worldshard_protocol::app::{
    APP_SVC_NAME, KIND_ACK, KIND_REJECT, KIND_RESPONSE, OPCODE_APP_ACK, OPCODE_APP_REJECT,
    OPCODE_APP_RESPONSE, write_reject,
};
use worldshard_protocol::{APP_SVC, ErrorCode, ExtEnvelope, SessionId, Tick, WireError};
use worldshard_transport::{MessageKind, data_frame};

use crate::app::AppRecipe;
use crate::hub::application::Lane;
use crate::hub::blocks::Blocks;
use crate::hub::desk::Desk;
use crate::hub::fanout::{data_of, hot_frame};
use crate::message::Payload;
use crate::request::{Answer, Heard, Outcome, Request, RequestToken, Requests, Wanted};
use crate::tray::Tray;

/// A home's requests that wait for an answer.
pub(crate) struct OpenRequests {
    tray: Arc<Tray<Answer>>,
    /// Those that no system has taken.
    heard: Heard,
    /// In the order in which they were asked, and so in that of their deadlines.
    open: BTreeMap<u64, Open>,
    /// By session and the client's number.
    ids: BTreeMap<(SessionId, u32), u64>,
    last_id: u64,
    /// Ticks that a request waits.
    ticks_max: u64,
    /// Of one session; one more is rejected.
    open_max: usize,
    /// Requests that this turn began with.
    heard_at_first: usize,
    /// A system panicked in this turn.
    interrupted: bool,
    /// Kept for its memory.
    answers: Vec<Answer>,
}

/// A request that wants an answer.
struct Open {
    session: SessionId,
    seq: u32,
    lane: Lane,
    due: Tick,
    wanted: Wanted,
}

impl OpenRequests {
    pub(crate) fn new(recipe: &AppRecipe) -> Self {
        let limits = &recipe.options.limits;
        let interval = recipe.world.config.tick_interval;
        let ticks = limits
            .request_max
            .as_nanos()
            .div_ceil(interval.as_nanos().max(1));
        Self {
            tray: Arc::new(Tray::new()),
            heard: Heard::default(),
            open: BTreeMap::new(),
            ids: BTreeMap::new(),
            last_id: 0,
            ticks_max: u64::try_from(ticks).unwrap_or(u64::MAX).max(1),
            open_max: limits.requests_open_max,
            heard_at_first: 0,
            interrupted: false,
            answers: Vec::new(),
        }
    }

    /// Calls `ring` for each answer, on the thread that gives it.
    pub(crate) fn on_answer(&self, ring: impl Fn() + Send + Sync + 'static) {
        self.tray.on_put(ring);
    }

    /// Whether an answer waits to be said.
    pub(crate) fn are_answered(&self) -> bool {
        self.tray.waits()
    }

    /// Whether a request waits for systems.
    pub(crate) fn are_heard(&self) -> bool {
        !self.heard.borrow().is_empty()
    }

    /// Those that systems have not taken.
    pub(crate) fn hand_out(&self) -> Requests {
        Requests::new(Heard::clone(&self.heard))
    }

    pub(crate) fn begin_turn(&mut self) {
        self.heard_at_first = self.heard.borrow().len();
        self.interrupted = false;
    }

    /// A system panicked: what it had not asked for is not its fault.
    pub(crate) fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// Rejects what no system took in its turn. What a panic left comes once more, unless it left all.
    pub(crate) fn end_turn(&mut self) {
        let left = self.heard.borrow().len();
        if left > 0 && !(self.interrupted && left < self.heard_at_first) {
            // Their tokens say so.
            self.heard.borrow_mut().clear();
        }
    }

    /// Forgets the requests of a session whose connection is gone: nobody waits for their answers.
    pub(crate) fn forget(&mut self, session: SessionId) {
        while let Some((_, &id)) = self.ids.range((session, 0)..=(session, u32::MAX)).next() {
            self.close(id);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    fn of_session(&self, session: SessionId) -> usize {
        self.ids.range((session, 0)..=(session, u32::MAX)).count()
    }

    fn begin(&mut self, session: SessionId, seq: u32, lane: Lane, now: Tick) -> RequestToken {
        self.last_id += 1;
        let (id, wanted) = (self.last_id, Wanted::new());
        let due = Tick(now.0.saturating_add(self.ticks_max));
        let open = Open {
            session,
            seq,
            lane,
            due,
            wanted: wanted.clone(),
        };
        self.open.insert(id, open);
        let known = self.ids.insert((session, seq), id);
        assert!(known.is_none(), "request {seq} of {session} begun twice");
        RequestToken::new(id, Arc::clone(&self.tray), wanted)
    }

    /// From now on it has its answer, or will never have one.
    fn close(&mut self, id: u64) -> Option<Open> {
        let open = self.open.remove(&id)?;
        open.wanted.end();
        let known = self.ids.remove(&(open.session, open.seq));
        assert_eq!(known, Some(id), "a request that is open has its number");
        Some(open)
    }
}

impl Desk {
    /// Takes a request of a client, for systems to see.
    pub(crate) fn ask(
        &mut self,
        session: SessionId,
        lane: Lane,
        seq: Option<u32>,
        payload: impl FnOnce(&mut Blocks) -> Payload,
    ) -> Result<(), WireError> {
        let bad = |detail| Err(WireError::new(ErrorCode::BadRequest, detail));
        let Some(seq) = seq else {
            return bad(Cow::Borrowed("seq: missing in a request"));
        };
        if self.requests.ids.contains_key(&(session, seq)) {
            return bad(Cow::Owned(format!(
                "seq: the request {seq} has no answer yet"
            )));
        }
        let open_max = self.requests.open_max;
        if self.requests.of_session(session) >= open_max {
            self.stats.refuse(ErrorCode::ResourceExhausted);
            let msg = Cow::Owned(format!("{open_max} requests wait already"));
            let full = Outcome::Reject(ErrorCode::ResourceExhausted, msg);
            self.say_outcome(session, lane, seq, full);
            return Ok(());
        }
        self.stats.requests += 1;
        let token = self.requests.begin(session, seq, lane, self.tick);
        let request = Request {
            session,
            payload: payload(&mut self.blocks),
            token,
        };
        self.requests.heard.borrow_mut().push_back(request);
        Ok(())
    }

    /// Rejects a request that a screen dropped, unless its number is that of another one, which has its own answer.
    pub(crate) fn turn_away(&mut self, session: SessionId, lane: Lane, seq: Option<u32>) {
        let is_known = |seq: &u32| self.requests.ids.contains_key(&(session, *seq));
        if let Some(seq) = seq.filter(|seq| !is_known(seq)) {
            let msg = Cow::Borrowed("the application does not take it");
            self.say_outcome(
                session,
                lane,
                seq,
                Outcome::Reject(ErrorCode::NotAllowed, msg),
            );
        }
    }

    /// Says what was answered since the last time, in that order. What is sent after it follows it.
    pub(crate) fn take_answers(&mut self) {
        if !self.requests.are_answered() {
            return;
        }
        if self.commons.shard_count() > 1 {
            // Whoever answered may stand on a shard that is a tick ahead.
            self.may_tell_of(self.tick.next());
        }
        let mut answers = std::mem::take(&mut self.requests.answers);
        self.requests.tray.take(&mut answers);
        for Answer { id, outcome } in answers.drain(..) {
            match self.requests.close(id) {
                // Its time was over, or its connection.
                None => self.stats.answers_late += 1,
                Some(open) => {
                    if matches!(outcome, Outcome::Nobody) {
                        self.stats.requests_unanswered += 1;
                    }
                    self.say_outcome(open.session, open.lane, open.seq, outcome);
                }
            }
        }
        self.requests.answers = answers;
    }

    /// Rejects the requests that have waited too long.
    pub(crate) fn expire_requests(&mut self) {
        while let Some((&id, first)) = self.requests.open.first_key_value()
            && first.due <= self.tick
        {
            let Some(open) = self.requests.close(id) else {
                return;
            };
            self.stats.requests_expired += 1;
            let late = Outcome::Reject(ErrorCode::Timeout, Cow::Borrowed("no answer in time"));
            self.say_outcome(open.session, open.lane, open.seq, late);
        }
    }

    fn say_outcome(&mut self, session: SessionId, lane: Lane, seq: u32, outcome: Outcome) {
        let frame = match lane {
            Lane::Ext => ext_outcome(seq, &outcome),
            Lane::Hot => hot_outcome(seq, &outcome),
        };
        self.push_reliable(session, frame);
    }
}

fn ext_outcome(seq: u32, outcome: &Outcome) -> Bytes {
    match outcome {
        Outcome::Response(Payload::Text(text)) => {
            ext_frame(KIND_RESPONSE, seq, Some(data_of(text)))
        }
        Outcome::Response(Payload::Binary(_)) => {
            ext_reject(seq, ErrorCode::Internal, "the answer is not text")
        }
        Outcome::Ack => ext_frame(KIND_ACK, seq, None),
        Outcome::Reject(code, msg) => ext_reject(seq, *code, msg),
        Outcome::Nobody => ext_reject(seq, ErrorCode::Internal, NOBODY),
    }
}

fn hot_outcome(seq: u32, outcome: &Outcome) -> Bytes {
    let reject = |code, msg: &str| {
        let mut payload = Vec::new();
        write_reject(code, msg, &mut payload);
        hot_frame(APP_SVC, OPCODE_APP_REJECT, Some(seq), &payload)
    };
    match outcome {
        Outcome::Response(payload) => {
            hot_frame(APP_SVC, OPCODE_APP_RESPONSE, Some(seq), payload.bytes())
        }
        Outcome::Ack => hot_ack(seq),
        Outcome::Reject(code, msg) => reject(*code, msg),
        Outcome::Nobody => reject(ErrorCode::Internal, NOBODY),
    }
}

fn ext_reject(seq: u32, code: ErrorCode, msg: &str) -> Bytes {
    let msg = serde_json::Value::from(msg);
    let data = format!(r#"{{"code":"{code}","msg":{msg}}}"#);
    let data = RawValue::from_string(data).expect("a code needs no escapes");
    ext_frame(KIND_REJECT, seq, Some(Cow::Owned(data)))
}

/// The word that a message, or a request, with this number has been taken.
pub(crate) fn ext_ack(seq: u32) -> Bytes {
    ext_frame(KIND_ACK, seq, None)
}

/// The same in the hot lane.
pub(crate) fn hot_ack(seq: u32) -> Bytes {
    hot_frame(APP_SVC, OPCODE_APP_ACK, Some(seq), &[])
}

fn ext_frame(kind: &str, seq: u32, data: Option<Cow<'_, RawValue>>) -> Bytes {
    let mut envelope = ExtEnvelope::new(APP_SVC_NAME, kind);
    envelope.seq = Some(seq);
    envelope.data = data;
    data_frame(MessageKind::Text, envelope.to_text().as_bytes())
}

/// Why a request is rejected that no system took, or whose token was dropped.
const NOBODY: &str = "nobody answered";

#[cfg(test)]
mod tests;
