//! A server that is stopped for two seconds and goes on: the world's time is given up, its clients are not.

use std::time::Duration;

use rustix::process::Signal;
use worldshard_client::protocol::{InterestWish, ViewpointMode};

use crate::prometheus::Scrape;
use crate::server::{Server, WAIT, eventually, now, on_each_runtime};
use crate::world::{enter, is_delta};

on_each_runtime!(a_pause_of_two_seconds_is_counted_and_made_up_for_by_five_ticks_at_most);

fn a_pause_of_two_seconds_is_counted_and_made_up_for_by_five_ticks_at_most(runtime: &str) {
    for shards in ["1", "2", "8"] {
        pause(runtime, shards);
    }
}

fn pause(runtime: &str, shards: &str) {
    let args = [
        "--entities",
        "400",
        "--shards",
        shards,
        "--tick-rate",
        "20",
        "--public-metrics",
    ];
    let server = Server::start_warning(runtime, &args);
    let (mut client, middle) = enter(&server);
    client.join(ViewpointMode::Camera, Some(middle), InterestWish::Default);
    client.until(WAIT, is_delta).unwrap();
    let before = server.status();
    let lag_before: Vec<u64> = before.each("lag_ticks").collect();
    while client.try_receive().unwrap().is_some() {}
    let began = now();
    let tick_before = client.until(WAIT, is_delta).unwrap();

    server.signal(Signal::STOP);
    let pause_ends = now() + PAUSE;
    while let Some(left) = pause_ends.checked_duration_since(now()) {
        std::thread::park_timeout(left);
    }
    server.signal(Signal::CONT);

    for _ in 0..10 {
        client.until(WAIT, is_delta).unwrap();
    }
    let ticks = client.view().tick().0 - tick_before;
    let running = began.elapsed().saturating_sub(PAUSE);
    let nominal = (running.as_millis() / INTERVAL.as_millis()) as u64;
    println!(
        "{runtime}, {shards} shards: {ticks} ticks, {nominal} of them nominal in {running:?} beside the pause"
    );
    // One more than is made up for: the intervals before and after the pause may make one together.
    assert!(ticks <= nominal + CATCH_UP_TICKS_MAX + 1, "{ticks}");

    let given_up = (PAUSE.as_millis() / INTERVAL.as_millis()) as u64 - CATCH_UP_TICKS_MAX;
    eventually("every shard counts what it gave up", || {
        let status = server.status();
        let mut lags = status.each("lag_ticks").zip(&lag_before);
        lags.all(|(lag, before)| lag >= before + given_up)
            && status.each("lag_times").all(|times| times > 0)
    });
    eventually("the metrics tell the same", || {
        let now = Scrape::read(&server.get("/metrics").1);
        (0..server.status().shards().len()).all(|shard| {
            let shard = shard.to_string();
            let labels = [("shard", shard.as_str())];
            now.value("worldshard_ticks_given_up_total", &labels) >= given_up as f64
                && now.value("worldshard_dilations_total", &labels) > 0.0
                && late_ticks(&now, &shard) > 0.0
        })
    });
    client.until(WAIT, is_delta).unwrap();
    let warnings = server.end();
    assert!(
        warnings.contains("the world's time is dilated") && warnings.contains("ticks="),
        "{warnings:?}"
    );
}

/// Ticks that began more than a second late.
fn late_ticks(now: &Scrape, shard: &str) -> f64 {
    let name = "worldshard_tick_lateness_seconds";
    let all = now.value(&format!("{name}_count"), &[("shard", shard)]);
    let labels = [("shard", shard), ("le", "1")];
    all - now.value(&format!("{name}_bucket"), &labels)
}

const PAUSE: Duration = Duration::from_secs(2);
const INTERVAL: Duration = Duration::from_millis(50);

/// As the server's limits have it.
const CATCH_UP_TICKS_MAX: u64 = 5;
