//! Fourth phase: takes over entities, replaces the ghosts, numbers the newborn, closes the books.
//!
//! What the inbox says is complete for this tick and sorted by sender: arrival order does not matter.

use hecs::EntityBuilder;
use worldshard_protocol::{EntityId, SessionId, Tick};

use crate::audit::{Account, Tally};
use crate::layout::{insert_newborn, push_ghost};
use crate::letter::{AreaMessage, Birth, Envelope, Handoff, Spare};
use crate::published::Notice;
use crate::registry::Registry;
use crate::shard::Shard;
use crate::viewer::{Sought, Viewer, Viewpoint};
use crate::world::World;

/// Empties the inbox into the shard.
pub(crate) fn receive(shard: &mut Shard, tick: Tick, inbox: &mut [Envelope]) {
    open(shard, tick, inbox);
    std::mem::swap(&mut shard.ghosts, &mut shard.strays);
    shard.strays.clear();
    let mut total = shard.account;
    let mut births = std::mem::take(&mut shard.births);
    let mut area = std::mem::take(&mut shard.said);
    let mut unborn = Vec::new();
    let mut sought = Vec::new();
    sought.extend(some(&mut shard.sought));
    let mut builder = EntityBuilder::new();
    for envelope in inbox.iter_mut() {
        total = Account {
            held: total.held + envelope.account.held,
            removed: total.removed + envelope.account.removed,
        };
        shard.ghosts.append(&mut envelope.ghosts);
        births.append(&mut envelope.births);
        area.append(&mut envelope.area);
        sought.extend(some(&mut envelope.sought));
        for handoff in envelope.handoffs.drain(..) {
            let state = &envelope.states[handoff.state.clone()];
            take_over(shard, handoff, state, &mut builder);
        }
        for viewer in envelope.viewers.drain(..) {
            match viewer.viewpoint {
                Viewpoint::Birth(..) => unborn.push(viewer),
                Viewpoint::Avatar(entity) => {
                    assert!(shard.world.owns(entity), "eyes come with {entity:?}");
                    let watchers = shard.watchers.entry(entity).or_default();
                    watchers.push(viewer.session);
                    settle(shard, viewer);
                }
                Viewpoint::Camera(_) => settle(shard, viewer),
            }
        }
        envelope.states.clear();
        let spare = Spare {
            handoffs: std::mem::take(&mut envelope.handoffs),
            states: std::mem::take(&mut envelope.states),
            ghosts: std::mem::take(&mut envelope.ghosts),
        };
        shard.spare.insert(envelope.from, spare);
    }
    unborn.into_iter().for_each(|viewer| settle(shard, viewer));
    find(shard, &sought);
    let born = number(shard, tick, births);
    shard.audit.close(tick, total, born);
    deliver(shard, area);
}

/// One envelope of this tick from every other shard, no more and no fewer.
fn open(shard: &Shard, tick: Tick, inbox: &mut [Envelope]) {
    inbox.sort_unstable_by_key(|envelope| envelope.from);
    let others = shard.cell_map.shards().filter(|&from| from != shard.own);
    assert!(
        inbox.iter().map(|envelope| envelope.from).eq(others),
        "shard {}: tick {tick} needs one envelope from every other shard",
        shard.own
    );
    for envelope in inbox.iter() {
        assert_eq!(
            envelope.to, shard.own,
            "an envelope went to the wrong shard"
        );
        assert_eq!(
            envelope.tick, tick,
            "an envelope from shard {} is of another tick",
            envelope.from
        );
    }
}

/// Takes ownership. The builder is empty before and after.
fn take_over(shard: &mut Shard, handoff: Handoff, state: &[u8], builder: &mut EntityBuilder) {
    let Handoff {
        entity,
        state: _,
        laid,
        crossing,
    } = handoff;
    shard
        .recipe
        .registry
        .decode_entity(state, builder)
        .expect("the sender encoded it with the same registry");
    builder.add(laid);
    shard.world.insert(entity, builder);
    shard.held = shard.held + Tally::of(entity);
    shard.stats.handoffs_in += 1;
    shard.crossings.extend(crossing);
}

/// In most ticks nothing is looked for.
fn some(sought: &mut Sought) -> Option<Sought> {
    (!sought.is_empty()).then(|| std::mem::take(sought))
}

/// What was looking for a viewpoint is its own, if it is here now. It is nowhere else: whoever is not here is elsewhere
/// or has left the world, and then nobody wants it.
fn find(shard: &mut Shard, sought: &[Sought]) {
    let now = shard.tick();
    let pending_max = shard.recipe.config.limits.commands_pending_max;
    for (session, letters) in sought.iter().flat_map(|sought| sought.iter()) {
        if let Some(viewer) = shard.viewers.get_mut(session) {
            viewer.take_letters(letters, pending_max, now);
        }
    }
}

/// A viewpoint lives here from now on; its home hears of it, and what came for it between the halves is its own.
fn settle(shard: &mut Shard, mut viewer: Box<Viewer>) {
    let session = viewer.session;
    let pending_max = shard.recipe.config.limits.commands_pending_max;
    if let Some(letters) = shard.undelivered.take(session) {
        viewer.take_letters(&letters, pending_max, shard.tick());
    }
    assert!(
        shard.viewers.insert(session, viewer).is_none(),
        "the viewpoint of {session:?} received twice"
    );
    shard
        .published
        .notices
        .push((session, Notice::Owner(shard.own)));
}

/// Numbers the newborn of all shards from the counter that all shards keep alike.
fn number(shard: &mut Shard, tick: Tick, mut births: Vec<Birth>) -> Tally {
    births.sort_unstable_by_key(|birth| birth.key);
    let mut born = Tally::default();
    let mut scratch = World::new();
    for birth in births {
        let entity = shard.next_entity;
        shard.next_entity = EntityId(entity.0 + 1);
        assert!(entity <= EntityId::MAX, "entity ids are exhausted");
        born = born + Tally::of(entity);
        let owned = shard.cell_map.owner_of(birth.at) == shard.own;
        if owned {
            bear(shard, entity, tick, &birth);
        } else if shard.within_border(shard.own, birth.at) {
            insert(&shard.recipe.registry, &mut scratch, entity, &birth, tick);
            let owner = shard.cell_map.owner_of(birth.at);
            push_ghost(&scratch, entity, owner, &mut shard.ghosts);
        }
    }
    born
}

fn bear(shard: &mut Shard, entity: EntityId, tick: Tick, birth: &Birth) {
    insert(
        &shard.recipe.registry,
        &mut shard.world,
        entity,
        birth,
        tick,
    );
    shard.held = shard.held + Tally::of(entity);
    shard.stats.births += 1;
    let awaited: Vec<SessionId> = shard
        .viewers
        .values()
        .filter(|viewer| matches!(viewer.viewpoint, Viewpoint::Birth(key, _) if key == birth.key))
        .map(|viewer| viewer.session)
        .collect();
    for session in awaited {
        let viewer = shard.viewers.get_mut(&session).expect("it was just listed");
        viewer.viewpoint = Viewpoint::Avatar(entity);
        shard.watchers.entry(entity).or_default().push(session);
        shard.published.notices.push((
            session,
            Notice::Joined {
                entity: Some(entity),
                tick,
            },
        ));
    }
}

fn insert(registry: &Registry, world: &mut World, entity: EntityId, birth: &Birth, tick: Tick) {
    let state = birth
        .state
        .as_ref()
        .expect("who owns or sees a newborn gets its state");
    insert_newborn(registry, world, entity, state, tick);
}

/// Area messages reach the viewpoints that are here now, in an order that all shard counts share.
fn deliver(shard: &mut Shard, mut area: Vec<AreaMessage>) {
    area.sort_by_key(|message| message.order);
    let metric = shard.recipe.config.metric;
    for viewer in shard.viewers.values() {
        let at = shard.viewpoint_at(viewer);
        for message in &area {
            let inside =
                metric.distance_squared(message.centre, at) <= message.radius_m * message.radius_m;
            if inside && message.except != Some(viewer.session) {
                shard
                    .published
                    .area
                    .push((viewer.session, message.payload.clone()));
            }
        }
    }
}
