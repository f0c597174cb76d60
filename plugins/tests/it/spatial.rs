//! Positions: what a client builds from what it is told equals brute force, at every tick; and what is refused.

use std::collections::{BTreeMap, BTreeSet};

use worldshard::prelude::*;
use worldshard_plugins::SpatialPlugin;

use crate::pump::Pump;
use crate::{SHARDS, TICK, app, heard, relay, say, seconds, texts, ticks};

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

/// The byte that binary moves begin with.
const OPCODE: u8 = 7;

fn written(to: &[f64]) -> String {
    let words: Vec<_> = to.iter().map(f64::to_string).collect();
    format!("/move {}", words.join(" "))
}

fn packed(to: &[f64]) -> Vec<u8> {
    let numbers = to.iter().flat_map(|axis| (*axis as f32).to_le_bytes());
    std::iter::once(OPCODE).chain(numbers).collect()
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
            let plugin = plugin.clone().radius(100.0).binary(OPCODE);
            let mut pump = Pump::new(&mut app(plugin), shards, seed);
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
                    match pump.draw(2) {
                        0 => pump.text(session, &written(&to[..axes])),
                        _ => pump.binary(session, &packed(&to[..axes])),
                    }
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

#[test]
fn bytes_that_are_no_position_are_refused_with_the_codes_of_the_text() {
    for shards in SHARDS {
        let plugin = SpatialPlugin::in_3d().bounds(-10.0, 10.0).speed_max(4.0);
        let mut pump = Pump::new(&mut app(plugin.binary(OPCODE)), shards, 6);
        let [one, other] = [0, shards - 1].map(|home| pump.open(home, "/ws"));
        say(&mut pump, one, "/move 0 0 0");
        say(&mut pump, other, "/move 1 0 0");
        pump.run(1);
        heard(&mut pump, one);
        heard(&mut pump, other);
        let whole = packed(&[1.0, 0.0, 0.0]);
        for (bytes, code) in [
            (packed(&[f64::NAN, 0.0, 0.0]), "BAD_REQUEST"),
            (packed(&[0.0, f64::INFINITY, 0.0]), "BAD_REQUEST"),
            (packed(&[0.0, 0.0, f64::NEG_INFINITY]), "BAD_REQUEST"),
            (packed(&[0.0, 0.0]), "BAD_REQUEST"),
            (packed(&[0.0; 4]), "BAD_REQUEST"),
            (whole[..12].to_vec(), "BAD_REQUEST"),
            ([&whole[..], &[0]].concat(), "BAD_REQUEST"),
            (vec![OPCODE], "BAD_REQUEST"),
            (packed(&[0.0, 0.0, 10.5]), "NOT_ALLOWED"),
            (packed(&[f64::from(f32::MAX), 0.0, 0.0]), "NOT_ALLOWED"),
            (packed(&[9.0, 0.0, 0.0]), "RATE_LIMITED"),
        ] {
            pump.binary(one, &bytes);
            pump.settle();
            let refused = heard(&mut pump, one);
            assert!(
                refused[0].starts_with(&format!("[Error] {code}: ")),
                "{bytes:?}: {refused:?}"
            );
            assert_eq!(refused.len(), 1);
        }
        pump.run(1);
        assert!(texts(&pump, other).is_empty());
        pump.binary(one, &packed(&[4.0, -0.0, 0.0]));
        pump.settle();
        pump.run(1);
        assert_eq!(heard(&mut pump, other), [format!("pos {one} 4 0 0")]);
    }
}

#[test]
fn bytes_and_texts_move_in_the_order_in_which_they_were_said() {
    for shards in SHARDS {
        let plugin = SpatialPlugin::in_2d().binary(OPCODE);
        let mut pump = Pump::new(&mut app(plugin), shards, 7);
        let [one, other] = [0, shards - 1].map(|home| pump.open(home, "/ws"));
        say(&mut pump, one, "/move 0 0");
        say(&mut pump, other, "/move 1 0");
        pump.run(1);
        heard(&mut pump, other);
        pump.text(one, "/move 2 0");
        pump.binary(one, &packed(&[3.0, 0.0]));
        pump.text(one, "/move 4 0");
        pump.settle();
        pump.run(1);
        assert_eq!(heard(&mut pump, other), [format!("pos {one} 4 0")]);
        pump.text(one, "/move 5 0");
        pump.binary(one, &packed(&[6.5, 0.0]));
        pump.settle();
        pump.run(1);
        assert_eq!(heard(&mut pump, other), [format!("pos {one} 6.5 0")]);
    }
}

#[test]
fn other_binary_messages_are_left_to_their_owners() {
    for shards in SHARDS {
        let mut with = app(SpatialPlugin::in_2d().binary(OPCODE));
        let mut without = app(SpatialPlugin::in_2d());
        for (app, is_taken) in [(&mut with, true), (&mut without, false)] {
            app.system(Update, relay);
            let mut pump = Pump::new(app, shards, 8);
            let session = pump.open(shards - 1, "/ws");
            let others = [vec![], vec![OPCODE + 1, 1, 2, 3, 4, 5, 6, 7, 8]];
            let own = packed(&[1.0, 1.0]);
            for bytes in others.iter().chain([&own]) {
                pump.binary(session, bytes);
            }
            pump.settle();
            let received = std::mem::take(&mut pump.client(session).received);
            let received: Vec<_> = received.iter().map(|one| one.bytes().to_vec()).collect();
            let mut expected = others.to_vec();
            if !is_taken {
                expected.push(own);
            }
            assert_eq!(received, expected);
        }
    }
}

#[test]
fn two_owners_of_an_opcode_are_a_conflict_and_two_opcodes_are_none() {
    let owned = |opcode: u8| {
        let mut app = app(SpatialPlugin::in_2d().binary(OPCODE));
        app.binary_command(opcode, |_, _, _| {});
        app.build().map(|_| ()).map_err(|error| error.to_string())
    };
    let conflict = owned(OPCODE).unwrap_err();
    assert!(
        conflict.contains("binary messages that begin with 7"),
        "{conflict}"
    );
    assert_eq!(owned(OPCODE + 1), Ok(()));
}
