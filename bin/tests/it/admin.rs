//! `worldshard admin`: each command as an operator types it, on a server that runs.

use std::fs::File;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use worldshard_client::{Connection, Event, Framing};

use crate::operators::{OwnFile, TokenFile, admin, admin_says, scrape, start};
use crate::server::{PROGRAM, Server, WAIT, eventually, on_each_runtime};

on_each_runtime!(
    every_command_does_what_it_says,
    what_cannot_be_is_refused_with_its_reason
);

fn every_command_does_what_it_says(runtime: &str) {
    let token = TokenFile::new(&format!("admin-{runtime}"));
    let args = ["--app", "echo", "--shards", "2", "--auth", "none"];
    let mut server = start(runtime, &token, &["--log", "warn"], &args);
    let says = |args: &[&str]| admin_says(&server, &token, args);
    let mut clients = [server.raw(), server.raw(), server.raw()];

    let list: Value = serde_json::from_str(&says(&["list", "--json"])).unwrap();
    let sessions: Vec<u64> = list["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["session"].as_u64().unwrap())
        .collect();
    assert_eq!(sessions.len(), 3);
    let table = says(&["list", "--max", "2"]);
    assert!(table.starts_with("SESSION"), "{table}");
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.contains("there may be more: --after"), "{table}");

    let one = sessions[0].to_string();
    let looked = says(&["inspect", "session", &one]);
    assert!(looked.contains("seconds_open"), "{looked}");
    assert!(looked.contains("/ws"), "{looked}");

    assert_eq!(
        says(&["broadcast", "tea & cake? 50%"]),
        "3 sessions were told\n"
    );
    for client in &mut clients {
        let heard = client.receive(WAIT).unwrap();
        assert_eq!(heard, Some(Event::Text("tea & cake? 50%".to_owned())));
    }

    let kicked = says(&["kick", &one, "--reason", "as asked"]);
    assert_eq!(kicked, format!("session {one} is closed\n"));
    let mut clients = Vec::from(clients);
    eventually("one of them is told", || {
        let told = clients.iter_mut().position(|client| {
            let heard = client.try_receive().unwrap();
            let kicked = |code: u16, reason: &str| (code, reason) == (1008, "kicked");
            matches!(heard, Some(Event::Closed { code, reason }) if kicked(code, &reason))
        });
        told.map(|one| clients.remove(one)).is_some()
    });
    eventually("it is gone", || {
        admin(&server, &token, &["inspect", "session", &one])
            .status
            .code()
            == Some(1)
    });

    eventually("the kick is counted", || {
        let now = scrape(&server);
        now.sum_of("worldshard_closes_total", "reason", "server_policy") == 1.0
    });
    bans_hold_until_they_are_lifted(&server, &token);
    assert_eq!(says(&["log-level"]), "warn\n");
    assert_eq!(says(&["log-level", "debug"]), "debug\n");
    assert_eq!(says(&["log-level"]), "debug\n");
    let status = says(&["status"]);
    assert!(status.contains("runtime"), "{status}");
    assert_eq!(status.lines().count(), 4, "{status}");

    assert_eq!(says(&["drain"]), "the server stops\n");
    let told = clients.iter_mut().map(|client| {
        client.until(WAIT, |event| match event {
            Event::Closed { code, .. } => Some(*code),
            _ => None,
        })
    });
    let codes: Vec<u16> = told.map(Result::unwrap).collect();
    assert_eq!(codes, [1001, 1001]);
    drop(clients);
    assert_eq!(server.wait().code(), Some(0));
}

fn bans_hold_until_they_are_lifted(server: &Server, token: &TokenFile) {
    let says = |args: &[&str]| admin_says(server, token, args);
    let whom = ["--user", "eve", "--reason", "no", "--seconds", "60"];
    let banned = says(&[&["ban"][..], &whom].concat());
    assert_eq!(banned, "eve may not come\n");
    let bans = says(&["bans"]);
    assert!(
        bans.lines().nth(1).unwrap().starts_with("eve   default"),
        "{bans}"
    );
    let mut eve = Connection::connect(server.addr(), "/ws?user=eve", Framing::Raw).unwrap();
    let closed = eve.until(WAIT, |event| match event {
        Event::Closed { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(closed.unwrap(), "NOT_ALLOWED: banned: no");
    assert_eq!(says(&["unban", "--user", "eve"]), "eve may come again\n");
    assert_eq!(says(&["bans"]).lines().count(), 1);
    assert_eq!(
        says(&["ban", "--ip", "192.0.2.7"]),
        "192.0.2.7 may not come\n"
    );
}

fn what_cannot_be_is_refused_with_its_reason(runtime: &str) {
    let token = TokenFile::new(&format!("refused-{runtime}"));
    let server = start(
        runtime,
        &token,
        &["--log", "off"],
        &["--shards", "1", "--entities", "100"],
    );
    let refused = |args: &[&str], code: i32, why: &str| {
        let done = admin(&server, &token, args);
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(why), "{args:?}: {said}");
    };
    refused(&["inspect", "session", "77"], 1, "404: no such session");
    refused(
        &["inspect", "entity", "9007199254740991"],
        1,
        "404: no such entity",
    );
    refused(
        &["inspect", "room", "kitchen"],
        1,
        "404: this server has no rooms",
    );
    refused(&["kick", "77"], 1, "404");
    refused(&["log-level", "=="], 1, "400: level");
    // As the name of a target it would silence all others.
    refused(&["log-level", "debgu"], 1, "\"debgu\" is no level");
    refused(&["log-level", "worldshard=debug,inof"], 1, "\"inof\"");
    assert_eq!(admin_says(&server, &token, &["log-level"]), "off\n");
    let of_a_tenant = ["ban", "--ip", "192.0.2.7", "--tenant", "default"];
    refused(&of_a_tenant, 2, "cannot be used with");
    refused(&["ban", "--user", "eve", "--seconds", "0"], 2, "1..");
    refused(&["kick", "anna"], 2, "invalid value");
    refused(
        &["broadcast", "x", "--tenant", "nobody"],
        1,
        "404: no such tenant",
    );
    let entity = admin_says(&server, &token, &["inspect", "entity", "1", "--json"]);
    let entity: Value = serde_json::from_str(&entity).unwrap();
    assert_eq!(
        (&entity["entity"], &entity["owner"]),
        (&1.into(), &0.into())
    );

    let wrong = Command::new(PROGRAM)
        .args([
            "admin",
            "--url",
            "https://x",
            "--token-file",
            token.path(),
            "status",
        ])
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    let (_, body) = server.get("/v1/sessions");
    assert!(
        !body.contains("sessions\":"),
        "clients reach the operators' paths: {body}"
    );
    server.signal(Signal::KILL);
}

/// A server that took such a file would answer nobody, and say so only when somebody asks.
#[test]
fn a_token_that_nobody_could_show_is_refused_by_both_ends() {
    let long = "x".repeat(1025);
    for (text, why) in [
        (
            "sixteen bytes of it\nand another line\n",
            "more than one line",
        ),
        ("sixteen bytes of it\n\n", "more than one line"),
        ("sixteen bytes of it \n", "a blank before or behind it"),
        (" sixteen bytes of it\n", "a blank before or behind it"),
        ("sixteen\tbytes of it\n", "a control character in it"),
        (&long, "longer than 1024 bytes"),
    ] {
        let file = OwnFile::new("unshowable.token", text);
        let serve = ["serve", "--admin", "127.0.0.1:0", "--admin-token-file"];
        let asks = ["admin", "status", "--token-file"];
        for args in [&serve[..], &asks] {
            let mut command = Command::new(PROGRAM);
            // Where it takes the file, it ends all the same: this is no address.
            command.args(args).arg(file.path());
            if args == serve {
                command.args(["--bind", "nowhere"]);
            }
            let done = command.output().unwrap();
            let said = String::from_utf8(done.stderr).unwrap();
            assert_eq!(done.status.code(), Some(2), "{args:?}: {said}");
            assert!(said.contains(why), "{args:?}: {said}");
        }
    }
}

#[test]
fn who_reads_no_further_is_no_failure_and_a_full_disk_is_one() {
    let token = TokenFile::new("pipes");
    let log = ["--log", "off"];
    let server = start(
        "portable",
        &token,
        &log,
        &["--app", "echo", "--shards", "1"],
    );
    let url = format!("http://{}", server.operators());
    for args in [
        &["admin", "list"][..],
        &["admin", "list", "--json"],
        &["top", "--once"],
    ] {
        let run = |out: Stdio| {
            let mut command = Command::new(PROGRAM);
            command
                .args(args)
                .args(["--url", &url, "--token-file", token.path()]);
            let done = command.stdout(out).output().unwrap();
            (done.status.code(), String::from_utf8(done.stderr).unwrap())
        };
        // Nobody has the other end.
        let (_, writer) = std::io::pipe().unwrap();
        assert_eq!(run(writer.into()), (Some(0), String::new()), "{args:?}");
        if let Ok(full) = File::options().write(true).open("/dev/full") {
            let (status, said) = run(full.into());
            assert_eq!(status, Some(1), "{args:?}: {said}");
            assert!(said.starts_with("worldshard: stdout: No space"), "{said}");
        }
    }
}

#[test]
fn rooms_of_all_tenants_are_inspected() {
    let token = TokenFile::new("tenants");
    let file = OwnFile::new("tenants.yaml", TENANTS);
    let server = start(
        "portable",
        &token,
        &["--log", "off"],
        &["--config", file.path()],
    );
    let path = "/v1/ws?tenant=blue&user=anna";
    let mut anna = Connection::connect(server.addr(), path, Framing::Lanes).unwrap();
    anna.text(r#"{"v":1,"svc":"room","type":"join","room":"kitchen","data":{}}"#);
    anna.flush().unwrap();
    let seen = |tenant: &str| {
        let args = ["inspect", "room", "kitchen", "--tenant", tenant];
        admin(&server, &token, &args)
    };
    eventually("the room is there", || {
        seen("blue").status.code() == Some(0)
    });
    let none = seen("red");
    assert_eq!(none.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&none.stderr),
        "worldshard: 404: no such room\n"
    );
}

const TENANTS: &str = "version: 1
server: {app: gateway, shards: 1}
auth: {mode: none}
gateway: {listen: '127.0.0.1:0'}
tenants: [{id: red}, {id: blue}]
";

/// What answers a byte at a time, or without end.
fn drips(bytes: &'static [u8], pause: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::Builder::new().name("drips".to_owned());
    let drip = move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        // Until who asks has had enough.
        while stream.write_all(bytes).is_ok() {
            std::thread::park_timeout(pause);
        }
    };
    thread.spawn(drip).unwrap();
    url
}

#[test]
fn an_answer_without_end_is_given_up() {
    let token = TokenFile::new("endless");
    let asks = |url: &str| {
        let mut command = Command::new(PROGRAM);
        command.args(["admin", "--url", url, "--token-file", token.path(), "list"]);
        let done = command.output().unwrap();
        assert_eq!(done.status.code(), Some(1));
        String::from_utf8(done.stderr).unwrap()
    };
    let said = asks(&drips(b" ", Duration::from_millis(100)));
    assert!(said.ends_with(": no answer in 10s\n"), "{said}");
    let said = asks(&drips(&[b' '; 1 << 16], Duration::ZERO));
    assert!(said.ends_with(": its answer has no end\n"), "{said}");
}
