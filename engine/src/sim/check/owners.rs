//! Every entity has one owner, who has reason to own it, and none comes or goes without a birth or a removal.

use std::collections::BTreeMap;

use worldshard_protocol::{EntityId, Tick};
use worldshard_spatial::ShardId;

use super::ground::Ground;
use super::{Checker, Finding, Subject};
use crate::sim::observed::{EntitySeen, Observed, ShardSeen};

/// Follows every entity from owner to owner.
#[derive(Default)]
pub(super) struct Owners {
    ground: Option<Ground>,
    before: Option<Before>,
}

/// What was there at the tick that was looked at last.
struct Before {
    tick: Tick,
    owners: BTreeMap<EntityId, ShardId>,
    books: Books,
    /// The last number given to an entity, or the highest seen.
    last_id: u64,
}

/// The engine's counters, over all shards.
#[derive(Clone, Copy)]
struct Books {
    births: u64,
    removals: u64,
    handoffs_out: u64,
    handoffs_in: u64,
}

impl Checker for Owners {
    fn name(&self) -> &'static str {
        "owners"
    }

    fn look(&mut self, now: &Observed) -> Result<u64, Finding> {
        let ground = self
            .ground
            .get_or_insert_with(|| Ground::of(&now.config, &now.cell_map));
        let all = now.entities();
        for pair in all.windows(2) {
            let [(one, first), (other, second)] = pair else {
                continue;
            };
            if one.id == other.id {
                let detail = format!("owned by shard {first} and by shard {second}");
                return Err(found(now, Subject::Entity(one.id), detail));
            }
        }
        for (one, owner) in &all {
            let before = self.before.as_ref();
            stands(now, ground, one, *owner, before)?;
        }
        let owners: BTreeMap<_, _> = all.iter().map(|(one, owner)| (one.id, *owner)).collect();
        let books = Books::of(&now.shards);
        let highest = owners.last_key_value().map_or(0, |(id, _)| id.0);
        let last_id = match &self.before {
            None => highest.max(now.inherited.last_entity),
            Some(before) => balance(now, before, &owners, books)?,
        };
        self.before = Some(Before {
            tick: now.tick,
            owners,
            books,
            last_id,
        });
        Ok(all.len() as u64)
    }
}

fn found(now: &Observed, subject: Subject, detail: String) -> Finding {
    Finding {
        checker: "owners",
        tick: now.tick,
        subject,
        detail,
    }
}

/// Whether an owner has reason to own: the entity stands on its ground, or went beyond by no more than the hysteresis.
fn stands(
    now: &Observed,
    ground: &Ground,
    one: &EntitySeen,
    owner: ShardId,
    before: Option<&Before>,
) -> Result<(), Finding> {
    let (at, subject) = (one.at, Subject::Entity(one.id));
    if !at.is_finite() || now.config.bounds.clamp(at) != at {
        return Err(found(
            now,
            subject,
            format!("is outside the world, at {at:?}"),
        ));
    }
    let distance_m = ground.distance_squared(owner, at).sqrt();
    if ground.strays(owner, at) {
        let detail = format!("owned by shard {owner}, {distance_m} m beyond its ground, at {at:?}");
        return Err(found(now, subject, detail));
    }
    let Some(before) = before.filter(|before| before.tick.next() == now.tick) else {
        return Ok(());
    };
    let former = before.owners.get(&one.id).copied();
    if former == Some(owner) {
        return Ok(());
    }
    if distance_m > 0.0 {
        let detail =
            format!("new to shard {owner}, but {distance_m} m beyond its ground, at {at:?}");
        return Err(found(now, subject, detail));
    }
    if let Some(former) = former
        && !ground.strays(former, at)
    {
        let detail = format!("went from shard {former} to {owner} without need, at {at:?}");
        return Err(found(now, subject, detail));
    }
    Ok(())
}

/// Compares who came and went with the counters; returns the last number given to an entity.
fn balance(
    now: &Observed,
    before: &Before,
    owners: &BTreeMap<EntityId, ShardId>,
    books: Books,
) -> Result<u64, Finding> {
    let births = books.births - before.books.births;
    let removals = books.removals - before.books.removals;
    let next = before.tick.next() == now.tick;
    let came: Vec<u64> = owners
        .keys()
        .filter(|id| !before.owners.contains_key(id))
        .map(|id| id.0)
        .collect();
    let gone: Vec<EntityId> = before
        .owners
        .keys()
        .filter(|id| !owners.contains_key(id))
        .copied()
        .collect();
    // Between ticks that do not follow each other, some of the newborn may have gone again.
    let (too_few, too_many) = if next {
        (came.len() as u64 != births, gone.len() as u64 != removals)
    } else {
        let held = before.owners.len() as u64 + births;
        let balanced = held.checked_sub(removals) == Some(owners.len() as u64);
        (came.len() as u64 > births || !balanced, false)
    };
    if too_few {
        let subject = came
            .first()
            .map_or(Subject::World, |&id| Subject::Entity(EntityId(id)));
        let detail = format!("{births} were born, but {came:?} appeared");
        return Err(found(now, subject, detail));
    }
    if too_many {
        let subject = gone
            .first()
            .map_or(Subject::World, |&id| Subject::Entity(id));
        let detail = format!("{removals} were removed, but {gone:?} vanished");
        return Err(found(now, subject, detail));
    }
    if let Some(&old) = came.iter().find(|&&id| id <= before.last_id) {
        let detail = format!(
            "its number was given before: {} was the last",
            before.last_id
        );
        return Err(found(now, Subject::Entity(EntityId(old)), detail));
    }
    let last_id = came
        .last()
        .copied()
        .unwrap_or(0)
        .max(before.last_id + births);
    if next
        && let Some(&last) = came.last()
        && last != before.last_id + births
    {
        let detail = format!("{births} numbers after {} do not end there", before.last_id);
        return Err(found(now, Subject::Entity(EntityId(last)), detail));
    }
    let crossed = |id: &&EntityId| {
        before
            .owners
            .get(id)
            .is_some_and(|owner| *owner != owners[id])
    };
    let crossings = owners.keys().filter(crossed).count() as u64;
    let handoffs_in = books.handoffs_in - before.books.handoffs_in;
    let handoffs_out = books.handoffs_out - before.books.handoffs_out;
    if handoffs_in != handoffs_out || (next && crossings != handoffs_in) {
        let detail = format!(
            "{crossings} changed their owner; {handoffs_out} were given and {handoffs_in} taken"
        );
        return Err(found(now, Subject::World, detail));
    }
    Ok(last_id)
}

impl Books {
    fn of(shards: &[ShardSeen]) -> Self {
        let sum = |counter: fn(&ShardSeen) -> u64| shards.iter().map(counter).sum();
        Self {
            births: sum(|one| one.stats.births),
            removals: sum(|one| one.stats.removals),
            handoffs_out: sum(|one| one.stats.handoffs_out),
            handoffs_in: sum(|one| one.stats.handoffs_in),
        }
    }
}
