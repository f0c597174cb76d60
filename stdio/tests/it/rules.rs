//! What a program is told, and what it can have done.

use worldshard_transport::MessageKind;

use crate::socket::{Client, Heard, end, get, on_each_runtime, serve};
use crate::{app, comes, hears, puppet, say};

#[test]
fn each_room_has_a_process_that_hears_its_members_and_answers_whom_it_wants() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut app(runtime, shards, puppet()));
            let mut one = Client::connect(address, "/room/a");
            let number = comes(&mut one, "a");
            let mut two = Client::connect(address, "/room/a");
            comes(&mut one, "a");
            let second = comes(&mut two, "a");
            let mut other = Client::connect(address, "/room/b%20c");
            comes(&mut other, "b c");
            // Init, two that came, and this.
            say(&mut one, "count");
            assert_eq!(hears(&mut one), "count 4");
            say(&mut other, "count");
            assert_eq!(hears(&mut other), "count 3");
            say(&mut one, "others");
            assert_eq!(hears(&mut two), format!("from {number}"));
            say(&mut two, "h\u{e9} \u{1f600}");
            assert_eq!(hears(&mut one), "h\u{e9} \u{1f600}");
            two.close(1000, "");
            assert_eq!(hears(&mut one), format!("{second} left"));
            one.say(MessageKind::Binary, &[0, 255, 10, 13]);
            let bytes = Heard::Message(MessageKind::Binary, vec![0, 255, 10, 13]);
            assert_eq!(one.hear(), bytes);
            end(running);
        }
    });
}

#[test]
fn a_program_has_timers_and_ticks_and_sends_members_away() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut app(runtime, 1, puppet()));
        let mut one = Client::connect(address, "/room/a");
        comes(&mut one, "a");
        for wish in ["timer", "tick"] {
            say(&mut one, wish);
            assert_eq!(hears(&mut one), wish);
        }
        // What is for the log comes to no member.
        say(&mut one, "words");
        say(&mut one, "kick");
        assert_eq!(one.hear(), Heard::Close(Some(4001), "as asked".to_owned()));
        assert_eq!(get(address, "/healthz").0, 200);
        end(running);
    });
}
