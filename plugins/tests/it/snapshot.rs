//! Snapshots: who subscribes has the board, from what it is sent alone, whenever it came; numbers have no gap.

use std::collections::BTreeMap;

use serde_json::Value;
use worldshard::prelude::*;
use worldshard_plugins::{SnapshotBoard, SnapshotPlugin};

use crate::pump::Pump;
use crate::{SHARDS, TICK, app, heard, say, texts};

/// The board as one subscriber has it.
#[derive(Default)]
struct Reader {
    seq: Option<u64>,
    values: BTreeMap<String, Value>,
    modes: Vec<String>,
}

impl Reader {
    fn read(&mut self, texts: &[String]) {
        for text in texts {
            let push: Value = serde_json::from_str(text).unwrap();
            assert_eq!(push["type"], "snapshot");
            let (seq, mode) = (
                push["seq"].as_u64().unwrap(),
                push["mode"].as_str().unwrap(),
            );
            match mode {
                "full" => self.values.clear(),
                other => assert_eq!(other, "delta"),
            }
            if let Some(before) = self.seq {
                assert_eq!(seq, before + 1, "no push is missed");
            } else {
                assert_eq!(mode, "full", "the first is all");
            }
            self.seq = Some(seq);
            for name in push["removed"].as_array().unwrap() {
                let was_there = self.values.remove(name.as_str().unwrap()).is_some();
                assert!(was_there, "who goes was there");
            }
            for (name, value) in push["upserted"].as_object().unwrap() {
                let before = self.values.insert(name.clone(), value.clone());
                assert_ne!(before.as_ref(), Some(value), "what is sent has changed");
            }
            self.modes.push(mode.to_owned());
        }
    }
}

fn board_app(plugin: SnapshotPlugin) -> App {
    app(plugin)
}

#[test]
fn who_subscribes_has_the_board_whenever_it_came() {
    for shards in SHARDS {
        for seed in 1..=5 {
            let board = SnapshotBoard::new();
            let plugin = SnapshotPlugin::new(&board).interval(TICK * 2);
            let mut pump = Pump::new(&mut board_app(plugin), shards, seed);
            let mut expected: BTreeMap<String, Value> = BTreeMap::new();
            let mut readers: BTreeMap<SessionId, Reader> = BTreeMap::new();
            for _ in 0..200 {
                let name = format!("n{}", pump.draw(9));
                match pump.draw(8) {
                    0..4 => {
                        let value = Value::from(pump.draw(3));
                        assert!(board.set(&name, &value));
                        expected.insert(name, value);
                    }
                    4 => {
                        let was_there = expected.remove(&name).is_some();
                        assert_eq!(board.remove(&name), was_there);
                    }
                    5 if readers.len() < 6 => {
                        let home = pump.draw(u64::from(shards)) as u16;
                        let session = pump.open(home, "/ws");
                        say(&mut pump, session, "/subscribe");
                        say(&mut pump, session, "/subscribe");
                        let mut reader = Reader::default();
                        reader.read(&heard(&mut pump, session));
                        assert_eq!(reader.modes, ["full"], "at once, and once");
                        assert_eq!(reader.values, expected, "seed {seed}");
                        readers.insert(session, reader);
                    }
                    6 if pump.draw(3) == 0 => {
                        if let Some((session, _)) = readers.pop_first() {
                            say(&mut pump, session, "/unsubscribe");
                            heard(&mut pump, session);
                            pump.run(4);
                            assert!(texts(&pump, session).is_empty());
                        }
                    }
                    _ => pump.run(1),
                }
            }
            pump.run(4);
            assert!(!readers.is_empty());
            for (session, reader) in &mut readers {
                reader.read(&heard(&mut pump, *session));
                assert_eq!(reader.values, expected, "seed {seed}, {shards} shards");
                assert!(reader.modes[1..].iter().all(|mode| mode == "delta"));
            }
        }
    }
}

#[test]
fn what_systems_of_all_shards_write_is_one_board_and_nothing_is_pushed_without_a_change() {
    let board = SnapshotBoard::new();
    let shown = board.clone();
    let mut app = board_app(SnapshotPlugin::new(&board).interval(TICK));
    app.system(Update, move |cx: &mut Context| {
        let sessions = cx.sessions().count();
        shown.set(&format!("shard {}", cx.shard().0), &sessions);
    });
    let mut pump = Pump::new(&mut app, 8, 3);
    let subscriber = pump.open(0, "/ws");
    say(&mut pump, subscriber, "/subscribe");
    pump.run(3);
    let mut reader = Reader::default();
    reader.read(&heard(&mut pump, subscriber));
    assert_eq!(reader.values.len(), 8);
    pump.run(50);
    assert!(texts(&pump, subscriber).is_empty());
    let other = pump.open(5, "/ws");
    pump.settle();
    pump.run(2);
    let heard = heard(&mut pump, subscriber);
    let delta =
        r#"{"type":"snapshot","seq":SEQ,"mode":"delta","upserted":{"shard 5":1},"removed":[]}"#;
    let seq = (reader.seq.unwrap() + 1).to_string();
    assert_eq!(heard, [delta.replace("SEQ", &seq)]);
    assert!(texts(&pump, other).is_empty());
}

#[test]
fn settings_are_used() {
    let board = SnapshotBoard::new();
    board.set("a", &1);
    let plugin = SnapshotPlugin::new(&board)
        .always_full()
        .interval(TICK * 10)
        .subscribers_max(1);
    let mut pump = Pump::new(&mut board_app(plugin), 2, 3);
    let [one, other] = [0, 1].map(|home| pump.open(home, "/ws"));
    say(&mut pump, one, "/subscribe");
    say(&mut pump, other, "/subscribe");
    let full = "[Error] You are not subscribed: the room is full: 1 members.";
    assert_eq!(heard(&mut pump, other), [full]);
    board.set("b", &2);
    let mut reader = Reader::default();
    reader.read(&heard(&mut pump, one));
    pump.run(9);
    board.set("b", &3);
    assert!(texts(&pump, one).is_empty());
    pump.run(1);
    let push: Value = serde_json::from_str(&heard(&mut pump, one)[0]).unwrap();
    assert_eq!(
        (&push["mode"], &push["upserted"]),
        (&"full".into(), &serde_json::json!({ "a": 1, "b": 3 }))
    );
}
