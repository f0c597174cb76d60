//! Tests of the plugins through public interfaces, in hubs that one thread drives.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic: the permission for tests does not reach their helpers"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test waits for one event and lets the others pass"
)]

#[expect(
    dead_code,
    reason = "made for the tests of the engine, which need more"
)]
#[path = "../../../engine/tests/it/pump.rs"]
mod pump;
#[path = "../../../engine/tests/it/runtimes.rs"]
mod runtimes;
#[expect(
    dead_code,
    reason = "made for the tests of the engine, which need more"
)]
#[path = "../../../engine/tests/it/socket.rs"]
mod socket;

mod chaos;
mod chat;
mod gateway;
mod heartbeat;
mod lobby;
mod net;
mod presence;
mod rate_limit;
mod snapshot;
mod spatial;
mod together;

use std::time::Duration;

use worldshard::prelude::*;

use pump::Pump;

/// The shards that everything is tried on.
const SHARDS: [u16; 3] = [1, 2, 8];

const TICK: Duration = Duration::from_millis(50);

/// Ticks in a time.
fn ticks(time: Duration) -> u64 {
    (time.as_nanos() / TICK.as_nanos()) as u64
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A raw path, one with lanes, and plugins.
fn app(plugins: impl Plugin) -> App {
    let mut app = App::new();
    app.raw("/ws")
        .lanes("/app")
        .world(WorldConfig {
            tick_interval: TICK,
            ..WorldConfig::default()
        })
        .plugin(plugins);
    app
}

/// Says to all what systems are told.
fn relay(cx: &mut Context) {
    for message in cx.messages() {
        cx.send(Audience::All, message.payload.clone());
    }
}

fn texts(pump: &Pump, session: SessionId) -> Vec<&str> {
    pump.clients[&session].texts()
}

/// Has a client say something, and everything happen that follows.
fn say(pump: &mut Pump, session: SessionId, text: &str) {
    pump.text(session, text);
    pump.settle();
}

/// What a client has heard since the last time.
fn heard(pump: &mut Pump, session: SessionId) -> Vec<String> {
    let heard = pump
        .client(session)
        .texts()
        .into_iter()
        .map(String::from)
        .collect();
    pump.client(session).received.clear();
    heard
}
