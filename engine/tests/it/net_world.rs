//! Single things that a world does for its clients, over real sockets: moves, and the news of zones.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use worldshard::Runtime;
use worldshard::prelude::*;
use worldshard_client::{Connection, Event as Heard};
use worldshard_protocol::{ErrorCode, InterestWish, ViewpointMode};
use worldshard_transport::MessageKind;

use crate::hub_zones::{START_M, news, town};
use crate::socket::{
    Client, Heard as HeardRaw, PATIENCE, end, eventually, get, on_each_runtime, serve,
};

/// Puts a world on a free port.
fn placed(mut app: App, runtime: Runtime, shards: u16) -> App {
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .options(|options| options.limits.close_deadline = Duration::from_millis(500));
    app
}

fn handoffs(address: SocketAddr) -> u64 {
    let status: Value = serde_json::from_str(&get(address, "/status").1).unwrap();
    let shards = status["shards"].as_array().unwrap().iter();
    shards
        .map(|one| one["world"]["handoffs_in"].as_u64().unwrap())
        .sum()
}

fn joined(client: &mut Connection, at: [f32; 3]) {
    client.join(ViewpointMode::Avatar, Some(at), InterestWish::Default);
    let delta = |event: &Heard| matches!(event, Heard::Delta(_)).then_some(());
    client.until(PATIENCE, delta).unwrap();
}

/// Where the only entity of the world is, once this client's last command is done.
fn own_place(client: &mut Connection) -> [f32; 3] {
    while client.view().command_sequence() != client.sequence() {
        let delta = |event: &Heard| matches!(event, Heard::Delta(_)).then_some(());
        client.until(PATIENCE, delta).unwrap();
    }
    let (_, own) = client.view().iter().next().unwrap();
    own.record.position()
}

#[test]
fn a_move_over_a_socket_is_made_and_one_too_far_or_nowhere_is_refused_with_a_code() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let mut app = App::new();
            app.world(WorldConfig::default())
                .avatar(|_, at| Draft::at(at));
            let (running, address) = serve(&mut placed(app, runtime, shards));
            let mut client = Connection::enter(address, "/world", PATIENCE).unwrap();
            joined(&mut client, [1000.0, 1000.0, 0.0]);
            let place = [1001.5, 999.0, 0.0];
            client.move_to(place);
            assert_eq!(own_place(&mut client), place);
            let mut refused = vec![
                ([1025.0, 999.0, 0.0], ErrorCode::NotAllowed),
                // 40 m/s and 20 ticks a second: 2 m in a tick are the most.
                ([1003.6, 999.0, 0.0], ErrorCode::NotAllowed),
            ];
            for axis in 0..3 {
                for nowhere in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    let mut to = place;
                    to[axis] = nowhere;
                    refused.push((to, ErrorCode::BadRequest));
                }
            }
            for (to, code) in refused {
                client.move_to(to);
                let told = client.until(PATIENCE, |event| match event {
                    Heard::Error(refused) => Some(refused.clone()),
                    _ => None,
                });
                let told = told.unwrap();
                assert_eq!(told.code, code, "{to:?}: {told:?}");
            }
            // As far as it may from where it was: none of the others has moved it.
            let next = [1001.5, 1001.0, 0.0];
            client.move_to(next);
            assert_eq!(own_place(&mut client), next);
            end(running);
        }
    });
}

#[test]
fn old_and_new_zone_are_told_over_sockets_once_per_crossing() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let town = town(Duration::from_millis(2));
            let (running, address) = serve(&mut placed(town, runtime, shards));
            let mut listener = Client::connect(address, "/ws");
            let mut walker = Connection::enter(address, "/world", PATIENCE).unwrap();
            joined(&mut walker, START_M);
            walker.steer([1.0, 0.0, 0.0]);
            walker.flush().unwrap();
            for expected in news() {
                let expected = HeardRaw::Message(MessageKind::Text, expected.into_bytes());
                assert_eq!(listener.hear(), expected, "{shards} shards");
            }
            // A shard tells of itself from time to time.
            eventually(PATIENCE, "shards tell of handoffs", || {
                (handoffs(address) > 0) == (shards > 1)
            });
            // Nothing was told twice, or it would stand before this.
            listener.close(1000, "");
            let close = HeardRaw::Close(Some(1000), String::new());
            assert_eq!(listener.hear(), close);
            end(running);
        }
    });
}
