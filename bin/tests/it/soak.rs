//! A server that runs for a while with clients who come and go: it holds no more in the end, and its ticks stay regular.
//!
//! WORLDSHARD_FULL=1 runs it for a minute.

use std::time::Duration;

use worldshard_client::protocol::ViewpointMode;

use crate::fleet::{Fleet, Member};
use crate::server::{Server, eventually, full, now, on_each_runtime};

on_each_runtime!(a_server_that_runs_on_holds_no_more_and_keeps_its_rhythm);

fn a_server_that_runs_on_holds_no_more_and_keeps_its_rhythm(runtime: &str) {
    let length = Duration::from_secs(if full() { 60 } else { 5 });
    let server = Server::start(runtime, &["--entities", "2000", "--shards", "2"]);
    let mut fleet = Fleet::join(&server, CLIENTS, ViewpointMode::Avatar, RADIUS_M);
    let come_and_go = |fleet: &mut Fleet, number: usize| {
        let one = number % CLIENTS;
        // The one before is gone without a word.
        fleet.members[one] = Member::join(&server, ViewpointMode::Avatar, one, RADIUS_M);
        fleet.run_until(now() + PAUSE);
    };
    for number in 0..CLIENTS * 4 {
        come_and_go(&mut fleet, number);
    }
    let before = server.usage();
    let (began, mut number) = (now(), 0);
    while began.elapsed() < length {
        come_and_go(&mut fleet, number);
        number += 1;
        if number.is_multiple_of(LOOK_EVERY) {
            server.status().assert_bounded();
        }
    }
    let after = server.usage();
    let status = server.status();
    status.assert_bounded();
    status.assert_audited();
    let tick_us = |what: &str| Duration::from_micros(status.each(what).max().unwrap());
    let gap = tick_us("tick_interval_us_max");
    let (late, late_max) = (tick_us("tick_late_us_p99_9"), tick_us("tick_late_us_max"));
    let lag_ticks = status.each("lag_ticks").max().unwrap();
    println!(
        "{runtime}, {length:?}, {number} clients came and went: {} to {} KiB resident, {} to {} descriptors, longest gap between ticks {gap:?}, late by {late:?} at most but for one in a thousand, {lag_ticks} ticks given up",
        before.resident_kib, after.resident_kib, before.descriptors, after.descriptors
    );
    let grown_kib = after.resident_kib.saturating_sub(before.resident_kib);
    assert!(grown_kib <= GROWTH_KIB_MAX, "{grown_kib} KiB more");
    eventually("descriptors are as before", || {
        server.usage().descriptors <= before.descriptors
    });
    // A driver that parks with something to do would sleep for as long as nobody speaks to it.
    assert!(gap < GAP_MAX, "no tick began for {gap:?}");
    assert!(
        late <= late_max && late_max < GAP_MAX,
        "late by {late_max:?}"
    );
    assert!(tick_us("tick_interval_us_mean") <= gap);
    drop(fleet);
    server.end();
}

const CLIENTS: usize = 16;
const RADIUS_M: f32 = 16.0;

/// So many come between two looks at the queues.
const LOOK_EVERY: usize = 32;

/// Between two who come.
const PAUSE: Duration = Duration::from_millis(10);

/// What the server may hold more in the end.
const GROWTH_KIB_MAX: u64 = 4096;

/// Forty ticks: what even a machine with other work does not cause.
const GAP_MAX: Duration = Duration::from_secs(2);
