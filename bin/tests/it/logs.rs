//! The log: JSON of one object a line, one name for a session's whole life, no secret, and a level that operators change.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::net::Shutdown;
use std::sync::mpsc::{Receiver, sync_channel};

use serde_json::Value;
use worldshard_client::protocol::{InterestWish, ViewpointMode};
use worldshard_client::{Connection, Event, Framing};

use crate::operators::{TOKEN, TokenFile, admin_says, start};
use crate::server::{Server, WAIT, eventually, on_each_runtime};

on_each_runtime!(
    one_trace_id_finds_the_whole_life_of_a_session_and_no_secret_is_logged,
    a_session_that_goes_on_over_another_connection_keeps_its_trace_id_and_names_the_other,
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
        assert_eq!(line.matches("\"level\":").count(), 1, "{line}");
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

/// The first one's session, in the order in which it was logged: message, and the other connection if one is named.
fn life<'a>(objects: &'a [Value], trace: &str) -> Vec<(&'a str, Option<&'a str>)> {
    let of_trace = objects.iter().filter(|one| one["trace"] == trace);
    let told = of_trace.map(|one| (one["message"].as_str().unwrap(), one["connection"].as_str()));
    told.collect()
}

fn a_session_that_goes_on_over_another_connection_keeps_its_trace_id_and_names_the_other(
    runtime: &str,
) {
    let token = TokenFile::new(&format!("resumed-{runtime}"));
    let log = ["--log", "debug", "--log-format", "json"];
    let args = ["--shards", "2", "--entities", "100", "--resume-grace", "60"];
    let mut server = start(runtime, &token, &log, &args);
    let lines = lines(&mut server);
    let enter = || {
        let (mut client, greeting) = crate::world::greet(&server);
        client.join(ViewpointMode::Avatar, None, InterestWish::Default);
        client
            .until(WAIT, |event| match event {
                Event::Delta(_) => Some(()),
                _ => None,
            })
            .unwrap();
        (client, greeting.trace.unwrap())
    };
    // One is cut and comes back, one is cut and does not.
    let ((first, trace), (lost, trace_of_lost)) = (enter(), enter());
    for client in [&first, &lost] {
        client.stream().shutdown(Shutdown::Both).unwrap();
    }
    eventually("both are waited for", || {
        let status: Value = serde_json::from_str(&server.get("/status").1).unwrap();
        let shards = status["shards"].as_array().unwrap().iter();
        shards
            .map(|one| one["detached"].as_u64().unwrap())
            .sum::<u64>()
            == 2
    });
    let (mut next, greeting) = Connection::resume(server.addr(), "/world", &first, WAIT).unwrap();
    let token = next.resume_token().unwrap().to_owned();
    let next_trace = greeting.trace.clone().unwrap();
    assert_ne!(next_trace, trace);
    server.interrupt();
    next.until(WAIT, |event| match event {
        Event::Closed { code, .. } => Some(*code),
        _ => None,
    })
    .unwrap();
    drop((first, lost, next));
    assert_eq!(server.wait().code(), Some(0));

    let (objects, all) = rest(&lines);
    let told = [
        ("a connection asks for a WebSocket", None),
        ("session opened", None),
        ("session waits for another connection", None),
        ("session resumed", Some(next_trace.as_str())),
        ("session closed", None),
    ];
    assert_eq!(life(&objects, &trace), told, "{all}");
    let told_of_next = [("a connection asks for a WebSocket", None)];
    assert_eq!(life(&objects, &next_trace), told_of_next, "{all}");
    let told_of_lost = [told[0], told[1], told[2], told[4]];
    assert_eq!(life(&objects, &trace_of_lost), told_of_lost, "{all}");
    assert!(!all.contains(&token), "a resume token was logged");
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
    // The last line that could be written by then says the change, in a field that no line has by itself.
    let changes: Vec<_> = objects
        .iter()
        .filter_map(|one| one["filter"].as_str())
        .collect();
    assert_eq!(changes, ["debug"], "{all}");
    let opened = objects
        .iter()
        .filter(|one| one["message"] == "session opened");
    assert_eq!(opened.count(), 1, "{all}");
}
