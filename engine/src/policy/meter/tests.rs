use super::*;
use crate::policy::options::RateScope;

fn limit(unit: RateUnit, per_second: u32, burst: u32, action: RateAction) -> RateLimit {
    RateLimit {
        scope: RateScope::Connection,
        unit,
        per_second,
        burst,
        action,
    }
}

fn meter(limits: &[RateLimit]) -> Meter {
    let rates: Vec<Rate> = limits.iter().map(Rate::of).collect();
    Meter::new(&rates, None, |_| None).unwrap()
}

fn micros(at: u64) -> Moment {
    Moment::at(Duration::from_micros(at))
}

/// How many messages of so many bytes pass that come every `every_us`, within so many seconds.
fn passed(meter: &mut Meter, bytes: usize, every_us: u64, seconds: u64) -> u64 {
    let moments = (1..=seconds * 1_000_000 / every_us).map(|nth| micros(nth * every_us));
    moments
        .filter(|&now| meter.take(now, bytes) == Verdict::Pass)
        .count() as u64
}

#[test]
fn rates_are_exact_whatever_their_number_and_whenever_messages_come() {
    for per_second in [1, 3, 7, 30, 50, 333, 999] {
        for every_us in [17, 50, 333, 997] {
            // What comes between two turns of a bucket of two loses nothing of the time before it.
            let limit = limit(RateUnit::Messages, per_second, 2, RateAction::Drop);
            let passed = passed(&mut meter(&[limit]), 5, every_us, 10);
            let wanted = u64::from(per_second) * 10;
            let exact = wanted * 98 / 100..=wanted + 2;
            assert!(
                exact.contains(&passed),
                "{passed} of {wanted}, each {every_us} us"
            );
        }
    }
}

#[test]
fn a_burst_passes_at_once_and_then_the_rate() {
    let mut meter = meter(&[limit(RateUnit::Messages, 30, 10, RateAction::Drop)]);
    let now = micros(5_000_000);
    let at_once = (0..100)
        .filter(|_| meter.take(now, 1) == Verdict::Pass)
        .count();
    assert_eq!(at_once, 10);
    assert_ne!(meter.take(micros(5_033_000), 1), Verdict::Pass);
    assert_eq!(meter.take(micros(5_033_334), 1), Verdict::Pass);
}

#[test]
fn bytes_count_by_their_number_and_none_drift() {
    for per_second in [1_000, 65_536, 1_000_000_000, u32::MAX] {
        let burst = per_second;
        let mut meter = meter(&[limit(RateUnit::Bytes, per_second, burst, RateAction::Drop)]);
        let bytes = per_second as usize / 100;
        let passed = passed(&mut meter, bytes, 1_000, 10);
        // What a second allows, and the burst before.
        assert!(
            (1078..=1100).contains(&passed),
            "{passed} at {per_second} B/s"
        );
    }
}

#[test]
fn what_is_more_than_a_burst_never_passes_and_takes_nothing() {
    let bytes = |action| limit(RateUnit::Bytes, 100, 100, action);
    let now = micros(1);
    for action in [RateAction::Drop, RateAction::Throttle(Duration::ZERO)] {
        let mut meter = meter(&[bytes(action)]);
        assert_eq!(meter.take(now, 101), Verdict::TooLarge { burst: 100 });
        assert_eq!(meter.take(now, 100), Verdict::Pass);
    }
    assert_eq!(
        meter(&[bytes(RateAction::Disconnect)]).take(now, 101),
        Verdict::Close
    );
}

#[test]
fn what_one_limit_refuses_takes_nothing_from_the_others() {
    let few = limit(RateUnit::Messages, 1, 1, RateAction::Drop);
    let bytes = limit(RateUnit::Bytes, 10, 100, RateAction::Drop);
    let waits = limit(
        RateUnit::Messages,
        10,
        10,
        RateAction::Throttle(Duration::ZERO),
    );
    let mut meter = meter(&[waits, bytes, few]);
    assert_eq!(meter.take(micros(1), 10), Verdict::Pass);
    for _ in 0..1000 {
        assert!(matches!(meter.take(micros(2), 10), Verdict::Drop { .. }));
    }
    // A second later there are the message of `few`, 100 bytes, and one of those that wait.
    assert_eq!(meter.take(micros(1_000_002), 100), Verdict::Pass);
}

#[test]
fn what_waits_is_heard_at_the_rate_and_in_order() {
    let at_least = Duration::from_millis(2);
    let mut meter = meter(&[limit(
        RateUnit::Messages,
        100,
        2,
        RateAction::Throttle(at_least),
    )]);
    let start = micros(1_000_000);
    let mut heard = vec![];
    let mut now = start;
    for nth in 0..100 {
        if let Verdict::Wait { until, begins } = meter.take(now, 1) {
            assert_eq!(begins, nth == 2, "told once: {nth}");
            assert!(until >= now.after(at_least));
            now = until;
        }
        heard.push(now);
    }
    assert_eq!(heard[..2], [start, start]);
    // 98 behind the burst, each 10 ms.
    let took = heard[99].since_start() - start.since_start();
    assert!(
        (Duration::from_millis(979)..=Duration::from_millis(981)).contains(&took),
        "{took:?}"
    );
}

#[test]
fn the_client_is_told_once_each_time_that_it_begins_to_be_too_fast() {
    let mut meter = meter(&[limit(RateUnit::Messages, 10, 1, RateAction::Drop)]);
    let mut told = 0;
    let mut flood = |from_us: u64| {
        for nth in 0..3_000 {
            let verdict = meter.take(micros(from_us + nth * 1_000), 1);
            told += u32::from(verdict == Verdict::Drop { begins: true });
        }
        told
    };
    assert_eq!(flood(1), 1);
    assert_eq!(flood(10_000_000), 2);
}

#[test]
fn a_shared_bucket_is_shared_exactly() {
    let limit = RateLimit {
        scope: RateScope::Tenant,
        ..limit(RateUnit::Messages, 100, 1, RateAction::Drop)
    };
    let bucket = Arc::new(AtomicU64::new(0));
    let rates = [Rate::of(&limit)];
    let meter = || Meter::new(&rates, None, |_| Some(Arc::clone(&bucket))).unwrap();
    let (mut one, mut other) = (meter(), meter());
    let mut heard = [0, 0];
    for nth in 0..100_000 {
        let now = micros(nth * 100);
        heard[0] += u32::from(one.take(now, 1) == Verdict::Pass);
        heard[1] += u32::from(other.take(now, 1) == Verdict::Pass);
    }
    assert_eq!(heard[0] + heard[1], 1000);
    // Threads that take at one moment get the burst, and no more.
    let limit = RateLimit { burst: 50, ..limit };
    let rates = [Rate::of(&limit)];
    let bucket = Arc::new(AtomicU64::new(0));
    let now = micros(1);
    let heard: usize = std::thread::scope(|scope| {
        let take = || {
            let mut meter = Meter::new(&rates, None, |_| Some(Arc::clone(&bucket))).unwrap();
            (0..1000)
                .filter(|_| meter.take(now, 1) == Verdict::Pass)
                .count()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
        threads.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(heard, 50);
}

#[test]
fn buckets_keep_their_level_when_the_limit_stays() {
    let few = limit(RateUnit::Messages, 1, 3, RateAction::Drop);
    let mut before = meter(&[few]);
    let now = micros(1);
    while before.take(now, 1) == Verdict::Pass {}
    let same = RateLimit {
        action: RateAction::Disconnect,
        ..few
    };
    let mut after = Meter::new(&[Rate::of(&same)], Some(before), |_| None).unwrap();
    assert_eq!(after.take(now, 1), Verdict::Close);
    let other = RateLimit { burst: 4, ..few };
    let mut after = Meter::new(&[Rate::of(&other)], Some(after), |_| None).unwrap();
    assert_eq!(after.take(now, 1), Verdict::Pass);
}

#[test]
fn buckets_that_one_thread_shares_are_as_exact_as_those_of_many() {
    let mut one = limit(RateUnit::Messages, 10, 100, RateAction::Drop);
    one.scope = RateScope::Tenant;
    let rates = [Rate::of(&one)];
    let passed = |alone: bool| {
        let full = Arc::new(AtomicU64::new(0));
        let meter = || {
            let meter = Meter::new(&rates, None, |_| Some(Arc::clone(&full))).unwrap();
            if alone {
                meter.on_the_only_thread()
            } else {
                meter
            }
        };
        let mut meters = [meter(), meter(), meter()];
        let moments = (0..3_000).map(|nth| micros(1_000_000 + nth * 1_000));
        let passed = moments.enumerate().map(|(nth, now)| {
            let verdict = meters[nth % 3].take(now, 1);
            (verdict, full.load(Ordering::Relaxed))
        });
        passed.collect::<Vec<_>>()
    };
    let alone = passed(true);
    assert_eq!(alone, passed(false));
    let heard = alone.iter().filter(|(one, _)| *one == Verdict::Pass);
    // The burst, and ten in each of the three seconds.
    assert!((129..=131).contains(&heard.count()));
}
