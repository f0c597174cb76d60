//! Modules served from files: one script for guests of every ABI and language, and what is refused before it serves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use worldshard_client::{Connection, Event, Framing};

use crate::modules::{counter, everything, own, stateroom, stateroom_counter};
use crate::server::{PROGRAM, Server, WAIT, on_each_runtime};

on_each_runtime!(
    every_counter_does_what_the_script_says,
    a_folder_is_served_by_the_module_in_it,
    rooms_begin_and_guests_are_set_up_as_the_flags_say
);

/// A folder of the test's own, gone when dropped.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("worldshard-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let file = self.0.join(name);
        fs::write(&file, bytes).unwrap();
        file.to_str().unwrap().to_owned()
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What the system keeps of it is nobody's trouble.
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn connect(server: &Server, path: &str) -> Connection {
    let mut connection = Connection::connect(server.addr(), path, Framing::Raw).unwrap();
    assert_eq!(connection.receive(WAIT).unwrap(), Some(Event::Opened));
    connection
}

pub(crate) fn says(client: &mut Connection, text: &str) {
    client.text(text);
    client.flush().unwrap();
}

pub(crate) fn hears(client: &mut Connection, text: &str) {
    let expected = Some(Event::Text(text.to_owned()));
    assert_eq!(client.receive(WAIT).unwrap(), expected);
}

/// What a counter does, whatever it is written in: it counts for all of its room, and for no other.
pub(crate) fn counts(server: &Server) {
    let mut one = connect(server, "/ws");
    says(&mut one, "increment");
    hears(&mut one, "new value: 1");
    one.binary(b"increment");
    says(&mut one, "other");
    says(&mut one, "incremen");
    says(&mut one, "increment");
    hears(&mut one, "new value: 2");
    let mut two = connect(server, "/ws/lobby");
    says(&mut two, "increment");
    hears(&mut two, "new value: 3");
    hears(&mut one, "new value: 3");
    let mut other = connect(server, "/ws/other");
    says(&mut other, "increment");
    hears(&mut other, "new value: 1");
    drop(two);
    says(&mut one, "increment");
    hears(&mut one, "new value: 4");
}

/// What `guest/stateroom/examples/talk.rs` does.
fn talks(server: &Server) {
    let mut one = connect(server, "/ws");
    hears(&mut one, "you are 1, begun: true");
    let mut two = connect(server, "/ws/lobby");
    hears(&mut two, "you are 2, begun: true");
    hears(&mut one, "2 comes");
    says(&mut two, "über");
    hears(&mut one, "über");
    hears(&mut two, "über");
    one.binary(b"\xff\x00");
    one.flush().unwrap();
    let echo = Some(Event::Binary(b"\xff\x00"[..].into()));
    assert_eq!(one.receive(WAIT).unwrap(), echo);
    says(&mut one, "wait");
    hears(&mut one, "woken");
    hears(&mut two, "woken");
    says(&mut one, "panic");
    hears(&mut one, "you are 1, begun: true");
    hears(&mut two, "1 comes");
    hears(&mut two, "you are 2, begun: true");
    hears(&mut one, "2 comes");
    drop(two);
    hears(&mut one, "2 leaves");
}

/// Counters as text, and the compiled ones that WORLDSHARD_GUESTS names, by their files.
fn every_counter_does_what_the_script_says(runtime: &str) {
    let folder = Folder::new(&format!("counters-{runtime}"));
    let mut files = vec![
        folder.file("own.wat", counter()),
        folder.file("stateroom.wat", stateroom_counter()),
        folder.file("own.wasm", wat::parse_str(counter()).unwrap()),
    ];
    let compiled = std::env::var("WORLDSHARD_GUESTS").unwrap_or_default();
    files.extend(compiled.split_whitespace().map(str::to_owned));
    for file in files {
        println!("{file}");
        for shards in ["1", "2", "8"] {
            let server = Server::start(runtime, &[&file, "--shards", shards]);
            let said =
                format!("/  {file} at /ws/{{room}} and /ws, {shards} shards, 20 Hz, runtime ");
            assert!(server.line().contains(&said), "{}", server.line());
            match file.contains("stateroom_talk") {
                true => talks(&server),
                false => counts(&server),
            }
            server.end();
        }
    }
}

fn a_folder_is_served_by_the_module_in_it(runtime: &str) {
    for name in ["server.wasm", "service.wasm"] {
        let folder = Folder::new(&format!("folder-{runtime}-{name}"));
        folder.file(name, wat::parse_str(counter()).unwrap());
        counts(&Server::start(runtime, &[folder.path()]));
    }
}

fn rooms_begin_and_guests_are_set_up_as_the_flags_say(runtime: &str) {
    let folder = Folder::new(&format!("flags-{runtime}"));
    let file = folder.file("everything.wat", everything());
    let config = folder.file("config", "{\"stake\": 5}");
    let server = Server::start(
        runtime,
        &[
            &file,
            "--guest-config",
            &config,
            "--rooms",
            "api",
            "-i",
            "1",
            "-t",
            "9",
        ],
    );
    let refused = Connection::connect(server.addr(), "/ws/mine", Framing::Raw)
        .and_then(|mut connection| connection.receive(WAIT));
    assert!(refused.is_err(), "{refused:?}");
    let address = server.addr();
    let created = post(address, "/ws/mine");
    assert!(created.starts_with("HTTP/1.1 201"), "{created}");
    let mut client = connect(&server, "/ws/mine");
    says(&mut client, "config");
    hears(&mut client, "{\"stake\": 5}");
    says(&mut client, "name");
    hears(&mut client, "mine");
    // A page is there to try it.
    let page = get(address, "/");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(post(address, "/world").starts_with("HTTP/1.1 404"));
}

fn post(address: std::net::SocketAddr, path: &str) -> String {
    request(
        address,
        &format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"),
    )
}

pub(crate) fn get(address: std::net::SocketAddr, path: &str) -> String {
    request(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    )
}

fn request(address: std::net::SocketAddr, request: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(WAIT)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn serve(args: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--bind", "127.0.0.1:0"]).args(args);
    command.output().unwrap()
}

#[test]
fn what_cannot_be_served_is_named_with_its_file_and_the_reason() {
    let folder = Folder::new("refused");
    let text = own("", "");
    let refused = [
        (
            folder.file("own.wat", text.replace("abi_1", "abi_2")),
            "version 2 of the ABI, this host has version 1",
        ),
        (
            folder.file("stateroom.wat", stateroom(3, 0, "")),
            "version 3, protocol 0 of Stateroom's ABI, this host has version 1, protocol 0",
        ),
        (folder.file("none.wat", "(module)"), "worldshard_abi_1"),
        (folder.file("typo.wat", "(modul)"), "modul"),
        (folder.file("text.wasm", &text), "named .wat"),
        (folder.file("short.wasm", b"\0asm\x01"), "not valid"),
        (
            folder.file(
                "import.wat",
                own(r#"(import "worldshard" "fly" (func))"#, ""),
            ),
            "imports `fly`",
        ),
        (
            folder.file("memory.wat", text.replace("1)", "4096)")),
            "bytes of memory",
        ),
        (folder.path().to_owned(), "server.wasm"),
        (
            folder.0.join("missing.wasm").to_str().unwrap().to_owned(),
            "No such file",
        ),
    ];
    for (file, reason) in &refused {
        let run = serve(&[file]);
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{file}: {said}");
        let begins = format!("worldshard: {file}: ");
        assert!(said.starts_with(&begins), "{file}: {said}");
        assert!(said.contains(reason), "{file}: {said}");
        assert!(run.stdout.is_empty());
    }
}

#[test]
fn flags_that_contradict_a_module_are_refused() {
    let folder = Folder::new("flags");
    let file = folder.file("counter.wat", counter());
    for args in [
        &[&file, "--app", "echo"][..],
        &[&file, "--world", "crowd"],
        &[&file, "--data", folder.path()],
        &[&file, "--port", "1"],
        &[&file, "--rooms", "short13"],
        &[&file, "--room-wait", "soon"],
        &[&file, "--guest-call", "1"],
        &[&file, "--guest-memory", "0"],
        &[&file, "--guest-config", "missing"],
        &[&file, "-i", "9", "-t", "9"],
        &["--guest-memory", "4"],
    ] {
        let run = serve(args);
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{args:?}: {said}");
        let flag = args[args.len() - 2].trim_start_matches(&*file);
        let named = match flag {
            "--guest-config" => "missing: ",
            "-i" | "-t" => "--heartbeat-timeout",
            flag => flag,
        };
        assert!(said.contains(named), "{args:?}: {said}");
    }
    assert!(Path::new(&file).is_file());
}
