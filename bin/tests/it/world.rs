//! A served world: its page, its deltas, its avatars; and the same digests from `simulate`, however it is run.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use worldshard_client::protocol::{Greeting, InterestWish, ViewpointMode};
use worldshard_client::{Connection, Event, Framing};

use crate::server::{Server, WAIT, on_each_runtime};

on_each_runtime!(
    a_camera_sees_the_world_move,
    an_avatar_goes_where_it_is_steered,
    digests_do_not_depend_on_shards,
);

const SMALL: [&str; 6] = ["--entities", "400", "--shards", "2", "--tick-rate", "100"];

/// The middle of the world that the greeting tells of.
pub(crate) fn enter(server: &Server) -> (Connection, [f32; 3]) {
    let (connection, greeting) = greet(server);
    let (min, max) = (greeting.space.min, greeting.space.max);
    let middle = [0, 1, 2].map(|axis| (min[axis] + max[axis]) / 2.0);
    (connection, middle)
}

/// A connection to the world, and what it was told first.
pub(crate) fn greet(server: &Server) -> (Connection, Box<Greeting>) {
    let mut connection = Connection::connect(server.addr(), "/world", Framing::Lanes).unwrap();
    let greeting = connection.until(WAIT, |event| match event {
        Event::Greeting(greeting) => Some(greeting.clone()),
        _ => None,
    });
    (connection, greeting.unwrap())
}

pub(crate) fn is_delta(event: &Event) -> Option<u64> {
    match event {
        Event::Delta(applied) => Some(applied.tick.0),
        Event::Error(refused) => panic!("{refused:?}"),
        _ => None,
    }
}

fn a_camera_sees_the_world_move(runtime: &str) {
    let server = Server::start(runtime, &SMALL);
    let said = format!("/  world flock, 400 entities, 2 shards, 100 Hz, runtime {runtime}");
    assert!(server.line().ends_with(&said), "{}", server.line());
    let (mut client, middle) = enter(&server);
    client.join(ViewpointMode::Camera, Some(middle), InterestWish::Default);
    let first_tick = client.until(WAIT, is_delta).unwrap();
    let first = client.view().digest();
    assert!(client.view().len() > 10, "{} in sight", client.view().len());
    for _ in 0..30 {
        client.until(WAIT, is_delta).unwrap();
    }
    assert!(client.view().tick().0 >= first_tick + 30);
    assert_ne!(client.view().digest(), first);
}

fn an_avatar_goes_where_it_is_steered(runtime: &str) {
    let server = Server::start(runtime, &SMALL);
    let (mut client, middle) = enter(&server);
    client.join(
        ViewpointMode::Avatar,
        Some(middle),
        InterestWish::Radius(10.0),
    );
    let avatar_x = |client: &Connection| {
        let mut avatars = client
            .view()
            .iter()
            .filter(|(_, seen)| seen.record.kind == 1);
        avatars.next().map(|(_, seen)| seen.record.x)
    };
    while avatar_x(&client).is_none() {
        client.until(WAIT, is_delta).unwrap();
    }
    client.steer([1.0, 0.0, 0.0]);
    let steered = client.sequence();
    let goal_x = middle[0] + 3.0;
    while avatar_x(&client).expect("an avatar sees itself") < goal_x {
        client.until(WAIT, is_delta).unwrap();
    }
    assert_eq!(client.view().command_sequence(), steered);
}

fn digests_do_not_depend_on_shards(runtime: &str) {
    let digests = |world: &str, shards: &str| {
        let args = [
            "simulate",
            "--world",
            world,
            "--entities",
            "300",
            "--ticks",
            "60",
            "--seed",
            "5",
            "--digest",
        ];
        let mut command = Command::new(env!("CARGO_BIN_EXE_worldshard"));
        let run = command
            .args(args)
            .args(["--shards", shards, "--runtime", runtime])
            .output()
            .unwrap();
        let summary = String::from_utf8(run.stderr).unwrap();
        assert!(
            run.status.success() && summary.contains("audit green"),
            "{summary}"
        );
        String::from_utf8(run.stdout).unwrap()
    };
    for world in ["flock", "crowd", "swarm3d"] {
        let one = digests(world, "1");
        let ticks: Vec<&str> = one
            .lines()
            .map(|line| line.split(' ').next().unwrap())
            .collect();
        assert_eq!(
            ticks,
            (1..=60).map(|tick| tick.to_string()).collect::<Vec<_>>()
        );
        assert_eq!(one, digests(world, "3"), "{world}");
    }
}

#[test]
fn a_world_comes_with_its_page() {
    let server = Server::start("portable", &SMALL);
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    stream.set_read_timeout(Some(WAIT)).unwrap();
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        server.addr()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:.200}");
    assert!(
        answer.contains("text/html") && answer.contains("<canvas"),
        "{answer:.400}"
    );
}
