//! A path that waits for commits: what its clients are told of a tick, no crash takes back.
//!
//! WORLDSHARD_FULL=1 kills the server a hundred times.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::process::Signal;
use worldshard::prelude::*;
use worldshard::{DataOptions, Error, Runtime};
use worldshard_shard::Chance;
use worldshard_transport::MessageKind;

use crate::child::{Child, serve_if_child};
use crate::folder::Folder;
use crate::hub_requests::{read, request};
use crate::socket::{Client, Heard, PATIENCE, end, eventually, get, now, on_each_runtime, serve};

/// Tells whoever asks what tick it is: to one path at once, to the other after the commit.
fn clock(runtime: Runtime, shards: u16, data: DataOptions) -> App {
    let mut app = App::new();
    app.plugin(
        WebSocketPlugin::bind("127.0.0.1:0")
            .lanes("/at-once")
            .lanes("/kept")
            .after_commit("/kept"),
    )
    .rooms(Rooms::at("/room/{room}", |_| Teller).after_commit())
    .runtime(runtime)
    .shards(shards)
    .world(WorldConfig {
        tick_interval: Duration::from_millis(5),
        ..WorldConfig::default()
    })
    .options(|options| options.data = Some(data))
    .system(Update, |cx: &mut Context<'_>| {
        let tick = cx.tick();
        for request in cx.requests() {
            cx.send(Audience::All, format!("asked in {tick}"));
            match request.payload.as_text() {
                Some("\"close\"") => cx.close(request.session, 1000, "as asked"),
                _ => request.respond(Text::json(tick.to_string()).unwrap()),
            }
        }
    });
    app
}

/// A room that waits for commits, and is asked the same.
struct Teller;

impl Service for Teller {
    fn message(&mut self, room: &mut Room<'_>, _: SessionId, _: &Payload) {
        room.send(Audience::All, format!("{}", room.tick().0));
    }
}

fn connect(address: SocketAddr, path: &str) -> Client {
    let mut client = Client::connect(address, path);
    assert!(matches!(
        client.hear(),
        Heard::Message(MessageKind::Text, _)
    ));
    client
}

fn ask(client: &mut Client, seq: u32, wish: &str) {
    let text = request(seq, &format!("{wish:?}"));
    client.say(MessageKind::Text, text.as_bytes());
}

/// What it is told next: the kind, and the number in it.
fn told(client: &mut Client) -> (String, u64) {
    let Heard::Message(MessageKind::Text, text) = client.hear() else {
        panic!("neither an answer nor a message");
    };
    let said = read(&Payload::from(String::from_utf8(text).unwrap())).unwrap();
    let digits: String = said.data.chars().filter(char::is_ascii_digit).collect();
    (said.kind, digits.parse().unwrap())
}

fn tick(address: SocketAddr) -> u64 {
    let status: serde_json::Value = serde_json::from_str(&get(address, "/status").1).unwrap();
    status["tick"].as_u64().unwrap()
}

/// A place for digests that takes no more once it is closed: then no tick is committed until it is opened again.
struct Dam {
    path: PathBuf,
    writer: Option<File>,
    drain: Option<Drain>,
    reader: Option<File>,
}

/// Reads until it is stopped or nobody writes any more.
struct Drain {
    thread: JoinHandle<File>,
    stops: Arc<AtomicBool>,
}

impl Drain {
    fn start(mut reader: File) -> Self {
        let stops = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stops);
        let read = move || {
            let mut bytes = [0; 4096];
            while !stop.load(Ordering::Relaxed) {
                match reader.read(&mut bytes) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(_) => std::thread::park_timeout(Duration::from_millis(1)),
                }
            }
            reader
        };
        let thread = std::thread::Builder::new().spawn(read).unwrap();
        Self { thread, stops }
    }
}

impl Dam {
    /// An open one.
    fn new(folder: &Folder) -> Self {
        let path = folder.world().with_file_name("dam");
        let made = Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        let open = |options: &mut OpenOptions| {
            let flags = OFlags::NONBLOCK.bits();
            options
                .custom_flags(flags.cast_signed())
                .open(&path)
                .unwrap()
        };
        let reader = open(OpenOptions::new().read(true));
        let writer = open(OpenOptions::new().write(true));
        Self {
            path,
            writer: Some(writer),
            drain: Some(Drain::start(reader)),
            reader: None,
        }
    }

    fn close(&mut self) {
        let drain = self.drain.take().unwrap();
        drain.stops.store(true, Ordering::Relaxed);
        self.reader = Some(drain.thread.join().unwrap());
        // Byte by byte at the end: not one more goes in.
        let mut writer = self.writer.take().unwrap();
        for len in [4096, 1] {
            while writer.write(&vec![b'\n'; len]).is_ok() {}
        }
    }

    /// The ticks are committed one by one.
    fn open(&mut self) {
        if let Some(reader) = self.reader.take() {
            self.drain = Some(Drain::start(reader));
        }
    }
}

impl Drop for Dam {
    // A test that failed must not wait for its server for ever.
    fn drop(&mut self) {
        self.open();
    }
}

/// The last tick of a world that waits for its journal: the same for so long that it is no slow tick's.
fn stops_at(address: SocketAddr) -> u64 {
    let mut at = (tick(address), now());
    eventually(PATIENCE, "the world waits", || {
        let tick = tick(address);
        if tick != at.0 {
            at = (tick, now());
        }
        tick > 0 && at.1.elapsed() >= Duration::from_millis(500)
    });
    at.0
}

/// Nothing arrives within `length`.
fn hears_nothing(client: &Client, length: Duration) {
    client.stream.set_read_timeout(Some(length)).unwrap();
    let peeked = client.stream.peek(&mut [0]);
    assert!(peeked.is_err(), "it was told before the commit");
    client.stream.set_read_timeout(Some(PATIENCE)).unwrap();
}

#[test]
fn nothing_is_said_before_the_commit_of_the_tick_it_is_of_and_then_all_in_order() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let folder = Folder::new("commit", runtime);
            let mut data = folder.data();
            let made = Dam::new(&folder);
            data.digest_file = Some(made.path.clone());
            let (running, address) = serve(&mut clock(runtime, shards, data));
            // Behind the server, so that it goes first if this fails.
            let mut dam = made;
            let mut kept = connect(address, "/kept");
            let mut leaves = connect(address, "/kept");
            let mut at_once = connect(address, "/at-once");
            let mut in_room = Client::connect(address, "/room/a");
            dam.close();
            // The world goes on until it is as far ahead of its journal as it may be.
            let last = stops_at(address);
            for seq in 0..3 {
                ask(&mut kept, seq, "tick");
            }
            ask(&mut leaves, 0, "close");
            // Answered all: nobody else is told.
            let mut messages = 0;
            while messages < 4 {
                let (kind, of) = told(&mut at_once);
                assert_eq!((kind.as_str(), of), ("message", last));
                messages += 1;
            }
            ask(&mut at_once, 0, "tick");
            let heard = [told(&mut at_once), told(&mut at_once)];
            assert!(heard.contains(&("response".to_owned(), last)));
            hears_nothing(&kept, Duration::from_millis(200));
            hears_nothing(&leaves, Duration::from_millis(1));
            in_room.say(MessageKind::Text, b"tick");
            hears_nothing(&in_room, Duration::from_millis(200));
            dam.open();
            // Systems speak to all, so the room's word is not the only one.
            let in_rooms = std::iter::repeat_with(|| in_room.hear());
            let mut numbers = in_rooms.filter_map(|heard| match heard {
                Heard::Message(_, text) => String::from_utf8(text).unwrap().parse::<u64>().ok(),
                other => panic!("{other:?}"),
            });
            assert_eq!(numbers.next(), Some(last));
            let mut heard = Vec::new();
            while heard.len() < 8 {
                let (kind, of) = told(&mut kept);
                assert!(of >= last, "{kind} {of}");
                heard.push(kind);
            }
            // Five told all, of which each answer follows what was sent before it.
            let answers = heard.iter().filter(|kind| *kind == "response").count();
            assert_eq!(answers, 3, "{heard:?}");
            let mut messages = 0;
            let closed = loop {
                match leaves.hear() {
                    Heard::Message(..) => messages += 1,
                    Heard::Close(code, _) => break code,
                    other => panic!("{other:?}"),
                }
            };
            assert_eq!(closed, Some(1000));
            assert!(messages >= 1, "closed ahead of what was said before");
            end(running);
        }
    });
}

const FOLDER: &str = "WORLDSHARD_TEST_FOLDER";
const KILLED: &str =
    "net_commit::a_server_that_is_killed_comes_back_with_every_tick_that_it_told_of";

fn in_folder(path: &Path) -> DataOptions {
    let mut data = DataOptions::new(path);
    data.checkpoint_every = Duration::from_secs(1);
    data
}

#[test]
fn a_server_that_is_killed_comes_back_with_every_tick_that_it_told_of() {
    if let Some(path) = std::env::var_os(FOLDER) {
        serve_if_child(|runtime| clock(runtime, 2, in_folder(Path::new(&path))));
    }
    let kills = match std::env::var("WORLDSHARD_FULL").as_deref() {
        Ok("1") => 100,
        _ => 6,
    };
    on_each_runtime(|runtime| {
        let folder = Folder::new("told", runtime);
        let place = folder.world();
        let mut chance = Chance::new(7, EntityId(0), Tick(0), "kills");
        let (mut last, mut answers) = (0, 0);
        for _ in 0..kills {
            let known = (FOLDER, place.to_str().unwrap());
            let server = Child::start_knowing(KILLED, runtime, 1024, known);
            // The first word of a process is of where it went on.
            let mut client = connect(server.address, "/kept");
            let asks = 1 + chance.next_u64() % 60;
            for seq in 0..asks as u32 {
                ask(&mut client, seq, "tick");
                let of = loop {
                    if let (kind, of) = told(&mut client)
                        && kind == "response"
                    {
                        break of;
                    }
                };
                assert!(
                    of >= last,
                    "tick {last} was told of, and tick {of} followed"
                );
                (last, answers) = (of, answers + 1);
            }
            server.signal(Signal::KILL);
        }
        println!("{runtime}: {kills} kills, {answers} answers, up to tick {last}");
    });
}

#[test]
fn a_path_that_nothing_is_served_at_is_named() {
    let mut app = App::new();
    app.lanes("/one").after_commit("/other");
    let Err(error) = app.build() else {
        panic!("built");
    };
    assert!(matches!(
        error,
        Error::Option {
            name: "after_commit",
            ..
        }
    ));
    assert!(error.to_string().contains("/other"), "{error}");
}
