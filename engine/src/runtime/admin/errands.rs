//! Asks shards by their mailboxes, from a thread that is none of theirs, and waits for no longer than a while.

use std::time::Duration;

use worldshard_spatial::ShardId;
use worldshard_transport::Response;

use crate::hub::Hub;
use crate::runtime::clock;
use crate::runtime::process::{Errand, Mail, Process};

/// Asks these shards the same; their answers, ascending.
///
/// # Errors
/// The answer 504 that names the shards which did not answer in time.
pub(super) fn ask<T: Send + 'static>(
    process: &Process,
    shards: &[ShardId],
    question: impl Fn(&mut Hub) -> T + Clone + Send + 'static,
) -> Result<Vec<T>, Response> {
    let (sender, answers) = flume::bounded(shards.len());
    for &shard in shards {
        let (question, sender) = (question.clone(), sender.clone());
        let errand: Errand = Box::new(move |hub| {
            // There is room for one answer of each; nobody may be waiting any more.
            let _ = sender.try_send((shard, question(hub)));
        });
        // One whose mailbox is full does not answer.
        let _ = process.post.letter(shard, Mail::Errand(errand));
    }
    drop(sender);
    let deadline = clock::now() + ANSWER_MAX;
    let mut all: Vec<(ShardId, T)> = Vec::with_capacity(shards.len());
    while let Ok(answer) = answers.recv_deadline(deadline) {
        all.push(answer);
    }
    let silent: Vec<String> = shards
        .iter()
        .filter(|shard| all.iter().all(|(answered, _)| answered != *shard))
        .map(|shard| shard.0.to_string())
        .collect();
    if !silent.is_empty() {
        let text = format!("no answer from shards: {}\n", silent.join(", "));
        return Err(Response::text(504, text));
    }
    all.sort_by_key(|(shard, _)| *shard);
    Ok(all.into_iter().map(|(_, answer)| answer).collect())
}

/// Asks all shards.
///
/// # Errors
/// As [`ask`].
pub(super) fn ask_all<T: Send + 'static>(
    process: &Process,
    question: impl Fn(&mut Hub) -> T + Clone + Send + 'static,
) -> Result<Vec<T>, Response> {
    let shards: Vec<ShardId> = (0..process.shards).map(ShardId).collect();
    ask(process, &shards, question)
}

/// A shard that lives answers within a turn, which is far less.
const ANSWER_MAX: Duration = Duration::from_secs(2);
