//! Ghost sets against the entities they were copied from.

use std::collections::BTreeMap;

use proptest::prelude::*;
use worldshard_protocol::{EntityId, Tick};
use worldshard_spatial::ShardId;

use super::GhostSet;
use crate::samples::{Health, Mood, Sample, registry, samples, world_of};
use crate::world::Laid;

fn ghosts_of(samples: &BTreeMap<EntityId, Sample>, owner: ShardId) -> GhostSet {
    let registry = registry();
    let world = world_of(samples, &registry);
    let mut ghosts = GhostSet::new(&registry);
    for &id in samples.keys() {
        let entity = world.entity_ref(id).unwrap();
        ghosts.push_owned(id, &entity, &entity.get::<&Laid>().unwrap(), owner);
    }
    ghosts
}

fn check<'a>(
    ghosts: &GhostSet,
    expected: impl IntoIterator<Item = (&'a EntityId, &'a Sample, ShardId)>,
) {
    let registry = registry();
    let mut count = 0;
    for (row, (&id, sample, owner)) in expected.into_iter().enumerate() {
        let ghost = &ghosts.entries[row];
        assert_eq!((ghost.id, ghost.owner), (id, owner));
        assert_eq!(ghost.position(), sample.position);
        assert_eq!(ghost.changed_tick, Tick(id.0));
        let world = world_of([(&id, sample)], &registry);
        let mut extra = Vec::new();
        registry.encode_replicated(&world.entity_ref(id).unwrap(), &mut extra);
        let range = ghost.extra.start as usize..ghost.extra.end as usize;
        assert_eq!(ghosts.extra_bytes[range], extra);
        assert_eq!(ghosts.columns.get::<Health>(row), sample.health.as_ref());
        assert_eq!(ghosts.columns.get::<Mood>(row), sample.mood.as_ref());
        count += 1;
    }
    assert_eq!(ghosts.len(), count);
    assert_eq!(ghosts.columns.slice::<Mood>().len(), count);
}

proptest! {
    #[test]
    fn sets_of_several_senders_merge_into_one(first in samples(6), second in samples(6)) {
        let mut ghosts = ghosts_of(&first, ShardId(1));
        let mut others = ghosts_of(&second, ShardId(2));
        ghosts.append(&mut others);
        check(&others, []);
        let first = first.iter().map(|(id, sample)| (id, sample, ShardId(1)));
        let second = second.iter().map(|(id, sample)| (id, sample, ShardId(2)));
        check(&ghosts, first.chain(second));
        ghosts.clear();
        check(&ghosts, []);
        prop_assert!(ghosts.extra_bytes.is_empty());
    }
}
