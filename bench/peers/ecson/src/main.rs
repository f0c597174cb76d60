//! Ecson 0.2.4 as a server to measure, by the systems of its own `echo` and `broadcast_chat` examples.
//!
//! Settings: the pause between turns of its loop is 1 ms, the example in its source (`ecson_core/src/app.rs`); the default of
//! 10 µs keeps half a core busy with nothing to do. A client's queue holds 1 024 messages instead of 100: beyond, it drops them.

use ecson::prelude::*;
use peer_common::{Args, Scenario, ready_when_reached};

fn main() {
    let args = Args::parse();
    let mut app = EcsonApp::new();
    app.insert_resource(ServerTimeConfig {
        update_sleep: 1.0,
        ..ServerTimeConfig::default()
    });
    let address = args.bind.to_string();
    let plugin = EcsonWebSocketPlugin::new(address).ecs_buffer(16_384);
    app.add_plugins(plugin.client_buffer(1024));
    match args.scenario {
        Scenario::Echo => app.add_systems(Update, echo),
        Scenario::Broadcast => app.add_systems(Update, broadcast),
    };
    ready_when_reached(args.bind);
    app.run();
}

fn echo(mut messages: MessageReader<MessageReceived>, mut outbound: MessageWriter<SendMessage>) {
    for message in messages.read() {
        outbound.write(SendMessage {
            target: message.entity,
            payload: message.payload.clone(),
        });
    }
}

fn broadcast(
    mut messages: MessageReader<MessageReceived>,
    mut outbound: MessageWriter<SendMessage>,
    clients: Query<Entity, With<ClientId>>,
) {
    for message in messages.read() {
        for target in clients.iter() {
            outbound.write(SendMessage {
                target,
                payload: message.payload.clone(),
            });
        }
    }
}
