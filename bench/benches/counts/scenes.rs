//! What is counted: worlds by phase, and the small units around them.

use std::hint::black_box;
use std::rc::Rc;

use flume::bounded;
use worldshard::prelude::*;
use worldshard::runtime::Phase;
use worldshard::worlds::{WorldName, WorldSetup, world};
use worldshard::{Letter, Subscribers};
use worldshard_bench::crowd::{Crowd, Witness};
use worldshard_bench::measured::Measured;
use worldshard_bench::recording::{Recording, delta_of, opened_client};
use worldshard_bench::scenes::{self, Sight};
use worldshard_bench::talk::{Hearers, Talk};
use worldshard_client::Event;
use worldshard_client::protocol::{View, read_delta};
use worldshard_client::transport::{
    Limits, MessageKind, Reader, Role, data_frame, data_header, masked_frame,
};

use crate::parts::{Part, Parts};

/// Runs the scenes that have `filter` in their names.
pub(crate) fn run(parts: &Rc<Parts>, filter: &str) -> Result<()> {
    let is_wanted = |scene: &str| scene.contains(filter);
    for name in WorldName::ALL {
        if is_wanted(name.as_str()) {
            steps(parts, name.as_str(), world(name, ENTITIES, 0))?;
        }
    }
    for (scene, neighbours) in [("flock-12", 12.0), ("flock-50", 50.0)] {
        if is_wanted(scene) {
            steps(parts, scene, scenes::flock_of_density(ENTITIES, neighbours))?;
        }
    }
    for (scene, shards) in SHARDED {
        if is_wanted(scene) {
            sharded(parts, scene, shards)?;
        }
    }
    for (scene, visible) in [("64 in sight", 64), ("1000 in sight", 1000)] {
        if is_wanted(scene) {
            watched(parts, scene, visible)?;
        }
    }
    if is_wanted("leaps") {
        leaps(parts)?;
    }
    if is_wanted("mailbox") {
        mailbox(parts);
    }
    if is_wanted("frame") {
        frames(parts);
    }
    if is_wanted("rooms") {
        rooms(parts)?;
    }
    if is_wanted("policy") {
        policy(parts)?;
    }
    for (scene, visible) in [("client, 64", 64), ("client, 1000", 1000)] {
        if is_wanted(scene) {
            client(parts, scene, visible)?;
        }
    }
    Ok(())
}

/// Counts each phase by its name.
fn by_phase(parts: &Rc<Parts>, scene: &'static str) -> Witness {
    let parts = Rc::clone(parts);
    Rc::new(move |phase| match phase {
        Some(phase) => parts.begin(Part {
            scene,
            work: phase.as_str(),
        }),
        None => parts.end(),
    })
}

/// Counts all phases together.
fn as_one(parts: &Rc<Parts>, part: Part) -> Witness {
    let parts = Rc::clone(parts);
    Rc::new(move |phase| match phase {
        Some(Phase::Apply | Phase::Receive) => parts.begin(part),
        Some(_) => {}
        None => parts.end(),
    })
}

fn steps(parts: &Rc<Parts>, scene: &'static str, setup: WorldSetup) -> Result<()> {
    let recipe = App::new().plugin(setup).shards(1).build()?;
    let mut crowd = Crowd::new(recipe, Vec::new(), by_phase(parts, scene))?;
    parts.silently(|| crowd.renew().expect("it was just built"));
    for _ in 0..TICKS {
        crowd.tick(&mut |_, _| {});
    }
    for work in [Phase::Simulate, Phase::Release, Phase::Index].map(Phase::as_str) {
        parts.units(Part { scene, work }, "entity", ENTITIES * TICKS);
    }
    Ok(())
}

/// A flock as large as the targets have it: what its shards do for each other is the more the smaller they are.
fn sharded(parts: &Rc<Parts>, scene: &'static str, shards: u16) -> Result<()> {
    let setup = world(WorldName::Flock, FLOCK, 0);
    let recipe = App::new().plugin(setup).shards(shards).build()?;
    let mut crowd = Crowd::new(recipe, Vec::new(), by_phase(parts, scene))?;
    let mut ticks = |ticks| (0..ticks).for_each(|_| crowd.tick(&mut |_, _| {}));
    parts.silently(|| ticks(SHARDED_TICKS));
    ticks(SHARDED_TICKS);
    for work in [
        Phase::Simulate,
        Phase::Release,
        Phase::Receive,
        Phase::Index,
    ] {
        let work = work.as_str();
        parts.units(Part { scene, work }, "entity", FLOCK * SHARDED_TICKS);
    }
    Ok(())
}

fn watched(parts: &Rc<Parts>, scene: &'static str, visible: u16) -> Result<()> {
    let mut crowd =
        scenes::watched(CAMERAS, visible, Sight::Radius)?.crowd(by_phase(parts, scene))?;
    parts.silently(|| crowd.renew().expect("it was just built"));
    let candidates =
        |crowd: &Crowd| -> u64 { crowd.hubs().map(|hub| hub.shard().stats().candidates).sum() };
    let before = candidates(&crowd);
    let (mut deltas, mut records, mut seen) = (0, 0, 0);
    for _ in 0..TICKS {
        crowd.tick(&mut |_, frame| {
            let Some(delta) = delta_of(frame) else { return };
            let delta = read_delta(&delta).expect("the server lays deltas out well");
            deltas += 1;
            records += (delta.entered.len() + delta.changed.len()) as u64;
        });
        let shards = crowd.hubs().map(|hub| hub.shard());
        seen += shards
            .flat_map(|shard| shard.sessions().filter_map(|session| shard.viewer(session)))
            .map(|viewer| viewer.visible as u64)
            .sum::<u64>();
    }
    let of = |phase: Phase| Part {
        scene,
        work: phase.as_str(),
    };
    parts.units(of(Phase::Observe), "client", deltas);
    parts.units(of(Phase::Observe), "candidate", candidates(&crowd) - before);
    parts.units(of(Phase::Observe), "visible entity", seen);
    parts.units(of(Phase::Publish), "client", deltas);
    parts.units(of(Phase::Publish), "record", records);
    Ok(())
}

fn leaps(parts: &Rc<Parts>) -> Result<()> {
    for (scene, across) in [(AT_HOME, false), ("leaps across", true)] {
        let part = Part {
            scene,
            work: "natives",
        };
        let crowd = scenes::leaping_natives(across)?.crowd(as_one(parts, part))?;
        leap(parts, crowd, part, scenes::NATIVES);
        let part = Part {
            scene,
            work: "avatars",
        };
        let crowd = scenes::leaping_avatars(across)?.crowd(as_one(parts, part))?;
        leap(parts, crowd, part, u64::from(scenes::AVATARS));
    }
    Ok(())
}

/// A crossing is what a leap across the border takes beyond one at home.
fn leap(parts: &Parts, mut crowd: Crowd, part: Part, leapers: u64) {
    parts.silently(|| crowd.renew().expect("it was just built"));
    // There and back again.
    for _ in 0..2 {
        crowd.tick(&mut |_, _| {});
    }
    if part.scene == AT_HOME {
        parts.units(part, "leap", 2 * leapers);
    } else {
        parts.beyond(part, AT_HOME, "crossing", 2 * leapers);
    }
}

fn mailbox(parts: &Parts) {
    let (sender, receiver) = bounded(BATCH as usize);
    let part = Part {
        scene: "mailbox",
        work: "one thread",
    };
    parts.count(part, "letter", BATCH, || {
        for plain in 0..BATCH as u32 {
            let letter = Letter::Subscribers(Subscribers { plain, ghosts: 0 });
            assert!(sender.try_send(letter).is_ok(), "there is room");
        }
        while let Ok(letter) = receiver.try_recv() {
            black_box(letter);
        }
    });
}

fn frames(parts: &Parts) {
    let scene = "frame";
    for (work, bytes) in [("encode 64", 64), ("encode 1024", 1024)] {
        let payload = vec![b'b'; bytes];
        parts.count(Part { scene, work }, "frame", BATCH, || {
            for _ in 0..BATCH {
                black_box(data_frame(MessageKind::Binary, black_box(&payload)));
            }
        });
    }
    parts.count(
        Part {
            scene,
            work: "header",
        },
        "frame",
        BATCH,
        || {
            for _ in 0..BATCH {
                black_box(data_header(MessageKind::Binary, black_box(1024)));
            }
        },
    );
    for (work, bytes) in [("read 32", 32), ("read 1024", 1024)] {
        let frame = masked_frame(MessageKind::Binary, &vec![b'b'; bytes], [1, 2, 3, 4]);
        let mut input = frame.repeat(BATCH as usize);
        let mut reader = Reader::new(Role::Server, Limits::default());
        parts.count(Part { scene, work }, "frame", BATCH, || {
            let mut rest = &mut input[..];
            while !rest.is_empty() {
                let step = reader
                    .read(rest)
                    .expect("what a client says keeps the rules");
                black_box(&step.event);
                let consumed = step.consumed;
                rest = &mut rest[consumed..];
            }
        });
    }
}

/// A message to all beside messages to the members of rooms, for as many; what waits for others is let go at once.
fn rooms(parts: &Parts) -> Result<()> {
    let scene = "rooms";
    let of = |rooms, members| Hearers::Rooms { rooms, members };
    for (work, shards, hearers) in [
        ("1 to 50 000", 8, Hearers::Everyone(50_000)),
        ("10 000 of 5", 8, of(10_000, 5)),
        ("1 000 of 50", 8, of(1000, 50)),
        ("1 to 5", 1, Hearers::Everyone(5)),
        ("1 of 5", 1, of(1, 5)),
    ] {
        let mut talk = Talk::new(shards, hearers, true)?;
        let hearers = talk.hearers().into();
        parts.count(Part { scene, work }, "recipient", hearers, || {
            talk.round(&[b'b'; 64], 1);
        });
    }
    Ok(())
}

/// A message of each lane that is sent back, with all that a policy can ask of it and with nothing.
fn policy(parts: &Parts) -> Result<()> {
    let scene = "policy";
    for (work, on, hot) in [
        ("hot, off", false, true),
        ("hot, on", true, true),
        ("ext, off", false, false),
        ("ext, on", true, false),
    ] {
        let mut measured = Measured::new(on, hot)?;
        parts.count(Part { scene, work }, "message", MESSAGES, || {
            (0..MESSAGES).for_each(|_| measured.say());
        });
        assert_eq!(measured.refused(), 0, "an error would come back too");
    }
    Ok(())
}

fn client(parts: &Parts, scene: &'static str, visible: u16) -> Result<()> {
    let recording = Recording::new(visible)?;
    let deltas = recording.deltas().len() as u64;
    parts.count(
        Part {
            scene,
            work: "read",
        },
        "delta",
        deltas,
        || {
            for delta in recording.deltas() {
                let delta = read_delta(delta).expect("the server lays deltas out well");
                black_box(delta.changed.len());
            }
        },
    );
    parts.count(
        Part {
            scene,
            work: "apply",
        },
        "delta",
        deltas,
        || {
            let mut view = View::new();
            for delta in recording.deltas() {
                view.apply(delta).expect("deltas follow each other");
            }
        },
    );
    let mut clients = vec![opened_client(), opened_client()];
    parts.count(
        Part {
            scene,
            work: "receive",
        },
        "delta",
        deltas,
        || {
            let mut client = clients.pop().expect("one for each run");
            for frame in recording.frames() {
                client.receive(frame);
                while let Some(event) = client.poll().expect("the server keeps the protocol") {
                    assert!(matches!(event, Event::Delta(_)), "{event:?}");
                }
                client.output().clear();
            }
        },
    );
    Ok(())
}

const AT_HOME: &str = "leaps at home";
const TICKS: u64 = 4;
const ENTITIES: u64 = 10_000;
const SHARDED: [(&str, u16); 4] = [
    ("shards: 1", 1),
    ("shards: 2", 2),
    ("shards: 8", 8),
    ("shards: 64", 64),
];
const SHARDED_TICKS: u64 = 2;
const FLOCK: u64 = 100_000;
const CAMERAS: u16 = 100;
const BATCH: u64 = 1000;
const MESSAGES: u64 = 1000;
