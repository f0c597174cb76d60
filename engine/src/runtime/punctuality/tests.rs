use std::time::{Duration, Instant};

use super::{BUCKETS, Punctuality, US_MAX, bucket, last_us};
use crate::runtime::clock;

fn check(lateness_us: &[u64], interval: Duration) -> super::TickTimes {
    let first: Instant = clock::now();
    let mut punctuality = Punctuality::default();
    for (tick, &late) in (0..).zip(lateness_us) {
        let due = first + interval * tick;
        punctuality.begins(Some(due), due + Duration::from_micros(late));
    }
    punctuality.times()
}

#[test]
fn a_bucket_holds_what_lies_between_the_one_before_and_its_last() {
    for at in 0..BUCKETS {
        let last = last_us(at);
        assert_eq!(bucket(last), at);
        let expected = if last < US_MAX { at + 1 } else { at };
        assert_eq!(bucket(last + 1), expected);
    }
    assert_eq!(last_us(BUCKETS - 1), US_MAX);
    assert_eq!(bucket(u64::MAX), BUCKETS - 1);
}

#[test]
fn one_late_tick_of_a_thousand_is_the_longest_but_not_the_percentile() {
    let mut lateness = vec![100; 2000];
    lateness[700] = 40_000;
    let times = check(&lateness, Duration::from_millis(50));
    assert_eq!(times.tick_late_us_max, 40_000);
    assert_eq!(times.tick_late_us_mean, 119);
    assert!((100..=107).contains(&times.tick_late_us_p99_9));
    assert_eq!(times.tick_interval_us_max, 89_900);
    assert_eq!(times.tick_interval_us_mean, 50_000);
}

#[test]
fn three_late_ticks_of_a_thousand_are_the_percentile() {
    let mut lateness = vec![100; 1000];
    lateness[100..103].fill(3_000);
    let times = check(&lateness, Duration::from_millis(50));
    assert_eq!(times.tick_late_us_p99_9, 3_000);
}

#[test]
fn before_the_first_tick_there_is_nothing_to_tell() {
    let times = Punctuality::default().times();
    assert_eq!(times.tick_late_us_p99_9, 0);
    assert_eq!(times.tick_interval_us_mean, 0);
}
