//! A path to a server over which everything takes long, and some of it longer: what is lost is sent again, and what is behind
//! it waits, as on TCP. Connections can be cut. Never looks at what it carries.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use worldshard::prelude::*;

use crate::socket::now;

/// A way to a server, open until the process ends.
pub(crate) struct LossyPath {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    to: SocketAddr,
    counts: Mutex<(Chance, Carried)>,
    open: Mutex<Vec<TcpStream>>,
}

/// What went over a path, both ways together.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Carried {
    pub(crate) segments: u32,
    pub(crate) lost: u32,
}

impl LossyPath {
    pub(crate) fn to(server: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let chance = Chance::new(seed, EntityId(1), Tick(0), "loss");
        let shared = Arc::new(Shared {
            to: server,
            counts: Mutex::new((chance, Carried::default())),
            open: Mutex::default(),
        });
        let path = Arc::clone(&shared);
        spawn(move || {
            for near in listener.incoming() {
                path.open(near.unwrap());
            }
        });
        Self { address, shared }
    }

    /// Breaks all connections, with what is on its way.
    pub(crate) fn cut(&self) {
        for stream in self.shared.open.lock().unwrap().drain(..) {
            // It may have ended already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn carried(&self) -> Carried {
        self.shared.counts.lock().unwrap().1
    }
}

impl Shared {
    fn open(self: &Arc<Self>, near: TcpStream) {
        let Ok(far) = TcpStream::connect(self.to) else {
            return;
        };
        for stream in [&near, &far] {
            stream.set_nodelay(true).unwrap();
        }
        for (from, to) in [(&near, &far), (&far, &near)] {
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let (sender, waiting) = sync_channel(SEGMENTS_MAX);
            let path = Arc::clone(self);
            spawn(move || path.take(from, &sender));
            spawn(move || {
                for (due, bytes) in waiting {
                    wait_until(due);
                    if (&to).write_all(&bytes).is_err() {
                        break;
                    }
                }
                // What ended on one side ends on the other, after all that was on its way.
                let _ = to.shutdown(Shutdown::Write);
            });
        }
        self.open.lock().unwrap().extend([near, far]);
    }

    /// Takes what one end says, each with the time at which the other hears it, until either is gone.
    fn take(&self, mut from: TcpStream, sender: &SyncSender<(Instant, Vec<u8>)>) {
        let mut buffer = [0; 16 * 1024];
        let mut last = now();
        while let Ok(len @ 1..) = from.read(&mut buffer) {
            last = last.max(now() + self.delay());
            if sender.send((last, buffer[..len].to_vec())).is_err() {
                return;
            }
        }
    }

    fn delay(&self) -> Duration {
        let (chance, carried) = &mut *self.counts.lock().unwrap();
        carried.segments += 1;
        if chance.next_f32() >= LOSS {
            return ONE_WAY;
        }
        carried.lost += 1;
        ONE_WAY + Duration::from_secs_f32(chance.range(0.2, 0.4))
    }
}

fn wait_until(due: Instant) {
    loop {
        let left = due.saturating_duration_since(now());
        if left.is_zero() {
            return;
        }
        std::thread::park_timeout(left);
    }
}

/// The thread ends with its connection, or with the process.
fn spawn(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().name("path".to_owned());
    thread.spawn(work).unwrap();
}

/// From one end to the other.
pub(crate) const ONE_WAY: Duration = Duration::from_millis(100);
/// How much is lost, of all segments.
const LOSS: f32 = 0.02;
/// Segments on their way in one direction of a connection; beyond, its sender waits.
const SEGMENTS_MAX: usize = 4096;
