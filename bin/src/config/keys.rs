//! All keys, as the types have them: for the schema, the names of variables, and the table of the documentation.

use std::fmt::Write as _;

use serde_json::Value;

use super::Config;
use super::layers::{FLAGS, variable};
use super::reload;

/// The JSON Schema of a file.
pub(crate) fn schema() -> Value {
    let mut schema = schemars::schema_for!(Config).to_value();
    schema["title"] = "worldshard.yaml".into();
    schema
}

/// One key.
pub(crate) struct Key {
    /// With dots between its parts, and `[]` behind a list.
    pub(crate) path: String,
    /// What it may be, in words.
    pub(crate) kind: String,
    /// Whether it is text, so that a variable's value is taken as it is.
    pub(crate) is_text: bool,
    /// Whether it stands in a list, and so has no variable of its own.
    pub(crate) is_inner: bool,
    default: Option<Value>,
    required: bool,
    description: String,
}

/// All keys that have a value of their own, in the order of the names.
pub(crate) fn keys() -> Vec<Key> {
    let schema = schema();
    let mut keys = Vec::new();
    walk(&schema, &schema, "", &mut keys);
    keys
}

fn walk(root: &Value, object: &Value, prefix: &str, keys: &mut Vec<Key>) {
    let properties = object["properties"].as_object();
    for (name, property) in properties.into_iter().flatten() {
        let path = match prefix {
            "" => name.clone(),
            _ => format!("{prefix}.{name}"),
        };
        let resolved = resolve(root, property);
        if resolved["properties"].is_object() {
            walk(root, resolved, &path, keys);
            continue;
        }
        let items = resolved.get("items").map(|items| resolve(root, items));
        let required = object["required"].as_array();
        let kind = kind(resolved, items);
        keys.push(Key {
            is_text: kind.is_text,
            kind: kind.words,
            is_inner: path.contains("[]"),
            default: property.get("default").cloned(),
            required: required.is_some_and(|all| all.iter().any(|one| one == name)),
            description: text(&property["description"]),
            path: path.clone(),
        });
        if let Some(items) = items.filter(|items| items["properties"].is_object()) {
            walk(root, items, &format!("{path}[]"), keys);
        }
    }
}

/// What a property refers to; of one that may be absent, what it is when it is there.
fn resolve<'a>(root: &'a Value, property: &'a Value) -> &'a Value {
    if let Some(name) = property["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap_or_default();
        return resolve(root, &root["$defs"][name]);
    }
    match property["anyOf"].as_array() {
        Some(either) => resolve(root, &either[0]),
        None => property,
    }
}

struct Kind {
    words: String,
    is_text: bool,
}

fn kind(property: &Value, items: Option<&Value>) -> Kind {
    let words: Option<Vec<String>> = choices(property);
    if let Some(words) = words {
        return Kind {
            words: words.join(", "),
            is_text: true,
        };
    }
    let name = match property["type"].as_array() {
        Some(either) => either[0].as_str(),
        None => property["type"].as_str(),
    };
    let range = || match (property["minimum"].as_f64(), property["maximum"].as_f64()) {
        (Some(least), Some(most)) if least == most => format!("{least}"),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        _ => "a number".to_owned(),
    };
    let words = match name {
        Some("integer") => range(),
        Some("number") => range(),
        Some("boolean") => "true, false".to_owned(),
        Some("array") => match items.and_then(choices) {
            Some(words) => format!("a list of {}", words.join(", ")),
            None if items.is_some_and(|items| items["properties"].is_object()) => {
                "a list".to_owned()
            }
            None => "a list of texts".to_owned(),
        },
        Some("object") => "a map".to_owned(),
        Some("string") => "text".to_owned(),
        _ => "0 to 1000, tick".to_owned(),
    };
    Kind {
        is_text: words == "text",
        words,
    }
}

/// The words of a choice, if it is one.
fn choices(property: &Value) -> Option<Vec<String>> {
    if let Some(words) = property["enum"].as_array() {
        return Some(words.iter().map(text).collect());
    }
    let either = property["oneOf"].as_array()?;
    let words = either.iter().flat_map(|one| match one["enum"].as_array() {
        Some(words) => words.iter().map(text).collect(),
        None => vec![text(&one["const"])],
    });
    let words: Vec<String> = words.collect();
    words.iter().all(|word| !word.is_empty()).then_some(words)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().replace('\n', " ")
}

/// The table of all keys, as Markdown.
pub(crate) fn table() -> String {
    let mut table = String::from(
        "| key | what | default | flag | variable | while it runs |\n|---|---|---|---|---|---|\n",
    );
    for key in keys() {
        let path = &key.path;
        let flags = FLAGS.iter().filter(|(_, of)| of == path);
        let flags: Vec<String> = flags
            .map(|(flag, _)| format!("`--{}`", flag.replace('_', "-")))
            .collect();
        let default = match &key.default {
            _ if key.required => "must be said".to_owned(),
            None | Some(Value::Null) => "–".to_owned(),
            Some(default) => format!("`{default}`"),
        };
        let variable = match key.is_inner || path == "version" {
            true => String::new(),
            false => format!("`{}`", variable(path)),
        };
        let again = if reload::is_reloadable(path) {
            "read again"
        } else {
            ""
        };
        let (kind, description) = (&key.kind, &key.description);
        let _ = writeln!(
            table,
            "| `{path}` | {description}. *{kind}* | {default} | {} | {variable} | {again} |",
            flags.join(" ")
        );
    }
    table
}
