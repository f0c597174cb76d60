//! Where all sessions are, and what each was told of the others. Lives on one shard, and tells at the end of a tick.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use worldshard::prelude::*;

use super::SpatialRules;
use super::grid::Grid;

/// The service of the one room of positions.
pub(super) struct SpatialRoom {
    rules: Arc<SpatialRules>,
    grid: Grid,
    /// Whom each sees, as it was told. Who sees is seen.
    sees: BTreeMap<SessionId, BTreeSet<SessionId>>,
    walkers: BTreeMap<SessionId, Walker>,
    /// Who has moved since the last tick.
    moved: BTreeSet<SessionId>,
    coming: Option<(SessionId, [f64; 3])>,
}

/// How far a session may go.
struct Walker {
    /// The way that it has earned by waiting.
    way: f64,
    since: Duration,
}

impl SpatialRoom {
    pub(super) fn new(rules: Arc<SpatialRules>) -> Self {
        Self {
            grid: Grid::new(rules.radius, rules.counts),
            rules,
            sees: BTreeMap::new(),
            walkers: BTreeMap::new(),
            moved: BTreeSet::new(),
            coming: None,
        }
    }

    /// Whether the session may go so far by now.
    fn may_walk(&mut self, session: SessionId, distance: f64, now: Duration) -> bool {
        let (Some(speed), Some(walker)) = (self.rules.speed_max, self.walkers.get_mut(&session))
        else {
            return true;
        };
        let waited = now.saturating_sub(walker.since).as_secs_f64();
        walker.way = (walker.way + waited * speed).min(speed);
        walker.since = now;
        let may = distance <= walker.way;
        if may {
            walker.way -= distance;
        }
        may
    }

    /// All lengths count here, also that of an axis by which nobody is near.
    fn length(from: [f64; 3], to: [f64; 3]) -> f64 {
        let squares = (0..3).map(|axis| (from[axis] - to[axis]).powi(2));
        squares.sum::<f64>().sqrt()
    }

    fn tell_pos(&self, room: &mut Room<'_>, to: SessionId, of: SessionId) {
        if let Some(at) = self.grid.at(of) {
            let text = format!("pos {of} {}", self.rules.shown(at));
            room.send(Audience::One(to), text);
        }
    }

    fn enter(&mut self, room: &mut Room<'_>, one: SessionId, other: SessionId) {
        for (to, of) in [(one, other), (other, one)] {
            self.sees.entry(to).or_default().insert(of);
            room.send(Audience::One(to), format!("enter {of}"));
            self.tell_pos(room, to, of);
        }
    }

    fn part(&mut self, room: &mut Room<'_>, one: SessionId, other: SessionId) {
        for (to, of) in [(one, other), (other, one)] {
            if let Some(seen) = self.sees.get_mut(&to) {
                seen.remove(&of);
            }
            room.send(Audience::One(to), format!("leave {of}"));
        }
    }
}

impl Service for SpatialRoom {
    fn init(&mut self, room: &mut Room<'_>) {
        room.set_listing(None);
    }

    fn admit(
        &mut self,
        _: &mut Room<'_>,
        session: SessionId,
        request: &Payload,
    ) -> Result<(), Cow<'static, str>> {
        let at = self.rules.read(request.as_text().unwrap_or_default())?;
        self.coming = Some((session, at));
        Ok(())
    }

    fn connect(&mut self, room: &mut Room<'_>, member: SessionId) {
        let coming = self.coming.take().filter(|(session, _)| *session == member);
        let Some((_, at)) = coming else {
            return;
        };
        let walker = Walker {
            way: self.rules.speed_max.unwrap_or_default(),
            since: room.time(),
        };
        self.walkers.insert(member, walker);
        self.grid.set(member, at);
        self.moved.insert(member);
    }

    fn message(&mut self, room: &mut Room<'_>, member: SessionId, payload: &Payload) {
        let Ok(to) = self.rules.read(payload.as_text().unwrap_or_default()) else {
            return;
        };
        let now = room.time();
        let from = self.grid.at(member).unwrap_or(to);
        if !self.may_walk(member, Self::length(from, to), now) {
            let (code, speed) = (
                ErrorCode::RateLimited,
                self.rules.speed_max.unwrap_or_default(),
            );
            let text = format!("[Error] {code}: faster than {speed} in a second");
            return room.send(Audience::One(member), text);
        }
        self.grid.set(member, to);
        self.moved.insert(member);
    }

    fn disconnect(&mut self, room: &mut Room<'_>, member: SessionId) {
        for other in self.sees.remove(&member).unwrap_or_default() {
            self.part(room, other, member);
        }
        self.grid.remove(member);
        self.walkers.remove(&member);
        self.moved.remove(&member);
    }

    fn tick(&mut self, room: &mut Room<'_>) {
        let moved = std::mem::take(&mut self.moved);
        let mut new = BTreeSet::new();
        for one in moved {
            let near = self.grid.near(one);
            let seen = self.sees.get(&one).cloned().unwrap_or_default();
            for other in seen.difference(&near) {
                self.part(room, one, *other);
            }
            for other in near {
                let pair = (one.min(other), one.max(other));
                if !seen.contains(&other) {
                    self.enter(room, one, other);
                    new.insert(pair);
                } else if !new.contains(&pair) {
                    self.tell_pos(room, other, one);
                }
            }
        }
    }
}
