//! All plugins in one application: each command has one owner, and two owners of one are found at start.

use worldshard::prelude::*;
use worldshard_plugins::{
    ChatPlugin, HeartbeatPlugin, LobbyPlugin, PresencePlugin, RateLimitPlugin, SnapshotBoard,
    SnapshotPlugin, SpatialPlugin,
};

use crate::pump::Pump;
use crate::{SHARDS, app, heard, say};

fn all() -> App {
    app((
        HeartbeatPlugin::new(),
        RateLimitPlugin::new().messages(1000, 1000),
        ChatPlugin::new(),
        LobbyPlugin::new(),
        PresencePlugin::new(),
        SpatialPlugin::in_2d(),
        SnapshotPlugin::new(&SnapshotBoard::new()),
    ))
}

#[test]
fn each_command_is_answered_by_its_one_owner_and_an_unknown_one_once() {
    for shards in SHARDS {
        let mut pump = Pump::new(&mut all(), shards, 5);
        for home in 0..shards {
            let session = pump.open(home, "/ws");
            pump.settle();
            let (name, status) = (format!("User {session}"), format!("{session} busy"));
            heard(&mut pump, session);
            for (said, answer) in [
                ("hello", format!("{name}: hello")),
                (
                    "/nick",
                    "[Error] A nickname has 1 to 32 characters.".to_owned(),
                ),
                ("/join", "[Error] Say which room: /join <room>".to_owned()),
                ("/leave", "[Error] You are in no room.".to_owned()),
                ("/who", "[Error] You are in no room.".to_owned()),
                (
                    "/list",
                    "[System] Active Rooms:\n  No active rooms right now.".to_owned(),
                ),
                (
                    "/lobby list",
                    "[Lobby] Public lobbies:\n  (none)".to_owned(),
                ),
                ("/status busy", status),
                (
                    "/move x",
                    "[Error] BAD_REQUEST: say /move <x> <y>".to_owned(),
                ),
                ("/subscribe", EMPTY.to_owned()),
                ("/x", "[Error] Unknown command: /x".to_owned()),
                ("/lobbies", "[Error] Unknown command: /lobbies".to_owned()),
            ] {
                say(&mut pump, session, said);
                pump.run(2);
                assert_eq!(
                    heard(&mut pump, session),
                    [answer],
                    "{said}, {shards} shards"
                );
            }
            say(&mut pump, session, "pong");
            say(&mut pump, session, "/move 3 4");
            pump.run(2);
            assert_eq!(heard(&mut pump, session), [""; 0]);
            pump.close(session, CloseReason::Lost);
            pump.settle();
        }
    }
}

/// All of a board on which nothing stands.
const EMPTY: &str = r#"{"type":"snapshot","seq":0,"mode":"full","upserted":{},"removed":[]}"#;

#[test]
fn two_owners_of_one_name_keep_the_application_from_starting() {
    struct Other;
    impl Plugin for Other {
        fn build(&self, app: &mut App) {
            app.text_command("/list", |_: &mut Context, _, _: &str| {});
        }
    }
    let error = |app: &mut App| app.build().err().unwrap().to_string();
    let both = error(app((ChatPlugin::new(), PresencePlugin::new())).plugin(Other));
    assert!(both.starts_with("command `/list` is claimed by "), "{both}");
    assert!(
        both.contains("ChatPlugin") && both.contains("Other"),
        "{both}"
    );
    let twice = error(all().plugin(LobbyPlugin::new()));
    assert!(twice.contains("LobbyPlugin"), "{twice}");
    let rooms = error(app(ChatPlugin::new()).rooms(Rooms::named("chat", |_| Nothing)));
    assert!(rooms.contains("\"chat\""), "{rooms}");
}

struct Nothing;

impl Service for Nothing {}
