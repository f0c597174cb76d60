//! Answers of a server as people read them. Never asks.

use serde_json::Value;

/// One line for each session.
pub(super) fn sessions(answer: &Value) -> String {
    let head = [
        "SESSION", "SHARD", "STATE", "SECONDS", "WAITING", "TENANT", "USER", "PATH",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    let list = answer["sessions"].as_array().into_iter().flatten();
    rows.extend(list.map(|one| {
        let seconds = one["seconds_open"].as_f64().unwrap_or_default();
        [
            plain(&one["session"]),
            plain(&one["shard"]),
            plain(&one["state"]),
            format!("{seconds:.0}"),
            plain(&one["bytes_waiting"]),
            plain(&one["tenant"]),
            plain(&one["user"]),
            plain(&one["path"]),
        ]
    }));
    let mut text = table(&rows);
    if let Some(next) = answer["next"].as_u64() {
        text.push_str(&format!("there may be more: --after {next}\n"));
    }
    text
}

/// One line for each shard, behind one for the whole.
pub(super) fn status(answer: &Value) -> String {
    let mut text = format!(
        "{} connections, tick {}, runtime {}{}\n",
        plain(&answer["connections"]),
        plain(&answer["tick"]),
        plain(&answer["runtime"]),
        if answer["draining"] == true {
            ", draining"
        } else {
            ""
        },
    );
    let stale: Vec<String> = answer["stale_shards"]
        .as_array()
        .into_iter()
        .flatten()
        .map(plain)
        .collect();
    if !stale.is_empty() {
        text.push_str(&format!("stale shards: {}\n", stale.join(", ")));
    }
    let head = [
        "SHARD", "TICK", "STEP us", "P99 us", "LAG", "SESSIONS", "ENTITIES", "GHOSTS", "MAILBOX",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    let shards = answer["shards"].as_array().into_iter().flatten();
    rows.extend(shards.map(|one| {
        [
            plain(&one["shard"]),
            plain(&one["tick"]),
            plain(&one["step_us"]),
            plain(&one["step_us_p99"]),
            plain(&one["lag_ticks"]),
            plain(&one["sessions"]),
            plain(&one["world"]["entities"]),
            plain(&one["world"]["ghosts"]),
            format!("{}/{}", plain(&one["letters"]), plain(&one["letters_max"])),
        ]
    }));
    text.push_str(&table(&rows));
    text
}

/// One line for each field.
pub(super) fn fields(answer: &Value) -> String {
    let fields = answer.as_object().into_iter().flatten();
    let rows: Vec<[String; 2]> = fields
        .map(|(name, value)| [name.clone(), plain(value)])
        .collect();
    table(&rows)
}

pub(super) fn kicked(answer: &Value) -> String {
    format!("session {} is closed\n", plain(&answer["kicked"]))
}

/// One line for each ban.
pub(super) fn bans(answer: &Value) -> String {
    let mut rows = vec![["WHOM", "TENANT", "SECONDS LEFT", "REASON"].map(str::to_owned)];
    let list = answer["bans"].as_array().into_iter().flatten();
    rows.extend(list.map(|one| {
        [
            whom(one),
            plain(&one["tenant"]),
            plain(&one["seconds_left"]),
            plain(&one["reason"]),
        ]
    }));
    table(&rows)
}

pub(super) fn banned(answer: &Value) -> String {
    format!("{} may not come\n", whom(&answer["banned"]))
}

pub(super) fn unbanned(answer: &Value) -> String {
    format!("{} may come again\n", whom(&answer["unbanned"]))
}

fn whom(ban: &Value) -> String {
    let named = if ban["ip"].is_null() { "user" } else { "ip" };
    plain(&ban[named])
}

pub(super) fn told(answer: &Value) -> String {
    format!("{} sessions were told\n", plain(&answer["told"]))
}

pub(super) fn draining(_: &Value) -> String {
    "the server stops\n".to_owned()
}

pub(super) fn level(answer: &Value) -> String {
    format!("{}\n", plain(&answer["level"]))
}

/// A value without the quotes of a text; what is not known is a dash. What clients chose must not move a terminal.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.replace(char::is_control, "\u{fffd}"),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// Columns as wide as they must be.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let lengths = rows.iter().map(|row| row[column].chars().count());
        lengths.max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}
