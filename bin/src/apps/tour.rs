//! All small examples in one application, and a page with a tab for each: what the page shows, `/tour.json` says.

use std::time::Duration;

use serde_json::{Value, json};
use worldshard::prelude::*;
use worldshard_plugins::{ChatPlugin, LobbyPlugin, SpatialPlugin};

/// Everything but places with a height.
pub(crate) fn tour(app: &mut App) -> &mut App {
    app.plugin((
        ChatPlugin::new(),
        LobbyPlugin::new().matches("match"),
        SpatialPlugin::in_2d()
            .radius(RADIUS)
            .bounds(-1000.0, 1000.0),
    ))
    .raw("/ws")
    .rooms(Rooms::at("/echo/{room}", |_| Echo).default_room("echo"))
    .rooms(Rooms::at("/broadcast/{room}", |_| Broadcast).default_room("all"))
    .rooms(Rooms::at("/counter/{room}", |_| Counter::default()))
    .rooms(Rooms::at("/clock/{room}", |_| Clock::default()))
    .rooms(Rooms::at("/button/{room}", |_| Button::default()))
    .rooms(Rooms::named("match", |_| Match))
    .route("/tour.json", |_| answer(&tabs()))
}

/// Places with a height, which have `/move` for themselves.
pub(crate) fn space(app: &mut App) -> &mut App {
    let places = SpatialPlugin::in_3d()
        .radius(RADIUS)
        .bounds(-1000.0, 1000.0);
    app.plugin((ChatPlugin::new(), places))
        .raw("/ws")
        .route("/tour.json", |_| answer(&[space_tab()]))
}

fn answer(tabs: &[Value]) -> Response {
    let mut response = Response::text(200, Value::from(tabs).to_string());
    response.content_type = "application/json";
    response
}

fn tabs() -> [Value; 8] {
    [
        json!({
            "name": "Echo", "path": "/echo/echo",
            "about": "What is said comes back to who said it.",
            "commands": ["hello"],
        }),
        json!({
            "name": "Broadcast", "path": "/broadcast/all",
            "about": "What is said, everybody on this tab hears. Open the page twice.",
            "commands": ["hello, all"],
        }),
        json!({
            "name": "Chat", "path": "/ws",
            "about": "Rooms and names. Without a room, everybody is told.",
            "commands": ["/join lounge", "/nick Ann", "hello", "/who", "/list", "/leave", "/dance"],
        }),
        json!({
            "name": "Lobby", "path": "/ws",
            "about": "A lobby that is full is ready, and its members are moved to a match. Open the page twice.",
            "commands": ["/lobby create duel 2", "/lobby join duel", "/lobby list", "/lobby info duel", "/lobby leave"],
        }),
        json!({
            "name": "Counter", "path": "/counter/{room}", "room": "one",
            "about": "Each room has a number of its own.",
            "commands": ["increment"],
        }),
        json!({
            "name": "Clock", "path": "/clock/{room}", "room": "one",
            "about": "A room's timer, every second.",
            "commands": [],
        }),
        json!({
            "name": "Button", "path": "/button/{room}", "room": "one", "button": true,
            "about": "One button for all: whoever holds it down keeps it from the others.",
            "commands": ["press", "release"],
        }),
        json!({
            "name": "Places", "path": "/ws", "place": { "axes": 2, "radius": RADIUS },
            "about": "Click to go there. Who is within the circle is told of each other. Open the page twice.",
            "commands": ["/move 0 0", "/move 30 40"],
        }),
    ]
}

fn space_tab() -> Value {
    json!({
        "name": "Space", "path": "/ws", "place": { "axes": 3, "radius": RADIUS },
        "about": "Click to go there, and choose how high. Who is within the sphere is told of each other. Open the page twice.",
        "commands": ["/move 0 0 0", "/move 30 0 40"],
    })
}

struct Echo;

impl Service for Echo {
    fn message(&mut self, room: &mut Room<'_>, member: SessionId, payload: &Payload) {
        room.send(Audience::One(member), payload.clone());
    }
}

struct Broadcast;

impl Service for Broadcast {
    fn message(&mut self, room: &mut Room<'_>, _: SessionId, payload: &Payload) {
        room.send(Audience::All, payload.clone());
    }
}

#[derive(Default)]
struct Counter(u64);

impl Service for Counter {
    fn connect(&mut self, room: &mut Room<'_>, member: SessionId) {
        room.send(Audience::One(member), format!("value: {}", self.0));
    }

    fn message(&mut self, room: &mut Room<'_>, _: SessionId, payload: &Payload) {
        if payload.as_text() == Some("increment") {
            self.0 += 1;
            room.send(Audience::All, format!("new value: {}", self.0));
        }
    }
}

#[derive(Default)]
struct Clock {
    began: Duration,
}

impl Service for Clock {
    fn init(&mut self, room: &mut Room<'_>) {
        self.began = room.time();
        room.set_interval("second", Duration::from_secs(1));
    }

    fn timer(&mut self, room: &mut Room<'_>, _: &str) {
        let seconds = (room.time() - self.began).as_secs();
        room.send(Audience::All, format!("{seconds} s"));
    }
}

/// Who holds it down.
#[derive(Default)]
struct Button(Option<SessionId>);

impl Button {
    fn tell(&self, room: &mut Room<'_>) {
        match self.0 {
            None => room.send(Audience::All, "free"),
            Some(holder) => {
                room.send(Audience::One(holder), "held by you");
                room.send(Audience::AllBut(holder), format!("held by {holder}"));
            }
        }
    }
}

impl Service for Button {
    fn connect(&mut self, room: &mut Room<'_>, member: SessionId) {
        let held = self.0.map(|holder| format!("held by {holder}"));
        room.send(Audience::One(member), held.unwrap_or_else(|| "free".into()));
    }

    fn message(&mut self, room: &mut Room<'_>, member: SessionId, payload: &Payload) {
        match payload.as_text() {
            Some("press") if self.0.is_none() => self.0 = Some(member),
            Some("release") if self.0 == Some(member) => self.0 = None,
            _ => {
                return room.send(
                    Audience::One(member),
                    "[Error] not yours to press or release",
                );
            }
        }
        self.tell(room);
    }

    fn disconnect(&mut self, room: &mut Room<'_>, member: SessionId) {
        if self.0 == Some(member) {
            self.0 = None;
            self.tell(room);
        }
    }
}

/// Where those land together whose lobby was ready.
struct Match;

impl Service for Match {
    fn connect(&mut self, room: &mut Room<'_>, _: SessionId) {
        let players = room.members().len();
        room.send(
            Audience::All,
            format!("[Match] {}: {players} here", room.name()),
        );
    }
}

/// How far one sees.
const RADIUS: f64 = 100.0;
