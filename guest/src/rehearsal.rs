//! A host for the tests of a service, on any target: it does nothing, and keeps what was wanted.

use std::time::Duration;

use crate::room::{Audience, Host, Payload, Room};

/// A room that only keeps what its service wants done.
///
/// ```
/// use worldshard_guest::{Audience, Done, Rehearsal, Room, Service};
///
/// #[derive(Default)]
/// struct Greeter;
///
/// impl Service for Greeter {
///     fn connect(&mut self, room: &mut Room<'_>, member: u32) {
///         room.send(Audience::One(member), "welcome");
///     }
/// }
///
/// let mut rehearsal = Rehearsal::default();
/// Greeter.connect(&mut rehearsal.room(), 7);
/// assert_eq!(rehearsal.take(), [Done::Sent { to: Audience::One(7), payload: "welcome".into() }]);
/// ```
#[derive(Clone, Default, Debug)]
pub struct Rehearsal {
    /// The room's name.
    pub name: String,
    /// Its config.
    pub config: Vec<u8>,
    /// Its time.
    pub time: Duration,
    /// The next random number; the one behind it is one more.
    pub random: u64,
    done: Vec<Done>,
}

impl Rehearsal {
    /// The room, to tell a service something in.
    pub fn room(&mut self) -> Room<'_> {
        Room::new(self)
    }

    /// What was wanted since the last time, in order.
    pub fn take(&mut self) -> Vec<Done> {
        std::mem::take(&mut self.done)
    }
}

/// One thing that a service wanted done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Done {
    /// A message was sent.
    Sent {
        /// To whom.
        to: Audience,
        /// What.
        payload: Payload,
    },
    /// A timer was set.
    Timer {
        /// Its name.
        name: String,
        /// After how long it is due.
        after: Duration,
        /// Whether it is due again and again.
        repeats: bool,
    },
    /// A timer was cancelled.
    Cancelled(String),
    /// A member was kicked.
    Kicked {
        /// Who.
        member: u32,
        /// The close code.
        code: u16,
        /// The reason.
        reason: String,
    },
    /// A line was logged.
    Logged(String),
}

impl Host for Rehearsal {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn config(&self) -> Vec<u8> {
        self.config.clone()
    }

    fn time(&self) -> Duration {
        self.time
    }

    fn random(&mut self) -> u64 {
        let drawn = self.random;
        self.random = drawn.wrapping_add(1);
        drawn
    }

    fn send(&mut self, to: Audience, payload: Payload) {
        self.done.push(Done::Sent { to, payload });
    }

    fn set_timer(&mut self, name: &str, after: Duration, repeats: bool) {
        let name = name.to_owned();
        self.done.push(Done::Timer {
            name,
            after,
            repeats,
        });
    }

    fn cancel_timer(&mut self, name: &str) {
        self.done.push(Done::Cancelled(name.to_owned()));
    }

    fn kick(&mut self, member: u32, code: u16, reason: &str) {
        let reason = reason.to_owned();
        self.done.push(Done::Kicked {
            member,
            code,
            reason,
        });
    }

    fn log(&mut self, line: &str) {
        self.done.push(Done::Logged(line.to_owned()));
    }
}

#[cfg(test)]
mod tests;
