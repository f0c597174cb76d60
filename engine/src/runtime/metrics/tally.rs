//! What the runtime counts beside its hubs: answers to requests, and how long ticks took. A shard's own is its thread's.

use std::sync::atomic::{AtomicU64, Ordering};

use worldshard_protocol::ErrorCode;

use super::histogram::Histogram;
use crate::runtime::phase_times::{Phase, PhaseTimes};

/// Of one shard, since the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Answers to upgrades, by [`ANSWERS`]; the last are all others.
    pub(crate) upgrades: [u64; ANSWERS.len() + 1],
    /// Answers to other requests, by the first digit of their status, 1 to 5.
    pub(crate) responses: [u64; 5],
    /// Upgraded connections that were told why they get no session, and closed, by [`ErrorCode`].
    pub(crate) turned_away: [u64; ErrorCode::ALL.len()],
    /// Both halves of a tick, waiting for other shards excluded.
    pub(crate) step: Histogram,
    /// How late ticks began, by their schedule.
    pub(crate) lateness: Histogram,
    /// CPU time by phase, in the order of [`Phase::ALL`].
    pub(crate) phases: [Histogram; Phase::ALL.len()],
}

impl Tally {
    /// Counts an answer to a request.
    pub(crate) fn answered(&mut self, is_upgrade: bool, status: u16) {
        if is_upgrade {
            let at = ANSWERS.iter().position(|answer| *answer == status);
            self.upgrades[at.unwrap_or(ANSWERS.len())] += 1;
        } else {
            let class = usize::from(status / 100).clamp(1, 5);
            self.responses[class - 1] += 1;
        }
    }

    /// Counts a tick's phases.
    pub(crate) fn record_phases(&mut self, times: &PhaseTimes) {
        for (phase, time) in times.iter() {
            self.phases[phase as usize].record(time);
        }
    }
}

/// Connections that no shard was given, by [`Unaccepted`]; written by whoever accepts.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    counts: [AtomicU64; Unaccepted::ALL.len()],
}

/// Why a connection was refused before anything of it was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unaccepted {
    /// As many as allowed are there.
    Full,
    /// No shard lives.
    NoShard,
    /// A shard's mailbox is full.
    Overload,
    /// The system has no descriptor left.
    NoDescriptor,
}

impl Unaccepted {
    pub(crate) const ALL: [Self; 4] = [
        Self::Full,
        Self::NoShard,
        Self::Overload,
        Self::NoDescriptor,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Full => "connections_max",
            Self::NoShard => "no_live_shard",
            Self::Overload => "mailbox_full",
            Self::NoDescriptor => "no_descriptor",
        }
    }
}

impl Refused {
    pub(crate) fn count(&self, why: Unaccepted) {
        self.counts[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Unaccepted, u64)> {
        let counts = self.counts.iter();
        Unaccepted::ALL
            .into_iter()
            .zip(counts.map(|count| count.load(Ordering::Relaxed)))
    }
}

/// The statuses that upgrades are answered with.
pub(crate) const ANSWERS: [u16; 10] = [101, 400, 401, 403, 404, 410, 413, 426, 429, 503];
