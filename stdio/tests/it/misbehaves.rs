//! Programs that end, write what nobody understands, do not read, or are none: what it costs is their room.

use std::net::SocketAddr;

use worldshard_stdio::Program;
use worldshard_transport::MessageKind;

use crate::socket::{Client, Heard, PATIENCE, end, eventually, get, on_each_runtime, serve};
use crate::{app, comes, hears, puppet, say};

/// Waits until the status, which follows in its own time, has these words.
fn shows(address: SocketAddr, words: &str) {
    eventually(PATIENCE, words, || {
        get(address, "/status").1.contains(words)
    });
}

#[test]
fn a_program_that_ends_begins_again_with_its_members_until_it_has_done_so_too_often() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut app(runtime, 1, puppet()));
        let mut other = Client::connect(address, "/room/other");
        comes(&mut other, "other");
        let mut one = Client::connect(address, "/room/a");
        let number = comes(&mut one, "a");
        for _ in 0..3 {
            say(&mut one, "crash");
            assert_eq!(comes(&mut one, "a"), number);
            say(&mut one, "count");
            assert_eq!(hears(&mut one), "count 3");
        }
        say(&mut one, "crash");
        let failed = Heard::Close(Some(1011), "the room failed".to_owned());
        assert_eq!(one.hear(), failed);
        say(&mut other, "still here");
        assert_eq!(hears(&mut other), "still here");
        shows(address, "the program ended: exit status: 3");
        end(running);
    });
}

#[test]
fn a_line_that_is_none_is_answered_and_the_program_goes_on() {
    on_each_runtime(|runtime| {
        let program = puppet().line_bytes_max(500);
        let (running, address) = serve(&mut app(runtime, 1, program));
        let mut one = Client::connect(address, "/room/a");
        comes(&mut one, "a");
        say(&mut one, "garbage");
        for part in [
            "expected value",
            "neither text nor binary",
            "no close code",
            "",
        ] {
            let error = hears(&mut one);
            assert!(
                error.starts_with("error: ") && error.contains(part),
                "{error}"
            );
        }
        say(&mut one, "long");
        assert_eq!(hears(&mut one), "error: longer than 500 bytes");
        say(&mut one, "count");
        assert_eq!(hears(&mut one), "count 10");
        end(running);
    });
}

#[test]
fn a_program_that_does_not_read_loses_its_room_and_holds_up_nobody() {
    on_each_runtime(|runtime| {
        let program = Program::new("/bin/sh").arg("-c").arg("exec sleep 1000");
        let program = program.pending_bytes_max(100_000);
        let mut app = app(runtime, 1, program);
        app.rooms(worldshard::Rooms::at("/puppet/{room}", puppet().service()));
        let (running, address) = serve(&mut app);
        let mut one = Client::connect(address, "/room/a");
        let mut other = Client::connect(address, "/puppet/b");
        comes(&mut other, "b");
        let long = "x".repeat(20_000);
        // Four lives, each with what waits and what the kernel's pipe holds: 64 KiB here, perhaps more elsewhere.
        let rounds = (0..1000).take_while(|round| {
            one.say(MessageKind::Text, long.as_bytes());
            let text = format!("round {round}");
            say(&mut other, &text);
            assert_eq!(hears(&mut other), text);
            !is_told_something(&one)
        });
        assert!(rounds.count() >= 4 * 5, "the bound of what waits");
        let failed = Heard::Close(Some(1011), "the room failed".to_owned());
        assert_eq!(one.hear(), failed);
        end(running);
    });
}

fn is_told_something(client: &Client) -> bool {
    client.stream.set_nonblocking(true).unwrap();
    let told = client.stream.peek(&mut [0]).is_ok();
    client.stream.set_nonblocking(false).unwrap();
    told
}

#[test]
fn a_program_that_cannot_be_started_fails_its_room() {
    on_each_runtime(|runtime| {
        let program = Program::new("/no/such/program");
        let (running, address) = serve(&mut app(runtime, 1, program));
        let mut one = Client::connect(address, "/room/a");
        let failed = Heard::Close(Some(1011), "the room failed".to_owned());
        assert_eq!(one.hear(), failed);
        shows(address, "the program cannot be started");
        end(running);
    });
}
