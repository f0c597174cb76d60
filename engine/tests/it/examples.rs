//! Every example, as a program: it starts, does what its first line says, and ends by ctrl-c with status 0.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use worldshard_client::{Connection, Event, Framing};
use worldshard_protocol::{InterestWish, ViewpointMode};

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
fn every_example_does_what_it_says_and_ends_by_ctrl_c() {
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
    run(&directory, "wander", || {
        drop(connect("/ws"));
        let mut client = Connection::enter(address(), "/world", PATIENCE).unwrap();
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
    });
    let embed = Command::new(directory.join("embed")).output().unwrap();
    let said = String::from_utf8(embed.stdout).unwrap();
    assert!(
        embed.status.success() && said.contains("the engine listens on 127.0.0.1:"),
        "{said}"
    );
}

/// Builds the examples beside this test's own program, and says where they are.
fn build() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let profile = own.parent().and_then(Path::parent).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", "worldshard", "--examples"]);
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

fn run(directory: &Path, example: &str, check: impl FnOnce()) {
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
