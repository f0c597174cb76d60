//! The numbers of one hub, for `/status`, benches and checkers. Never decides anything.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;
use worldshard_protocol::ErrorCode;

use crate::app::Framing;
use crate::hub::Hub;
use crate::hub::closes::CloseKind;
use crate::hub::traffic::{LaneTraffic, Traffic};
use crate::message::CloseReason;

/// Counters since the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct HubStats {
    pub(crate) opened: u64,
    pub(crate) closed: u64,
    pub(crate) resumed: u64,
    pub(crate) closed_slow: u64,
    pub(crate) messages_in: u64,
    pub(crate) bytes_in: u64,
    pub(crate) messages_repeated: u64,
    pub(crate) messages_missing: u64,
    pub(crate) requests: u64,
    pub(crate) requests_unanswered: u64,
    pub(crate) requests_expired: u64,
    pub(crate) answers_late: u64,
    pub(crate) messages_out: u64,
    pub(crate) commands: u64,
    pub(crate) refused: u64,
    pub(crate) refused_silently: u64,
    pub(crate) not_allowed: u64,
    pub(crate) rate_limited: u64,
    pub(crate) throttled: u64,
    pub(crate) services_unknown: u64,
    pub(crate) lossy_dropped: u64,
    pub(crate) areas_refused: u64,
    pub(crate) overviews: u64,
    /// By [`CloseKind`].
    pub(crate) closes: [u64; CloseKind::ALL.len()],
    /// By [`ErrorCode`].
    pub(crate) refusals: [u64; ErrorCode::ALL.len()],
    pub(crate) lanes_in: Traffic,
    /// What a convoy has given to some, and not yet to all, is not in it.
    pub(crate) lanes_out: Traffic,
}

impl HubStats {
    /// Counts the end of a session.
    pub(crate) fn end(&mut self, reason: &CloseReason) {
        self.closed += 1;
        self.closes[CloseKind::of(reason) as usize] += 1;
    }

    /// Counts a message that was refused.
    pub(crate) fn refuse(&mut self, code: ErrorCode) {
        self.refused += 1;
        self.refusals[code as usize] += 1;
    }

    /// Counts a message of a client.
    pub(crate) fn hear(&mut self, framing: Framing, is_text: bool, bytes: usize) {
        self.messages_in += 1;
        self.bytes_in += bytes as u64;
        self.lanes_in.count(framing, is_text, 1, bytes as u64);
    }
}

/// One shard's numbers. Counters count since the start; what is said to be now, is a gauge.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ShardStatus {
    /// Which shard.
    pub shard: u16,
    /// The tick it advanced to last.
    pub tick: u64,
    /// Connections now.
    pub sessions: u64,
    /// Sessions opened.
    pub opened: u64,
    /// Sessions closed.
    pub closed: u64,
    /// Of them, those whose message queue was full.
    pub closed_slow: u64,
    /// The same by who ended them, and how.
    pub closes: BTreeMap<&'static str, u64>,
    /// Sessions that wait for another connection now.
    pub detached: usize,
    /// One more is closed instead.
    pub detached_max: usize,
    /// Connections that went on with a session.
    pub resumed: u64,
    /// Sessions that run in a program, as they say.
    pub native: u64,
    /// Sessions that run in a web page, as they say.
    pub browser: u64,
    /// Messages read.
    pub messages_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// The same by lane: `hot`, `ext`, and `raw` for paths without.
    pub lanes_in: BTreeMap<&'static str, LaneTraffic>,
    /// Of those to the application, dropped because their number came before.
    pub messages_repeated: u64,
    /// Numbers of messages to the application that were left out.
    pub messages_missing: u64,
    /// Requests given to systems.
    pub requests: u64,
    /// Those that have no answer now.
    pub requests_open: usize,
    /// Of one session, at most so many are; one more is rejected.
    pub requests_open_max: usize,
    /// Those that no system took, or that were dropped: rejected.
    pub requests_unanswered: u64,
    /// Those that waited too long: rejected.
    pub requests_expired: u64,
    /// Answers that came when nobody waited for them any more.
    pub answers_late: u64,
    /// Messages sent by systems, each counted once however many got it.
    pub messages_out: u64,
    /// Copies of them for sessions of this home, or of no home, that were not sent.
    pub messages_unsent: u64,
    /// Frames given to connections.
    pub frames_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// The same by lane, as with `lanes_in`: deltas and overviews are of the hot one.
    pub lanes_out: BTreeMap<&'static str, LaneTraffic>,
    /// Commands admitted to the world.
    pub commands: u64,
    /// Messages refused with a code.
    pub refused: u64,
    /// Of them, those of the hot lane of whose refusal the client was not told, because its tenant wants it so.
    pub refused_silently: u64,
    /// Messages that no allowlist names.
    pub not_allowed: u64,
    /// Messages, pings and pongs that were not heard because there were too many of them.
    pub rate_limited: u64,
    /// Those that had to wait for the same reason.
    pub throttled: u64,
    /// Messages to services, types or opcodes that are none here.
    pub services_unknown: u64,
    /// Copies of messages that may be lost, not sent to who had too much waiting.
    pub lossy_dropped: u64,
    /// The same by code.
    pub refusals: BTreeMap<&'static str, u64>,
    /// Messages for areas that were refused because too many waited.
    pub areas_refused: u64,
    /// Overview frames laid out.
    pub overviews: u64,
    /// Bytes in the fullest message queue now.
    pub queue_bytes_largest: usize,
    /// Past it, a client is closed.
    pub queue_bytes_max: usize,
    /// Past it, what may be lost is dropped for a client.
    pub lossy_queue_bytes_max: usize,
    /// Rooms that live here now.
    pub rooms: usize,
    /// Rooms that failed again and again, and begin no more within a minute.
    pub rooms_failed: usize,
    /// Panics of services; each began its room again.
    pub room_panics: u64,
    /// What services counted by [`Room::count`](crate::Room::count), since the start.
    pub room_totals: BTreeMap<&'static str, u64>,
    /// Panics of systems.
    pub faults: u64,
    /// Where and with what words the last one was.
    pub last_panic: Option<String>,
    /// Systems that do not run here any more, because they panicked again and again.
    pub quarantined: Vec<&'static str>,
    /// The world of this shard.
    pub world: WorldStatus,
    /// Of the sessions whose viewpoint is here those that had to wait for credits most, at most [`SLOWEST_MAX`].
    pub slowest: Vec<SlowSession>,
}

/// A session that does not keep up with the world.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct SlowSession {
    /// Which one.
    pub session: u64,
    /// Ticks in which no delta was built for it for want of a credit, since it joined.
    pub starved_ticks: u64,
    /// Deltas on their way to it now.
    pub in_flight: usize,
}

/// Sessions that a shard names as its slowest.
pub const SLOWEST_MAX: usize = 16;

/// One shard's world in numbers.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct WorldStatus {
    /// Entities owned now.
    pub entities: u64,
    /// Ghosts held now.
    pub ghosts: u64,
    /// Viewpoints here now.
    pub viewers: u64,
    /// At most so many.
    pub viewers_max: usize,
    /// Deltas on their way now.
    pub credits_out: u64,
    /// Of them, the most that are for one viewpoint.
    pub credits_out_largest: usize,
    /// At most so many are.
    pub credits_max: u64,
    /// Commands that wait for their turn now.
    pub commands_pending: u64,
    /// Of them, the most that wait at one viewpoint.
    pub commands_pending_largest: usize,
    /// One more is refused.
    pub commands_pending_max: usize,
    /// Sessions heard of before their viewpoint, now.
    pub undelivered_sessions: u64,
    /// One more is forgotten.
    pub undelivered_sessions_max: usize,
    /// Entities given to other shards.
    pub handoffs_out: u64,
    /// Entities taken over.
    pub handoffs_in: u64,
    /// Entities born here.
    pub births: u64,
    /// Entities removed here.
    pub removals: u64,
    /// Records laid out.
    pub records_changed: u64,
    /// Replicated components that clients are not told of now, because they are too long.
    pub extras_too_long: u64,
    /// Deltas built.
    pub deltas: u64,
    /// Their bytes.
    pub delta_bytes: u64,
    /// Times that none was built for want of a credit.
    pub deltas_starved: u64,
    /// Commands applied.
    pub commands_applied: u64,
    /// Commands refused by the world.
    pub commands_refused: u64,
    /// Custom interests that failed: the default one stands instead.
    pub interests_failed: u64,
    /// Ticks in which the audit checked every entity.
    pub audit_checks: u64,
    /// Ticks in which one was lost or doubled.
    pub audit_failures: u64,
}

impl Hub {
    /// The numbers of now.
    #[must_use]
    pub fn status(&self) -> ShardStatus {
        let stats = &self.desk.stats;
        let rooms = self.room_counts();
        let out = self.desk.traffic_out();
        ShardStatus {
            shard: self.desk.own.0,
            tick: self.desk.tick.0,
            sessions: self.desk.connected(),
            opened: stats.opened,
            closed: stats.closed,
            closed_slow: stats.closed_slow,
            closes: named(CloseKind::ALL.map(CloseKind::as_str), stats.closes),
            detached: self.desk.detached.len(),
            detached_max: self.desk.detached.max(),
            resumed: stats.resumed,
            native: self.desk.environments.native,
            browser: self.desk.environments.browser,
            messages_in: stats.messages_in,
            bytes_in: stats.bytes_in,
            lanes_in: stats.lanes_in.by_lane(),
            messages_repeated: stats.messages_repeated,
            messages_missing: stats.messages_missing,
            requests: stats.requests,
            requests_open: self.desk.requests.len(),
            requests_open_max: self.recipe.options.limits.requests_open_max,
            requests_unanswered: stats.requests_unanswered,
            requests_expired: stats.requests_expired,
            answers_late: stats.answers_late,
            messages_out: stats.messages_out,
            messages_unsent: self.desk.unsent.total(),
            frames_out: out.total().messages,
            bytes_out: out.total().bytes,
            lanes_out: out.by_lane(),
            commands: stats.commands,
            refused: stats.refused,
            refused_silently: stats.refused_silently,
            not_allowed: stats.not_allowed,
            rate_limited: stats.rate_limited,
            throttled: stats.throttled,
            services_unknown: stats.services_unknown,
            lossy_dropped: stats.lossy_dropped,
            refusals: named(ErrorCode::ALL.map(ErrorCode::as_str), stats.refusals),
            areas_refused: stats.areas_refused,
            overviews: stats.overviews,
            queue_bytes_largest: self.desk.queue_bytes_largest(),
            queue_bytes_max: self.desk.messages_queue_bytes_max,
            lossy_queue_bytes_max: self.desk.lossy_queue_bytes_max,
            rooms: rooms.rooms,
            rooms_failed: rooms.failed,
            room_panics: rooms.panics,
            room_totals: self.desk.room_totals.clone(),
            faults: self.blame.faults().values().sum(),
            last_panic: self.blame.last().map(str::to_owned),
            quarantined: self.quarantined(),
            world: self.world_status(),
            slowest: self.slowest(),
        }
    }

    fn slowest(&self) -> Vec<SlowSession> {
        let slow = |session| {
            let viewer = self.shard.viewer(session)?;
            (viewer.starved_ticks > 0).then_some(SlowSession {
                session: session.value(),
                starved_ticks: viewer.starved_ticks,
                in_flight: viewer.in_flight,
            })
        };
        let mut slowest: Vec<SlowSession> = self.shard.sessions().filter_map(slow).collect();
        slowest.sort_unstable_by_key(|one| (Reverse(one.starved_ticks), one.session));
        slowest.truncate(SLOWEST_MAX);
        slowest
    }

    fn world_status(&self) -> WorldStatus {
        let stats = self.shard.stats();
        let audit = self.shard.audit();
        let limits = &self.recipe.world.config.limits;
        let (mut credits_out_largest, mut commands_pending_largest) = (0, 0);
        for viewer in self
            .shard
            .sessions()
            .filter_map(|one| self.shard.viewer(one))
        {
            credits_out_largest = credits_out_largest.max(viewer.in_flight);
            commands_pending_largest = commands_pending_largest.max(viewer.commands_pending);
        }
        WorldStatus {
            entities: stats.entities,
            ghosts: stats.ghosts,
            viewers: stats.viewers,
            viewers_max: limits.viewers_max,
            credits_out: stats.credits_out,
            credits_out_largest,
            credits_max: limits.credits_max.into(),
            commands_pending: stats.commands_pending,
            commands_pending_largest,
            commands_pending_max: limits.commands_pending_max,
            undelivered_sessions: stats.undelivered_sessions,
            undelivered_sessions_max: limits.undelivered_sessions_max,
            handoffs_out: stats.handoffs_out,
            handoffs_in: stats.handoffs_in,
            births: stats.births,
            removals: stats.removals,
            records_changed: stats.records_changed,
            extras_too_long: stats.extras_too_long,
            deltas: stats.deltas,
            delta_bytes: stats.delta_bytes,
            deltas_starved: stats.deltas_starved,
            commands_applied: stats.commands_applied,
            commands_refused: stats.commands_refused,
            interests_failed: stats.interests_failed,
            audit_checks: audit.checks(),
            audit_failures: audit.failures(),
        }
    }
}

/// Counts with their names.
fn named<T, const N: usize>(names: [&'static str; N], counts: [T; N]) -> BTreeMap<&'static str, T> {
    names.into_iter().zip(counts).collect()
}
