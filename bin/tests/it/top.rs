//! `worldshard top` on a server that runs: one frame for a pipe, and no escape of a terminal in it; and in a terminal.

use std::process::Command;
#[cfg(target_os = "linux")]
use std::time::Duration;

#[cfg(target_os = "linux")]
use rustix::process::Signal;

use crate::operators::{TokenFile, start};
use crate::server::{PROGRAM, on_each_runtime};
#[cfg(target_os = "linux")]
use crate::server::{Server, eventually, now};
#[cfg(target_os = "linux")]
use crate::terminal::Terminal;

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

/// In a terminal that is 13 lines high there is room for one shard.
#[cfg(target_os = "linux")]
#[test]
fn in_a_terminal_it_draws_what_is_and_obeys_its_keys_and_gives_the_terminal_back() {
    let token = TokenFile::new("top-terminal");
    let args = ["--shards", "2", "--entities", "300"];
    let server = start("portable", &token, &["--log", "off"], &args);
    let client = crate::world::greet(&server);
    let url = format!("http://{}", server.operators());
    let args = ["top", "--url", &url, "--token-file", token.path()];
    for (end, name) in [
        (&b"q"[..], "q"),
        (b"\x1b", "escape"),
        (b"\x03", "control-c"),
    ] {
        let mut terminal = Terminal::start(PROGRAM, &args, (13, 80));
        let before = terminal.settings();
        terminal.shows("1 connections, 1 sessions, 300 entities");
        terminal.shows(" shards 1 to 1 of 2 ");
        terminal.shows("q ends, arrows go through shards");
        assert!(terminal.is_raw(), "{name}");
        let lines = terminal.lines();
        assert!(lines.lines().count() <= 13, "{lines}");
        let widest = lines.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{lines}");
        // Down and up, and a key that means nothing.
        terminal.press(b"x\x1b[B");
        terminal.shows(" shards 2 to 2 of 2 ");
        terminal.press(b"\x1b[A");
        terminal.shows(" shards 1 to 1 of 2 ");
        // Numbers come by themselves.
        eventually("the next picture is another", || terminal.lines() != lines);
        assert!(terminal.runs(), "{name}");
        terminal.press(end);
        assert_eq!(terminal.wait().code(), Some(0), "{name}");
        let after = terminal.settings();
        assert_eq!(
            (before.input_modes, before.output_modes, before.local_modes),
            (after.input_modes, after.output_modes, after.local_modes),
            "{name}"
        );
        eventually("the page of before is shown, with its cursor", || {
            let modes = terminal.modes();
            let last = |of: &str| modes.iter().rfind(|mode| mode.starts_with(of)).cloned();
            last("?1049") == Some("?1049l".to_owned()) && last("?25") == Some("?25h".to_owned())
        });
        assert!(terminal.modes().contains(&"?1049h".to_owned()), "{name}");
    }
    drop(client);
}

/// A server, and a terminal that shows it.
#[cfg(target_os = "linux")]
fn watched(test: &str) -> (Server, Terminal) {
    let token = TokenFile::new(test);
    let args = ["--app", "echo", "--shards", "1"];
    let server = start("portable", &token, &["--log", "off"], &args);
    let url = format!("http://{}", server.operators());
    let args = ["top", "--url", &url, "--token-file", token.path()];
    let terminal = Terminal::start(PROGRAM, &args, (24, 100));
    terminal.shows("all shards live");
    (server, terminal)
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_that_goes_away_is_said_and_the_terminal_is_given_back_all_the_same() {
    let (server, mut terminal) = watched("top-gone");
    server.end();
    eventually("the trouble is said", || {
        !terminal.lines().contains("all shards live")
    });
    assert!(terminal.runs(), "it may come back");
    terminal.press(b"q");
    assert_eq!(terminal.wait().code(), Some(0));
    assert!(!terminal.is_raw());
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_that_stands_still_is_said_and_keys_are_heard_all_the_same() {
    let (server, mut terminal) = watched("top-still");
    server.signal(Signal::STOP);
    terminal.shows("no answer for 3 s");
    server.signal(Signal::CONT);
    terminal.shows("all shards live");
    server.signal(Signal::STOP);
    terminal.shows("no answer for 1 s");
    let since = now();
    terminal.press(b"q");
    assert_eq!(terminal.wait().code(), Some(0));
    // It would have been asked for ten.
    let waited = since.elapsed();
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    server.signal(Signal::CONT);
}
