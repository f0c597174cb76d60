//! What a server shows of itself, and how fast that changes. Never asks and never draws.

use std::time::Duration;

use serde_json::Value;

/// A server at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) at: Duration,
    pub(crate) runtime: String,
    pub(crate) draining: bool,
    pub(crate) connections: u64,
    pub(crate) stale: Vec<u64>,
    pub(crate) shards: Vec<ShardNumbers>,
    /// Sessions by tenant, the most first.
    pub(crate) tenants: Vec<(String, u64)>,
    /// Sessions that ended, by who ended them and how; those that never were are left out.
    pub(crate) closes: Vec<(String, u64)>,
}

/// One shard at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShardNumbers {
    pub(crate) shard: u64,
    pub(crate) tick: u64,
    pub(crate) step_us_p99: u64,
    pub(crate) lag_ticks: u64,
    pub(crate) sessions: u64,
    pub(crate) entities: u64,
    pub(crate) ghosts: u64,
    pub(crate) letters: u64,
    pub(crate) letters_max: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) messages_in: u64,
}

/// What changes of one shard in a second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rates {
    pub(crate) ticks: f64,
    pub(crate) bytes_in: f64,
    pub(crate) bytes_out: f64,
    pub(crate) messages_in: f64,
}

impl Snapshot {
    /// As `/status` tells it.
    pub(crate) fn of(status: &Value, at: Duration) -> Self {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let shards = list(&status["shards"]);
        Self {
            at,
            runtime: status["runtime"].as_str().unwrap_or("?").to_owned(),
            draining: status["draining"] == true,
            connections: number(&status["connections"]),
            stale: list(&status["stale_shards"]).iter().map(number).collect(),
            tenants: tenants(&list(&status["tenants"])),
            closes: sums(&shards, "closes"),
            shards: shards.iter().map(ShardNumbers::of).collect(),
        }
    }

    /// How fast a shard goes since `before`; nothing without that.
    pub(crate) fn rates(&self, shard: &ShardNumbers, before: Option<&Self>) -> Rates {
        let before = before.and_then(|snapshot| {
            let mut shards = snapshot.shards.iter();
            let same = shards.find(|one| one.shard == shard.shard)?;
            Some((snapshot.at, same))
        });
        let Some((at, before)) = before else {
            return Rates::default();
        };
        let seconds = self.at.saturating_sub(at).as_secs_f64().max(0.001);
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        Rates {
            ticks: rate(shard.tick, before.tick),
            bytes_in: rate(shard.bytes_in, before.bytes_in),
            bytes_out: rate(shard.bytes_out, before.bytes_out),
            messages_in: rate(shard.messages_in, before.messages_in),
        }
    }
}

impl ShardNumbers {
    fn of(value: &Value) -> Self {
        let get = |name: &str| number(&value[name]);
        Self {
            shard: get("shard"),
            tick: get("tick"),
            step_us_p99: get("step_us_p99"),
            lag_ticks: get("lag_ticks"),
            sessions: get("sessions"),
            entities: number(&value["world"]["entities"]),
            ghosts: number(&value["world"]["ghosts"]),
            letters: get("letters"),
            letters_max: get("letters_max"),
            bytes_in: get("bytes_in"),
            bytes_out: get("bytes_out"),
            messages_in: get("messages_in"),
        }
    }
}

/// The counts of a map over all shards, the largest first, without those that are 0.
fn sums(shards: &[Value], name: &str) -> Vec<(String, u64)> {
    let mut sums: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    for shard in shards {
        for (key, count) in shard[name].as_object().into_iter().flatten() {
            *sums.entry(key.clone()).or_default() += number(count);
        }
    }
    largest_first(sums.into_iter().collect())
}

fn tenants(statuses: &[Value]) -> Vec<(String, u64)> {
    let named = statuses.iter().filter_map(|one| {
        let name = one["tenant"].as_str()?;
        Some((name.to_owned(), number(&one["sessions"])))
    });
    largest_first(named.collect())
}

fn largest_first(mut list: Vec<(String, u64)>) -> Vec<(String, u64)> {
    list.retain(|(_, count)| *count > 0);
    list.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    list
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}
