//! What a client sees is what the rule of enter and leave gives over the whole world, at the tick of its view.
//!
//! The rule depends on what a client was told before. Where a pause of the observation hides that, it says "maybe".

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use worldshard_protocol::{EntityId, SessionId, Tick};
use worldshard_shard::{Interest, WorldConfig};
use worldshard_spatial::{Metric, Point};

use super::ground::squared;
use super::{Checker, Finding, Oracle, Subject};
use crate::sim::observed::{ClientSeen, EntitySeen, Observed, ViewerSeen};

/// Follows what every session must have been told, from its join on.
pub(super) struct Visible {
    oracles: Vec<Oracle>,
    sessions: BTreeMap<SessionId, Told>,
    before: Option<Tick>,
    /// Every tick since the first was looked at.
    unbroken: bool,
}

/// What one session was told.
#[derive(Default)]
struct Told {
    /// By the tick of each delta that its client may still have to read.
    sent: BTreeMap<Tick, Vec<Sight>>,
    /// What it saw when it was looked at last; none when that was not observed.
    latest: Option<Vec<Sight>>,
    delta_sequence: u32,
}

/// One entity that a session sees, or may see.
#[derive(Clone, Copy, Debug)]
struct Sight {
    one: EntitySeen,
    sure: bool,
}

/// Whether a session saw an entity before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Knew {
    No,
    Maybe,
    Yes,
}

impl Visible {
    pub(super) fn new(oracles: Vec<Oracle>) -> Self {
        Self {
            oracles,
            sessions: BTreeMap::new(),
            before: None,
            unbroken: true,
        }
    }

    /// Takes note of what each session that was looked at in this tick must see now.
    fn decide(&mut self, now: &Observed, all: &[EntitySeen]) -> Result<u64, Finding> {
        let mut checks = 0;
        for viewer in now.shards.iter().flat_map(|shard| &shard.viewers) {
            let (session, stats) = (viewer.session, &viewer.stats);
            let at = viewpoint(now, viewer, all)?;
            let told = self.sessions.entry(session).or_default();
            if stats.built != Some(now.tick) {
                continue;
            }
            let knew = |id| match &told.latest {
                None => Knew::Maybe,
                Some(latest) => match latest.binary_search_by_key(&id, |sight| sight.one.id) {
                    Ok(at) if latest[at].sure => Knew::Yes,
                    Ok(_) => Knew::Maybe,
                    Err(_) => Knew::No,
                },
            };
            let eyes = Eyes {
                at,
                config: &now.config,
                oracles: &self.oracles,
            };
            let sights = eyes.sights(&stats.interest, all, knew);
            if stats.delta_sequence != told.delta_sequence {
                told.sent.insert(now.tick, sights.clone());
            }
            told.latest = Some(sights);
            told.delta_sequence = stats.delta_sequence;
            checks += 1;
        }
        Ok(checks)
    }

    /// Compares what a client believes with what it must have been told by then.
    fn compare(&mut self, now: &Observed, client: &ClientSeen) -> Result<u64, Finding> {
        let Some(told) = self.sessions.get_mut(&client.session) else {
            return Ok(0);
        };
        if !client.is_in || client.view_tick == Tick(0) {
            return Ok(0);
        }
        let on_its_way = now
            .viewer(client.session)
            .is_none_or(|(viewer, _)| viewer.stats.delta_sequence != client.delta_sequence);
        let caught_up = !on_its_way && told.delta_sequence == client.delta_sequence;
        let (tick, sights) = match (&told.latest, told.sent.get(&client.view_tick)) {
            // Nothing was said since because nothing that it sees has changed since.
            (Some(latest), _) if caught_up => (now.tick, latest),
            (_, Some(sights)) => (client.view_tick, sights),
            (_, None) if self.unbroken => {
                let detail = format!(
                    "its view is at tick {}, which nobody told",
                    client.view_tick
                );
                return Err(found(now, client.session, detail));
            }
            (_, None) => return Ok(0),
        };
        differ(&client.seen, sights).map_or(Ok(()), |detail| {
            let detail = format!("its view, as of tick {tick}: {detail}");
            Err(found(now, client.session, detail))
        })?;
        told.sent = told.sent.split_off(&client.view_tick);
        Ok(1 + client.seen.len() as u64)
    }
}

impl Checker for Visible {
    fn name(&self) -> &'static str {
        "visible"
    }

    fn look(&mut self, now: &Observed) -> Result<u64, Finding> {
        let next = self
            .before
            .map_or(now.tick <= Tick(1), |before| before.next() == now.tick);
        self.unbroken &= next;
        let viewers = now.shards.iter().flat_map(|shard| &shard.viewers);
        let viewers: BTreeSet<SessionId> = viewers.map(|viewer| viewer.session).collect();
        let clients = now.clients.iter().filter(|client| client.is_in);
        let clients: BTreeSet<SessionId> = clients.map(|client| client.session).collect();
        self.sessions
            .retain(|session, _| viewers.contains(session) || clients.contains(session));
        for &session in &viewers {
            // A viewpoint that begins has been told nothing; but it may have begun in the pause.
            self.sessions.entry(session).or_insert_with(|| Told {
                latest: next.then(Vec::new),
                ..Told::default()
            });
        }
        for (session, told) in &mut self.sessions {
            if !next {
                told.latest = None;
            } else if !viewers.contains(session) {
                (told.latest, told.delta_sequence) = (Some(Vec::new()), 0);
            }
        }
        self.before = Some(now.tick);
        let all: Vec<EntitySeen> = now.entities().into_iter().map(|(one, _)| one).collect();
        let mut checks = self.decide(now, &all)?;
        for client in &now.clients {
            checks += self.compare(now, client)?;
        }
        Ok(checks)
    }

    /// Whoever reads has everything, and the last look compared it.
    fn finish(&mut self, now: &Observed) -> Result<u64, Finding> {
        let reading = || {
            now.clients
                .iter()
                .filter(|client| client.is_in && client.reads)
        };
        for client in reading() {
            // Who lies may have left by a lie.
            let Some((viewer, _)) = now.viewer(client.session) else {
                continue;
            };
            let (built, read) = (viewer.stats.delta_sequence, client.delta_sequence);
            if built != read {
                let detail = format!("delta {built} was built, it has read {read} at the end");
                return Err(found(now, client.session, detail));
            }
        }
        Ok(reading().count() as u64)
    }
}

fn found(now: &Observed, session: SessionId, detail: String) -> Finding {
    Finding {
        checker: "visible",
        tick: now.tick,
        subject: Subject::Session(session),
        detail,
    }
}

/// Where a session looks from: its avatar's place, or what its camera says.
fn viewpoint(now: &Observed, viewer: &ViewerSeen, all: &[EntitySeen]) -> Result<Point, Finding> {
    let (session, stats) = (viewer.session, &viewer.stats);
    let Some(avatar) = stats.avatar else {
        return Ok(stats.at);
    };
    let at = all.binary_search_by_key(&avatar, |one| one.id);
    let Some(one) = at.ok().map(|at| &all[at]) else {
        let detail = format!("it looks through entity {avatar}, which nobody owns");
        return Err(found(now, session, detail));
    };
    if one.at != stats.at {
        let detail = format!(
            "it looks from {:?}, its avatar is at {:?}",
            stats.at, one.at
        );
        return Err(found(now, session, detail));
    }
    Ok(one.at)
}

/// A viewpoint that the rule is applied to.
struct Eyes<'a> {
    at: Point,
    config: &'a WorldConfig,
    oracles: &'a [Oracle],
}

impl Eyes<'_> {
    /// The rule of enter and leave over all entities; ascending.
    fn sights(
        &self,
        interest: &Interest,
        all: &[EntitySeen],
        knew: impl Fn(EntityId) -> Knew,
    ) -> Vec<Sight> {
        let hysteresis_m = self.config.interest_hysteresis_m;
        let lingers = |one: &EntitySeen, inside: bool, near: bool| {
            let sight = |sure| Some(Sight { one: *one, sure });
            match knew(one.id) {
                _ if inside => sight(true),
                Knew::Yes if near => sight(true),
                Knew::Maybe if near => sight(false),
                Knew::No | Knew::Maybe | Knew::Yes => None,
            }
        };
        match *interest {
            Interest::Radius(radius_m) => {
                let outer_m = radius_m + hysteresis_m;
                let look = |one: &EntitySeen| {
                    let away = self.away_squared(one.at);
                    lingers(one, away <= radius_m * radius_m, away <= outer_m * outer_m)
                };
                all.iter().filter_map(look).collect()
            }
            Interest::Box(half) => {
                let look = |one: &EntitySeen| {
                    let away = self.outside_squared(half, one.at);
                    lingers(one, away <= 0.0, away <= hysteresis_m * hysteresis_m)
                };
                all.iter().filter_map(look).collect()
            }
            Interest::Nearest { k, radius_m } => {
                let mut near: Vec<(f32, &EntitySeen)> = all
                    .iter()
                    .map(|one| (self.away_squared(one.at), one))
                    .filter(|(away, _)| *away <= radius_m * radius_m)
                    .collect();
                near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.id.cmp(&b.1.id)));
                near.truncate(usize::from(k));
                near.sort_by_key(|(_, one)| one.id);
                let sure = |(_, one): (f32, &EntitySeen)| Sight {
                    one: *one,
                    sure: true,
                };
                near.into_iter().map(sure).collect()
            }
            Interest::Custom {
                predicate,
                radius_m,
            } => {
                let oracle = self.oracles.get(usize::from(predicate));
                let look = |one: &EntitySeen| {
                    let within = self.away_squared(one.at) <= radius_m * radius_m;
                    let accepted = oracle.is_none_or(|accepts| accepts(self.at, one));
                    let sure = oracle.is_some();
                    (within && accepted).then_some(Sight { one: *one, sure })
                };
                all.iter().filter_map(look).collect()
            }
        }
    }

    fn metric(&self) -> Metric {
        self.config.metric
    }

    fn away_squared(&self, at: Point) -> f32 {
        let (from, to) = (self.at.to_array(), at.to_array());
        squared(self.metric(), [0, 1, 2].map(|axis| from[axis] - to[axis]))
    }

    /// How far a point is outside the box around the viewpoint, in square metres.
    fn outside_squared(&self, half: Point, at: Point) -> f32 {
        let (centre, half, at) = (self.at.to_array(), half.to_array(), at.to_array());
        let beyond = |axis: usize| {
            let (low, high) = (centre[axis] - half[axis], centre[axis] + half[axis]);
            (low - at[axis]).max(at[axis] - high).max(0.0)
        };
        squared(self.metric(), [0, 1, 2].map(beyond))
    }
}

/// The first difference between what a client sees and what it must see; both ascend.
fn differ(seen: &[crate::sim::observed::SeenByClient], sights: &[Sight]) -> Option<String> {
    let (mut seen, mut sights) = (seen.iter().peekable(), sights.iter().peekable());
    loop {
        let order = match (seen.peek(), sights.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(has), Some(must)) => has.id.cmp(&must.one.id),
        };
        match order {
            Ordering::Less => {
                let has = seen.next()?;
                return Some(format!(
                    "entity {} at {:?} must not be there",
                    has.id, has.at
                ));
            }
            Ordering::Greater => {
                let must = sights.next()?;
                if must.sure {
                    let EntitySeen { id, at, .. } = must.one;
                    return Some(format!("entity {id} at {at:?} is missing"));
                }
            }
            Ordering::Equal => {
                let (has, must) = (seen.next()?, sights.next()?);
                if has.at != must.one.at {
                    let (id, at, seen_at) = (has.id, must.one.at, has.at);
                    return Some(format!("entity {id} is at {at:?}, seen at {seen_at:?}"));
                }
                if has.shown != must.one.shown {
                    return Some(format!("entity {} looks otherwise than it is", has.id));
                }
            }
        }
    }
}
