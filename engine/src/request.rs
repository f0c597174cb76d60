//! A client's request and the token by which it is answered: once, from whatever thread.
//!
//! Never decides whether an answer still reaches its client: its home keeps the books, in `hub::requests`.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use worldshard_protocol::{ErrorCode, SessionId};

use crate::message::Payload;
use crate::tray::Tray;

/// A request of a session on lanes. Its client hears of it exactly once: it is responded to, acknowledged or rejected.
///
/// One that is dropped is rejected with `INTERNAL`, so a system that panics over it rejects it too. One that needs longer
/// than a turn may be kept, or moved to another thread.
#[must_use = "a request that is dropped is rejected"]
#[derive(Debug)]
pub struct Request {
    /// Who asks.
    pub session: SessionId,
    /// What: of the ext lane the JSON text of `data`, of the hot lane bytes.
    pub payload: Payload,
    /// What answers it.
    pub token: RequestToken,
}

/// The right to answer one request, once. Dropped, it rejects the request with `INTERNAL`.
#[must_use = "a request whose token is dropped is rejected"]
pub struct RequestToken {
    id: u64,
    /// Where the answer is left; none once it was.
    tray: Option<Arc<Tray<Answer>>>,
    wanted: Wanted,
}

/// Whether an answer would reach anybody. The home says so, tokens look.
#[derive(Clone)]
pub(crate) struct Wanted(Arc<AtomicBool>);

/// What a token says to the home of its request.
pub(crate) struct Answer {
    pub(crate) id: u64,
    pub(crate) outcome: Outcome,
}

/// How a request ends.
pub(crate) enum Outcome {
    Response(Payload),
    Ack,
    Reject(ErrorCode, Cow<'static, str>),
    /// The token was dropped.
    Nobody,
}

/// The requests of a turn, in the order in which they were heard. Each is handed out once, whoever asks.
///
/// Those that a system has not asked for when it panics are left to the next turn.
#[derive(Debug)]
pub struct Requests {
    heard: Heard,
}

/// Requests that nobody has taken.
pub(crate) type Heard = Rc<RefCell<VecDeque<Request>>>;

impl Request {
    /// Answers with a payload.
    ///
    /// To a request of the ext lane with a text, which becomes the answer's `data`: a [`Text::json`](crate::Text::json)
    /// as it stands, another text as a JSON string. Bytes cannot stand there: such a request is rejected with `INTERNAL`.
    /// To one of the hot lane with any payload.
    pub fn respond(self, payload: impl Into<Payload>) {
        self.token.respond(payload);
    }

    /// Says that it was granted, and no more.
    pub fn ack(self) {
        self.token.ack();
    }

    /// Says that it was not granted: a code for programs, and why, in a line for people.
    pub fn reject(self, code: ErrorCode, msg: impl Into<Cow<'static, str>>) {
        self.token.reject(code, msg);
    }
}

impl RequestToken {
    pub(crate) fn new(id: u64, tray: Arc<Tray<Answer>>, wanted: Wanted) -> Self {
        let tray = Some(tray);
        Self { id, tray, wanted }
    }

    /// As [`Request::respond`].
    pub fn respond(mut self, payload: impl Into<Payload>) {
        self.answer(Outcome::Response(payload.into()));
    }

    /// As [`Request::ack`].
    pub fn ack(mut self) {
        self.answer(Outcome::Ack);
    }

    /// As [`Request::reject`].
    pub fn reject(mut self, code: ErrorCode, msg: impl Into<Cow<'static, str>>) {
        self.answer(Outcome::Reject(code, msg.into()));
    }

    /// Whether an answer would still reach anybody: not after the end of the session or of the connection that asked,
    /// nor after `request_max`. Work for nobody can be left undone.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted.is()
    }

    fn answer(&mut self, outcome: Outcome) {
        let id = self.id;
        if let Some(tray) = self.tray.take()
            // So what lies on the tray is of requests that are open: their number is bounded.
            && self.wanted.is()
        {
            tray.put(Answer { id, outcome });
        }
    }
}

impl Drop for RequestToken {
    fn drop(&mut self) {
        self.answer(Outcome::Nobody);
    }
}

impl fmt::Debug for RequestToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestToken")
            .field("id", &self.id)
            .field("is_wanted", &self.is_wanted())
            .finish_non_exhaustive()
    }
}

impl Wanted {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    pub(crate) fn end(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Requests {
    pub(crate) fn new(heard: Heard) -> Self {
        Self { heard }
    }
}

impl Iterator for Requests {
    type Item = Request;

    /// The next one that still wants an answer.
    fn next(&mut self) -> Option<Request> {
        loop {
            let request = self.heard.borrow_mut().pop_front()?;
            if request.token.is_wanted() {
                return Some(request);
            }
        }
    }
}
