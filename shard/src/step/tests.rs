//! What systems see and what becomes of their wishes.

use worldshard_protocol::{EntityId, Tick};
use worldshard_spatial::{Point, ShardId};

use super::{Effects, News, SPAWNS_PER_SPAWNER_MAX, Step};
use crate::component::Position;
use crate::config::WorldConfig;
use crate::draft::Draft;
use crate::ghost::GhostSet;
use crate::recipe::Recipe;
use crate::resources::Resources;
use crate::samples::{Mood, Sample, registry, world_of};
use crate::timers::TimerChange;
use crate::view::View;

/// Runs one system over three calm entities, a metre apart.
fn run(system: impl Fn(&mut Step<'_>)) -> Effects {
    let mut recipe = Recipe::new(WorldConfig::default());
    recipe.registry = registry();
    let samples = [2, 3, 1].map(|id| {
        let mut sample = Sample::at(Point::flat(id as f32, 0.0));
        sample.mood = Some(Mood::Calm);
        (EntityId(id), sample)
    });
    let pairs = samples.iter().map(|(id, sample)| (id, sample));
    let mut world = world_of(pairs, &recipe.registry);
    let mut view = View::new(&recipe.config, &recipe.registry).unwrap();
    view.rebuild(&mut world, &GhostSet::new(&recipe.registry), ShardId(0));
    let mut resources = Resources::new();
    resources.insert(5u8);
    let fired = [(EntityId(1), 8)];
    let mut step = Step::new(
        ShardId(0),
        Tick(9),
        &recipe,
        &world,
        &view,
        &resources,
        News {
            fired: &fired,
            crossings: &[],
        },
    );
    system(&mut step);
    step.into_effects()
}

#[test]
fn a_system_moves_entities_while_it_looks_at_the_view() {
    run(|step| {
        for (id, position) in step.query::<(&EntityId, &mut Position)>().iter() {
            let mut others = 0;
            step.view().within(position.0, 1.5, |near| {
                others += u32::from(near.id != *id);
                assert_eq!(step.view().component(near.rank), Some(&Mood::Calm));
            });
            assert_eq!(others, if *id == EntityId(2) { 2 } else { 1 });
            position.0.y += step.dt();
        }
        let moved = step.component::<Position>(EntityId(3)).unwrap();
        assert_eq!(moved.0, Point::flat(3.0, step.dt()));
        assert_eq!(step.view().len(), 3);
    });
}

#[test]
fn a_step_knows_its_place_and_time() {
    run(|step| {
        assert_eq!((step.tick(), step.shard()), (Tick(9), ShardId(0)));
        assert_eq!(step.fired(), [(EntityId(1), 8)]);
        assert_eq!(step.space().bounds, WorldConfig::default().bounds);
        assert_eq!(step.dt(), 0.05);
        *step.resource_mut::<u8>() += 1;
        assert_eq!(*step.resource::<u8>(), 6);
        assert!(step.owns(EntityId(1)) && !step.owns(EntityId(4)));
        let mut twice = [0, 1].map(|_| step.chance(EntityId(1), "a"));
        assert_eq!(twice[0].next_u64(), twice[1].next_u64());
    });
}

#[test]
fn wishes_come_out_in_an_order_of_their_own() {
    let draft = |x| Draft::at(Point::flat(x, 0.0));
    let effects = run(|step| {
        step.spawn(EntityId(3), draft(1.0));
        step.spawn(EntityId(1), draft(2.0));
        step.spawn(EntityId(3), draft(3.0));
        step.despawn(EntityId(3));
        step.despawn(EntityId(2));
        step.despawn(EntityId(3));
    });
    let spawns: Vec<_> = effects
        .spawns
        .iter()
        .map(|spawn| (spawn.spawner.0, spawn.ordinal, spawn.draft.position().x))
        .collect();
    assert_eq!(spawns, [(1, 0, 2.0), (3, 0, 1.0), (3, 1, 3.0)]);
    assert_eq!(effects.despawns, [EntityId(2), EntityId(3)]);
    assert_eq!(effects.spawns_refused, 0);
}

#[test]
fn timers_are_due_after_at_least_one_tick() {
    let effects = run(|step| {
        step.timer(EntityId(1), 0, 0);
        step.timer(EntityId(1), 1, 5);
        step.timer(EntityId(1), 2, u64::MAX);
        step.cancel_timer(EntityId(1), 1);
    });
    let change = |key, due: Option<u64>| TimerChange {
        entity: EntityId(1),
        key,
        due: due.map(Tick),
    };
    let expected = [
        change(0, Some(10)),
        change(1, Some(14)),
        change(2, Some(u64::MAX)),
        change(1, None),
    ];
    assert_eq!(effects.timers, expected);
}

#[test]
fn one_entity_spawns_no_more_than_its_share() {
    let effects = run(|step| {
        for _ in 0..SPAWNS_PER_SPAWNER_MAX + 2 {
            step.spawn(EntityId(1), Draft::at(Point::ORIGIN));
        }
        step.spawn(EntityId(2), Draft::at(Point::ORIGIN));
    });
    assert_eq!(effects.spawns.len(), SPAWNS_PER_SPAWNER_MAX as usize + 1);
    assert_eq!(effects.spawns_refused, 2);
}

#[test]
#[should_panic(expected = "asked to spawn for entity 4, which shard 0 does not own")]
fn nobody_spawns_on_behalf_of_a_ghost() {
    run(|step| step.spawn(EntityId(4), Draft::at(Point::ORIGIN)));
}

#[test]
#[should_panic(expected = "asked to despawn entity 4")]
fn nobody_removes_a_ghost() {
    run(|step| step.despawn(EntityId(4)));
}

#[test]
#[should_panic(expected = "asked to set a timer of entity 4")]
fn nobody_sets_a_timer_of_a_ghost() {
    run(|step| step.timer(EntityId(4), 0, 1));
}
