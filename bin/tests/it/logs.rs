//! The log: JSON of one object a line, one name for a session's whole life, no secret, and a level that operators change.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::sync::mpsc::{Receiver, sync_channel};

use serde_json::Value;
use worldshard_client::{Connection, Event, Framing};

use crate::operators::{TOKEN, TokenFile, admin_says, start};
use crate::server::{Server, WAIT, on_each_runtime};

on_each_runtime!(
    one_trace_id_finds_the_whole_life_of_a_session_and_no_secret_is_logged,
    the_level_is_changed_while_it_runs,
);

const SECRET: &str = "a secret that clients share";

/// What a server says to stderr, line by line.
fn lines(server: &mut Server) -> Receiver<String> {
    let stderr = BufReader::new(server.take_stderr().unwrap());
    let (line, lines) = sync_channel(10_000);
    let reading = std::thread::Builder::new().name("log".to_owned());
    reading
        .spawn(move || {
            for said in stderr.lines().map_while(Result::ok) {
                if line.send(said).is_err() {
                    return;
                }
            }
        })
        .unwrap();
    lines
}

/// All lines up to the end of the process, each of which must be an object.
fn rest(lines: &Receiver<String>) -> (Vec<Value>, String) {
    let mut all = String::new();
    let mut objects = Vec::new();
    while let Ok(line) = lines.recv_timeout(WAIT) {
        let object: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        for field in ["timestamp", "level", "target", "message"] {
            assert!(object[field].is_string(), "no {field}: {line}");
        }
        all.push_str(&line);
        objects.push(object);
    }
    (objects, all)
}

/// Somebody in a room, somebody who is turned away, and the name of the first one's connection.
fn visit(server: &Server, token: &TokenFile) -> (Connection, Connection, String) {
    let shown: String = SECRET.replace(' ', "%20");
    let path = format!("/ws/kitchen?token={shown}&user=anna");
    let mut client = Connection::connect(server.addr(), &path, Framing::Raw).unwrap();
    assert_eq!(client.receive(WAIT).unwrap(), Some(Event::Opened));
    client.text("hello");
    client
        .until(WAIT, |event| match event {
            Event::Text(text) if text.contains("hello") => Some(()),
            _ => None,
        })
        .unwrap();
    let list = admin_says(server, token, &["list", "--json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    let trace = list["sessions"][0]["trace"].as_str().unwrap().to_owned();
    let wrong = format!("/ws/kitchen?token={shown}wrong&user=eve");
    let mut stranger = Connection::connect(server.addr(), &wrong, Framing::Raw).unwrap();
    stranger
        .until(WAIT, |event| match event {
            Event::Closed { code, .. } => Some(*code),
            _ => None,
        })
        .unwrap();
    (client, stranger, trace)
}

fn one_trace_id_finds_the_whole_life_of_a_session_and_no_secret_is_logged(runtime: &str) {
    let token = TokenFile::new(&format!("logs-{runtime}"));
    let secret = std::env::temp_dir().join(format!(
        "worldshard-{}-{runtime}.secret",
        std::process::id()
    ));
    std::fs::write(&secret, SECRET).unwrap();
    let mut server = start(
        runtime,
        &token,
        &["--log", "debug", "--log-format", "json"],
        &[
            "--app",
            "rooms",
            "--shards",
            "2",
            "--auth",
            "secret",
            "--auth-secret-file",
            secret.to_str().unwrap(),
        ],
    );
    let lines = lines(&mut server);
    let (mut client, stranger, trace) = visit(&server, &token);
    server.interrupt();
    client
        .until(WAIT, |event| match event {
            Event::Closed { code, .. } => Some(*code),
            _ => None,
        })
        .unwrap();
    drop((client, stranger));
    assert_eq!(server.wait().code(), Some(0));
    std::fs::remove_file(&secret).unwrap();

    let shown = SECRET.replace(' ', "%20");
    let (objects, all) = rest(&lines);
    let of_trace = objects.iter().filter(|one| one["trace"] == trace.as_str());
    let life: Vec<&str> = of_trace
        .map(|one| one["message"].as_str().unwrap())
        .collect();
    let wanted = [
        "a connection asks for a WebSocket",
        "session opened",
        "room joined",
        "session closed",
    ];
    assert_eq!(life, wanted, "{all}");
    let closed = objects
        .iter()
        .find(|one| one["message"] == "session closed")
        .unwrap();
    assert_eq!(
        (&closed["code"], &closed["reason"]),
        (&1001.into(), &"the server stops".into())
    );
    let sessions: BTreeSet<String> = objects
        .iter()
        .filter(|one| one["trace"] == trace.as_str())
        .filter_map(|one| one["session"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(sessions.len(), 1, "{all}");
    assert!(all.contains("a connection gets no session"), "{all}");
    for secret in [SECRET, &shown, TOKEN] {
        assert!(!all.contains(secret), "{secret} was logged");
    }
}

fn the_level_is_changed_while_it_runs(runtime: &str) {
    let token = TokenFile::new(&format!("level-{runtime}"));
    let log = ["--log", "warn", "--log-format", "json"];
    let mut server = start(runtime, &token, &log, &["--app", "echo", "--shards", "1"]);
    let lines = lines(&mut server);
    drop(server.raw());
    admin_says(&server, &token, &["log-level", "debug"]);
    drop(server.raw());
    admin_says(&server, &token, &["log-level", "error"]);
    drop(server.raw());
    server.interrupt();
    assert_eq!(server.wait().code(), Some(0));
    let (objects, all) = rest(&lines);
    let opened = objects
        .iter()
        .filter(|one| one["message"] == "session opened");
    assert_eq!(opened.count(), 1, "{all}");
}
