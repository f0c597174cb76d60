//! Every example, as a program: it starts, does what its first line says, and ends by ctrl-c with status 0.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use worldshard::identity::{AUDIENCE, Grant, PrivateKey};
use worldshard::prelude::UserId;
use worldshard::runtime::since_1970;
use worldshard_client::{Connection, Event, Framing, Link, Options, Payload, Report};
use worldshard_protocol::{InterestWish, ViewpointMode};

use crate::hub_requests::request;
use crate::socket::now;

/// Where the examples say that they listen.
const ADDRESS_SAID: &str = "127.0.0.1:8080";
const PATIENCE: Duration = Duration::from_secs(10);

/// Where they listen here: an address of this test's own, since any program may have the one that they say.
fn address() -> String {
    if cfg!(target_os = "linux") {
        // All of 127.0.0.0/8 is this machine's.
        let [_, high, middle, low] = std::process::id().to_be_bytes();
        return format!("127.{}.{middle}.{low}:8080", 64 + high % 64);
    }
    ADDRESS_SAID.to_owned()
}

/// One after the other: they all want the same address.
#[test]
fn no_example_does_not_start_every_one_does_what_it_says_and_ends_by_ctrl_c() {
    let directory = build();
    run(&directory, "echo", || {
        let (mut one, mut other) = (connect("/ws"), connect("/ws"));
        other.text("mine");
        one.text("yours");
        assert_eq!(text(&mut one), "yours");
        assert_eq!(text(&mut other), "mine");
    });
    run(&directory, "broadcast", || {
        let (mut one, mut other) = (connect("/ws"), connect("/ws"));
        one.text("to all");
        assert_eq!(text(&mut one), "to all");
        assert_eq!(text(&mut other), "to all");
    });
    assert_rooms_do_as_they_say(&directory);
    assert_plugins_do_as_they_say(&directory);
    run(&directory, "requests", || {
        let (mut one, mut other) = (connect("/desk"), connect("/desk"));
        for client in [&mut one, &mut other] {
            assert!(text(client).contains(r#""type":"authed""#));
        }
        let ask = |client: &mut Connection, seq: u32, data: &str| {
            client.text(&request(seq, data));
            text(client)
        };
        let ack = |seq| format!(r#"{{"v":1,"svc":"app","type":"ack","seq":{seq}}}"#);
        assert_eq!(ask(&mut one, 1, "\"ann\""), ack(1));
        let taken = ask(&mut other, 1, "\"ann\"");
        assert!(taken.contains("somebody has that name"), "{taken}");
        assert_eq!(ask(&mut other, 2, "\"bob\""), ack(2));
        assert_eq!(
            ask(&mut one, 2, "100000"),
            r#"{"v":1,"svc":"app","type":"response","seq":2,"data":9592}"#
        );
        let neither = ask(&mut one, 3, "[]");
        assert!(neither.contains("BAD_REQUEST"), "{neither}");
    });
    run(&directory, "wander", || {
        drop(connect("/ws"));
        let (mut client, number) = enter("heading");
        let middle = Some([512.0, 512.0, 0.0]);
        client.join(ViewpointMode::Camera, middle, InterestWish::Radius(120.0));
        for _ in 0..5 {
            let is_delta = |event: &Event| matches!(event, Event::Delta(_)).then_some(());
            client.until(PATIENCE, is_delta).unwrap();
        }
        let seen = client.view().len();
        assert!(
            seen > 5,
            "{seen} of 1000 entities in a twentieth of the world"
        );
        assert_goes_where_it_heads(&mut client, number);
    });
    members(&directory);
    run(&directory, "button", assert_one_holds_the_button);
    run(&directory, "avatar", || assert_walks_to_the_end(&directory));
    let embed = Command::new(directory.join("embed")).output().unwrap();
    let said = String::from_utf8(embed.stdout).unwrap();
    assert!(
        embed.status.success() && said.contains("the engine listens on 127.0.0.1:"),
        "{said}"
    );
}

/// Who has a token is let in by it, and nobody else.
fn members(directory: &Path) {
    let key = PrivateKey::from_seed([7; 32]);
    let file = std::env::temp_dir().join(format!("worldshard-members-{}.pub", std::process::id()));
    std::fs::write(&file, key.public().to_pem()).unwrap();
    run_with(directory, "members", [&file], || {
        let issued = since_1970();
        let grant = Grant {
            user: UserId::new("ann").unwrap(),
            tenant: None,
            audience: AUDIENCE.to_owned(),
            issued,
            expires: issued + Duration::from_secs(600),
        };
        let mut stranger = connect("/world?token=none");
        let refused = text(&mut stranger);
        assert!(refused.contains("AUTH_FAILED"), "{refused}");
        let mut ann = connect(&format!("/world?token={}", grant.token(&key)));
        assert!(text(&mut ann).contains(r#""user":"ann""#));
        ann.text(&request(1, "\"who am i\""));
        assert_eq!(
            text(&mut ann),
            r#"{"v":1,"svc":"app","type":"response","seq":1,"data":"ann"}"#
        );
    });
    std::fs::remove_file(file).unwrap();
}

/// Who holds the button is told to all, before the one who asked hears yes.
fn assert_one_holds_the_button() {
    let url = format!("ws://{}/world", address());
    let (mut ann, mut bob) = (player(&url, "ann"), player(&url, "bob"));
    for player in [&mut ann, &mut bob] {
        assert_eq!(next(player), "null");
    }
    ask(&mut ann, "press");
    assert_eq!([next(&mut ann), next(&mut ann)], ["\"ann\"", "yes"]);
    assert_eq!(next(&mut bob), "\"ann\"");
    ask(&mut bob, "press");
    assert_eq!(next(&mut bob), "NOT_ALLOWED: ann holds it");
    ask(&mut bob, "release");
    // What nobody's wish changes is told all the same: then it is in what was told.
    assert_eq!([next(&mut bob), next(&mut bob)], ["\"ann\"", "yes"]);
    assert_eq!(next(&mut ann), "\"ann\"");
    ask(&mut ann, "release");
    assert_eq!([next(&mut ann), next(&mut ann)], ["null", "yes"]);
    assert_eq!(next(&mut bob), "null");
    ask(&mut ann, "squeeze");
    assert!(next(&mut ann).starts_with("BAD_REQUEST"));
    assert_one_of_two_holds_until_it_goes(ann, bob);
}

/// The example's own client walks, and all its strides are confirmed.
fn assert_walks_to_the_end(directory: &Path) {
    drop(connect("/ws"));
    let url = format!("ws://{}/world", address());
    let mut walker = Command::new(directory.join("avatar"));
    let walked = walker.args([&url, "2"]).output().unwrap();
    let said = String::from_utf8(walked.stdout).unwrap();
    assert!(walked.status.success(), "{said}");
    assert!(
        said.starts_with("at 5") && said.contains(" strides ahead, "),
        "{said}"
    );
    assert!(said.contains("\nall strides are confirmed, "), "{said}");
}

/// A client of the shared button.
fn player(url: &str, name: &str) -> Link {
    drop(connect("/ws"));
    let mut options = Options::new(url).unwrap();
    options.identity.user = Some(name.to_owned());
    let mut link = Link::new(options).unwrap();
    let live = |report: &Report| matches!(report, Report::Live(_)).then_some(());
    link.until(PATIENCE, live).unwrap();
    link
}

fn ask(player: &mut Link, wish: &str) {
    let wish = Payload::Json(format!(r#"{{"type":"{wish}"}}"#));
    player.request(wish, PATIENCE).unwrap();
}

/// The next thing that a player hears: who holds the button, as JSON, or what became of a wish.
fn next(player: &mut Link) -> String {
    match player.wait(PATIENCE).unwrap() {
        Report::Message(told) => {
            let told: Value = told.parse().unwrap();
            assert_eq!(told["type"], "button");
            told["holder"].to_string()
        }
        Report::Ack { .. } => "yes".to_owned(),
        Report::Reject { code, message, .. } => format!("{code}: {message}"),
        other => panic!("{other:?}"),
    }
}

/// Both press at the same time; the holder's session ends, and the button is free.
fn assert_one_of_two_holds_until_it_goes(mut ann: Link, mut bob: Link) {
    ask(&mut ann, "press");
    ask(&mut bob, "press");
    let [to_ann, to_bob] = [&mut ann, &mut bob].map(|player| [next(player), next(player)]);
    let (name, winner, loser, [yes, no]) = if to_ann[1] == "yes" {
        ("ann", ann, &mut bob, [to_ann, to_bob])
    } else {
        ("bob", bob, &mut ann, [to_bob, to_ann])
    };
    let told = format!("\"{name}\"");
    assert_eq!(yes, [told.clone(), "yes".to_owned()]);
    assert_eq!(no, [told, format!("NOT_ALLOWED: {name} holds it")]);
    winner.finish(PATIENCE);
    assert_eq!(next(loser), "null");
}

/// A connection to a world, and the number by which deltas know one of its components.
fn enter(component: &str) -> (Connection, u16) {
    let mut client = Connection::connect(address(), "/world", Framing::Lanes).unwrap();
    let greeting = |event: &Event| match event {
        Event::Greeting(greeting) => Some(greeting.clone()),
        _ => None,
    };
    let greeting = client.until(PATIENCE, greeting).unwrap();
    let number = greeting
        .components
        .iter()
        .position(|one| one.name == component);
    (client, number.unwrap() as u16)
}

/// What the example's component says of an entity is where it goes: 5 m a second, 20 times a second.
fn assert_goes_where_it_heads(client: &mut Connection, number: u16) {
    let mut compared = 0;
    let deadline = now() + PATIENCE;
    while compared < 100 {
        assert!(now() < deadline, "only {compared} steps were seen");
        let before = client.view().clone();
        let is_delta = |event: &Event| matches!(event, Event::Delta(_)).then_some(());
        client.until(PATIENCE, is_delta).unwrap();
        if client.view().tick() != before.tick().next() {
            continue;
        }
        for (id, seen) in client.view().iter() {
            let Some(was) = before.get(id) else { continue };
            let heading = f32::from_le_bytes(seen.extras[&number][..].try_into().unwrap());
            let [x, y, _] = seen.record.position();
            let [was_x, was_y, _] = was.record.position();
            let expected = [heading.cos() * 0.25, heading.sin() * 0.25];
            for (moved, expected) in [x - was_x, y - was_y].into_iter().zip(expected) {
                assert!((moved - expected).abs() < 1e-3, "{moved} m, not {expected}");
            }
            compared += 1;
        }
    }
}

/// Builds the examples beside this test's own program, and says where they are.
fn build() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let profile = own.parent().and_then(Path::parent).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    // Of the workspace, as the README's test command builds them: another choice of packages is another of features.
    cargo.args(["build", "--quiet", "--workspace", "--examples"]);
    cargo.env("CARGO_TARGET_DIR", profile.parent().unwrap());
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(
        cargo.status().unwrap().success(),
        "the examples do not build"
    );
    profile.join("examples")
}

fn assert_rooms_do_as_they_say(directory: &Path) {
    run(directory, "counter", || {
        let mut one = connect("/ws/one");
        one.text("increment");
        assert_eq!(text(&mut one), "new value: 1");
        let (mut other, mut apart) = (connect("/ws/one"), connect("/ws/apart"));
        other.text("increment");
        apart.text("increment");
        // A client says nothing before it is driven.
        assert_eq!(text(&mut other), "new value: 2");
        assert_eq!(text(&mut apart), "new value: 1");
        assert_eq!(text(&mut one), "new value: 2");
    });
    run(directory, "clock", || {
        let mut one = connect("/ws/one");
        let heard = [text(&mut one), text(&mut one)];
        assert_eq!(heard, ["1 s", "2 s"]);
    });
    run(directory, "rooms", || {
        let (mut one, mut other) = (connect("/ws/lobby"), connect("/ws"));
        // Whoever hears an own word is in.
        other.text("hello");
        assert_eq!(text(&mut other), "hello");
        one.text("to all here");
        while text(&mut one) != "to all here" {}
        assert_eq!(text(&mut other), "to all here");
    });
}

fn assert_plugins_do_as_they_say(directory: &Path) {
    run(directory, "chat", || {
        let (mut ann, mut bob) = (connect("/ws"), connect("/ws"));
        for client in [&mut ann, &mut bob] {
            client.text("/join lounge");
            assert_eq!(text(client), "[System] Joined room: lounge");
        }
        ann.text("/nick Ann");
        ann.text("good evening");
        hears(&mut ann, "Ann: good evening");
        hears(&mut bob, "Ann: good evening");
        bob.text("/list");
        hears(&mut bob, "lounge (2 users)");
        bob.text("/dance");
        hears(&mut bob, "[Error] Unknown command: /dance");
    });
    run(directory, "lobby", || {
        let (mut one, mut other) = (connect("/ws"), connect("/ws"));
        one.text("/lobby create duel 2");
        hears(&mut one, "[Lobby] Created and joined 'duel' (1/2).");
        other.text("/lobby join duel");
        for client in [&mut other, &mut one] {
            hears(client, "fight");
        }
        one.text("/strike hard");
        // A client says nothing before it is driven.
        one.text("/dance");
        hears(&mut one, "Unknown command");
        hears(&mut other, "you are struck hard");
    });
    for (example, near, far, seen) in [
        ("places", "/move 30 40", "/move 300 40", " 30 40"),
        ("space", "/move 30 0 40", "/move 30 300 40", " 30 0 40"),
    ] {
        run(directory, example, || {
            let (mut one, mut other) = (connect("/ws"), connect("/ws"));
            for client in [&mut one, &mut other] {
                client.text(near);
                client.text("/move NaN");
                hears(client, "BAD_REQUEST");
            }
            hears(&mut one, seen);
            hears(&mut other, seen);
            other.text(far);
            other.text("/move NaN");
            hears(&mut other, "BAD_REQUEST");
            hears(&mut one, "leave");
        });
    }
}

/// Reads up to a text with this in it.
fn hears(client: &mut Connection, words: &str) {
    let is_it = |event: &Event| match event {
        Event::Text(text) if text.contains(words) => Some(()),
        _ => None,
    };
    let heard = client.until(PATIENCE, is_it);
    heard.unwrap_or_else(|error| panic!("{words:?} was not heard: {error:?}"));
}

fn run(directory: &Path, example: &str, check: impl FnOnce()) {
    run_with(directory, example, [""; 0], check);
}

fn run_with(
    directory: &Path,
    example: &str,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    check: impl FnOnce(),
) {
    let address = address();
    assert!(
        std::net::TcpListener::bind(&address).is_ok(),
        "the example {example} needs {address}, which another program has"
    );
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let source = std::fs::read_to_string(folder.join(example).with_extension("rs")).unwrap();
    let said = format!("WebSocketPlugin::bind(\"{ADDRESS_SAID}\")");
    assert!(source.contains(&said), "{example} listens elsewhere");
    let mut command = Command::new(directory.join(example));
    command.args(arguments);
    command.env(worldshard::BIND_VARIABLE, &address);
    let mut running = Running(command.stdin(Stdio::null()).spawn().unwrap());
    check();
    kill_process(Pid::from_child(&running.0), Signal::INT).unwrap();
    assert!(running.0.wait().unwrap().success(), "{example} ended badly");
}

/// Not left behind when a check fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended: then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Connects as soon as the example listens.
fn connect(path: &str) -> Connection {
    for _ in 0..500 {
        if let Ok(mut connection) = Connection::connect(address(), path, Framing::Raw) {
            let is_open = |event: &Event| matches!(event, Event::Opened).then_some(());
            connection.until(PATIENCE, is_open).unwrap();
            return connection;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    panic!("nobody listens on {}", address());
}

fn text(connection: &mut Connection) -> String {
    let said = |event: &Event| match event {
        Event::Text(text) => Some(text.clone()),
        Event::Opened
        | Event::Greeting(_)
        | Event::Delta(_)
        | Event::Overview(_)
        | Event::Error(_)
        | Event::Binary(_)
        | Event::Pong(_)
        | Event::Closed { .. } => None,
    };
    connection.until(PATIENCE, said).unwrap()
}
