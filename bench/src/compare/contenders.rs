//! Who is measured, and how each is started as what a row asks for.

use std::path::{Path, PathBuf};

use super::peers::Built;
use super::rows::App;

/// A server that can be measured.
#[derive(Clone, Debug)]
pub struct Contender {
    /// As `--only` names it, and reports do.
    pub name: &'static str,
    /// What it is, for a reader.
    pub title: &'static str,
    pub(crate) kind: Kind,
}

/// Whose server it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The engine, on one of its runtimes.
    Engine { runtime: &'static str },
    /// A program that only reads and sends, and stands for what the kernel costs.
    Floor,
    /// Someone else's library.
    Peer(Peer),
}

/// How a peer is found and spoken to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Peer {
    /// The name of its program: of a package here, or of a script for node.
    pub(crate) program: &'static str,
    /// Words for it beyond those of all peers.
    pub(crate) words: &'static [&'static str],
    pub(crate) by: By,
    /// Below what it says itself.
    pub(crate) path: &'static str,
    pub(crate) speaks: Speaks,
}

/// What a peer's program is built by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum By {
    Cargo,
    Node,
}

/// What its clients say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Speaks {
    /// Messages as they are.
    Raw,
    /// As `bench/peers/simplenet` says.
    Simplenet,
    /// As `bench/peers/node/colyseus.js` says.
    Colyseus,
}

impl Speaks {
    /// The words for `worldshard load` to speak so, in messages of so many bytes.
    pub(crate) fn words(self, payload_bytes: usize) -> Vec<String> {
        let (hello, sent, received) = match self {
            Self::Raw => return Vec::new(),
            Self::Simplenet => {
                let length = varint(payload_bytes);
                // A client's number is a varint of two bytes behind a mark.
                ("0000fbnnnn", format!("01{length}"), format!("00{length}"))
            }
            Self::Colyseus => ("0a", "11a16d".to_owned(), "11a16d".to_owned()),
        };
        owned(&[
            "--hello",
            hello,
            "--before-sent",
            &sent,
            "--before-received",
            &received,
        ])
    }
}

/// How a server is started, and how its clients speak.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Start {
    pub(crate) program: PathBuf,
    pub(crate) words: Vec<String>,
    /// Of the URL, behind the address and what the server itself says of it.
    pub(crate) path: &'static str,
    pub(crate) speaks: Speaks,
}

impl Contender {
    /// How it is started as that; why it cannot be.
    pub(crate) fn start(
        &self,
        app: App,
        programs: &Programs,
        delta: Option<Delta>,
    ) -> Result<Start, String> {
        match self.kind {
            Kind::Engine { runtime } => Ok(engine(app, runtime, &programs.own)),
            Kind::Floor => floor(app, &programs.own, delta),
            Kind::Peer(peer) => start_peer(peer, app, programs),
        }
    }

    /// Whether it is what all others are divided by.
    pub(crate) fn is_floor(&self) -> bool {
        self.kind == Kind::Floor
    }

    /// Whether it is measured unless the user asks for less. A variant that differs little from another is not.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        !matches!(self.kind, Kind::Peer(Peer { words: [_, ..], .. }))
    }

    /// Whether it is someone else's.
    #[must_use]
    pub fn is_peer(&self) -> bool {
        matches!(self.kind, Kind::Peer(_))
    }
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// The `worldshard` command.
    pub(crate) own: PathBuf,
    /// Of a peer, or why there is none.
    pub(crate) peers: Result<Built, String>,
}

/// What the engine sent a client each tick, for the floor to send the same.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Delta {
    pub(crate) bytes: f64,
}

fn engine(app: App, runtime: &str, own: &Path) -> Start {
    let mut words = owned(&[
        "serve",
        "--bind",
        "127.0.0.1:0",
        "--shards",
        "1",
        "--log",
        "off",
    ]);
    words.extend(owned(&["--runtime", runtime]));
    match app {
        App::Echo => words.extend(owned(&["--app", "echo"])),
        App::Broadcast => words.extend(owned(&["--app", "broadcast"])),
        App::Coalesced { engine, .. } => {
            words.extend(owned(&["--app", "broadcast", "--coalesce", engine]));
        }
        App::World(world) => words.extend(world.split(' ').map(str::to_owned)),
    }
    let path = if matches!(app, App::World(_)) {
        "/world"
    } else {
        "/ws"
    };
    Start {
        program: own.to_owned(),
        words,
        path,
        speaks: Speaks::Raw,
    }
}

fn floor(app: App, own: &Path, delta: Option<Delta>) -> Result<Start, String> {
    let mut words = owned(&["floor", "--bind", "127.0.0.1:0", "--log", "off"]);
    match app {
        App::Echo => words.extend(owned(&["--scenario", "echo"])),
        App::Broadcast => words.extend(owned(&["--scenario", "broadcast"])),
        App::Coalesced { floor_ms, .. } => {
            words.extend(owned(&["--scenario", "broadcast"]));
            if let Some(floor_ms) = floor_ms {
                words.extend(owned(&["--write-per-tick", floor_ms]));
            }
        }
        App::World(_) => {
            let Some(Delta { bytes }) = delta else {
                return Err(
                    "it sends as many bytes as the engine, which was not measured".to_owned(),
                );
            };
            words.extend(owned(&["--scenario", "world", "--bytes"]));
            words.push(format!("{bytes:.0}"));
        }
    }
    Ok(Start {
        program: own.to_owned(),
        words,
        path: "/",
        speaks: Speaks::Raw,
    })
}

fn start_peer(peer: Peer, app: App, programs: &Programs) -> Result<Start, String> {
    let scenario = match app {
        App::Echo => "echo",
        App::Broadcast | App::Coalesced { .. } => "broadcast",
        App::World(_) => return Err("it has no world".to_owned()),
    };
    let built = programs.peers.as_ref().map_err(Clone::clone)?;
    let mut words = Vec::new();
    let program = match peer.by {
        By::Cargo => built.program(peer.program)?,
        By::Node => {
            words.push(built.script(peer.program)?);
            PathBuf::from("node")
        }
    };
    words.extend(owned(&["--bind", "127.0.0.1:0", "--scenario", scenario]));
    words.extend(owned(peer.words));
    Ok(Start {
        program,
        words,
        path: peer.path,
        speaks: peer.speaks,
    })
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// All that can be measured, in the order in which they are.
pub const CONTENDERS: [Contender; 11] = [
    own(
        "portable",
        "worldshard, portable runtime",
        Kind::Engine {
            runtime: "portable",
        },
    ),
    own(
        "glommio",
        "worldshard, glommio (io_uring)",
        Kind::Engine { runtime: "glommio" },
    ),
    own(
        "floor",
        "floor: epoll, one send per message, nothing else",
        Kind::Floor,
    ),
    rust(
        "fastwebsockets",
        "fastwebsockets 0.10",
        "peer-fastwebsockets",
        "/",
    ),
    rust("stateroom", "Stateroom 0.4.4", "peer-stateroom", "/ws"),
    rust(
        "tungstenite",
        "tokio-tungstenite 0.30",
        "peer-tungstenite",
        "/",
    ),
    peer(
        "tungstenite-batch",
        "tokio-tungstenite 0.30, flushed once for all that waits",
        Peer {
            words: &["--batch"],
            ..RAW_RUST
        },
    ),
    rust("ecson", "Ecson 0.2.4", "peer-ecson", "/"),
    peer(
        "simplenet",
        "bevy_simplenet 0.16",
        Peer {
            program: "peer-simplenet",
            path: "/ws?v=bench&t=0",
            speaks: Speaks::Simplenet,
            ..RAW_RUST
        },
    ),
    peer(
        "ws",
        "ws 8 (node)",
        Peer {
            program: "ws.js",
            by: By::Node,
            ..RAW_RUST
        },
    ),
    peer(
        "colyseus",
        "Colyseus 0.18 (node)",
        Peer {
            program: "colyseus.js",
            by: By::Node,
            path: "?sessionId={n}",
            speaks: Speaks::Colyseus,
            ..RAW_RUST
        },
    ),
];

const fn own(name: &'static str, title: &'static str, kind: Kind) -> Contender {
    Contender { name, title, kind }
}

const fn peer(name: &'static str, title: &'static str, peer: Peer) -> Contender {
    Contender {
        name,
        title,
        kind: Kind::Peer(peer),
    }
}

const fn rust(
    name: &'static str,
    title: &'static str,
    program: &'static str,
    path: &'static str,
) -> Contender {
    peer(
        name,
        title,
        Peer {
            program,
            path,
            ..RAW_RUST
        },
    )
}

const RAW_RUST: Peer = Peer {
    program: "peer-tungstenite",
    words: &[],
    by: By::Cargo,
    path: "/",
    speaks: Speaks::Raw,
};

/// A length as bincode writes it, in hexadecimal.
fn varint(number: usize) -> String {
    let [low, high, ..] = number.to_le_bytes();
    if number < 251 {
        return format!("{low:02x}");
    }
    assert!(
        number <= usize::from(u16::MAX),
        "no row has messages so long"
    );
    format!("fb{low:02x}{high:02x}")
}
