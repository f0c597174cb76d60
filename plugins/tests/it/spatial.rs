//! Positions: what a client builds from what it is told equals brute force, at every tick; and what is refused.

use std::collections::{BTreeMap, BTreeSet};

use worldshard::prelude::*;
use worldshard_plugins::SpatialPlugin;

use crate::pump::Pump;
use crate::{SHARDS, TICK, app, heard, say, seconds, texts, ticks};

/// Whom a client sees and where, from what it was told alone.
type Seen = BTreeMap<String, String>;

fn follow(seen: &mut Seen, texts: &[String]) {
    let mut entered = BTreeSet::new();
    for text in texts {
        let (word, rest) = text.split_once(' ').unwrap();
        let (of, at) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            "enter" => {
                assert!(entered.insert(of), "{of} enters once");
                let before = seen.insert(of.to_owned(), String::new());
                assert_eq!(before, None, "who enters was not there");
            }
            "pos" => *seen.get_mut(of).expect("who moves was seen") = at.to_owned(),
            "leave" => assert!(seen.remove(of).is_some(), "who leaves was there"),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn what_each_sees_is_exact_at_every_tick() {
    let kinds = [
        (SpatialPlugin::in_2d(), 2, [true, true, false]),
        (SpatialPlugin::in_3d(), 3, [true; 3]),
        (SpatialPlugin::in_3d_flat(), 3, [true, false, true]),
    ];
    for (nth, (plugin, axes, counts)) in kinds.into_iter().enumerate() {
        for shards in SHARDS {
            let seed = 40 + nth as u64;
            let mut pump = Pump::new(&mut app(plugin.clone().radius(100.0)), shards, seed);
            let mut at: BTreeMap<SessionId, [f64; 3]> = BTreeMap::new();
            let mut seen: BTreeMap<SessionId, Seen> = BTreeMap::new();
            for _ in 0..150 {
                for _ in 0..pump.draw(6) {
                    let session = match pump.draw(4) {
                        0 if seen.len() < 24 => {
                            let home = pump.draw(u64::from(shards)) as u16;
                            pump.open(home, "/ws")
                        }
                        _ if seen.is_empty() => continue,
                        _ => {
                            let nth = pump.draw(seen.len() as u64) as usize;
                            *seen.keys().nth(nth).unwrap()
                        }
                    };
                    seen.entry(session).or_default();
                    if pump.draw(20) == 0 {
                        pump.close(session, CloseReason::Lost);
                        seen.remove(&session);
                        at.remove(&session);
                        continue;
                    }
                    let to = [(); 3].map(|()| pump.draw(9) as f64 * 50.0 - 200.5);
                    let words: Vec<_> = to[..axes].iter().map(f64::to_string).collect();
                    pump.text(session, &format!("/move {}", words.join(" ")));
                    at.insert(session, to);
                }
                pump.settle();
                pump.run(2);
                for (session, seen) in &mut seen {
                    follow(seen, &heard(&mut pump, *session));
                    let expected: Seen = match at.get(session) {
                        None => Seen::new(),
                        Some(own) => at
                            .iter()
                            .filter(|(other, of)| {
                                let counting = (0..3).filter(|axis| counts[*axis]);
                                let square: f64 =
                                    counting.map(|axis| (own[axis] - of[axis]).powi(2)).sum();
                                *other != session && square <= 100.0 * 100.0
                            })
                            .map(|(other, of)| {
                                let words: Vec<_> = of[..axes].iter().map(f64::to_string).collect();
                                (other.to_string(), words.join(" "))
                            })
                            .collect(),
                    };
                    assert_eq!(*seen, expected, "seed {seed}, {shards} shards");
                }
            }
        }
    }
}

#[test]
fn nothing_is_told_while_nobody_moves_and_much_is_told_once_a_tick() {
    let mut pump = Pump::new(&mut app(SpatialPlugin::in_2d()), 2, 5);
    let [one, other] = [0, 1].map(|home| pump.open(home, "/ws"));
    say(&mut pump, one, "/move 0 0");
    say(&mut pump, other, "/move 51 0");
    pump.run(1);
    let told = [format!("enter {other}"), format!("pos {other} 51 0")];
    assert_eq!(heard(&mut pump, one), told);
    heard(&mut pump, other);
    pump.run(100);
    assert!(texts(&pump, one).is_empty() && texts(&pump, other).is_empty());
    for x in 1..=30 {
        say(&mut pump, other, &format!("/move {x} 0"));
    }
    pump.run(1);
    assert_eq!(heard(&mut pump, one), [format!("pos {other} 30 0")]);
    assert!(texts(&pump, other).is_empty());
}

#[test]
fn what_is_no_position_is_refused_with_a_code_and_changes_nothing() {
    let plugin = SpatialPlugin::in_3d().bounds(-10.0, 10.0).speed_max(4.0);
    let mut pump = Pump::new(&mut app(plugin), 2, 5);
    let [one, other] = [0, 1].map(|home| pump.open(home, "/ws"));
    say(&mut pump, one, "/move 0 0 0");
    say(&mut pump, other, "/move 1 0 0");
    pump.run(1);
    heard(&mut pump, one);
    heard(&mut pump, other);
    for (to, code) in [
        ("NaN 0 0", "BAD_REQUEST"),
        ("0 inf 0", "BAD_REQUEST"),
        ("0 0", "BAD_REQUEST"),
        ("0 0 0 0", "BAD_REQUEST"),
        ("", "BAD_REQUEST"),
        ("0 0 10.5", "NOT_ALLOWED"),
        ("9 0 0", "RATE_LIMITED"),
    ] {
        say(&mut pump, one, &format!("/move {to}"));
        let refused = heard(&mut pump, one);
        assert!(
            refused[0].starts_with(&format!("[Error] {code}: ")),
            "{to}: {refused:?}"
        );
        assert_eq!(refused.len(), 1);
    }
    pump.run(1);
    assert!(texts(&pump, other).is_empty());
    // A second's way at once, and then no more of it than time has passed.
    say(&mut pump, one, "/move 4 0 0");
    say(&mut pump, one, "/move 4 0 0.5");
    assert!(heard(&mut pump, one)[0].starts_with("[Error] RATE_LIMITED: "));
    pump.run(ticks(seconds(1)) / 4);
    say(&mut pump, one, "/move 4 0 1");
    say(&mut pump, one, "/move 4 0.1 1");
    assert!(heard(&mut pump, one)[0].starts_with("[Error] RATE_LIMITED: "));
    pump.run(1);
    assert_eq!(
        heard(&mut pump, other).last(),
        Some(&format!("pos {one} 4 0 1"))
    );
    assert_eq!(TICK * 20, seconds(1));
}
