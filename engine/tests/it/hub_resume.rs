//! Sessions that lose their connection and go on over another one: same entity, exact sight, nothing done twice, and nobody
//! else hears of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use worldshard::hub::{Commons, Hub, Returning};
use worldshard::prelude::*;
use worldshard::worlds::{WorldName, world};
use worldshard_protocol::world::OPCODE_S2C_DELTA;
use worldshard_protocol::{ClientMessage, Greeting, HotHeader, InterestWish, ViewpointMode};
use worldshard_shard::{Shard, ViewerStats};

use crate::pump::Pump;

type Log = Arc<Mutex<Vec<Event>>>;

/// A flock of birds at 20 Hz, in which who is cut off is waited for a second.
fn birds(log: &Log) -> App {
    let log = log.clone();
    let mut app = App::new();
    app.plugin(world(WorldName::Flock, 300, 7))
        .lanes("/world")
        .options(|options| options.limits.resume_grace = Duration::from_secs(1))
        .system(Update, move |cx: &mut Context<'_>| {
            log.lock().unwrap().extend(cx.events().cloned());
        });
    app
}

const GRACE_TICKS: u64 = 20;

/// A client that acknowledges, and what it knows.
struct Eyes {
    session: SessionId,
    greeting: Greeting,
    view: worldshard_protocol::View,
    heard: usize,
    delta_sequence: u32,
    first_is_full: Option<bool>,
    sequence: u32,
}

impl Eyes {
    fn open(pump: &mut Pump, home: u16) -> Self {
        let session = pump.open(home, "/world");
        Self::of(pump, session, 0)
    }

    fn of(pump: &mut Pump, session: SessionId, sequence: u32) -> Self {
        let first = pump.client(session).received.first().unwrap().clone();
        Self {
            session,
            greeting: Greeting::parse(first.as_text().unwrap()).unwrap(),
            view: worldshard_protocol::View::new(),
            heard: 1,
            delta_sequence: 0,
            first_is_full: None,
            sequence,
        }
    }

    fn join(&mut self, pump: &mut Pump, at: [f32; 3]) {
        let message = ClientMessage::Join {
            mode: ViewpointMode::Avatar,
            at: Some(at),
            interest: InterestWish::Default,
            full: false,
            acks: true,
        };
        self.say(pump, &message);
    }

    fn say(&mut self, pump: &mut Pump, message: &ClientMessage<'_>) {
        self.sequence += 1;
        self.say_as(pump, message, self.sequence);
    }

    fn say_as(&self, pump: &mut Pump, message: &ClientMessage<'_>, sequence: u32) {
        let mut bytes = Vec::new();
        message.encode(Some(sequence), None, &mut bytes);
        pump.binary(self.session, &bytes);
    }

    fn steer(&mut self, pump: &mut Pump, angle: f32) {
        let direction = [angle.cos() * 0.9, angle.sin() * 0.9, 0.0];
        self.say(pump, &ClientMessage::Steer { direction });
    }

    /// Takes in what came, and acknowledges it.
    fn look(&mut self, pump: &mut Pump) {
        let received = pump.client(self.session).received.split_off(self.heard);
        for payload in received {
            let Payload::Binary(bytes) = payload else {
                continue;
            };
            let (header, payload) = HotHeader::parse(&bytes).unwrap();
            assert_eq!(header.opcode, OPCODE_S2C_DELTA);
            self.delta_sequence += 1;
            assert_eq!(header.seq, Some(self.delta_sequence), "a gap, or late word");
            let delta = worldshard_protocol::read_delta(payload).unwrap();
            self.first_is_full.get_or_insert(delta.is_full());
            self.view.apply(payload).unwrap();
        }
        if self.delta_sequence > 0 {
            let mut bytes = Vec::new();
            ClientMessage::Ack.encode(None, Some(self.delta_sequence), &mut bytes);
            pump.binary(self.session, &bytes);
        }
    }

    fn resume(&self, pump: &mut Pump) -> Self {
        let token = self.greeting.resume.as_deref().unwrap();
        let session = pump.resume(token, "/world").unwrap();
        assert_eq!(session, self.session);
        let resumed = Self::of(pump, session, self.sequence);
        assert_eq!(resumed.greeting.session, session.value());
        assert_ne!(resumed.greeting.resume, self.greeting.resume);
        resumed
    }
}

fn avatar(pump: &Pump, session: SessionId) -> Option<EntityId> {
    let viewer = |hub: &worldshard::Hub| hub.shard().viewer(session);
    pump.hubs.iter().find_map(viewer)?.avatar
}

/// Where everything is, by tick: what a client knows is a few ticks old.
#[derive(Default)]
struct History(BTreeMap<Tick, BTreeMap<EntityId, Point>>);

impl History {
    fn step(&mut self, pump: &mut Pump) {
        pump.step();
        let mut all = BTreeMap::new();
        for hub in &pump.hubs {
            let shard = hub.shard();
            let ids = shard.entities().into_iter();
            all.extend(ids.map(|id| (id, shard.position(id).unwrap())));
        }
        self.0.insert(pump.tick(), all);
    }

    /// Compares what is seen through an avatar with brute force; the first sight has no memory.
    fn check(&self, eyes: &Eyes, avatar: EntityId, what: &str) {
        if eyes.delta_sequence == 0 {
            return;
        }
        let interest = eyes.greeting.interest;
        let all = &self.0[&eyes.view.tick()];
        let at = all[&avatar];
        for (id, there) in all {
            let distance_m = (*there - at).length();
            let seen = eyes.view.get(*id);
            let stays_m = interest.radius_m + interest.hysteresis_m;
            let must = distance_m < interest.radius_m - 0.01;
            let may = distance_m < stays_m + 0.01;
            assert!(seen.is_some() || !must, "{what}: {id} at {distance_m} m");
            assert!(seen.is_none() || may, "{what}: {id} at {distance_m} m");
            if let Some(seen) = seen {
                assert_eq!(seen.record.position(), there.to_array(), "{what}: {id}");
            }
        }
        assert!(eyes.view.ids().all(|id| all.contains_key(&id)), "{what}");
    }
}

fn closed(log: &Log) -> Vec<Event> {
    let log = log.lock().unwrap();
    let is_closed = |event: &&Event| matches!(event, Event::Closed(..));
    log.iter().filter(is_closed).cloned().collect()
}

/// Runs so many ticks in which letters are late; who is named looks on.
fn chaos(pump: &mut Pump, history: &mut History, ticks: u64, eyes: &mut [&mut Eyes]) {
    for _ in 0..ticks {
        history.step(pump);
        for _ in 0..pump.draw(12) {
            pump.deliver_one();
        }
        for shard in 0..pump.shards() {
            pump.handle(ShardId(shard));
        }
        for one in &mut *eyes {
            one.look(pump);
        }
    }
}

#[test]
fn a_session_cut_off_again_and_again_keeps_its_entity_and_sees_all_and_no_other_sees_it_leave() {
    let mut handoffs = 0;
    for (shards, seed) in [(1, 1), (2, 2), (2, 3), (8, 4), (8, 5), (8, 6)] {
        let log = Log::default();
        let mut pump = Pump::new(&mut birds(&log), shards, seed * 91);
        let mut history = History::default();
        let mut walker = Eyes::open(&mut pump, 0);
        let mut witness = Eyes::open(&mut pump, shards - 1);
        walker.join(&mut pump, [50.0, 50.0, 0.0]);
        witness.join(&mut pump, [52.0, 50.0, 0.0]);
        pump.settle();
        history.step(&mut pump);
        pump.settle();
        let entity = avatar(&pump, walker.session).unwrap();
        let own = avatar(&pump, witness.session).unwrap();
        for round in 0..25_u32 {
            let what = format!("{shards} shards, seed {seed}, round {round}");
            // Both go the same way, over borders.
            let angle = f64::from(round) * 0.7;
            walker.steer(&mut pump, angle as f32);
            witness.steer(&mut pump, angle as f32);
            let ticks = 1 + pump.draw(6);
            chaos(
                &mut pump,
                &mut history,
                ticks,
                &mut [&mut walker, &mut witness],
            );
            history.check(&walker, entity, &what);
            history.check(&witness, own, &what);
            // The server may not have noticed that the connection before is lost.
            if pump.draw(4) > 0 {
                pump.close(walker.session, CloseReason::Lost);
                let ticks = pump.draw(GRACE_TICKS - 2);
                chaos(&mut pump, &mut history, ticks, &mut [&mut witness]);
            }
            let old = walker.greeting.resume.clone().unwrap();
            walker = walker.resume(&mut pump);
            assert_eq!(walker.greeting.entity, Some(entity.0), "{what}");
            assert_eq!(pump.resume(&old, "/world"), Err(410), "{what}: used twice");
            let saw = witness.delta_sequence == 0 || witness.view.get(entity).is_some();
            assert!(saw, "{what}: the witness saw it leave");
        }
        for _ in 0..6 {
            pump.settle();
            chaos(&mut pump, &mut history, 1, &mut [&mut walker, &mut witness]);
        }
        assert_eq!(walker.first_is_full, Some(true));
        history.check(&walker, entity, "at the end");
        assert_eq!(avatar(&pump, walker.session), Some(entity));
        assert_eq!(walker.view.command_sequence(), walker.sequence);
        assert_eq!(closed(&log), []);
        for hub in &pump.hubs {
            let status = hub.status();
            handoffs += status.world.handoffs_in;
            assert_eq!((status.detached, status.queue_bytes_largest), (0, 0));
            assert_eq!(status.world.audit_failures, 0);
        }
        assert_eq!(pump.hubs[0].commons().sessions_total(), 2);
    }
    assert!(handoffs > 20, "too few handoffs: {handoffs}");
}

#[test]
fn when_the_grace_is_over_the_session_is_closed_once_and_its_avatar_leaves() {
    for shards in [1, 2, 8] {
        let log = Log::default();
        let mut pump = Pump::new(&mut birds(&log), shards, 5);
        let mut gone = Eyes::open(&mut pump, shards - 1);
        gone.join(&mut pump, [50.0, 50.0, 0.0]);
        pump.run(3);
        let entity = avatar(&pump, gone.session).unwrap();
        pump.close(gone.session, CloseReason::Timeout);
        pump.close(gone.session, CloseReason::Lost);
        pump.run(GRACE_TICKS - 1);
        assert_eq!(avatar(&pump, gone.session), Some(entity));
        assert_eq!(closed(&log), []);
        pump.run(3);
        let told = Event::Closed(gone.session, CloseReason::Timeout);
        assert_eq!(closed(&log), [told]);
        assert_eq!(avatar(&pump, gone.session), None);
        assert!(pump.hubs.iter().all(|hub| hub.sessions_known() == 0));
        assert!(
            pump.hubs
                .iter()
                .all(|hub| hub.shard().position(entity).is_none())
        );
        let token = gone.greeting.resume.unwrap();
        assert_eq!(pump.resume(&token, "/world"), Err(410));
        pump.run(GRACE_TICKS + 2);
        assert_eq!(closed(&log).len(), 1);
    }
}

#[test]
fn who_closes_is_closed_or_never_stood_in_the_world_is_not_waited_for() {
    let log = Log::default();
    let mut pump = Pump::new(&mut birds(&log), 2, 5);
    let one = |pump: &mut Pump, joins: bool| {
        let mut eyes = Eyes::open(pump, 1);
        if joins {
            eyes.join(pump, [50.0, 50.0, 0.0]);
        }
        pump.run(3);
        eyes
    };
    let (leaver, outsider, kicked) = (
        one(&mut pump, true),
        one(&mut pump, false),
        one(&mut pump, true),
    );
    pump.close(leaver.session, CloseReason::Client { code: 1001 });
    pump.close(outsider.session, CloseReason::Lost);
    pump.close(kicked.session, CloseReason::Lost);
    pump.settle();
    assert_eq!(closed(&log).len(), 2);
    // Kicked by a system of another home, while it is away.
    let reason = || "out with you".into();
    let kick = worldshard::Letter::Close {
        session: kicked.session,
        code: 4000,
        reason: reason(),
    };
    pump.hub(ShardId(1)).letter(ShardId(0), kick);
    let token = kicked.greeting.resume.as_deref().unwrap();
    assert_eq!(pump.resume(token, "/world"), Err(410));
    pump.run(3);
    let told = CloseReason::Server {
        code: 4000,
        reason: reason(),
    };
    assert_eq!(closed(&log)[2..], [Event::Closed(kicked.session, told)]);
    assert!(pump.hubs.iter().all(|hub| hub.sessions_known() == 0));
    for eyes in [leaver, outsider] {
        let token = eyes.greeting.resume.unwrap();
        assert_eq!(pump.resume(&token, "/world"), Err(410));
    }
}

#[test]
fn a_command_said_again_over_the_cut_is_done_once() {
    for shards in [1, 2, 8] {
        let log = Log::default();
        let mut pump = Pump::new(&mut birds(&log), shards, 5);
        let mut walker = Eyes::open(&mut pump, 0);
        assert_eq!(walker.greeting.command_sequence, None);
        walker.join(&mut pump, [50.0, 50.0, 0.0]);
        pump.run(3);
        walker.steer(&mut pump, 0.1);
        walker.steer(&mut pump, 0.2);
        // The first of these arrived before the cut, the second did not.
        walker.steer(&mut pump, 0.3);
        pump.close(walker.session, CloseReason::Lost);
        pump.run(3);
        let applied = |pump: &Pump| -> u64 {
            let worlds = pump.hubs.iter().map(|hub| hub.status().world);
            worlds.map(|world| world.commands_applied).sum()
        };
        let before = applied(&pump);
        let mut walker = walker.resume(&mut pump);
        assert_eq!(walker.greeting.command_sequence, Some(4));
        let direction = [0.5, 0.0, 0.0];
        for sequence in [3, 4, 5, 5] {
            walker.say_as(&mut pump, &ClientMessage::Steer { direction }, sequence);
        }
        for _ in 0..4 {
            pump.run(1);
            walker.look(&mut pump);
        }
        // The refresh, and number 5 as often as it was said over this connection.
        assert_eq!(applied(&pump), before + 3);
        assert_eq!(walker.view.command_sequence(), 5);
        let refused: u64 = pump.hubs.iter().map(|hub| hub.status().refused).sum();
        assert_eq!(refused, 0);
    }
}

#[test]
fn a_session_that_is_cut_off_while_it_joins_comes_into_the_world_all_the_same() {
    for seed in 1..=30 {
        let log = Log::default();
        let mut pump = Pump::new(&mut birds(&log), 8, seed * 13);
        let mut history = History::default();
        let mut walker = Eyes::open(&mut pump, 3);
        walker.join(&mut pump, [50.0, 50.0, 0.0]);
        for _ in 0..pump.draw(4) {
            pump.close(walker.session, CloseReason::Lost);
            let ticks = pump.draw(3);
            chaos(&mut pump, &mut history, ticks, &mut []);
            walker = walker.resume(&mut pump);
            let ticks = pump.draw(3);
            chaos(&mut pump, &mut history, ticks, &mut []);
        }
        for _ in 0..6 {
            pump.settle();
            history.step(&mut pump);
            pump.settle();
        }
        let entity = avatar(&pump, walker.session).unwrap();
        walker.look(&mut pump);
        assert_eq!(walker.first_is_full, Some(true), "seed {seed}");
        history.check(&walker, entity, &format!("seed {seed}"));
        assert_eq!(closed(&log), []);
    }
}

#[test]
fn a_join_that_was_the_last_word_before_the_process_ended_need_not_be_said_again() {
    for shards in [1, 2, 8] {
        let log = Log::default();
        let mut pump = Pump::new(&mut birds(&log), shards, 5);
        let mut walker = Eyes::open(&mut pump, 0);
        walker.join(&mut pump, [50.0, 50.0, 0.0]);
        pump.run(3);
        pump.crash();
        let walker = walker.resume(&mut pump);
        assert_eq!(walker.greeting.command_sequence, Some(walker.sequence));
    }
}

/// The viewpoint of a session, and who has it.
fn viewer(pump: &Pump, session: SessionId) -> (ShardId, ViewerStats) {
    let viewer = |hub: &Hub| Some((hub.shard().own(), hub.shard().viewer(session)?));
    pump.hubs.iter().find_map(viewer).unwrap()
}

/// The home of a session as the next process has it, which comes back from what is kept of this tick.
fn home_after_a_crash(pump: &Pump, session: SessionId) -> Hub {
    let hub = &pump.hubs[usize::from(session.home())];
    let recipe = hub.recipe().clone();
    let commons = Commons::new(&recipe, pump.shards()).unwrap();
    let commons = commons.of_process(1).resuming([7; 32]);
    let (own, world) = (hub.shard().own(), recipe.world().clone());
    let cell_map = commons.cell_map().clone();
    let shard = Shard::restore(own, world, cell_map, &hub.freeze().encode()).unwrap();
    let mut home = Hub::around(shard, recipe, commons).unwrap();
    let (owner, viewer) = viewer(pump, session);
    home.expect(&[Returning::of(session, owner, &viewer)]);
    home
}

#[test]
fn a_token_that_was_used_stays_so_when_its_session_leaves_and_joins_again_and_the_process_ends() {
    for shards in [1, 2, 8] {
        let log = Log::default();
        let mut pump = Pump::new(&mut birds(&log), shards, 5);
        let mut walker = Eyes::open(&mut pump, shards - 1);
        let at = [50.0, 50.0, 0.0];
        walker.join(&mut pump, at);
        pump.run(3);
        let used = walker.greeting.resume.clone().unwrap();
        pump.close(walker.session, CloseReason::Lost);
        let mut walker = walker.resume(&mut pump);
        pump.run(3);
        walker.say(&mut pump, &ClientMessage::Leave);
        pump.run(3);
        assert_eq!(avatar(&pump, walker.session), None);
        walker.join(&mut pump, at);
        pump.settle();
        // In the first tick that has the viewpoint, nothing but the join was said to it.
        pump.step();
        let (_, begun) = viewer(&pump, walker.session);
        let mut home = home_after_a_crash(&pump, walker.session);
        let mut resume = |token: &str| {
            let resumed = home.resume(token, "/world");
            resumed.map_err(|refusal| refusal.status)
        };
        assert_eq!(resume(&used), Err(410), "{shards} shards");
        let token = walker.greeting.resume.as_deref().unwrap();
        assert_eq!(resume(token), Ok(walker.session));
        // Who joins again is told all by that: nobody asks for it once more.
        pump.run(3);
        let (_, later) = viewer(&pump, walker.session);
        assert_eq!(later.commands_done, begun.commands_done);
    }
}

#[test]
fn tokens_of_others_of_other_paths_and_where_nobody_waits_are_refused() {
    let log = Log::default();
    let mut pump = Pump::new(&mut birds(&log), 2, 5);
    let mut walker = Eyes::open(&mut pump, 0);
    walker.join(&mut pump, [50.0, 50.0, 0.0]);
    pump.run(3);
    pump.close(walker.session, CloseReason::Lost);
    let token = walker.greeting.resume.unwrap();
    let last = token.len() - 1;
    let flipped = if token.ends_with('0') { "1" } else { "0" };
    let forged = format!("{}{flipped}", &token[..last]);
    for forged in [
        "",
        "0",
        &forged,
        &"0".repeat(token.len()),
        &token.to_uppercase(),
    ] {
        assert_eq!(pump.resume(forged, "/world"), Err(401), "{forged}");
    }
    assert_eq!(pump.resume(&token, "/other"), Err(410));
    assert_eq!(pump.resume(&token, "/world"), Ok(walker.session));
    // Nobody waits in this one: no token is given, and none is taken.
    let mut app = App::new();
    app.plugin(world(WorldName::Flock, 10, 7)).lanes("/world");
    let mut pump = Pump::new(&mut app, 1, 5);
    assert_eq!(Eyes::open(&mut pump, 0).greeting.resume, None);
    assert_eq!(pump.resume(&token, "/world"), Err(410));
}

#[test]
fn so_many_wait_and_no_more() {
    let log = Log::default();
    let mut app = birds(&log);
    app.options(|options| options.limits.detached_max = 2);
    let mut pump = Pump::new(&mut app, 1, 5);
    let mut all = Vec::new();
    for _ in 0..3 {
        let mut eyes = Eyes::open(&mut pump, 0);
        eyes.join(&mut pump, [50.0, 50.0, 0.0]);
        all.push(eyes);
    }
    pump.run(3);
    for eyes in &all {
        pump.close(eyes.session, CloseReason::Lost);
    }
    pump.run(2);
    assert_eq!(
        closed(&log),
        [Event::Closed(all[2].session, CloseReason::Lost)]
    );
    assert_eq!(pump.hubs[0].status().detached, 2);
}
