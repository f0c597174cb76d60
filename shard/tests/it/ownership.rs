//! One owner each, complete ghosts, and a digest that does not know how many shards there are.

use worldshard_spatial::{IndexKind, Metric};

use crate::drift::{config, recipe};
use crate::lockstep::Lockstep;

fn digests(metric: Metric, index: IndexKind, shards: u16, ticks: u64) -> (Vec<u128>, u64) {
    let mut world = Lockstep::new(recipe(config(metric, index, 7), 400), shards);
    let digests = (0..ticks)
        .map(|_| {
            world.step();
            world.entities();
            world.digest()
        })
        .collect();
    let handoffs = world
        .shards
        .iter()
        .map(|shard| shard.stats().handoffs_in)
        .sum();
    (digests, handoffs)
}

#[test]
fn digest_does_not_depend_on_the_number_of_shards() {
    for metric in [Metric::Plane, Metric::Flat, Metric::Solid] {
        let (alone, handoffs) = digests(metric, IndexKind::Grid, 1, 60);
        assert_eq!(handoffs, 0);
        for shards in [2, 4, 8] {
            let (many, handoffs) = digests(metric, IndexKind::Grid, shards, 60);
            assert!(
                handoffs > 50,
                "{metric:?}, {shards} shards: {handoffs} handoffs are too few to prove anything"
            );
            assert_eq!(alone, many, "{metric:?}, {shards} shards");
        }
    }
}

#[test]
fn digest_does_not_depend_on_the_kind_of_index() {
    let (grid, _) = digests(Metric::Plane, IndexKind::Grid, 4, 40);
    let (tree, _) = digests(Metric::Plane, IndexKind::Tree, 2, 40);
    assert_eq!(grid, tree);
}

#[test]
fn digest_depends_on_the_seed() {
    let run = |seed| {
        let mut world = Lockstep::new(recipe(config(Metric::Plane, IndexKind::Grid, seed), 50), 2);
        world.step();
        world.digest()
    };
    assert_ne!(run(1), run(2));
}

#[test]
fn view_holds_all_that_is_within_the_border_and_nothing_twice() {
    let mut world = Lockstep::new(recipe(config(Metric::Plane, IndexKind::Grid, 3), 500), 5);
    let width_m = world.config.border_width_m();
    for _ in 0..30 {
        world.step();
        let all = world.entities();
        for shard in &world.shards {
            let view = shard.view();
            let mut held: Vec<_> = (0..view.len() as u32).map(|rank| view.id(rank)).collect();
            held.sort_unstable();
            assert!(
                held.windows(2).all(|pair| pair[0] < pair[1]),
                "an entity stands in a view twice"
            );
            for (id, (at, owner)) in &all {
                let near = shard.cell_map().distance_squared(shard.own(), *at) <= width_m * width_m;
                let present = held.binary_search(id).is_ok();
                assert_eq!(
                    present,
                    near || *owner == shard.own(),
                    "{id} at {at:?} in the view of {}",
                    shard.own()
                );
            }
        }
    }
}
