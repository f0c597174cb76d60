//! What wsPrism's own documents tell their readers to write, send and expect, held against `serve --app gateway`: the two files, the
//! address, the envelopes, and the binary message with the version byte that its protocol has.

use serde_json::{Value, json};
use worldshard_client::{Connection, Event, Framing};

use crate::operators::OwnFile;
use crate::server::{Server, WAIT, on_each_runtime};

on_each_runtime!(
    the_first_steps_work_as_they_are_written,
    three_tenants_of_one_file_have_their_own_rules
);

/// Its "Getting Started".
const FIRST_STEPS: &str = r#"
version: 1

gateway:
  listen: "0.0.0.0:8080"
  ping_interval_ms: 5000
  idle_timeout_ms: 10000

tenants:
  - id: acme
    limits:
      max_frame_bytes: 65536
    policy:
      ext_allowlist:
        - "room:join"
        - "room:leave"
        - "chat:*"
      hot_allowlist:
        - "1:*"
"#;

/// Its "Full Configuration Example".
const WHOLE: &str = r#"
version: 1
gateway:
  listen: "0.0.0.0:8080"
  ping_interval_ms: 20000
  idle_timeout_ms: 60000
  writer_send_timeout_ms: 1500
  drain_grace_ms: 5000
  handshake_limit:
    enabled: true
    global_rps: 500
    global_burst: 1000
    per_ip_rps: 10
    per_ip_burst: 20
    max_ip_entries: 50000
tenants:
  - id: acme
    limits:
      max_frame_bytes: 65536
      max_sessions_total: 10000
      max_rooms_total: 500
      max_users_per_room: 100
      max_rooms_per_user: 10
    policy:
      rate_limit_rps: 1000
      rate_limit_burst: 2000
      rate_limit_scope: both
      sessions:
        mode: multi
        max_sessions_per_user: 4
        on_exceed: kick_oldest
      hot_error_mode: silent
      hot_requires_active_room: true
      ext_allowlist:
        - "room:join"
        - "room:leave"
        - "chat:*"
      hot_allowlist:
        - "1:*"
  - id: bank
    limits:
      max_frame_bytes: 16384
      max_sessions_total: 1000
      max_rooms_total: 0
      max_users_per_room: 0
      max_rooms_per_user: 0
    policy:
      rate_limit_rps: 100
      rate_limit_burst: 200
      rate_limit_scope: tenant
      sessions:
        mode: single
        max_sessions_per_user: 1
        on_exceed: deny
      hot_error_mode: sys_error
      hot_requires_active_room: true
      ext_allowlist:
        - "auth:verify"
        - "msg:secure"
      hot_allowlist: []
  - id: game
    limits:
      max_frame_bytes: 65536
      max_sessions_total: 100000
      max_rooms_total: 5000
      max_users_per_room: 200
      max_rooms_per_user: 0
    policy:
      rate_limit_rps: 5000
      rate_limit_burst: 10000
      rate_limit_scope: connection
      sessions:
        mode: multi
        max_sessions_per_user: 10
        on_exceed: kick_oldest
      hot_error_mode: silent
      hot_requires_active_room: true
      ext_allowlist:
        - "room:*"
        - "match:*"
      hot_allowlist:
        - "1:*"
        - "2:10"
"#;

/// Serves by a file on a free port of this machine. Its services that nobody has are only warned of, as by wsPrism itself.
fn gateway(runtime: &str, file: &OwnFile) -> Server {
    let file = file.path();
    let flags = ["--app", "gateway", "--auth", "none", "--config", file];
    Server::start(
        runtime,
        &[&flags[..], &["--unknown-services", "warn", "--shards", "2"]].concat(),
    )
}

/// A client by the address of the documents, greeted.
fn come(server: &Server, tenant: &str) -> Connection {
    let path = format!("/v1/ws?tenant={tenant}&ticket=dev");
    let mut client = Connection::connect(server.addr(), &path, Framing::Raw).unwrap();
    assert_eq!(client.receive(WAIT).unwrap(), Some(Event::Opened));
    let greeting = heard(&mut client);
    assert_eq!(greeting["svc"], "sys", "{greeting}");
    assert_eq!(greeting["type"], "authed", "{greeting}");
    assert_eq!(greeting["data"]["tenant"], tenant);
    assert_eq!(greeting["data"]["user"], "dev");
    client
}

/// The next text.
fn heard(client: &mut Connection) -> Value {
    match client.receive(WAIT).unwrap() {
        Some(Event::Text(text)) => serde_json::from_str(&text).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn say(client: &mut Connection, text: &str) {
    client.text(text);
    client.flush().unwrap();
}

fn join(client: &mut Connection, room: &str) {
    say(
        client,
        &json!({ "v": 1, "svc": "room", "type": "join", "room": room }).to_string(),
    );
    let joined = heard(client);
    assert_eq!(joined["type"], "joined", "{joined}");
    assert_eq!(joined["room"], room);
}

/// "01 01 00 DE AD BE EF" of the documents, behind the version.
const HOT: &[u8] = &[0x01, 0x01, 0x01, 0x00, 0xde, 0xad, 0xbe, 0xef];

fn echoed(client: &mut Connection) {
    client.binary(HOT);
    client.flush().unwrap();
    let back = client.receive(WAIT).unwrap();
    assert_eq!(back, Some(Event::Binary(HOT.into())));
}

fn the_first_steps_work_as_they_are_written(runtime: &str) {
    let file = OwnFile::new(&format!("first-{runtime}.yaml"), FIRST_STEPS);
    let server = gateway(runtime, &file);
    let mut client = come(&server, "acme");
    let hello = r#"{
        "v": 1,
        "svc": "chat",
        "type": "send",
        "room": "lobby",
        "data": {
          "msg": "Hello wsPrism!"
        }
    }"#;
    // Who is no member says nothing there: that is where we differ, and what it is told.
    say(&mut client, hello);
    let refused = heard(&mut client);
    assert_eq!(refused["data"]["code"], "NOT_ALLOWED", "{refused}");
    join(&mut client, "lobby");
    say(&mut client, hello);
    let data = json!({ "from": "dev", "msg": "Hello wsPrism!" });
    let said = json!({ "v": 1, "svc": "chat", "type": "msg", "room": "lobby", "data": data });
    assert_eq!(heard(&mut client), said);
    echoed(&mut client);

    // The envelope of the protocol's page, all its fields there.
    join(&mut client, "party:1");
    let schema = r#"{"v":1,"svc":"chat","type":"send","flags":0,"seq":123,"room":"party:1","data":{"msg":"hi"}}"#;
    say(&mut client, schema);
    assert_eq!(heard(&mut client)["room"], "party:1");
    say(
        &mut client,
        r#"{"v":1,"svc":"room","type":"leave","room":"party:1"}"#,
    );
    let left = heard(&mut client);
    assert_eq!(
        (&left["svc"], &left["type"]),
        (&json!("sys"), &json!("left"))
    );
    server.end();
}

fn three_tenants_of_one_file_have_their_own_rules(runtime: &str) {
    let file = OwnFile::new(&format!("whole-{runtime}.yaml"), WHOLE);
    let server = gateway(runtime, &file);
    let (mut acme, mut bank, mut game) = (
        come(&server, "acme"),
        come(&server, "bank"),
        come(&server, "game"),
    );
    // The same room by its name, in two tenants: each hears its own.
    join(&mut acme, "lobby");
    join(&mut game, "lobby");
    echoed(&mut game);
    say(
        &mut acme,
        r#"{"v":1,"svc":"chat","type":"send","room":"lobby","data":{"msg":"of acme"}}"#,
    );
    assert_eq!(heard(&mut acme)["data"]["msg"], "of acme");
    echoed(&mut game);

    // What a list does not name is refused, and on the hot lane told where the tenant wants that.
    for client in [&mut bank, &mut game] {
        say(
            client,
            r#"{"v":1,"svc":"chat","type":"send","seq":5,"data":{"msg":"hi"}}"#,
        );
        let refused = heard(client);
        assert_eq!(refused["data"]["code"], "NOT_ALLOWED", "{refused}");
        assert_eq!(refused["seq"], 5);
    }
    bank.binary(HOT);
    bank.flush().unwrap();
    assert_eq!(heard(&mut bank)["data"]["code"], "NOT_ALLOWED");
    game.binary(&[0x01, 0x02, 0x0b, 0x00]);
    echoed(&mut game);

    // One session for each user of the bank; the other is denied, and told so.
    let path = "/v1/ws?tenant=bank&ticket=dev";
    let mut second = Connection::connect(server.addr(), path, Framing::Raw).unwrap();
    assert_eq!(second.receive(WAIT).unwrap(), Some(Event::Opened));
    assert_eq!(heard(&mut second)["data"]["code"], "TOO_MANY_SESSIONS");
    server.end();
}
