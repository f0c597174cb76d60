//! A client over many connections, without any: when to connect, what becomes of what was said, what the user is told.
//!
//! Sans-IO: a driver tells it what happened and does what it asks for. Never reads a clock; time is an argument, of any
//! origin, and never runs back.

mod backoff;
mod driven;
mod introduction;
mod outbox;
mod report;

use std::collections::VecDeque;
use std::time::Duration;

use worldshard_protocol::{ClientMessage, EntityId, Greeting, InterestWish, View, ViewpointMode};

pub use driven::{Action, Happened};
pub use introduction::Target;
pub use report::{Cause, Live, Report, Unsent, Why};

use crate::app;
use crate::chance::Chance;
use crate::close;
use crate::lanes::{Framing, Lanes};
use crate::message::{Message, Payload};
use crate::options::{Credential, Options, OptionsError};
use crate::signal::{MessageSignal, MessageStatus, RequestSignal, RequestStatus};
use backoff::Backoff;
use outbox::Outbox;
use report::Reports;

/// A client that keeps itself connected.
///
/// Its user takes reports and says things. Its driver does each [`Action`], tells what [`Happened`], and lets time
/// [`elapse`](Self::elapse) whenever nothing more is to be heard and when [`wake_at`](Self::wake_at) says so.
///
/// Five rules hold, whatever the driver and the network do:
///
/// 1. What became of everything said on earlier connections is reported before the next `Live`.
/// 2. Until the user has taken that `Live`, everything said fails.
/// 3. Nothing said for one connection is sent, or answered, on another; commands of a resumed session are said again.
/// 4. So what a user says when it takes `Live` is the first thing that the server hears from it.
/// 5. Failures (`SendFailed`, `ResponseLost`, `MessageFailed`) stand only between the end of a connection, or the
///    start, and the next `Live` or `Dead`.
#[derive(Debug)]
pub struct Agent {
    options: Options,
    lanes: Lanes,
    phase: Phase,
    actions: VecDeque<Action>,
    reports: Reports,
    outbox: Outbox,
    backoff: Backoff,
    /// Counts connections, those that never came to be included.
    connection: u64,
    /// The credential was renewed since it last was good.
    renewed: bool,
    /// The next attempt does without the resume token.
    plain_next: bool,
    /// What had not left when the last connection ended.
    unsent: Vec<Unsent>,
    heard_at: Duration,
    pinged_at: Option<Duration>,
    round_trip: Option<Duration>,
    late_answers: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// No connection; the next attempt begins then.
    Waiting {
        until: Duration,
    },
    /// Neither upgraded nor refused.
    Connecting {
        since: Duration,
        resuming: bool,
    },
    /// Upgraded, not greeted.
    Opened {
        since: Duration,
    },
    Live {
        since: Duration,
    },
    /// The user closed; the server's close is awaited.
    Closing {
        until: Duration,
        /// Whether the session was live.
        lived: bool,
    },
    /// The credential was refused, a new one is awaited.
    Renewing,
    Dead,
}

/// How a client stands, in short.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It waits for its next attempt.
    Waiting,
    /// An attempt is under way.
    Connecting,
    /// There is a session.
    Live,
    /// It ends.
    Closing,
    /// It has ended.
    Dead,
}

/// Why something cannot be said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendError {
    /// Too much waits already: for the socket, for answers, or for the user.
    Full,
    /// The client is dead.
    Dead,
    /// There is no session, or its `Live` was not taken. Messages and requests fail with a report instead.
    NotLive,
    /// A raw path has neither requests nor a world.
    NotLanes,
    /// The payload says that it is JSON, and is not.
    NotJson,
}

impl Agent {
    /// A client that connects at once. Masks and waits come from `seed`.
    ///
    /// # Errors
    /// Settings that no server would take.
    pub fn new(options: Options, seed: u64) -> Result<Self, OptionsError> {
        options.check()?;
        let lanes = Lanes::new(
            options.framing,
            options.acks,
            if options.resume {
                options.limits.commands_kept_max
            } else {
                0
            },
        );
        Ok(Self {
            lanes,
            phase: Phase::Waiting {
                until: Duration::ZERO,
            },
            actions: VecDeque::new(),
            reports: Reports::default(),
            outbox: Outbox::new(),
            backoff: Backoff::new(options.reconnect.clone(), Chance::new(seed)),
            connection: 0,
            renewed: false,
            plain_next: false,
            unsent: Vec::new(),
            heard_at: Duration::ZERO,
            pinged_at: None,
            round_trip: None,
            late_answers: 0,
            options,
        })
    }

    /// The next report, in order.
    pub fn next_report(&mut self) -> Option<Report> {
        self.reports.take()
    }

    /// Whether so much waits for the user that nothing more should be heard.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.reports.len() >= self.options.limits.reports_max
    }

    /// Says something to the application. Without a session, or before its `Live` is taken, that fails, with a report.
    ///
    /// # Errors
    /// Too much waits, or the client is dead; then there is no message and no report.
    pub fn send(&mut self, payload: &Payload) -> Result<MessageSignal, SendError> {
        self.check_room(payload.len())?;
        let message = self.lay_out(payload, None)?;
        let signal = self.outbox.next_message();
        if self.is_sendable() {
            self.outbox.hand_message(message.len(), signal.clone());
            self.actions.push_back(Action::Send(message));
        } else if self.is_closing_for_user() {
            // It fails with the end of the connection, which is still to be told.
            self.outbox.hand_message(message.len(), signal.clone());
        } else {
            signal.set(MessageStatus::Failed);
            let message = signal.id();
            self.reports
                .push_failure(Report::MessageFailed { message }, self.connection);
        }
        Ok(signal)
    }

    /// Asks the application something, on lanes. It has one end: an answer, a failure, or nothing within `patience`.
    ///
    /// # Errors
    /// As [`send`](Self::send); a raw path has no requests.
    pub fn request(
        &mut self,
        payload: &Payload,
        patience: Duration,
        now: Duration,
    ) -> Result<RequestSignal, SendError> {
        self.check_room(payload.len())?;
        if self.options.framing == Framing::Raw {
            return Err(SendError::NotLanes);
        }
        if self.outbox.open_requests() >= self.options.limits.requests_open_max {
            return Err(SendError::Full);
        }
        let signal = self.outbox.next_request();
        let message = self.lay_out(payload, Some(signal.id().0))?;
        let (bytes, deadline) = (message.len(), now.saturating_add(patience));
        if self.is_sendable() {
            self.outbox.hand_request(bytes, signal.clone(), deadline);
            self.actions.push_back(Action::Send(message));
        } else if self.is_closing_for_user() {
            self.outbox
                .hand_request(bytes, signal.clone(), Duration::MAX);
        } else {
            signal.set(RequestStatus::SendFailed);
            let request = signal.id();
            self.reports
                .push_failure(Report::SendFailed { request }, self.connection);
        }
        Ok(signal)
    }

    fn check_room(&self, bytes: usize) -> Result<(), SendError> {
        let limits = &self.options.limits;
        if self.phase == Phase::Dead {
            return Err(SendError::Dead);
        }
        let unsent_bytes = self.outbox.unsent_bytes().saturating_add(bytes);
        if self.is_full() || unsent_bytes > limits.unsent_bytes_max {
            return Err(SendError::Full);
        }
        Ok(())
    }

    fn lay_out(&self, payload: &Payload, request: Option<u32>) -> Result<Message, SendError> {
        match self.options.framing {
            Framing::Lanes => app::lay_out(payload, request).map_err(|_| SendError::NotJson),
            Framing::Raw => Ok(match payload {
                Payload::Text(text) | Payload::Json(text) => Message::Text(text.clone()),
                Payload::Binary(bytes) => Message::Binary(bytes.clone()),
            }),
        }
    }

    /// Whether what is said now belongs to a session that the user knows of.
    fn is_sendable(&self) -> bool {
        matches!(self.phase, Phase::Live { .. }) && self.reports.live() == Some(self.connection)
    }

    /// Whether the user has taken the `Live` of a session that it closed since.
    fn is_closing_for_user(&self) -> bool {
        matches!(self.phase, Phase::Closing { .. }) && self.reports.live() == Some(self.connection)
    }

    /// Says any world message; returns its number, which [`View::command_sequence`] reaches when the view contains its effect.
    ///
    /// # Errors
    /// There is no session that the user knows of, or too much waits.
    pub fn say(&mut self, message: &ClientMessage<'_>) -> Result<u32, SendError> {
        if self.options.framing == Framing::Raw {
            return Err(SendError::NotLanes);
        }
        let custom_bytes = match message {
            ClientMessage::Custom { payload, .. } => payload.len(),
            ClientMessage::Join { .. }
            | ClientMessage::Leave
            | ClientMessage::Steer { .. }
            | ClientMessage::Move { .. }
            | ClientMessage::Look { .. }
            | ClientMessage::Interest(_)
            | ClientMessage::Ack
            | ClientMessage::Overview { .. } => 0,
        };
        self.check_room(custom_bytes + COMMAND_BYTES_MAX)?;
        if !self.is_sendable() {
            return Err(SendError::NotLive);
        }
        let bytes = self.lanes.say(message);
        self.hand(Message::Binary(bytes.into()));
        Ok(self.lanes.sequence())
    }

    /// Asks for a viewpoint, as an avatar or a camera, at a point or where the world chooses.
    ///
    /// # Errors
    /// As [`say`](Self::say).
    pub fn join(
        &mut self,
        mode: ViewpointMode,
        at: Option<[f32; 3]>,
        interest: InterestWish,
    ) -> Result<u32, SendError> {
        let message = self.lanes.joining(mode, at, interest);
        self.say(&message)
    }

    /// Ends the client for good: what was said before is sent, what the server says before its own close is heard.
    pub fn close(&mut self, now: Duration) {
        match self.phase {
            Phase::Waiting { .. } | Phase::Renewing => {
                self.reports.push(Report::ClosedBySelf, self.connection);
                self.die(Cause::ClosedBySelf);
            }
            Phase::Connecting { .. } => {
                self.end(Report::ClosedBySelf, Then::Die(Cause::ClosedBySelf));
                self.actions.push_back(Action::Abandon);
            }
            Phase::Opened { .. } | Phase::Live { .. } => {
                let until = now.saturating_add(self.options.patience.close);
                let lived = matches!(self.phase, Phase::Live { .. });
                self.phase = Phase::Closing { until, lived };
                self.actions.push_back(Action::Close {
                    code: close::NORMAL,
                    reason: "client done",
                });
            }
            Phase::Closing { .. } | Phase::Dead => {}
        }
    }

    /// What the client sees of the world, as far as it has heard.
    #[must_use]
    pub fn view(&self) -> &View {
        self.lanes.view()
    }

    /// The client's avatar, while it has one.
    #[must_use]
    pub fn avatar(&self) -> Option<EntityId> {
        self.lanes.avatar()
    }

    /// Number of the last command said.
    #[must_use]
    pub fn sequence(&self) -> u32 {
        self.lanes.sequence()
    }

    /// Where to draw an entity so long after the last delta; as [`Lanes::position_at`].
    #[must_use]
    pub fn position_at(&self, entity: EntityId, since_delta: Duration) -> Option<[f32; 3]> {
        self.lanes.position_at(entity, since_delta)
    }

    /// How the client stands; the user may not have been told yet.
    #[must_use]
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Waiting { .. } | Phase::Renewing => State::Waiting,
            Phase::Connecting { .. } | Phase::Opened { .. } => State::Connecting,
            Phase::Live { .. } => State::Live,
            Phase::Closing { .. } => State::Closing,
            Phase::Dead => State::Dead,
        }
    }

    /// How long the last ping and its answer took.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Answers that came after their request had ended, and were dropped.
    #[must_use]
    pub fn late_answers(&self) -> u64 {
        self.late_answers
    }

    /// Sends a message of the agent's own.
    fn hand(&mut self, message: Message) {
        self.outbox.hand_own(message.len());
        self.actions.push_back(Action::Send(message));
    }

    fn go_live(&mut self, greeting: Option<Box<Greeting>>, resumed: bool, now: Duration) {
        self.phase = Phase::Live { since: now };
        self.backoff.live();
        if greeting.is_some() {
            self.renewed = false;
        }
        let live = Live { greeting, resumed };
        self.reports.push(Report::Live(live), self.connection);
        if resumed {
            let again: Vec<_> = self.lanes.kept().cloned().collect();
            for bytes in again {
                self.hand(Message::Binary(bytes));
            }
        }
    }

    /// Ends the connection, or the attempt at one, and everything that was open on it.
    fn end(&mut self, report: Report, then: Then) {
        // Nothing of it is to be sent any more.
        self.actions.clear();
        self.pinged_at = None;
        let (reports, connection) = (&mut self.reports, self.connection);
        reports.push(report, connection);
        self.unsent = self
            .outbox
            .fail_all(|failure| reports.push(failure, connection));
        match then {
            Then::Wait { .. } if self.backoff.is_spent() => self.die(Cause::AttemptsSpent),
            Then::Wait { until } => self.phase = Phase::Waiting { until },
            Then::Renew { reason } => {
                self.phase = Phase::Renewing;
                self.actions.push_back(Action::Renew { reason });
            }
            Then::Die(cause) => self.die(cause),
        }
    }

    fn die(&mut self, cause: Cause) {
        let unsent = std::mem::take(&mut self.unsent);
        let dead = Report::Dead { cause, unsent };
        self.reports.push(dead, self.connection);
        self.phase = Phase::Dead;
    }

    /// Gives a new credential after [`Action::Renew`]; without one the client is dead.
    ///
    /// # Errors
    /// The credential cannot be shown where the options want it; the client is dead.
    pub fn renew(
        &mut self,
        credential: Option<Credential>,
        now: Duration,
    ) -> Result<(), OptionsError> {
        if self.phase != Phase::Renewing {
            return Ok(());
        }
        let checked = match &credential {
            Some(credential) => self.options.check_credential(credential),
            None => Ok(()),
        };
        if credential.is_none() || checked.is_err() {
            self.die(Cause::CredentialRefused);
            return checked;
        }
        self.options.identity.credential = credential;
        self.renewed = true;
        self.phase = Phase::Waiting { until: now };
        Ok(())
    }
}

/// What follows the end of a connection.
enum Then {
    Wait { until: Duration },
    Renew { reason: String },
    Die(Cause),
}

impl std::fmt::Display for SendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full => "too much waits already",
            Self::Dead => "the client is dead",
            Self::NotLive => "there is no session",
            Self::NotLanes => "a raw path has neither requests nor a world",
            Self::NotJson => "the payload is not JSON",
        })
    }
}

impl std::error::Error for SendError {}

/// More than any command takes, a custom one's payload aside.
const COMMAND_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests;
