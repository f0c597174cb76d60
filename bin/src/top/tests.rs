use std::time::Duration;

use serde_json::{Value, json};

use super::numbers::Snapshot;
use super::view::Screen;

fn shard(number: u64, tick: u64, bytes: u64) -> Value {
    json!({
        "shard": number, "tick": tick, "step_us_p99": 2500, "lag_ticks": 3, "sessions": 4,
        "letters": 1, "letters_max": 4096, "bytes_in": bytes, "bytes_out": bytes * 1000,
        "messages_in": tick, "world": { "entities": 100, "ghosts": 7 },
        "closes": { "lost": 2, "timeout": 0 },
    })
}

fn seen(shards: Vec<Value>, at: u64) -> Snapshot {
    let status = json!({
        "runtime": "portable", "draining": false, "connections": 9, "stale_shards": [1],
        "shards": shards, "tenants": [
            { "tenant": "blue", "sessions": 2 }, { "tenant": "red", "sessions": 6 },
            { "tenant": "green", "sessions": 0 },
        ],
    });
    Snapshot::of(&status, Duration::from_secs(at))
}

fn text(screen: &Screen) -> String {
    super::plain(screen)
}

#[test]
fn a_frame_of_80_by_24_has_shards_totals_tenants_and_closes() {
    let before = seen(vec![shard(0, 100, 0), shard(1, 100, 0)], 10);
    let now = seen(vec![shard(0, 140, 3000), shard(1, 140, 3000)], 12);
    let text = text(&Screen::of("http://there:1", now, Some(&before)));
    assert_eq!(text.lines().count(), 24);
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    for wanted in [
        "worldshard http://there:1  portable  stale shards: [1]",
        "9 connections, 8 sessions, 200 entities, in 3.0kB/s (40 msg/s), out 3.0MB/s",
        "    0   20.0    2.50      3      4      100       7    1/4096    1.5kB    1.5MB",
        "         6  red",
        "         4  lost",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is missing:\n{text}");
    }
    assert!(!text.contains("timeout"), "{text}");
}

#[test]
fn arrows_reach_the_last_of_many_shards_and_stop_there() {
    let many = (0..100).map(|number| shard(number, 1, 1)).collect();
    let mut screen = Screen::of("http://there:1", seen(many, 1), None);
    assert!(
        text(&screen).contains("shards 1 to 12 of 100"),
        "{}",
        text(&screen)
    );
    screen.scroll(1);
    assert!(
        text(&screen).contains("shards 2 to 13 of 100"),
        "{}",
        text(&screen)
    );
    screen.scroll(1000);
    assert!(
        text(&screen).contains("shards 89 to 100 of 100"),
        "{}",
        text(&screen)
    );
    screen.scroll(-1000);
    assert!(
        text(&screen).contains("shards 1 to 12 of 100"),
        "{}",
        text(&screen)
    );
}

#[test]
fn a_server_without_shards_yet_and_one_that_is_gone_are_drawn_too() {
    let mut screen = Screen::of("http://there:1", Snapshot::default(), None);
    assert!(text(&screen).contains("of 0"));
    screen.trouble = Some("there:1: connection refused".to_owned());
    assert!(text(&screen).contains("connection refused"));
}
