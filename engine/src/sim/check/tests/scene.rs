//! A small world to check: hubs in lockstep without a network, clients that read at once, and every tick observed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use worldshard_protocol::world::OPCODE_S2C_DELTA;
use worldshard_protocol::{
    ClientMessage, HotHeader, InterestWish, View, ViewpointMode, read_delta,
};
use worldshard_shard::{Envelope, Interest};
use worldshard_transport::MessageKind;

use crate::hub::{Commons, Hub, Opening};
use crate::prelude::*;
use crate::sim::{
    ClientSeen, DeltaSeen, EventTap, Inherited, MailboxSeen, Observed, PaceSeen, ShardSeen,
};
use crate::worlds::{self, WorldName};

/// What walks, crosses, is born and is removed, and who watches.
pub(super) struct Scene {
    hubs: Vec<Hub>,
    tap: EventTap,
    clients: Vec<Watcher>,
    tick: Tick,
}

struct Watcher {
    believes: ClientSeen,
    view: View,
}

impl Scene {
    pub(super) fn new(shards: u16, clients: u32) -> Self {
        let tap = EventTap::new();
        let mut app = App::new();
        app.lanes("/world")
            .plugin(worlds::world(WorldName::Crowd, 400, 7))
            .plugin(tap.clone());
        let recipe = app.build().unwrap();
        let commons = Commons::new(&recipe, shards).unwrap();
        let hub = |own| Hub::new(ShardId(own), recipe.clone(), commons.clone()).unwrap();
        let mut scene = Self {
            hubs: (0..shards).map(hub).collect(),
            tap,
            clients: Vec::new(),
            tick: Tick(0),
        };
        for number in 0..clients {
            scene.join(number);
        }
        scene
    }

    fn join(&mut self, number: u32) {
        let home = usize::from(number as u16) % self.hubs.len();
        let path = "/world".to_owned();
        let framing = crate::app::Framing::Lanes;
        let session = self.hubs[home].open(Opening { path, framing });
        let wish = [
            InterestWish::Default,
            InterestWish::Box {
                half: [9.0, 14.0, 0.0],
            },
            InterestWish::Nearest { k: 7, radius: 20.0 },
        ][number as usize % 3];
        let config = &self.hubs[home].recipe().world().config;
        let interest = Interest::admit(&wish, config, 0).unwrap();
        self.clients.push(Watcher {
            believes: ClientSeen::new(number, session, interest),
            view: View::new(),
        });
        let mode = if number.is_multiple_of(2) {
            ViewpointMode::Avatar
        } else {
            ViewpointMode::Camera
        };
        let join = ClientMessage::Join {
            mode,
            at: None,
            interest: wish,
            full: false,
            acks: true,
        };
        self.say(number as usize, &join, 1, None);
        self.clients[number as usize].believes.join_sent = 1;
    }

    fn say(&mut self, number: usize, message: &ClientMessage<'_>, seq: u32, ack: Option<u32>) {
        let session = self.clients[number].believes.session;
        let mut bytes = Vec::new();
        message.encode((seq > 0).then_some(seq), ack, &mut bytes);
        self.hubs[usize::from(session.home())].message(session, MessageKind::Binary, &bytes);
        if seq > 0 {
            self.clients[number].believes.command_sent = seq;
        }
    }

    /// One tick in which those who have avatars steer now and then; what it left behind.
    pub(super) fn step(&mut self) -> Observed {
        self.settle();
        for number in 0..self.clients.len() {
            let ClientSeen {
                is_in,
                camera,
                command_sent,
                ..
            } = self.clients[number].believes;
            if is_in && camera.is_none() && self.tick.0.is_multiple_of(5) {
                let turn = (self.tick.0 as f32 + number as f32).sin();
                let direction = [turn, 1.0 - turn.abs(), 0.0];
                self.say(
                    number,
                    &ClientMessage::Steer { direction },
                    command_sent + 1,
                    None,
                );
            }
        }
        let shards = self.tick();
        self.observe(shards)
    }

    /// A tick in which nobody says anything and everybody hears all of it.
    pub(super) fn end(&mut self) -> Observed {
        self.settle();
        let shards = self.tick();
        self.settle();
        self.observe(shards)
    }

    fn tick(&mut self) -> Vec<ShardSeen> {
        self.tick = self.tick.next();
        let mut inboxes: Vec<Vec<Envelope>> = self.hubs.iter().map(|_| Vec::new()).collect();
        for hub in &mut self.hubs {
            for envelope in hub.advance(self.tick) {
                inboxes[usize::from(envelope.to.0)].push(envelope);
            }
        }
        let hubs = self.hubs.iter_mut().zip(&mut inboxes);
        let absorb = |(hub, inbox): (&mut Hub, &mut Vec<Envelope>)| {
            hub.absorb(self.tick, inbox);
            ShardSeen::of(hub)
        };
        hubs.map(absorb).collect()
    }

    fn observe(&mut self, shards: Vec<ShardSeen>) -> Observed {
        let commons = self.hubs[0].commons();
        let mailbox = |to: ShardId| MailboxSeen {
            to,
            letters: 0,
            letters_max: 16,
            envelopes: 0,
            envelopes_max: 2,
        };
        let tick = self.tick.0;
        let pace = |shard: ShardId| PaceSeen {
            shard,
            interval: Duration::from_millis(50),
            catch_up_ticks_max: 5,
            begun: tick,
            lag_ticks: 7,
            lag_times: 1,
            due: Duration::from_millis(50 * (tick + 7) + 20),
            early: 0,
            behind_most: Duration::from_millis(249),
        };
        let cell_map = commons.cell_map().clone();
        let seen = |client: &mut Watcher| {
            let seen = client.believes.clone();
            client.believes.deltas.clear();
            seen
        };
        Observed {
            inherited: Inherited::default(),
            tick: self.tick,
            config: Arc::new(self.hubs[0].recipe().world().config.clone()),
            mailboxes: cell_map.shards().map(mailbox).collect(),
            paces: cell_map.shards().map(pace).collect(),
            cell_map,
            shards,
            clients: self.clients.iter_mut().map(seen).collect(),
            events: self.tap.drain(),
        }
    }

    /// Delivers and reads until nothing is left.
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            for at in 0..self.hubs.len() {
                self.hubs[at].handle();
                let mut output = std::mem::take(self.hubs[at].output());
                quiet &= output.frames.is_empty() && output.letters.is_empty();
                assert!(output.closes.is_empty());
                let mut acknowledged = BTreeMap::new();
                for (session, frame, _) in output.take_frames() {
                    let number = self.number(session);
                    if let Some(sequence) = self.clients[number].read(payload(&frame)) {
                        acknowledged.insert(number, sequence);
                    }
                    self.hubs[at].written(session, 1);
                }
                for (number, sequence) in acknowledged {
                    self.say(number, &ClientMessage::Ack, 0, Some(sequence));
                }
                let from = ShardId(at as u16);
                for (to, letter) in output.letters {
                    self.hubs[usize::from(to.0)].letter(from, letter);
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn number(&self, session: SessionId) -> usize {
        let mut clients = self.clients.iter();
        clients
            .position(|one| one.believes.session == session)
            .unwrap()
    }
}

impl Watcher {
    /// Reads a message; the number of the delta that it was.
    fn read(&mut self, payload: &[u8]) -> Option<u32> {
        if payload.starts_with(b"{") {
            let text = String::from_utf8_lossy(payload);
            if text.contains(r#""type":"joined""#) {
                self.believes.is_in = true;
                let (_, entity) = text.split_once(r#""entity":"#).unwrap();
                let (entity, _) = entity.split_once(',').unwrap();
                self.believes.avatar = entity.parse().ok().map(EntityId);
                if self.believes.avatar.is_none() {
                    self.believes.camera = Some((u32::MAX, Point::ORIGIN));
                }
            }
            return None;
        }
        let (header, archive) = HotHeader::parse(payload).unwrap();
        assert_eq!(header.opcode, OPCODE_S2C_DELTA);
        let delta = read_delta(archive).unwrap();
        let sequence = header.seq.unwrap();
        self.view.apply(archive).unwrap();
        self.believes.deltas.push(DeltaSeen {
            sequence,
            tick: Tick(delta.tick.to_native()),
            command_sequence: delta.command_sequence.to_native(),
            entered: delta.entered.len() as u32,
            left: delta.left.len() as u32,
        });
        self.believes.delta_sequence = sequence;
        self.believes.believe(&self.view);
        Some(sequence)
    }
}

/// What a whole, unmasked frame carries.
fn payload(frame: &[u8]) -> &[u8] {
    match frame[1] {
        126 => &frame[4..],
        127 => &frame[10..],
        _ => &frame[2..],
    }
}
