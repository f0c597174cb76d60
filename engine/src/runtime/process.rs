//! What the threads of one server share, and what is said between them.

use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicU16;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use worldshard_protocol::SessionId;
use worldshard_shard::Envelope;
use worldshard_spatial::ShardId;
use worldshard_transport::RequestHead;

use super::certificates::Certificates;
use super::control::Control;
use super::door::Door;
use super::liveness::Liveness;
use super::mailbox::Post;
use super::metrics::{Refused, Tally};
use super::punctuality::TickTimes;
use super::reactor::Tls;
use crate::app::AppRecipe;
use crate::hub::{Hub, ShardStatus};
use crate::letter::Letter;
use crate::policy::Policies;

/// One server.
pub(crate) struct Process {
    pub(crate) recipe: Arc<AppRecipe>,
    pub(crate) shards: u16,
    pub(crate) liveness: Liveness,
    pub(crate) control: Control,
    pub(crate) post: Post<Envelope, Mail>,
    pub(crate) place: Place,
    /// The name of the driver that runs the shards.
    pub(crate) runtime: &'static str,
    /// What connections are shown, if they are encrypted.
    pub(crate) certificates: Option<Arc<Certificates>>,
    /// What clients may do now.
    pub(crate) policies: Arc<Policies>,
    pub(crate) statuses: Vec<Mutex<Option<ShardReport>>>,
    pub(crate) refused: Refused,
    /// Shards that have yet to say, while sessions are told of the end, that they may be closed.
    pub(crate) lingering: AtomicU16,
}

/// One shard for `/status`: what its hub counts, and what only a clock can tell.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ShardReport {
    /// Time that both halves of the last tick took, waiting for other shards excluded.
    pub(crate) step_us: u64,
    /// The same of 99 of 100 ticks of the last seconds, at most: the next of a few bounds.
    pub(crate) step_us_p99: u64,
    #[serde(flatten)]
    pub(crate) ticks: TickTimes,
    /// Ticks that were not made up for: the world's time was dilated by as many intervals.
    pub(crate) lag_ticks: u64,
    /// How often that happened.
    pub(crate) lag_times: u64,
    /// How often the shard panicked and was made again.
    pub(crate) rebuilds: u64,
    /// Ticks that it did again then.
    pub(crate) ticks_rebuilt: u64,
    /// Checkpoints of it that were not written, since the process began.
    pub(crate) checkpoints_left_out: u64,
    /// Writes to connections, each with all that waited for one of them.
    pub(crate) writes: u64,
    /// Letters in its mailbox now.
    pub(crate) letters: usize,
    /// One more is kept by its sender.
    pub(crate) letters_max: usize,
    /// Letters that it keeps for the full mailboxes of others now.
    pub(crate) letters_kept: usize,
    /// With more than so many, it does not read from its clients.
    pub(crate) letters_kept_max: usize,
    /// Tick envelopes in its mailbox now.
    pub(crate) envelopes: usize,
    /// More cannot be there: shards are at most a tick apart.
    pub(crate) envelopes_max: usize,
    #[serde(flatten)]
    pub(crate) hub: ShardStatus,
    /// For `/metrics` alone.
    #[serde(skip)]
    pub(crate) tally: Tally,
}

/// Which shard becomes the home of who sent this head; `None` for the one that read it.
pub(crate) type Place = fn(&RequestHead) -> Option<ShardId>;

/// A letter of the runtime's own, or a hub's.
pub(crate) enum Mail {
    /// A connection just accepted.
    Accepted(OwnedFd),
    /// Where to accept connections itself.
    Door(Arc<Door>),
    /// A connection whose head another shard has read.
    Adopt(Box<Adopt>),
    /// What one hub says to another.
    Letter {
        /// The shard of the hub that says it.
        from: ShardId,
        /// What it says.
        letter: Letter,
    },
    /// What another thread has to ask of a hub, or to have it do. The thread waits for no longer than it says itself.
    Errand(Errand),
    /// Closes a session of this home, because whoever runs the server says so.
    Kick(Box<Kick>),
    /// Panics in the next first half of a tick, so that a test sees the shard come back.
    Kill,
    /// Stands still for so long, so that a test sees what a stuck shard does to the others.
    Freeze(Duration),
}

/// What is done to a hub, on its thread.
pub(crate) type Errand = Box<dyn FnOnce(&mut Hub) + Send>;
/// A session that is to be closed.
pub(crate) struct Kick {
    /// Which one.
    pub(crate) session: SessionId,
    /// What it is told.
    pub(crate) reason: String,
    /// Learns whether there was one.
    pub(crate) answer: SyncSender<bool>,
}

/// A connection handed over, between its head and its first frame.
pub(crate) struct Adopt {
    /// The connection.
    pub(crate) socket: OwnedFd,
    /// What it asked for.
    pub(crate) head: RequestHead,
    /// What it sent behind its head.
    pub(crate) leftover: Vec<u8>,
    /// Its TLS, if it is encrypted.
    pub(crate) tls: Option<Box<Tls>>,
}

impl Process {
    /// Shows how a shard is.
    pub(crate) fn show_status(&self, shard: ShardId, report: ShardReport) {
        let place = &self.statuses[usize::from(shard.0)];
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
    }

    /// How the shards are, as far as they have shown.
    pub(crate) fn statuses(&self) -> Vec<ShardReport> {
        let places = self.statuses.iter();
        places
            .filter_map(|place| place.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .collect()
    }

    /// Ends the server, because a shard cannot go on.
    pub(crate) fn fail(&self, cause: String) {
        self.control.fail(cause);
        self.post.ring_all();
    }
}
