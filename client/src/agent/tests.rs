//! An agent driven by hand, in virtual time. `simulation` drives it by chance.

mod ends;
mod planted;
#[path = "../../tests/rules/mod.rs"]
mod rules;
mod simulation;
mod waits;

use worldshard_protocol::delta::DELTA_FULL;
use worldshard_protocol::world::OPCODE_S2C_DELTA;
use worldshard_protocol::{DeltaHead, HotHeader, WORLD_SVC, write_delta};

use super::*;
use crate::options::{CredentialPlace, Environment};
use crate::signal::RequestId;

const SECOND: Duration = Duration::from_secs(1);

/// An agent with the time, and a user that takes each report at once.
struct Hand {
    agent: Agent,
    now: Duration,
}

impl Hand {
    fn new(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::new("ws://h:8080/world").unwrap();
        options.environment = Environment::Native;
        change(&mut options);
        Self {
            agent: Agent::new(options, 7).unwrap(),
            now: SECOND,
        }
    }

    fn tell(&mut self, what: Happened) {
        self.agent.happened(what, self.now);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.agent.elapse(self.now);
    }

    fn reports(&mut self) -> Vec<Report> {
        std::iter::from_fn(|| self.agent.next_report()).collect()
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.agent.next_action()).collect()
    }

    /// The attempt that begins now.
    fn target(&mut self) -> Target {
        self.pass(Duration::ZERO);
        match &mut self.actions()[..] {
            [.., Action::Connect(target)] => target.clone(),
            other => panic!("no attempt but {other:?}"),
        }
    }

    fn hear(&mut self, text: &str) {
        self.tell(Happened::Heard(Message::Text(text.to_owned())));
    }

    /// Goes live, and takes the reports of that; the last.
    fn live(&mut self, greeting: &str) -> Live {
        self.target();
        self.tell(Happened::Opened);
        self.hear(greeting);
        match self.reports().pop() {
            Some(Report::Live(live)) => live,
            other => panic!("not live but {other:?}"),
        }
    }

    fn close_by_server(&mut self, code: u16, reason: &str) {
        self.tell(Happened::Closed {
            code,
            reason: reason.to_owned(),
        });
    }

    fn refuse(&mut self, status: u16, retry_after: Option<Duration>) {
        self.tell(Happened::Refused {
            status,
            retry_after,
            reason: "no".to_owned(),
        });
    }

    fn lose(&mut self) {
        self.close_by_server(close::LOST, "");
    }

    fn request(&mut self) -> RequestSignal {
        let payload = Payload::Json("1".to_owned());
        self.agent.request(&payload, SECOND * 5, self.now).unwrap()
    }
}

/// A greeting, with a token and the number of the last command taken.
fn greeting(session: u64, resume: Option<(&str, u32)>) -> String {
    let resume = resume.map_or(String::new(), |(token, taken)| {
        format!(r#","resume":"{token}","command_sequence":{taken}"#)
    });
    format!(
        r#"{{"v":1,"svc":"sys","type":"authed","data":{{"session":{session},"layout":1,"tick":1,
        "tick_rate_hz":20.0,"shards":1,"home":0,"world":"w","space":{{"min":[0.0,0.0,0.0],"max":[1.0,1.0,1.0],
        "metric":"plane","cell_edge_m":1.0}},"territories":[],"interest":{{"radius_m":1.0,"hysteresis_m":0.0,
        "radius_max_m":1.0}},"border_m":1.0,"components":[]{resume}}}}}"#
    )
}

fn texts(actions: &[Action]) -> Vec<&str> {
    let text = actions.iter().filter_map(|action| {
        if let Action::Send(Message::Text(text)) = action {
            Some(text.as_str())
        } else {
            None
        }
    });
    text.collect()
}

fn dead(cause: Cause) -> Report {
    Report::Dead {
        cause,
        unsent: Vec::new(),
    }
}

#[test]
fn a_session_is_told_from_its_first_attempt_to_its_end() {
    let mut hand = Hand::new(|_| {});
    let target = hand.target();
    assert_eq!(target.url.to_string(), "ws://h:8080/world");
    assert_eq!(target.protocols, Vec::<String>::new());
    hand.tell(Happened::Opened);
    assert_eq!(
        hand.reports(),
        [Report::Connecting { attempt: 1 }, Report::Opened]
    );
    hand.hear(&greeting(5, None));
    assert!(matches!(&hand.reports()[..], [Report::Live(live)] if !live.resumed));
    assert_eq!(hand.agent.state(), State::Live);
    hand.close_by_server(1001, "stopping");
    let closed = Report::ClosedByServer {
        code: 1001,
        reason: "stopping".to_owned(),
    };
    assert_eq!(hand.reports(), [closed, dead(Cause::ClosedByServer)]);
    hand.pass(SECOND * 1000);
    assert_eq!((hand.reports(), hand.actions()), (vec![], vec![]));
    assert_eq!(hand.agent.wake_at(), None);
    assert_eq!(
        hand.agent.send(&"late".into()).unwrap_err(),
        SendError::Dead
    );
}

#[test]
fn answers_end_requests_once_and_late_ones_are_dropped() {
    let mut hand = Hand::new(|_| {});
    hand.live(&greeting(5, None));
    let requests: Vec<_> = (0..4).map(|_| hand.request()).collect();
    let [a, b, c, d] = [0, 1, 2, 3].map(|at: usize| requests[at].id());
    assert!(
        requests
            .iter()
            .all(|one| one.status() == RequestStatus::Sending)
    );
    assert_eq!(hand.actions().len(), 4);
    hand.tell(Happened::Written(4));
    assert!(
        requests
            .iter()
            .all(|one| one.status() == RequestStatus::Waiting)
    );
    let answer = |kind: &str, id: RequestId, data: &str| {
        format!(r#"{{"v":1,"svc":"app","type":"{kind}","seq":{id}{data}}}"#)
    };
    hand.hear(&answer("ack", b, ""));
    hand.hear(&answer("response", a, r#","data":[1]"#));
    hand.hear(&answer(
        "reject",
        c,
        r#","data":{"code":"NOT_ALLOWED","msg":"no"}"#,
    ));
    hand.pass(SECOND * 6);
    for id in [a, b, c, d] {
        hand.hear(&answer("ack", id, ""));
    }
    let expected = [
        Report::Ack { request: b },
        Report::Response {
            request: a,
            payload: Payload::Json("[1]".to_owned()),
        },
        Report::Reject {
            request: c,
            code: "NOT_ALLOWED".to_owned(),
            message: "no".to_owned(),
        },
        Report::TimedOut { request: d },
    ];
    assert_eq!(hand.reports(), expected);
    assert_eq!(hand.agent.late_answers(), 4);
    let statuses = requests.iter().map(RequestSignal::status);
    let ends = [
        RequestStatus::Responded,
        RequestStatus::Acknowledged,
        RequestStatus::Rejected,
        RequestStatus::TimedOut,
    ];
    assert!(statuses.eq(ends));
}

#[test]
fn a_refusal_that_names_a_request_ends_it() {
    let mut hand = Hand::new(|_| {});
    hand.live(&greeting(5, None));
    let request = hand.request();
    let refusal = |seq| {
        format!(
            r#"{{"v":1,"svc":"sys","type":"error","seq":{seq},"data":{{"code":"RATE_LIMITED","msg":"slow"}}}}"#
        )
    };
    hand.hear(&refusal(request.id().0));
    hand.hear(&refusal(1));
    let reports = hand.reports();
    assert!(
        matches!(&reports[..], [Report::Reject { code, .. }, Report::Refused(refused)]
            if code == "RATE_LIMITED" && refused.seq == Some(1)),
        "{reports:?}"
    );
    assert_eq!(request.status(), RequestStatus::Rejected);
}

#[test]
fn what_was_open_when_a_connection_broke_fails_before_the_next_one() {
    let mut hand = Hand::new(|_| {});
    hand.live(&greeting(5, None));
    let message = hand.agent.send(&"a".into()).unwrap();
    let (waiting, sending) = (hand.request(), hand.request());
    let unsent = hand.agent.send(&"b".into()).unwrap();
    hand.tell(Happened::Written(2));
    assert_eq!(message.status(), MessageStatus::Sent);
    hand.lose();
    let expected = [
        Report::Disconnected(Why::Lost),
        Report::SendFailed {
            request: sending.id(),
        },
        Report::MessageFailed {
            message: unsent.id(),
        },
        Report::ResponseLost {
            request: waiting.id(),
        },
    ];
    assert_eq!(hand.reports(), expected);
    assert_eq!(waiting.status(), RequestStatus::ResponseLost);
    assert_eq!(sending.status(), RequestStatus::SendFailed);
    assert_eq!(unsent.status(), MessageStatus::Failed);
    // Nothing of it is sent any more: only the next attempt is asked for, at once.
    assert!(matches!(&hand.actions()[..], []));
    hand.target();
}

#[test]
fn until_a_live_is_taken_everything_fails_before_it() {
    let mut hand = Hand::new(|_| {});
    hand.live(&greeting(5, None));
    hand.lose();
    hand.pass(Duration::ZERO);
    hand.tell(Happened::Opened);
    hand.hear(&greeting(6, None));
    hand.actions();
    // The user has not even taken the end of the first.
    let message = hand.agent.send(&"a".into()).unwrap();
    assert_eq!(message.status(), MessageStatus::Failed);
    let steer = ClientMessage::Leave;
    assert_eq!(hand.agent.say(&steer).unwrap_err(), SendError::NotLive);
    assert!(matches!(
        hand.agent.next_report(),
        Some(Report::Disconnected(_))
    ));
    let request = hand.request();
    assert_eq!(request.status(), RequestStatus::SendFailed);
    let reports = hand.reports();
    assert!(
        matches!(
            &reports[..],
            [
                Report::Connecting { attempt: 1 },
                Report::Opened,
                Report::MessageFailed { .. },
                Report::SendFailed { .. },
                Report::Live(_)
            ]
        ),
        "{reports:?}"
    );
    assert!(hand.actions().is_empty());
    assert_eq!(hand.agent.say(&steer), Ok(1));
}

#[test]
fn a_session_is_resumed_and_what_was_not_taken_said_again() {
    let mut hand = Hand::new(|_| {});
    hand.live(&greeting(5, Some(("ab12", 0))));
    for direction in [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]] {
        hand.agent.say(&ClientMessage::Steer { direction }).unwrap();
    }
    hand.actions();
    hand.lose();
    let target = hand.target();
    assert_eq!(target.protocols, ["worldshard.resume.ab12"]);
    assert!(!format!("{target:?}").contains("ab12"));
    hand.tell(Happened::Opened);
    hand.hear(&greeting(5, Some(("cd34", 1))));
    assert!(matches!(hand.reports().pop(), Some(Report::Live(live)) if live.resumed));
    let again: Vec<_> = hand.actions();
    let expected = [(2, [0.0, 1.0, 0.0]), (3, [0.0, 0.0, 1.0])].map(|(sequence, direction)| {
        let mut bytes = Vec::new();
        ClientMessage::Steer { direction }.encode(Some(sequence), None, &mut bytes);
        Action::Send(Message::Binary(bytes.into()))
    });
    assert_eq!(again, expected);

    // The next time the session is gone: the client begins anew, at once.
    hand.now += SECOND * 10;
    hand.lose();
    assert_eq!(hand.target().protocols, ["worldshard.resume.cd34"]);
    hand.refuse(410, None);
    let target = hand.target();
    assert_eq!(target.protocols, Vec::<String>::new());
    hand.tell(Happened::Opened);
    hand.hear(&greeting(6, None));
    assert!(matches!(hand.reports().pop(), Some(Report::Live(live)) if !live.resumed));
    assert_eq!(hand.actions(), []);
}

#[test]
fn deltas_are_acknowledged_when_there_is_nothing_more_to_hear_and_never_on_another_connection() {
    let delta = |sequence| {
        let mut message = Vec::new();
        let header = HotHeader {
            svc: WORLD_SVC,
            opcode: OPCODE_S2C_DELTA,
            seq: Some(sequence),
            ..HotHeader::default()
        };
        header.write(&mut message);
        let head = DeltaHead {
            tick: u64::from(sequence),
            base_tick: 0,
            command_sequence: 0,
            flags: DELTA_FULL,
        };
        write_delta(&head, &[], &[], &[], &[], &[], &mut message);
        Happened::Heard(Message::Binary(message.into()))
    };
    let ack = |sequence| {
        let mut bytes = Vec::new();
        ClientMessage::Ack.encode(None, Some(sequence), &mut bytes);
        Action::Send(Message::Binary(bytes.into()))
    };
    let mut hand = Hand::new(|_| {});
    hand.live(&greeting(5, Some(("ab12", 0))));
    hand.tell(delta(1));
    hand.tell(delta(2));
    assert_eq!(hand.actions(), []);
    hand.pass(Duration::ZERO);
    assert_eq!(hand.actions(), [ack(2)]);
    hand.tell(delta(3));
    hand.lose();
    hand.live(&greeting(5, Some(("cd34", 0))));
    hand.pass(Duration::ZERO);
    assert_eq!(hand.actions(), [], "deltas are numbered from 1 again");
    hand.tell(delta(1));
    hand.pass(Duration::ZERO);
    assert_eq!(hand.actions(), [ack(1)]);
}

#[test]
fn a_page_that_cannot_be_told_why_asks_without_the_token_too() {
    let mut hand = Hand::new(|options| options.environment = Environment::Browser);
    hand.live(&greeting(5, Some(("ab12", 0))));
    hand.lose();
    for _ in 0..3 {
        assert_eq!(hand.target().protocols, ["worldshard.resume.ab12"]);
        // That is how a browser says it.
        hand.lose();
        assert_eq!(hand.target().protocols, Vec::<String>::new());
        hand.tell(Happened::Failed(String::new()));
        assert!(hand.agent.wake_at().unwrap() > hand.now);
        hand.now = hand.agent.wake_at().unwrap();
    }
    assert_eq!(hand.target().protocols, ["worldshard.resume.ab12"]);
}

#[test]
fn a_refused_credential_is_renewed_once() {
    let credential = |text: &str| Some(Credential::new(text));
    let mut hand = Hand::new(|options| {
        options.identity.credential = credential("old");
        options.identity.user = Some("ann".to_owned());
        options.identity.connect = Some(r#"{"team":1}"#.to_owned());
    });
    let proof = |hand: &mut Hand| {
        hand.target();
        hand.tell(Happened::Opened);
        let actions = hand.actions();
        assert!(!format!("{actions:?}").contains("old"));
        texts(&actions).concat()
    };
    assert_eq!(
        proof(&mut hand),
        r#"{"v":1,"svc":"sys","type":"auth","data":{"token":"old","user":"ann","connect":{"team":1},"env":"native"}}"#
    );
    hand.close_by_server(1008, "AUTH_FAILED: expired");
    let renew = Action::Renew {
        reason: "AUTH_FAILED: expired".to_owned(),
    };
    assert_eq!(hand.actions(), [renew]);
    assert_eq!(hand.agent.wake_at(), None);
    hand.agent.renew(credential("new"), hand.now).unwrap();
    assert!(proof(&mut hand).contains("\"new\""));
    // Taken this time; so another may be asked for when this one expires.
    hand.hear(&greeting(5, None));
    hand.close_by_server(1008, "AUTH_FAILED: expired");
    assert!(matches!(&hand.actions()[..], [Action::Renew { .. }]));
    hand.agent.renew(credential("newer"), hand.now).unwrap();
    proof(&mut hand);
    hand.reports();
    hand.close_by_server(1008, "AUTH_FAILED: expired");
    assert_eq!(hand.actions(), []);
    assert_eq!(hand.reports().last(), Some(&dead(Cause::CredentialRefused)));
}

#[test]
fn a_user_without_a_credential_stands_in_the_query() {
    let mut hand = Hand::new(|options| {
        options.identity.user = Some("ann".to_owned());
        options.identity.connect = Some(r#"{"team":1}"#.to_owned());
    });
    let target = hand.target();
    assert_eq!(
        target.url.request_target(),
        "/world?env=native&user=ann&connect=%7B%22team%22%3A1%7D"
    );
    hand.tell(Happened::Opened);
    assert_eq!(hand.actions(), []);
}

#[test]
fn without_another_credential_the_client_is_dead() {
    let mut hand = Hand::new(|options| {
        options.identity.credential = Some(Credential::new("old"));
        options.identity.place = CredentialPlace::Subprotocol;
        options.identity.user = Some("ann".to_owned());
        options.version = Some("1.2".to_owned());
    });
    let target = hand.target();
    assert_eq!(target.protocols, ["worldshard.1", "worldshard.auth.old"]);
    assert_eq!(
        target.url.request_target(),
        "/world?v=1.2&env=native&user=ann"
    );
    hand.refuse(401, None);
    assert!(matches!(&hand.actions()[..], [Action::Renew { .. }]));
    hand.agent.renew(None, hand.now).unwrap();
    assert_eq!(hand.reports().last(), Some(&dead(Cause::CredentialRefused)));
}

#[test]
fn what_another_attempt_would_not_change_is_not_tried_again() {
    for status in [400, 403, 404, 426] {
        let mut hand = Hand::new(|_| {});
        hand.target();
        hand.refuse(status, None);
        assert_eq!(
            hand.reports().last(),
            Some(&dead(Cause::Refused { status }))
        );
    }
}

#[test]
fn a_silent_server_is_pinged_and_then_given_up() {
    let mut hand = Hand::new(|_| {});
    hand.live(&greeting(5, None));
    hand.pass(SECOND * 10);
    assert_eq!(hand.actions(), [Action::Ping]);
    hand.pass(SECOND / 10);
    hand.tell(Happened::Pong);
    assert_eq!(hand.agent.round_trip(), Some(SECOND / 10));
    hand.pass(SECOND * 10);
    assert_eq!(hand.actions(), [Action::Ping]);
    hand.pass(SECOND * 10);
    assert_eq!(hand.actions(), [Action::Abandon]);
    assert_eq!(hand.reports(), [Report::Disconnected(Why::Silent)]);

    let mut page = Hand::new(|options| options.environment = Environment::Browser);
    page.live(&greeting(5, None));
    page.pass(SECOND * 10);
    let actions = page.actions();
    assert_eq!(texts(&actions), [r#"{"v":1,"svc":"sys","type":"ping"}"#]);
    page.hear(r#"{"v":1,"svc":"sys","type":"pong"}"#);
    assert_eq!(page.reports(), []);
    assert_eq!(page.agent.round_trip(), Some(Duration::ZERO));
}

#[test]
fn everything_has_a_bound() {
    let mut hand = Hand::new(|options| {
        options.limits.unsent_bytes_max = 1000;
        options.limits.requests_open_max = 2;
        options.limits.reports_max = 4;
    });
    hand.live(&greeting(5, None));
    hand.request();
    hand.request();
    let payload = Payload::Json("1".to_owned());
    let full = hand.agent.request(&payload, SECOND, hand.now);
    assert_eq!(full.unwrap_err(), SendError::Full);
    let big = vec![0; 800].into();
    let message = hand.agent.send(&big).unwrap();
    assert_eq!(hand.agent.send(&big).unwrap_err(), SendError::Full);
    hand.tell(Happened::Written(3));
    assert_eq!(message.status(), MessageStatus::Sent);
    hand.agent.send(&big).unwrap();
    for _ in 0..4 {
        hand.hear(r#"{"v":1,"svc":"world","type":"left"}"#);
    }
    assert!(hand.agent.is_full());
    hand.actions();
    hand.hear(r#"{"v":1,"svc":"world","type":"left"}"#);
    let actions = hand.actions();
    assert!(matches!(
        &actions[..],
        [Action::Close { .. }, Action::Abandon]
    ));
    // No attempt begins before the user takes something.
    hand.pass(SECOND);
    assert_eq!(hand.actions(), []);
    let reports = hand.reports();
    assert_eq!(reports[4], Report::Disconnected(Why::Overflow));
    hand.target();
}

#[test]
fn a_server_that_breaks_the_protocol_is_left() {
    let mut hand = Hand::new(|_| {});
    hand.target();
    hand.tell(Happened::Opened);
    hand.hear("hello");
    assert!(matches!(
        &hand.actions()[..],
        [Action::Close { code: 1002, .. }, Action::Abandon]
    ));
    assert!(matches!(
        hand.reports().pop(),
        Some(Report::Disconnected(Why::Protocol(_)))
    ));
    assert!(
        hand.agent.wake_at().unwrap() > hand.now,
        "it waits before it tries again"
    );
}

#[test]
fn a_server_of_another_layout_is_not_tried_again() {
    let mut hand = Hand::new(|_| {});
    hand.target();
    hand.tell(Happened::Opened);
    hand.hear(&greeting(5, None).replace("\"layout\":1", "\"layout\":9"));
    assert!(matches!(
        &hand.actions()[..],
        [Action::Close { .. }, Action::Abandon]
    ));
    assert_eq!(hand.reports().pop(), Some(dead(Cause::Unreadable)));
}

#[test]
fn a_raw_path_is_live_when_it_is_open() {
    let mut hand = Hand::new(|options| options.framing = Framing::Raw);
    hand.target();
    hand.tell(Happened::Opened);
    assert!(matches!(hand.reports().pop(), Some(Report::Live(live)) if live.greeting.is_none()));
    hand.agent.send(&"as it is".into()).unwrap();
    assert_eq!(texts(&hand.actions()), ["as it is"]);
    hand.hear("{");
    assert_eq!(hand.reports(), [Report::Message("{".into())]);
    let request = hand.agent.request(&"a".into(), SECOND, hand.now);
    assert_eq!(request.unwrap_err(), SendError::NotLanes);
}

#[test]
fn settings_that_no_server_would_take_are_refused() {
    let refused = |change: &dyn Fn(&mut Options)| {
        let mut options = Options::new("ws://h").unwrap();
        change(&mut options);
        Agent::new(options, 1).unwrap_err()
    };
    let user = |user: &str| {
        let user = Some(user.to_owned());
        refused(&move |options| options.identity.user.clone_from(&user))
    };
    for name in ["", "a b", "ä", &"a".repeat(65)] {
        assert_eq!(user(name), OptionsError::User);
    }
    let connect = refused(&|options| options.identity.connect = Some("{".to_owned()));
    assert_eq!(connect, OptionsError::Connect);
    let version = refused(&|options| options.version = Some("1".repeat(21)));
    assert_eq!(version, OptionsError::Version);
    let credential = refused(&|options| {
        options.identity.place = CredentialPlace::Subprotocol;
        options.identity.credential = Some(Credential::new("a, b"));
    });
    assert_eq!(credential, OptionsError::Credential);
}
