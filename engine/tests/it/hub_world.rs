//! Sessions in the world over several hubs: joins, crossings, order of deltas and commands, leaving.

use worldshard::prelude::*;
use worldshard::{Delivery, DeltaFrame, Letter};
use worldshard_protocol::world::OPCODE_S2C_DELTA;
use worldshard_protocol::{
    ClientMessage, ErrorCode, HotHeader, InterestWish, ViewpointMode, read_delta,
};
use worldshard_shard::Notice;
use worldshard_transport::{MessageKind, data_frame};

use crate::pump::Pump;

/// What a test needs to know of a delta.
#[derive(Clone, Debug)]
pub(crate) struct SeenDelta {
    pub(crate) sequence: u32,
    pub(crate) tick: u64,
    pub(crate) command_sequence: u32,
    pub(crate) full: bool,
}

pub(crate) fn join_camera(pump: &mut Pump, session: SessionId, at: [f32; 3]) {
    join(pump, session, ViewpointMode::Camera, at, true);
}

pub(crate) fn join_with(pump: &mut Pump, session: SessionId, at: [f32; 3], acks: bool) {
    join(pump, session, ViewpointMode::Camera, at, acks);
}

fn join(pump: &mut Pump, session: SessionId, mode: ViewpointMode, at: [f32; 3], acks: bool) {
    let message = ClientMessage::Join {
        mode,
        at: Some(at),
        interest: InterestWish::Default,
        full: false,
        acks,
    };
    say(pump, session, &message, 0, None);
}

fn say(
    pump: &mut Pump,
    session: SessionId,
    message: &ClientMessage<'_>,
    seq: u32,
    ack: Option<u32>,
) {
    let mut bytes = Vec::new();
    message.encode((seq > 0).then_some(seq), ack, &mut bytes);
    pump.binary(session, &bytes);
}

/// Acknowledges everything that the client read.
pub(crate) fn acknowledge(pump: &mut Pump, session: SessionId) {
    if let Some(last) = deltas(pump, session).last() {
        say(pump, session, &ClientMessage::Ack, 0, Some(last.sequence));
    }
}

pub(crate) fn deltas(pump: &Pump, session: SessionId) -> Vec<SeenDelta> {
    let binaries = pump.clients[&session]
        .received
        .iter()
        .filter_map(|payload| match payload {
            Payload::Text(_) => None,
            Payload::Binary(bytes) => Some(HotHeader::parse(bytes).unwrap()),
        });
    binaries
        .filter(|(header, _)| header.opcode == OPCODE_S2C_DELTA)
        .map(|(header, payload)| {
            let delta = read_delta(payload).unwrap();
            SeenDelta {
                sequence: header.seq.unwrap(),
                tick: delta.tick.to_native(),
                command_sequence: delta.command_sequence.to_native(),
                full: delta.is_full(),
            }
        })
        .collect()
}

fn walkers() -> App {
    let mut app = App::new();
    app.lanes("/world")
        .world(WorldConfig::default())
        .avatar(|_, at| Draft::at(at))
        .system(FixedUpdate, |step: &mut Step<'_>| {
            let dt = step.dt();
            for (position, steering) in step.query::<(&mut Position, &Steering)>().iter() {
                position.0 += steering.0 * (40.0 * dt);
            }
        });
    app
}

fn owner(pump: &Pump, session: SessionId) -> Option<u16> {
    let owns = |hub: &&worldshard::Hub| hub.shard().viewer(session).is_some();
    pump.hubs.iter().find(owns).map(|hub| hub.shard().own().0)
}

#[test]
fn a_walker_that_crosses_borders_gets_every_delta_once_in_order_and_loses_no_input() {
    let mut crossings = 0;
    for seed in 1..=12 {
        let mut pump = Pump::new(&mut walkers(), 4, seed * 77);
        // Its home is not where it walks, and letters are late and out of order between owners.
        let session = pump.open(3, "/world");
        join(
            &mut pump,
            session,
            ViewpointMode::Avatar,
            [505.0, 505.0, 0.0],
            true,
        );
        pump.run(3);
        let mut last_owner = owner(&pump, session);
        let mut sequence = 0;
        for tick in 0..400_u32 {
            if tick % 7 == 0 {
                sequence += 1;
                let angle = sequence as f32 * 2.4;
                let direction = [angle.cos() * 0.9, angle.sin() * 0.9, 0.0];
                say(
                    &mut pump,
                    session,
                    &ClientMessage::Steer { direction },
                    sequence,
                    None,
                );
            }
            pump.step();
            for _ in 0..pump.draw(8) {
                pump.deliver_one();
            }
            acknowledge(&mut pump, session);
            let now = owner(&pump, session);
            crossings += u32::from(now.is_some() && now != last_owner);
            last_owner = now.or(last_owner);
        }
        say(
            &mut pump,
            session,
            &ClientMessage::Steer {
                direction: [0.0; 3],
            },
            sequence + 1,
            None,
        );
        pump.settle();
        for _ in 0..6 {
            pump.run(1);
            acknowledge(&mut pump, session);
        }
        check_stream(&deltas(&pump, session), sequence + 1, seed);
        assert_eq!(pump.hubs[3].status().refused, 0, "seed {seed}");
    }
    assert!(crossings > 50, "too few crossings: {crossings}");
}

/// A client's stream has no gap and no double, begins with a keyframe, and ends with its last command.
fn check_stream(seen: &[SeenDelta], command_sequence: u32, seed: u64) {
    let numbers: Vec<_> = seen.iter().map(|delta| delta.sequence).collect();
    let expected: Vec<_> = (1..=seen.len() as u32).collect();
    assert_eq!(numbers, expected, "seed {seed}");
    let ascending = seen.windows(2).all(|pair| pair[0].tick < pair[1].tick);
    assert!(ascending, "seed {seed}");
    assert!(seen.len() > 100, "seed {seed}: {} deltas", seen.len());
    assert!(seen[0].full, "a late joiner gets a keyframe first");
    let last = seen.last().unwrap();
    assert_eq!(last.command_sequence, command_sequence, "seed {seed}");
}

#[test]
fn a_session_that_goes_leaves_nothing_behind() {
    for seed in 1..=20 {
        let mut pump = Pump::new(&mut walkers(), 2, seed * 31);
        let mut open = Vec::new();
        for index in 0..200_u32 {
            let home = pump.draw(2) as u16;
            let session = pump.open(home, "/world");
            let mode = [ViewpointMode::Avatar, ViewpointMode::Camera][pump.draw(2) as usize];
            let at = [pump.draw(1024) as f32, pump.draw(1024) as f32, 0.0];
            join(&mut pump, session, mode, at, index % 2 == 0);
            open.push(session);
            for _ in 0..pump.draw(4) {
                pump.deliver_one();
            }
            if pump.draw(2) == 0 {
                pump.step();
            }
            // Some go before they have joined, some after.
            let at = pump.draw(open.len() as u64) as usize;
            let gone = open.swap_remove(at);
            if pump.draw(3) == 0 {
                say(&mut pump, gone, &ClientMessage::Leave, 0, None);
            }
            pump.close(gone, CloseReason::Lost);
        }
        for session in open {
            pump.close(session, CloseReason::Lost);
        }
        pump.settle();
        pump.run(6);
        for hub in &pump.hubs {
            let status = hub.status();
            assert_eq!(
                (status.sessions, status.world.viewers, status.world.entities),
                (0, 0, 0),
                "seed {seed}"
            );
            assert_eq!(status.world.audit_failures, 0);
            assert_eq!(
                hub.sessions_known(),
                0,
                "seed {seed}: the home remembers a session"
            );
        }
        assert!(
            pump.hubs
                .iter()
                .map(|hub| hub.status().world.births)
                .sum::<u64>()
                > 20
        );
    }
}

/// What the shard that owned a viewpoint in tick 2 says, when it is late.
fn late(pump: &mut Pump, notices: Vec<(SessionId, Notice)>, deltas: Vec<DeltaFrame>) {
    let delivery = Delivery {
        tick: Tick(2),
        notices,
        deltas,
        area: Vec::new(),
    };
    pump.hub(ShardId(0))
        .letter(ShardId(1), Letter::Delivery(delivery));
    pump.handle(ShardId(0));
}

/// A session of home 0 that has a viewpoint on shard 1 for the second time; its first one ended at about tick 5.
fn joined_again(pump: &mut Pump) -> SessionId {
    let session = pump.open(0, "/world");
    join_camera(pump, session, FAR);
    pump.run(3);
    say(pump, session, &ClientMessage::Leave, 0, None);
    pump.run(3);
    assert!(pump.clients[&session].texts()[2].contains(r#""type":"left""#));
    join_camera(pump, session, FAR);
    session
}

/// On the ground of shard 1.
const FAR: [f32; 3] = [900.0, 900.0, 0.0];

#[test]
fn a_late_delta_of_the_viewpoint_before_is_not_taken_for_one_of_this() {
    let mut pump = Pump::new(&mut walkers(), 2, 5);
    let session = joined_again(&mut pump);
    pump.run(2);
    let payloads = pump.clients[&session].received.iter();
    let old = payloads.filter_map(|payload| match payload {
        Payload::Binary(bytes) => Some(bytes),
        Payload::Text(_) => None,
    });
    let frame = data_frame(MessageKind::Binary, old.last().unwrap());
    let before = deltas(&pump, session);
    // Nothing moves where it looks: of its second viewpoint it has had the first delta only.
    let sequence = before.last().unwrap().sequence + 1;
    let delta = DeltaFrame {
        session,
        sequence,
        frame,
        shared: None,
    };
    late(&mut pump, Vec::new(), vec![delta]);
    assert_eq!(deltas(&pump, session).len(), before.len(), "{before:?}");
}

#[test]
fn a_late_refusal_of_the_viewpoint_before_is_not_taken_for_that_of_a_join() {
    let mut pump = Pump::new(&mut walkers(), 2, 5);
    let session = joined_again(&mut pump);
    let refused = Notice::Refused {
        client_sequence: 7,
        code: ErrorCode::NotAllowed,
        detail: "to is too far away".into(),
    };
    late(&mut pump, vec![(session, refused)], Vec::new());
    pump.run(2);
    let texts = pump.clients[&session].texts();
    assert!(texts.iter().any(|text| text.contains("too far away")));
    assert!(
        texts.last().unwrap().contains(r#""type":"joined""#),
        "{texts:?}"
    );
}

#[test]
fn a_join_that_was_sent_the_long_way_round_leaves_its_home_knowing_the_owner() {
    const NEAR: [f32; 3] = [100.0, 100.0, 0.0];
    let mut pump = Pump::new(&mut walkers(), 2, 5);
    let session = pump.open(0, "/world");
    join_camera(&mut pump, session, NEAR);
    pump.run(3);
    say(
        &mut pump,
        session,
        &ClientMessage::Look { at: FAR },
        0,
        None,
    );
    pump.run(3);
    assert_eq!(owner(&pump, session), Some(1));
    say(&mut pump, session, &ClientMessage::Leave, 0, None);
    pump.run(3);
    // Shard 0 knows that the viewpoint went to shard 1 and sends the join there; it comes back in the same tick.
    join_camera(&mut pump, session, NEAR);
    pump.run(6);
    assert_eq!(owner(&pump, session), Some(0));
    say(
        &mut pump,
        session,
        &ClientMessage::Look { at: NEAR },
        0,
        None,
    );
    assert_eq!(pump.letters_waiting(), 0, "a command goes to where it was");
}

#[test]
fn a_session_may_leave_and_join_again_and_its_deltas_start_again_at_one() {
    let mut pump = Pump::new(&mut walkers(), 2, 9);
    let session = pump.open(1, "/world");
    for round in 0..20_u32 {
        pump.client(session).received.clear();
        let at = [pump.draw(1024) as f32, pump.draw(1024) as f32, 0.0];
        join(&mut pump, session, ViewpointMode::Avatar, at, true);
        // Sent before the answer: they wait for it.
        say(
            &mut pump,
            session,
            &ClientMessage::Steer {
                direction: [0.0, 1.0, 0.0],
            },
            round + 1,
            None,
        );
        for _ in 0..6 {
            pump.run(1);
            acknowledge(&mut pump, session);
        }
        let seen = deltas(&pump, session);
        assert!(
            seen.len() >= 2 && seen[0].sequence == 1 && seen[0].full,
            "{round}: {seen:?}"
        );
        assert_eq!(seen.last().unwrap().command_sequence, round + 1);
        say(&mut pump, session, &ClientMessage::Leave, 0, None);
        pump.run(3);
        let texts = pump.clients[&session].texts();
        assert_eq!(texts.len(), 2, "{texts:?}");
        assert!(texts[0].contains(r#""type":"joined""#) && texts[1].contains(r#""type":"left""#));
    }
}
