//! Presence: what newcomers see, what all are told, and when one is away by itself.

use worldshard::prelude::*;
use worldshard_plugins::PresencePlugin;

use crate::pump::Pump;
use crate::{SHARDS, app, heard, say, seconds, ticks};

/// What one message after another says, line by line.
fn lines(pump: &mut Pump, session: SessionId) -> Vec<String> {
    let texts = heard(pump, session);
    let lines = texts.iter().flat_map(|text| text.lines().map(String::from));
    lines.collect()
}

#[test]
fn a_newcomer_sees_how_all_are_and_all_are_told_of_it() {
    for shards in SHARDS {
        let mut pump = Pump::new(&mut app(PresencePlugin::new()), shards, 5);
        let mut sessions = Vec::new();
        let status = ["busy", "away", "online"];
        for n in 0..10_u16 {
            let session = pump.open(n % shards, "/ws");
            pump.settle();
            let mut expected: Vec<_> = sessions
                .iter()
                .enumerate()
                .map(|(n, other)| format!("{other} {}", status[n % 3]))
                .collect();
            expected.sort();
            let mut seen = lines(&mut pump, session);
            assert_eq!(seen.pop(), Some(format!("{session} online")));
            seen.sort();
            assert_eq!(seen, expected);
            say(
                &mut pump,
                session,
                &format!("/status {}", status[usize::from(n % 3)]),
            );
            sessions.push(session);
        }
        for session in &sessions {
            lines(&mut pump, *session);
        }
        let (one, other) = (sessions[3], sessions[4]);
        say(&mut pump, one, "/status online");
        say(&mut pump, one, "/status online");
        say(&mut pump, one, "/status asleep");
        pump.close(other, CloseReason::Lost);
        pump.settle();
        let told = [format!("{one} online"), format!("{other} offline")];
        assert_eq!(lines(&mut pump, sessions[0]), told);
        let usage = "[Error] Say /status online, away or busy.".to_owned();
        assert_eq!(
            lines(&mut pump, one),
            [told[0].clone(), usage, told[1].clone()]
        );
    }
}

#[test]
fn who_says_nothing_is_away_until_it_says_something() {
    for shards in SHARDS {
        let plugin = PresencePlugin::new().away_after(seconds(10));
        let mut pump = Pump::new(&mut app(plugin), shards, 5);
        let [quiet, busy, talks, watcher] = [0, 1, 2, 3].map(|n| pump.open(n % shards, "/ws"));
        pump.settle();
        say(&mut pump, busy, "/status busy");
        for _ in 0..4 {
            pump.run(ticks(seconds(10)) / 2);
            say(&mut pump, talks, "still here");
            say(&mut pump, watcher, "watching");
        }
        lines(&mut pump, quiet);
        let all = lines(&mut pump, watcher);
        let changes: Vec<_> = all.iter().filter(|line| line.ends_with("away")).collect();
        assert_eq!(changes, [&format!("{quiet} away")]);
        for round in 0..3 {
            say(&mut pump, quiet, "back");
            assert_eq!(
                lines(&mut pump, watcher),
                [format!("{quiet} online")],
                "{round}"
            );
            for (part, rest) in [(2, 0), (2, 1)] {
                pump.run(ticks(seconds(10)) / part - rest);
                say(&mut pump, watcher, "watching");
                say(&mut pump, talks, "still here");
            }
            assert_eq!(lines(&mut pump, watcher), [""; 0]);
            pump.run(1);
            assert_eq!(lines(&mut pump, watcher), [format!("{quiet} away")]);
        }
        // Who says that it is busy is so, whatever it says and does not say.
        say(&mut pump, busy, "hello");
        assert_eq!(lines(&mut pump, watcher), [""; 0]);
    }
}

#[test]
fn where_nobody_is_away_nobody_becomes_so() {
    let plugin = PresencePlugin::new().away_after(None).sessions_max(2);
    let mut pump = Pump::new(&mut app(plugin), 2, 5);
    let [one, other, third] = [0, 1, 1].map(|home| pump.open(home, "/ws"));
    pump.settle();
    pump.run(ticks(seconds(400)));
    let all: Vec<_> = [one, other]
        .map(|session| lines(&mut pump, session))
        .concat();
    assert!(all.iter().all(|line| line.ends_with("online")), "{all:?}");
    say(&mut pump, third, "/status busy");
    let full = "[Error] Nobody is told of you: the room is full: 2 members.";
    assert_eq!(lines(&mut pump, third), [full, full]);
    // What is said before systems have seen who says it is not lost.
    pump.close(other, CloseReason::Lost);
    let hasty = pump.open(1, "/ws");
    pump.text(hasty, "/status busy");
    pump.settle();
    assert_eq!(
        lines(&mut pump, hasty).last(),
        Some(&format!("{hasty} busy"))
    );
}
