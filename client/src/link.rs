//! An agent with its socket: what a program or a page holds. The socket differs by target, this does not.

use std::time::Duration;

use worldshard_protocol::{ClientMessage, InterestWish, ViewpointMode};

use crate::agent::{Action, Agent, Report, SendError};
use crate::message::Payload;
use crate::options::{Credential, Options, OptionsError};
use crate::rim::{self, Clock, Socket};
use crate::signal::{MessageSignal, RequestSignal};

/// A client that keeps itself connected, over a socket of its own. Derefs to its [`Agent`] for reading.
///
/// It lives while it is polled: some times a second, from a game's loop or by [`wait`](Self::wait). Between polls the
/// server's pings are answered, and what arrives waits, up to a bound; beyond, the server's messages wait at the server.
pub struct Link {
    agent: Agent,
    socket: Socket,
    clock: Clock,
    renew: Option<Box<Renew>>,
}

/// Makes another credential when the server refused one, told why; `None` ends the client.
pub type Renew = dyn FnMut(&str) -> Option<Credential> + Send;

impl Link {
    /// A client that connects with the first poll.
    ///
    /// # Errors
    /// Settings that no server would take, or that this program cannot do.
    pub fn new(options: Options) -> Result<Self, OptionsError> {
        let socket = Socket::new(&options)?;
        Ok(Self {
            agent: Agent::new(options, rim::seed())?,
            socket,
            clock: Clock::new(),
            renew: None,
        })
    }

    /// The same with someone to ask for another credential when the server refuses one. Asked once, until the server
    /// takes one again.
    #[must_use]
    pub fn renewing(
        mut self,
        renew: impl FnMut(&str) -> Option<Credential> + Send + 'static,
    ) -> Self {
        self.renew = Some(Box::new(renew));
        self
    }

    /// The next report, if there is one; never waits.
    pub fn poll(&mut self) -> Option<Report> {
        loop {
            self.act();
            if let Some(report) = self.agent.next_report() {
                return Some(report);
            }
            let now = self.clock.now();
            let Some(happened) = self.socket.next() else {
                // Only now is it known that nothing else was heard.
                self.agent.elapse(now);
                self.act();
                return self.agent.next_report();
            };
            self.agent.happened(happened, now);
        }
    }

    /// The next report, after waiting for it up to `timeout`. `None` at once when the client is dead and said so.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn wait(&mut self, timeout: Duration) -> Option<Report> {
        let deadline = self.clock.now().saturating_add(timeout);
        loop {
            if let Some(report) = self.poll() {
                return Some(report);
            }
            let now = self.clock.now();
            if now >= deadline || self.agent.state() == crate::State::Dead {
                return None;
            }
            let wake_at = self.agent.wake_at().unwrap_or(deadline).min(deadline);
            if let Some(happened) = self.socket.wait(wake_at.saturating_sub(now)) {
                let now = self.clock.now();
                self.agent.happened(happened, now);
            }
        }
    }

    /// Waits for what `pick` finds, up to `timeout` in all; other reports are dropped.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn until<T>(
        &mut self,
        timeout: Duration,
        mut pick: impl FnMut(&Report) -> Option<T>,
    ) -> Option<T> {
        let deadline = self.clock.now().saturating_add(timeout);
        loop {
            let left = deadline.saturating_sub(self.clock.now());
            let report = self.wait(left)?;
            if let Some(found) = pick(&report) {
                return Some(found);
            }
        }
    }

    /// Closes and gives all reports that were still to come, up to `timeout`; the last is `Dead`.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn finish(mut self, timeout: Duration) -> Vec<Report> {
        self.close();
        let deadline = self.clock.now().saturating_add(timeout);
        let mut reports = Vec::new();
        while let Some(report) = self.wait(deadline.saturating_sub(self.clock.now())) {
            reports.push(report);
        }
        reports
    }

    /// Says something to the application; as [`Agent::send`].
    ///
    /// # Errors
    /// Too much waits, or the client is dead.
    pub fn send(&mut self, payload: impl Into<Payload>) -> Result<MessageSignal, SendError> {
        let sent = self.agent.send(&payload.into());
        self.act();
        sent
    }

    /// Asks the application something; as [`Agent::request`].
    ///
    /// # Errors
    /// As [`send`](Self::send); a raw path has no requests.
    pub fn request(
        &mut self,
        payload: impl Into<Payload>,
        patience: Duration,
    ) -> Result<RequestSignal, SendError> {
        let now = self.clock.now();
        let sent = self.agent.request(&payload.into(), patience, now);
        self.act();
        sent
    }

    /// Says a world message and returns its number; as [`Agent::say`].
    ///
    /// # Errors
    /// There is no session that the user knows of, or too much waits.
    pub fn say(&mut self, message: &ClientMessage<'_>) -> Result<u32, SendError> {
        let said = self.agent.say(message);
        self.act();
        said
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
        let said = self.agent.join(mode, at, interest);
        self.act();
        said
    }

    /// Walks on in a direction, at full speed when its length is 1.
    ///
    /// # Errors
    /// As [`say`](Self::say).
    pub fn steer(&mut self, direction: [f32; 3]) -> Result<u32, SendError> {
        self.say(&ClientMessage::Steer { direction })
    }

    /// Moves the avatar to a point, in metres.
    ///
    /// # Errors
    /// As [`say`](Self::say).
    pub fn move_to(&mut self, to: [f32; 3]) -> Result<u32, SendError> {
        self.say(&ClientMessage::Move { to })
    }

    /// Moves the camera to a point, in metres.
    ///
    /// # Errors
    /// As [`say`](Self::say).
    pub fn look(&mut self, at: [f32; 3]) -> Result<u32, SendError> {
        self.say(&ClientMessage::Look { at })
    }

    /// Ends the client for good; what is still to be told comes by polling, `Dead` last.
    pub fn close(&mut self) {
        let now = self.clock.now();
        self.agent.close(now);
        self.act();
    }

    /// Does what the agent asks for.
    fn act(&mut self) {
        while let Some(action) = self.agent.next_action() {
            match action {
                Action::Connect(target) => self.socket.connect(target),
                Action::Send(message) => self.socket.send(&message),
                Action::Ping => self.socket.ping(),
                Action::Close { code, reason } => self.socket.close(code, reason),
                Action::Abandon => self.socket.abandon(),
                Action::Renew { reason } => {
                    let credential = self.renew.as_mut().and_then(|renew| renew(&reason));
                    let now = self.clock.now();
                    // A credential that cannot be shown ends the client, which is told.
                    let _ = self.agent.renew(credential, now);
                }
            }
        }
    }
}

impl std::ops::Deref for Link {
    type Target = Agent;

    fn deref(&self) -> &Agent {
        &self.agent
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link({:?})", self.agent.state())
    }
}
