//! The driver's side of an agent: what it is to do, what it tells, and what follows from that.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use worldshard_protocol::{ErrorCode, ExtEnvelope};

use super::introduction::{Target, proof, target};
use super::outbox::REQUESTS_FROM;
use super::report::{Cause, Report, Why};
use super::{Agent, Phase, Then};
use crate::app::{AppData, AppKind};
use crate::close;
use crate::lanes::{Framing, Heard, LaneError};
use crate::message::{Message, Payload};
use crate::options::Environment;
use crate::signal::{RequestId, RequestStatus};

/// What a driver is to do, in order. What it cannot do because there is no such connection any more it leaves.
#[derive(PartialEq)]
pub enum Action {
    /// Drop the connection if there is one, and open another.
    Connect(Target),
    /// Send a message; [`Happened::Written`] counts them.
    Send(Message),
    /// Send a ping frame; [`Happened::Pong`] tells of the answer.
    Ping,
    /// Begin the closing handshake.
    Close {
        /// As in the close frame.
        code: u16,
        /// As in the close frame.
        reason: &'static str,
    },
    /// Drop the connection; tell nothing more of it.
    Abandon,
    /// Ask for another credential, and give the answer to [`Agent::renew`].
    Renew {
        /// Why the last one was refused.
        reason: String,
    },
}

/// What a driver tells of the present connection, in order.
#[derive(Debug)]
pub enum Happened {
    /// It is a WebSocket now.
    Opened,
    /// The server answered the upgrade by a status.
    Refused {
        /// Of HTTP.
        status: u16,
        /// After which another attempt is welcome, where the server says so.
        retry_after: Option<Duration>,
        /// The body, or the first line, for people.
        reason: String,
    },
    /// It cannot be opened. A browser does not say why.
    Failed(String),
    /// A message came.
    Heard(Message),
    /// The socket has so many messages of this connection, in all.
    Written(u64),
    /// The answer to a ping came.
    Pong,
    /// It is closed: by the server's close frame, by its answer to ours, or broken off with [`LOST`](crate::LOST).
    Closed {
        /// Of the close frame.
        code: u16,
        /// Of the close frame.
        reason: String,
    },
    /// The server broke the rules of WebSocket; the driver closed the connection.
    Broken(String),
}

impl Agent {
    /// The next thing to do.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Takes note of what happened.
    pub fn happened(&mut self, what: Happened, now: Duration) {
        match what {
            Happened::Opened => self.opened(now),
            Happened::Refused {
                status,
                retry_after,
                reason,
            } => self.refused(status, retry_after, reason, now),
            Happened::Failed(why) => self.attempt_failed(Why::Unreachable(why), now),
            Happened::Heard(message) => self.heard(message, now),
            Happened::Written(messages) => self.outbox.written(messages),
            Happened::Pong => self.ponged(now),
            Happened::Closed { code, reason } => self.closed(code, reason, now),
            Happened::Broken(why) => self.dropped(Why::Protocol(why), now),
        }
    }

    /// Nothing more is to be heard for now: acknowledges what was, and does what is due by this time.
    pub fn elapse(&mut self, now: Duration) {
        let patience = &self.options.patience;
        match self.phase {
            Phase::Waiting { until } if until <= now && !self.is_full() => self.attempt(now),
            Phase::Connecting { since, .. } | Phase::Opened { since }
                if now >= since.saturating_add(patience.connect) =>
            {
                self.attempt_failed(Why::TimedOut, now);
                self.actions.push_front(Action::Abandon);
            }
            Phase::Closing { until, .. } if until <= now => {
                self.end(Report::ClosedBySelf, Then::Die(Cause::ClosedBySelf));
                self.actions.push_front(Action::Abandon);
            }
            Phase::Live { .. } => self.elapse_live(now),
            Phase::Waiting { .. }
            | Phase::Connecting { .. }
            | Phase::Opened { .. }
            | Phase::Closing { .. }
            | Phase::Renewing
            | Phase::Dead => {}
        }
    }

    fn elapse_live(&mut self, now: Duration) {
        while let Some(request) = self.outbox.expire(now) {
            let report = Report::TimedOut { request };
            self.reports.push(report, self.connection);
        }
        let has_room = self.outbox.unsent_bytes() < self.options.limits.unsent_bytes_max;
        if has_room && let Some(ack) = self.lanes.acknowledge_new() {
            self.hand(Message::Binary(ack.into()));
        }
        match self.pinged_at {
            Some(_) if self.silent_at().is_some_and(|at| at <= now) => {
                self.dropped(Why::Silent, now);
                self.actions.push_front(Action::Abandon);
            }
            None if self.ping_at().is_some_and(|at| at <= now) => self.ping(now),
            Some(_) | None => {}
        }
    }

    /// When time must elapse at the latest.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        let patience = &self.options.patience;
        match self.phase {
            Phase::Waiting { until } | Phase::Closing { until, .. } => Some(until),
            Phase::Connecting { since, .. } | Phase::Opened { since } => {
                Some(since.saturating_add(patience.connect))
            }
            Phase::Live { .. } => [
                self.outbox.next_deadline(),
                self.silent_at().or_else(|| self.ping_at()),
            ]
            .into_iter()
            .flatten()
            .min(),
            Phase::Renewing | Phase::Dead => None,
        }
    }

    /// When the server has been silent for too long; none while no ping is out.
    fn silent_at(&self) -> Option<Duration> {
        let waited_from = self.pinged_at?.max(self.heard_at);
        Some(waited_from.saturating_add(self.options.patience.silence))
    }

    /// When to ping; none where there is no way to.
    fn ping_at(&self) -> Option<Duration> {
        let can_ping = self.options.environment == Environment::Native
            || self.options.framing == Framing::Lanes;
        let after = self.options.patience.ping_after;
        can_ping.then(|| self.heard_at.saturating_add(after))
    }

    fn ping(&mut self, now: Duration) {
        self.pinged_at = Some(now);
        match self.options.environment {
            Environment::Native => self.actions.push_back(Action::Ping),
            Environment::Browser => {
                self.hand(Message::Text(ExtEnvelope::new("sys", "ping").to_text()));
            }
        }
    }

    fn ponged(&mut self, now: Duration) {
        self.heard_at = now;
        if let Some(pinged_at) = self.pinged_at.take() {
            self.round_trip = Some(now.saturating_sub(pinged_at));
        }
    }

    fn attempt(&mut self, now: Duration) {
        self.connection += 1;
        let attempt = self.backoff.begin();
        let plain = std::mem::take(&mut self.plain_next);
        let token = self
            .lanes
            .resume_token()
            .filter(|_| self.options.resume && !plain);
        let target = target(&self.options, token);
        let resuming = token.is_some();
        self.phase = Phase::Connecting {
            since: now,
            resuming,
        };
        self.reports
            .push(Report::Connecting { attempt }, self.connection);
        self.actions.push_back(Action::Connect(target));
    }

    fn opened(&mut self, now: Duration) {
        let Phase::Connecting { since, resuming } = self.phase else {
            return;
        };
        self.heard_at = now;
        self.pinged_at = None;
        self.lanes.begin_again();
        self.reports.push(Report::Opened, self.connection);
        // Who resumes a session is its user already.
        let proof = if resuming { None } else { proof(&self.options) };
        if let Some(proof) = proof {
            self.hand(Message::Text(proof));
        }
        match self.options.framing {
            Framing::Lanes => self.phase = Phase::Opened { since },
            Framing::Raw => self.go_live(None, false, now),
        }
    }

    fn refused(
        &mut self,
        status: u16,
        retry_after: Option<Duration>,
        reason: String,
        now: Duration,
    ) {
        let Phase::Connecting { resuming, .. } = self.phase else {
            return;
        };
        let report = Report::Disconnected(Why::Refused {
            status,
            reason: reason.clone(),
        });
        match status {
            401 | 410 if resuming => {
                self.lanes.forget_resume_token();
                self.backoff.uncount();
                self.end(report, Then::Wait { until: now });
            }
            401 => self.credential_refused(report, reason),
            // Too early, too many, or the server's own trouble: that passes.
            408 | 425 | 429 | 500.. => {
                let wait = self.backoff.after_failure(retry_after);
                let until = now.saturating_add(wait);
                self.end(report, Then::Wait { until });
            }
            _ => self.end(report, Then::Die(Cause::Refused { status })),
        }
    }

    /// An attempt failed before there was a session.
    fn attempt_failed(&mut self, why: Why, now: Duration) {
        let resuming = match self.phase {
            Phase::Connecting { resuming, .. } => resuming,
            Phase::Opened { .. } => false,
            Phase::Waiting { .. }
            | Phase::Live { .. }
            | Phase::Closing { .. }
            | Phase::Renewing
            | Phase::Dead => return,
        };
        let report = Report::Disconnected(why);
        // A browser does not say whether the server refused the token or is not there: so it is asked without.
        if resuming && self.options.environment == Environment::Browser {
            self.plain_next = true;
            self.backoff.uncount();
            self.end(report, Then::Wait { until: now });
            return;
        }
        let wait = self.backoff.after_failure(None);
        let until = now.saturating_add(wait);
        self.end(report, Then::Wait { until });
    }

    /// The connection is no more, without a close of either side.
    fn dropped(&mut self, why: Why, now: Duration) {
        match self.phase {
            Phase::Connecting { .. } | Phase::Opened { .. } => self.attempt_failed(why, now),
            Phase::Live { since } => {
                self.lived(since, now);
                let then = if self.options.reconnect.on_drop {
                    let until = now.saturating_add(self.backoff.after_drop(now));
                    Then::Wait { until }
                } else {
                    Then::Die(Cause::Dropped)
                };
                self.end(Report::Disconnected(why), then);
            }
            Phase::Closing { .. } => {
                self.end(Report::ClosedBySelf, Then::Die(Cause::ClosedBySelf));
            }
            Phase::Waiting { .. } | Phase::Renewing | Phase::Dead => {}
        }
    }

    fn closed(&mut self, code: u16, reason: String, now: Duration) {
        if code == close::LOST {
            // A browser says so of an attempt that failed, too.
            return self.dropped(Why::Lost, now);
        }
        if code == close::POLICY && reason.starts_with(close::SILENCE) {
            // It was the way that failed: the session waits, as after any other drop.
            return self.dropped(Why::Silent, now);
        }
        match self.phase {
            Phase::Opened { .. } | Phase::Connecting { .. } => {}
            Phase::Live { since } => self.lived(since, now),
            Phase::Closing { .. } => {
                return self.end(Report::ClosedBySelf, Then::Die(Cause::ClosedBySelf));
            }
            Phase::Waiting { .. } | Phase::Renewing | Phase::Dead => return,
        }
        // A close ends the session at once: there is nothing to resume.
        self.lanes.forget_resume_token();
        let report = Report::ClosedByServer {
            code,
            reason: reason.clone(),
        };
        if code == close::POLICY && reason.starts_with("AUTH_FAILED") {
            self.credential_refused(report, reason);
        } else if self.options.reconnect.on_close {
            let wait = self.backoff.after_failure(None);
            let until = now.saturating_add(wait);
            self.end(report, Then::Wait { until });
        } else {
            self.end(report, Then::Die(Cause::ClosedByServer));
        }
    }

    /// A credential that was refused is never shown again, and one that replaced it only once.
    fn credential_refused(&mut self, report: Report, reason: String) {
        if self.renewed {
            self.end(report, Then::Die(Cause::CredentialRefused));
        } else {
            self.end(report, Then::Renew { reason });
        }
    }

    fn lived(&mut self, since: Duration, now: Duration) {
        let live = now.saturating_sub(since);
        self.backoff.lived_for(live);
        // On a raw path nothing says that the credential was taken, but that the connection stands.
        self.renewed &= live < self.options.reconnect.steady_after;
    }

    fn heard(&mut self, message: Message, now: Duration) {
        match self.phase {
            Phase::Opened { .. } | Phase::Live { .. } | Phase::Closing { lived: true, .. } => {}
            // A session that was closed before its greeting came is none of the user's.
            Phase::Closing { lived: false, .. }
            | Phase::Waiting { .. }
            | Phase::Connecting { .. }
            | Phase::Renewing
            | Phase::Dead => return,
        }
        self.heard_at = now;
        if self.is_full() {
            return self.break_off(Why::Overflow, now);
        }
        match self.hear(&message, now) {
            Ok(()) => {}
            Err(error) if self.is_unreadable(&error) => {
                let why = Why::Protocol(error.to_string());
                self.end(Report::Disconnected(why), Then::Die(Cause::Unreadable));
                self.leave();
            }
            Err(error) => self.break_off(Why::Protocol(error.to_string()), now),
        }
    }

    /// Whether another connection would fare no better: the server's very first word is of another version.
    fn is_unreadable(&self, error: &LaneError) -> bool {
        let LaneError::Wire(error) = error else {
            return false;
        };
        matches!(self.phase, Phase::Opened { .. }) && error.code == ErrorCode::UnsupportedVersion
    }

    /// This end cannot go on with the connection.
    fn break_off(&mut self, why: Why, now: Duration) {
        self.dropped(why, now);
        self.leave();
    }

    /// Closes without waiting for an answer.
    fn leave(&mut self) {
        self.actions.push_front(Action::Abandon);
        self.actions.push_front(Action::Close {
            code: close::PROTOCOL,
            reason: "cannot go on",
        });
    }

    fn hear(&mut self, message: &Message, now: Duration) -> Result<(), LaneError> {
        if self.options.framing == Framing::Raw {
            let payload = match message {
                Message::Text(text) => Payload::Text(text.clone()),
                Message::Binary(bytes) => Payload::Binary(bytes.clone()),
            };
            self.reports.push(Report::Message(payload), self.connection);
            return Ok(());
        }
        let session = self.lanes.session();
        let heard = match message {
            Message::Text(text) => self.lanes.hear_text(text)?,
            Message::Binary(bytes) => self.lanes.hear_binary(bytes)?,
        };
        let report = match heard {
            Heard::Greeting(greeting) if matches!(self.phase, Phase::Opened { .. }) => {
                let resumed = session == Some(greeting.session);
                self.go_live(Some(greeting), resumed, now);
                return Ok(());
            }
            // A session is greeted once.
            Heard::Greeting(_) => return Ok(()),
            Heard::Other => Report::Other(message.clone()),
            Heard::Delta(applied) => Report::Delta(applied),
            Heard::Overview(bytes) => Report::Overview(Bytes::copy_from_slice(bytes)),
            Heard::Refused(refused) => match refused.seq.filter(|seq| *seq >= REQUESTS_FROM) {
                Some(seq) if self.answer(seq, RequestStatus::Rejected) => Report::Reject {
                    request: RequestId(seq),
                    code: refused.code.as_str().to_owned(),
                    message: refused.message,
                },
                Some(_) | None => Report::Refused(refused),
            },
            Heard::Joined { entity, tick } => Report::Joined { entity, tick },
            Heard::Left => Report::Left,
            Heard::AvatarLost { entity } => Report::AvatarLost { entity },
            Heard::Kicked { reason } => Report::Kicked { reason },
            Heard::Gap { expected, got } => Report::Gap { expected, got },
            Heard::Pong => {
                self.ponged(now);
                return Ok(());
            }
            Heard::App { kind, seq, data } => match self.hear_app(kind, seq, data) {
                Some(report) => report,
                None => return Ok(()),
            },
        };
        self.reports.push(report, self.connection);
        Ok(())
    }

    fn hear_app(&mut self, kind: AppKind, seq: Option<u32>, data: AppData<'_>) -> Option<Report> {
        let status = match kind {
            AppKind::Message => return Some(Report::Message(data.to_payload())),
            AppKind::Response => RequestStatus::Responded,
            AppKind::Ack => RequestStatus::Acknowledged,
            AppKind::Reject => RequestStatus::Rejected,
        };
        let seq = seq.unwrap_or_default();
        if !self.answer(seq, status) {
            self.late_answers += 1;
            return None;
        }
        let request = RequestId(seq);
        Some(match kind {
            AppKind::Message | AppKind::Response => Report::Response {
                request,
                payload: data.to_payload(),
            },
            AppKind::Ack => Report::Ack { request },
            AppKind::Reject => {
                let (code, message) = data.to_rejection();
                Report::Reject {
                    request,
                    code,
                    message,
                }
            }
        })
    }

    fn answer(&mut self, seq: u32, status: RequestStatus) -> bool {
        self.outbox.answered(RequestId(seq), status)
    }
}

/// Without what may be secret.
impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(target) => write!(f, "Connect({target:?})"),
            Self::Send(message) => write!(f, "Send({} bytes)", message.len()),
            Self::Ping => f.write_str("Ping"),
            Self::Close { code, reason } => write!(f, "Close({code} {reason})"),
            Self::Abandon => f.write_str("Abandon"),
            Self::Renew { reason } => write!(f, "Renew({reason})"),
        }
    }
}
