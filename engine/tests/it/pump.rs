//! Drives several hubs in one thread: letters between them in any order that mailboxes allow, clients that read or not.
//!
//! The chaos of delivery comes from a seed. Never judges: tests do.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use worldshard::hub::{Commons, Hub, NotOpened, Opening, Output, Returning};
use worldshard::identity::Identity;
use worldshard::prelude::*;
use worldshard::{AppRecipe, Letter};
use worldshard_shard::{Envelope, Shard};
use worldshard_transport::MessageKind;

/// Several hubs and their clients.
pub(crate) struct Pump {
    pub(crate) hubs: Vec<Hub>,
    pub(crate) clients: BTreeMap<SessionId, Client>,
    recipe: Arc<AppRecipe>,
    /// In order per (receiver, sender).
    mail: BTreeMap<(ShardId, ShardId), VecDeque<Letter>>,
    tick: Tick,
    chance: u64,
    /// Messages to many wait for a few turns.
    coalesces: bool,
    handled: u64,
    processes: u32,
}

/// What one client saw.
#[derive(Default)]
pub(crate) struct Client {
    /// Messages that it read, in order.
    pub(crate) received: Vec<Payload>,
    /// The close that it was sent.
    pub(crate) closed: Option<(u16, String)>,
    /// Whether it reads at all; unread frames wait in `unread`.
    pub(crate) stalled: bool,
    pub(crate) unread: VecDeque<Payload>,
    /// What a driver would have written for it, in entries of the output.
    unread_entries: u32,
}

impl Pump {
    pub(crate) fn new(app: &mut App, shards: u16, seed: u64) -> Self {
        let recipe = app.build().unwrap();
        // Who wants sessions resumed says for how long they wait.
        let commons = Commons::new(&recipe, shards).unwrap().resuming([7; 32]);
        let hub = |own| Hub::new(ShardId(own), recipe.clone(), commons.clone()).unwrap();
        let mut pump = Self {
            hubs: (0..shards).map(hub).collect(),
            clients: BTreeMap::new(),
            recipe,
            mail: BTreeMap::new(),
            tick: Tick(0),
            chance: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            coalesces: false,
            handled: 0,
            processes: 1,
        };
        pump.collect();
        pump
    }

    /// From now on messages to many wait for a while.
    pub(crate) fn coalesce(&mut self) {
        self.coalesces = true;
        self.hubs.iter_mut().for_each(Hub::coalesce);
    }

    pub(crate) fn shards(&self) -> u16 {
        self.hubs.len() as u16
    }

    pub(crate) fn tick(&self) -> Tick {
        self.tick
    }

    /// A number below `below`, from the seed.
    pub(crate) fn draw(&mut self, below: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance.wrapping_mul(0x2545_f491_4f6c_dd1d) % below.max(1)
    }

    pub(crate) fn hub(&mut self, shard: ShardId) -> &mut Hub {
        &mut self.hubs[usize::from(shard.0)]
    }

    pub(crate) fn client(&mut self, session: SessionId) -> &mut Client {
        self.clients.get_mut(&session).unwrap()
    }

    /// Where the room lives that a path names.
    pub(crate) fn room_host(&self, path: &str) -> ShardId {
        self.recipe.room_host(0, path, self.shards()).unwrap()
    }

    /// Opens a session with this home; nothing is handled yet.
    pub(crate) fn open(&mut self, home: u16, path: &str) -> SessionId {
        let framing = self.recipe.framing(path).unwrap();
        let opening = Opening {
            path: path.to_owned(),
            framing,
        };
        let session = self.hub(ShardId(home)).open(opening);
        self.clients.insert(session, Client::default());
        self.collect();
        session
    }

    /// The same for who is known, which may be one session too many.
    pub(crate) fn open_as(
        &mut self,
        home: u16,
        path: &str,
        identity: Identity,
    ) -> Result<SessionId, NotOpened> {
        let framing = self.recipe.framing(path).unwrap();
        let opening = Opening {
            path: path.to_owned(),
            framing,
        };
        let session = self.hub(ShardId(home)).open_as(opening, identity, None)?;
        self.clients.insert(session, Client::default());
        self.collect();
        Ok(session)
    }

    /// A connection goes on with the session of a token; its client has heard nothing yet. Refused: the status.
    pub(crate) fn resume(&mut self, token: &str, path: &str) -> Result<SessionId, u16> {
        let home = self.hubs[0].home_of(token);
        let home = home.map_err(|refusal| refusal.status)?;
        let resumed = self.hub(home).resume(token, path);
        let session = resumed.map_err(|refusal| refusal.status)?;
        self.clients.insert(session, Client::default());
        self.collect();
        Ok(session)
    }

    pub(crate) fn text(&mut self, session: SessionId, text: &str) {
        self.message(session, MessageKind::Text, text.as_bytes());
    }

    pub(crate) fn binary(&mut self, session: SessionId, bytes: &[u8]) {
        self.message(session, MessageKind::Binary, bytes);
    }

    fn message(&mut self, session: SessionId, kind: MessageKind, bytes: &[u8]) {
        self.hub(ShardId(session.home()))
            .message(session, kind, bytes);
        self.collect();
    }

    /// The connection is gone.
    pub(crate) fn close(&mut self, session: SessionId, reason: CloseReason) {
        self.hub(ShardId(session.home())).closed(session, reason);
        self.collect();
    }

    /// The process ends, and another one opens the world as it is between two ticks: nothing else is left of the one
    /// before. Sessions that stand in the world wait for their clients.
    pub(crate) fn crash(&mut self) {
        let commons = Commons::new(&self.recipe, self.shards()).unwrap();
        let commons = commons.of_process(self.processes).resuming([7; 32]);
        self.processes += 1;
        let mut returning = vec![Vec::new(); self.hubs.len()];
        for hub in &mut self.hubs {
            let (own, world) = (hub.shard().own(), self.recipe.world().clone());
            let cell_map = commons.cell_map().clone();
            let archive = hub.freeze().encode();
            let shard = Shard::restore(own, world, cell_map, &archive).unwrap();
            *hub = Hub::around(shard, self.recipe.clone(), commons.clone()).unwrap();
            hub.settle_sessions();
            for session in hub.shard().sessions() {
                let viewer = hub.shard().viewer(session).unwrap();
                let of_home = &mut returning[usize::from(session.home())];
                of_home.push(Returning::of(session, own, &viewer));
            }
        }
        for (hub, of_home) in self.hubs.iter_mut().zip(&returning) {
            hub.expect(of_home);
        }
        self.mail.clear();
        self.clients.clear();
        self.collect();
    }

    /// Lets a client read everything that waits, and go on reading.
    pub(crate) fn read(&mut self, session: SessionId) {
        let client = self.client(session);
        client.stalled = false;
        let unread = std::mem::take(&mut client.unread);
        let entries = std::mem::take(&mut client.unread_entries);
        client.received.extend(unread);
        self.hub(ShardId(session.home())).written(session, entries);
        self.collect();
    }

    /// Runs one hub's systems.
    pub(crate) fn handle(&mut self, shard: ShardId) {
        self.hub(shard).handle();
        self.collect();
        self.handled += 1;
        // Not by the seed: what happens is to be the same with and without.
        if self.coalesces && self.handled.is_multiple_of(4) {
            self.release(shard);
        }
    }

    /// Lets go what waits at one hub.
    pub(crate) fn release(&mut self, shard: ShardId) {
        self.hub(shard).release();
        assert!(!self.hub(shard).waits(), "something waits after a release");
        self.collect();
    }

    /// Letters that were sent and not delivered.
    pub(crate) fn letters_waiting(&self) -> usize {
        self.mail.values().map(VecDeque::len).sum()
    }

    /// Delivers one letter, of whichever mailbox the seed names; false when there is none.
    pub(crate) fn deliver_one(&mut self) -> bool {
        let waiting: Vec<_> = self.mail.keys().copied().collect();
        if waiting.is_empty() {
            return false;
        }
        let (to, from) = waiting[self.draw(waiting.len() as u64) as usize];
        let queue = self.mail.get_mut(&(to, from)).unwrap();
        let letter = queue.pop_front().unwrap();
        if queue.is_empty() {
            self.mail.remove(&(to, from));
        }
        self.hub(to).letter(from, letter);
        self.collect();
        true
    }

    /// Handles and delivers until nothing is left to do.
    pub(crate) fn settle(&mut self) {
        loop {
            for shard in 0..self.shards() {
                self.handle(ShardId(shard));
            }
            let called = self.hubs.iter().any(Hub::is_called);
            if !self.deliver_one() && !called {
                break;
            }
        }
        if self.coalesces {
            for shard in 0..self.shards() {
                self.release(ShardId(shard));
            }
        }
    }

    /// One tick of all hubs. Letters stay where they are.
    pub(crate) fn step(&mut self) {
        self.tick = self.tick.next();
        let tick = self.tick;
        let mut inboxes: Vec<Vec<Envelope>> = self.hubs.iter().map(|_| Vec::new()).collect();
        for hub in &mut self.hubs {
            for envelope in hub.advance(tick) {
                inboxes[usize::from(envelope.to.0)].push(envelope);
            }
        }
        self.collect();
        for (hub, inbox) in self.hubs.iter_mut().zip(&mut inboxes) {
            hub.absorb(tick, inbox);
        }
        self.collect();
    }

    /// Ticks, each with everything delivered.
    pub(crate) fn run(&mut self, ticks: u64) {
        for _ in 0..ticks {
            self.step();
            self.settle();
        }
    }

    /// Takes all output; clients that read get their frames and the hub learns that they were written.
    fn collect(&mut self) {
        for own in 0..self.shards() {
            loop {
                let mut output: Output = std::mem::take(self.hubs[usize::from(own)].output());
                if output.frames.is_empty() && output.closes.is_empty() && output.letters.is_empty()
                {
                    break;
                }
                for (session, frame, _) in output.take_frames() {
                    assert_eq!(session.home(), own, "a frame for another home's session");
                    let client = self.clients.get_mut(&session).unwrap();
                    assert!(
                        client.closed.is_none(),
                        "a frame behind the close of {session}"
                    );
                    decode(&frame, &mut client.unread);
                    client.unread_entries += 1;
                    if !client.stalled {
                        self.read(session);
                    }
                }
                for (session, code, reason) in output.closes {
                    let client = self.client(session);
                    assert!(client.closed.is_none(), "{session} was closed twice");
                    client.closed = Some((code, reason.into_owned()));
                }
                for (to, letter) in output.letters {
                    assert_ne!(to.0, own, "a letter to itself");
                    let queue = self.mail.entry((to, ShardId(own))).or_default();
                    queue.push_back(letter);
                }
            }
        }
    }
}

impl Client {
    /// The texts it read, in order.
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.received.iter().filter_map(Payload::as_text).collect()
    }
}

/// The payloads of unmasked, final frames that fill `frames` exactly.
fn decode(frames: &[u8], payloads: &mut VecDeque<Payload>) {
    let mut rest = frames;
    while !rest.is_empty() {
        let (payload, len) = decode_first(rest);
        payloads.push_back(payload);
        rest = &rest[len..];
    }
}

fn decode_first(frame: &[u8]) -> (Payload, usize) {
    let (start, len) = match frame[1] {
        126 => (4, usize::from(u16::from_be_bytes([frame[2], frame[3]]))),
        127 => (
            10,
            u64::from_be_bytes(frame[2..10].try_into().unwrap()) as usize,
        ),
        short => (2, usize::from(short)),
    };
    let end = start + len;
    assert!(frame.len() >= end, "a frame that is not whole");
    let payload = Bytes::copy_from_slice(&frame[start..end]);
    let payload = match frame[0] {
        0x81 => Payload::Text(Text::from_utf8(payload).unwrap()),
        0x82 => Payload::Binary(payload),
        other => panic!("a frame of kind {other:#x}"),
    };
    (payload, end)
}
