//! What every peer does alike: its two flags, and the one line that says it is ready.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// What a server does with a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scenario {
    /// Back to its sender.
    Echo,
    /// To everyone, the sender too.
    Broadcast,
}

/// `--bind ADDR --scenario echo|broadcast`.
#[derive(Clone, Copy, Debug)]
pub struct Args {
    /// Where to listen; never port 0.
    pub bind: SocketAddr,
    /// What to do.
    pub scenario: Scenario,
    /// Whether what waits for one client leaves in one write, where the program knows how.
    pub batch: bool,
}

impl Args {
    /// Of this process; one that cannot be read ends it, with status 2.
    pub fn parse() -> Self {
        Self::of(std::env::args().skip(1)).unwrap_or_else(|message| {
            eprintln!("{message}; usage: --bind ADDR --scenario echo|broadcast [--batch]");
            std::process::exit(2);
        })
    }

    fn of(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut bind, mut scenario, mut batch) = (None, None, false);
        while let Some(word) = words.next() {
            if word == "--batch" {
                batch = true;
                continue;
            }
            let value = words.next().ok_or(format!("{word} has no value"))?;
            match (word.as_str(), value.as_str()) {
                ("--bind", addr) => {
                    bind = Some(addr.parse().map_err(|_| format!("--bind {addr}"))?)
                }
                ("--scenario", "echo") => scenario = Some(Scenario::Echo),
                ("--scenario", "broadcast") => scenario = Some(Scenario::Broadcast),
                _ => return Err(format!("{word} {value} is not known")),
            }
        }
        let bind: SocketAddr = bind.ok_or("--bind is missing")?;
        Ok(Self {
            bind: free(bind).map_err(|error| format!("--bind {bind}: {error}"))?,
            scenario: scenario.ok_or("--scenario is missing")?,
            batch,
        })
    }
}

/// Port 0 becomes a port that was free a moment ago: not every library says which one it got.
fn free(addr: SocketAddr) -> std::io::Result<SocketAddr> {
    if addr.port() > 0 {
        return Ok(addr);
    }
    TcpListener::bind(addr)?.local_addr()
}

/// Says that `addr` is served.
pub fn ready(addr: SocketAddr) {
    println!("ready {addr}");
}

/// The same as soon as `addr` can be reached, for libraries that do not say when they listen.
pub fn ready_when_reached(addr: SocketAddr) {
    thread::spawn(move || {
        for _ in 0..1000 {
            if TcpStream::connect(addr).is_ok() {
                return ready(addr);
            }
            thread::sleep(Duration::from_millis(10));
        }
        eprintln!("{addr} is not served");
        std::process::exit(1);
    });
}
