//! The subscribers of a board, and what they were sent of it. Lives on one shard, so all are sent the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;
use worldshard::prelude::*;

use super::SnapshotPlugin;
use super::board::Changes;

/// The service of the one room of subscribers.
pub(super) struct SnapshotRoom {
    plugin: SnapshotPlugin,
    /// Of the last push.
    seq: u64,
    /// The board as all have it, and of which version that is.
    shown: Values,
    version: u64,
}

type Values = BTreeMap<Arc<str>, Arc<RawValue>>;

/// A push, as it is sent.
#[derive(Serialize)]
struct Push<'a> {
    r#type: &'static str,
    seq: u64,
    mode: &'static str,
    upserted: BTreeMap<&'a str, &'a RawValue>,
    removed: Vec<&'a str>,
}

impl SnapshotRoom {
    pub(super) fn new(plugin: SnapshotPlugin) -> Self {
        Self {
            plugin,
            seq: 0,
            shown: Values::new(),
            version: 0,
        }
    }

    fn show_all(&mut self) {
        let all = self.plugin.board.all();
        (self.shown, self.version) = (all.upserted, all.version);
    }

    fn send(&self, room: &mut Room<'_>, audience: Audience, mode: &'static str, changes: &Changes) {
        let upserted = changes.upserted.iter();
        let push = Push {
            r#type: "snapshot",
            seq: self.seq,
            mode,
            upserted: upserted.map(|(name, json)| (&**name, &**json)).collect(),
            removed: changes.removed.iter().map(|name| &**name).collect(),
        };
        let text = serde_json::to_string(&push).expect("names and JSON are JSON");
        let text = Text::json(text).expect("it was made as JSON");
        room.send(audience, text);
    }

    /// All that is shown.
    fn send_all(&self, room: &mut Room<'_>, audience: Audience) {
        let all = Changes {
            is_full: true,
            upserted: self.shown.clone(),
            removed: Vec::new(),
            version: self.version,
        };
        self.send(room, audience, "full", &all);
    }

    /// Tells those who have the last push what has changed since.
    fn push(&mut self, room: &mut Room<'_>, audience: Audience) {
        let Some(mut changes) = self.plugin.board.since(self.version) else {
            return;
        };
        if changes.is_full {
            self.seq += 1;
            self.show_all();
            return self.send_all(room, audience);
        }
        self.version = changes.version;
        // Some are what they were, some came and went.
        let shown = &mut self.shown;
        let is_new = |name: &Arc<str>, json: &mut Arc<RawValue>| {
            let before = shown.get(name);
            before.is_none_or(|before| before.get() != json.get())
        };
        changes.upserted.retain(is_new);
        changes.removed.retain(|name| shown.remove(name).is_some());
        if changes.upserted.is_empty() && changes.removed.is_empty() {
            return;
        }
        shown.extend(changes.upserted.clone());
        self.seq += 1;
        match self.plugin.is_delta {
            true => self.send(room, audience, "delta", &changes),
            false => self.send_all(room, audience),
        }
    }
}

impl Service for SnapshotRoom {
    fn init(&mut self, room: &mut Room<'_>) {
        room.set_listing(None);
        room.set_interval("push", self.plugin.interval);
        self.show_all();
    }

    fn connect(&mut self, room: &mut Room<'_>, member: SessionId) {
        // The others come to where the new one begins, so the next delta is for all.
        self.push(room, Audience::AllBut(member));
        self.send_all(room, Audience::One(member));
    }

    fn timer(&mut self, room: &mut Room<'_>, _: &str) {
        self.push(room, Audience::All);
    }
}
