//! A board of JSON values, kept by an application, and pushed to who subscribes: first all of it, then what changes.
//!
//! The subscribers are in one room, on one shard, so all of them see the same pushes; here sessions are only brought there.

mod board;
mod room;

use std::time::Duration;

use worldshard::prelude::*;

pub use board::SnapshotBoard;

use room::SnapshotRoom;

/// Pushes what stands on a [`SnapshotBoard`] to every session that has said `/subscribe`, until it says `/unsubscribe`.
///
/// A push is JSON:
///
/// ```json
/// {"type":"snapshot","seq":8,"mode":"delta","upserted":{"door":{"open":true}},"removed":["lamp"]}
/// ```
///
/// Who subscribes is sent all at once, as `full`, with the number of the last push. Then, at most every 100 ms of the
/// world's time and only when something has changed, all are sent what did, with the next number: a full one and the deltas
/// after it, without a gap, are the board. Where only little is kept, deltas can be [left out](Self::always_full).
///
/// ```
/// use worldshard::prelude::*;
/// use worldshard_plugins::{SnapshotBoard, SnapshotPlugin};
///
/// let board = SnapshotBoard::new();
/// let shown = board.clone();
/// App::new()
///     .raw("/ws")
///     .plugin(SnapshotPlugin::new(&board))
///     .system(Update, move |cx: &mut Context| {
///         shown.set("sessions", &cx.session_count());
///     })
///     .build()?;
/// # Ok::<(), worldshard::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SnapshotPlugin {
    board: SnapshotBoard,
    interval: Duration,
    is_delta: bool,
    subscribers_max: u32,
}

impl SnapshotPlugin {
    /// Pushes what changes on the board, every 100 ms, to 10 000 subscribers at most.
    #[must_use]
    pub fn new(board: &SnapshotBoard) -> Self {
        Self {
            board: board.clone(),
            interval: Duration::from_millis(100),
            is_delta: true,
            subscribers_max: 10_000,
        }
    }

    /// How often it pushes, at most; to the tick, and one tick at least.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Every push is all of the board.
    #[must_use]
    pub fn always_full(mut self) -> Self {
        self.is_delta = false;
        self
    }

    /// One more is refused.
    #[must_use]
    pub fn subscribers_max(mut self, sessions: u32) -> Self {
        self.subscribers_max = sessions;
        self
    }

    /// Subscribes a session of this home without its asking. Again changes nothing.
    pub fn subscribe(cx: &mut Context<'_>, session: SessionId) {
        cx.join(session, KIND, ROOM, "");
    }
}

impl Plugin for SnapshotPlugin {
    fn build(&self, app: &mut App) {
        let plugin = self.clone();
        let rooms = Rooms::named(KIND, move |_| SnapshotRoom::new(plugin.clone()));
        app.rooms(rooms.members_max(self.subscribers_max))
            .text_command("/subscribe", |cx: &mut Context<'_>, session, _: &str| {
                Self::subscribe(cx, session);
            })
            .text_command("/unsubscribe", |cx: &mut Context<'_>, session, _: &str| {
                cx.leave(session, KIND, ROOM);
            })
            .system(Update, follow);
    }
}

/// Tells who was not let in.
fn follow(cx: &mut Context<'_>) {
    let of_snapshots = cx.memberships().filter(|one| &*one.kind == KIND);
    for one in of_snapshots {
        if let MembershipChange::Refused(reason) = one.change {
            let text = format!("[Error] You are not subscribed: {reason}.");
            cx.send(Audience::One(one.session), text);
        }
    }
}

/// What the room is called among kinds of rooms, and among those of its kind.
const KIND: &str = "snapshot";
const ROOM: &str = "all";
