//! A world that is kept by checkpoints alone: it comes back as its last checkpoint of all shards has it.

use super::*;

/// A world whose process keeps no journal, and says so.
fn unjournaled(ticks: u64) -> Living {
    let mut living = Living::begin(2);
    living.journal = false;
    say_so(&living);
    living.run(ticks, 10);
    living
}

fn say_so(living: &Living) {
    let mut manifest = Manifest::of("flock", &living.opening.recipe, 2, BTreeMap::new());
    (manifest.begun, manifest.journal) = (true, living.journal);
    let name = FileName::Manifest.to_string();
    living.store.write(&name, &manifest.to_bytes()).unwrap();
}

/// One shard's checkpoint of a later tick, as a crash between two of them leaves it.
fn checkpoint_alone(living: &Living, shard: u16) {
    let name = FileName::Checkpoint(living.tick, ShardId(shard));
    let archive = living.shards[usize::from(shard)].freeze().encode();
    let file = checkpoint_file(&archive);
    living.store.write(&name.to_string(), &file).unwrap();
}

fn accepting(living: &Living) -> Opening {
    Opening {
        accept_loss: true,
        ..living.opening.clone()
    }
}

#[test]
fn a_checkpoint_that_not_all_shards_have_is_passed_over() {
    let mut living = unjournaled(25);
    assert!(
        !living
            .store
            .list()
            .unwrap()
            .iter()
            .any(|name| name.ends_with(".wsj"))
    );
    for shard in [0, 1] {
        checkpoint_alone(&living, shard);
        let recovered = living.recover().unwrap();
        // When the second is there, it is of all shards.
        let tick = [Tick(20), Tick(25)][usize::from(shard)];
        assert_eq!((recovered.tick, recovered.checkpoint), (tick, tick));
        assert_eq!(digest_of(&recovered), living.digests[&tick]);
        assert_eq!(recovered.notes.len(), 1 - usize::from(shard));
    }
    // One that failed between two others stays for good, and is in nobody's way.
    living.step();
    checkpoint_alone(&living, 1);
    living.step();
    living.checkpoint();
    living.step();
    checkpoint_alone(&living, 0);
    assert_eq!(living.recover().unwrap().tick, Tick(27));
    let mut next = living.reopened();
    assert_eq!(next.tick, Tick(27));
    next.run(12, 10);
    assert_eq!(next.recover().unwrap().tick, Tick(30));
}

#[test]
fn a_checkpoint_of_all_shards_that_is_damaged_is_a_loss_and_refused() {
    let living = unjournaled(25);
    living.damage(FileName::Checkpoint(Tick(20), ShardId(1)), |bytes| {
        bytes[40] ^= 1
    });
    let refused = living.recover().err().unwrap();
    let is_lost = matches!(
        refused,
        DurableError::Broken {
            reach: Tick(10),
            ..
        }
    );
    assert!(is_lost, "{refused}");
    let recovered = recover(&*living.store, &accepting(&living))
        .unwrap()
        .unwrap();
    assert_eq!(digest_of(&recovered), living.digests[&Tick(10)]);
}

#[test]
fn with_a_journal_calls_that_are_missing_before_a_checkpoint_are_still_refused() {
    let mut living = Living::begin(2);
    say_so(&living);
    living.run(25, 10);
    checkpoint_alone(&living, 0);
    assert_eq!(living.recover().unwrap().tick, Tick(25));
    let journal = FileName::Journal(Tick(20)).to_string();
    living.store.remove(&journal).unwrap();
    let refused = living.recover().err().unwrap().to_string();
    let expected = "ends with tick 20, before the checkpoint of 25";
    assert!(refused.contains(expected), "{refused}");
}

#[test]
fn a_world_may_be_kept_in_one_way_and_then_in_the_other() {
    let mut living = Living::begin(2);
    say_so(&living);
    living.run(25, 10);
    for journal in [false, true, false] {
        living = living.reopened();
        living.journal = journal;
        say_so(&living);
        let from = living.tick;
        living.run(17, 10);
        checkpoint_alone(&living, 1);
        let last = if journal {
            from.0 + 17
        } else {
            (from.0 + 17) / 10 * 10
        };
        let recovered = living.recover().unwrap();
        assert_eq!(recovered.tick, Tick(last));
        assert_eq!(digest_of(&recovered), living.digests[&recovered.tick]);
    }
}
