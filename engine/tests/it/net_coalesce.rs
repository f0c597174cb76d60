//! Messages to many that share writes, over real sockets: how many writes, in which order, and who waits for what.

use std::net::SocketAddr;
use std::time::Duration;

use worldshard::prelude::*;
use worldshard::worlds::{self, WorldName};
use worldshard::{Coalesce, Runtime};
use worldshard_client::protocol::{InterestWish, ViewpointMode};
use worldshard_client::{Connection, Event};
use worldshard_transport::{MessageKind, masked_frame};

use crate::socket::{
    Client, Heard, MASK, PATIENCE, end, eventually, get, now, on_each_runtime, serve,
};

/// Texts that begin with `all` go to all, with `but` to all but their sender; others come back.
fn app(runtime: Runtime, shards: u16, coalesce: Coalesce) -> App {
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .coalesce(coalesce)
        .system(Update, |cx: &mut Context| {
            for message in cx.messages() {
                let audience = match message.payload.as_text() {
                    Some(text) if text.starts_with("all") => Audience::All,
                    Some(text) if text.starts_with("but") => Audience::AllBut(message.session),
                    _ => Audience::One(message.session),
                };
                cx.send(audience, message.payload.clone());
            }
        })
        .options(|options| options.limits.close_deadline = Duration::from_millis(500));
    app
}

/// The same with a tick so long that none comes while a test waits.
fn without_ticks(runtime: Runtime, shards: u16, coalesce: Coalesce) -> App {
    let mut app = app(runtime, shards, coalesce);
    app.world(WorldConfig {
        tick_interval: NO_TICK,
        ..WorldConfig::default()
    });
    app
}

/// A client that is known to the server: it has heard its own voice.
fn settled(address: SocketAddr) -> Client {
    let mut client = Client::connect(address, "/ws");
    client.echoes(MessageKind::Text, b"one");
    client
}

fn hears(client: &mut Client, text: &str) {
    let expected = Heard::Message(MessageKind::Text, text.as_bytes().to_vec());
    assert_eq!(client.hear(), expected);
}

fn say_all(client: &mut Client, texts: &[String]) {
    let frames = texts
        .iter()
        .map(|text| masked_frame(MessageKind::Text, text.as_bytes(), MASK));
    client.write(&frames.flatten().collect::<Vec<u8>>());
}

/// A number of `/status`, summed over the shards.
fn count(address: SocketAddr, name: &str) -> u64 {
    let (_, body) = get(address, "/status");
    let status: serde_json::Value = serde_json::from_str(&body).unwrap();
    let shards = status["shards"].as_array().unwrap();
    shards
        .iter()
        .map(|shard| shard[name].as_u64().unwrap())
        .sum()
}

#[test]
fn messages_to_all_within_a_window_reach_each_client_in_few_writes_and_in_order() {
    on_each_runtime(|runtime| {
        for shards in [1, 2] {
            let coalesce = Coalesce::Within(Duration::from_millis(500));
            let (running, address) = serve(&mut app(runtime, shards, coalesce));
            let mut clients: Vec<Client> = (0..CLIENTS).map(|_| settled(address)).collect();
            let texts: Vec<String> = (0..MESSAGES)
                .map(|number| format!("all {number}"))
                .collect();
            say_all(&mut clients[0], &texts);
            for client in &mut clients {
                texts.iter().for_each(|text| hears(client, text));
            }
            let frames = (CLIENTS * (MESSAGES + 1)) as u64;
            eventually(PATIENCE, "the numbers are shown", || {
                count(address, "frames_out") == frames
            });
            // Answers to this test's questions are writes too, ten in the time of a window at the most.
            let writes = count(address, "writes");
            assert!(
                writes < frames / 10,
                "{writes} writes for {frames} messages"
            );
            end(running);
        }
    });
}

#[test]
fn a_message_to_one_takes_along_what_waits_before_it_and_leaves_the_rest_waiting() {
    on_each_runtime(|runtime| {
        for shards in [1, 2] {
            let (running, address) = serve(&mut without_ticks(runtime, shards, Coalesce::Tick));
            let began = now();
            let (mut one, mut two) = (settled(address), settled(address));
            say_all(
                &mut one,
                &["all 1", "but 2", "all 3", "one 4", "all 5"].map(str::to_owned),
            );
            for text in ["all 1", "all 3", "one 4"] {
                hears(&mut one, text);
            }
            assert!(began.elapsed() < NO_TICK, "the echo waited for the tick");
            // Nothing was said to the other alone: it has all of its messages from the end of the server.
            running.stop();
            for text in ["all 1", "but 2", "all 3", "all 5"] {
                hears(&mut two, text);
            }
            hears(&mut one, "all 5");
            for client in [&mut one, &mut two] {
                assert!(matches!(client.hear(), Heard::Close(Some(1001), _)));
            }
            assert!(began.elapsed() < NO_TICK, "the drain waited for the tick");
            drop((one, two));
            running.join().unwrap();
        }
    });
}

#[test]
fn what_waits_leaves_by_itself_at_the_end_of_the_window_or_tick() {
    on_each_runtime(|runtime| {
        let within = Coalesce::Within(Duration::from_millis(50));
        for mut app in [
            without_ticks(runtime, 2, within),
            without_ticks(runtime, 2, Coalesce::Within(Duration::ZERO)),
            app(runtime, 2, Coalesce::Tick),
        ] {
            let (running, address) = serve(&mut app);
            let (mut one, mut two) = (settled(address), settled(address));
            let began = now();
            for text in ["all 1", "but 2", "all 3"] {
                one.say(MessageKind::Text, text.as_bytes());
            }
            for text in ["all 1", "all 3"] {
                hears(&mut one, text);
            }
            for text in ["all 1", "but 2", "all 3"] {
                hears(&mut two, text);
            }
            assert!(began.elapsed() < NO_TICK, "nothing ended the window");
            end(running);
        }
    });
}

#[test]
fn messages_too_many_for_one_write_come_whole_and_in_order() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut without_ticks(runtime, 1, Coalesce::Tick));
        let (mut one, mut two) = (settled(address), settled(address));
        let texts: Vec<String> = (0..200)
            .map(|number| format!("all {number} {}", "x".repeat(number * 150)))
            .collect();
        say_all(&mut one, &texts);
        say_all(&mut one, &["one".to_owned()]);
        texts.iter().for_each(|text| hears(&mut one, text));
        hears(&mut one, "one");
        // What has not filled a write yet waits for the tick that does not come.
        running.stop();
        texts.iter().for_each(|text| hears(&mut two, text));
        drop((one, two));
        running.join().unwrap();
    });
}

#[test]
fn a_client_of_a_world_gets_all_that_a_tick_has_for_it_in_one_write() {
    on_each_runtime(|runtime| {
        let mut app = App::new();
        let world = worlds::world(WorldName::Flock, 200, 3);
        app.bind("127.0.0.1:0")
            .runtime(runtime)
            .shards(1)
            .coalesce(Coalesce::Tick)
            .plugin(world.tick_interval(Duration::from_millis(20)))
            .resource(|| Tick(0))
            .system(Update, |cx: &mut Context| {
                let tick = cx.tick();
                if std::mem::replace(&mut *cx.resource_mut::<Tick>(), tick) != tick {
                    (0..SAID).for_each(|number| cx.send(Audience::All, format!("{tick} {number}")));
                }
            });
        let (running, address) = serve(&mut app);
        let mut clients: Vec<Connection> = (0..CLIENTS)
            .map(|_| {
                let mut client = Connection::enter(address, "/world", PATIENCE).unwrap();
                client.join(ViewpointMode::Camera, None, InterestWish::Default);
                client.flush().unwrap();
                client
            })
            .collect();
        let mut deltas = 0;
        let began = (count(address, "writes"), count(address, "frames_out"));
        for _ in 0..100 {
            for client in &mut clients {
                let delta = |event: &Event| matches!(event, Event::Delta(_)).then_some(());
                client.until(PATIENCE, delta).unwrap();
                deltas += 1;
            }
        }
        eventually(PATIENCE, "the numbers are shown", || {
            count(address, "frames_out") - began.1 > deltas * (SAID + 1)
        });
        let writes = count(address, "writes") - began.0;
        let frames = count(address, "frames_out") - began.1;
        // Beside the ticks: the questions after the numbers, and the answers to the joins.
        assert!(
            writes * (SAID + 1) < frames * 3 / 2,
            "{writes} writes for {frames} frames, {} a tick",
            SAID + 1
        );
        drop(clients);
        end(running);
    });
}

/// Messages to all in each tick.
const SAID: u64 = 5;

const CLIENTS: usize = 10;
const MESSAGES: usize = 200;

/// The longest that a tick may be, and as long as a client waits for anything.
const NO_TICK: Duration = Duration::from_secs(10);
