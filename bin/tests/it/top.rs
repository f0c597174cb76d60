//! `worldshard top` on a server that runs: one frame for a pipe, and no escape of a terminal in it.

use std::process::Command;

use crate::operators::{TokenFile, start};
use crate::server::{PROGRAM, on_each_runtime};

on_each_runtime!(one_frame_shows_the_shards);

fn one_frame_shows_the_shards(runtime: &str) {
    let token = TokenFile::new(&format!("top-{runtime}"));
    let args = ["--shards", "2", "--entities", "300"];
    let server = start(runtime, &token, &["--log", "off"], &args);
    let _client = crate::world::greet(&server);
    let url = format!("http://{}", server.operators());
    let top = |more: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(["top", "--url", &url, "--token-file", token.path()]);
        command.args(more).output().unwrap()
    };
    let done = top(&["--once"]);
    let frame = String::from_utf8(done.stdout).unwrap();
    assert_eq!(done.status.code(), Some(0), "{frame}");
    assert_eq!(frame.lines().count(), 24, "{frame}");
    assert!(
        frame.lines().all(|line| line.chars().count() <= 80),
        "{frame}"
    );
    assert!(!frame.contains('\u{1b}'), "{frame}");
    assert!(frame.contains("shards 1 to 2 of 2"), "{frame}");
    assert!(
        frame.contains("1 connections, 1 sessions, 300 entities"),
        "{frame}"
    );
    // Without a terminal it says what to do instead.
    let refused = top(&[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--once"));
}
