//! `serve` with a service of the operator's: it is told of what the flags name, and asked who comes in.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, sync_channel};

use serde_json::Value;
use worldshard_client::{Connection, Event, Framing};

use crate::operators::OwnFile;
use crate::server::{PROGRAM, Server, WAIT, on_each_runtime};

on_each_runtime!(a_service_is_told_and_asked);

/// A service that lets in whoever shows `good`, as anna, and passes on what it is posted.
fn service() -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (told, posted) = sync_channel(100);
    std::thread::Builder::new()
        .spawn(move || {
            for stream in listener.incoming() {
                let told = told.clone();
                let serve = move || {
                    while let Some(body) = answer(stream.as_ref().unwrap()) {
                        if told.send(body).is_err() {
                            return;
                        }
                    }
                };
                std::thread::Builder::new().spawn(serve).unwrap();
            }
        })
        .unwrap();
    (url, posted)
}

/// Answers one request, and gives its body; none at the end.
fn answer(mut stream: &TcpStream) -> Option<Value> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        let line = line.trim_end().to_lowercase();
        if let Some(bytes) = line.strip_prefix("content-length: ") {
            length = bytes.parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let allow = body["credential"] == "good";
    let text = format!(r#"{{"allow":{allow},"user":"anna"}}"#);
    let length = text.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    stream
        .write_all(format!("{head}{text}").as_bytes())
        .unwrap();
    Some(body)
}

fn a_service_is_told_and_asked(runtime: &str) {
    let (url, posted) = service();
    let secret = OwnFile::new(&format!("hook-told-{runtime}"), "sixteen bytes of it\n");
    let events = "auth,connect,message,disconnect";
    let mut server = Server::start(
        runtime,
        &[
            "--app",
            "echo",
            "--shards",
            "2",
            "--hook",
            &url,
            "--hook-secret-file",
            secret.path(),
            "--hook-events",
            events,
        ],
    );
    let mut client = Connection::connect(server.addr(), "/ws?token=good", Framing::Raw).unwrap();
    assert_eq!(client.receive(WAIT).unwrap(), Some(Event::Opened));
    client.text("hello");
    client.flush().unwrap();
    let next = || posted.recv_timeout(WAIT).unwrap();
    assert_eq!(next()["event"], "auth");
    let connect = next();
    assert_eq!(
        (&connect["event"], &connect["user"]),
        (&"connect".into(), &"anna".into())
    );
    assert_eq!(next()["text"], "hello");
    server.interrupt();
    assert!(server.wait().success());
    // Told before the process ended, so it is there.
    let last = posted.try_recv().unwrap();
    assert_eq!(
        (&last["event"], &last["code"]),
        (&"disconnect".into(), &1001.into())
    );
}

#[test]
fn a_file_without_a_certificate_is_named_with_the_place_that_names_it() {
    let secret = OwnFile::new("hook-named", "sixteen bytes of it");
    let none = secret.path();
    let text = format!(
        "version: 1\nserver: {{app: echo}}\nhook:\n  url: https://127.0.0.1:1/\n  secret_file: {none}\n  ca_file: {none}\n"
    );
    let file = OwnFile::new("hook-config", &text);
    for command in [
        &["check", file.path()][..],
        &["serve", "--config", file.path()],
    ] {
        let run = Command::new(PROGRAM).args(command).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{said}");
        let place = format!(
            "{}:6:12: hook.ca_file: {none}: no certificate in it",
            file.path()
        );
        assert!(said.contains(&place), "{place} is not in {said}");
    }
}

/// Whether `serve` ends with this status, and says so.
fn refuses(args: &[&str], status: i32, said: &str) {
    let run = Command::new(PROGRAM)
        .args(["serve", "--app", "echo", "--bind", "127.0.0.1:0"])
        .args(args)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(status), "{args:?}: {text}");
    assert!(text.contains(said), "{args:?}: {text}");
}

#[test]
fn a_file_without_a_certificate_is_named_with_its_flag_and_the_line_in_it() {
    let good = OwnFile::new("hook-with-ca", "sixteen bytes of it");
    let torn = "of ours:\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    let torn = OwnFile::new("hook-torn", torn);
    let url = "https://127.0.0.1:1/";
    let args = ["--hook", url, "--hook-secret-file", good.path()];
    for (file, said) in [
        ("/none", "--hook-ca-file: /none: No such file".to_owned()),
        (
            good.path(),
            format!("--hook-ca-file: {}: no certificate in it", good.path()),
        ),
        (
            torn.path(),
            format!(
                "--hook-ca-file: {}: line 2: what begins there is no certificate",
                torn.path()
            ),
        ),
    ] {
        refuses(&[&args[..], &["--hook-ca-file", file]].concat(), 2, &said);
    }
}

#[test]
fn flags_that_do_not_go_together_are_named() {
    let short = OwnFile::new("hook-short", "too short");
    let good = OwnFile::new("hook-good", "sixteen bytes of it");
    let url = "http://127.0.0.1:1/";
    for (args, status, said) in [
        (
            &["--hook", url][..],
            2,
            "--hook: missing field `secret_file`",
        ),
        (
            &["--hook-secret-file", good.path()],
            2,
            "--hook-secret-file: missing field `url`",
        ),
        (
            &["--hook", url, "--hook-secret-file", short.path()],
            1,
            "shorter than 16",
        ),
        (
            &["--hook", "ftp://x/", "--hook-secret-file", good.path()],
            2,
            "http or https",
        ),
        (
            &[
                "--hook",
                url,
                "--hook-secret-file",
                good.path(),
                "--hook-events",
                "all",
            ],
            2,
            "connect",
        ),
        (
            &[
                "--hook",
                url,
                "--hook-secret-file",
                good.path(),
                "--hook-events",
                "auth",
                "--auth",
                "none",
            ],
            2,
            "the service decides",
        ),
    ] {
        refuses(args, status, said);
    }
}
