//! Third phase: lays out what changed, hands over what strayed, and tells the neighbours what they may see.
//!
//! Invariant: every entity that this shard simulated in this tick is, as a ghost or a handoff, in the
//! envelope of every shard whose territory it is within the border of.

use hecs::Entity;
use worldshard_protocol::{EntityId, SessionId, Tick};
use worldshard_spatial::ShardId;

use crate::component::{Appearance, Position};
use crate::layout::refresh_extras;
use crate::letter::{Birth, Envelope, Handoff, Spare};
use crate::published::Notice;
use crate::shard::Shard;
use crate::viewer::{Sought, Viewer, Viewpoint};
use crate::world::Laid;
use crate::zone::{self, Crossing};

/// Writes one envelope for every other shard, ascending.
pub(crate) fn release(shard: &mut Shard, tick: Tick) -> Vec<Envelope> {
    let mut abroad = std::mem::take(&mut shard.abroad);
    let mut envelopes = envelopes(shard, tick);
    abroad.clear(envelopes.len());
    shard.stats.extras_too_long = refresh_extras(&mut shard.world, &shard.recipe.registry, tick);
    lay_out(shard, tick, &mut envelopes, &mut abroad);
    abroad.complete(shard, &mut envelopes);
    // The order of rows in the ECS follows its history; that of handoffs must not.
    abroad.leaving.sort_unstable_by_key(|leaving| leaving.id);
    for &leaving in &abroad.leaving {
        hand_over(shard, leaving, &mut envelopes);
    }
    shard.abroad = abroad;
    hand_over_viewpoints(shard, &mut envelopes);
    send_births(shard, &mut envelopes);
    send_area_messages(shard, &mut envelopes);
    send_undelivered(shard, &mut envelopes);
    shard.stats.ghosts_sent += envelopes
        .iter()
        .map(|envelope| envelope.ghosts.len() as u64)
        .sum::<u64>();
    envelopes
}

/// One for every other shard, ascending. What goes there goes in the memory in which that shard sent its own: about as
/// much, as both look over the same border.
fn envelopes(shard: &mut Shard, tick: Tick) -> Vec<Envelope> {
    let own = shard.own;
    let others = shard.cell_map.shards().filter(|&to| to != own);
    let spare = &mut shard.spare;
    let registry = &shard.recipe.registry;
    others
        .map(|to| {
            let spare = spare.remove(&to).unwrap_or_else(|| Spare::new(registry));
            let Spare {
                handoffs,
                states,
                ghosts,
            } = spare;
            Envelope {
                from: own,
                to,
                tick,
                account: shard.account,
                handoffs,
                states,
                viewers: Vec::new(),
                births: Vec::new(),
                sought: Sought::default(),
                ghosts,
                area: Vec::new(),
            }
        })
        .collect()
}

/// Entities that other shards must hear of. Kept between ticks for its memory.
#[derive(Debug, Default)]
pub(crate) struct Abroad {
    /// Whose ghosts are in each envelope, in their order.
    ghosts: Vec<Vec<Entity>>,
    /// Whose ghosts stay here.
    strays: Vec<Entity>,
    leaving: Vec<Leaving>,
}

/// An entity that goes to another owner.
#[derive(Clone, Copy, Debug)]
struct Leaving {
    handle: Entity,
    id: EntityId,
    owner: ShardId,
    crossing: Option<Crossing>,
}

impl Abroad {
    fn clear(&mut self, envelopes: usize) {
        self.ghosts.resize_with(envelopes, Vec::new);
        self.ghosts.iter_mut().for_each(Vec::clear);
        self.strays.clear();
        self.leaving.clear();
    }

    /// Gives all ghosts their shared components.
    fn complete(&self, shard: &mut Shard, envelopes: &mut [Envelope]) {
        let ecs = shard.world.ecs();
        for (envelope, entities) in envelopes.iter_mut().zip(&self.ghosts) {
            envelope.ghosts.columns.extend_from_world(ecs, entities);
        }
        let strays = &mut shard.strays.columns;
        strays.extend_from_world(ecs, &self.strays);
    }
}

/// Lays every changed entity out once. Of those in the border or beyond, a ghost goes to everyone who may see it, but to
/// a new owner, who gets the entity itself.
fn lay_out(shard: &mut Shard, tick: Tick, envelopes: &mut [Envelope], abroad: &mut Abroad) {
    let config = &shard.recipe.config;
    let stray_squared = config.handoff_hysteresis_m * config.handoff_hysteresis_m;
    let border_squared = shard.border_squared();
    let (own, zones) = (shard.own, shard.recipe.zones.as_ref());
    let ecs = shard.world.ecs_mut();
    for (handle, &id, position, &appearance, laid) in
        ecs.query_mut::<(Entity, &EntityId, &mut Position, &Appearance, &mut Laid)>()
    {
        if !position.0.is_finite() {
            position.0 = laid.position();
            shard.stats.positions_refused += 1;
        }
        position.0 = config.bounds.clamp(position.0);
        let (before, at) = (laid.position(), position.0);
        shard.stats.records_changed += u64::from(laid.refresh(id, at, appearance, tick));
        let crossing = zones.and_then(|zone_of| zone::crossing(zone_of, id, before, at));
        // Most are: all else is asked of the others only.
        if shard.border.is_interior(at) {
            shard.crossings.extend(crossing);
            continue;
        }
        let away_squared = shard.cell_map.distance_squared(own, at);
        let strayed = away_squared > stray_squared;
        let owner = if strayed {
            shard.cell_map.owner_of(at)
        } else {
            own
        };
        for receiver in shard.border.receivers(at).filter(|&to| to != owner) {
            let place = place(own, receiver);
            envelopes[place].ghosts.push_laid(id, laid, owner);
            abroad.ghosts[place].push(handle);
        }
        if owner == own {
            shard.crossings.extend(crossing);
            continue;
        }
        if away_squared <= border_squared {
            shard.strays.push_laid(id, laid, owner);
            abroad.strays.push(handle);
        }
        abroad.leaving.push(Leaving {
            handle,
            id,
            owner,
            crossing,
        });
    }
}

/// Everything the entity carries goes along, its sessions' eyes too.
fn hand_over(shard: &mut Shard, leaving: Leaving, envelopes: &mut [Envelope]) {
    let Leaving {
        handle,
        id,
        owner,
        crossing,
    } = leaving;
    let out = envelope(envelopes, shard.own, owner);
    let ecs = shard.world.ecs();
    let entity = ecs.entity(handle).expect("it was just listed");
    let start = out.states.len();
    let registry = &shard.recipe.registry;
    registry.encode_entity(&entity, &mut out.states);
    let laid = entity.get::<&mut Laid>();
    let laid = std::mem::take(&mut *laid.expect("every entity of a world is laid out"));
    out.handoffs.push(Handoff {
        entity: id,
        state: start..out.states.len(),
        laid,
        crossing,
    });
    for session in shard.watchers.remove(&id).unwrap_or_default() {
        let viewer = take_viewer(shard, session);
        out.viewers.push(viewer);
    }
    assert!(shard.world.remove(id), "{id:?} released twice");
    shard.held = shard.held - crate::audit::Tally::of(id);
    shard.stats.handoffs_out += 1;
}

/// Cameras that strayed, and eyes whose avatar will be born elsewhere.
fn hand_over_viewpoints(shard: &mut Shard, envelopes: &mut [Envelope]) {
    let config = &shard.recipe.config;
    let stray_squared = config.handoff_hysteresis_m * config.handoff_hysteresis_m;
    let leaving: Vec<(SessionId, ShardId)> = shard
        .viewers
        .values()
        .filter_map(|viewer| match viewer.viewpoint {
            Viewpoint::Avatar(_) => None,
            Viewpoint::Birth(_, at) => Some((viewer.session, shard.cell_map.owner_of(at))),
            Viewpoint::Camera(at) => {
                let strayed = shard.cell_map.distance_squared(shard.own, at) > stray_squared;
                strayed.then(|| (viewer.session, shard.cell_map.owner_of(at)))
            }
        })
        .filter(|&(_, owner)| owner != shard.own)
        .collect();
    for (session, owner) in leaving {
        let viewer = take_viewer(shard, session);
        envelope(envelopes, shard.own, owner).viewers.push(viewer);
    }
}

fn take_viewer(shard: &mut Shard, session: SessionId) -> Box<Viewer> {
    // A viewpoint that began here in this tick is not told of as owned here: that word might come after its owner's.
    let is_told = |told: &(SessionId, Notice)| *told == (session, Notice::Owner(shard.own));
    shard.published.notices.retain(|told| !is_told(told));
    let mut viewer = shard
        .viewers
        .remove(&session)
        .expect("a watcher's viewer lives beside its avatar");
    viewer.visible.pack(&shard.roster);
    viewer
}

/// Every shard numbers every birth; who owns or sees the newborn gets its state too.
fn send_births(shard: &mut Shard, envelopes: &mut [Envelope]) {
    for birth in &shard.births {
        let owner = shard.cell_map.owner_of(birth.at);
        for envelope in envelopes.iter_mut() {
            let concerned = envelope.to == owner
                || shard.cell_map.distance_squared(envelope.to, birth.at) <= shard.border_squared();
            let state = concerned.then(|| birth.state.clone()).flatten();
            envelope.births.push(Birth {
                state,
                ..birth.clone()
            });
        }
    }
}

/// To every shard that may own a viewpoint in the area; this one resolves its own part in `receive`.
fn send_area_messages(shard: &mut Shard, envelopes: &mut [Envelope]) {
    let hysteresis_m = shard.recipe.config.handoff_hysteresis_m;
    for message in &shard.said {
        let reach_m = message.radius_m + hysteresis_m;
        for envelope in envelopes.iter_mut() {
            if shard.cell_map.distance_squared(envelope.to, message.centre) <= reach_m * reach_m {
                envelope.area.push(message.clone());
            }
        }
    }
}

/// To every shard; this one looks among its own viewpoints in `receive`, for one that comes back in this tick.
fn send_undelivered(shard: &mut Shard, envelopes: &mut [Envelope]) {
    shard.sought = shard.undelivered.take_all();
    for envelope in envelopes {
        envelope.sought = shard.sought.clone();
    }
}

fn envelope(envelopes: &mut [Envelope], own: ShardId, to: ShardId) -> &mut Envelope {
    let envelope = &mut envelopes[place(own, to)];
    assert_eq!(
        envelope.to, to,
        "envelopes are in the order of their receivers"
    );
    envelope
}

/// Where the envelope for a shard is: they stand in ascending order of their receivers, without the sender.
fn place(own: ShardId, to: ShardId) -> usize {
    usize::from(to.0) - usize::from(to > own)
}
