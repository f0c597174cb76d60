//! When attempts are made: along the curve, when the server asks for it, spread over many clients.

use std::collections::BTreeMap;

use super::*;

/// Waits of one client from the end of each attempt to the next, while nobody answers.
fn waits(seed: u64, attempts: usize) -> Vec<Duration> {
    let mut options = Options::new("ws://h").unwrap();
    options.environment = Environment::Native;
    let mut agent = Agent::new(options, seed).unwrap();
    let (mut now, mut waits) = (Duration::ZERO, Vec::new());
    for _ in 0..attempts {
        agent.elapse(now);
        assert!(matches!(agent.next_action(), Some(Action::Connect(_))));
        // An attempt takes its time too.
        now += SECOND;
        agent.happened(Happened::Failed(String::new()), now);
        while agent.next_report().is_some() {}
        let wake_at = agent.wake_at().unwrap();
        waits.push(wake_at - now);
        agent.elapse(wake_at.saturating_sub(Duration::from_nanos(1)));
        assert_eq!(agent.next_action(), None, "not before its time");
        now = wake_at;
    }
    waits
}

#[test]
fn attempt_times_follow_the_curve() {
    let ceilings_s = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0];
    let all: Vec<_> = (0..1000)
        .map(|seed| waits(seed, ceilings_s.len()))
        .collect();
    for (at, ceiling_s) in ceilings_s.into_iter().enumerate() {
        let waits_s: Vec<_> = all.iter().map(|waits| waits[at].as_secs_f64()).collect();
        assert!(waits_s.iter().all(|wait_s| *wait_s < ceiling_s));
        // Evenly between nothing and the ceiling: a tenth in each tenth.
        let mut tenths = [0; 10];
        for wait_s in waits_s {
            tenths[(wait_s / ceiling_s * 10.0) as usize] += 1;
        }
        assert!(
            tenths.iter().all(|count| (60..150).contains(count)),
            "{at}: {tenths:?}"
        );
    }
    assert_eq!(waits(5, 20), waits(5, 20), "the same seed, the same times");
    assert_ne!(waits(5, 20), waits(6, 20));
}

/// A thousand clients lose their server at the same time, for a minute.
#[test]
fn a_thousand_clients_of_a_server_that_comes_back_come_spread() {
    let lost_at = Duration::from_secs(100);
    let back_at = lost_at + Duration::from_secs(60);
    let mut attempts_by_s = BTreeMap::<u64, u32>::new();
    let mut returns_by_s = BTreeMap::<u64, u32>::new();
    for seed in 0..1000 {
        let mut hand = Hand::new(|_| {});
        hand.agent = Agent::new(hand.agent.options.clone(), seed).unwrap();
        hand.live(&greeting(1, None));
        hand.now = lost_at;
        hand.lose();
        assert_eq!(
            hand.agent.wake_at(),
            Some(lost_at),
            "the first attempt follows at once"
        );
        loop {
            hand.now = hand.agent.wake_at().unwrap();
            hand.target();
            if hand.now > back_at {
                *returns_by_s.entry(hand.now.as_secs()).or_default() += 1;
                break;
            }
            *attempts_by_s.entry(hand.now.as_secs()).or_default() += 1;
            hand.tell(Happened::Failed("refused".to_owned()));
            hand.reports();
        }
    }
    assert!(attempts_by_s[&100] >= 1000);
    // Then ever fewer: some ten attempts each in the minute.
    let total: u32 = attempts_by_s.values().sum();
    assert!((6000..12_000).contains(&total), "{total} attempts");
    let (first, last) = (attempts_by_s[&101], attempts_by_s[&155]);
    assert!(last * 4 < first, "{first} a second, later {last}");
    // When it is back, they come over half a minute.
    let most = returns_by_s.values().max().unwrap();
    assert!(*most < 150, "{most} of 1000 in one second");
    assert!(returns_by_s.len() >= 20, "{returns_by_s:?}");
    assert!(
        returns_by_s
            .keys()
            .all(|second| (160..=190).contains(second))
    );
}

#[test]
fn retry_after_is_honoured() {
    for seed in 0..100 {
        let mut hand = Hand::new(|_| {});
        hand.agent = Agent::new(hand.agent.options.clone(), seed).unwrap();
        for (status, ceiling_ms) in [(503, 500), (429, 1000)] {
            hand.target();
            hand.refuse(status, Some(SECOND * 7));
            let wait = hand.agent.wake_at().unwrap() - hand.now;
            let most = SECOND * 7 + Duration::from_millis(ceiling_ms);
            assert!((SECOND * 7..most).contains(&wait), "{wait:?}");
            hand.now += wait;
        }
    }
}

#[test]
fn attempts_have_a_bound_before_the_first_session_and_after_it() {
    let spend = |hand: &mut Hand| {
        let mut attempts = 0;
        loop {
            hand.target();
            attempts += 1;
            hand.tell(Happened::Failed(String::new()));
            match hand.agent.wake_at() {
                Some(wake_at) => hand.now = wake_at,
                None => break attempts,
            }
        }
    };
    let bounded = || {
        Hand::new(|options| {
            options.reconnect.initial_attempts_max = Some(3);
            options.reconnect.attempts_max = Some(5);
        })
    };
    let mut hand = bounded();
    assert_eq!(spend(&mut hand), 3);
    assert_eq!(hand.reports().pop(), Some(dead(Cause::AttemptsSpent)));
    let mut hand = bounded();
    hand.live(&greeting(1, None));
    hand.lose();
    assert_eq!(spend(&mut hand), 5);
    assert_eq!(hand.reports().pop(), Some(dead(Cause::AttemptsSpent)));
}

#[test]
fn switches_say_whether_there_is_another_attempt() {
    let mut hand = Hand::new(|options| options.reconnect.on_drop = false);
    hand.live(&greeting(1, None));
    hand.lose();
    assert_eq!(hand.reports().pop(), Some(dead(Cause::Dropped)));

    let mut hand = Hand::new(|options| options.reconnect.on_close = true);
    hand.live(&greeting(1, Some(("ab12", 0))));
    hand.close_by_server(1001, "stopping");
    let wait = hand.agent.wake_at().unwrap() - hand.now;
    assert!(
        wait > Duration::ZERO && wait < SECOND / 2,
        "{wait:?}: one step of the curve"
    );
    hand.now += wait;
    assert_eq!(
        hand.target().protocols,
        Vec::<String>::new(),
        "a close ends the session"
    );
}

#[test]
fn an_attempt_that_nobody_answers_is_given_up_in_time() {
    let mut hand = Hand::new(|_| {});
    hand.target();
    hand.pass(SECOND * 9);
    assert_eq!(hand.actions(), []);
    hand.tell(Happened::Opened);
    hand.pass(SECOND);
    assert_eq!(hand.actions(), [Action::Abandon]);
    let reports = hand.reports();
    assert_eq!(reports.last(), Some(&Report::Disconnected(Why::TimedOut)));
}
