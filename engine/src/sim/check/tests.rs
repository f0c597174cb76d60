use std::sync::OnceLock;
use std::time::Duration;

use super::{Check, Checkers, Finding, Subject};
use crate::prelude::*;
use crate::sim::{EventKind, EventSeen, Observed, ViewerSeen};
use scene::Scene;

mod kept;
mod scene;

/// A good run: ticks in a row, with entities crossing, ghosts, births, deltas and commands.
fn good() -> Vec<Observed> {
    static RUN: OnceLock<Vec<Observed>> = OnceLock::new();
    let run = || {
        let mut scene = Scene::new(4, 6);
        (0..TICKS).map(|_| scene.step()).collect()
    };
    RUN.get_or_init(run).clone()
}

/// Makes one fact wrong.
type Tamper = fn(&mut Observed);

/// Looks at all; what is found first.
fn look(run: &[Observed]) -> Result<Checkers, Finding> {
    let mut checkers = Checkers::new(Check::All);
    for now in run {
        checkers.look(now)?;
    }
    Ok(checkers)
}

/// Tampers with the last tick of a good run; `checker` and nobody else must find it, and name `subject`.
fn check(checker: &str, tamper: impl FnOnce(&mut Observed) -> Subject) -> Finding {
    let mut run = good();
    let last = run.last_mut().unwrap();
    let (tick, subject) = (last.tick, tamper(last));
    let finding = look(&run).err().expect("what was tampered with is found");
    assert_eq!(finding.checker, checker, "{finding}");
    assert_eq!(
        (finding.tick, finding.subject),
        (tick, subject),
        "{finding}"
    );
    assert!(!finding.detail.is_empty());
    finding
}

#[test]
fn a_good_run_is_found_good_and_much_is_checked() {
    let run = good();
    let checkers = look(&run).unwrap_or_else(|finding| panic!("{finding}"));
    for (name, checks) in checkers.checks() {
        let least = if *name == "events" { 6 } else { 3 * TICKS };
        assert!(*checks >= least, "{name}: {checks}");
    }
    let last = run.last().unwrap();
    let sum = |counter: fn(&worldshard_shard::ShardStats) -> u64| {
        last.shards
            .iter()
            .map(|one| counter(&one.stats))
            .sum::<u64>()
    };
    assert!(sum(|stats| stats.handoffs_in) > 20);
    assert!(sum(|stats| stats.births) >= 3 && sum(|stats| stats.enters) > 100);
    assert!(last.shards.iter().all(|one| one.ghosts.len() > 10));
    assert!(
        last.clients
            .iter()
            .all(|one| one.is_in && one.seen.len() > 3)
    );
}

#[test]
fn an_entity_that_vanishes_from_its_owner_is_found() {
    let finding = check("owners", |now| {
        let gone = now.shards[2].entities.remove(5);
        Subject::Entity(gone.id)
    });
    assert!(finding.detail.contains("vanished"), "{finding}");
}

#[test]
fn an_entity_with_two_owners_is_found() {
    let finding = check("owners", |now| {
        let one = now.shards[1].entities[3];
        now.shards[3].entities.push(one);
        Subject::Entity(one.id)
    });
    assert!(
        finding.detail.contains("shard 1 and by shard 3"),
        "{finding}"
    );
}

#[test]
fn an_entity_that_appears_without_a_birth_is_found() {
    check("owners", |now| {
        let mut one = *now.shards[0].entities.last().unwrap();
        one.id = EntityId(now.entities().last().unwrap().0.id.0 + 1);
        now.shards[0].entities.push(one);
        Subject::Entity(one.id)
    });
}

#[test]
fn an_entity_that_its_owner_should_have_handed_over_is_found() {
    let finding = check("owners", |now| {
        let far = now.cell_map.territory(ShardId(3)).centre();
        let stray = &mut now.shards[0].entities[4];
        stray.at = far;
        Subject::Entity(stray.id)
    });
    assert!(finding.detail.contains("beyond its ground"), "{finding}");
}

#[test]
fn an_entity_that_changes_its_owner_without_need_is_found() {
    // Just inside the ground of the next shard: near enough for the former to keep it.
    let mut run = good();
    let last = run.last_mut().unwrap();
    let line = last.cell_map.territory(ShardId(0)).max;
    let near = |at: Point| (line.x - at.x).abs() < 0.5 || (line.y - at.y).abs() < 0.5;
    let at = last.shards[0].entities.iter().position(|one| near(one.at));
    let mut moved = last.shards[0]
        .entities
        .remove(at.expect("a crowd stands at every line"));
    let beyond = Point::flat(0.01, 0.01);
    moved.at = if (line.x - moved.at.x).abs() < 0.5 {
        Point::flat(line.x + beyond.x, moved.at.y)
    } else {
        Point::flat(moved.at.x, line.y + beyond.y)
    };
    let owner = usize::from(last.cell_map.owner_of(moved.at).0);
    assert_ne!(owner, 0);
    last.shards[owner].entities.push(moved);
    let finding = look(&run).err().expect("what was tampered with is found");
    assert_eq!(
        (finding.checker, finding.subject),
        ("owners", Subject::Entity(moved.id))
    );
    assert!(finding.detail.contains("without need"), "{finding}");
}

#[test]
fn a_handoff_that_was_counted_on_one_side_only_is_found() {
    check("owners", |now| {
        now.shards[1].stats.handoffs_in += 1;
        Subject::World
    });
}

#[test]
fn an_audit_that_failed_stands_still_or_miscounts_is_found() {
    let shard = Subject::Shard(ShardId(2));
    check("audit", |now| {
        now.shards[2].audit_failures = 1;
        shard
    });
    check("audit", |now| {
        now.shards[2].audit_checks -= 1;
        shard
    });
    check("audit", |now| {
        now.shards[2].stats.entities += 1;
        shard
    });
}

#[test]
fn a_ghost_that_is_missing_moved_stale_or_of_another_owner_is_found() {
    let tampers: [fn(&mut Observed, usize); 4] = [
        |now, at| {
            now.shards[1].ghosts.remove(at);
        },
        |now, at| now.shards[1].ghosts[at].at.x += 0.25,
        |now, at| now.shards[1].ghosts[at].shared ^= 1,
        |now, at| now.shards[1].ghosts[at].owner = ShardId(1),
    ];
    for tamper in tampers {
        check("ghosts", |now| {
            let at = now.shards[1].ghosts.len() / 2;
            let id = now.shards[1].ghosts[at].id;
            let held = now.shards[1].stats.ghosts;
            tamper(now, at);
            now.shards[1].stats.ghosts = now.shards[1].ghosts.len() as u64;
            assert!(held > 10);
            Subject::Entity(id)
        });
    }
}

#[test]
fn a_ghost_beyond_the_border_is_found() {
    let finding = check("ghosts", |now| {
        let seen = &now.shards[0];
        let unseen = |id| seen.ghosts.iter().all(|ghost| ghost.id != id);
        let foreign = |one: &&(crate::sim::EntitySeen, ShardId)| one.1 != ShardId(0);
        let all = now.entities();
        let (one, owner) = *all
            .iter()
            .filter(foreign)
            .find(|one| unseen(one.0.id))
            .unwrap();
        let mut ghost = seen.ghosts[0];
        (ghost.id, ghost.at, ghost.owner) = (one.id, one.at, owner);
        (ghost.shared, ghost.shown) = (one.shared, one.shown);
        let seen = &mut now.shards[0];
        seen.ghosts.push(ghost);
        seen.stats.ghosts += 1;
        Subject::Entity(one.id)
    });
    assert!(finding.detail.contains("must not have"), "{finding}");
}

#[test]
fn a_client_that_misses_keeps_or_misplaces_an_entity_is_found() {
    let tampers: [fn(&mut Observed, usize); 4] = [
        |now, number| {
            now.clients[number].seen.remove(1);
        },
        |now, number| {
            let mut double = now.clients[number].seen[0];
            double.id = EntityId(EntityId::MAX.0 - 1);
            now.clients[number].seen.push(double);
        },
        |now, number| now.clients[number].seen[1].at.y += 0.125,
        |now, number| now.clients[number].seen[1].shown ^= 1,
    ];
    for (number, tamper) in (0..6).zip(tampers.into_iter().cycle()) {
        check("visible", |now| {
            tamper(now, number);
            Subject::Session(now.clients[number].session)
        });
    }
}

#[test]
fn a_client_that_was_not_told_of_the_newest_state_is_found() {
    // It has read every delta that was built, so there should have been another.
    let mut run = good();
    let (last, before) = run.split_last_mut().unwrap();
    let session = last.clients[0].session;
    let told = before
        .last()
        .unwrap()
        .viewer(session)
        .unwrap()
        .0
        .stats
        .delta_sequence;
    for shard in &mut last.shards {
        for viewer in shard
            .viewers
            .iter_mut()
            .filter(|one| one.session == session)
        {
            viewer.stats.delta_sequence = told;
        }
    }
    assert_eq!(last.clients[0].delta_sequence, told);
    let finding = look(&run).err().expect("what was tampered with is found");
    assert_eq!(
        (finding.checker, finding.subject),
        ("visible", Subject::Session(session))
    );
}

#[test]
fn a_viewpoint_that_is_not_where_its_avatar_is_is_found() {
    check("visible", |now| {
        let viewer = viewer_of(now, 2);
        viewer.stats.at.x += 0.5;
        Subject::Session(viewer.session)
    });
}

#[test]
fn a_delta_that_is_lost_or_repeated_is_found() {
    for (from, to) in [(0, 1), (0, -1)] {
        let finding = check("continuity", |now| {
            let client = &mut now.clients[3];
            let delta = client.deltas.last_mut().expect("it hears of every tick");
            delta.sequence = delta.sequence.checked_add_signed(to).unwrap();
            Subject::Session(client.session)
        });
        assert!(
            finding.detail.contains("follows delta"),
            "{from}: {finding}"
        );
    }
}

#[test]
fn a_command_that_is_lost_taken_back_or_refused_twice_is_found() {
    check("continuity", |now| {
        let client = &mut now.clients[2];
        client.deltas.last_mut().unwrap().command_sequence = 0;
        Subject::Session(client.session)
    });
    check("continuity", |now| {
        let client = &mut now.clients[2];
        client.refused.extend([3, 3]);
        Subject::Session(client.session)
    });
    check("continuity", |now| {
        let viewer = viewer_of(now, 2);
        viewer.stats.commands_done -= 1;
        Subject::Session(viewer.session)
    });
    check("continuity", |now| {
        now.shards[0].stats.commands_applied += 1_000;
        Subject::World
    });
}

#[test]
fn a_run_that_ends_badly_is_found_at_the_end() {
    let mut scene = Scene::new(3, 6);
    let mut checkers = Checkers::new(Check::All);
    for _ in 0..20 {
        pass(checkers.look(&scene.step()));
    }
    // What is said to a viewpoint that has just gone reaches it a tick later.
    let mut end = scene.end();
    for _ in 0..3 {
        pass(checkers.look(&end));
        end = scene.end();
    }
    pass(checkers.look(&end));
    pass(checkers.finish(&end));
    let session = Subject::Session(end.clients[4].session);
    let tampers: [(&str, Subject, Tamper); 4] = [
        ("continuity", session, |end| {
            end.clients[4].command_sent += 1
        }),
        ("continuity", Subject::World, |end| {
            end.shards[0].hub.commands += 1
        }),
        ("visible", session, |end| end.clients[4].delta_sequence -= 1),
        ("events", Subject::Shard(ShardId(2)), |end| {
            end.shards[2].hub.opened += 1
        }),
    ];
    for (checker, subject, tamper) in tampers {
        let mut end = end.clone();
        tamper(&mut end);
        let finding = checkers
            .finish(&end)
            .expect_err("what was tampered with is found");
        assert_eq!(
            (finding.checker, finding.subject),
            (checker, subject),
            "{finding}"
        );
    }
}

#[test]
fn an_avatar_that_is_another_after_a_crossing_is_found() {
    check("continuity", |now| {
        let client = &mut now.clients[2];
        client.avatar = client.avatar.map(|avatar| EntityId(avatar.0 + 1));
        Subject::Session(client.session)
    });
}

#[test]
fn an_interest_that_was_lost_is_found() {
    let finding = check("continuity", |now| {
        let client = &mut now.clients[2];
        client.interest = (0, worldshard_shard::Interest::Radius(3.0));
        Subject::Session(client.session)
    });
    assert!(finding.detail.contains("asked in command 0"), "{finding}");
}

#[test]
fn a_viewpoint_that_is_lost_or_doubled_is_found() {
    check("continuity", |now| {
        let session = now.clients[1].session;
        for shard in &mut now.shards {
            shard.viewers.retain(|viewer| viewer.session != session);
        }
        Subject::Session(session)
    });
    check("continuity", |now| {
        // A camera: an avatar's double would look through an entity that is not there.
        let viewer = *viewer_of(now, 1);
        let elsewhere = now
            .shards
            .iter_mut()
            .find(|shard| !shard.viewers.contains(&viewer));
        elsewhere.unwrap().viewers.push(viewer);
        Subject::Session(viewer.session)
    });
}

#[test]
fn a_session_with_credits_that_is_passed_over_is_found() {
    check("continuity", |now| {
        let tick = now.tick;
        let viewer = viewer_of(now, 1);
        viewer.stats.built = Some(Tick(tick.0 - 1));
        Subject::Session(viewer.session)
    });
}

#[test]
fn a_bound_that_is_exceeded_is_found() {
    let tampers: [Tamper; 5] = [
        |now| now.shards[1].stats.undelivered_sessions = 1 << 20,
        |now| now.shards[1].hub.queue_bytes_largest = usize::MAX,
        |now| now.shards[1].hub.faults = 1,
        |now| now.mailboxes[1].letters = 17,
        |now| now.mailboxes[1].envelopes = 3,
    ];
    for tamper in tampers {
        check("bounds", |now| {
            tamper(now);
            Subject::Shard(ShardId(1))
        });
    }
    let credits_max = worldshard_shard::Limits::default().credits_max as usize;
    check("bounds", |now| {
        let viewer = viewer_of(now, 0);
        viewer.stats.in_flight = credits_max + 1;
        Subject::Session(viewer.session)
    });
    check("bounds", |now| {
        let viewer = viewer_of(now, 0);
        viewer.stats.commands_pending = 1025;
        Subject::Session(viewer.session)
    });
}

#[test]
fn a_schedule_that_loses_or_invents_time_is_found() {
    let tampers: [Tamper; 5] = [
        |now| now.paces[1].begun += 1,
        |now| now.paces[1].lag_ticks -= 1,
        |now| now.paces[1].lag_times = 0,
        |now| now.paces[1].early = 1,
        |now| now.paces[1].behind_most = Duration::from_millis(251),
    ];
    for tamper in tampers {
        check("pace", |now| {
            tamper(now);
            Subject::Shard(ShardId(1))
        });
    }
}

#[test]
fn an_event_outside_the_pair_of_a_session_is_found() {
    for kind in [EventKind::Opened, EventKind::Closed] {
        check("events", |now| {
            let session = now.clients[0].session;
            let event = |kind| EventSeen { session, kind };
            now.events.extend([event(EventKind::Closed), event(kind)]);
            Subject::Session(session)
        });
    }
    check("events", |now| {
        let session = SessionId::new(3, 77);
        let kind = EventKind::Message;
        now.events.push(EventSeen { session, kind });
        Subject::Session(session)
    });
}

#[test]
fn a_sample_is_some_ticks_in_a_row_and_a_good_run_is_found_good_by_it() {
    let run = good();
    let mut checkers = Checkers::new(Check::Sample);
    let mut looked = Vec::new();
    for now in run.iter().filter(|now| now.tick.0 % 64 < 8) {
        assert!(checkers.due(now.tick));
        looked.push(now.tick.0);
        pass(checkers.look(now));
    }
    assert!(!checkers.due(Tick(63)) && looked.contains(&64) && looked.contains(&71));
    assert!(checkers.checks()["visible"] > 10);
    assert!(!Checkers::new(Check::None).due(Tick(1)));
}

fn pass(looked: Result<(), Finding>) {
    looked.unwrap_or_else(|finding| panic!("{finding}"));
}

/// The viewpoint of a client.
fn viewer_of(now: &mut Observed, number: usize) -> &mut ViewerSeen {
    let session = now.clients[number].session;
    let mut viewers = now.shards.iter_mut().flat_map(|shard| &mut shard.viewers);
    viewers.find(|viewer| viewer.session == session).unwrap()
}

const TICKS: u64 = 80;
