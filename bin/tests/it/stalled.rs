//! Clients of which some stop reading: the others notice nothing, the server holds no more for it, and who reads again
//! catches up with one delta.
//!
//! WORLDSHARD_FULL=1 runs it with 1000 clients for three minutes, and holds the others' latest deltas against quiet rounds.

use std::process::Command;
use std::time::{Duration, Instant};

use worldshard_client::protocol::ViewpointMode;

use crate::fleet::{Fleet, Member, place};
use crate::server::{PROGRAM, Server, Status, Usage, WAIT, full, now, on_each_runtime};

on_each_runtime!(clients_that_stop_reading_cost_the_others_nothing_and_catch_up_with_one_delta);

/// How large and how long.
struct Size {
    clients: usize,
    stalled: usize,
    /// Each phase is measured in so many parts.
    rounds: u32,
    quiet: Duration,
    stall: Duration,
}

impl Size {
    fn wanted() -> Self {
        if full() {
            return Self {
                clients: 1000,
                stalled: 10,
                rounds: 5,
                quiet: Duration::from_secs(50),
                stall: Duration::from_secs(60),
            };
        }
        Self {
            clients: 100,
            stalled: 3,
            rounds: 1,
            quiet: Duration::from_millis(1500),
            stall: Duration::from_millis(3000),
        }
    }
}

fn clients_that_stop_reading_cost_the_others_nothing_and_catch_up_with_one_delta(runtime: &str) {
    let size = Size::wanted();
    let args = [
        "--entities",
        "2000",
        "--shards",
        "2",
        "--interest-radius",
        "16",
    ];
    // Huge pages would count memory by two megabytes.
    let mut command = Command::new(PROGRAM);
    command.env("MIMALLOC_ALLOW_THP", "0");
    let server = Server::start_by(command, runtime, &args);
    let mut fleet = Fleet::join(&server, size.clients, ViewpointMode::Camera, RADIUS_M);
    println!(
        "{runtime}, {} clients, {} stalled",
        size.clients, size.stalled
    );
    let mut quiet = Phase::rounds("quiet", &server, &mut fleet, size.quiet, size.rounds);
    let stalled = who_stalls(&fleet, size.stalled);
    for &one in &stalled {
        fleet.members[one].reads = false;
    }
    let began = now();
    let starving = until_starving(&server, &mut fleet, &stalled);
    let left = size.stall.saturating_sub(began.elapsed());
    let stall = Phase::rounds("stalled", &server, &mut fleet, left, size.rounds);
    let status = server.status();
    status.assert_bounded();
    status.assert_audited();
    let starved = Starved::all(&status, &fleet, &stalled);
    judge_others(&quiet, &stall);
    judge_starving(&starving, &starved);
    let resident_kib = |phases: &[Phase]| phases.last().unwrap().after.resident_kib;
    let grown_kib = resident_kib(&stall).saturating_sub(resident_kib(&quiet));
    assert!(grown_kib <= GROWTH_KIB_MAX, "{grown_kib} KiB more");

    let gaps = resume(&server, &mut fleet, &stalled, &starved);
    judge_starved_ticks(&server, &mut fleet, &stalled, &gaps);
    let seen = stalled
        .iter()
        .map(|&one| compare_with_a_newcomer(&server, &mut fleet.members[one], one));
    assert!(seen.sum::<usize>() > 20, "the world is empty");
    if full() {
        // Before and after the stall, so that what the world's own course costs is in both.
        let again = Phase::rounds("quiet", &server, &mut fleet, size.quiet, size.rounds);
        quiet.extend(again);
        judge_latest(&quiet, &stall);
    }
    server.end();
}

/// So many clients, from all of them, who see enough to be told something in every tick.
fn who_stalls(fleet: &Fleet, count: usize) -> Vec<usize> {
    let members = fleet.members.iter().enumerate();
    let sees_much = |(_, member): &(usize, &Member)| member.connection.view().len() > 20;
    let many: Vec<usize> = members.filter(sees_much).map(|(one, _)| one).collect();
    assert!(many.len() >= count, "only {} see much", many.len());
    (0..count)
        .map(|one| many[one * many.len() / count])
        .collect()
}

/// What a part of the run was like for those who read in it.
struct Phase {
    after: Usage,
    /// Processor time of the server for one tick of one client.
    cost: Duration,
    late_p50: Duration,
    late_p99: Duration,
    /// Deltas read, of those that the machine's time allows.
    share: f64,
    lag_ticks: u64,
}

impl Phase {
    fn rounds(
        name: &str,
        server: &Server,
        fleet: &mut Fleet,
        length: Duration,
        rounds: u32,
    ) -> Vec<Self> {
        let mut phases = Vec::new();
        for _ in 0..rounds {
            let phase = Self::run(server, fleet, length / rounds);
            phase.tell(name);
            phases.push(phase);
        }
        phases
    }

    fn run(server: &Server, fleet: &mut Fleet, length: Duration) -> Self {
        let read = |fleet: &Fleet| fleet.readers().map(|one| one.deltas.len()).sum::<usize>();
        let lag = || server.status().each("lag_ticks").max().unwrap();
        fleet.run_until(now());
        let (lag_before, read_before) = (lag(), read(fleet));
        let (began, before) = (now(), server.usage());
        fleet.run_until(began + length);
        let (ended, after) = (now(), server.usage());
        let deltas = read(fleet) - read_before;
        let nominal = fleet.readers().count() as f64
            * (ended.duration_since(began).as_secs_f64() / INTERVAL.as_secs_f64());
        let (late_p50, late_p99) = lateness(fleet, began);
        Self {
            after,
            cost: (after.processor - before.processor).div_f64(deltas.max(1) as f64),
            late_p50,
            late_p99,
            share: deltas as f64 / nominal,
            lag_ticks: lag() - lag_before,
        }
    }

    fn tell(&self, name: &str) {
        println!(
            "  {name}: {} KiB resident, {:?} of processor time per client and tick, late by {:?} (p50) and {:?} (p99), {:.1} % of all deltas, {} ticks given up",
            self.after.resident_kib,
            self.cost,
            self.late_p50,
            self.late_p99,
            self.share * 100.0,
            self.lag_ticks
        );
    }
}

/// How late deltas were read that readers got since `began`, behind the best of the same second.
fn lateness(fleet: &Fleet, began: Instant) -> (Duration, Duration) {
    let mut arrivals: Vec<(u64, Duration)> = fleet
        .readers()
        .flat_map(|one| &one.deltas)
        .filter(|(_, at)| *at >= began)
        .map(|(tick, at)| (*tick, at.duration_since(began)))
        .collect();
    arrivals.sort_unstable();
    let mut late = Vec::with_capacity(arrivals.len());
    for second in arrivals.chunk_by(|one, other| one.0 / TICKS_PER_S == other.0 / TICKS_PER_S) {
        // Where tick 0 would have been: a constant, but for lateness. It may lie before `began`.
        let start =
            |(tick, at): &(u64, Duration)| at.as_secs_f64() - *tick as f64 * INTERVAL.as_secs_f64();
        let best = second.iter().map(start).fold(f64::INFINITY, f64::min);
        late.extend(
            second
                .iter()
                .map(|one| Duration::from_secs_f64(start(one) - best)),
        );
    }
    late.sort_unstable();
    let at = |share: f64| late[((late.len() - 1) as f64 * share) as usize];
    (at(0.5), at(0.99))
}

/// The others go on as before: nearly, when this is asked for on a machine without other work; half as much at least
/// when other tests want the same cores, which delays everyone.
fn judge_others(quiet: &[Phase], stall: &[Phase]) {
    let share = |phases: &[Phase]| {
        phases.iter().map(|phase| phase.share).sum::<f64>() / phases.len() as f64
    };
    let least = if full() { 0.75 } else { 0.5 } * share(quiet).min(1.0);
    assert!(
        share(stall) >= least,
        "{:.3} of all deltas came, {:.3} before",
        share(stall),
        share(quiet)
    );
    let (quiet_p50, stall_p50) = (
        median(quiet, |one| one.late_p50),
        median(stall, |one| one.late_p50),
    );
    // Who waited for one that does not read would wait for seconds.
    let late_max = quiet_p50 * 4 + INTERVAL * 2;
    assert!(
        stall_p50 <= late_max,
        "p50 {stall_p50:?} late, {quiet_p50:?} before"
    );
    if full() {
        let quiet_p99 = quiet.iter().map(|one| one.late_p99).max().unwrap();
        let late_max = quiet_p99.max(INTERVAL) * 5;
        for phase in stall {
            assert!(phase.late_p99 <= late_max, "p99 {:?} late", phase.late_p99);
        }
    }
}

/// The latest hundredth is no later than before, but for a twentieth and for what the middle half of the rounds without a
/// stall differ by: that is the machine's noise.
fn judge_latest(quiet: &[Phase], stall: &[Phase]) {
    let p99 = |phase: &Phase| phase.late_p99;
    let (before, during) = (median(quiet, p99), median(stall, p99));
    let mut rounds: Vec<Duration> = quiet.iter().map(p99).collect();
    rounds.sort_unstable();
    let noise = rounds[rounds.len() * 3 / 4] - rounds[rounds.len() / 4];
    println!("  late by {before:?} (p99, quiet) and {during:?} (stalled), noise {noise:?}");
    assert!(
        during <= before.mul_f64(1.05) + noise,
        "{during:?} late, {before:?} before"
    );
}

fn median(phases: &[Phase], late: impl Fn(&Phase) -> Duration) -> Duration {
    let mut all: Vec<Duration> = phases.iter().map(late).collect();
    all.sort_unstable();
    all[all.len() / 2]
}

/// Between two moments no delta was built for any of them.
fn judge_starving(starving: &[Starved], starved: &[Starved]) {
    for (before, after) in starving.iter().zip(starved) {
        let (ticks, starved) = (after.tick - before.tick, after.ticks - before.ticks);
        // A shard may tell of itself between the halves of a tick, now or then.
        assert!(
            starved.abs_diff(ticks) <= 1,
            "{starved} of {ticks} ticks without a delta"
        );
        assert_eq!(
            before.in_flight, after.in_flight,
            "a delta was built without a credit"
        );
        assert!(
            (2..=CREDITS_MAX).contains(&after.in_flight),
            "{}",
            after.in_flight
        );
    }
    let ticks: Vec<u64> = starved.iter().map(|one| one.ticks).collect();
    let in_flight: Vec<u64> = starved.iter().map(|one| one.in_flight).collect();
    println!("  no delta was built for {ticks:?} ticks, {in_flight:?} in flight");
}

/// A session that has no credit, as its shard tells of it.
#[derive(Clone, Copy, Debug)]
struct Starved {
    /// Of the shard's numbers.
    tick: u64,
    ticks: u64,
    in_flight: u64,
}

impl Starved {
    /// What the server says of one; `None` when it has no word for it.
    fn of(status: &Status, member: &Member) -> Option<Self> {
        status.shards().iter().find_map(|shard| {
            let slowest = shard["slowest"].as_array().unwrap();
            let slow = slowest
                .iter()
                .find(|one| one["session"] == member.greeting.session)?;
            Some(Self {
                tick: shard["tick"].as_u64().unwrap(),
                ticks: slow["starved_ticks"].as_u64().unwrap(),
                in_flight: slow["in_flight"].as_u64().unwrap(),
            })
        })
    }

    fn all(status: &Status, fleet: &Fleet, stalled: &[usize]) -> Vec<Self> {
        let of = |one: &usize| Self::of(status, &fleet.members[*one]);
        stalled.iter().map(|one| of(one).unwrap()).collect()
    }
}

/// Runs until each of the stalled is named among the slowest, and twice in a row with the same deltas in flight.
fn until_starving(server: &Server, fleet: &mut Fleet, stalled: &[usize]) -> Vec<Starved> {
    let deadline = now() + WAIT;
    let mut before: Vec<Option<Starved>> = vec![None; stalled.len()];
    loop {
        assert!(now() < deadline, "some have credit: {before:?}");
        fleet.run_until(now() + INTERVAL * 5);
        let status = server.status();
        status.assert_bounded();
        let of = |one: &usize| Starved::of(&status, &fleet.members[*one]);
        let told: Vec<Option<Starved>> = stalled.iter().map(of).collect();
        let settled = |(now, before): (&Option<Starved>, &Option<Starved>)| match (now, before) {
            (Some(now), Some(before)) => {
                now.in_flight == before.in_flight && now.ticks > before.ticks + 2
            }
            _ => false,
        };
        if told.iter().zip(&before).all(settled) {
            return told.into_iter().flatten().collect();
        }
        // Numbers that are not new yet say nothing.
        for (before, told) in before.iter_mut().zip(told) {
            if told.map(|one| one.tick) != before.map(|one| one.tick) {
                *before = told;
            }
        }
    }
}

/// Lets the stalled read again: after the deltas that were on their way, one brings each up to date. How many ticks it
/// stands for, beside its own.
fn resume(server: &Server, fleet: &mut Fleet, stalled: &[usize], starved: &[Starved]) -> Vec<u64> {
    let mut gaps = Vec::new();
    let resumed_tick = server.status().tick();
    let read_before: Vec<usize> = stalled
        .iter()
        .map(|&one| fleet.members[one].deltas.len())
        .collect();
    for &one in stalled {
        fleet.members[one].reads = true;
    }
    let deadline = now() + WAIT;
    let is_current =
        |fleet: &Fleet, one: &usize| fleet.members[*one].deltas.last().unwrap().0 > resumed_tick;
    while !stalled.iter().all(|one| is_current(fleet, one)) {
        assert!(now() < deadline, "not everyone catches up");
        fleet.run_until(now() + Duration::from_millis(5));
    }
    for ((one, starved), before) in stalled.iter().zip(starved).zip(read_before) {
        let deltas = &fleet.members[*one].deltas[before..];
        let old = deltas
            .iter()
            .take_while(|(tick, _)| *tick <= resumed_tick)
            .count();
        assert_eq!(
            old as u64, starved.in_flight,
            "deltas before the one that catches up"
        );
        let ticks: Vec<u64> = deltas[..=old].iter().map(|(tick, _)| *tick).collect();
        println!("  read again: {ticks:?}");
        gaps.push(ticks[old] - ticks[old - 1] - 1);
    }
    gaps
}

/// In every tick that the one delta made good there was no credit; and without a delta for want of a credit was no
/// tick that a delta came for.
fn judge_starved_ticks(server: &Server, fleet: &mut Fleet, stalled: &[usize], gaps: &[u64]) {
    let seen = fleet.members[stalled[0]].deltas.last().unwrap().0;
    let deadline = now() + WAIT;
    let status = loop {
        fleet.run_until(now() + INTERVAL);
        let status = server.status();
        if status.each("tick").all(|tick| tick > seen) {
            break status;
        }
        assert!(now() < deadline, "the shards do not tell how they are");
    };
    let starved = Starved::all(&status, fleet, stalled);
    for ((&one, starved), gap) in stalled.iter().zip(starved).zip(gaps) {
        let member = &mut fleet.members[one];
        while member.deltas.last().unwrap().0 <= starved.tick {
            member.next_delta();
        }
        let missed = member.missed_until(starved.tick);
        assert!(
            (*gap..=missed).contains(&starved.ticks),
            "{} ticks had no credit, of {missed} without a delta and {gap} in the stall",
            starved.ticks
        );
    }
}

/// A session that joins at the same place sees the same; only in the ring of the hysteresis the past counts. How many
/// entities it sees.
fn compare_with_a_newcomer(server: &Server, member: &mut Member, number: usize) -> usize {
    let mut newcomer = Member::join(server, ViewpointMode::Camera, number, RADIUS_M);
    let mut tick = newcomer.next_delta();
    let mut member_tick = member.next_delta();
    while member_tick != tick {
        if member_tick < tick {
            member_tick = member.next_delta();
        } else {
            tick = newcomer.next_delta();
        }
    }
    let (old, new) = (member.connection.view(), newcomer.connection.view());
    let at = place(&member.greeting, number);
    for (id, seen) in new.iter() {
        let known = old.get(id).map(|one| &one.record);
        assert_eq!(known, Some(&seen.record), "at tick {tick}");
    }
    for (id, seen) in old.iter().filter(|(id, _)| new.get(*id).is_none()) {
        let [x, y, _] = seen.record.position();
        let distance_m = (x - at[0]).hypot(y - at[1]);
        let farthest_m = RADIUS_M + member.greeting.interest.hysteresis_m;
        // The server computes the distance in its own order of operations.
        let ring = RADIUS_M * 0.999..=farthest_m * 1.001;
        assert!(
            ring.contains(&distance_m),
            "{id} at {distance_m} m, tick {tick}"
        );
    }
    new.len()
}

const RADIUS_M: f32 = 16.0;

const TICKS_PER_S: u64 = 20;
const INTERVAL: Duration = Duration::from_millis(50);

/// Deltas that a session may have unacknowledged.
const CREDITS_MAX: u64 = 16;

/// What the server may hold more after the stall than before: 64 KiB for each of ten who stall, and what the flock's
/// gathering adds to the others' deltas and to the ghosts.
const GROWTH_KIB_MAX: u64 = 2048;
