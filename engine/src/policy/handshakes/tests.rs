//! Buckets against a count of all that was ever granted, and what is remembered with too many addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::runtime::clock;

fn limit() -> HandshakeLimit {
    HandshakeLimit {
        global_per_second: 1_000_000,
        global_burst: 1_000_000,
        per_ip_per_second: 10,
        per_ip_burst: 20,
        ip_entries_max: 1000,
    }
}

fn v4(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(number).into()
}

fn draw(state: &mut u64, below: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % below
}

/// Whether one more at `at` is within a rate and a burst, given when others were granted: since each of them, it too, there
/// are no more than the burst and what has come back.
fn is_granted(granted: &[u64], at: u64, per_second: u32, burst: u32) -> bool {
    granted.iter().enumerate().all(|(number, since)| {
        let count = (granted.len() - number + 1) as u128;
        let back = u128::from(at - since) * u128::from(per_second);
        count * 1_000_000_000 <= u128::from(burst) * 1_000_000_000 + back
    })
}

#[test]
fn buckets_grant_what_a_count_of_everything_grants() {
    for seed in 1..=40 {
        let mut state = seed * 0x9e37_79b9;
        let limit = HandshakeLimit {
            global_per_second: 1 + draw(&mut state, 50) as u32,
            global_burst: 1 + draw(&mut state, 20) as u32,
            per_ip_per_second: 1 + draw(&mut state, 20) as u32,
            per_ip_burst: 1 + draw(&mut state, 8) as u32,
            ip_entries_max: 1000,
        };
        let (mut handshakes, start) = (Handshakes::default(), clock::now());
        let mut granted: Vec<Vec<u64>> = vec![Vec::new(); 5];
        let mut all: Vec<u64> = Vec::new();
        let (mut at, mut counts) = (0, [0; 3]);
        for _ in 0..1_000 {
            at += match draw(&mut state, 4) {
                0 => 0,
                1 => draw(&mut state, 1_000),
                2 => draw(&mut state, 40_000_000),
                // To the nanosecond when one may come back.
                _ => 1_000_000_000 / u64::from(limit.per_ip_per_second),
            };
            let who = draw(&mut state, 5);
            let own = &mut granted[who as usize];
            let (rate, burst) = (limit.per_ip_per_second, limit.per_ip_burst);
            let is_own = is_granted(own, at, rate, burst);
            let is_all = is_granted(&all, at, limit.global_per_second, limit.global_burst);
            let now = start + Duration::from_nanos(at);
            assert_eq!(handshakes.is_over(&limit, v4(who as u32), now), !is_own);
            match handshakes.take(&limit, v4(who as u32), now) {
                Ok(()) => {
                    assert!(is_own && is_all, "seed {seed} at {at}");
                    own.push(at);
                    all.push(at);
                    counts[0] += 1;
                }
                Err(why) => {
                    assert_eq!((!is_own, !is_own || !is_all), (why.is_address, true));
                    counts[1 + usize::from(why.is_address)] += 1;
                }
            }
        }
        assert!(counts.iter().sum::<i32>() == 1_000 && counts[0] > 10);
    }
}

#[test]
fn who_waits_as_long_as_it_is_told_is_granted_and_not_a_nanosecond_earlier() {
    let (mut handshakes, start) = (Handshakes::default(), clock::now());
    let limit = HandshakeLimit {
        per_ip_per_second: 7,
        per_ip_burst: 1,
        ..limit()
    };
    handshakes.take(&limit, v4(1), start).unwrap();
    let refused = handshakes.take(&limit, v4(1), start).unwrap_err();
    assert_eq!(
        (refused.wait.as_nanos(), refused.seconds()),
        (142_857_143, 1)
    );
    let early = start + refused.wait - Duration::from_nanos(1);
    assert_eq!(
        handshakes
            .take(&limit, v4(1), early)
            .unwrap_err()
            .wait
            .as_nanos(),
        1
    );
    handshakes
        .take(&limit, v4(1), start + refused.wait)
        .unwrap();
    let slow = HandshakeLimit {
        per_ip_per_second: 1,
        ..limit
    };
    for _ in 0..3 {
        let refused = handshakes.take(&slow, v4(2), start);
        assert!(refused.is_ok() || refused.unwrap_err().seconds() == 1);
    }
}

#[test]
fn an_address_that_is_too_fast_takes_nothing_from_others() {
    let (mut handshakes, start) = (Handshakes::default(), clock::now());
    let limit = HandshakeLimit {
        global_per_second: 100,
        global_burst: 100,
        ..limit()
    };
    let (mut abusers, mut others) = (0, 0);
    for ms in 0..10_000_u64 {
        let now = start + Duration::from_millis(ms);
        for _ in 0..5 {
            abusers += i32::from(handshakes.take(&limit, v4(1), now).is_ok());
        }
        if ms % 500 == 0 {
            others += i32::from(handshakes.take(&limit, v4(2), now).is_ok());
        }
    }
    assert_eq!(others, 20);
    // 20 at once and 10 a second, in ten seconds less a millisecond.
    assert_eq!(abusers, 20 + 99);
}

#[test]
fn addresses_of_one_network_of_version_six_are_one_and_mapped_ones_are_of_version_four() {
    let (mut handshakes, start) = (Handshakes::default(), clock::now());
    let limit = HandshakeLimit {
        per_ip_burst: 1,
        ..limit()
    };
    let v6 = |high: u64, low: u64| -> IpAddr {
        Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low)).into()
    };
    handshakes.take(&limit, v6(1, 1), start).unwrap();
    assert!(handshakes.take(&limit, v6(1, 2), start).is_err());
    handshakes.take(&limit, v6(2, 1), start).unwrap();
    handshakes.take(&limit, v4(5), start).unwrap();
    let mapped = Ipv4Addr::from_bits(5).to_ipv6_mapped();
    assert!(handshakes.take(&limit, mapped.into(), start).is_err());
}

#[test]
fn with_too_many_addresses_those_are_forgotten_whose_buckets_are_full_first() {
    let (mut handshakes, start) = (Handshakes::default(), clock::now());
    let limit = HandshakeLimit {
        per_ip_per_second: 1,
        ip_entries_max: 50,
        ..limit()
    };
    for _ in 0..20 {
        handshakes.take(&limit, v4(0), start).unwrap();
    }
    for number in 1..100_000 {
        let now = start + Duration::from_micros(number);
        handshakes.take(&limit, v4(number as u32), now).unwrap();
        assert!(handshakes.by_address.len() <= 50 && handshakes.by_fullness.len() <= 50);
    }
    // The flood of addresses has not made the one forgotten that was too fast.
    assert!(handshakes.is_over(&limit, v4(0), start + Duration::from_millis(100)));
    assert!(!handshakes.is_over(&limit, v4(0), start + Duration::from_millis(1001)));
}

#[test]
fn another_rate_holds_for_what_was_taken_before() {
    let (mut handshakes, start) = (Handshakes::default(), clock::now());
    let slow = HandshakeLimit {
        per_ip_per_second: 1,
        per_ip_burst: 1,
        ..limit()
    };
    handshakes.take(&slow, v4(1), start).unwrap();
    let fast = HandshakeLimit {
        per_ip_per_second: 1000,
        ..slow
    };
    let later = start + Duration::from_millis(2);
    assert!(handshakes.take(&slow, v4(1), later).is_err());
    handshakes.take(&fast, v4(1), later).unwrap();
    assert_eq!(handshakes.by_fullness.len(), 1);
}
