//! Sessions that go on over another socket, on each runtime: the token's ways, what is refused, and what others see.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use worldshard::Runtime;
use worldshard::prelude::*;
use worldshard_client::{ClientError, Connection, Event as Heard};
use worldshard_protocol::{InterestWish, ViewpointMode};

use crate::socket::{PATIENCE, end, eventually, get, http, on_each_runtime, serve, tcp};

type Log = Arc<Mutex<Vec<Event>>>;

/// A still world of stones, 10 m apart, in which avatars walk.
fn stones(runtime: Runtime, shards: u16, grace: Duration, log: &Log) -> App {
    let log = log.clone();
    let mut app = App::new();
    app.lanes("/world")
        .world(WorldConfig {
            tick_interval: Duration::from_millis(20),
            ..WorldConfig::default()
        })
        .populate(100 * 100, |_, stone| Draft::at(place(stone.0 - 1)))
        .avatar(|_, at| Draft::at(at))
        .system(Update, move |cx: &mut Context<'_>| {
            log.lock().unwrap().extend(cx.events().cloned());
        })
        .bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .options(|options| {
            options.limits.resume_grace = grace;
            options.limits.close_deadline = Duration::from_millis(500);
        });
    app
}

fn place(stone: u64) -> Point {
    Point::flat(
        10.0 * (stone % 100) as f32 + 5.0,
        10.0 * (stone / 100) as f32 + 5.0,
    )
}

fn enter(address: SocketAddr, at: [f32; 3]) -> (Connection, u64) {
    let mut client = Connection::enter(address, "/world", PATIENCE).unwrap();
    client.join(ViewpointMode::Avatar, Some(at), InterestWish::Default);
    let joined = client.until(PATIENCE, |event| match event {
        Heard::Text(text) if text.contains("joined") => {
            let text: Value = serde_json::from_str(text).unwrap();
            text["data"]["entity"].as_u64()
        }
        _ => None,
    });
    (client, joined.unwrap())
}

/// The stones within the interest of who stands at `at`, and the avatars given.
fn oracle(at: Point, avatars: &[u64], radius_m: f32) -> Vec<EntityId> {
    // Entities are numbered from 1 in the order in which they are made.
    let near = (0..100 * 100).filter(|&stone| (place(stone) - at).length() <= radius_m);
    let mut ids: Vec<u64> = near
        .map(|stone| stone + 1)
        .chain(avatars.iter().copied())
        .collect();
    ids.sort_unstable();
    ids.into_iter().map(EntityId).collect()
}

fn delta(client: &mut Connection) {
    let delta = |event: &Heard| matches!(event, Heard::Delta(_)).then_some(());
    client.until(PATIENCE, delta).unwrap();
}

fn closed(log: &Log) -> Vec<Event> {
    let log = log.lock().unwrap();
    let is_closed = |event: &&Event| matches!(event, Event::Closed(..));
    log.iter().filter(is_closed).cloned().collect()
}

fn status(address: SocketAddr, name: &str) -> u64 {
    let status: Value = serde_json::from_str(&get(address, "/status").1).unwrap();
    let shards = status["shards"].as_array().unwrap().iter();
    shards.map(|one| one[name].as_u64().unwrap()).sum()
}

#[test]
fn a_cut_connection_is_followed_by_another_with_the_same_entity_and_sight_and_nobody_sees_a_leave()
{
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let log = Log::default();
            let grace = Duration::from_secs(60);
            let (running, address) = serve(&mut stones(runtime, shards, grace, &log));
            let at = [512.0, 512.0, 0.0];
            let (mut client, entity) = enter(address, at);
            let (mut witness, other) = enter(address, [514.0, 512.0, 0.0]);
            delta(&mut witness);
            let greeted = client.resume_token().unwrap().to_owned();
            for round in 0..5 {
                // Sometimes the server is not told that it is gone.
                if round % 2 == 0 {
                    client.stream().shutdown(Shutdown::Both).unwrap();
                    eventually(PATIENCE, "the cut is noticed", || {
                        status(address, "detached") == 1
                    });
                }
                let (resumed, greeting) =
                    Connection::resume(address, "/world", &client, PATIENCE).unwrap();
                if round % 2 == 1 {
                    let end = client.until(PATIENCE, |event| match event {
                        Heard::Closed { code, reason } => Some((*code, reason.clone())),
                        _ => None,
                    });
                    let (code, reason) = end.unwrap();
                    assert_eq!(code, 4001, "{reason}");
                }
                client = resumed;
                assert_eq!(greeting.entity, Some(entity), "round {round}");
                assert_eq!(greeting.command_sequence, Some(client.sequence()));
                delta(&mut client);
                let radius_m = greeting.interest.radius_m;
                let expected = oracle(Point::flat(at[0], at[1]), &[entity, other], radius_m);
                let seen: Vec<EntityId> = client.view().ids().collect();
                assert_eq!(seen, expected, "round {round}");
                client.steer([0.0; 3]);
                while client.view().command_sequence() != client.sequence() {
                    delta(&mut client);
                }
            }
            while let Some(event) = witness.try_receive().unwrap() {
                if let Heard::Delta(applied) = &event {
                    assert_eq!(applied.left, 0, "{event:?}");
                }
            }
            assert!(witness.view().get(EntityId(entity)).is_some());
            assert_eq!(closed(&log), []);
            refuses(address, &greeted);
            end(running);
        }
    });
}

/// What is no token, and one that was used.
fn refuses(address: SocketAddr, used: &str) {
    let upgrade = |path: &str, more: &str| {
        http(
            address,
            &format!(
                "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{more}\r\n"
            ),
        )
    };
    let forged = used.replace(['0', '1'], "2");
    let (unsigned, gone) = (
        (
            401,
            "the resume token is not one of this server\n".to_owned(),
        ),
        (410, "there is no session to resume\n".to_owned()),
    );
    let protocol = |token: &str| format!("Sec-WebSocket-Protocol: worldshard.resume.{token}\r\n");
    assert_eq!(upgrade(&format!("/world?resume={forged}"), ""), unsigned);
    assert_eq!(upgrade("/world?resume=", ""), unsigned);
    assert_eq!(upgrade("/world", &protocol(&forged)), unsigned);
    assert_eq!(upgrade(&format!("/world?resume={used}"), ""), gone);
    assert_eq!(upgrade("/world", &protocol(used)), gone);
}

#[test]
fn a_token_in_a_subprotocol_is_answered_by_that_subprotocol() {
    on_each_runtime(|runtime| {
        let grace = Duration::from_secs(60);
        let (running, address) = serve(&mut stones(runtime, 8, grace, &Log::default()));
        for number in 0..4_u32 {
            let (client, _) = enter(address, [512.0, 500.0 + number as f32, 0.0]);
            let token = client.resume_token().unwrap();
            let protocol = format!("worldshard.resume.{token}");
            let mut stream = tcp(address);
            let request = format!(
                "GET /world HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
                 Sec-WebSocket-Protocol: chat, {protocol}\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).unwrap();
            let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
            while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
                let len = stream.read(&mut buffer).unwrap();
                assert!(len > 0, "{}", String::from_utf8_lossy(&bytes));
                bytes.extend_from_slice(&buffer[..len]);
            }
            let answer = String::from_utf8_lossy(&bytes);
            assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
            let line = format!("\r\nSec-WebSocket-Protocol: {protocol}\r\n");
            assert!(answer.contains(&line), "{answer}");
        }
        end(running);
    });
}

#[test]
fn after_the_grace_the_avatar_leaves_and_the_end_is_told_once() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let log = Log::default();
            let grace = Duration::from_millis(400);
            let (running, address) = serve(&mut stones(runtime, shards, grace, &log));
            let (client, entity) = enter(address, [512.0, 512.0, 0.0]);
            let (mut witness, _) = enter(address, [514.0, 512.0, 0.0]);
            delta(&mut witness);
            assert!(witness.view().get(EntityId(entity)).is_some());
            client.stream().shutdown(Shutdown::Both).unwrap();
            let left = witness.until(PATIENCE, |event| match event {
                Heard::Delta(applied) if applied.left > 0 => Some(applied.left),
                _ => None,
            });
            assert_eq!(left.unwrap(), 1);
            assert!(witness.view().get(EntityId(entity)).is_none());
            let refused = Connection::resume(address, "/world", &client, PATIENCE);
            assert!(
                matches!(&refused, Err(ClientError::Handshake(refusal)) if refusal.status == 410),
                "{refused:?}"
            );
            assert_eq!(closed(&log).len(), 1);
            witness.close(1000, "");
            witness.flush().unwrap();
            eventually(PATIENCE, "the witness is gone", || closed(&log).len() == 2);
            end(running);
        }
    });
}
