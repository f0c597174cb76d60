//! The hook over real sockets on both ends: clients of a server, and a service that answers by a script.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic: the permission for tests does not reach their helpers"
)]

#[path = "../../../engine/tests/it/runtimes.rs"]
mod runtimes;
#[expect(
    dead_code,
    reason = "made for the tests of the engine, which need more"
)]
#[path = "../../../engine/tests/it/socket.rs"]
mod socket;

mod backend;

mod auth;
mod documents;
mod events;
mod failures;
mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use worldshard::prelude::*;
use worldshard_hook::{HookOptions, HookPlugin, HookWatch};
use worldshard_transport::MessageKind;

use backend::Backend;
use socket::{Client, Heard, echo_app, end, on_each_runtime, serve};

/// The shards that everything is tried on.
const SHARDS: [u16; 3] = [1, 2, 8];

const SECRET: &[u8] = b"sixteen bytes of it, and more";

/// Options of a hook to a service, with short pauses.
fn options(backend: &Backend) -> HookOptions {
    let mut options = HookOptions::new(backend.url(), SECRET);
    options.pause = Duration::from_millis(10);
    options
}

/// An echo at `/ws`, lanes at `/world`, and a hook.
fn app(runtime: worldshard::Runtime, shards: u16, options: HookOptions) -> (App, HookWatch) {
    let hook = HookPlugin::new(options);
    let watch = hook.watch();
    let mut app = echo_app(runtime, shards);
    app.raw("/ws")
        .lanes("/world")
        .world(WorldConfig::default())
        .plugin(hook);
    (app, watch)
}

/// On each runtime and number of shards, with a service of its own.
fn everywhere(change: impl Fn(&mut HookOptions), test: impl Fn(SocketAddr, &Backend, &HookWatch)) {
    on_each_runtime(|runtime| {
        for shards in SHARDS {
            let backend = Backend::start();
            let mut options = options(&backend);
            change(&mut options);
            let (mut app, watch) = app(runtime, shards, options);
            let (running, address) = serve(&mut app);
            test(address, &backend, &watch);
            end(running);
        }
    });
}

fn say(client: &mut Client, text: &str) {
    client.say(MessageKind::Text, text.as_bytes());
}

fn hears(client: &mut Client) -> String {
    let heard = client.hear();
    let Heard::Message(MessageKind::Text, text) = &heard else {
        panic!("{heard:?}");
    };
    String::from_utf8(text.clone()).unwrap()
}
