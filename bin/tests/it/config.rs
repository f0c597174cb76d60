//! A server that is said by a file: what is refused with its place, which layer wins, what is read again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;
use worldshard_client::{Connection, Event, Framing};

use crate::server::{PROGRAM, Server, WAIT, eventually, now};

/// A folder of a test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("worldshard-config-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// A file with this text, and where it is. It is never there in part.
    fn write(&self, name: &str, text: &str) -> String {
        let (file, whole) = (self.file(name), self.file("whole"));
        fs::write(&whole, text).unwrap();
        fs::rename(&whole, &file).unwrap();
        file
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The program in an environment of which it is told nothing but `variables`.
fn run(args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(args).envs(variables.iter().copied());
    command.output().unwrap()
}

fn stderr(run: &Output) -> String {
    String::from_utf8_lossy(&run.stderr).into_owned()
}

/// What `serve` would go by.
fn printed(args: &[&str], variables: &[(&str, &str)]) -> String {
    let run = run(&[&["serve", "--print-config"], args].concat(), variables);
    assert_eq!(run.status.code(), Some(0), "{args:?}: {}", stderr(&run));
    String::from_utf8(run.stdout).unwrap()
}

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    let bin = Path::new(env!("CARGO_MANIFEST_DIR"));
    bin.parent().unwrap().join(path)
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_line_column_and_what_is_wanted() {
    let folder = Folder::new("bad");
    for (index, (text, place, words)) in MISTAKES.iter().enumerate() {
        let file = folder.write(&format!("{index}.yaml"), text);
        let checked = run(&["check", &file], &[]);
        let said = stderr(&checked);
        assert_eq!(checked.status.code(), Some(2), "{text}: {said}");
        let beginning = format!("worldshard: {file}:{place}: ");
        assert!(said.starts_with(&beginning), "{text}: {place}, but {said}");
        for word in *words {
            assert!(said.contains(word), "{text}: no {word:?} in {said}");
        }
        let served = run(&["serve", "--bind", "127.0.0.1:0", "--config", &file], &[]);
        assert_eq!(stderr(&served), said, "{text}");
        assert_eq!(served.status.code(), Some(2), "{text}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    for args in [
        &["check", "no/such.yaml"][..],
        &["serve", "--config", "no/such.yaml"],
    ] {
        let run = run(args, &[]);
        assert_eq!(run.status.code(), Some(2), "{args:?}");
        assert!(stderr(&run).contains("no/such.yaml: "), "{}", stderr(&run));
    }
}

/// Every key that wsPrism has, none with its default.
const WSPRISM: &str = "\
version: 1
gateway:
  listen: \"0.0.0.0:8090\"
  ping_interval_ms: 21000
  idle_timeout_ms: 61000
  writer_send_timeout_ms: 1600
  drain_grace_ms: 2100
  handshake_limit:
    enabled: true
    global_rps: 500
    global_burst: 1000
    per_ip_rps: 11
    per_ip_burst: 20
    max_ip_entries: 40000
tenants:
  - id: acme
    limits:
      max_frame_bytes: 1000000
      max_sessions_total: 1001
      max_rooms_total: 1002
      max_users_per_room: 1003
      max_rooms_per_user: 1004
    policy:
      rate_limit_rps: 201
      rate_limit_burst: 401
      rate_limit_scope: both
      ext_allowlist: [\"room:*\"]
      hot_allowlist: [\"1:1\"]
      sessions:
        mode: single
        max_sessions_per_user: 1
        on_exceed: kick_oldest
      hot_error_mode: silent
      hot_requires_active_room: false
  - id: other
";

#[test]
fn a_file_of_wsprism_is_taken_as_it_is() {
    let folder = Folder::new("wsprism");
    let file = folder.write("wsprism.yaml", WSPRISM);
    let checked = run(&["check", &file], &[]);
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    assert_eq!(
        String::from_utf8(checked.stdout).unwrap(),
        format!("{file}: ok\n")
    );
    let printed = printed(&["--config", &file], &[]);
    // The times stand in `limits`, whose ranges are wider.
    for (key, value) in [
        ("listen", "0.0.0.0:8090"),
        ("ping_interval_ms", "21000"),
        ("silence_max_ms", "61000"),
        ("stall_max_ms", "1600"),
        ("drain_max_ms", "2100"),
        ("enabled", "true"),
        ("global_rps", "500"),
        ("global_burst", "1000"),
        ("per_ip_rps", "11"),
        ("per_ip_burst", "20"),
        ("max_ip_entries", "40000"),
        ("max_frame_bytes", "1000000"),
        ("message_bytes_max", "1000000"),
        ("max_sessions_total", "1001"),
        ("max_rooms_total", "1002"),
        ("max_users_per_room", "1003"),
        ("max_rooms_per_user", "1004"),
        ("rate_limit_rps", "201"),
        ("rate_limit_burst", "401"),
        ("rate_limit_scope", "both"),
        ("mode", "single"),
        ("max_sessions_per_user", "1"),
        ("on_exceed", "kick_oldest"),
        ("hot_error_mode", "silent"),
        ("hot_requires_active_room", "false"),
        // Those of the tenant that says nothing.
        ("max_frame_bytes", "4096"),
        ("max_sessions_total", "0"),
        ("rate_limit_rps", "200"),
        ("rate_limit_burst", "400"),
        ("rate_limit_scope", "connection"),
        ("mode", "multi"),
        ("max_sessions_per_user", "4"),
        ("on_exceed", "deny"),
        ("hot_error_mode", "sys_error"),
        ("hot_requires_active_room", "true"),
    ] {
        let is_said = |line: &str| {
            let line = line.trim().trim_start_matches("- ").replace('"', "");
            line == format!("{key}: {value}")
        };
        assert!(
            printed.lines().any(is_said),
            "{key}: {value} is not in {printed}"
        );
    }
}

#[test]
fn what_wsprism_listens_on_asks_whom_to_let_in() {
    let folder = Folder::new("public");
    let file = folder.write(
        "w.yaml",
        "version: 1\ngateway: {listen: '0.0.0.0:0'}\nserver: {app: echo}\n",
    );
    let refused = run(&["serve", "--config", &file], &[]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(
        stderr(&refused).contains("--auth: "),
        "{}",
        stderr(&refused)
    );
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--log", "off", "--config", &file, "--auth", "none"]);
    let server = Server::start_at(command, "0.0.0.0:0", &[]);
    assert!(
        server.line().contains(&format!("configured by {file}")),
        "{}",
        server.line()
    );
    server.end();
}

/// Each of these lines is printed for that.
fn holds(args: &[&str], variables: &[(&str, &str)], wanted: &[&str]) {
    let printed = printed(args, variables);
    for line in wanted {
        assert!(
            printed.lines().any(|one| one.trim() == *line),
            "{args:?} {variables:?}: no {line:?} in {printed}"
        );
    }
}

#[test]
fn a_variable_goes_before_the_file_and_a_flag_before_both() {
    let folder = Folder::new("layers");
    let file = folder.write("w.yaml", "version: 1\nserver: {app: echo, shards: 3}\ngateway: {listen: '127.0.0.1:1', ping_interval_ms: 6000}\nauth: {mode: none}\n");
    let holds = |args: &[&str], variables: &[(&str, &str)], wanted: &[&str]| {
        holds(&[&["--config", &file], args].concat(), variables, wanted);
    };
    let variables = [
        ("WORLDSHARD_SERVER_SHARDS", "4"),
        ("WORLDSHARD_SERVER_APP", "broadcast"),
        ("WORLDSHARD_GATEWAY_LISTEN", "127.0.0.1:2"),
        ("WORLDSHARD_LIMITS_PING_INTERVAL_MS", "7000"),
    ];
    holds(
        &[],
        &[],
        &[
            "app: echo",
            "shards: 3",
            "listen: 127.0.0.1:1",
            "ping_interval_ms: 6000",
        ],
    );
    holds(
        &[],
        &variables,
        &[
            "app: broadcast",
            "shards: 4",
            "listen: 127.0.0.1:2",
            "ping_interval_ms: 7000",
        ],
    );
    holds(
        &["--shards", "5", "-p", "3", "-i", "8"],
        &variables,
        &[
            "app: broadcast",
            "shards: 5",
            "listen: 127.0.0.1:3",
            "ping_interval_ms: 8000",
        ],
    );
    holds(
        &["--app", "rooms"],
        &variables,
        &["app: rooms", "shards: 4"],
    );
    // A value that is the flag's default is said all the same when the flag is.
    holds(
        &["--app", "world", "--bind", "127.0.0.1:8080"],
        &variables,
        &["app: world", "listen: 127.0.0.1:8080"],
    );
}

#[test]
fn variables_say_lists_and_whole_sections_without_a_file_too() {
    // Lists and maps are YAML.
    holds(
        &[],
        &[("WORLDSHARD_TENANTS", "[{id: acme}]")],
        &["- id: acme"],
    );
    // Several variables may make one thing, and one flag may need what another layer says.
    let admin = [
        ("WORLDSHARD_ADMIN_LISTEN", "127.0.0.1:9"),
        ("WORLDSHARD_ADMIN_TOKEN_FILE", "t"),
    ];
    holds(&[], &admin, &["listen: 127.0.0.1:9", "token_file: t"]);
    let data = [
        ("WORLDSHARD_DATA_FOLDER", "d"),
        ("WORLDSHARD_SERVER_APP", "world"),
    ];
    holds(
        &["--accept-loss"],
        &data,
        &["folder: d", "accept_loss: true"],
    );
    holds(&[], &[("WORLDSHARD_WORLD_ENTITIES", "7")], &["entities: 7"]);
}

#[test]
fn a_server_is_what_the_layers_say() {
    let folder = Folder::new("served");
    let file = folder.write("w.yaml", "version: 1\nserver: {app: echo, shards: 3}\n");
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--log", "off", "--config", &file]);
    command.env("WORLDSHARD_SERVER_APP", "broadcast");
    let server = Server::start_saying(command, &["--shards", "1"]);
    let line = server.line();
    assert!(line.contains("broadcast at /ws, 1 shards"), "{line}");
    assert_eq!(server.status().shards().len(), 1);
    server.end();
}

#[test]
fn the_file_of_the_working_directory_is_read_when_none_is_named() {
    let folder = Folder::new("here");
    folder.write(
        "worldshard.yaml",
        "version: 1\nserver: {app: echo, shards: 1}\n",
    );
    let mut command = Command::new(PROGRAM);
    command
        .args(["serve", "--log", "off"])
        .current_dir(&folder.0);
    let server = Server::start_saying(command, &[]);
    let line = server.line();
    assert!(line.contains("echo at /ws, 1 shards"), "{line}");
    assert!(line.ends_with(", configured by worldshard.yaml"), "{line}");
    server.end();
    let mut check = Command::new(PROGRAM);
    let checked = check.arg("check").current_dir(&folder.0).output().unwrap();
    assert_eq!(
        String::from_utf8(checked.stdout).unwrap(),
        "worldshard.yaml: ok\n"
    );
}

#[test]
fn a_variable_that_is_wrong_is_named() {
    for (name, value, wanted) in [
        ("WORLDSHARD_SERVER_SHARDS", "many", "0 to 1024"),
        ("WORLDSHARD_SERVER_SHARDS", "1025", "0 to 1024"),
        ("WORLDSHARD_SERVER_APP", "chat", "echo"),
        ("WORLDSHARD_GATEWAY_PING_INTERVAL_MS", "1", "5000 to 120000"),
        (
            "WORLDSHARD_GATEWAY_HANDSHAKE_LIMIT_ENABLED",
            "maybe",
            "boolean",
        ),
        (
            "WORLDSHARD_GATEWAY_IDLE_TIMEOUT_MS",
            "10000",
            "longer than ping_interval_ms",
        ),
        ("WORLDSHARD_TENANTS", "[{id: a}, {id: a}]", "tenants[1].id"),
        ("WORLDSHARD_TENANTS", "[{", ""),
        ("WORLDSHARD_AUTH_MODE", "password", "none"),
    ] {
        let run = run(&["serve", "--print-config"], &[(name, value)]);
        let said = stderr(&run);
        assert_eq!(run.status.code(), Some(2), "{name}={value}: {said}");
        assert!(said.starts_with(&format!("worldshard: {name}: ")), "{said}");
        assert!(said.contains(wanted), "{name}={value}: {said}");
    }
}

#[test]
fn what_is_printed_can_be_read_back_and_has_no_secret() {
    let folder = Folder::new("printed");
    let secret = folder.write("secret", "nobody may read this\n");
    let more = format!(
        "{WSPRISM}auth: {{mode: secret, secret_file: {secret}, skew_ms: 1}}\n\
         bans: [{{ip: 10.0.0.1, reason: noise}}, {{tenant: acme, user: eve, until_unix_s: 2000000000}}]\n\
         limits: {{connections_max: 10, turn_frames_max: 3}}\n\
         server: {{coalesce: tick, app: rooms, origins: ['https://a.example'], files: {{/x: {}}}}}\n\
         admin: {{listen: '127.0.0.1:9000', token_file: t}}\n\
         hook: {{url: 'http://127.0.0.1:1/', secret_file: {secret}, on_error: allow, events: [connect, 'svc:shop']}}\n",
        folder.0.display()
    );
    for (name, text) in [("1", "version: 1\n"), ("2", WSPRISM), ("3", &more)] {
        let file = folder.write(&format!("{name}.yaml"), text);
        let once = printed(
            &[
                "--config",
                &file,
                "-i",
                "1",
                "-t",
                "3",
                "--interest-radius",
                "24.1",
            ],
            &[],
        );
        assert!(once.contains("interest_radius_m: 24.1\n"), "{once}");
        let again = folder.write(&format!("{name}-again.yaml"), &once);
        assert_eq!(printed(&["--config", &again], &[]), once);
        assert!(!once.contains("nobody"), "{once}");
    }
}

#[test]
fn an_allowlist_that_names_no_service_is_refused_or_warned_of() {
    let folder = Folder::new("services");
    for (list, entry, place) in [
        ("ext_allowlist: ['room:join', 'rom:leave']", "rom", "5:36"),
        ("hot_allowlist: ['1:1', '77:*']", "77", "5:30"),
    ] {
        let text = format!("version: 1\ntenants:\n  - id: acme\n    policy:\n      {list}\n");
        let file = folder.write("w.yaml", &text);
        let checked = run(&["check", &file], &[]);
        let said = stderr(&checked);
        assert_eq!(checked.status.code(), Some(2), "{said}");
        assert!(
            said.starts_with(&format!("worldshard: {file}:{place}: ")),
            "{said}"
        );
        assert!(
            said.contains(&format!("no service {entry}; there are ")),
            "{said}"
        );
        let served = run(&["serve", "--bind", "127.0.0.1:0", "--config", &file], &[]);
        assert_eq!((served.status.code(), stderr(&served)), (Some(2), said));
        let warned = run(
            &["check", &file],
            &[("WORLDSHARD_SERVER_UNKNOWN_SERVICES", "warn")],
        );
        assert_eq!(warned.status.code(), Some(0), "{}", stderr(&warned));
        assert!(
            stderr(&warned).contains(&format!("no service {entry}")),
            "{}",
            stderr(&warned)
        );
    }
}

#[test]
fn a_variable_of_no_key_is_warned_of() {
    let folder = Folder::new("unknown");
    let file = folder.write("w.yaml", "version: 1\n");
    let slip = [("WORLDSHARD_GATEWAY_LISTN", "127.0.0.1:1")];
    let checked = run(&["check", &file], &slip);
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    let said = stderr(&checked);
    assert!(said.contains("WARN") && said.contains(slip[0].0), "{said}");
    let quiet = run(&["check", &file], &[("WORLDSHARD_LISTN", "1")]);
    assert_eq!(stderr(&quiet), "");
}

/// A server of a file whose log is another.
struct Logged {
    server: Server,
    log: String,
}

impl Logged {
    fn start(folder: &Folder, file: &str) -> Self {
        let log = folder.file("log");
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--log", "info", "--config", file]);
        command.stderr(Stdio::from(File::create(&log).unwrap()));
        let server = Server::start_saying(command, &["--shards", "1"]);
        Self { server, log }
    }

    /// At least so often: a file that is changed may be read by itself before a hangup has it read again.
    fn has_said(&self, words: &[&str], times: usize) -> bool {
        let log = fs::read_to_string(&self.log).unwrap();
        let lines = log
            .lines()
            .filter(|line| words.iter().all(|word| line.contains(word)));
        lines.count() >= times
    }
}

/// A tenant with this rate.
fn rate(rps: u32) -> String {
    format!("version: 1\ntenants:\n  - id: acme\n    policy:\n      rate_limit_rps: {rps}\n")
}

const READ_AGAIN: &[&str] = &["INFO", "read again and holds"];
const STAYS: &[&str] = &["ERROR", "stays as it was"];

#[test]
fn a_hangup_has_the_file_read_again_and_a_bad_one_changes_nothing() {
    let folder = Folder::new("hangup");
    let file = folder.write("w.yaml", &rate(10));
    let logged = Logged::start(&folder, &file);
    logged.server.signal(Signal::HUP);
    eventually("the same is read again", || logged.has_said(READ_AGAIN, 1));
    folder.write("w.yaml", &rate(0));
    logged.server.signal(Signal::HUP);
    let place = format!("{file}:5:23: ");
    eventually("a bad file is named", || {
        logged.has_said(&[STAYS[0], STAYS[1], &place], 1)
    });
    folder.write("w.yaml", "version: 1\ntenants:\n  - id: other\n");
    logged.server.signal(Signal::HUP);
    eventually("tenants cannot be taken away", || {
        let place = format!("{file}:3:3: tenants: ");
        logged.has_said(&[STAYS[0], STAYS[1], &place], 1)
    });
    assert_eq!(logged.server.get("/status").0, 200);
    logged.server.end();
}

#[test]
fn a_hangup_ends_no_service_that_has_nothing_to_read_again() {
    let folder = Folder::new("nothing");
    let log = folder.file("log");
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--log", "info", "--app", "echo"]);
    command.current_dir(&folder.0).stdin(Stdio::null());
    command.stderr(Stdio::from(File::create(&log).unwrap()));
    let server = Server::start_saying(command, &["--shards", "1"]);
    server.signal(Signal::HUP);
    eventually("it says so", || {
        let said = fs::read_to_string(&log).unwrap();
        said.contains("no file says anything that could be read again")
    });
    assert_eq!(server.get("/healthz").0, 200);
    server.end();
}

#[test]
fn a_file_that_changes_is_read_again_and_what_takes_a_start_is_named() {
    let folder = Folder::new("change");
    let file = folder.write("w.yaml", &rate(10));
    let logged = Logged::start(&folder, &file);
    let more = "server: {runtime: portable}\nlimits: {detached_max: 7}\n";
    folder.write("w.yaml", &format!("{}{more}", rate(1000)));
    eventually("it is read", || logged.has_said(READ_AGAIN, 1));
    let named = [
        "WARN",
        "takes another start",
        "server.runtime",
        "limits.detached_max",
    ];
    assert!(logged.has_said(&named, 1));
    folder.write("w.yaml", "version: 1\nvrsion: 2\n");
    let place = format!("{file}:2:1: ");
    eventually("a bad file is named", || {
        logged.has_said(&[STAYS[0], STAYS[1], &place], 1)
    });
    fs::remove_file(&file).unwrap();
    eventually("so is one that is gone", || {
        logged.has_said(&[STAYS[0], STAYS[1], "No such file"], 1)
    });
    folder.write("w.yaml", &rate(20));
    eventually("one that is back is read", || {
        logged.has_said(READ_AGAIN, 2)
    });
    logged.server.end();
}

/// A client on a raw path, and whether it was let in.
fn come(server: &Server, path: &str) -> (Connection, bool) {
    let mut client = Connection::connect(server.addr(), path, Framing::Raw).unwrap();
    client.text("who is there");
    let said = client.until(WAIT, |event| match event {
        Event::Text(_) => Some(true),
        Event::Closed { .. } => Some(false),
        _ => None,
    });
    (client, said.unwrap())
}

#[test]
fn how_many_sessions_a_user_may_have_is_read_again() {
    let folder = Folder::new("sessions");
    let sessions = |max: u32, rule: &str| {
        format!(
            "version: 1\nserver: {{app: echo}}\nauth: {{mode: none, sessions_per_user: {max}, on_exceed: {rule}}}\n"
        )
    };
    let file = folder.write("w.yaml", &sessions(1, "deny"));
    let logged = Logged::start(&folder, &file);
    let anna = || come(&logged.server, "/ws?user=anna");
    let (mut first, is_in) = anna();
    assert!(is_in);
    assert!(!anna().1, "one is all that there may be");
    folder.write("w.yaml", &sessions(2, "deny"));
    logged.server.signal(Signal::HUP);
    let mut second = None;
    eventually("there may be another", || {
        let (client, is_in) = anna();
        second = is_in.then_some(client);
        is_in
    });
    assert!(!anna().1, "and no third");
    folder.write("w.yaml", &sessions(1, "kick_oldest"));
    logged.server.signal(Signal::HUP);
    eventually("it is read", || logged.has_said(READ_AGAIN, 2));
    // Nobody loses a session by that alone, and both by the next one.
    for client in [&mut first].into_iter().chain(&mut second) {
        client.text("still there");
        let heard = client.receive(WAIT).unwrap();
        assert_eq!(heard, Some(Event::Text("still there".to_owned())));
    }
    assert!(anna().1);
    for client in [&mut first].into_iter().chain(&mut second) {
        let closed = client.until(WAIT, |event| match event {
            Event::Closed { code, reason } => Some((*code, reason.clone())),
            _ => None,
        });
        assert_eq!(closed.unwrap(), (1008, "kicked".to_owned()));
    }
    assert!(!logged.has_said(&["takes another start"], 1));
    logged.server.end();
}

#[test]
fn a_rate_that_is_read_again_holds_for_who_is_connected() {
    let folder = Folder::new("rate");
    let rate = |rps: u32| {
        let app = "server: {app: echo}\nauth: {mode: none}\n";
        format!("{}      rate_limit_burst: {rps}\n{app}", rate(rps))
    };
    let file = folder.write("w.yaml", &rate(100_000));
    let logged = Logged::start(&folder, &file);
    let (mut client, is_in) = come(&logged.server, "/ws?tenant=acme");
    assert!(is_in);
    folder.write("w.yaml", &rate(1));
    logged.server.signal(Signal::HUP);
    eventually("it is read", || logged.has_said(READ_AGAIN, 1));
    // Of so many in a row one is heard, and one more in each second that they take.
    let began = now();
    for _ in 0..100 {
        client.text("x");
    }
    client.flush().unwrap();
    let limited = || {
        let status: serde_json::Value =
            serde_json::from_str(&logged.server.get("/status").1).unwrap();
        status["shards"][0]["rate_limited"].as_u64().unwrap()
    };
    eventually("the rest is too much", || {
        limited() + 1 + (now() - began).as_secs() >= 99
    });
    logged.server.end();
}

#[test]
fn the_example_is_taken_and_asks_for_nothing_unknown() {
    let example = repository("examples/worldshard.yaml");
    let checked = run(&["check", example.to_str().unwrap()], &[]);
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
}

#[test]
fn the_published_schema_and_the_table_of_keys_are_those_of_the_types() {
    let said = |flag| {
        let run = run(&["check", flag], &[]);
        assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
        String::from_utf8(run.stdout).unwrap()
    };
    let bless = std::env::var_os("WORLDSHARD_BLESS").is_some_and(|bless| bless == "1");
    let schema = repository("docs/worldshard.schema.json");
    if bless {
        fs::write(&schema, said("--schema")).unwrap();
    }
    assert_eq!(fs::read_to_string(&schema).unwrap(), said("--schema"));
    let page = repository("docs/configuration.md");
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once("<!-- keys -->\n").unwrap();
    let (table, after) = rest.split_once("<!-- end of keys -->\n").unwrap();
    let keys = said("--keys");
    if bless {
        let text = format!("{before}<!-- keys -->\n{keys}<!-- end of keys -->\n{after}");
        fs::write(&page, text).unwrap();
        return;
    }
    assert_eq!(table, keys, "WORLDSHARD_BLESS=1 writes it anew");
}

/// A file with a tenant whose policy has this line.
macro_rules! of_policy {
    ($line:literal) => {
        concat!(
            "version: 1\ntenants:\n  - id: acme\n    policy:\n      ",
            $line,
            "\n"
        )
    };
}

/// A file, where it is wrong, and what must be said of that.
const MISTAKES: &[(&str, &str, &[&str])] = &[
    ("server: {}\n", "1:1", &["missing field `version`"]),
    ("version: 2\n", "1:10", &["2", "expected 1"]),
    (
        "version: 1\ngatway: {}\n",
        "2:1",
        &["gatway", "gateway", "tenants"],
    ),
    (
        "version: 1\ngateway:\n  listn: x\n",
        "3:3",
        &["listn", "listen", "ping_interval_ms"],
    ),
    (
        "version: 1\ngateway:\n  ping_interval_ms: 4999\n",
        "3:21",
        &["4999", "5000 to 120000"],
    ),
    (
        "version: 1\ngateway:\n  ping_interval_ms: 120001\n",
        "3:21",
        &["5000 to 120000"],
    ),
    (
        "version: 1\ngateway:\n  ping_interval_ms: soon\n",
        "3:21",
        &["soon", "5000 to 120000"],
    ),
    (
        "version: 1\ngateway:\n  idle_timeout_ms: 9999\n",
        "3:20",
        &["10000 to 600000"],
    ),
    (
        "version: 1\ngateway:\n  writer_send_timeout_ms: 49\n",
        "3:27",
        &["50 to 60000"],
    ),
    (
        "version: 1\ngateway:\n  drain_grace_ms: 600001\n",
        "3:19",
        &["0 to 600000"],
    ),
    (
        "version: 1\ngateway:\n  ping_interval_ms: 60000\n  idle_timeout_ms: 60000\n",
        "4:20",
        &["gateway.idle_timeout_ms", "longer than ping_interval_ms"],
    ),
    (
        "version: 1\ngateway:\n  ping_interval_ms: 60000\nlimits:\n  ping_interval_ms: 60000\n",
        "5:21",
        &["limits.ping_interval_ms", "in gateway too"],
    ),
    (
        "version: 1\ngateway:\n  handshake_limit:\n    global_rps: 0\n",
        "4:17",
        &["1 to 4294967295"],
    ),
    (
        "version: 1\nserver:\n  app: chat\n",
        "3:8",
        &["chat", "echo", "world"],
    ),
    (
        "version: 1\nserver:\n  shards: '4'\n",
        "3:11",
        &["4; expected a whole number from 0 to 1024"],
    ),
    (
        "version: 1\nserver:\n  shards: 1025\n",
        "3:11",
        &["0 to 1024"],
    ),
    (
        "version: 1\nserver:\n  coalesce: never\n",
        "3:13",
        &["milliseconds nor tick"],
    ),
    (
        "version: 1\nworld:\n  tick_rate_hz: 0\n",
        "3:17",
        &["0.1 to 1000"],
    ),
    ("version: 1\ntenants: []\n", "2:10", &["at least one"]),
    (
        "version: 1\ntenants:\n#  - id: acme\n",
        "2:8",
        &["expected sequence"],
    ),
    (
        "version: 1\ntenants:\n  - limits: {}\n",
        "3:5",
        &["missing field `id`"],
    ),
    (
        "version: 1\ntenants:\n  - id: ''\n",
        "3:9",
        &["tenants[0].id", "1 to 64"],
    ),
    (
        "version: 1\ntenants:\n  - id: a b\n",
        "3:9",
        &["A-Z a-z 0-9"],
    ),
    (
        "version: 1\ntenants:\n  - id: a\n  - id: a\n",
        "4:9",
        &["tenants[1].id", "before"],
    ),
    (
        "version: 1\ntenants:\n  - id: a\n    limits:\n      max_frame_bytes: 0\n",
        "5:24",
        &["at least 1"],
    ),
    (
        "version: 1\nlimits:\n  message_bytes_max: 4000\ntenants:\n  - id: a\n",
        "5:5",
        &[
            "tenants[0].limits.max_frame_bytes",
            "4096; at most limits.message_bytes_max, 4000",
        ],
    ),
    (
        of_policy!("rate_limit_rps: 0"),
        "5:23",
        &["1 to 4294967295"],
    ),
    (
        of_policy!("rate_limit_scope: user"),
        "5:25",
        &["tenant, connection, both"],
    ),
    (
        of_policy!("hot_error_mode: loud"),
        "5:23",
        &["sys_error, silent"],
    ),
    (
        of_policy!("ext_allowlist: [room]"),
        "5:23",
        &["ext_allowlist[0]", "svc:type or svc:*"],
    ),
    (
        of_policy!("ext_allowlist: ['room:*', 'chat:se*']"),
        "5:33",
        &["ext_allowlist[1]", "svc:type or svc:*"],
    ),
    (
        of_policy!("hot_allowlist: ['256:1']"),
        "5:23",
        &["hot_allowlist[0]", "0 to 255"],
    ),
    (
        of_policy!("sessions: {mode: single, max_sessions_per_user: 2}"),
        "5:55",
        &["max_sessions_per_user", "1 with mode single"],
    ),
    (
        of_policy!("rates: [{scope: all, per_second: 1, burst: 1}]"),
        "5:23",
        &["connection, user, tenant, both"],
    ),
    (
        "version: 1\nbans:\n  - reason: none\n",
        "3:5",
        &["bans[0]", "either ip, or user"],
    ),
    ("version: 1\nbans:\n  - ip: 1.2.3\n", "3:9", &["IP address"]),
    (
        "version: 1\nbans:\n  - user: anna\n    tenant: acme\n",
        "4:13",
        &["bans[0].tenant", "\"acme\": there is no such tenant"],
    ),
    (
        "version: 1\ntenants: [{id: acme}]\nbans:\n  - user: anna\n",
        "4:5",
        &["bans[0].tenant", "\"default\": there is no such tenant"],
    ),
    (
        "version: 1\nbans:\n  - ip: 1.2.3.4\n    reason: 0123456789012345678901234567890123456789\\\n      0123456789012345678901234567890123456789012345678901234567890\n",
        "3:5",
        &["bans[0]", "a reason of 1", "at most 100"],
    ),
    (
        of_policy!("rates: [{scope: user, per_second: 1, burst: 1, throttle_ms: 60001}]"),
        "5:67",
        &["60001", "0 to 60000"],
    ),
    (
        of_policy!("rates: [{scope: both, per_second: 200, burst: 400, action: disconnect}]"),
        "5:15",
        &["rates[0]", "the same before"],
    ),
    (
        "version: 1\nauth:\n  audience: .inf\n  mode: secret\n",
        "4:9",
        &["auth.secret_file"],
    ),
    (
        "version: 1\nauth:\n  mode: secret\n",
        "3:9",
        &["auth.secret_file"],
    ),
    (
        "version: 1\nauth:\n  key_files: [a]\n",
        "3:14",
        &["only with", "token"],
    ),
    (
        "version: 1\ntls:\n  cert_file: a\n",
        "3:14",
        &["tls.key_file"],
    ),
    (
        "version: 1\nserver:\n  app: echo\ndata:\n  folder: d\n",
        "5:11",
        &["only a world can be kept"],
    ),
    (
        "version: 1\nversion: 1\n",
        "2:1",
        &["duplicate mapping key: version"],
    ),
    (
        "version: 1\nserver: {app: echo\n",
        "2:9",
        &["unclosed bracket"],
    ),
    ("version: 1\nserver: [\n", "2:9", &["expected mapping"]),
];
