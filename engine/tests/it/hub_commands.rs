//! Text commands in hubs: who answers one, in which order, what systems see of them, and what becomes of one that panics.

use std::sync::{Arc, Mutex};

use worldshard::prelude::*;

use crate::pump::Pump;

/// A plugin with commands of its own, each answered by its owner's name, the command's and what stood behind it.
struct Owner(&'static [&'static str]);
struct Chat(Owner);
struct Lobby(Owner);
struct Spatial(Owner);
struct Presence(Owner);

impl Owner {
    fn add(&self, owner: &'static str, app: &mut App) {
        for name in self.0 {
            app.text_command(name, move |cx: &mut Context, session, rest: &str| {
                cx.send(
                    Audience::One(session),
                    format!("{owner} has {name} [{rest}]"),
                );
            });
        }
    }
}

macro_rules! owners {
    ($($plugin:ident)+) => {
        $(impl Plugin for $plugin {
            fn build(&self, app: &mut App) {
                self.0.add(stringify!($plugin), app);
            }
        })+
    };
}

owners!(Chat Lobby Spatial Presence);

/// Four plugins with commands, and a system that returns what it sees.
fn app() -> App {
    let mut app = App::new();
    app.raw("/ws")
        .lanes("/app")
        .plugin((
            Chat(Owner(&["/nick", "/join", "/list"])),
            Lobby(Owner(&["/lobby", "/ready"])),
            Spatial(Owner(&["/move"])),
            Presence(Owner(&["/status"])),
        ))
        .system(Update, |cx: &mut Context| {
            for message in cx.messages() {
                cx.send(Audience::One(message.session), message.payload.clone());
            }
        });
    app
}

fn texts(pump: &Pump, session: SessionId) -> Vec<&str> {
    pump.clients[&session].texts()
}

#[test]
fn each_command_is_answered_once_by_its_owner_and_an_unknown_one_once_by_nobody() {
    for shards in [1, 2, 8] {
        let mut pump = Pump::new(&mut app(), shards, 3);
        for home in 0..shards {
            let session = pump.open(home, "/ws");
            for (said, answer) in [
                ("/nick Anna Bell", "Chat has /nick [Anna Bell]"),
                ("/join hall", "Chat has /join [hall]"),
                ("/list", "Chat has /list []"),
                ("/lobby", "Lobby has /lobby []"),
                ("/ready 1", "Lobby has /ready [1]"),
                ("/move 3 4", "Spatial has /move [3 4]"),
                ("  /status  \r\n", "Presence has /status []"),
                ("/x", "[Error] Unknown command: /x"),
                ("/lobby2", "[Error] Unknown command: /lobby2"),
                ("/Nick x", "[Error] Unknown command: /Nick"),
                ("/", "[Error] Unknown command: /"),
                ("/\u{1b}c\nb", "[Error] Unknown command: /\u{fffd}c"),
                ("nick /nick", "nick /nick"),
            ] {
                pump.client(session).received.clear();
                pump.text(session, said);
                pump.settle();
                pump.run(1);
                assert_eq!(texts(&pump, session), [answer], "{said:?}");
            }
        }
    }
}

#[test]
fn commands_are_answered_in_the_order_in_which_they_were_said_and_before_what_systems_say() {
    let mut pump = Pump::new(&mut app(), 1, 3);
    let [one, other] = [(); 2].map(|()| pump.open(0, "/ws"));
    for round in 0..3 {
        for session in [one, other] {
            pump.text(session, &format!("hello {round}"));
            pump.text(session, &format!("/x{round}"));
            pump.text(session, &format!("/nick {round}"));
        }
    }
    pump.settle();
    let mut expected = Vec::new();
    for round in 0..3 {
        expected.push(format!("[Error] Unknown command: /x{round}"));
        expected.push(format!("Chat has /nick [{round}]"));
    }
    expected.extend((0..3).map(|round| format!("hello {round}")));
    for session in [one, other] {
        assert_eq!(texts(&pump, session), expected);
    }
}

#[test]
fn what_is_no_text_or_not_on_a_raw_path_is_no_command() {
    let mut pump = Pump::new(&mut app(), 1, 3);
    let session = pump.open(0, "/ws");
    pump.binary(session, b"/nick x");
    pump.settle();
    let binary = Payload::from(b"/nick x".to_vec());
    assert_eq!(pump.clients[&session].received, [binary]);
    let on_lanes = pump.open(0, "/app");
    pump.text(
        on_lanes,
        r#"{"v":1,"svc":"app","type":"message","data":"/nick x"}"#,
    );
    pump.settle();
    let last = texts(&pump, on_lanes).last().copied().unwrap();
    assert!(last.contains(r#""data":"/nick x""#), "{last}");
}

#[test]
fn an_application_without_commands_sees_slashes_as_they_are() {
    let mut app = App::new();
    app.raw("/ws").system(Update, |cx: &mut Context| {
        for message in cx.messages() {
            cx.send(Audience::One(message.session), message.payload.clone());
        }
    });
    let mut pump = Pump::new(&mut app, 1, 3);
    let session = pump.open(0, "/ws");
    pump.text(session, " /x y ");
    pump.settle();
    assert_eq!(texts(&pump, session), [" /x y "]);
}

/// Whom a handler finds: one who said a command before systems saw it open, and one who has left since.
#[test]
fn a_handler_sees_the_events_of_its_turn_and_may_find_its_session_gone() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (by_command, by_system) = (seen.clone(), seen.clone());
    let mut app = App::new();
    app.raw("/ws")
        .text_command("/who", move |cx: &mut Context, session, _: &str| {
            let opened = cx.opened().any(|one| one == session);
            let mut seen = by_command.lock().unwrap();
            seen.push(format!("{opened} {}", cx.path(session).is_some()));
            cx.send(Audience::One(session), "here");
        })
        .system(Update, move |cx: &mut Context| {
            let mut seen = by_system.lock().unwrap();
            seen.extend(cx.unsent().map(|one| format!("{:?}", one.cause)));
            seen.extend(cx.closed().map(|_| "closed".to_owned()));
        });
    let mut pump = Pump::new(&mut app, 1, 3);
    let session = pump.open(0, "/ws");
    pump.text(session, "/who");
    pump.settle();
    assert_eq!(*seen.lock().unwrap(), ["true true"]);
    pump.text(session, "/who");
    pump.text(session, "/x");
    pump.close(session, CloseReason::Lost);
    pump.run(2);
    // Nobody is told of the answer to the command that is unknown: no system gave it.
    let story = ["true true", "false false", "closed", "NoSession"];
    assert_eq!(*seen.lock().unwrap(), story);
    let status = pump.hubs[0].status();
    assert_eq!(status.messages_unsent, 1);
}

#[test]
fn a_command_that_panics_is_counted_by_its_name_and_everything_else_goes_on() {
    let mut app = app();
    app.text_command("/boom", |_: &mut Context, _, rest: &str| {
        assert_eq!(rest, "gently", "boom")
    });
    let mut pump = Pump::new(&mut app, 2, 3);
    let [one, other] = [0, 1].map(|home| pump.open(home, "/ws"));
    // More than a system may in a row, and in one turn.
    for _ in 0..100 {
        pump.text(one, "/boom");
    }
    pump.text(one, "/boom gently");
    pump.text(one, "/nick x");
    pump.text(one, "hello");
    pump.text(other, "/boom gently");
    pump.text(other, "/nick y");
    pump.settle();
    let heard = texts(&pump, one);
    let (failed, rest) = heard.split_at(100);
    let all_failed = |text: &&str| *text == "[Error] Command failed: /boom";
    assert!(failed.iter().all(all_failed), "{failed:?}");
    assert_eq!(rest, ["Chat has /nick [x]", "hello"]);
    assert_eq!(texts(&pump, other), ["Chat has /nick [y]"]);
    let faults: Vec<_> = pump.hubs[0].faults().iter().collect();
    assert_eq!(faults, [(&"/boom", &100)]);
    assert!(pump.hubs[1].faults().is_empty());
    let last = pump.hubs[0].status().last_panic.unwrap_or_default();
    assert!(
        last.starts_with("/boom: ") && last.contains("boom"),
        "{last}"
    );
}

struct Answers;

impl Plugin for Answers {
    fn build(&self, app: &mut App) {
        app.text_command("/list", |_: &mut Context, _, _: &str| ());
    }
}

/// Reads commands in texts by itself, in an application that registers none.
struct Reader;

impl Plugin for Reader {
    fn build(&self, _: &mut App) {}

    fn owns(&self) -> Vec<Owned> {
        vec![Owned::Command("/list".to_owned())]
    }
}

fn refused(app: &mut App) -> String {
    let error = app.build().err();
    error.map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn a_command_has_one_owner_and_is_no_path() {
    let chat = || Chat(Owner(&["/list"]));
    for text in [
        refused(App::new().plugin((chat(), Answers))),
        refused(App::new().plugin((chat(), Reader))).replace("Reader", "Answers"),
    ] {
        assert!(text.starts_with("command `/list` is claimed by"), "{text}");
        assert!(
            text.contains("Chat and by") && text.contains("Answers"),
            "{text}"
        );
    }
    let mut twice = App::new();
    twice.plugin(Answers);
    twice.text_command("/list", |_: &mut Context, _, _: &str| ());
    let text = refused(&mut twice);
    assert!(text.contains("Answers and by the application"), "{text}");
    let mut page = App::new();
    page.plugin(Answers)
        .route("/list", |_| Response::text(200, "nobody"));
    assert_eq!(refused(&mut page), "");
}

#[test]
fn a_name_that_no_client_can_write_keeps_the_engine_from_starting() {
    const LONGEST: &str = "/abcdefghijklmnopqrstuvwxyz-01234";
    const LONGER: &str = "/abcdefghijklmnopqrstuvwxyz-012345";
    let text = |name| {
        let mut app = App::new();
        app.text_command(name, |_: &mut Context, _, _: &str| ());
        refused(&mut app)
    };
    for name in ["/x", "/ñandú_2", LONGEST] {
        assert_eq!(text(name), "");
    }
    for name in ["", "/", "nick", "/two words", "//x", "/x\n", LONGER] {
        let why = format!(
            "text_command: {name:?} is not a slash and 1 to 32 letters, digits, `-` and `_`"
        );
        assert_eq!(text(name), why);
    }
}

#[test]
fn a_binary_command_that_panics_is_counted_and_answered_and_goes_on() {
    for shards in [1, 2, 8] {
        let mut app = App::new();
        app.raw("/ws").binary_command(9, |cx, session, bytes| {
            assert!(bytes != b"no", "as asked");
            cx.send(Audience::One(session), format!("{bytes:?}"));
        });
        let mut pump = Pump::new(&mut app, shards, 1);
        let session = pump.open(shards - 1, "/ws");
        for bytes in [&b"\x09no"[..], b"\x09", b"\x09\x01"] {
            pump.binary(session, bytes);
        }
        pump.settle();
        let failed = "[Error] The message could not be handled";
        assert_eq!(pump.clients[&session].texts(), [failed, "[]", "[1]"]);
        let faults = pump.hub(ShardId(shards - 1)).faults();
        assert_eq!(faults.values().sum::<u64>(), 1);
    }
}
