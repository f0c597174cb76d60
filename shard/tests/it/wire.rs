//! What stands on the wire: snapshots and deltas, their sizes, what is in them and what never is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use worldshard_protocol::world::ViewpointMode;
use worldshard_protocol::{EntityId, read_delta};
use worldshard_shard::{
    Codec, Component, Draft, Interest, NamedSystem, Population, Position, Recipe, Visibility,
    WorldConfig,
};
use worldshard_spatial::{IndexKind, Metric, Point};

use crate::drift::{config, recipe};
use crate::lockstep::Lockstep;

/// `count` entities on a grid of one metre from (500, 500), in a world that does nothing.
fn still(count: u64) -> Recipe {
    let mut recipe = Recipe::new(WorldConfig::default());
    recipe.population = Some(Population {
        count,
        draft: Arc::new(|_, entity| {
            let place = (entity.0 - 1) as f32;
            Draft::at(Point::flat(500.0 + place % 40.0, 500.0 + place / 40.0))
        }),
    });
    recipe
}

fn system(
    recipe: &mut Recipe,
    run: impl Fn(&mut worldshard_shard::Step<'_>) + Send + Sync + 'static,
) {
    recipe.systems.push(NamedSystem {
        name: "test",
        run: Arc::new(run),
    });
}

fn camera(world: &mut Lockstep, counter: u64, full: bool) -> worldshard_protocol::SessionId {
    let at = Point::flat(512.0, 512.0);
    let interest = Interest::Radius(60.0);
    world.join(counter, ViewpointMode::Camera, at, interest, full)
}

#[test]
fn deltas_add_up_to_the_full_snapshot_at_every_tick() {
    for shards in [1, 2, 8] {
        let config = config(Metric::Plane, IndexKind::Grid, 8);
        let mut world = Lockstep::new(recipe(config, 500), shards);
        let at = Point::flat(28.0, 28.0);
        let interest = Interest::Radius(40.0);
        let by_deltas = world.join(1, ViewpointMode::Camera, at, interest, false);
        let by_snapshots = world.join(2, ViewpointMode::Camera, at, interest, true);
        for _ in 0..60 {
            world.step();
            let [one, other] = [by_deltas, by_snapshots].map(|session| &world.clients[&session]);
            assert_eq!(
                (one.view.tick(), other.view.tick()),
                (world.tick, world.tick)
            );
            assert_eq!(one.view.digest(), other.view.digest(), "{shards} shards");
            assert!(read_delta(&other.last_delta).unwrap().is_full());
            assert_eq!(
                read_delta(&one.last_delta).unwrap().is_full(),
                world.tick.0 == 1
            );
            assert!(one.view.len() > 10);
        }
    }
}

#[test]
fn a_change_of_one_per_cent_takes_at_most_five_per_cent_of_a_snapshot() {
    let mut recipe = still(1000);
    system(&mut recipe, |step| {
        let turn = step.tick().0 % 100;
        for (id, position) in step.query::<(&EntityId, &mut Position)>().iter() {
            if id.0 % 100 == turn {
                position.0.x += 0.25;
            }
        }
    });
    let mut world = Lockstep::new(recipe, 2);
    let by_deltas = camera(&mut world, 1, false);
    let by_snapshots = camera(&mut world, 2, true);
    world.step();
    for _ in 0..30 {
        world.step();
        let [delta, full] =
            [by_deltas, by_snapshots].map(|session| world.clients[&session].last_delta.len());
        let changed = read_delta(&world.clients[&by_deltas].last_delta).unwrap();
        assert_eq!(changed.changed.len(), 10);
        assert_eq!(world.clients[&by_snapshots].view.len(), 1000);
        assert!(delta * 20 <= full, "{delta} bytes of {full}");
    }
}

#[test]
fn a_client_is_told_once_a_tick_at_most_and_its_own_place_too() {
    for shards in [1, 2, 4, 8] {
        let config = config(Metric::Plane, IndexKind::Grid, 8);
        let mut world = Lockstep::new(recipe(config, 300), shards);
        let interest = Interest::Radius(40.0);
        let walkers: Vec<_> = (1..=20)
            .map(|walker| {
                let at = Point::flat(walker as f32 * 10.0 - 90.0, 28.0);
                world.join(walker, ViewpointMode::Avatar, at, interest, false)
            })
            .collect();
        for tick in 1..=40 {
            world.step();
            let places = world.entities();
            for walker in &walkers {
                let client = &world.clients[walker];
                assert_eq!(client.last_seq, tick, "one message, whoever moves");
                let own = client.entity.unwrap();
                let told = client.view.get(own).map(|seen| seen.record.position());
                assert_eq!(told, Some(places[&own].0.to_array()), "{walker} itself");
            }
        }
    }
}

/// Two bytes patterns that nothing else has.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
#[component(crate = "worldshard_shard")]
struct Badge([u8; 8]);

#[derive(Component, Clone, Copy, Debug, PartialEq)]
#[component(crate = "worldshard_shard")]
struct Secret([u8; 8]);

#[derive(Component, Clone, Copy, Debug, PartialEq)]
#[component(crate = "worldshard_shard")]
struct Rumour([u8; 8]);

#[test]
fn a_replicated_component_reaches_clients_and_others_never_stand_on_the_wire() {
    const BADGE: [u8; 8] = *b"a badge!";
    const SECRET: [u8; 8] = *b"a secret";
    const RUMOUR: [u8; 8] = *b"a rumour";
    let mut recipe = still(0);
    let registry = &mut recipe.registry;
    registry
        .register::<Secret>("secret", Visibility::Private)
        .unwrap();
    registry
        .register::<Badge>("badge", Visibility::Replicated)
        .unwrap();
    registry
        .register::<Rumour>("rumour", Visibility::Shared)
        .unwrap();
    recipe.population = Some(Population {
        count: 50,
        draft: Arc::new(|_, entity| {
            Draft::at(Point::flat(500.0 + entity.0 as f32, 512.0))
                .with(Badge(BADGE))
                .with(Secret(SECRET))
                .with(Rumour(RUMOUR))
        }),
    });
    system(&mut recipe, |step| {
        for (position, badge, secret) in step
            .query::<(&mut Position, &mut Badge, &mut Secret)>()
            .iter()
        {
            position.0.y += 0.125;
            // Both change back and forth, so that a change alone does not put one on the wire either.
            let odd = step.tick().0 % 2 == 1;
            badge.0 = if odd { [7; 8] } else { BADGE };
            secret.0 = if odd { [9; 8] } else { SECRET };
        }
    });
    let mut world = Lockstep::new(recipe, 2);
    let session = camera(&mut world, 1, false);
    let full = camera(&mut world, 2, true);
    for _ in 0..20 {
        world.step();
        let odd = world.tick.0 % 2 == 1;
        let mut packets = vec![
            world.clients[&session].last_delta.clone(),
            world.clients[&full].last_delta.clone(),
        ];
        packets.extend(
            world
                .shards
                .iter()
                .map(|shard| shard.overview(true).to_vec()),
        );
        for bytes in packets {
            for hidden in [SECRET, [9; 8], RUMOUR] {
                assert!(!bytes.windows(8).any(|window| window == hidden));
            }
        }
        for (id, seen) in world.clients[&session].view.iter() {
            let badge = if odd { [7; 8] } else { BADGE };
            let told: Vec<(u16, &[u8])> = seen
                .extras
                .iter()
                .map(|(&index, value)| (index, &value[..]))
                .collect();
            assert_eq!(
                told,
                [(0, &badge[..])],
                "{id}: one component, the first replicated one"
            );
        }
        assert_eq!(world.clients[&session].view.len(), 50);
    }
}

#[derive(Component, Clone, Debug, PartialEq)]
#[component(crate = "worldshard_shard")]
struct Story(Vec<u8>);

#[test]
fn a_component_that_grew_too_long_to_be_told_is_taken_from_who_was_told() {
    let mut recipe = still(0);
    let registry = &mut recipe.registry;
    registry
        .register::<Story>("story", Visibility::Replicated)
        .unwrap();
    recipe.population = Some(Population {
        count: 8,
        // On both sides of the border between two shards.
        draft: Arc::new(|_, entity| {
            Draft::at(Point::flat(508.0 + entity.0 as f32, 512.0)).with(Story(vec![1; 10]))
        }),
    });
    let is_long = |tick: u64| tick % 4 == 2;
    system(&mut recipe, move |step| {
        for story in step.query::<&mut Story>().iter() {
            let length = if is_long(step.tick().0) { 70_000 } else { 10 };
            story.0.resize(length, 1);
        }
    });
    let mut world = Lockstep::new(recipe, 2);
    let session = camera(&mut world, 1, false);
    let full = camera(&mut world, 2, true);
    for _ in 0..12 {
        world.step();
        let wanted = usize::from(!is_long(world.tick.0));
        for session in [session, full] {
            let seen: Vec<_> = world.clients[&session].view.iter().collect();
            assert_eq!(seen.len(), 8);
            for (id, seen) in seen {
                assert_eq!(seen.extras.len(), wanted, "{id} at {}", world.tick);
            }
        }
    }
}

#[test]
fn an_entity_replaced_by_its_like_within_a_tick_is_told_as_another() {
    let mut recipe = still(3);
    let replaced = Arc::new(Mutex::new(0));
    let count = replaced.clone();
    system(&mut recipe, move |step| {
        let mut oldest: Vec<(EntityId, Point)> = step
            .query::<(&EntityId, &Position)>()
            .iter()
            .map(|(&id, position)| (id, position.0))
            .collect();
        oldest.sort_unstable_by_key(|(id, _)| *id);
        if let Some(&(id, at)) = oldest.first() {
            step.despawn(id);
            step.spawn(id, Draft::at(at));
            *count.lock().unwrap() += 1;
        }
    });
    let mut world = Lockstep::new(recipe, 1);
    let session = camera(&mut world, 1, false);
    world.step();
    for _ in 0..10 {
        let before: Vec<EntityId> = world.clients[&session].view.ids().collect();
        world.step();
        let client = &world.clients[&session];
        let delta = read_delta(&client.last_delta).unwrap();
        let left: Vec<u64> = delta.left.iter().map(|id| id.to_native()).collect();
        let entered: Vec<u64> = delta.entered.iter().map(|one| one.id.to_native()).collect();
        assert_eq!(left, [before[0].0]);
        assert_eq!(entered.len(), 1);
        assert!(entered[0] > before[2].0, "an id is never used again");
        assert_eq!(client.view.len(), 3);
    }
    assert_eq!(*replaced.lock().unwrap(), 11);
}

#[test]
fn a_record_is_laid_out_once_a_change_however_many_look() {
    let laid_out = |viewers: u64| {
        let config = config(Metric::Plane, IndexKind::Grid, 8);
        let mut world = Lockstep::new(recipe(config, 300), 4);
        for viewer in 1..=viewers {
            let at = Point::flat(
                (viewer % 16) as f32 * 16.0 - 99.0,
                (viewer / 16) as f32 * 16.0,
            );
            let interest = Interest::Radius(40.0);
            world.join(viewer, ViewpointMode::Camera, at, interest, false);
        }
        let mut per_tick = Vec::new();
        for _ in 0..30 {
            world.step();
            let changed = world
                .shards
                .iter()
                .map(|shard| shard.stats().records_changed);
            per_tick.push(changed.sum::<u64>());
        }
        let told: usize = world.clients.values().map(|client| client.view.len()).sum();
        (per_tick, told)
    };
    let (nobody, _) = laid_out(0);
    let (one, told_one) = laid_out(1);
    let (many, told_many) = laid_out(150);
    assert!(nobody[29] > 30 * 250 && told_many > 100 * told_one.max(1) / 2);
    assert_eq!(nobody, one);
    assert_eq!(nobody, many);
}

/// A replicated component that counts how often it is written out.
#[derive(Clone)]
struct Counted(u8);

impl Component for Counted {}

impl Codec for Counted {
    fn encode(&self, out: &mut Vec<u8>) {
        WRITTEN.fetch_add(1, Ordering::Relaxed);
        self.0.encode(out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        u8::decode(bytes).map(Self)
    }
}

/// By the one test that has such components.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

#[test]
fn a_component_is_written_out_once_a_tick_however_many_look() {
    let written = |viewers: u64| {
        let mut recipe = Recipe::new(config(Metric::Plane, IndexKind::Grid, 8));
        recipe
            .registry
            .register::<Counted>("counted", Visibility::Replicated)
            .unwrap();
        recipe.population = Some(Population {
            count: ENTITIES,
            draft: Arc::new(|_, entity| {
                let at = Point::flat(entity.0 as f32 - 100.0, 28.0);
                Draft::at(at).with(Counted(0))
            }),
        });
        recipe.systems.push(NamedSystem {
            name: "count",
            run: Arc::new(|step| {
                for counted in step.query::<&mut Counted>().iter() {
                    counted.0 = counted.0.wrapping_add(1);
                }
            }),
        });
        let mut world = Lockstep::new(recipe, 4);
        for viewer in 1..=viewers {
            let at = Point::flat((viewer % 250) as f32 - 99.0, 28.0);
            let interest = Interest::Radius(40.0);
            world.join(viewer, ViewpointMode::Camera, at, interest, false);
        }
        // Who joins is told everything; who stays, what changed.
        let per_tick: Vec<u64> = (0..10)
            .map(|_| {
                let before = WRITTEN.load(Ordering::Relaxed);
                world.step();
                WRITTEN.load(Ordering::Relaxed) - before
            })
            .collect();
        let told: usize = world.clients.values().map(|client| client.view.len()).sum();
        (per_tick, told)
    };
    let (nobody, _) = written(0);
    let (one, told_one) = written(1);
    let (many, told_many) = written(200);
    assert!(told_many > 100 * told_one && told_one > 20);
    // For clients, and for the shards over the border.
    let most = 3 * ENTITIES;
    assert!(
        nobody.iter().all(|count| (ENTITIES..most).contains(count)),
        "{nobody:?}"
    );
    assert_eq!(nobody, one);
    assert_eq!(nobody, many);
}

const ENTITIES: u64 = 250;

/// One of a crowd that sees the same, and one that sees it alone, are told the same; the crowd from one piece of memory.
#[test]
fn who_has_the_same_to_hear_is_told_it_from_the_same_memory_and_nobody_else() {
    let make = |sessions: u64| {
        let recipe = recipe(config(Metric::Plane, IndexKind::Grid, 2), 2000);
        let mut world = Lockstep::new(recipe, 1);
        let middle = Point::flat(28.0, 28.0);
        let crowd = (1..=sessions).map(|number| {
            let interest = Interest::Radius(40.0);
            world.join(number, ViewpointMode::Camera, middle, interest, false)
        });
        let crowd: Vec<_> = crowd.collect();
        (world, crowd)
    };
    let (mut alone, only) = make(1);
    let (mut world, crowd) = make(20);
    let elsewhere = Point::flat(-40.0, 28.0);
    let interest = Interest::Radius(40.0);
    let stranger = world.join(99, ViewpointMode::Camera, elsewhere, interest, false);
    let slow = crowd[7];
    for tick in 1..=40 {
        let reads = !(10..20).contains(&tick);
        let client = world.clients.get_mut(&slow).unwrap();
        let begins = reads && !std::mem::replace(&mut client.reads, reads);
        if begins {
            world.acknowledge(slow);
        }
        world.step();
        alone.step();
        let alone = &alone.clients[&only[0]];
        assert_eq!(alone.last_shared, None);
        let shared = world.clients[&crowd[0]].last_shared;
        assert!(shared.is_some(), "tick {tick}");
        for session in &crowd {
            let client = &world.clients[session];
            if *session != slow || !(12..=20).contains(&tick) {
                assert_eq!(
                    client.last_delta, alone.last_delta,
                    "{session}, tick {tick}"
                );
            }
            // The slow one has something of its own to hear between the others.
            if *session != slow && tick != 20 {
                assert_eq!(client.last_shared, shared, "{session}, tick {tick}");
            }
        }
        let client = &world.clients[&stranger];
        assert_eq!(client.last_shared, None);
        assert!(client.last_delta.len() > 2048, "worth sharing");
    }
    let view = |session| {
        world.clients[&session]
            .view
            .iter()
            .map(|(id, seen)| (id, seen.record))
    };
    assert!(view(slow).eq(view(crowd[0])));
}
