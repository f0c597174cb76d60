//! Traces by hand, with one defect each: the checker of the rules finds it, and nothing in those without one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::rules::{Application, Kind, Pushed, Said, User, json};
use super::*;
use crate::signal::MessageId;

/// A user and an application with nothing between them: what one says arrives when the test says so.
struct Trace {
    user: User,
    application: Application,
    numbers: u32,
}

impl Trace {
    fn new() -> Self {
        Self {
            user: User::new(1),
            application: Application::default(),
            numbers: 0,
        }
    }

    fn told(&mut self, report: &Report) {
        self.user.told(report, 0);
    }

    /// Goes live in a new session, of which both hear, and says what is to be said then.
    fn begin(&mut self, session: u64) {
        let state = self.application.opened(session);
        self.connect();
        self.live(session, false);
        self.pushed(state);
        self.message();
    }

    fn connect(&mut self) {
        self.told(&Report::Connecting { attempt: 1 });
        self.told(&Report::Opened);
    }

    fn live(&mut self, session: u64, resumed: bool) {
        let greeting = Greeting::parse(&greeting(session, None)).unwrap();
        self.told(&Report::Live(Live {
            greeting: Some(Box::new(greeting)),
            resumed,
        }));
    }

    fn lose(&mut self) {
        self.told(&Report::Disconnected(Why::Lost));
    }

    fn die(&mut self) {
        self.told(&Report::Dead {
            cause: Cause::Dropped,
            unsent: Vec::new(),
        });
    }

    fn pushed(&mut self, pushed: Pushed) {
        self.told(&Report::Message(Payload::json(&pushed).unwrap()));
    }

    /// Says a message that the socket takes, and that arrives.
    fn message(&mut self) {
        let (said, signal) = self.send();
        signal.set(MessageStatus::Sent);
        self.application
            .heard(said.session.unwrap(), Kind::Message, &said);
    }

    fn send(&mut self) -> (Said, MessageSignal) {
        self.numbers += 1;
        let signal = MessageSignal::new(MessageId(u64::from(self.numbers)));
        let said = self.user.next(Kind::Message, String::new());
        self.user.sent(said.clone(), signal.clone());
        (said, signal)
    }

    fn ask(&mut self) -> (Said, RequestSignal) {
        self.numbers += 1;
        let signal = RequestSignal::new(RequestId(self.numbers));
        let said = self.user.next(Kind::Request, String::new());
        self.user.asked(said.clone(), signal.clone());
        (said, signal)
    }

    fn ask_before_live(&mut self) -> (Said, RequestSignal) {
        let signal = RequestSignal::new(RequestId(99));
        signal.set(RequestStatus::SendFailed);
        let said = self.user.next(Kind::Request, String::new());
        self.user.asked(said.clone(), signal.clone());
        (said, signal)
    }

    fn respond(&mut self, signal: &RequestSignal, said: &Said) {
        signal.set(RequestStatus::Responded);
        self.told(&Report::Response {
            request: signal.id(),
            payload: Payload::Json(json(said)),
        });
    }

    fn ack(&mut self, signal: &RequestSignal) {
        self.told(&Report::Ack {
            request: signal.id(),
        });
    }

    fn lose_response(&mut self, signal: &RequestSignal) {
        signal.set(RequestStatus::ResponseLost);
        self.told(&Report::ResponseLost {
            request: signal.id(),
        });
    }
}

/// Expects that a trace is found to break a rule.
#[track_caller]
fn finds(rule: &str, play: impl FnOnce(&mut Trace)) {
    let mut trace = Trace::new();
    let found = catch_unwind(AssertUnwindSafe(|| play(&mut trace)));
    let found = found.expect_err("nothing is found");
    let text = found.downcast::<String>().expect("it says what");
    assert!(text.starts_with(&format!("found by {rule}: ")), "{text}");
}

#[test]
fn a_trace_without_a_defect_passes() {
    let mut trace = Trace::new();
    let (_, early) = trace.ask_before_live();
    trace.told(&Report::SendFailed {
        request: early.id(),
    });
    trace.begin(1);
    let (said, answered) = trace.ask();
    let (_, lost) = trace.ask();
    trace.respond(&answered, &said);
    trace.lose();
    trace.lose_response(&lost);
    trace.connect();
    trace.live(1, true);
    trace.message();
    trace.told(&Report::ClosedBySelf);
    trace.die();
    trace.application.closed(1);
    trace.application.finish(&trace.user);
    assert_eq!(trace.user.trace(), "coldcolx!");
}

#[test]
fn live_before_what_became_of_all_that_was_said_is_found() {
    finds("rule 1", |trace| {
        trace.begin(1);
        trace.ask();
        trace.lose();
        trace.begin(2);
    });
    finds("rule 1", |trace| {
        trace.begin(1);
        let (_, signal) = trace.send();
        trace.lose();
        // Nobody is told.
        signal.set(MessageStatus::Failed);
        trace.begin(2);
    });
    finds("rule 1", |trace| {
        trace.begin(1);
        trace.send();
        trace.lose();
        trace.die();
    });
}

#[test]
fn saying_something_before_live_is_taken_is_found() {
    finds("rule 2", |trace| {
        trace.connect();
        trace.send();
    });
    finds("rule 2", |trace| {
        trace.begin(1);
        trace.lose();
        trace.ask();
    });
}

#[test]
fn an_answer_of_another_session_and_a_second_one_are_found() {
    // The agent drops it, and counts.
    finds("rule 3", |trace| {
        trace.begin(1);
        let (_, signal) = trace.ask();
        trace.lose();
        trace.lose_response(&signal);
        trace.begin(2);
        trace.user.told(&Report::Left, 1);
    });
    finds("rule 3", |trace| {
        trace.begin(1);
        let (said, _) = trace.ask();
        let (_, other) = trace.ask();
        trace.respond(&other, &said);
    });
    finds("one end", |trace| {
        trace.begin(1);
        let (said, signal) = trace.ask();
        trace.respond(&signal, &said);
        trace.ack(&signal);
    });
    finds("one end", |trace| {
        trace.begin(1);
        let (_, signal) = trace.ask();
        trace.lose();
        trace.lose_response(&signal);
        trace.begin(2);
        trace.ack(&signal);
    });
}

#[test]
fn what_is_said_or_pushed_to_another_session_is_found() {
    finds("rule 3", |trace| {
        trace.begin(1);
        let late = trace.application.push(1);
        trace.lose();
        trace.begin(2);
        trace.pushed(late);
    });
    finds("rule 3", |trace| {
        trace.begin(1);
        let (said, signal) = trace.send();
        signal.set(MessageStatus::Sent);
        trace.lose();
        trace.begin(2);
        trace.application.heard(2, Kind::Message, &said);
    });
    finds("rule 3", |trace| {
        trace.begin(1);
        let (said, signal) = trace.send();
        signal.set(MessageStatus::Sent);
        trace.lose();
        trace.connect();
        trace.live(1, true);
        trace.message();
        trace.application.heard(1, Kind::Message, &said);
    });
}

#[test]
fn anything_before_what_is_said_on_live_is_found() {
    finds("rule 4", |trace| {
        trace.begin(1);
        trace.lose();
        trace.application.opened(2);
        trace.connect();
        trace.live(2, false);
        let (said, _) = trace.ask();
        trace.application.heard(2, Kind::Request, &said);
    });
    finds("state first", |trace| {
        trace.application.opened(1);
        trace.connect();
        trace.live(1, false);
        let second = trace.application.push(1);
        trace.pushed(second);
    });
    finds("state first", |trace| {
        trace.connect();
        trace.live(1, false);
        let (said, signal) = trace.ask();
        trace.respond(&signal, &said);
    });
}

#[test]
fn a_failure_while_live_is_found() {
    finds("rule 5", |trace| {
        trace.begin(1);
        let (_, signal) = trace.ask();
        trace.lose_response(&signal);
    });
    finds("rule 5", |trace| {
        trace.begin(1);
        let (_, signal) = trace.send();
        signal.set(MessageStatus::Failed);
        trace.told(&Report::MessageFailed {
            message: signal.id(),
        });
    });
}

#[test]
fn a_status_that_is_not_what_was_told_or_heard_is_found() {
    finds("status", |trace| {
        trace.begin(1);
        let (_, signal) = trace.ask();
        signal.set(RequestStatus::Rejected);
        trace.ack(&signal);
    });
    finds("status", |trace| {
        trace.begin(1);
        let (said, signal) = trace.send();
        trace.application.heard(1, Kind::Message, &said);
        trace.lose();
        signal.set(MessageStatus::Failed);
        trace.told(&Report::MessageFailed {
            message: signal.id(),
        });
        trace.die();
        trace.application.closed(1);
        trace.application.finish(&trace.user);
    });
    finds("status", |trace| {
        trace.begin(1);
        let (_, signal) = trace.send();
        signal.set(MessageStatus::Sent);
        trace.lose();
        trace.told(&Report::Dead {
            cause: Cause::Dropped,
            unsent: vec![Unsent::Message(signal.id())],
        });
    });
}

#[test]
fn messages_that_are_missed_or_come_twice_are_found() {
    finds("order", |trace| {
        trace.begin(1);
        trace.send();
        trace.message();
    });
    finds("order", |trace| {
        trace.begin(1);
        let (said, _) = trace.send();
        trace.application.heard(1, Kind::Message, &said);
        trace.application.heard(1, Kind::Message, &said);
    });
    finds("order", |trace| {
        trace.begin(1);
        trace.application.push(1);
        let second = trace.application.push(1);
        trace.pushed(second);
    });
}

#[test]
fn a_session_that_opens_or_closes_twice_or_is_heard_when_it_is_not_open_is_found() {
    finds("sessions", |trace| {
        trace.application.opened(1);
        trace.application.opened(1);
    });
    finds("sessions", |trace| {
        trace.application.opened(1);
        trace.application.closed(1);
        trace.application.closed(1);
    });
    finds("sessions", |trace| {
        trace.begin(1);
        trace.application.closed(1);
        trace.message();
    });
    finds("sessions", |trace| {
        trace.begin(1);
        // The next process hears of it only when it knows it.
        trace.application.lost();
        trace.message();
    });
    finds("sessions", |trace| {
        trace.begin(1);
        trace.application.finish(&trace.user);
    });
}

#[test]
fn a_trace_that_is_not_of_the_grammar_is_found() {
    finds("grammar", |trace| {
        trace.told(&Report::Connecting { attempt: 1 });
        trace.live(1, false);
    });
    finds("grammar", |trace| {
        trace.connect();
        trace.connect();
    });
    finds("grammar", |trace| {
        trace.lose();
    });
    finds("grammar", |trace| {
        trace.told(&Report::ClosedBySelf);
        trace.told(&Report::Connecting { attempt: 1 });
    });
    finds("grammar", |trace| {
        trace.die();
        trace.told(&Report::Opened);
    });
    finds("grammar", |trace| {
        trace.connect();
        trace.live(1, true);
    });
}
