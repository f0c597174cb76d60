//! How long processes live, and how many of them.

use std::path::PathBuf;
use std::time::Duration;

use crate::socket::{Client, Heard, PATIENCE, end, eventually, on_each_runtime, serve};
use crate::{app, comes, hears, puppet, say};

/// Whether a process is there, and has not ended.
fn lives(pid: &str) -> bool {
    let state = std::process::Command::new("ps")
        .args(["-o", "stat=", "-p", pid])
        .output()
        .unwrap();
    let state = String::from_utf8(state.stdout).unwrap();
    !state.trim().is_empty() && !state.trim().starts_with('Z')
}

/// The numbers of a process and of one that it has started.
fn pids(client: &mut Client) -> Vec<String> {
    say(client, "pids");
    let text = hears(client);
    let pids = text.strip_prefix("pids ").unwrap();
    let pids: Vec<String> = pids.split(' ').map(str::to_owned).collect();
    assert!(pids.iter().all(|pid| lives(pid)), "{pids:?}");
    pids
}

fn end_of(pids: &[String]) {
    eventually(PATIENCE, "the end of the processes", || {
        !pids.iter().any(|pid| lives(pid))
    });
}

#[test]
fn a_process_and_what_it_started_end_with_their_room_their_life_or_the_server() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut app(runtime, 2, puppet()));
        let mut one = Client::connect(address, "/room/a");
        comes(&mut one, "a");
        let first = pids(&mut one);
        say(&mut one, "crash");
        comes(&mut one, "a");
        end_of(&first);
        let second = pids(&mut one);
        one.close(1000, "");
        end_of(&second);
        let mut two = Client::connect(address, "/room/b");
        comes(&mut two, "b");
        let third = pids(&mut two);
        end(running);
        assert!(!third.iter().any(|pid| lives(pid)), "{third:?}");
    });
}

#[test]
fn a_process_reads_to_the_end_and_has_its_grace_and_no_more() {
    on_each_runtime(|runtime| {
        let name = format!("worldshard-stdio-{runtime}-{}", std::process::id());
        let path: PathBuf = std::env::temp_dir().join(name);
        let program = puppet().env("LAST_WORDS", &path);
        let (running, address) = serve(&mut app(runtime, 1, program.grace(PATIENCE)));
        let mut one = Client::connect(address, "/room/a");
        comes(&mut one, "a");
        one.close(1000, "");
        eventually(PATIENCE, "its last words", || {
            std::fs::read_to_string(&path).is_ok_and(|text| text == "a\n")
        });
        std::fs::remove_file(&path).unwrap();
        end(running);

        let program = puppet().grace(Duration::from_millis(50));
        let (running, address) = serve(&mut app(runtime, 1, program));
        let mut one = Client::connect(address, "/room/a");
        comes(&mut one, "a");
        let pids = pids(&mut one);
        say(&mut one, "stop");
        one.close(1000, "");
        end_of(&pids);
        end(running);
    });
}

#[test]
fn more_rooms_than_may_run_the_program_are_refused_until_one_ends() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut app(runtime, 2, puppet().processes_max(2)));
        let mut clients = ["a", "b"].map(|room| {
            let mut client = Client::connect(address, &format!("/room/{room}"));
            comes(&mut client, room);
            client
        });
        let refused = "no room: too many rooms run this program".to_owned();
        let refused = Heard::Close(Some(1008), refused);
        assert_eq!(Client::connect(address, "/room/c").hear(), refused);
        // Whoever is in a room of these may be joined.
        comes(&mut Client::connect(address, "/room/b"), "b");
        clients[0].close(1000, "");
        eventually(PATIENCE, "a place for another room", || {
            let mut client = Client::connect(address, "/room/c");
            client.hear() != refused
        });
        end(running);
    });
}
