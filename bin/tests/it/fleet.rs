//! Many clients of one world in one thread, each with a socket of its own. Never judges: tests do.

use std::os::fd::AsFd as _;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use worldshard_client::protocol::{Greeting, InterestWish, ViewpointMode};
use worldshard_client::{Connection, Event};

use crate::server::{Server, WAIT, now};
use crate::world::greet;

/// Clients that have joined.
pub(crate) struct Fleet {
    pub(crate) members: Vec<Member>,
}

/// One client and what it has seen.
pub(crate) struct Member {
    pub(crate) connection: Connection,
    pub(crate) greeting: Box<Greeting>,
    /// Whether it reads what it is sent.
    pub(crate) reads: bool,
    /// The tick of each delta, and when it was read; in order.
    pub(crate) deltas: Vec<(u64, Instant)>,
}

impl Fleet {
    /// Connects so many clients, spread evenly over the world, and waits until each has seen it.
    pub(crate) fn join(
        server: &Server,
        members: usize,
        mode: ViewpointMode,
        radius_m: f32,
    ) -> Self {
        let mut fleet = Self {
            members: Vec::with_capacity(members),
        };
        for number in 0..members {
            let member = Member::join(server, mode, number, radius_m);
            fleet.members.push(member);
            // Those who are in go on reading meanwhile.
            fleet.run_until(now());
        }
        let deadline = now() + WAIT;
        while fleet.members.iter().any(|one| one.deltas.is_empty()) {
            assert!(now() < deadline, "not every client sees the world");
            fleet.run_until(now() + std::time::Duration::from_millis(20));
        }
        fleet
    }

    /// Lets those who read do so until `until`.
    pub(crate) fn run_until(&mut self, until: Instant) {
        loop {
            let left = until.saturating_duration_since(now());
            let reading: Vec<usize> = (0..self.members.len())
                .filter(|&one| self.members[one].reads)
                .collect();
            let mut waits: Vec<PollFd<'_>> = reading
                .iter()
                .map(|&one| {
                    let socket = self.members[one].connection.stream();
                    PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN)
                })
                .collect();
            let timeout = Timespec::try_from(left).unwrap();
            poll(&mut waits, Some(&timeout)).unwrap();
            let ready: Vec<usize> = reading
                .into_iter()
                .zip(&waits)
                .filter(|(_, wait)| !wait.revents().is_empty())
                .map(|(one, _)| one)
                .collect();
            for &one in &ready {
                self.members[one].read_all();
            }
            if ready.is_empty() && now() >= until {
                return;
            }
            if now() >= until {
                return;
            }
        }
    }

    /// Of those who read.
    pub(crate) fn readers(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|one| one.reads)
    }
}

impl Member {
    /// Connects and joins at a place that follows from the number.
    pub(crate) fn join(server: &Server, mode: ViewpointMode, number: usize, radius_m: f32) -> Self {
        let (mut connection, greeting) = greet(server);
        let at = place(&greeting, number);
        connection.join(mode, Some(at), InterestWish::Radius(radius_m));
        connection.flush().unwrap();
        Self {
            connection,
            greeting,
            reads: true,
            deltas: Vec::new(),
        }
    }

    /// Reads what has come.
    pub(crate) fn read_all(&mut self) {
        while let Some(event) = self.connection.try_receive().unwrap() {
            self.take(&event);
        }
    }

    /// Waits for the next delta; its tick.
    pub(crate) fn next_delta(&mut self) -> u64 {
        loop {
            let event = self.connection.receive(WAIT).unwrap();
            let event = event.expect("the world goes on");
            self.take(&event);
            if let Event::Delta(applied) = event {
                return applied.tick.0;
            }
        }
    }

    /// Ticks up to `tick`, since the first delta, that no delta came for.
    pub(crate) fn missed_until(&self, tick: u64) -> u64 {
        let first = self.deltas[0].0;
        let seen = self.deltas.iter().filter(|(seen, _)| *seen <= tick).count() as u64;
        tick + 1 - first - seen
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::Delta(applied) => self.deltas.push((applied.tick.0, now())),
            Event::Error(refused) => panic!("{refused:?}"),
            Event::Closed { code, reason } => panic!("closed: {code} {reason}"),
            _ => {}
        }
    }
}

/// Places that are spread evenly, one for each number: the additive recurrence of the plastic number.
pub(crate) fn place(greeting: &Greeting, number: usize) -> [f32; 3] {
    const STEPS: [f64; 3] = [0.754_877_666_246_693, 0.569_840_290_998_053, 0.0];
    let (min, max) = (greeting.space.min, greeting.space.max);
    [0, 1, 2].map(|axis| {
        let share = (0.5 + number as f64 * STEPS[axis]).fract() as f32;
        min[axis] + (max[axis] - min[axis]) * share
    })
}
