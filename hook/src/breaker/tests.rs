use super::*;

const OPEN: Duration = Duration::from_secs(5);

fn opened(now: Instant) -> Breaker {
    let breaker = Breaker::new(3, OPEN);
    assert_eq!([breaker.failed(now), breaker.failed(now)], [None, None]);
    assert_eq!(breaker.failed(now), Some(Change::Opened));
    breaker
}

#[test]
fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
    let now = crate::clock::now();
    let breaker = Breaker::new(3, OPEN);
    for _ in 0..10 {
        assert_eq!([breaker.failed(now), breaker.failed(now)], [None, None]);
        assert_eq!(breaker.succeeded(), None);
    }
    assert!(breaker.admits(now));
    assert!(!opened(now).admits(now));
}

#[test]
fn after_a_while_one_may_try_whose_outcome_decides() {
    let now = crate::clock::now();
    let breaker = opened(now);
    let later = now + OPEN;
    assert!(!breaker.admits(later - Duration::from_millis(1)));
    assert!(!breaker.is_open(later));
    assert!(breaker.admits(later));
    assert!(!breaker.admits(later) && breaker.is_open(later), "only one");
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    assert_eq!(breaker.failed(later), Some(Change::Opened));
    assert!(!breaker.admits(later));
    assert!(breaker.admits(later + OPEN));
    assert_eq!(breaker.succeeded(), Some(Change::Closed));
    assert_eq!(breaker.failed(later + OPEN), None, "it counts anew");
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn a_try_that_began_before_it_opened_does_not_keep_it_open_longer() {
    let now = crate::clock::now();
    let breaker = opened(now);
    assert_eq!(breaker.failed(now + OPEN / 2), None);
    assert!(breaker.admits(now + OPEN));
}

#[test]
fn one_that_tries_and_never_says_what_came_of_it_keeps_it_open_for_no_longer() {
    let now = crate::clock::now();
    let breaker = opened(now);
    let later = now + OPEN;
    assert!(breaker.admits(later) && !breaker.admits(later));
    assert!(breaker.admits(later + OPEN), "another one may");
    assert_eq!(breaker.succeeded(), Some(Change::Closed));
}
