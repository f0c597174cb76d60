//! The journey of `docs/journey.md` with the Rust client, natively, and the way on which it is cut.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use socket2::SockRef;
use worldshard::Runtime;
use worldshard::identity::{AUDIENCE, Grant, PrivateKey};
use worldshard::prelude::*;
use worldshard::runtime::since_1970;

use crate::socket::{end, now, on_each_runtime, serve};

#[path = "../../../client/wasm/src/journey.rs"]
mod journey;
#[path = "../../../examples/members.rs"]
#[expect(dead_code, reason = "its `main` is for who runs it")]
mod members;

use journey::{Baggage, Journey};

#[test]
fn the_rust_client_goes_through_the_journey_of_the_document() {
    on_each_runtime(|runtime| {
        // Side by side: most of a journey is waiting.
        thread::scope(|scope| {
            for shards in [1, 2, 8] {
                let journey = thread::Builder::new().name(format!("{shards} shards"));
                journey
                    .spawn_scoped(scope, move || go(runtime, shards))
                    .unwrap();
            }
        });
    });
}

fn go(runtime: Runtime, shards: u16) {
    let key = PrivateKey::from_seed([7; 32]);
    let mut app = members::members(key.public().clone());
    app.runtime(runtime)
        .shards(shards)
        .options(|options| options.bind = Some("127.0.0.1:0".to_owned()));
    let (running, address) = serve(&mut app);
    let detour = Detour::to(address);
    let mut journey = Journey::new(&Baggage {
        url: format!("ws://{address}/world"),
        detour: format!("ws://{}/world", detour.address),
        forged: token(&PrivateKey::from_seed([8; 32]), "ann", 600),
        ann: token(&key, "ann", 600),
        bob: token(&key, "bob", 3),
        bob_next: token(&key, "bob", 6),
    });
    let deadline = now() + Duration::from_secs(60);
    while !journey.poll() {
        if journey.takes_cut() {
            detour.cut();
        }
        assert!(now() < deadline, "not within a minute:\n{}", journey.told());
        thread::park_timeout(Duration::from_millis(5));
    }
    let document = include_str!("../../../docs/journey.md");
    let (_, expected) = document.split_once("```text\n").unwrap();
    let (expected, _) = expected.split_once("```").unwrap();
    let told = journey.told();
    assert!(told == expected, "{shards} shards on {runtime}:\n{told}");
    detour.end();
    end(running);
}

fn token(key: &PrivateKey, user: &str, seconds: u64) -> String {
    let issued = since_1970();
    let grant = Grant {
        user: UserId::new(user).unwrap(),
        tenant: None,
        audience: AUDIENCE.to_owned(),
        issued,
        expires: issued + Duration::from_secs(seconds),
    };
    grant.token(key)
}

/// An address that leads to the server, until its connections are cut.
struct Detour {
    address: SocketAddr,
    /// Those that were not cut.
    passages: Arc<Mutex<Vec<Arc<Passage>>>>,
    is_over: Arc<AtomicBool>,
    door: thread::JoinHandle<()>,
}

/// One connection.
struct Passage {
    near: TcpStream,
    far: TcpStream,
    is_cut: AtomicBool,
}

impl Detour {
    fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let passages = Arc::<Mutex<Vec<Arc<Passage>>>>::default();
        let is_over = Arc::<AtomicBool>::default();
        let (opened, over) = (passages.clone(), is_over.clone());
        let door = thread::Builder::new().spawn(move || {
            for near in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let passage = Arc::new(Passage {
                    near: near.unwrap(),
                    far: TcpStream::connect(server).unwrap(),
                    is_cut: AtomicBool::new(false),
                });
                opened.lock().unwrap().push(passage.clone());
                let back = passage.clone();
                for pump in [
                    Box::new(move || passage.pump(&passage.near, &passage.far))
                        as Box<dyn FnOnce() + Send>,
                    Box::new(move || back.pump(&back.far, &back.near)),
                ] {
                    thread::Builder::new().spawn(pump).unwrap();
                }
            }
        });
        Self {
            address,
            passages,
            is_over,
            door: door.unwrap(),
        }
    }

    /// Resets all connections.
    fn cut(&self) {
        for passage in self.passages.lock().unwrap().drain(..) {
            passage.cut();
        }
    }

    /// Lets nobody through any more.
    fn end(self) {
        self.cut();
        self.is_over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address).unwrap());
        self.door.join().unwrap();
    }
}

impl Passage {
    fn pump(&self, mut from: &TcpStream, mut to: &TcpStream) {
        // A connection that breaks off has ended, too.
        let _ = io::copy(&mut from, &mut to);
        if !self.is_cut.load(Ordering::Relaxed) {
            // Unless the other end has gone.
            let _ = to.shutdown(Shutdown::Write);
        }
    }

    /// Closed without lingering, by the last who has it, a connection is reset.
    fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
        for stream in [&self.near, &self.far] {
            SockRef::from(stream)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
            // Ends the pump that reads here, unless it has ended.
            let _ = stream.shutdown(Shutdown::Read);
        }
    }
}
