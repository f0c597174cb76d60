//! A shard that was frozen and restored, or rebuilt from what was said to it, against a twin to which nothing happened.

use std::sync::Arc;

use worldshard_protocol::world::ViewpointMode;
use worldshard_protocol::{EntityId, SessionId};
use worldshard_shard::{
    Call, CommandBody, Component, Contents, Interest, Keep, Recipe, RestoreError, Shard, Visibility,
};
use worldshard_spatial::{IndexKind, Metric, Point};

use crate::drift::{Met, Velocity, config, recipe};
use crate::lockstep::Lockstep;

/// A world whose clients steer, look, read late, and are of every interest; the same for the same tick.
struct Twin {
    world: Lockstep,
    sessions: Vec<SessionId>,
}

impl Twin {
    fn new(metric: Metric, shards: u16) -> Self {
        let mut world = Lockstep::new(drifting(metric), shards);
        let interests = [
            Interest::Radius(30.0),
            Interest::Box(Point::new(20.0, 25.0, 10.0)),
            Interest::Nearest {
                k: 7,
                radius_m: 35.0,
            },
        ];
        let sessions = (0..24u64).map(|number| {
            let mode = match number % 3 {
                0 => ViewpointMode::Camera,
                _ => ViewpointMode::Avatar,
            };
            let across = number as f32 * 10.0 - 95.0;
            let interest = interests[(number % 3) as usize];
            let at = Point::flat(across, -across / 2.0);
            world.join(number + 1, mode, at, interest, number % 7 == 6)
        });
        Self {
            sessions: sessions.collect(),
            world,
        }
    }

    /// One tick; clients do what the tick says.
    fn step(&mut self) {
        let tick = self.world.tick.0;
        for (number, &session) in (0u64..).zip(&self.sessions) {
            let turn = (tick + number) as f32;
            let there = Point::flat(turn.sin(), turn.cos());
            let body = match (tick + number) % 5 {
                0 => CommandBody::Steer(there),
                1 => CommandBody::Look(there * 90.0),
                2 if number % 3 == 1 => {
                    CommandBody::Interest(Interest::Radius(10.0 + number as f32))
                }
                _ => continue,
            };
            self.world.command(session, body);
            let reads = !(tick / 4 + number).is_multiple_of(4);
            let client = self.world.clients.get_mut(&session).unwrap();
            let begins = reads && !client.reads;
            client.reads = reads;
            if begins && client.last_seq > 0 {
                self.world.acknowledge(session);
            }
        }
        self.world.step();
    }

    /// All that anybody could see of the tick.
    fn seen(&mut self) -> Seen {
        let clients = self.world.clients.values();
        Seen {
            digest: self.world.digest(),
            deltas: clients
                .map(|client| (client.last_seq, client.last_delta.clone()))
                .collect(),
            notices: format!("{:?}", std::mem::take(&mut self.world.notices)),
            stats: self
                .world
                .shards
                .iter()
                .map(|shard| format!("{:?}", shard.stats()))
                .collect(),
            audits: self
                .world
                .shards
                .iter()
                .map(|shard| shard.audit().failures())
                .sum(),
        }
    }
}

#[derive(Debug, PartialEq)]
struct Seen {
    digest: u128,
    deltas: Vec<(u32, Vec<u8>)>,
    notices: String,
    stats: Vec<String>,
    audits: u64,
}

fn drifting(metric: Metric) -> Recipe {
    recipe(config(metric, IndexKind::Grid, 5), 400)
}

fn restored(shard: &Shard) -> Shard {
    let (recipe, cell_map) = (shard.recipe().clone(), shard.cell_map().clone());
    let bytes = shard.freeze().encode();
    Shard::restore(shard.own(), recipe, cell_map, &bytes).unwrap()
}

#[test]
fn a_restored_world_goes_on_as_one_that_never_stopped() {
    for (metric, shards) in [(Metric::Plane, 1), (Metric::Flat, 2), (Metric::Solid, 8)] {
        let (mut twin, mut other) = (Twin::new(metric, shards), Twin::new(metric, shards));
        for tick in 1..=120u64 {
            twin.step();
            other.step();
            // Often enough to fall into every state that clients go through.
            if tick % 7 == 0 || tick == 1 {
                for shard in &mut other.world.shards {
                    *shard = restored(shard);
                }
            }
            assert_eq!(
                twin.seen(),
                other.seen(),
                "{metric:?}, {shards} shards, tick {tick}"
            );
        }
        let handoffs: u64 = twin
            .world
            .shards
            .iter()
            .map(|shard| shard.stats().handoffs_in)
            .sum();
        assert!(shards == 1 || handoffs > 100, "{handoffs} handoffs");
    }
}

#[test]
fn one_shard_is_rebuilt_from_its_checkpoint_and_what_was_said_to_it() {
    let (mut twin, mut other) = (Twin::new(Metric::Plane, 4), Twin::new(Metric::Plane, 4));
    let mut checkpoint = Vec::new();
    let mut calls: Vec<Call> = Vec::new();
    let mut rebuilt = 0;
    for tick in 1..=150u64 {
        if tick % 30 == 1 {
            let shard = &mut other.world.shards[1];
            shard.keep_calls(Keep::All);
            drop(shard.take_calls());
            checkpoint = shard.freeze().encode();
            calls.clear();
        }
        twin.step();
        other.step();
        let shard = &mut other.world.shards[1];
        calls.extend(shard.take_calls());
        if tick % 30 == 20 {
            let (recipe, cell_map) = (shard.recipe().clone(), shard.cell_map().clone());
            let mut again = Shard::restore(shard.own(), recipe, cell_map, &checkpoint).unwrap();
            again.keep_calls(Keep::All);
            calls.iter().for_each(|call| again.say_again(call.clone()));
            assert_eq!(
                again.take_calls().len(),
                calls.len(),
                "what is said again is kept again"
            );
            *shard = again;
            rebuilt += 1;
        }
        assert_eq!(twin.seen(), other.seen(), "tick {tick}");
    }
    assert_eq!(rebuilt, 5);
}

#[test]
fn calls_come_back_from_their_bytes() {
    use worldshard_shard::Codec;
    let mut twin = Twin::new(Metric::Plane, 2);
    twin.world
        .shards
        .iter_mut()
        .for_each(|shard| shard.keep_calls(Keep::Words));
    (0..40).for_each(|_| twin.step());
    for shard in &mut twin.world.shards {
        let calls = shard.take_calls();
        assert!(calls.len() > 100, "{} calls", calls.len());
        let mut bytes = Vec::new();
        calls.encode(&mut bytes);
        let mut rest = bytes.as_slice();
        let again = Vec::<Call>::decode(&mut rest).unwrap();
        assert!(rest.is_empty());
        assert_eq!(format!("{again:?}"), format!("{calls:?}"));
    }
}

#[test]
fn the_contents_of_a_checkpoint_are_the_entities_with_their_components() {
    let mut twin = Twin::new(Metric::Plane, 2);
    (0..10).for_each(|_| twin.step());
    let shard = &twin.world.shards[1];
    let contents = Contents::read(&shard.freeze().encode()).unwrap();
    assert_eq!(
        (contents.shard, contents.shards, contents.tick),
        (1, 2, shard.tick())
    );
    let ids: Vec<EntityId> = contents.entities.keys().copied().collect();
    assert_eq!(ids, shard.entities());
    for (id, components) in &contents.entities {
        let met = shard.world().get::<Met>(*id);
        assert_eq!(components.contains_key("met"), met.is_some());
        let position = &components["position"];
        let at = shard.position(*id).unwrap().to_array();
        let bytes: Vec<u8> = at.iter().flat_map(|axis| axis.to_le_bytes()).collect();
        assert_eq!(*position, bytes);
    }
}

/// What `Met` became.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
#[component(crate = "worldshard_shard")]
struct MetOften {
    count: u64,
}

/// The drifting world of another build, in which a component is another type.
fn next_build(change: impl FnOnce(&mut Recipe)) -> Arc<Recipe> {
    let mut recipe = Recipe::new(config(Metric::Plane, IndexKind::Grid, 5));
    let registry = &mut recipe.registry;
    registry
        .register::<Velocity>("velocity", Visibility::Shared)
        .unwrap();
    change(&mut recipe);
    Arc::new(recipe)
}

#[test]
fn components_of_other_names_and_versions_are_refused_by_name_or_migrated() {
    let mut twin = Twin::new(Metric::Plane, 1);
    (0..5).for_each(|_| twin.step());
    let shard = &twin.world.shards[0];
    let bytes = shard.freeze().encode();
    let restore = |recipe| Shard::restore(shard.own(), recipe, shard.cell_map().clone(), &bytes);
    let unknown = restore(next_build(|_| ())).err().unwrap();
    assert_eq!(
        unknown,
        RestoreError::ComponentUnknown {
            name: "met".to_owned()
        }
    );
    let version = restore(next_build(|recipe| {
        recipe
            .registry
            .register::<MetOften>("met", Visibility::Replicated)
            .unwrap();
        recipe.registry.set_version::<MetOften>(2).unwrap();
    }));
    let version = version.err().unwrap();
    let (name, found, known) = ("met".to_owned(), 1, 2);
    assert_eq!(
        version,
        RestoreError::ComponentVersion { name, found, known }
    );
    assert!(
        version.to_string().contains("`.migration::<C>(1, …)`"),
        "{version}"
    );
    let value = restore(next_build(|recipe| {
        recipe
            .registry
            .register::<MetOften>("met", Visibility::Replicated)
            .unwrap();
    }));
    let (name, version) = ("met".to_owned(), 1);
    assert_eq!(
        value.err().unwrap(),
        RestoreError::ComponentValue { name, version }
    );
    let migrated = restore(next_build(|recipe| {
        let registry = &mut recipe.registry;
        registry
            .register::<MetOften>("met", Visibility::Replicated)
            .unwrap();
        registry.set_version::<MetOften>(2).unwrap();
        let read = |bytes: &[u8]| {
            let count = bytes.get(4..12)?.try_into().ok()?;
            Some(MetOften {
                count: u64::from_le_bytes(count),
            })
        };
        registry.migrate::<MetOften>(1, read).unwrap();
    }));
    let migrated = migrated.unwrap();
    for id in shard.entities() {
        let before = shard.world().get::<Met>(id).map(|met| met.count);
        let after = migrated.world().get::<MetOften>(id).map(|met| met.count);
        assert_eq!(after, before, "{id}");
    }
}

#[test]
fn damaged_checkpoints_and_those_of_other_shards_are_refused() {
    let mut twin = Twin::new(Metric::Plane, 2);
    (0..5).for_each(|_| twin.step());
    let shard = &twin.world.shards[0];
    let restore = |own: usize, bytes: &[u8]| {
        let of = &twin.world.shards[own];
        Shard::restore(of.own(), of.recipe().clone(), of.cell_map().clone(), bytes)
    };
    let bytes = shard.freeze().encode();
    assert!(restore(0, &bytes).is_ok());
    let other = restore(1, &bytes).err().unwrap();
    let (expected, found) = ((1, 2), (0, 2));
    assert_eq!(other, RestoreError::Shard { expected, found });
    for length in (0..bytes.len()).step_by(bytes.len() / 97) {
        assert!(
            restore(0, &bytes[..length]).is_err(),
            "cut to {length} bytes"
        );
    }
    // A flipped bit may be a value like another: whoever reads a file has compared its checksum. None may panic.
    for (turn, at) in (0..bytes.len()).step_by(bytes.len() / 499).enumerate() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (turn % 8);
        drop(restore(0, &damaged));
    }
}
