//! Bounds on what waits for clients: messages close the slow, states wait for credits, nobody else notices.

use worldshard::hub::FRAME_OVERHEAD_BYTES;
use worldshard::prelude::*;
use worldshard_protocol::ClientMessage;

use crate::hub_world::{acknowledge, deltas, join_camera, join_with};
use crate::pump::Pump;

fn relay() -> App {
    let mut app = App::new();
    app.raw("/ws").system(Update, |cx: &mut Context| {
        for message in cx.messages() {
            cx.send(Audience::All, message.payload.clone());
        }
    });
    app
}

#[test]
fn slow_client_panics_room_a_client_is_closed_past_the_bound_of_its_message_queue_and_nobody_else_is_affected()
 {
    const QUEUE_BYTES: usize = 300_000;
    let mut app = relay();
    app.options(|options| options.limits.messages_queue_bytes_max = QUEUE_BYTES);
    let mut pump = Pump::new(&mut app, 2, 1);
    let slow = pump.open(1, "/ws");
    let reader = pump.open(1, "/ws");
    let speaker = pump.open(0, "/ws");
    pump.client(slow).stalled = true;
    let message = "m".repeat(936);
    let frame_bytes = message.len() + 4 + FRAME_OVERHEAD_BYTES;
    let fitting = QUEUE_BYTES / frame_bytes;
    for _ in 0..fitting {
        pump.text(speaker, &message);
        pump.settle();
        let largest = pump.hubs[1].status().queue_bytes_largest;
        assert!(largest <= QUEUE_BYTES);
    }
    assert_eq!(pump.clients[&slow].closed, None, "closed although all fits");
    for _ in 0..50 {
        pump.text(speaker, &message);
        pump.settle();
    }
    let (code, reason) = pump.clients[&slow].closed.clone().unwrap();
    assert_eq!(
        (code, reason.as_str()),
        (1013, "too slow: the message queue is full")
    );
    assert_eq!(pump.clients[&slow].unread.len(), fitting);
    assert_eq!(pump.clients[&reader].received.len(), fitting + 50);
    assert_eq!(pump.hubs[1].status().closed_slow, 1);
    assert_eq!(
        pump.hubs[1].status().queue_bytes_largest,
        fitting * frame_bytes
    );
    pump.close(slow, CloseReason::Lost);
    assert_eq!(pump.hubs[1].status().queue_bytes_largest, 0);
}

#[test]
fn empty_messages_fill_a_queue_too() {
    let mut app = relay();
    app.options(|options| options.limits.messages_queue_bytes_max = 300_000);
    let mut pump = Pump::new(&mut app, 1, 1);
    let (slow, speaker) = (pump.open(0, "/ws"), pump.open(0, "/ws"));
    pump.client(slow).stalled = true;
    for _ in 0..300_000 / FRAME_OVERHEAD_BYTES {
        pump.text(speaker, "");
    }
    pump.settle();
    assert_eq!(pump.clients[&slow].closed.as_ref().unwrap().0, 1013);
}

fn busy_world() -> App {
    let mut app = App::new();
    app.lanes("/world")
        .world(WorldConfig::default())
        .populate(200, |genesis, entity| {
            let mut chance = genesis.chance(entity, "place");
            Draft::at(Point::flat(
                chance.range(400.0, 600.0),
                chance.range(400.0, 600.0),
            ))
        })
        .system(FixedUpdate, |step: &mut Step<'_>| {
            for position in step.query::<&mut Position>().iter() {
                position.0.x += 0.01;
            }
        });
    app
}

#[test]
fn stale_state_never_closes_a_client_and_one_that_reads_again_catches_up() {
    for acks in [false, true] {
        let mut pump = Pump::new(&mut busy_world(), 2, 3);
        let session = pump.open(0, "/world");
        join_with(&mut pump, session, [500.0, 500.0, 0.0], acks);
        for _ in 0..5 {
            pump.run(1);
            if acks {
                acknowledge(&mut pump, session);
            }
        }
        pump.client(session).stalled = true;
        pump.run(200);
        let waiting = pump.clients[&session].unread.len();
        assert!(
            (1..=16).contains(&waiting),
            "acks {acks}: {waiting} deltas wait"
        );
        assert_eq!(pump.clients[&session].closed, None);
        let before = deltas(&pump, session).len();
        pump.read(session);
        if acks {
            acknowledge(&mut pump, session);
        }
        // The viewpoint may be another shard's: the credit travels to it.
        pump.settle();
        pump.run(1);
        let after = deltas(&pump, session);
        // What waited, and one that has all that was missed.
        assert_eq!(after.len(), before + waiting + 1, "acks {acks}");
        assert_eq!(after.last().unwrap().tick, pump.tick().0);
    }
}

#[test]
fn joining_again_and_again_without_reading_is_refused_before_it_fills_memory() {
    for acks in [false, true] {
        let mut pump = Pump::new(&mut busy_world(), 2, 3);
        let session = pump.open(0, "/world");
        pump.client(session).stalled = true;
        let mut leave = Vec::new();
        ClientMessage::Leave.encode(None, None, &mut leave);
        for _ in 0..100 {
            join_with(&mut pump, session, [500.0, 500.0, 0.0], acks);
            pump.run(3);
            pump.binary(session, &leave);
            pump.run(3);
        }
        let unread = &pump.clients[&session].unread;
        let waiting = unread
            .iter()
            .filter(|payload| matches!(payload, Payload::Binary(_)))
            .count();
        // One more than 16 lets in a last viewpoint with two of its own.
        assert!((17..=18).contains(&waiting), "acks {acks}: {waiting}");
        pump.read(session);
        let client = &pump.clients[&session];
        assert_eq!(client.closed, None);
        let refused = |text: &&str| text.contains("RATE_LIMITED");
        assert!(client.texts().iter().any(refused));
        let before = deltas(&pump, session).len();
        join_with(&mut pump, session, [500.0, 500.0, 0.0], acks);
        pump.run(3);
        assert!(deltas(&pump, session).len() > before, "it may join again");
    }
}

#[test]
fn an_overview_subscriber_has_at_most_one_frame_of_each_shard_on_its_way() {
    let mut pump = Pump::new(&mut busy_world(), 4, 3);
    let (reader, slow) = (pump.open(0, "/world"), pump.open(0, "/world"));
    let mut message = Vec::new();
    ClientMessage::Overview {
        on: true,
        ghosts: false,
    }
    .encode(None, None, &mut message);
    for session in [reader, slow] {
        pump.binary(session, &message);
    }
    pump.settle();
    pump.client(slow).stalled = true;
    pump.run(40);
    // 20 ticks a second, at most 10 frames a second.
    let frames = overviews(&pump, reader);
    let busiest = (0..4)
        .map(|shard| frames.iter().filter(|(of, _)| *of == shard).count())
        .max();
    assert_eq!(busiest, Some(20));
    assert!((0..4).all(|shard| frames.iter().any(|(of, _)| *of == shard)));
    assert_eq!(pump.clients[&slow].unread.len(), 4);
    // Turning the stream off and on queues nothing more.
    let mut off = Vec::new();
    ClientMessage::Overview {
        on: false,
        ghosts: false,
    }
    .encode(None, None, &mut off);
    for _ in 0..10 {
        pump.binary(slow, &off);
        pump.binary(slow, &message);
    }
    pump.run(4);
    assert_eq!(pump.clients[&slow].unread.len(), 4);
    // It reads: the newest follows by itself.
    pump.read(slow);
    let newest = |session| {
        overviews(&pump, session)
            .iter()
            .map(|(_, tick)| *tick)
            .max()
    };
    assert_eq!(newest(slow), newest(reader));

    pump.binary(reader, &off);
    pump.binary(slow, &off);
    pump.settle();
    let laid_out: u64 = pump.hubs.iter().map(|hub| hub.status().overviews).sum();
    pump.run(10);
    let after: u64 = pump.hubs.iter().map(|hub| hub.status().overviews).sum();
    assert_eq!(after, laid_out, "laid out for nobody");
}

#[test]
fn an_idle_world_sends_nothing() {
    let mut app = App::new();
    app.lanes("/world").world(WorldConfig::default());
    app.populate(50, |_, entity| {
        Draft::at(Point::flat(entity.0 as f32 * 10.0, 500.0))
    });
    let mut pump = Pump::new(&mut app, 2, 3);
    let session = pump.open(0, "/world");
    join_camera(&mut pump, session, [250.0, 500.0, 0.0]);
    let mut message = Vec::new();
    ClientMessage::Overview {
        on: true,
        ghosts: true,
    }
    .encode(None, None, &mut message);
    pump.binary(session, &message);
    pump.run(10);
    let before: u64 = pump.hubs.iter().map(|hub| hub.status().frames_out).sum();
    assert!(!deltas(&pump, session).is_empty() && !overviews(&pump, session).is_empty());
    pump.run(50);
    let after: u64 = pump.hubs.iter().map(|hub| hub.status().frames_out).sum();
    assert_eq!(after, before);
}

/// Source and tick of the overviews that a client read.
fn overviews(pump: &Pump, session: SessionId) -> Vec<(u16, u64)> {
    use worldshard_protocol::{HotHeader, read_overview, world::OPCODE_S2C_OVERVIEW};
    let frames = pump.clients[&session]
        .received
        .iter()
        .filter_map(|payload| match payload {
            Payload::Text(_) => None,
            Payload::Binary(bytes) => {
                let (header, rest) = HotHeader::parse(bytes).unwrap();
                (header.opcode == OPCODE_S2C_OVERVIEW).then_some(rest)
            }
        });
    frames
        .map(|bytes| {
            let overview = read_overview(bytes).unwrap();
            (overview.shard.to_native(), overview.tick.to_native())
        })
        .collect()
}

/// Room for four messages of these bytes.
fn four_of(len: usize) -> usize {
    4 * (len + 4 + FRAME_OVERHEAD_BYTES)
}

#[test]
fn a_buffer_for_four_messages_takes_four_and_the_fifth_closes_who_does_not_read() {
    const BYTES: usize = 1000;
    for shards in [1, 2, 8] {
        let mut app = relay();
        app.options(|options| {
            options.limits.message_bytes_max = BYTES;
            options.limits.messages_queue_bytes_max = four_of(BYTES);
        });
        let mut pump = Pump::new(&mut app, shards, 1);
        let slow = pump.open(shards - 1, "/ws");
        let (reader, speaker) = (pump.open(0, "/ws"), pump.open(0, "/ws"));
        pump.client(slow).stalled = true;
        for nth in 1..=5 {
            pump.text(speaker, &"m".repeat(BYTES));
            pump.settle();
            let closed = pump.clients[&slow].closed.as_ref().map(|(code, _)| *code);
            let expected = (nth == 5).then_some(1013);
            assert_eq!(closed, expected, "at {nth} on {shards} shards");
        }
        assert_eq!(pump.clients[&slow].unread.len(), 4);
        assert_eq!(pump.clients[&reader].received.len(), 5);
    }
}

#[test]
fn a_buffer_for_four_messages_that_may_be_lost_keeps_four_and_drops_the_rest() {
    const BYTES: usize = 1000;
    for shards in [1, 2, 8] {
        let mut app = App::new();
        app.raw("/ws").system(Update, |cx: &mut Context| {
            for message in cx.messages() {
                cx.send_lossy(Audience::All, message.payload.clone());
            }
        });
        // Dropped is what finds more than that waiting.
        app.options(|options| options.limits.lossy_queue_bytes_max = four_of(BYTES) - 1);
        let mut pump = Pump::new(&mut app, shards, 1);
        let slow = pump.open(shards - 1, "/ws");
        let (reader, speaker) = (pump.open(0, "/ws"), pump.open(0, "/ws"));
        pump.client(slow).stalled = true;
        for _ in 0..10 {
            pump.text(speaker, &"m".repeat(BYTES));
            pump.settle();
        }
        assert_eq!(pump.clients[&slow].unread.len(), 4, "on {shards} shards");
        assert_eq!(pump.clients[&slow].closed, None);
        assert_eq!(pump.clients[&reader].received.len(), 10);
        let status = pump.hub(ShardId(shards - 1)).status();
        assert_eq!(status.lossy_dropped, 6);
    }
}
