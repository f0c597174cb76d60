//! Systems that are quarantined, over checkpoints and in builds that have other systems.

use std::sync::{Arc, Mutex};

use worldshard_shard::{Call, Keep, NamedSystem, Recipe, Shard, WorldConfig};
use worldshard_spatial::{CellMap, ShardId};

/// What ran, in order.
type Ran = Arc<Mutex<Vec<&'static str>>>;

/// A build with these systems: what each is called, and by what it is known here.
fn build(systems: &[(&'static str, &'static str)], ran: &Ran) -> (Arc<Recipe>, Arc<CellMap>) {
    let mut recipe = Recipe::new(WorldConfig::default());
    recipe.systems = systems
        .iter()
        .map(|&(name, mark)| {
            let ran = Arc::clone(ran);
            let run = Arc::new(move |_: &mut worldshard_shard::Step<'_>| {
                ran.lock().unwrap().push(mark);
            });
            NamedSystem { name, run }
        })
        .collect();
    let cell_map = CellMap::balanced(recipe.config.grid().unwrap(), 1, None).unwrap();
    (Arc::new(recipe), Arc::new(cell_map))
}

fn new(systems: &[(&'static str, &'static str)], ran: &Ran) -> Shard {
    let (recipe, cell_map) = build(systems, ran);
    let mut shard = Shard::new(ShardId(0), recipe, cell_map).unwrap();
    shard.keep_calls(Keep::All);
    shard
}

/// The same world in another build.
fn moved(shard: &Shard, systems: &[(&'static str, &'static str)], ran: &Ran) -> Shard {
    let (recipe, cell_map) = build(systems, ran);
    Shard::restore(ShardId(0), recipe, cell_map, &shard.freeze().encode()).unwrap()
}

/// What runs in the next tick.
fn step(shard: &mut Shard, ran: &Ran) -> Vec<&'static str> {
    let tick = shard.tick().next();
    shard.advance(tick);
    shard.absorb(tick, &mut []);
    std::mem::take(&mut *ran.lock().unwrap())
}

#[test]
fn a_quarantine_is_of_a_system_wherever_another_build_has_it() {
    let ran = Ran::default();
    // Closures of one function have one name.
    let systems = [("herd", "a"), ("herd", "b"), ("graze", "c"), ("sleep", "d")];
    let mut shard = new(&systems, &ran);
    shard.quarantine(1);
    shard.quarantine(2);
    assert_eq!(step(&mut shard, &ran), ["a", "d"]);
    let other = [("sleep", "d"), ("graze", "c"), ("herd", "a"), ("herd", "b")];
    let mut restored = moved(&shard, &other, &ran);
    assert_eq!(step(&mut restored, &ran), ["d", "a"]);
    assert!(restored.quarantined().eq(["graze", "herd"]));
    // So it is when the calls come again.
    let mut again = new(&other, &ran);
    shard
        .take_calls()
        .into_iter()
        .for_each(|call| again.say_again(call));
    ran.lock().unwrap().clear();
    assert_eq!(step(&mut again, &ran), ["d", "a"]);
}

#[test]
fn a_quarantined_system_that_a_build_has_not_is_known_until_all_run_again() {
    let ran = Ran::default();
    let both = [("herd", "a"), ("graze", "b")];
    let mut shard = new(&both, &ran);
    shard.quarantine(0);
    let mut without = moved(&shard, &both[1..], &ran);
    assert_eq!(step(&mut without, &ran), ["b"]);
    assert_eq!(without.quarantined().count(), 0);
    assert!(without.quarantined_unknown().eq(["herd"]));
    let mut with = moved(&without, &both, &ran);
    assert_eq!(step(&mut with, &ran), ["b"]);
    with.keep_calls(Keep::All);
    with.run_all_systems();
    assert_eq!(step(&mut with, &ran), ["a", "b"]);
    assert!(matches!(with.take_calls()[0], Call::RunAllSystems));
    without.run_all_systems();
    assert_eq!(without.quarantined_unknown().count(), 0);
    let mut with = moved(&without, &both, &ran);
    assert_eq!(step(&mut with, &ran), ["a", "b"]);
}
