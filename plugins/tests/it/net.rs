//! Plugins over real sockets, on each runtime: what the kernel must carry to its end.

use std::net::SocketAddr;
use std::time::Duration;

use worldshard::Runtime;
use worldshard::prelude::*;
use worldshard_plugins::{
    ChatPlugin, HeartbeatPlugin, LobbyPlugin, PresencePlugin, RateLimitAction, RateLimitPlugin,
};
use worldshard_transport::MessageKind;

use crate::SHARDS;
use crate::socket::{Client, Heard, end, on_each_runtime, serve};

fn everywhere(test: impl Fn(Runtime, u16)) {
    on_each_runtime(|runtime| SHARDS.into_iter().for_each(|shards| test(runtime, shards)));
}

fn app(runtime: Runtime, shards: u16, plugins: impl Plugin) -> App {
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .plugin(plugins)
        .options(|options| options.limits.close_deadline = Duration::from_millis(500));
    app
}

fn says(client: &mut Client, text: &str) {
    client.say(MessageKind::Text, text.as_bytes());
}

/// The next text, or what else is heard.
fn hears(client: &mut Client) -> String {
    match client.hear() {
        Heard::Message(MessageKind::Text, text) => String::from_utf8(text).unwrap(),
        Heard::Ping(_) => hears(client),
        other => format!("{other:?}"),
    }
}

/// Waits for a text, whatever else is said before.
fn waits_for(client: &mut Client, text: &str) {
    loop {
        let heard = hears(client);
        assert!(
            heard != "End" && !heard.starts_with("Close"),
            "{heard} before {text}"
        );
        if heard == text {
            return;
        }
    }
}

#[test]
fn who_says_too_much_reads_why_before_the_close() {
    everywhere(|runtime, shards| {
        let plugin = RateLimitPlugin::new()
            .messages(1, 3)
            .action(RateLimitAction::Disconnect);
        let (running, address) = serve(&mut app(runtime, shards, plugin));
        let mut client = Client::connect(address, "/ws");
        // More than the bucket holds, however slowly this thread comes to it.
        for n in 0..20 {
            says(&mut client, &format!("{n}"));
        }
        let notice = "[RateLimit] Disconnected due to rate limit violation.";
        assert_eq!(hears(&mut client), notice);
        let close = Heard::Close(Some(1008), "rate limit".to_owned());
        assert_eq!(client.hear(), close);
        end(running);
    });
}

#[test]
fn who_does_not_answer_a_heartbeat_reads_why_it_is_closed_and_who_does_stays() {
    on_each_runtime(|runtime| {
        let plugin = HeartbeatPlugin::new()
            .interval(Duration::from_millis(250))
            .timeout(Duration::from_secs(5));
        let (running, address) = serve(&mut app(runtime, 2, plugin));
        let mut silent = Client::connect(address, "/ws");
        let mut alive = Client::connect(address, "/ws");
        // Longer than anybody may be silent.
        for _ in 0..24 {
            assert_eq!(hears(&mut alive), "ping");
            says(&mut alive, "pong");
        }
        let mut pings = 0;
        let last = loop {
            match hears(&mut silent) {
                text if text == "ping" => pings += 1,
                other => break other,
            }
        };
        let reason = "nothing was heard for 5s".to_owned();
        assert_eq!(last, format!("{:?}", Heard::Close(Some(1008), reason)));
        // In the world's time, however slow the machine is.
        assert_eq!(pings, 19);
        end(running);
    });
}

fn connect(address: SocketAddr, watcher: &mut Client, nick: &str) -> Client {
    let mut client = Client::connect(address, "/ws");
    says(&mut client, &format!("/nick {nick}"));
    says(&mut client, "/join hall");
    waits_for(&mut client, "[System] Joined room: hall");
    waits_for(watcher, &format!("[System] {nick} has joined."));
    client
}

#[test]
fn a_connection_that_breaks_leaves_rooms_lobbies_and_presence() {
    everywhere(|runtime, shards| {
        let plugins = (ChatPlugin::new(), LobbyPlugin::new(), PresencePlugin::new());
        let (running, address) = serve(&mut app(runtime, shards, plugins));
        let mut watcher = Client::connect(address, "/ws");
        says(&mut watcher, "/join hall");
        waits_for(&mut watcher, "[System] Joined room: hall");
        for nick in ["Ann", "Ben", "Cleo", "Dan"] {
            let mut client = connect(address, &mut watcher, nick);
            says(&mut client, "/lobby create duel 2");
            waits_for(&mut client, "[Lobby] Created and joined 'duel' (1/2).");
            says(&mut client, "hello");
            waits_for(&mut watcher, &format!("{nick}: hello"));
            if nick < "Cleo" {
                // What it has not read makes the kernel reset the connection.
                says(&mut watcher, "/nick Watcher");
                waits_for(&mut watcher, "[System] Your nickname is now: Watcher");
                says(&mut watcher, "unread");
                waits_for(&mut watcher, "Watcher: unread");
            } else {
                client.close(1000, "");
            }
            drop(client);
            waits_for(&mut watcher, &format!("[System] {nick} has left."));
        }
        // The name and the lobby are free again.
        let mut again = connect(address, &mut watcher, "Ann");
        says(&mut again, "/lobby create duel 2");
        waits_for(&mut again, "[Lobby] Created and joined 'duel' (1/2).");
        says(&mut watcher, "/list");
        waits_for(&mut watcher, "[System] Active Rooms:\n  - hall (2 users)");
        end(running);
    });
}
