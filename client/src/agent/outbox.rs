//! What was said on one connection and has not come to its end: on its way to the socket, or waiting for an answer.
//!
//! Everything handed in has one end and is forgotten with it. Never lays out a message.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::report::{Report, Unsent};
use crate::signal::{
    MessageId, MessageSignal, MessageStatus, RequestId, RequestSignal, RequestStatus,
};

#[derive(Debug)]
pub(super) struct Outbox {
    /// Messages of this connection that the driver was told to send.
    handed: u64,
    on_the_way: VecDeque<OnTheWay>,
    unsent_bytes: usize,
    open: BTreeMap<RequestId, Open>,
    deadlines: BTreeSet<(Duration, RequestId)>,
    messages: u64,
    requests: u32,
}

#[derive(Debug)]
struct OnTheWay {
    bytes: usize,
    what: What,
}

#[derive(Debug)]
enum What {
    /// The agent's own: nobody asks what became of it.
    Own,
    Message(MessageSignal),
    Request(RequestId),
}

#[derive(Debug)]
struct Open {
    signal: RequestSignal,
    deadline: Duration,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            handed: 0,
            on_the_way: VecDeque::new(),
            unsent_bytes: 0,
            open: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            messages: 0,
            requests: REQUESTS_FROM,
        }
    }

    pub(super) fn next_message(&mut self) -> MessageSignal {
        self.messages += 1;
        MessageSignal::new(MessageId(self.messages))
    }

    pub(super) fn next_request(&mut self) -> RequestSignal {
        let id = RequestId(self.requests);
        // After two thousand million requests numbers come again: the first ones have long ended.
        self.requests = self.requests.wrapping_add(1).max(REQUESTS_FROM);
        RequestSignal::new(id)
    }

    pub(super) fn hand_own(&mut self, bytes: usize) {
        self.hand(bytes, What::Own);
    }

    pub(super) fn hand_message(&mut self, bytes: usize, signal: MessageSignal) {
        self.hand(bytes, What::Message(signal));
    }

    pub(super) fn hand_request(&mut self, bytes: usize, signal: RequestSignal, deadline: Duration) {
        let id = signal.id();
        self.deadlines.insert((deadline, id));
        self.open.insert(id, Open { signal, deadline });
        self.hand(bytes, What::Request(id));
    }

    fn hand(&mut self, bytes: usize, what: What) {
        self.handed += 1;
        self.unsent_bytes += bytes;
        self.on_the_way.push_back(OnTheWay { bytes, what });
    }

    /// The socket has so many messages of this connection.
    pub(super) fn written(&mut self, messages: u64) {
        let written_before = self.handed - self.on_the_way.len() as u64;
        for _ in written_before..messages.min(self.handed) {
            let gone = self.on_the_way.pop_front();
            let OnTheWay { bytes, what } = gone.expect("as many as were handed in");
            self.unsent_bytes -= bytes;
            match what {
                What::Own => {}
                What::Message(signal) => signal.set(MessageStatus::Sent),
                What::Request(id) => {
                    // One that timed out, or was answered faster than the socket told, has ended.
                    if let Some(open) = self.open.get(&id) {
                        open.signal.set(RequestStatus::Waiting);
                    }
                }
            }
        }
    }

    /// Ends a request with an answer; whether it was open.
    pub(super) fn answered(&mut self, id: RequestId, status: RequestStatus) -> bool {
        let Some(Open { signal, deadline }) = self.open.remove(&id) else {
            return false;
        };
        self.deadlines.remove(&(deadline, id));
        signal.set(status);
        true
    }

    /// Ends a request whose time is over; asked again until there is none.
    pub(super) fn expire(&mut self, now: Duration) -> Option<RequestId> {
        let &(deadline, id) = self.deadlines.first()?;
        if deadline > now {
            return None;
        }
        let was_open = self.answered(id, RequestStatus::TimedOut);
        assert!(was_open, "a deadline of no request");
        Some(id)
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// The connection ended: ends all that was open, tells each and returns what never left.
    pub(super) fn fail_all(&mut self, mut tell: impl FnMut(Report)) -> Vec<Unsent> {
        let mut unsent = Vec::new();
        for OnTheWay { what, .. } in std::mem::take(&mut self.on_the_way) {
            match what {
                What::Own => {}
                What::Message(signal) => {
                    signal.set(MessageStatus::Failed);
                    let message = signal.id();
                    unsent.push(Unsent::Message(message));
                    tell(Report::MessageFailed { message });
                }
                What::Request(request) => {
                    if self.answered(request, RequestStatus::SendFailed) {
                        unsent.push(Unsent::Request(request));
                        tell(Report::SendFailed { request });
                    }
                }
            }
        }
        while let Some(&request) = self.open.keys().next() {
            self.answered(request, RequestStatus::ResponseLost);
            tell(Report::ResponseLost { request });
        }
        self.unsent_bytes = 0;
        self.handed = 0;
        unsent
    }

    pub(super) fn unsent_bytes(&self) -> usize {
        self.unsent_bytes
    }

    pub(super) fn open_requests(&self) -> usize {
        self.open.len()
    }
}

/// Requests are numbered from here, commands from 1: so a refusal that names a number says which of them it means.
pub(super) const REQUESTS_FROM: u32 = 1 << 31;
