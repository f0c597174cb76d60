//! The documents against the engine: what they quote is what it says and does.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use worldshard::prelude::*;
use worldshard_protocol::{ClientMessage, InterestWish, ViewpointMode};
use worldshard_spatial::ShardId;

use crate::pump::Pump;

pub(crate) fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// What stands between two marks, each of which the text must have.
pub(crate) fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let (_, rest) = text.split_once(start).unwrap();
    rest.split_once(end).unwrap().0
}

#[test]
fn the_programs_in_the_readme_and_in_the_documentation_are_the_examples() {
    let example = read("examples/echo.rs");
    let (_, program) = example.split_once("\n\n").unwrap();
    let readme = read("README.md");
    assert_eq!(between(&readme, "```rust\n", "```"), program);
    let chat = read("examples/chat.rs");
    let (_, chat) = chat.split_once("\n\n").unwrap();
    let (_, behind) = readme.split_once("what every application has:").unwrap();
    assert_eq!(between(behind, "```rust\n", "```"), chat);
    assert!(chat.lines().count() <= 10, "ten lines are promised");
    let rooms = read("examples/rooms.rs");
    let (_, rooms) = rooms.split_once("\n\n").unwrap();
    let (_, readme) = readme.split_once("connects to its path:").unwrap();
    assert_eq!(between(readme, "```rust\n", "```"), rooms);
    let library = read("engine/src/lib.rs");
    let quoted = between(&library, "//! ```no_run\n", "//! ```");
    let plain: String = quoted
        .lines()
        .map(|line| {
            let line = line.strip_prefix("//!").unwrap();
            format!("{}\n", line.strip_prefix(' ').unwrap_or(line))
        })
        .collect();
    assert_eq!(plain, program);
}

/// A world that takes an avatar away when its client asks for it, and an application that says two things to all.
fn talkative() -> App {
    let mut app = App::new();
    app.lanes("/world")
        .raw("/ws")
        .world(WorldConfig::default())
        .command(70, |subject, _| {
            subject.change(|appearance: &mut Appearance| appearance.kind = 9);
            Ok(())
        })
        .system(FixedUpdate, |step: &mut Step<'_>| {
            for (&entity, appearance) in step.query::<(&EntityId, &Appearance)>().iter() {
                if appearance.kind == 9 {
                    step.despawn(entity);
                }
            }
        })
        .system(Update, |cx: &mut Context<'_>| {
            for _ in cx.messages() {
                cx.send(Audience::All, "hello");
                cx.send(Audience::All, b"hi".as_slice());
            }
        });
    app
}

/// Numbers differ from run to run: each stands as N.
fn without_numbers(text: &str) -> String {
    let data = text.find(r#""data""#).unwrap_or(text.len());
    let (head, data) = text.split_at(data);
    let mut data = data.replace(|c: char| c.is_ascii_digit(), "N");
    while data.contains("NN") {
        data = data.replace("NN", "N");
    }
    format!("{head}{data}")
}

#[test]
fn texts_and_bytes_that_a_server_says_are_as_documented() {
    let mut pump = Pump::new(&mut talkative(), 2, 4);
    let speaker = pump.open(1, "/ws");
    let session = pump.open(0, "/world");
    let say = |pump: &mut Pump, message: ClientMessage<'_>| {
        let mut bytes = Vec::new();
        message.encode(None, None, &mut bytes);
        pump.binary(session, &bytes);
        pump.run(3);
    };
    let join = |mode| ClientMessage::Join {
        mode,
        at: None,
        interest: InterestWish::Default,
        full: false,
        acks: false,
    };
    say(&mut pump, join(ViewpointMode::Camera));
    say(&mut pump, ClientMessage::Leave);
    say(&mut pump, join(ViewpointMode::Avatar));
    let (opcode, payload) = (70, b"".as_slice());
    say(&mut pump, ClientMessage::Custom { opcode, payload });
    let kicked = pump.open(0, "/world");
    let hub = pump.hub(ShardId(0));
    hub.notify("…", None);
    hub.tell_draining(Duration::from_millis(200));
    assert!(hub.kick(kicked, "…"));
    pump.settle();
    pump.text(speaker, "now");
    pump.settle();

    let document = read("docs/wire.md");
    let section = between(&document, "## 9. What else a server says", "\n## ");
    let documented: BTreeSet<String> = section
        .split('`')
        .filter(|quoted| quoted.starts_with('{'))
        .map(without_numbers)
        .collect();
    let client = &pump.clients[&session];
    // The first text is the greeting, which has a section of its own.
    let of_kicked = &pump.clients[&kicked];
    let said: BTreeSet<String> = client.texts()[1..]
        .iter()
        .chain(&of_kicked.texts()[1..])
        .map(|text| without_numbers(text))
        .collect();
    assert_eq!(said, documented);

    let last = client.received.last().unwrap().bytes();
    let bytes: Vec<String> = last.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(
        section.contains(&format!("`{}` for `hi`", bytes.join(" "))),
        "{bytes:?}"
    );
}

#[test]
fn what_clients_ask_and_servers_answer_is_as_documented() {
    let asked = AtomicU32::new(0);
    let mut app = App::new();
    app.lanes("/app")
        .system(Update, move |cx: &mut Context<'_>| {
            for request in cx.requests() {
                match asked.fetch_add(1, Ordering::Relaxed) {
                    0 => request.respond("sold"),
                    1 => request.ack(),
                    _ => request.reject(ErrorCode::NotAllowed, "no"),
                }
            }
        });
    let document = read("docs/wire.md");
    let texts = |start, end| {
        let quoted = between(&document, start, end).split('`');
        let texts = quoted.filter(|quoted| quoted.starts_with(r#"{"v""#));
        texts.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut documented = texts("## 2. Ext lane", "\n## 3");
    documented.extend(texts("## 10. The application", "\n## 11"));

    let mut pump = Pump::new(&mut app, 1, 1);
    let session = pump.open(0, "/app");
    let is_asked = |text: &String| ["request", "ping"].iter().any(|kind| text.contains(kind));
    for text in documented.extract_if(.., |text| is_asked(text)) {
        for _ in 0..3 {
            pump.text(session, &text);
            pump.settle();
        }
    }
    for seq in [7, 10] {
        let message = format!(r#"{{"v":1,"svc":"app","type":"message","seq":{seq}}}"#);
        pump.text(session, &message);
    }
    // The first text is the greeting.
    let said: BTreeSet<&str> = pump.clients[&session].texts()[1..]
        .iter()
        .copied()
        .collect();
    let documented: BTreeSet<&str> = documented.iter().map(String::as_str).collect();
    assert!(documented.len() == 5 && said == documented, "{said:#?}");
}
