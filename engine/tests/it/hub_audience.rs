//! Every audience against an oracle, under every order of letters: exactly once, in order, nothing from before.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use worldshard::identity::Identity;
use worldshard::prelude::*;

use crate::pump::Pump;

/// What the systems are to send in their next turn, by shard.
type Orders = Arc<Mutex<BTreeMap<u16, Vec<(Audience, String)>>>>;

/// What each session must get, by sender, in order.
type Expected = BTreeMap<SessionId, BTreeMap<u16, Vec<String>>>;

fn app(orders: &Orders) -> App {
    let orders = orders.clone();
    let mut app = App::new();
    app.raw("/ws").system(Update, move |cx: &mut Context| {
        let due = orders.lock().unwrap().remove(&cx.shard().0);
        for (audience, text) in due.unwrap_or_default() {
            cx.send(audience, text);
        }
    });
    app
}

struct Scene {
    pump: Pump,
    orders: Orders,
    /// Their messages make the systems run.
    speakers: Vec<SessionId>,
    open: Vec<SessionId>,
    dead: Vec<SessionId>,
    /// Whose they are.
    users: BTreeMap<SessionId, UserId>,
    expected: Expected,
    sent: u64,
}

impl Scene {
    fn new(shards: u16, seed: u64) -> Self {
        let orders = Orders::default();
        let mut pump = Pump::new(&mut app(&orders), shards, seed);
        let speakers: Vec<_> = (0..shards).map(|home| pump.open(home, "/ws")).collect();
        Self {
            pump,
            orders,
            open: speakers.clone(),
            speakers,
            dead: Vec::new(),
            users: BTreeMap::new(),
            expected: BTreeMap::new(),
            sent: 0,
        }
    }

    fn open_one(&mut self) {
        let home = self.pump.draw(u64::from(self.pump.shards())) as u16;
        let Some(user) = self.user() else {
            return self.open.push(self.pump.open(home, "/ws"));
        };
        let identity = Identity {
            user: Some(user.clone()),
            ..Identity::default()
        };
        let session = self.pump.open_as(home, "/ws", identity).unwrap();
        self.open.push(session);
        self.users.insert(session, user);
    }

    /// One of three, or nobody.
    fn user(&mut self) -> Option<UserId> {
        let names = ["anna", "bert", "carl"];
        let name = names.get(self.pump.draw(4) as usize)?;
        Some(UserId::new(name).unwrap())
    }

    fn close_one(&mut self) {
        let others = self.open.len() - self.speakers.len();
        if others > 0 {
            let at = self.speakers.len() + self.pump.draw(others as u64) as usize;
            let session = self.open.remove(at);
            self.pump.close(session, CloseReason::Lost);
            self.dead.push(session);
        }
    }

    fn any(&mut self) -> SessionId {
        let from_dead = !self.dead.is_empty() && self.pump.draw(5) == 0;
        let list = if from_dead { &self.dead } else { &self.open };
        let count = list.len() as u64;
        let at = self.pump.draw(count) as usize;
        if from_dead {
            self.dead[at]
        } else {
            self.open[at]
        }
    }

    fn audience(&mut self) -> Audience {
        let group = |scene: &mut Self| {
            let size = scene.pump.draw(6);
            let mut group: Vec<_> = (0..size).map(|_| scene.any()).collect();
            // A double, and an id that no home ever made.
            group.extend(group.first().copied());
            group.push(SessionId::new(900, 1));
            group
        };
        match self.pump.draw(6) {
            0 => Audience::One(self.any()),
            1 => Audience::All,
            2 => Audience::AllBut(self.any()),
            3 => Audience::Group(group(self)),
            4 => Audience::User(self.user().unwrap_or(UserId::new("nobody").unwrap())),
            _ => Audience::AllButGroup(group(self)),
        }
    }

    fn send(&mut self, audience: Audience) {
        let from = self.pump.draw(u64::from(self.pump.shards())) as u16;
        self.send_from(from, audience);
    }

    /// Sends from a shard, and notes who must get it: the oracle.
    fn send_from(&mut self, from: u16, audience: Audience) {
        self.sent += 1;
        let text = format!("{from}:{}", self.sent);
        for &session in &self.open {
            let meant = match &audience {
                Audience::One(one) => session == *one,
                Audience::All => true,
                Audience::AllBut(one) => session != *one,
                Audience::Group(group) => group.contains(&session),
                Audience::AllButGroup(group) => !group.contains(&session),
                Audience::User(user) => self.users.get(&session) == Some(user),
                Audience::Area { .. } | Audience::Room { .. } => {
                    unreachable!("they have tests of their own")
                }
            };
            if meant {
                let by_sender = self.expected.entry(session).or_default();
                by_sender.entry(from).or_default().push(text.clone());
            }
        }
        let order = (audience, text);
        self.orders
            .lock()
            .unwrap()
            .entry(from)
            .or_default()
            .push(order);
        let speaker = self.speakers[usize::from(from)];
        self.pump.text(speaker, "now");
        self.pump.handle(ShardId(from));
    }

    fn check(&mut self) -> usize {
        self.pump.settle();
        let mut copies = 0;
        for (session, client) in &self.pump.clients {
            let mut got: BTreeMap<u16, Vec<String>> = BTreeMap::new();
            for text in client.texts() {
                let (from, _) = text.split_once(':').unwrap();
                got.entry(from.parse().unwrap())
                    .or_default()
                    .push(text.to_owned());
            }
            let expected = self.expected.remove(session).unwrap_or_default();
            if self.open.contains(session) {
                assert_eq!(got, expected, "session {session}");
            }
            // A session that closed may miss the end, never anything before it.
            for (from, texts) in &got {
                copies += texts.len();
                let meant = expected.get(from).map_or(&[][..], Vec::as_slice);
                assert!(
                    meant.starts_with(texts),
                    "session {session} from {from}: {texts:?} of {meant:?}"
                );
            }
        }
        copies
    }
}

#[test]
fn every_audience_gets_exactly_one_copy_each_in_order() {
    every_audience_gets_its_copies(|_| ());
}

#[test]
fn messages_that_wait_to_leave_together_are_the_same_in_the_same_order() {
    every_audience_gets_its_copies(Pump::coalesce);
}

fn every_audience_gets_its_copies(prepare: impl Fn(&mut Pump)) {
    for shards in [1, 2, 8] {
        for seed in 1..=24 {
            let mut scene = Scene::new(shards, seed * 0x9e37_79b9);
            prepare(&mut scene.pump);
            for _ in 0..120 {
                match scene.pump.draw(10) {
                    0 | 1 => scene.open_one(),
                    2 => scene.close_one(),
                    3..6 => {
                        scene.pump.deliver_one();
                    }
                    _ => {
                        let audience = scene.audience();
                        scene.send(audience);
                    }
                }
            }
            assert!(
                scene.check() > 50,
                "{shards} shards, seed {seed}: too little was sent"
            );
        }
    }
}

#[test]
fn outgoing_never_drained_a_message_from_before_a_session_joined_is_never_seen_by_it() {
    let mut scene = Scene::new(2, 1);
    let old = scene.pump.open(1, "/ws");
    scene.open.push(old);
    for _ in 0..8 {
        scene.send_from(0, Audience::All);
    }
    assert_eq!(scene.pump.letters_waiting(), 8, "sent, not delivered");
    let late = scene.pump.open(1, "/ws");
    scene.pump.settle();
    assert_eq!(scene.pump.clients[&old].received.len(), 8);
    assert_eq!(scene.pump.clients[&late].received, []);
    scene.pump.settle();
    assert_eq!(
        scene.pump.clients[&old].received.len(),
        8,
        "nothing repeats"
    );
}

#[test]
fn an_area_message_reaches_exactly_the_viewpoints_that_stand_in_it() {
    for shards in [1, 2, 8] {
        let orders = Orders::default();
        let mut app = app(&orders);
        app.world(WorldConfig::default()).lanes("/world");
        let mut pump = Pump::new(&mut app, shards, 7);
        let speaker = pump.open(0, "/ws");
        let mut cameras = Vec::new();
        for index in 0..64_u16 {
            let at = [pump.draw(1024) as f32, pump.draw(1024) as f32, 0.0];
            let session = pump.open(index % shards, "/world");
            crate::hub_world::join_camera(&mut pump, session, at);
            cameras.push((session, Point::from_array(at)));
        }
        pump.run(3);
        let (centre, radius_m) = (Point::flat(500.0, 500.0), 300.0);
        let order = (Audience::Area { centre, radius_m }, "boom".to_owned());
        orders.lock().unwrap().entry(0).or_default().push(order);
        pump.text(speaker, "now");
        pump.settle();
        pump.run(2);
        let inside = |at: Point| Metric::Plane.distance_squared(at, centre) <= radius_m * radius_m;
        let mut hit = 0;
        for (session, at) in cameras {
            let texts = pump.clients[&session].texts();
            let copies = texts.iter().filter(|text| text.contains("boom")).count();
            assert_eq!(
                copies,
                usize::from(inside(at)),
                "{shards} shards: camera at {at:?}"
            );
            hit += copies;
        }
        assert!(
            (5..60).contains(&hit),
            "the area holds some and not all: {hit}"
        );
    }
}

#[test]
fn a_message_to_many_is_laid_out_once_and_its_bytes_are_shared_by_all() {
    let orders = Orders::default();
    let mut app = app(&orders);
    app.world(WorldConfig::default()).lanes("/world");
    let recipe = app.build().unwrap();
    let commons = worldshard::Commons::new(&recipe, 2).unwrap();
    let mut hubs = [0, 1]
        .map(|own| worldshard::Hub::new(ShardId(own), recipe.clone(), commons.clone()).unwrap());
    for hub in &mut hubs {
        for path in ["/ws", "/world"].repeat(50) {
            hub.open(worldshard::Opening {
                path: path.to_owned(),
                framing: recipe.framing(path).unwrap(),
            });
        }
        // Greetings.
        hub.output().frames.clear();
    }
    let order = (Audience::All, "0:to all of you".to_owned());
    orders.lock().unwrap().insert(0, vec![order]);
    hubs[0].handle();
    for (to, letter) in std::mem::take(&mut hubs[0].output().letters) {
        hubs[usize::from(to.0)].letter(ShardId(0), letter);
    }
    let mut addresses: BTreeMap<*const u8, usize> = BTreeMap::new();
    for hub in &mut hubs {
        for (_, frame, _) in std::mem::take(&mut hub.output().frames) {
            *addresses.entry(frame.as_ptr()).or_default() += 1;
        }
    }
    let mut copies: Vec<usize> = addresses.into_values().collect();
    copies.sort_unstable();
    // The payload as it is, for both homes; and as a message of the ext lane, once in each home.
    assert_eq!(copies, [50, 50, 100]);
}
