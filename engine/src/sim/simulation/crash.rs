//! How a process of a simulation ends, or one shard of it, and how they come back. Never judges what came back.

use std::sync::Arc;

use worldshard_protocol::Tick;
use worldshard_shard::{Keep, Shard};

use super::Simulation;
use super::damage::{damage_checkpoint, damage_journal, whole_generations};
use crate::durable::{Loaded, Opening, load_from, recover, settle};
use crate::hub::Hub;
use crate::sim::berth::Berth;
use crate::sim::check::{Check, Finding, Subject};
use crate::sim::disk::{Crash, Disk};
use crate::sim::faults::{happens, up_to};
use crate::sim::keeping::Keeping;
use crate::sim::live::Mind;
use crate::sim::mail::Mail;
use crate::sim::observed::{CameBack, EventTap, Inherited, ShardSeen};

impl Simulation {
    /// Decides after which turns of this tick the process ends, or a shard is lost.
    pub(super) fn plan_crashes(&mut self) {
        if self.keeping.is_none() || self.is_ending {
            return;
        }
        let turns = 2 * self.tick_turns.max(1);
        if happens(self.faults.process_crashes, &mut self.chance) {
            self.crash_at = Some(self.turn + up_to(turns, &mut self.chance));
        }
        if happens(self.faults.shard_crashes, &mut self.chance) {
            self.mend_at = Some(self.turn + up_to(turns, &mut self.chance));
        }
    }

    /// Loses a shard and makes it again of its image and what was said to it.
    pub(super) fn mend(&mut self) -> Result<(), Finding> {
        self.mend_at = None;
        let Some(keeping) = &mut self.keeping else {
            return Ok(());
        };
        let at = (self.chance.next_u64() % self.berths.len() as u64) as usize;
        let (own, hub) = (&mut keeping.own[at], &mut self.berths[at].hub);
        own.listen(hub);
        let Some(archive) = own.archive() else {
            return Ok(());
        };
        self.counts.crashes().shard_crashes += 1;
        let lost = (self.check != Check::None).then(|| ShardSeen::of(hub));
        let rebuilt = hub.rebuild(&archive, own.calls().to_vec(), Keep::All);
        if let Err(error) = rebuilt {
            return Err(trouble(self.tick, "mended", error.to_string()));
        }
        match lost {
            Some(lost) => {
                self.checkers
                    .mended(self.tick, &lost, &ShardSeen::of(&self.berths[at].hub))
            }
            None => Ok(()),
        }
    }

    /// The process ends, and another one opens the world. What it was is gone but for the disk.
    pub(super) fn crash(&mut self) -> Result<(), Finding> {
        (self.crash_at, self.mend_at, self.is_broken) = (None, None, false);
        let Some(keeping) = self.keeping.take() else {
            return Ok(());
        };
        self.counts.crashes().process_crashes += 1;
        let disk = Arc::clone(&keeping.disk);
        drop(keeping);
        let told = self.end_clients();
        self.stop(&disk);
        let hub = &self.berths[0].hub;
        let opening = Opening {
            recipe: Arc::clone(hub.recipe().world()),
            cell_map: Arc::clone(hub.commons().cell_map()),
            until: None,
            accept_loss: false,
        };
        let mut back = CameBack {
            told,
            ..CameBack::default()
        };
        let archives = self.open_again(&disk, &opening, &mut back);
        let archives = archives.map_err(|detail| trouble(self.tick, "durable", detail))?;
        let begun = self.begin_process(disk, &opening, &archives, back.tick);
        begun.map_err(|detail| trouble(self.tick, "durable", detail))?;
        self.tick = back.tick;
        self.acted.fill(back.tick);
        let shards = || self.berths.iter().map(|berth| berth.hub.shard());
        back.digests = shards().map(Shard::digest).collect();
        back.entities = shards().flat_map(Shard::entities).collect();
        back.last_entity = self.inherited.last_entity;
        self.checkers.came_back(&back)?;
        // A world that begins once more is looked at from its first tick on.
        if self.check == Check::None || self.tick == Tick(0) {
            return Ok(());
        }
        for berth in &mut self.berths {
            berth.seen = Some(ShardSeen::of(&berth.hub));
        }
        let observed = self.observe();
        self.checkers.look(&observed)
    }

    /// Nobody is connected any more. The last tick that any of them was told of.
    fn end_clients(&mut self) -> Tick {
        let mut told = Tick(0);
        for client in &mut self.clients {
            told = told.max(client.told());
            client.closed();
        }
        self.minds.fill_with(Mind::default);
        self.numbers.clear();
        self.mail = Mail::default();
        if let Some(events) = &self.events {
            drop(EventTap::drain(events));
        }
        told
    }

    /// What the disk has of it all, and what is wrong with that.
    fn stop(&mut self, disk: &Disk) {
        let shards = self.berths.len();
        let (faults, chance) = (&self.faults, &mut self.chance);
        let crash = if happens(faults.torn_tails, chance) {
            Crash::Machine
        } else {
            Crash::Process
        };
        let crashes = self.counts.crashes();
        crashes.torn_tails += disk.crash(crash, chance);
        if happens(faults.damaged_checkpoints, chance) {
            crashes.damaged_checkpoints += u64::from(damage_checkpoint(disk, shards, chance));
        }
    }

    /// Finds the world on the disk and settles it; the archives of its shards, or why it is not there.
    fn open_again(
        &mut self,
        disk: &Disk,
        opening: &Opening,
        back: &mut CameBack,
    ) -> Result<Vec<Arc<Vec<u8>>>, String> {
        let shards = self.berths.len();
        if happens(self.faults.damaged_journals, &mut self.chance) {
            let damaged = damage_journal(disk, opening, &mut self.chance)?;
            self.counts.crashes().damaged_journals += u64::from(damaged);
        }
        if self.check != Check::None && self.chance.next_u64().is_multiple_of(REPLAYS_ONE_IN) {
            back.replayed = replay(disk, opening, shards)?;
        }
        loop {
            // A world may be lost while it is opened, too.
            let stops = self.chance.next_u64().is_multiple_of(STOPS_ONE_IN);
            if stops && self.faults.torn_tails > 0 {
                disk.stop_after(self.chance.next_u64() % (shards as u64 + 4));
            }
            let found = recover(disk, opening).map_err(|error| error.to_string())?;
            let found = found.ok_or("there is no world any more")?;
            let settled = settle(disk, &found.shards, found.tick);
            let has_stopped = settled.is_err() && stops;
            let crash = if has_stopped {
                Crash::Machine
            } else {
                Crash::Process
            };
            self.counts.crashes().torn_tails += disk.crash(crash, &mut self.chance);
            if !has_stopped {
                back.tick = found.tick;
                return settled.map_err(|error| error.to_string());
            }
        }
    }

    /// Hubs around the shards of these archives, as a server makes them.
    fn begin_process(
        &mut self,
        disk: Arc<Disk>,
        opening: &Opening,
        archives: &[Arc<Vec<u8>>],
        tick: Tick,
    ) -> Result<(), String> {
        let (first, options) = (&self.berths[0].hub, self.options);
        self.process += 1;
        let commons = first.commons().begun_anew(self.process);
        let recipe = Arc::clone(first.recipe());
        let keeping = Keeping::new(options, disk, tick, archives.to_vec());
        let mut berths = Vec::new();
        let population = opening.recipe.population.as_ref();
        self.inherited = Inherited {
            commands: 0,
            last_entity: population.map_or(0, |all| all.count),
        };
        for (berth, archive) in self.berths.iter().zip(archives) {
            let (world, cell_map) = (opening.recipe.clone(), opening.cell_map.clone());
            let shard = Shard::restore(berth.own, world, cell_map, archive);
            let shard = shard.map_err(|error| error.to_string())?;
            let hub = Hub::around(shard, recipe.clone(), commons.clone());
            let hub = hub.map_err(|error| error.to_string())?;
            let stats = hub.shard().stats();
            let done = stats.joins + stats.commands_applied + stats.commands_refused;
            // Each viewpoint that came back is about to leave.
            self.inherited.commands += done - stats.commands_scripted + stats.viewers;
            self.inherited.last_entity += stats.births;
            berths.push(Berth::new(
                berth.own,
                hub,
                archives.len() as u16,
                self.clock.as_ref(),
            ));
        }
        self.berths = berths;
        self.keep(keeping);
        for at in 0..self.berths.len() {
            self.collect(at);
        }
        Ok(())
    }

    /// The hubs are kept from now on.
    pub(super) fn keep(&mut self, keeping: Keeping) {
        for (own, berth) in keeping.own.iter().zip(&mut self.berths) {
            own.begin(&mut berth.hub);
        }
        self.keeping = Some(keeping);
    }
}

/// The digests of all shards after every tick that is kept.
fn replay(disk: &Disk, opening: &Opening, shards: usize) -> Result<Vec<(Tick, Vec<u128>)>, String> {
    let oldest = whole_generations(disk, shards).into_iter().next();
    let oldest = oldest.ok_or("no generation is whole")?;
    let loaded = load_from(disk, opening, oldest).map_err(|error| error.to_string())?;
    let Loaded {
        mut replay, reach, ..
    } = loaded;
    let mut replayed = Vec::new();
    loop {
        let digests = replay.shards().iter().map(Shard::digest).collect();
        replayed.push((replay.tick(), digests));
        if replay.tick() == reach {
            return Ok(replayed);
        }
        if !replay.step().map_err(|error| error.to_string())? {
            return Err(format!(
                "tick {} cannot be done again",
                replay.tick().next()
            ));
        }
    }
}

fn trouble(tick: Tick, checker: &'static str, detail: String) -> Finding {
    Finding {
        checker,
        tick,
        subject: Subject::World,
        detail,
    }
}

/// All kept ticks are done again after one crash in so many.
const REPLAYS_ONE_IN: u64 = 4;

/// The machine stops once more while a world is opened, one time in so many.
const STOPS_ONE_IN: u64 = 8;
