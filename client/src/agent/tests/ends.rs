//! How connections and clients end: by a close of either end, answered or not.

use super::*;

#[test]
fn a_server_that_heard_nothing_for_long_is_taken_for_a_connection_that_broke() {
    let mut hand = Hand::new(|_| {});
    hand.live(&greeting(5, Some(("ab", 0))));
    hand.close_by_server(1008, "TIMEOUT: nothing was heard for 35 s");
    assert_eq!(hand.reports(), [Report::Disconnected(Why::Silent)]);
    let target = hand.target();
    assert!(
        target.protocols.iter().any(|one| one.contains("resume.ab")),
        "{target:?}"
    );
}

#[test]
fn a_client_that_closes_hears_what_was_under_way() {
    let mut hand = Hand::new(|_| {});
    hand.live(&greeting(5, None));
    let request = hand.request();
    hand.actions();
    hand.agent.close(hand.now);
    assert!(matches!(
        &hand.actions()[..],
        [Action::Close { code: 1000, .. }]
    ));
    let late = hand.request();
    hand.hear(r#"{"v":1,"svc":"app","type":"message","data":"bye"}"#);
    assert_eq!(hand.reports(), [Report::Message("bye".into())]);
    hand.close_by_server(1000, "");
    let reports = hand.reports();
    let unsent = [request.id(), late.id()].map(Unsent::Request).to_vec();
    let expected = [
        Report::ClosedBySelf,
        Report::SendFailed {
            request: request.id(),
        },
        Report::SendFailed { request: late.id() },
        Report::Dead {
            cause: Cause::ClosedBySelf,
            unsent,
        },
    ];
    assert_eq!(reports, expected);
}

#[test]
fn a_client_that_closes_before_the_greeting_hears_nothing_of_the_session() {
    let mut hand = Hand::new(|_| {});
    hand.target();
    hand.tell(Happened::Opened);
    hand.agent.close(hand.now);
    hand.hear(&greeting(5, None));
    hand.hear(r#"{"v":1,"svc":"app","type":"message","data":"hello"}"#);
    hand.close_by_server(1000, "");
    let expected = [
        Report::Connecting { attempt: 1 },
        Report::Opened,
        Report::ClosedBySelf,
        dead(Cause::ClosedBySelf),
    ];
    assert_eq!(hand.reports(), expected);
}

#[test]
fn a_close_that_nobody_answers_ends_in_time_and_one_at_any_time() {
    let mut hand = Hand::new(|_| {});
    hand.live(&greeting(5, None));
    hand.agent.close(hand.now);
    hand.actions();
    hand.pass(hand.agent.wake_at().unwrap() - hand.now);
    assert_eq!(hand.actions(), [Action::Abandon]);
    assert_eq!(
        hand.reports(),
        [Report::ClosedBySelf, dead(Cause::ClosedBySelf)]
    );

    let mut hand = Hand::new(|_| {});
    hand.agent.close(hand.now);
    assert_eq!(
        hand.reports(),
        [Report::ClosedBySelf, dead(Cause::ClosedBySelf)]
    );

    let mut hand = Hand::new(|_| {});
    hand.target();
    hand.agent.close(hand.now);
    assert_eq!(hand.actions(), [Action::Abandon]);
    assert_eq!(hand.reports().len(), 3);
}
