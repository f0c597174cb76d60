//! The worlds on one shard and on many: the same world, tick by tick, and the one that was promised.

use std::collections::BTreeMap;
use std::sync::Arc;

use worldshard_protocol::ViewpointMode;
use worldshard_shard::{CommandBody, Envelope, Interest, Join, Script, ScriptedCommand, Shard};
use worldshard_spatial::CellMap;

use super::*;
use crate::prelude::{EntityId, SessionId, ShardId, Tick};

/// One world cut into shards, on the test's thread.
struct Cut {
    shards: Vec<Shard>,
    tick: Tick,
}

impl Cut {
    fn new(setup: &WorldSetup, shards: u16) -> Self {
        let mut app = App::new();
        app.plugin(setup.clone())
            .script(Arc::new(Strollers(setup.config.bounds)));
        let recipe = app.build().unwrap().world().clone();
        let grid = recipe.config.grid().unwrap();
        let cell_map = Arc::new(CellMap::balanced(grid, shards, None).unwrap());
        let shard = |own| Shard::new(ShardId(own), recipe.clone(), cell_map.clone()).unwrap();
        Self {
            shards: (0..shards).map(shard).collect(),
            tick: Tick(0),
        }
    }

    fn step(&mut self) {
        self.tick = self.tick.next();
        let sent: Vec<Envelope> = self
            .shards
            .iter_mut()
            .flat_map(|shard| shard.advance(self.tick))
            .collect();
        let mut inboxes: BTreeMap<ShardId, Vec<Envelope>> = BTreeMap::new();
        for envelope in sent {
            inboxes.entry(envelope.to).or_default().push(envelope);
        }
        for shard in &mut self.shards {
            shard.absorb(self.tick, inboxes.entry(shard.own()).or_default());
        }
    }

    fn digest(&self) -> u128 {
        self.shards
            .iter()
            .fold(0, |sum, shard| sum.wrapping_add(shard.digest()))
    }

    fn positions(&self) -> BTreeMap<EntityId, Point> {
        let of = |shard: &Shard| {
            let entities = shard.entities();
            entities
                .into_iter()
                .map(|id| (id, shard.position(id).unwrap()))
                .collect::<Vec<_>>()
        };
        self.shards.iter().flat_map(of).collect()
    }

    fn count(&self, counter: fn(&worldshard_shard::ShardStats) -> u64) -> u64 {
        self.shards
            .iter()
            .map(|shard| counter(&shard.stats()))
            .sum()
    }
}

/// Two sessions join with avatars and walk in opposite directions, from the first ticks on.
struct Strollers(Bounds);

impl Script for Strollers {
    fn commands(&self, tick: Tick, out: &mut Vec<ScriptedCommand>) {
        for author in 0..2 {
            let body = match tick.0 {
                1 => CommandBody::Join(Join {
                    mode: ViewpointMode::Avatar,
                    at: self.0.centre(),
                    interest: Interest::Radius(5.0),
                    full: false,
                    author,
                    generation: 0,
                }),
                3 => {
                    CommandBody::Steer(Point::new(if author == 0 { 1.0 } else { -1.0 }, 0.25, 0.25))
                }
                _ => continue,
            };
            out.push(ScriptedCommand {
                session: SessionId::new(0, author),
                client_sequence: 0,
                body,
            });
        }
    }
}

#[test]
fn a_world_is_the_same_for_any_number_of_shards() {
    for name in WorldName::ALL {
        let setup = world(name, 600, 7);
        let mut cuts = [1, 2, 4, 8].map(|shards| Cut::new(&setup, shards));
        for tick in 1..=120 {
            cuts.iter_mut().for_each(Cut::step);
            let digests = cuts.each_ref().map(Cut::digest);
            assert!(
                digests.iter().all(|digest| *digest == digests[0]),
                "{name} differs at tick {tick}: {digests:x?}"
            );
        }
        let handoffs = cuts[3].count(|stats| stats.handoffs_out);
        assert!(
            handoffs > 100,
            "{name}: {handoffs} handoffs are too few to mean anything"
        );
    }
}

#[test]
fn another_seed_is_another_world() {
    for name in WorldName::ALL {
        let digest = |seed| Cut::new(&world(name, 100, seed), 1).digest();
        assert_ne!(digest(1), digest(2), "{name}");
        assert_eq!(digest(1), digest(1), "{name}");
    }
}

#[test]
fn nobody_leaves_the_world_or_outruns_its_limits() {
    for (name, speed_max_m_s) in [
        (WorldName::Flock, 10.0),
        (WorldName::Crowd, 5.0),
        (WorldName::Swarm3d, 12.0),
    ] {
        let setup = world(name, 600, 7);
        let (mut cut, dt) = (Cut::new(&setup, 2), setup.config.dt());
        let mut moved = 0;
        for _ in 0..200 {
            let before = cut.positions();
            cut.step();
            for (id, position) in cut.positions() {
                assert!(
                    setup.config.bounds.contains(position),
                    "{name}: {id} is at {position:?}"
                );
                let Some(from) = before.get(&id) else {
                    continue;
                };
                let speed_m_s = (position - *from).length() / dt;
                assert!(
                    speed_m_s < speed_max_m_s * 1.01,
                    "{name}: {id} ran {speed_m_s} m/s"
                );
                moved += usize::from(speed_m_s > 0.5);
            }
        }
        assert!(
            moved > 200 * 300,
            "{name}: half of the entities stand still"
        );
    }
}

#[test]
fn avatars_go_where_they_are_steered() {
    for name in WorldName::ALL {
        let setup = world(name, 100, 7);
        let mut cut = Cut::new(&setup, 2);
        for _ in 0..60 {
            cut.step();
        }
        let apart = |author| {
            let session = SessionId::new(0, author);
            let shard = cut
                .shards
                .iter()
                .find(|shard| shard.viewer(session).is_some());
            shard.unwrap().viewer(session).unwrap().at.x - setup.config.bounds.centre().x
        };
        assert!(
            apart(0) > 5.0 && apart(1) < -5.0,
            "{name}: {} and {}",
            apart(0),
            apart(1)
        );
    }
}

#[test]
fn birds_of_a_flock_have_about_twelve_neighbours() {
    let setup = flock(2000);
    let mut cut = Cut::new(&setup, 1);
    for _ in 0..300 {
        cut.step();
    }
    let view = cut.shards[0].view();
    let mut seen = 0;
    for rank in 0..view.len() as u32 {
        view.within(
            view.position(rank),
            setup.config.perception_radius_m,
            |_| seen += 1,
        );
    }
    let mean = seen as f32 / view.len() as f32 - 1.0;
    assert!((9.0..15.0).contains(&mean), "{mean}");
}

#[test]
fn a_crowd_gathers_and_walkers_come_and_go() {
    let setup = crowd(1000);
    let mut cut = Cut::new(&setup, 4);
    let start = cut.positions().len();
    for _ in 0..1200 {
        cut.step();
    }
    let born = cut.count(|stats| stats.births);
    // Two of the births are avatars; each of the others stands for one who left.
    assert!(born > 5, "{born} births");
    assert_eq!(cut.positions().len(), start + 2);
    let held = cut.shards.iter().map(|shard| shard.stats().entities);
    let (most, least) = (held.clone().max().unwrap(), held.min().unwrap());
    assert!(
        most * 2 > least * 3,
        "{most} on one shard, {least} on another"
    );
}

#[test]
fn defaults_are_worlds_of_any_size() {
    for name in WorldName::ALL {
        for entities in [0, 1, 5_000, 1_000_000] {
            let setup = world(name, entities, 7);
            setup.config.validate().unwrap();
            let (config, grid) = (&setup.config, setup.config.grid().unwrap());
            worldshard_spatial::Index::new(
                config.index,
                config.bounds,
                config.metric,
                config.index_edge_m,
            )
            .unwrap();
            CellMap::balanced(grid, 8, None).unwrap();
        }
    }
}

#[test]
fn names_are_read_as_written() {
    for name in WorldName::ALL {
        assert_eq!(name.to_string().parse(), Ok(name));
    }
    assert!(
        "ocean"
            .parse::<WorldName>()
            .unwrap_err()
            .contains("flock, crowd or swarm3d")
    );
}
