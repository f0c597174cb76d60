//! The fuzz targets' corpora, and damaged copies of them, said to a server over its socket: it takes them all, and is as
//! well as before.
//!
//! WORLDSHARD_FULL=1 damages a hundred times as many.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::path::Path;

use worldshard::Runtime;
use worldshard::prelude::*;
use worldshard_protocol::{ClientMessage, InterestWish, ViewpointMode};
use worldshard_shard::Chance;
use worldshard_transport::{MessageKind, masked_frame};

use crate::socket::{Client, MASK, PATIENCE, end, eventually, get, on_each_runtime, serve, tcp};

#[test]
fn no_bytes_that_a_peer_may_say_trouble_the_server() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut world_and_echo(runtime, shards));
            let mut chance = Chance::new(u64::from(shards), EntityId(1), Tick(0), "damage");
            // One more says something in the end.
            let mut sessions = 1;
            for head in said("http_head", &mut chance) {
                // Some ask for a WebSocket, and get it.
                sessions += u64::from(say(address, None, &head).starts_with(b"HTTP/1.1 101"));
            }
            for frames in said("frames_server", &mut chance) {
                // The first byte says how the target cuts the others.
                for path in ["/ws", "/world"] {
                    say(address, Some(path), frames.get(1..).unwrap_or_default());
                    sessions += 1;
                }
            }
            for (lane, kind) in [
                ("hot_lane", MessageKind::Binary),
                ("ext_lane", MessageKind::Text),
            ] {
                for messages in said(lane, &mut chance).chunks(MESSAGES) {
                    let mut frames = masked_frame(MessageKind::Binary, &join(), MASK).to_vec();
                    for message in messages {
                        frames.extend_from_slice(&masked_frame(kind, message, MASK));
                    }
                    say(address, Some("/world"), &frames);
                    sessions += 1;
                }
            }
            Client::connect(address, "/ws").echoes(MessageKind::Text, b"well");
            assert_eq!(get(address, "/healthz"), (200, "ok\n".to_owned()));
            // The server tells how it is twice a second.
            let mut told: [u64; 4] = [0; 4];
            eventually(
                PATIENCE,
                "all are told of and gone, and nothing failed",
                || {
                    let (_, body) = get(address, "/status");
                    let status: serde_json::Value = serde_json::from_str(&body).unwrap();
                    let all = status["shards"].as_array().unwrap();
                    for shard in all {
                        assert_eq!(shard["faults"], 0, "{shard}");
                        assert_eq!(shard["world"]["audit_failures"], 0, "{shard}");
                    }
                    let gone = |shard: &serde_json::Value| {
                        shard["sessions"] == 0 && shard["world"]["viewers"] == 0
                    };
                    let sum =
                        |name: &str| all.iter().map(|shard| shard[name].as_u64().unwrap()).sum();
                    told = ["opened", "messages_in", "commands", "refused"].map(sum);
                    told[0] == sessions && all.iter().all(gone)
                },
            );
            println!("{shards} shards: opened, messages, commands, refused: {told:?}");
            assert!(told[1] > 200 && told[2] > 30 && told[3] > 100, "{told:?}");
            end(running);
        }
    });
}

fn world_and_echo(runtime: Runtime, shards: u16) -> App {
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .raw("/ws")
        .lanes("/world")
        .world(WorldConfig::default())
        .populate(50, |_, entity| {
            Draft::at(Point::flat(entity.0 as f32 * 20.0, 512.0))
        })
        .avatar(|_, at| Draft::at(at).with(Steering::default()))
        .system(Update, |cx: &mut Context<'_>| {
            for message in cx.messages() {
                cx.send(Audience::One(message.session), message.payload.clone());
            }
        });
    app
}

fn join() -> Vec<u8> {
    let mut join = Vec::new();
    ClientMessage::Join {
        mode: ViewpointMode::Avatar,
        at: Some([512.0, 512.0, 0.0]),
        interest: InterestWish::Default,
        full: false,
        acks: true,
    }
    .encode(Some(1), None, &mut join);
    join
}

/// Connects, says all of it, over a WebSocket at `path` if there is one, says no more, and hears the server out.
fn say(address: SocketAddr, path: Option<&str>, bytes: &[u8]) -> Vec<u8> {
    let mut stream = match path {
        Some(path) => Client::connect(address, path).stream,
        None => tcp(address),
    };
    // A server that has had enough refuses the rest.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut heard = Vec::new();
    // What came before a reset still counts.
    let _ = stream.read_to_end(&mut heard);
    heard
}

/// What is committed for a fuzz target, and damaged copies of it.
fn said(target: &str, chance: &mut Chance) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let mut all: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(all.len() >= 5, "the corpus of {target} is gone");
    let whole = all.len();
    let full = std::env::var("WORLDSHARD_FULL").is_ok_and(|full| full == "1");
    for _ in 0..if full { 100 * DAMAGED } else { DAMAGED } {
        let mut draw = |below: usize| (chance.next_u64() % below.max(1) as u64) as usize;
        let mut bytes = all[draw(whole)].clone();
        for _ in 0..=draw(4) {
            let (at, byte) = (draw(bytes.len()), draw(256) as u8);
            match draw(4) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, byte),
                2 if !bytes.is_empty() => bytes[at] ^= 1 << (byte % 8),
                _ if !bytes.is_empty() => bytes[at] = byte,
                _ => bytes.push(byte),
            }
        }
        all.push(bytes);
    }
    all
}

/// Of each target.
const DAMAGED: usize = 120;

/// Said one after the other by one peer, unless the server closes before.
const MESSAGES: usize = 8;
