//! Which systems do not run on a shard any more. Never decides that one is not to run.
//!
//! What is kept names them: in another build other systems may have their numbers.

use std::collections::BTreeSet;

use crate::calls::Call;
use crate::checkpoint::codec_of;
use crate::recipe::Recipe;
use crate::shard::Shard;

/// A system in any build.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SystemName {
    /// Its name.
    pub name: String,
    /// How many systems of that name come before it: closures of one function have the same.
    pub before: u16,
}

codec_of!(SystemName { name, before });

/// The systems that do not run.
#[derive(Debug, Default)]
pub(crate) struct Quarantine {
    /// By their numbers in this build.
    numbers: BTreeSet<u16>,
    /// Those that this build has not.
    unknown: BTreeSet<SystemName>,
}

impl Quarantine {
    /// Whether the system with this number is not to run.
    pub(crate) fn holds(&self, number: u16) -> bool {
        self.numbers.contains(&number)
    }

    pub(crate) fn add(&mut self, system: SystemName, recipe: &Recipe) {
        match number_of(recipe, &system) {
            Some(number) => self.numbers.insert(number),
            None => self.unknown.insert(system),
        };
    }

    /// All of them, ascending.
    pub(crate) fn names(&self, recipe: &Recipe) -> Vec<SystemName> {
        let known = self.numbers.iter();
        let known = known.filter_map(|&number| name_of(recipe, number));
        let all: BTreeSet<SystemName> = known.chain(self.unknown.iter().cloned()).collect();
        all.into_iter().collect()
    }
}

impl Shard {
    /// The system that was running when this shard panicked: its number and its name.
    #[must_use]
    pub fn blamed(&self) -> Option<(u16, &'static str)> {
        let number = self.running.get()?;
        let system = self.recipe.systems.get(usize::from(number))?;
        Some((number, system.name))
    }

    /// The systems that do not run on this shard any more.
    pub fn quarantined(&self) -> impl Iterator<Item = &'static str> {
        let numbers = self.quarantine.numbers.iter();
        numbers.filter_map(|&number| Some(self.recipe.systems.get(usize::from(number))?.name))
    }

    /// Those that another build quarantined and that this one has not.
    pub fn quarantined_unknown(&self) -> impl Iterator<Item = &str> {
        self.quarantine.unknown.iter().map(|system| &*system.name)
    }

    /// From now on the system with this number does not run on this shard, if there is one.
    pub fn quarantine(&mut self, system: u16) {
        if let Some(system) = name_of(&self.recipe, system) {
            self.quarantine_named(system);
        }
    }

    pub(crate) fn quarantine_named(&mut self, system: SystemName) {
        self.calls.keep(|| Call::Quarantine(system.clone()));
        self.quarantine.add(system, &self.recipe);
    }

    /// From now on all systems run again on this shard.
    pub fn run_all_systems(&mut self) {
        self.calls.keep(|| Call::RunAllSystems);
        self.quarantine = Quarantine::default();
    }
}

fn name_of(recipe: &Recipe, number: u16) -> Option<SystemName> {
    let number = usize::from(number);
    let name = recipe.systems.get(number)?.name;
    let before = recipe.systems[..number].iter();
    let before = before.filter(|system| system.name == name).count();
    Some(SystemName {
        name: name.to_owned(),
        before: u16::try_from(before).ok()?,
    })
}

fn number_of(recipe: &Recipe, system: &SystemName) -> Option<u16> {
    let systems = (0u16..).zip(&recipe.systems);
    let mut namesakes = systems.filter(|(_, other)| other.name == system.name);
    let (number, _) = namesakes.nth(usize::from(system.before))?;
    Some(number)
}
