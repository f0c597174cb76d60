//! Components and entities that the unit tests share. Never compiled into the library.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use worldshard_macros::Component;
use worldshard_protocol::{EntityId, Tick};
use worldshard_spatial::Point;

use crate::component::{Appearance, Visibility};
use crate::draft::Draft;
use crate::layout::insert_newborn;
use crate::registry::Registry;
use crate::timers::Timers;
use crate::world::World;

/// Replicated.
#[derive(Component, Clone, Debug, PartialEq)]
#[component(crate = "crate")]
pub(crate) struct Health {
    pub(crate) now: u32,
    pub(crate) most: u16,
}

/// Shared.
#[derive(Component, Clone, Debug, PartialEq)]
#[component(crate = "crate")]
pub(crate) enum Mood {
    Calm,
    Angry(u8),
    Hunting { prey: EntityId, since: Tick },
}

/// Shared; nothing but its presence counts.
#[derive(Component, Clone, Debug, PartialEq)]
#[component(crate = "crate")]
pub(crate) struct Marked;

/// Private.
#[derive(Component, Clone, Debug, PartialEq)]
#[component(crate = "crate")]
pub(crate) struct Diary {
    pub(crate) lines: Vec<String>,
    pub(crate) price: Option<f64>,
}

/// Replicated, and as long as it likes.
#[derive(Component, Clone, Debug, PartialEq)]
#[component(crate = "crate")]
pub(crate) struct Story(pub(crate) Vec<u8>);

/// In no registry.
#[derive(Component, Clone, Debug, PartialEq)]
#[component(crate = "crate")]
pub(crate) struct Stranger(pub(crate) u8);

pub(crate) fn registry() -> Registry {
    let mut registry = Registry::new();
    let fresh = "names and types differ";
    registry
        .register::<Diary>("diary", Visibility::Private)
        .expect(fresh);
    registry
        .register::<Health>("health", Visibility::Replicated)
        .expect(fresh);
    registry
        .register::<Mood>("mood", Visibility::Shared)
        .expect(fresh);
    registry
        .register::<Marked>("marked", Visibility::Shared)
        .expect(fresh);
    registry
        .register::<Story>("story", Visibility::Replicated)
        .expect(fresh);
    registry
}

/// An entity's components, as plain values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) position: Point,
    pub(crate) appearance: Appearance,
    pub(crate) health: Option<Health>,
    pub(crate) mood: Option<Mood>,
    pub(crate) marked: Option<Marked>,
    pub(crate) diary: Option<Diary>,
    pub(crate) story: Option<Story>,
    pub(crate) timers: Option<Timers>,
}

impl Sample {
    pub(crate) fn at(position: Point) -> Self {
        Self {
            position,
            appearance: Appearance::default(),
            health: None,
            mood: None,
            marked: None,
            diary: None,
            story: None,
            timers: None,
        }
    }

    pub(crate) fn draft(&self) -> Draft {
        let mut draft = Draft::at(self.position).appearance(self.appearance);
        if let Some(health) = &self.health {
            draft = draft.with(health.clone());
        }
        if let Some(mood) = &self.mood {
            draft = draft.with(mood.clone());
        }
        if let Some(marked) = &self.marked {
            draft = draft.with(marked.clone());
        }
        if let Some(diary) = &self.diary {
            draft = draft.with(diary.clone());
        }
        if let Some(story) = &self.story {
            draft = draft.with(story.clone());
        }
        if let Some(timers) = &self.timers {
            draft = draft.with(timers.clone());
        }
        draft
    }

    pub(crate) fn encode(&self, registry: &Registry) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.draft().encode(registry, &mut bytes);
        bytes
    }
}

/// Adds entities to a world in the order given, each laid out at the tick that equals its id.
pub(crate) fn populate<'a>(
    world: &mut World,
    samples: impl IntoIterator<Item = (&'a EntityId, &'a Sample)>,
    registry: &Registry,
) {
    for (&id, sample) in samples {
        insert_newborn(registry, world, id, &sample.encode(registry), Tick(id.0));
    }
}

pub(crate) fn world_of<'a>(
    samples: impl IntoIterator<Item = (&'a EntityId, &'a Sample)>,
    registry: &Registry,
) -> World {
    let mut world = World::new();
    populate(&mut world, samples, registry);
    world
}

/// Up to `count_max` entities in the default world, many of them in one cell.
pub(crate) fn samples(count_max: usize) -> impl Strategy<Value = BTreeMap<EntityId, Sample>> {
    btree_map((1..1000u64).prop_map(EntityId), sample(), 0..=count_max)
}

pub(crate) fn sample() -> impl Strategy<Value = Sample> {
    let position = prop_oneof![
        (0.0..1024.0f32, 0.0..1024.0f32),
        (0.0..40.0f32, 0.0..40.0f32),
    ];
    let health = (any::<u32>(), any::<u16>()).prop_map(|(now, most)| Health { now, most });
    let mood = prop_oneof![
        Just(Mood::Calm),
        any::<u8>().prop_map(Mood::Angry),
        (0..=EntityId::MAX.0, any::<u64>()).prop_map(|(prey, since)| Mood::Hunting {
            prey: EntityId(prey),
            since: Tick(since),
        }),
    ];
    let diary = (vec(any::<String>(), 0..3), option::of(any::<f64>()))
        .prop_map(|(lines, price)| Diary { lines, price });
    (
        (position, any::<u8>(), any::<u8>()),
        (
            option::of(health),
            option::of(mood),
            option::of(Just(Marked)),
        ),
        (option::of(diary), option::of(vec(any::<u8>(), 0..5))),
        option::of(vec((any::<u32>(), any::<u64>()), 0..3)),
    )
        .prop_map(
            |((at, kind, heading), shared, (diary, story), timers)| Sample {
                position: Point::flat(at.0, at.1),
                appearance: Appearance { kind, heading },
                health: shared.0,
                mood: shared.1,
                marked: shared.2,
                diary,
                story: story.map(Story),
                timers: timers.map(|running| {
                    let mut timers = Timers::default();
                    for (key, due) in running {
                        timers.set(key, Tick(due));
                    }
                    timers
                }),
            },
        )
}
