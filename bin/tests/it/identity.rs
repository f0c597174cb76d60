//! `serve` that asks who comes, `keygen` and `token`: what the commands write is what the server takes, and no credential
//! is ever to be read where others look.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use worldshard_client::{Connection, Event, Framing};

use crate::server::{PROGRAM, Server, WAIT, eventually, on_each_runtime};

on_each_runtime!(
    a_token_of_the_command_line_lets_its_user_in,
    keys_are_changed_without_a_gap,
    no_credential_stands_in_a_log_or_in_the_status,
    a_second_session_is_dealt_with_as_the_flags_say,
);

/// A folder of a test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("worldshard-identity-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// A pair of keys, and where they are.
    fn keys(&self, name: &str) -> (String, String) {
        let made = worldshard(&["keygen", "--out", &self.file(name)]);
        assert_eq!(made.status.code(), Some(0), "{}", said(&made));
        (
            self.file(&format!("{name}.key")),
            self.file(&format!("{name}.pub")),
        )
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn worldshard(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).output().unwrap()
}

fn said(run: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr)
    )
}

fn token(key: &str, user: &str, ttl: &str) -> String {
    let made = worldshard(&["token", "--key", key, "--user", user, "--ttl", ttl]);
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    let token = String::from_utf8(made.stdout).unwrap();
    token.trim_end().to_owned()
}

/// A client of the echo, and how it ended if it did not get in.
fn connect(server: &Server, query: &str) -> Result<Connection, (u16, String)> {
    let path = format!("/ws?{query}");
    let mut client = Connection::connect(server.addr(), &path, Framing::Raw).unwrap();
    assert_eq!(client.receive(WAIT).unwrap(), Some(Event::Opened));
    client.text("let me in");
    client.flush().unwrap();
    match client.receive(WAIT) {
        Ok(Some(Event::Text(_))) => Ok(client),
        Ok(Some(Event::Closed { code, reason })) => Err((code, reason)),
        other => panic!("{other:?}"),
    }
}

fn refused(server: &Server, query: &str) -> String {
    let (code, reason) = connect(server, query).err().unwrap();
    assert_eq!(code, 1008, "{reason}");
    reason
}

fn a_token_of_the_command_line_lets_its_user_in(runtime: &str) {
    let folder = Folder::new(&format!("token-{runtime}"));
    let (key, public) = folder.keys("game");
    let (other, _) = folder.keys("other");
    let auth = ["--app", "echo", "--auth", "token", "--auth-key", &public];
    let server = Server::start(runtime, &auth);
    let good = token(&key, "anna", "60");
    assert!(connect(&server, &format!("token={good}")).is_ok());
    assert!(connect(&server, &format!("token={good}&user=anna")).is_ok());
    let reason = refused(&server, &format!("token={good}&user=bert"));
    assert_eq!(reason, "AUTH_FAILED: the token is another user's");
    let short = token(&key, "anna", "1");
    std::thread::park_timeout(Duration::from_millis(1100));
    let reason = refused(&server, &format!("token={short}"));
    assert_eq!(reason, "AUTH_FAILED: the token has expired");
    let reason = refused(&server, &format!("token={}", token(&other, "anna", "60")));
    assert_eq!(reason, "AUTH_FAILED: the token's key is not known");
    let made = worldshard(&[
        "token",
        "--key",
        &key,
        "--user",
        "anna",
        "--ttl",
        "60",
        "--audience",
        "elsewhere",
    ]);
    let elsewhere = String::from_utf8(made.stdout).unwrap();
    let reason = refused(&server, &format!("token={}", elsewhere.trim_end()));
    assert_eq!(reason, "AUTH_FAILED: the token is for another audience");
    let of_tenant = |tenant| {
        let whom = ["--key", &key, "--user", "anna", "--ttl", "60"];
        let args = [&["token"][..], &whom, &["--tenant", tenant]].concat();
        let made = String::from_utf8(worldshard(&args).stdout).unwrap();
        format!("token={}", made.trim_end())
    };
    // Where none are named, all are of this one.
    assert!(connect(&server, &of_tenant("default")).is_ok());
    let reason = refused(&server, &of_tenant("acme"));
    assert_eq!(reason, "AUTH_FAILED: the token is another tenant's");
    server.end();
}

fn keys_are_changed_without_a_gap(runtime: &str) {
    let folder = Folder::new(&format!("change-{runtime}"));
    let pairs = ["old", "new"].map(|name| folder.keys(name));
    let tokens = pairs.each_ref().map(|(key, _)| token(key, "anna", "60"));
    let mut args = vec!["--app", "echo", "--auth", "token"];
    for (_, public) in &pairs {
        args.extend(["--auth-key", public]);
    }
    let server = Server::start(runtime, &args);
    for token in &tokens {
        assert!(connect(&server, &format!("token={token}")).is_ok());
    }
    server.end();
}

fn a_second_session_is_dealt_with_as_the_flags_say(runtime: &str) {
    let one = ["--app", "echo", "--sessions-per-user", "1"];
    let server = Server::start(runtime, &one);
    let first = connect(&server, "user=anna").unwrap();
    let reason = refused(&server, "user=anna");
    assert_eq!(reason, "TOO_MANY_SESSIONS: the user has a session already");
    drop(first);
    server.end();
    let args = [&one[..], &["--on-exceed", "kick-oldest"]].concat();
    let server = Server::start(runtime, &args);
    let mut first = connect(&server, "user=anna").unwrap();
    let _second = connect(&server, "user=anna").unwrap();
    let end = first.until(WAIT, |event| match event {
        Event::Closed { code, reason } => Some((*code, reason.clone())),
        _ => None,
    });
    let (code, reason) = end.unwrap();
    assert_eq!((code, reason.as_str()), (1008, "kicked"));
    eventually("the gauge is right", || {
        server.status().each("sessions").sum::<u64>() == 1
    });
    server.end();
}

/// All that a server says anywhere, at its most talkative, while credentials are shown to it.
fn no_credential_stands_in_a_log_or_in_the_status(runtime: &str) {
    let folder = Folder::new(&format!("log-{runtime}"));
    let (key, public) = folder.keys("game");
    let (other, _) = folder.keys("other");
    let secret = "a-secret-that-is-not-to-be-read";
    fs::write(folder.file("secret"), format!("{secret}\n")).unwrap();
    let file = folder.file("secret");
    let by_token = ["--auth", "token", "--auth-key", &public];
    let by_secret = ["--auth", "secret", "--auth-secret-file", &file];
    let good = token(&key, "anna", "60");
    let unknown = token(&other, "anna", "60");
    for (auth, right, wrong) in [
        (by_token, good.as_str(), unknown.as_str()),
        (
            by_secret,
            secret,
            "a-wrong-one-that-is-not-to-be-read-either",
        ),
    ] {
        let log = folder.file("log");
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--log", "trace", "--runtime", runtime]);
        command.stderr(File::create(&log).unwrap());
        let args = [&["--shards", "2"][..], &auth].concat();
        let server = Server::start_saying(command, &args);
        for credential in [right, wrong] {
            show_everywhere(&server, credential);
        }
        eventually("a session stands in the status", || {
            server.status().each("opened").sum::<u64>() > 0
        });
        let status = server.status().0.to_string();
        let line = server.line().to_owned();
        server.end();
        let log = fs::read_to_string(log).unwrap();
        assert!(log.contains("serving"), "{log}");
        for credential in [right, wrong] {
            // A part of one is as bad.
            for part in [credential, &credential[credential.len() - 20..]] {
                for text in [&log, &status, &line] {
                    assert!(!text.contains(part), "{part} is in {text}");
                }
            }
        }
    }
}

/// Shows a credential in all its places, by programs and by browsers.
fn show_everywhere(server: &Server, credential: &str) {
    use std::io::{Read as _, Write as _};
    let ask = |target: &str, lines: &str, then: &[u8]| {
        let mut stream = std::net::TcpStream::connect(server.addr()).unwrap();
        stream.set_read_timeout(Some(WAIT)).unwrap();
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{lines}\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        stream.write_all(then).unwrap();
        let mut buffer = [0; 4096];
        assert!(stream.read(&mut buffer).unwrap() > 0);
    };
    ask(
        "/world",
        &format!("Authorization: Bearer {credential}\r\n"),
        b"",
    );
    ask(
        "/world",
        &format!("Sec-WebSocket-Protocol: worldshard.1, worldshard.auth.{credential}\r\n"),
        b"",
    );
    ask(&format!("/world?token={credential}&user=anna"), "", b"");
    ask(&format!("/nowhere?token={credential}"), "", b"");
    ask(
        &format!("/world?token={credential}&token={credential}"),
        "",
        b"",
    );
    let text = format!(r#"{{"v":1,"svc":"sys","type":"auth","data":{{"token":"{credential}"}}}}"#);
    let mask = [1, 2, 3, 4];
    let payload = text.bytes().zip(mask.into_iter().cycle());
    let mut frame = vec![0x81, 0x80 | 126];
    frame.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    frame.extend(mask);
    frame.extend(payload.map(|(byte, mask)| byte ^ mask));
    ask("/world", "", &frame);
    // Cut off in the middle.
    ask("/ws", "", &frame[..frame.len() / 2]);
}

#[test]
fn a_private_key_is_for_its_owner_alone_and_never_written_over() {
    let folder = Folder::new("keygen");
    let (key, public) = folder.keys("game");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let before = [&key, &public].map(|file| fs::read_to_string(file).unwrap());
    assert!(before[0].starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(before[1].starts_with("-----BEGIN PUBLIC KEY-----\n"));
    let again = worldshard(&["keygen", "--out", &folder.file("game")]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        said(&again).contains("not written over"),
        "{}",
        said(&again)
    );
    fs::remove_file(&key).unwrap();
    let again = worldshard(&["keygen", "--out", &folder.file("game")]);
    assert_eq!(again.status.code(), Some(1));
    assert!(!Path::new(&key).exists(), "half a pair");
    assert_eq!(fs::read_to_string(&public).unwrap(), before[1]);
    // What is said names no private key.
    let made = worldshard(&["keygen", "--out", &folder.file("other")]);
    let private = fs::read_to_string(folder.file("other.key")).unwrap();
    let digits = private.lines().nth(1).unwrap();
    assert!(said(&made).contains("kid ") && !said(&made).contains(digits));
}

#[test]
fn a_token_says_what_it_was_asked_to_say() {
    let folder = Folder::new("claims");
    let (key, _) = folder.keys("game");
    let token = token(&key, "anna@example.org", "60");
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts.len(), 3);
    let read = |part: &str| -> Value { serde_json::from_slice(&decoded(part)).unwrap() };
    let (header, claims) = (read(parts[0]), read(parts[1]));
    assert_eq!(
        (&header["alg"], &header["typ"]),
        (&"EdDSA".into(), &"JWT".into())
    );
    assert_eq!(header["kid"].as_str().unwrap().len(), 16);
    assert_eq!(claims["sub"], "anna@example.org");
    assert_eq!(claims["aud"], "worldshard");
    let time = |name: &str| claims[name].as_u64().unwrap();
    assert_eq!(time("exp") - time("iat"), 60);
}

/// The bytes of a text in the base 64 of URLs.
fn decoded(text: &str) -> Vec<u8> {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.bytes() {
        let digit = digits.iter().position(|one| *one == letter).unwrap();
        bits = bits << 6 | digit as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    bytes
}

#[test]
fn a_server_for_other_machines_must_be_told_whom_to_let_in() {
    let run = worldshard(&["serve", "--app", "echo", "--bind", "0.0.0.0:0"]);
    assert_eq!(run.status.code(), Some(2), "{}", said(&run));
    let text = said(&run);
    for word in ["--auth: ", "secret", "token", "none", "127.0.0.1"] {
        assert!(text.contains(word), "{text}");
    }
    let args = ["--app", "echo", "--auth", "none"];
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--log", "off"]);
    let server = Server::start_at(command, "0.0.0.0:0", &args);
    server.end();
}

#[test]
fn what_cannot_let_anybody_in_is_refused_at_once() {
    let folder = Folder::new("mistakes");
    let (key, public) = folder.keys("game");
    fs::write(folder.file("short"), "fifteen bytes..\n").unwrap();
    let short = folder.file("short");
    let nowhere = folder.file("nowhere");
    let mistakes: [(&[&str], i32, &str); 13] = [
        (&["--auth", "password"], 2, "none, secret, token"),
        (&["--auth", "secret"], 2, "--auth-secret-file"),
        (&["--auth", "token"], 2, "--auth-key"),
        (&["--auth-key", &public], 2, "only with --auth token"),
        (
            &["--auth", "token", "--auth-secret-file", &short],
            2,
            "only with --auth secret",
        ),
        (
            &["--auth", "secret", "--auth-secret-file", &short],
            1,
            "shorter than 16 bytes",
        ),
        (
            &["--auth", "secret", "--auth-secret-file", &nowhere],
            1,
            &nowhere,
        ),
        (&["--auth", "token", "--auth-key", &key], 1, "private key"),
        (
            &["--auth", "token", "--auth-key", &short],
            1,
            "no PEM block",
        ),
        (&["--auth-skew", "61"], 2, "between 0 and 60 s"),
        (&["--auth-deadline", "0"], 2, "--auth-deadline"),
        (&["--on-exceed", "ignore"], 2, "deny or kick-oldest"),
        (
            &["--protocol-version", "123456789012345678901"],
            2,
            "1 to 20 bytes",
        ),
    ];
    for (args, status, named) in mistakes {
        let args = [&["serve", "--bind", "127.0.0.1:0"], args].concat();
        let run = worldshard(&args);
        assert_eq!(run.status.code(), Some(status), "{args:?}: {}", said(&run));
        assert!(said(&run).contains(named), "{args:?}: {}", said(&run));
    }
    for args in [
        ["token", "--key", &public, "--user", "anna", "--ttl", "60"],
        ["token", "--key", &key, "--user", "an na", "--ttl", "60"],
        ["token", "--key", &key, "--user", "anna", "--ttl", "0"],
    ] {
        let run = worldshard(&args);
        assert!(matches!(run.status.code(), Some(1 | 2)), "{args:?}");
        assert!(run.stdout.is_empty(), "{args:?}");
    }
}
