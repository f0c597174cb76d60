//! A world that one process after another opens: none trips over what the one before left behind.

use super::*;

/// What shard 0 is told of a tick that no other shard begins.
fn begin_alone(living: &mut Living) {
    let (tick, command) = (
        living.tick.next(),
        CommandBody::Steer(Point::flat(1.0, 0.0)),
    );
    let session = living.session(0);
    let home = living
        .shards
        .iter()
        .position(|shard| shard.viewer(session).is_some());
    let shard = &mut living.shards[home.unwrap_or(0)];
    shard.command(Command {
        session,
        sequence: living.sequence + 1,
        client_sequence: living.sequence + 1,
        body: command,
    });
    let _ = shard.advance(tick);
    let (own, calls) = (shard.own(), shard.take_calls());
    let chunk = Chunk {
        shard: own,
        tick,
        calls,
    };
    living
        .keeper
        .append(own, tick, &piece(&chunk), false)
        .unwrap();
    living.keeper.commit().unwrap();
}

#[test]
fn what_one_shard_began_in_vain_is_no_part_of_the_world() {
    let mut living = Living::begin(2);
    living.run(25, 10);
    begin_alone(&mut living);
    let mut second = living.reopened();
    assert_eq!(second.tick, Tick(25));
    // It ends the same way, twice, before a tick of its own is whole; the third goes on.
    begin_alone(&mut second);
    let mut third = second.reopened().reopened();
    third.run(3, 100);
    for damaged in [None, Some(Tick(25))] {
        if let Some(tick) = damaged {
            third.damage(FileName::Checkpoint(tick, ShardId(1)), |bytes| {
                bytes[40] ^= 1
            });
        }
        let recovered = third.recover().unwrap();
        assert_eq!(
            digest_of(&recovered),
            third.digests[&recovered.tick],
            "{damaged:?}"
        );
        assert_eq!(recovered.tick, Tick(28));
    }
}

#[test]
fn sessions_of_a_process_before_leave_from_whichever_generation_the_world_comes_back() {
    let mut living = Living::begin(2);
    living.run(25, 10);
    // One that is about to join when the process ends.
    let late = SessionId::new(1, 9);
    let join = Join {
        mode: ViewpointMode::Avatar,
        at: living.opening.recipe.config.bounds.min,
        interest: Interest::Radius(20.0),
        full: false,
        author: 9,
        generation: 0,
    };
    living.shards[1].command(Command {
        session: late,
        sequence: 1,
        client_sequence: 1,
        body: CommandBody::Join(join),
    });
    let calls = living.shards[1].take_calls();
    let chunk = Chunk {
        shard: ShardId(1),
        tick: living.tick,
        calls,
    };
    living
        .keeper
        .append(chunk.shard, chunk.tick, &piece(&chunk), false)
        .unwrap();
    living.keeper.commit().unwrap();
    let mut second = living.reopened();
    second.run(3, 100);
    let before: Vec<SessionId> = (0..6).map(|number| living.session(number)).collect();
    let of_before = |shard: &Shard| {
        let mut sessions = shard.sessions();
        sessions.any(|session| session == late || before.contains(&session))
    };
    assert!(!second.shards.iter().any(of_before));
    second.damage(FileName::Checkpoint(Tick(25), ShardId(0)), |bytes| {
        bytes[40] ^= 1
    });
    let recovered = second.recover().unwrap();
    assert_eq!((recovered.tick, recovered.checkpoint), (Tick(28), Tick(20)));
    assert_eq!(digest_of(&recovered), second.digests[&Tick(28)]);
    assert!(!recovered.shards.iter().any(of_before));
}

#[test]
fn a_journal_begins_when_the_one_before_it_is_complete() {
    let store = Arc::new(Memory::default());
    let kept: Arc<dyn Store> = store.clone();
    let mut keeper = Keeper::new(kept, 2, Tick(9), 2);
    let append = |keeper: &mut Keeper, shard, tick, closes| {
        let calls = vec![Call::Advance(tick)];
        let bytes = piece(&Chunk { shard, tick, calls });
        keeper.append(shard, tick, &bytes, closes).unwrap();
    };
    let (one, other) = (ShardId(0), ShardId(1));
    append(&mut keeper, one, Tick(10), true);
    append(&mut keeper, one, Tick(11), false);
    append(&mut keeper, other, Tick(10), false);
    assert_eq!(
        (keeper.commit().unwrap(), keeper.complete()),
        (Tick(10), Tick(9))
    );
    assert_eq!(store.list().unwrap(), ["journal-000000000009.wsj"]);
    append(&mut keeper, other, Tick(10), true);
    append(&mut keeper, other, Tick(11), false);
    assert_eq!(
        (keeper.commit().unwrap(), keeper.complete()),
        (Tick(11), Tick(10))
    );
    let second = store.read("journal-000000000010.wsj").unwrap();
    assert_eq!(read_journal(&second).0.len(), 2);
}

#[test]
fn generations_of_a_process_before_count_among_those_that_are_kept() {
    let mut living = Living::begin(2);
    living.run(25, 10);
    let mut second = living.reopened();
    second.keeper = Keeper::new(second.store.clone(), 2, second.tick, 3);
    let kept = |second: &Living| {
        let names = second.store.list().unwrap();
        let names = names.iter().filter_map(|name| FileName::parse(name));
        complete(&names.collect::<Vec<_>>(), 2)
    };
    assert!(kept(&second).into_iter().eq([10, 20, 25].map(Tick)));
    second.run(5, 10);
    assert!(kept(&second).into_iter().eq([20, 25, 30].map(Tick)));
    let opening = Opening {
        until: Some(Tick(21)),
        ..second.opening.clone()
    };
    let recovered = recover(&*second.store, &opening).unwrap().unwrap();
    assert_eq!(digest_of(&recovered), living.digests[&Tick(21)]);
}
