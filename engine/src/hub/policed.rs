//! What a message may cost its client: whether the rules of its tenant let it say this, and what it is told if not.
//!
//! Never measures: who drives the hub has the time, and asks a meter when the hub tells it to. Never opens a message.

use std::borrow::Cow;
use std::time::Duration;

use worldshard_protocol::app::SYS_SVC_NAME;
use worldshard_protocol::{ErrorCode, ExtEnvelope, SessionId, WireError};
use worldshard_transport::{MessageKind, close_code, data_frame};

use crate::app::Framing;
use crate::hub::Hub;
use crate::hub::application::Lane;
use crate::hub::desk::Desk;
use crate::policy::{HotErrors, Meter, Moment, Tenant, Verdict};

/// See [`Hub::debug_meter`].
#[doc(hidden)]
#[derive(Debug)]
pub struct DebugMeter(Option<Meter>);

/// Asks the meter of a connection what becomes of a message, once at most.
pub(crate) type Judge<'a> = &'a mut dyn FnMut() -> Verdict;

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Judged {
    /// It was heard, or it is not to be.
    Done,
    /// It is to be heard then, and nothing else before.
    Later(Moment),
}

impl Hub {
    /// From now on the rules of now hold. Whatever measures connections is to be made anew.
    pub(crate) fn take_rules(&mut self) {
        self.desk.rules = self.desk.commons.policies.rules();
    }

    /// What measures the connection of a session, and how many bytes a message of it may have.
    pub(crate) fn measure(
        &self,
        session: SessionId,
        before: Option<Meter>,
        now: Moment,
    ) -> (Option<Meter>, usize) {
        let desk = &self.desk;
        let user = desk.identity(session).and_then(|one| one.user.as_ref());
        let whose = (desk.tenant(session), user);
        let meter = desk.commons.policies.meter(&desk.rules, whose, before, now);
        let meter = match desk.commons.shard_count() {
            // Buckets are found for sessions, and all of them are here.
            1 => meter.map(Meter::on_the_only_thread),
            _ => meter,
        };
        let of_server = self.recipe.options.limits.message_bytes_max;
        (meter, desk.rules_of(session).message_bytes_max(of_server))
    }

    /// What measures the connection of a session that has none, so that a bench sees what it costs.
    #[doc(hidden)]
    #[must_use]
    pub fn debug_meter(&self, session: SessionId) -> DebugMeter {
        let (meter, _) = self.measure(session, None, Moment::default());
        DebugMeter(meter)
    }

    /// As [`message`](Self::message), of a connection that is measured, so long after the server began.
    #[doc(hidden)]
    pub fn debug_message(
        &mut self,
        session: SessionId,
        (kind, bytes): (MessageKind, &[u8]),
        meter: &mut DebugMeter,
        since_start: Duration,
    ) {
        let now = Moment::at(since_start);
        let framing = self.desk.framing_if_open(session);
        let is_hot = framing == Some(Framing::Lanes) && kind == MessageKind::Binary;
        let mut judge = || Meter::verdict(meter.0.as_mut(), now, bytes.len(), is_hot);
        self.judged_message(session, kind, bytes, &mut judge);
    }

    /// As [`message`](Self::message), but `judge` is asked first; not about what may not be said at all.
    pub(crate) fn judged_message(
        &mut self,
        session: SessionId,
        kind: MessageKind,
        bytes: &[u8],
        judge: Judge<'_>,
    ) -> Judged {
        let Some(framing) = self.desk.let_speak(session) else {
            return Judged::Done;
        };
        let judged = match (framing, kind) {
            (Framing::Lanes, MessageKind::Binary) => self.hot(session, bytes, judge),
            (Framing::Lanes, MessageKind::Text) => self.ext(session, bytes, judge),
            (Framing::Raw, _) => self.raw(session, kind, bytes, judge),
        };
        self.desk.speaker = None;
        if judged == Judged::Done {
            let is_text = kind == MessageKind::Text;
            self.desk.stats.hear(framing, is_text, bytes.len());
        }
        judged
    }

    /// A ping or a pong of a session was judged: says whether it is heard now, and tells the client what it has to know.
    pub(crate) fn judged_control(&mut self, session: SessionId, verdict: Verdict) -> Heard {
        let lane = match self.desk.framing_if_open(session) {
            None => return Heard::Never,
            Some(Framing::Raw) => None,
            Some(Framing::Lanes) => Some(Lane::Ext),
        };
        self.desk.obey(session, verdict, lane, None)
    }
}

/// Whether a message is heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    Now,
    Never,
    At(Moment),
}

impl Desk {
    /// The rules for a session.
    pub(crate) fn rules_of(&self, session: SessionId) -> &Tenant {
        self.rules.tenant(self.tenant(session))
    }

    /// A message of a session is taken from now on, if it is open: what it speaks. Whose it is, is not looked up again for it.
    fn let_speak(&mut self, session: SessionId) -> Option<Framing> {
        let entry = self.sessions.get(&session)?;
        if !entry.is_open() {
            return None;
        }
        if self.rules.named {
            self.speaker = Some((session, entry.tenant()));
        }
        Some(entry.framing)
    }

    /// Whether a session may speak on the hot lane only as a member of a room.
    pub(crate) fn needs_room(&self, session: SessionId) -> bool {
        // Nobody's rules are looked up where it is the same for all.
        self.rules.some_need_rooms && self.rules_of(session).policy.hot_requires_active_room
    }

    /// Does what a verdict asks for. On raw paths, which are no lane, nothing is said: a text there is the application's.
    pub(crate) fn obey(
        &mut self,
        session: SessionId,
        verdict: Verdict,
        lane: Option<Lane>,
        seq: Option<u32>,
    ) -> Heard {
        let code = ErrorCode::RateLimited;
        match verdict {
            Verdict::Pass => Heard::Now,
            Verdict::Wait { until, begins } => {
                self.stats.throttled += 1;
                if begins && let Some(lane) = lane {
                    self.tell_throttled(session, lane, seq);
                }
                Heard::At(until)
            }
            Verdict::Drop { begins } => {
                self.stats.rate_limited += 1;
                if begins && let Some(lane) = lane {
                    self.refuse_on(session, lane, code, TOO_FAST, seq);
                }
                Heard::Never
            }
            Verdict::TooLarge { burst } => {
                self.stats.rate_limited += 1;
                if let Some(lane) = lane {
                    let detail =
                        format!("message: more than the {burst} bytes that may come at once");
                    self.refuse_on(session, lane, ErrorCode::PayloadTooLarge, &detail, seq);
                }
                Heard::Never
            }
            Verdict::Close => {
                self.stats.rate_limited += 1;
                if let Some(lane) = lane {
                    self.refuse_on(session, lane, code, TOO_FAST, seq);
                }
                let reason = Cow::Owned(format!("{code}: {TOO_FAST}"));
                self.close(session, close_code::POLICY, reason);
                Heard::Never
            }
        }
    }

    /// Tells a client why its message was refused, unless it spoke on the hot lane and its tenant wants nothing said there.
    pub(crate) fn refuse_on(
        &mut self,
        session: SessionId,
        lane: Lane,
        code: ErrorCode,
        detail: &str,
        seq: Option<u32>,
    ) {
        if self.is_silent_on(session, lane) {
            self.stats.refused += 1;
            self.stats.refused_silently += 1;
            return;
        }
        self.refuse(session, code, detail, seq);
    }

    fn is_silent_on(&self, session: SessionId, lane: Lane) -> bool {
        let errors = || self.rules_of(session).policy.hot_errors;
        lane == Lane::Hot && errors() == HotErrors::Silent
    }

    fn tell_throttled(&mut self, session: SessionId, lane: Lane, seq: Option<u32>) {
        if self.is_silent_on(session, lane) {
            return;
        }
        let mut envelope = ExtEnvelope::new(SYS_SVC_NAME, "throttled");
        envelope.seq = seq;
        let frame = data_frame(MessageKind::Text, envelope.to_text().as_bytes());
        self.push_reliable(session, frame);
    }

    /// Refuses what the allowlist of the session's tenant does not name, before anything is taken for it.
    pub(crate) fn may_say_ext(
        &mut self,
        session: SessionId,
        envelope: &ExtEnvelope<'_>,
    ) -> Result<(), WireError> {
        let (svc, kind) = (&*envelope.svc, &*envelope.kind);
        if self.rules_of(session).allows_ext(svc, kind) {
            return Ok(());
        }
        self.stats.not_allowed += 1;
        Err(not_allowed(format!(
            "svc: {svc:?} may not be told {kind:?} here"
        )))
    }

    /// The same for the hot lane.
    pub(crate) fn may_say_hot(
        &mut self,
        session: SessionId,
        svc: u8,
        opcode: u8,
    ) -> Result<(), WireError> {
        if self.rules_of(session).allows_hot(svc, opcode) {
            return Ok(());
        }
        self.stats.not_allowed += 1;
        Err(not_allowed(format!(
            "svc_id: {svc} may not be told opcode {opcode} here"
        )))
    }

    /// What is said to the echo or to the application on the hot lane may need a room.
    pub(crate) fn may_say_outside_rooms(&self, session: SessionId) -> Result<(), WireError> {
        match self.needs_room(session) && self.memberships.rooms(session).next().is_none() {
            true => Err(not_allowed(
                "room: none is joined, and this is for members".to_owned(),
            )),
            false => Ok(()),
        }
    }
}

fn not_allowed(detail: String) -> WireError {
    WireError::new(ErrorCode::NotAllowed, detail)
}

/// What a client is told whose message is one too many.
const TOO_FAST: &str = "more messages or bytes than allowed";
