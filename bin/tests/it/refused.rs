//! A machine that refuses io_uring, or what it needs: the server starts all the same, says why, and serves.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use worldshard_client::protocol::{InterestWish, ViewpointMode};

use crate::runtimes::tell;
use crate::server::{PROGRAM, Server, WAIT, limited};
use crate::world::{enter, is_delta};

#[test]
fn under_a_filter_that_refuses_io_uring_it_serves_and_names_the_reason() {
    let server = Server::start_by(refusing(IO_URING), "auto", &SMALL);
    let said = "runtime portable: io_uring: refused: Operation not permitted (os error 1), under a seccomp filter";
    assert!(server.line().contains(said), "{}", server.line());
    assert_serves(&server);
    let (status, doctor) = run(refusing(IO_URING), &["doctor"]);
    assert_eq!(status, Some(0), "{doctor}");
    assert!(doctor.contains("NO  io_uring"), "{doctor}");
    assert!(doctor.contains("docs/seccomp.json"), "{doctor}");
    assert!(doctor.contains("\nruntime portable: io_uring"), "{doctor}");
}

#[test]
fn a_filter_that_refuses_one_call_of_io_uring_is_noticed_too() {
    for call in IO_URING.split(',') {
        let server = Server::start_by(refusing(call), "auto", &SMALL);
        let said = "runtime portable: io_uring: refused";
        assert!(server.line().contains(said), "{call}: {}", server.line());
        assert_serves(&server);
    }
}

#[test]
fn glommio_where_io_uring_is_refused_ends_with_the_cause_and_the_remedy() {
    let arguments = ["serve", "--bind", "127.0.0.1:0", "--runtime", "glommio"];
    let (status, said) = run(refusing(IO_URING), &arguments);
    assert_eq!(status, Some(1), "{said}");
    for words in [
        "glommio",
        "seccomp filter",
        "docs/seccomp.json",
        "--runtime portable",
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
}

#[test]
fn with_64_kib_of_locked_memory_it_serves_and_names_the_remedy() {
    let (status, doctor) = run(limited("-l 64"), &["doctor"]);
    assert_eq!(status, Some(0), "{doctor}");
    assert!(
        doctor.contains("NO  locked memory") && doctor.contains("--ulimit memlock="),
        "{doctor}"
    );
    let server = Server::start_limited("-l 64", "auto", &SMALL);
    // Where io_uring is refused anyway, that is the first cause.
    let cause = match doctor.contains("NO  io_uring") {
        true => "io_uring: refused: ",
        false => "locked memory: 64 KiB of 512 KiB wanted; raise it: ulimit -l",
    };
    let said = format!("runtime portable: {cause}");
    assert!(server.line().contains(&said), "{}", server.line());
    assert_serves(&server);
}

#[test]
fn executors_that_cannot_be_made_give_way_to_the_portable_runtime() {
    // Enough descriptors to look at io_uring and to serve, too few for the rings of sixteen executors.
    let limit = "-n 64";
    let shards = ["--entities", "2000", "--shards", "16"];
    let (_, doctor) = run(limited(limit), &["doctor"]);
    if !doctor.contains("\nruntime glommio") {
        tell(&format!("NOT RUN: {doctor}"));
        return;
    }
    let server = Server::start_limited(limit, "auto", &shards);
    let said = "runtime portable: the glommio runtime cannot start here: ";
    assert!(server.line().contains(said), "{}", server.line());
    assert_serves(&server);
    let arguments = [
        "serve",
        "--bind",
        "127.0.0.1:0",
        "--runtime",
        "glommio",
        "--shards",
        "16",
    ];
    let (status, said) = run(limited(limit), &arguments);
    assert_eq!(status, Some(1), "{said}");
    assert!(
        said.contains("the glommio runtime cannot start here"),
        "{said}"
    );
}

#[test]
fn the_shipped_profile_allows_what_glommio_needs_and_nothing_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = std::fs::read_to_string(root.join("docs/seccomp.json")).unwrap();
    let profile: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rules = profile["syscalls"].as_array().unwrap();
    assert_eq!(rules.len(), 1);
    assert_eq!(rules[0]["action"], "SCMP_ACT_ALLOW");
    let calls = ["io_uring_setup", "io_uring_enter", "io_uring_register"];
    assert_eq!(rules[0]["names"], serde_json::json!(calls));
}

/// A client joins and sees the world go on.
fn assert_serves(server: &Server) {
    let (mut client, middle) = enter(server);
    client.join(ViewpointMode::Camera, Some(middle), InterestWish::Default);
    let first = client.until(WAIT, is_delta).unwrap();
    while client.until(WAIT, is_delta).unwrap() < first + 10 {}
    assert!(!client.view().is_empty());
}

/// Exit status and both streams of the program, run to its end by `command`.
fn run(mut command: Command, arguments: &[&str]) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout) + &text(stderr))
}

/// The program, run under a filter that refuses these system calls.
fn refusing(calls: &str) -> Command {
    static LAUNCHER: OnceLock<String> = OnceLock::new();
    let launcher = LAUNCHER.get_or_init(|| {
        let launcher = concat!(env!("CARGO_TARGET_TMPDIR"), "/refuse");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/refuse.c");
        let built = Command::new("gcc").args(["-o", launcher, source]).status();
        assert!(built.unwrap().success(), "gcc does not build {source}");
        launcher.to_owned()
    });
    let mut command = Command::new(launcher);
    command.args([calls, PROGRAM]);
    command
}

const SMALL: [&str; 6] = ["--entities", "400", "--shards", "2", "--tick-rate", "100"];

/// The numbers of io_uring_setup, io_uring_enter and io_uring_register, which all architectures share.
const IO_URING: &str = "425,426,427";
