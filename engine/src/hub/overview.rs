//! The overview stream: each shard's picture, laid out once, sent once to each home that has subscribers.
//!
//! Newest wins: a subscriber has at most one frame of each shard on its way. Claims no exactness.

use std::time::Duration;

use bytes::Bytes;
use worldshard_protocol::overview::OVERVIEW_ROOT_BYTES;
use worldshard_protocol::world::OPCODE_S2C_OVERVIEW;
use worldshard_protocol::{SessionId, Tick, WORLD_SVC};
use worldshard_spatial::ShardId;

use crate::hub::Hub;
use crate::hub::fanout::hot_frame;
use crate::letter::{Letter, Subscribers};

/// What a hub knows of the overview: who wants this shard's part, and every shard's newest.
pub(crate) struct OverviewDesk {
    /// Ticks between two frames.
    period_ticks: u64,
    /// By home.
    subscribers: Vec<Subscribers>,
    /// A home has got its first subscriber: the next frame goes out even if nothing moved.
    wanted: bool,
    /// This shard's last archive, by kind.
    laid_out: [Bytes; 2],
    /// The newest frame of every shard, by kind, while this home has subscribers.
    newest: Vec<[Option<Bytes>; 2]>,
}

impl OverviewDesk {
    pub(crate) fn new(shards: u16, tick_interval: Duration) -> Self {
        let shards = usize::from(shards);
        let per_frame = FRAME_INTERVAL_MIN
            .as_nanos()
            .div_ceil(tick_interval.as_nanos().max(1));
        Self {
            period_ticks: u64::try_from(per_frame).unwrap_or(u64::MAX),
            subscribers: vec![Subscribers::default(); shards],
            wanted: false,
            laid_out: Default::default(),
            newest: vec![[None, None]; shards],
        }
    }

    /// Takes note of how many subscribers a home has.
    pub(crate) fn count(&mut self, home: ShardId, counts: Subscribers) {
        let known = &mut self.subscribers[usize::from(home.0)];
        self.wanted |= counts.plain > known.plain || counts.ghosts > known.ghosts;
        *known = counts;
    }

    fn any(&self, ghosts: bool) -> bool {
        self.subscribers.iter().any(|counts| counts.of(ghosts) > 0)
    }
}

impl Subscribers {
    fn of(self, ghosts: bool) -> u32 {
        if ghosts { self.ghosts } else { self.plain }
    }

    fn of_mut(&mut self, ghosts: bool) -> &mut u32 {
        if ghosts {
            &mut self.ghosts
        } else {
            &mut self.plain
        }
    }
}

impl Hub {
    /// Begins or changes a subscription; the newest frames that are here follow at once.
    pub(crate) fn subscribe(&mut self, session: SessionId, ghosts: bool) {
        self.unsubscribe(session);
        let Some(standing) = self.desk.standing(session) else {
            return;
        };
        standing.overview.ghosts = Some(ghosts);
        self.recount(ghosts, |count| count + 1);
        for source in (0..self.desk.commons.shard_count()).map(ShardId) {
            self.show_newest_overview(session, source);
        }
    }

    /// Ends a subscription, if there is one.
    pub(crate) fn unsubscribe(&mut self, session: SessionId) {
        let standing = self.desk.standing(session);
        if let Some(ghosts) = standing.and_then(|one| one.overview.ghosts.take()) {
            self.recount(ghosts, |count| count - 1);
        }
    }

    fn recount(&mut self, ghosts: bool, change: impl FnOnce(u32) -> u32) {
        let own = self.desk.own;
        let mut counts = self.overview.subscribers[usize::from(own.0)];
        let count = counts.of_mut(ghosts);
        let had_any = *count > 0;
        *count = change(*count);
        let has_any = *count > 0;
        if !has_any {
            // What is kept would be stale for the next subscriber.
            for parts in &mut self.overview.newest {
                parts[usize::from(ghosts)] = None;
            }
        }
        self.overview.count(own, counts);
        if had_any != has_any {
            for home in (0..self.desk.commons.shard_count()).map(ShardId) {
                if home != own {
                    self.desk
                        .output
                        .letters
                        .push((home, Letter::Subscribers(counts)));
                }
            }
        }
    }

    /// Lays out this shard's part for whoever wants it. A picture that did not change is not sent again.
    pub(crate) fn lay_out_overview(&mut self, tick: Tick) {
        if !tick.0.is_multiple_of(self.overview.period_ticks) {
            return;
        }
        let wanted = std::mem::take(&mut self.overview.wanted);
        for ghosts in [false, true] {
            if !self.overview.any(ghosts) {
                continue;
            }
            let archive = self.shard.overview(ghosts);
            let last = &mut self.overview.laid_out[usize::from(ghosts)];
            if !wanted && same_picture(last, &archive) {
                continue;
            }
            *last = archive.clone();
            let frame = hot_frame(WORLD_SVC, OPCODE_S2C_OVERVIEW, None, &archive);
            self.desk.stats.overviews += 1;
            for home in (0..self.desk.commons.shard_count()).map(ShardId) {
                if self.overview.subscribers[usize::from(home.0)].of(ghosts) == 0 {
                    continue;
                }
                let frame = frame.clone();
                if home == self.desk.own {
                    self.show_overview_when_durable(home, tick, ghosts, frame);
                } else {
                    let letter = Letter::Overview {
                        tick,
                        ghosts,
                        frame,
                    };
                    self.desk.output.letters.push((home, letter));
                }
            }
        }
    }

    /// Takes in the newest part of a shard and shows it to the subscribers of this home.
    pub(crate) fn show_overview(&mut self, source: ShardId, ghosts: bool, frame: Bytes) {
        if self.overview.subscribers[usize::from(self.desk.own.0)].of(ghosts) == 0 {
            return;
        }
        self.overview.newest[usize::from(source.0)][usize::from(ghosts)] = Some(frame);
        let subscribed = self.desk.sessions.iter().filter(|(_, entry)| {
            let standing = entry.standing.as_deref();
            standing.is_some_and(|one| one.overview.ghosts == Some(ghosts))
        });
        let sessions: Vec<_> = subscribed.map(|(session, _)| *session).collect();
        for session in sessions {
            self.show_newest_overview(session, source);
        }
    }

    /// Sends the newest part of a shard, unless an older one is still on its way.
    pub(crate) fn show_newest_overview(&mut self, session: SessionId, source: ShardId) {
        let Some(standing) = self.desk.standing(session) else {
            return;
        };
        let Some(ghosts) = standing.overview.ghosts else {
            return;
        };
        let newest = &self.overview.newest[usize::from(source.0)][usize::from(ghosts)];
        if let Some(frame) = newest.clone()
            && standing.overview.offer(source)
        {
            self.desk.push_overview(session, source, frame);
        }
    }
}

/// Whether two archives differ in nothing but their tick.
fn same_picture(one: &[u8], other: &[u8]) -> bool {
    let tick_at = |archive: &[u8]| archive.len().checked_sub(OVERVIEW_ROOT_BYTES);
    let (Some(at), true) = (tick_at(one), one.len() == other.len()) else {
        return false;
    };
    one[..at] == other[..at] && one[at + TICK_BYTES..] == other[at + TICK_BYTES..]
}

/// Time between two frames of one shard, at least: ten a second.
const FRAME_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// The tick is the first field of an overview's fixed part.
const TICK_BYTES: usize = 8;
